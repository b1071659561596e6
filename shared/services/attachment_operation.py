"""The POST of a set of documents, and how Partner Center is asked what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.clock import LINE_RATE, Clock, Deadline, seconds_to_send
from shared.core.conclusions import Found, Reconciliation, Unproved
from shared.core.errors import NotConfiguredError, OrderNotWaitingError, PartnerCenterError, RefusedError
from shared.core.ledger import Record, State, Submission
from shared.core.ledger_parts import DocumentFacts, Source, merged
from shared.core.matching import Absent, Ours, Verdict
from shared.core.matching_documents import (
    counts_suffice,
    match_documents,
    match_without_base,
    may_be_confused,
    nearest,
)
from shared.core.models import DocumentSet
from shared.core.order_statuses import meaning
from shared.core.resources import items_of
from shared.core.watch import status_of
from shared.partner_center.client import PartnerCenter
from shared.partner_center.multipart import attachment_body
from shared.partner_center.wire import Answer, RequestIds
from shared.services.attachment_list import AttachmentList, read_list
from shared.services.operation import Snapshot
from shared.services.sending import APPEARS_WITHIN

log = logging.getLogger(__name__)

_STATUS_SECONDS = 10.0
"""So long, at most, the reading of an order's status may keep its documents back."""

NO_SUCH_ORDER = (404, "20000")
"""Partner Center does not know the order id, or not yet.
https://learn.microsoft.com/en-us/partner-center/developer/error-codes"""


def is_denial(error: PartnerCenterError) -> bool:
    """Whether Partner Center refuses to tell, so that asking again is no use; every other failure passes."""
    if not isinstance(error, RefusedError) or error.advice.retryable:
        return False
    return error.status == 501 or (error.status < 500 and error.status not in (408, 429))


OVERHEAD = 60.0
"""Seconds of a deadline that do not depend on the size."""
LONGEST_DEADLINE = 1800.0
"""Seconds of the longest deadline. `functionTimeout` in host.json is ten minutes more."""
MOST_BYTES = int(LONGEST_DEADLINE - OVERHEAD) * LINE_RATE
"""Bytes of a set beyond which no deadline can carry it."""


def seconds_for(size: int) -> float:
    """The deadline, in seconds, of a submission of `size` bytes that no HTTP caller waits for."""
    return OVERHEAD + size / LINE_RATE


