"""Attach a set of documents to an order, once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.core.conclusions import Found, Reconciliation, Unproved
from shared.core.ledger import (
    FORMAT,
    HOLDING,
    DocumentFacts,
    PartnerIds,
    Record,
    Source,
    State,
    Submission,
    merged,
)
from shared.core.ledger import Answer as KeptAnswer
from shared.core.matching import Absent, Ambiguous, Ours
from shared.core.matching_documents import (
    Listed,
    counts_suffice,
    match_documents,
    match_without_base,
    nearest,
    read_listed,
)
from shared.errors import NotFoundError, PartnerCenterError, RefusedError
from shared.models import DocumentSet, order_attachments_key
from shared.partner_center.client import PartnerCenter
from shared.partner_center.multipart import attachment_body
from shared.partner_center.wire import Answer, Deadline, Listing, RequestIds
from shared.services.executor import Executor
from shared.services.operation import Outcome, Snapshot
from shared.services.sending import APPEARS_WITHIN
from shared.storage.blobs import Clock
from shared.storage.ledger import MovedError, Stored

NO_SUCH_ORDER = (404, "20000")
"""Partner Center does not know the order id, or not yet.
https://learn.microsoft.com/en-us/partner-center/developer/error-codes"""


def is_denial(error: PartnerCenterError) -> bool:
    """Whether Partner Center refuses to tell, so that asking again is no use; every other failure passes."""
    if not isinstance(error, RefusedError) or error.advice.retryable:
        return False
    return error.status == 501 or (error.status < 500 and error.status not in (408, 429))


LINE_RATE = 1024 * 1024
"""Bytes a second that a line to Partner Center carries at least; deadlines are made from it."""
OVERHEAD = 60.0
"""Seconds of a deadline that do not depend on the size."""
LONGEST = 1800.0
"""Seconds of the longest deadline. `functionTimeout` in host.json is ten minutes more."""
MOST_BYTES = int(LONGEST - OVERHEAD) * LINE_RATE
"""Bytes of a set beyond which no deadline can carry it."""


def seconds_for(size: int) -> float:
    """The deadline, in seconds, of a submission of `size` bytes that no HTTP caller waits for."""
    return OVERHEAD + size / LINE_RATE


@dataclass(frozen=True, slots=True)
class _Order:
    """An order's list of attachments as it was read: entries that have an id, and whether that is all."""

    entries: tuple[Listed, ...]
    items: Mapping[str, Any]
    complete: bool
    answer: KeptAnswer

    def of(self, ids: Sequence[str]) -> KeptAnswer:
        """The collection of some of its entries, as Partner Center told them."""
        kept = [self.items[i] for i in ids if i in self.items]
        body = {"totalCount": len(kept), "items": kept, "attributes": {"objectType": "Collection"}}
        text = json.dumps(body, ensure_ascii=False, default=float)
        return self.answer.model_copy(update={"status": 201, "body": text})


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
        """At the line rate, with some seconds for the answer."""
        return 5.0 + sum(d.size for d in self.content.documents) / LINE_RATE if self.content else 0.0

    def describe(self, claim: Submission) -> Submission:
        """The claim with what is sent, and from where."""
        assert self.content is not None
        documents = tuple(
            DocumentFacts(kind=str(d.role), file_name=d.file_name, size=d.size, md5=d.md5)
            for d in self.content.documents
        )
        return claim.model_copy(
            update={"documents": documents, "sources": merged(claim.sources, self.source)}
        )

    def asks_again(self, submission: Submission) -> bool:
        """An HTTP request does; a drop does when its versions are not those that were refused. There is no
        key to change, and the order may have become visible: only what a person gave up stays refused."""
        return not submission.given_up and (self.source is None or self.source not in submission.sources)

    def may_appear(self, error: RefusedError) -> bool:
        """An order that was placed just now is unknown for some minutes."""
        return (error.status, error.code) == NO_SUCH_ORDER

    def superseded_by(self, record: Record) -> Submission | None:
        """The sidecar is the signal: one version of it sends one set of documents. Of a set that was sent
        before, documents that are newer than the sidecar wait for the sidecar too."""
        if self.source is None:
            return None
        spent = record.spent(self.source.drop, self.source.sidecar_etag, self.digest)
        if spent is None and self.newer_documents:
            return record.sent_before(self.source.drop, self.digest)
        return spent

    def take_snapshot(self, ids: RequestIds, deadline: Deadline) -> Snapshot:
        """The ids of the order's attachments. A list that is refused lets the POST go, without a base."""
        taken = self.clock()
        try:
            order = self._list(ids, deadline)
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
        ids = RequestIds(submission.request_id, submission.correlation_id)
        return self.partner.attach(
            s.customer_id, s.order_id, body, ids, deadline, resent=submission.same_id, check=check
        )

    def accepted(self, record: Record, submission: Submission, answer: Answer) -> Found | None:
        """Judge a 201: it lists this call's files, or the whole order; the documents leave it open."""
        items = answer.json().get("items")
        order = _read(items if isinstance(items, list) else [], complete=True, answer=answer)
        others = record.ids_of_others(self.digest)
        if submission.base is None:
            left = [e for e in order.entries if e.id not in others]
            if not counts_suffice(submission.documents, left):
                return None
            ids = nearest(submission.documents, left)
            return Found(order.of(ids), ids, verified=False)
        new = [e for e in order.entries if e.id not in submission.base and e.id not in others]
        verdict = match_documents(submission.documents, new)
        return Found(order.of(verdict.ids), verdict.ids) if isinstance(verdict, Ours) else None

    def reconcile(self, record: Record, submission: Submission, deadline: Deadline) -> Reconciliation:
        """Judge the difference between the order's attachments now and the submission's base."""
        ids, asked = RequestIds(self.new_id(), submission.correlation_id), self.clock()
        try:
            order = self._list(ids, deadline)
        except RefusedError as error:
            if not self.may_appear(error):
                raise
            if asked - submission.created < APPEARS_WITHIN:
                return Unproved("Partner Center does not show the order yet")
            return Absent()  # an order that is not there has no attachments
        there = {entry.id for entry in order.entries}
        if any(s.state is State.DONE and not set(s.ids) <= there for s in record.others(submission.digest)):
            return Unproved("Partner Center's list lacks attachments that were there before: it is old")
        verdict = self._judge(record, submission, order)
        if isinstance(verdict, Ours):
            settled = submission.absent_after is None or asked >= submission.absent_after
            if verdict.exact or settled:
                return Found(order.of(verdict.ids), verdict.ids)
            return Unproved("Partner Center has it under other names or sizes, or something like it")
        if not order.complete:
            return Unproved("Partner Center's list of attachments is not complete, or not readable")
        return verdict

    def _judge(self, record: Record, submission: Submission, order: _Order) -> Ours | Absent | Ambiguous:
        others = record.ids_of_others(submission.digest)
        unowned = [entry for entry in order.entries if entry.id not in others]
        if submission.base is None:
            return match_without_base(submission.documents, unowned)
        new = [entry for entry in unowned if entry.id not in submission.base]
        waiting = [s.documents for s in record.others(submission.digest) if s.state is State.REVIEW]
        return match_documents(submission.documents, new, waiting)

    def unowned(
        self, record: Record, submission: Submission, deadline: Deadline
    ) -> tuple[_Order, list[Listed]]:
        """The order's attachments, and those that no other submission owns. Raises PartnerCenterError."""
        order = self._list(RequestIds(self.new_id(), submission.correlation_id), deadline)
        others = record.ids_of_others(submission.digest)
        return order, [entry for entry in order.entries if entry.id not in others]

    def _list(self, ids: RequestIds, deadline: Deadline) -> _Order:
        listing = self.partner.list_attachments(self.blank.customer_id, self.blank.order_id, ids, deadline)
        return _read(listing.items, complete=listing.complete and not listing.unreadable, answer=listing)