@dataclass(frozen=True, slots=True)
class AttachmentOperation:
    """The POST of one submission's documents; without `content` Partner Center can only be asked about it."""

    blank: Record
    digest: str
    visibility: timedelta
    partner: PartnerCenter
    clock: Clock
    new_id: Callable[[], str]
    po_part: str
    tender_part: str
    content: DocumentSet | None = None
    source: Source | None = None
    asks_first: bool = False
    newer_documents: tuple[str, ...] = ()
    """Names of documents of a set that are newer than its sidecar."""

    @property
    def can_send(self) -> bool:
        """Whether the documents are at hand."""
        return self.content is not None

    @property
    def auto_retry(self) -> bool:
        """What lies in a drop can be sent later; what came over HTTP is gone with its request."""
        return self.source is not None

    @property
    def seconds_needed(self) -> float:
        """At the line rate."""
        return seconds_to_send(sum(d.size for d in self.content.documents)) if self.content else 0.0

    def describe(self, claim: Submission, deadline: Deadline) -> Submission:
        """The claim with what is sent, and from where."""
        return claim.model_copy(
            update={"documents": self._documents(), "sources": merged(claim.sources, self.source)}
        )

    def _documents(self) -> tuple[DocumentFacts, ...]:
        assert self.content is not None
        return tuple(
            DocumentFacts(kind=str(d.role), file_name=d.file_name, size=d.size, md5=d.md5)
            for d in self.content.documents
        )

    def retries_refused(self, submission: Submission) -> bool:
        """An HTTP request does; a drop does when its versions are not those that were refused. There is no
        key to change, and the order may have become visible: only what a person gave up stays refused."""
        return not submission.given_up and (self.source is None or self.source not in submission.sources)

    def may_appear(self, error: RefusedError) -> bool:
        """An order that was placed just now is unknown for some minutes."""
        return (error.status, error.code) == NO_SUCH_ORDER

    def check_wanted(self, record: Record, ids: RequestIds, deadline: Deadline) -> None:
        """An order whose status is final waits for no documents. It is read, unless the watch saw it within
        a day; where it cannot be, the documents go out."""
        watched = record.orders.get(record.order_id)
        if watched is not None and watched.is_known(self.clock()):
            status = watched.status
        else:
            status = self._status(ids, Deadline.after(min(_STATUS_SECONDS, deadline.remaining() / 4)))
        if meaning(status).final:
            raise OrderNotWaitingError(status, meaning(status).step)

    def _status(self, ids: RequestIds, deadline: Deadline) -> str:
        """The order's status now, "" when it cannot be read."""
        try:
            order = self.partner.get_order(self.blank.customer_id, self.blank.order_id, ids, deadline).json()
        except (PartnerCenterError, NotConfiguredError) as error:
            log.info("order %s could not be read before its documents: %s", self.blank.order_id, error)
            return ""
        return status_of(order)

    def superseded_by(self, record: Record) -> Submission | None:
        """The sidecar is the signal: one version of it sends one set of documents. Of a set that was sent
        before, documents that are newer than the sidecar wait for the sidecar too."""
        if self.source is None:
            return None
        spent = record.spent(self.source.drop, self.source.sidecar_etag, self.digest)
        if spent is None and self.newer_documents:
            return record.sent_before(self.source.drop, self.digest)
        return spent

    def goes_first(self, record: Record) -> Submission | None:
        """A list can be later than it may be. What was silent, counts as absent and is sent again goes before
        what looks like it: else what shows too late of the one would be taken for the other's."""
        own, documents = record.submissions.get(self.digest), self._documents()
        silent = own.first_silent if own else None
        found = (
            other
            for other in record.others(self.digest)
            if other.state is State.PENDING and other.due and other.first_silent
            if silent is None or other.first_silent < silent
            if may_be_confused(documents, other.documents)
        )
        return next(found, None)

    def take_snapshot(self, ids: RequestIds, deadline: Deadline) -> Snapshot:
        """The ids of the order's attachments. A list that is refused lets the POST go, without a base."""
        taken = self.clock()
        try:
            order = self.listed(ids, deadline)
        except RefusedError as error:
            if not is_denial(error):
                raise
            return Snapshot(taken, None, f"{error.status}/{error.code}")
        if not order.complete:
            return Snapshot(taken, None, "the list is not complete")
        return Snapshot(taken, tuple(entry.id for entry in order.entries))

    def send(self, submission: Submission, deadline: Deadline, check: Callable[[], None]) -> Answer:
        """POST the documents as one multipart request."""
        s = self.content
        assert s is not None
        body = attachment_body(s.metadata.to_wire(), s.documents, self.po_part, self.tender_part)
        return self.partner.attach(
            s.customer_id,
            s.order_id,
            body,
            RequestIds(submission.request_id, submission.correlation_id),
            deadline,
            resent=submission.same_id,
            check=check,
        )

    def accepted(self, record: Record, submission: Submission, answer: Answer) -> Found | None:
        """Judge a 201: it lists this call's files, or the whole order; the documents leave it open."""
        order = read_list(items_of(answer.json()), complete=True, answer=answer)
        others = record.ids_of_others(self.digest)
        if submission.base is None:
            left = order.beyond(others)
            if not counts_suffice(submission.documents, left):
                return None
            ids = nearest(submission.documents, left)
            return Found(order.of(ids), ids, verified=False)
        verdict = match_documents(submission.documents, order.beyond(others, submission.base))
        return Found(order.of(verdict.ids), verdict.ids) if isinstance(verdict, Ours) else None

    def reconcile(self, record: Record, submission: Submission, deadline: Deadline) -> Reconciliation:
        """Judge the difference between the order's attachments now and the submission's base."""
        ids, asked = RequestIds(self.new_id(), submission.correlation_id), self.clock()
        try:
            order = self.listed(ids, deadline)
        except RefusedError as error:
            if not self.may_appear(error):
                raise
            if asked - submission.created < APPEARS_WITHIN:
                return Unproved("Partner Center does not show the order yet")
            return Absent()  # an order that is not there has no attachments
        there = {entry.id for entry in order.entries}
        if any(s.state is State.DONE and not set(s.ids) <= there for s in record.others(submission.digest)):
            return Unproved("Partner Center's list is stale: it lacks attachments of earlier submissions")
        verdict = self._judge(record, submission, order)
        if isinstance(verdict, Ours):
            visible_by_now = submission.absent_after is None or asked >= submission.absent_after
            if verdict.exact or visible_by_now:
                return Found(order.of(verdict.ids), verdict.ids)
            return Unproved("Partner Center lists it under another name or size, or lists something similar")
        if not order.complete:
            return Unproved("Partner Center's list of attachments is incomplete or unreadable")
        return verdict

    def _judge(self, record: Record, submission: Submission, order: AttachmentList) -> Verdict:
        others = record.ids_of_others(submission.digest)
        if submission.base is None:
            return match_without_base(submission.documents, order.beyond(others))
        siblings = [s.documents for s in record.others(submission.digest) if s.may_turn_up]
        return match_documents(submission.documents, order.beyond(others, submission.base), siblings)

    def listed(self, ids: RequestIds, deadline: Deadline) -> AttachmentList:
        """The order's attachments now. Raises PartnerCenterError."""
        listing = self.partner.list_attachments(self.blank.customer_id, self.blank.order_id, ids, deadline)
        return read_list(listing.items, complete=listing.complete and not listing.unreadable, answer=listing)