def _read(items: Sequence[Any], *, complete: bool, answer: Answer | Listing) -> _Order:
    entries: list[Listed] = []
    by_id: dict[str, Any] = {}
    for item in items:
        entry = read_listed(item) if isinstance(item, Mapping) else None
        if entry is None:
            complete = False
        elif entry.id not in by_id:
            entries.append(entry)
            by_id[entry.id] = _documented(item)
    return _Order(tuple(entries), by_id, complete, KeptAnswer(status=200, ids=PartnerIds.of(answer.ids)))


_MEMBERS = {name.lower(): name for name in ("attachmentId", "fileName", "sizeInKB", "attachmentType")}
_LONGEST_MEMBER = 1024


def _documented(item: Mapping[str, Any]) -> dict[str, Any]:
    """The documented members of an entry under their documented names; nothing else goes into the ledger."""
    found = {_MEMBERS.get(str(name).lower(), ""): value for name, value in item.items()}
    scalars = {name: value for name, value in found.items() if isinstance(value, str | int | Decimal)}
    return {
        name: value[:_LONGEST_MEMBER] if isinstance(value, str) else value
        for name, value in scalars.items()
        if name
    }


@dataclass(frozen=True, slots=True)
class Attachments:
    """The documents of orders."""

    executor: Executor
    partner: PartnerCenter
    visibility: timedelta
    po_part: str
    tender_part: str

    def attach(
        self,
        content: DocumentSet,
        correlation_id: str,
        deadline: Deadline,
        *,
        source: Source | None = None,
        newer_documents: tuple[str, ...] = (),
        stored: Stored | None = None,
    ) -> Outcome:
        """Attach a set of documents, or say what became of it when it was sent before, by whichever way.

        `source` names the drop that the documents lie in; then the worker can go on with it later. `stored`
        is a record that was read just now, of this order or another. Raises what Executor.run raises.
        """
        blank = _blank(content.customer_id, content.order_id)
        op = replace(
            self.operation(blank, content.digest),
            content=content,
            source=source,
            newer_documents=newer_documents,
        )
        known = stored if stored and stored.record.key == blank.key else None
        return self.executor.run(op, correlation_id, deadline, known)

    def look(self, customer_id: str, order_id: str, digest: str, deadline: Deadline) -> Outcome:
        """What became of a submission, asking Partner Center when its time has come. Raises NotFoundError."""
        op = self.operation(_blank(customer_id, order_id), digest)
        try:
            return self.executor.run(op, op.new_id(), deadline)
        except LookupError:
            raise NotFoundError("no such submission was made for this order") from None

    def resolve_due(self, stored: Stored, now: datetime, deadline: Deadline) -> Stored:
        """Resolve the submission in flight whose moment has come, if there is one."""
        holder = stored.record.holder()
        if holder is None or holder.due is None or holder.due > now:
            return stored
        op = self.operation(stored.record, holder.digest)
        try:
            return self.executor.resolve(op, stored, holder.digest, deadline)
        except MovedError as moved:
            if moved.current is None:
                raise
            return moved.current

    def end(self, stored: Stored, digest: str, detail: str) -> Stored:
        """End a submission that waits to be sent and whose content was proved to be gone since `stored` was
        read. Raises MovedError."""
        own, executor = stored.own(digest), self.executor
        after = own.to(
            State.REFUSED,
            executor.clock(),
            executor.new_id(),
            detail,
            actor="caller",
            remedy="drop the documents and their sidecar again",
        )
        return executor.ledger.swap(stored, after)

    def operation(self, blank: Record, digest: str) -> AttachmentOperation:
        """The operation about a submission whose documents are not at hand."""
        return AttachmentOperation(
            blank=blank,
            digest=digest,
            visibility=self.visibility,
            partner=self.partner,
            clock=self.executor.clock,
            new_id=self.executor.new_id,
            po_part=self.po_part,
            tender_part=self.tender_part,
        )


def in_flight(record: Record, digest: str) -> bool:
    """Whether another submission of the order is in flight."""
    return any(s.state in HOLDING for s in record.others(digest))


def _blank(customer_id: str, order_id: str) -> Record:
    return Record(
        v=FORMAT,
        kind="attachments",
        key=order_attachments_key(customer_id, order_id),
        customer_id=customer_id,
        order_id=order_id,
    )
