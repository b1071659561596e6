"""Place an order, once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shared.auth.claims import subject
from shared.auth.mode import Mode, UserTokenSource
from shared.clock import Clock, Deadline
from shared.core.conclusions import Found, Reconciliation, Unproved
from shared.core.errors import (
    NotFoundError,
    OutcomeUnknownError,
    PartnerCenterError,
    RefusedError,
    WrongUserError,
)
from shared.core.ids import segment
from shared.core.ledger import LEDGER_FORMAT, Record, State, Submission
from shared.core.ledger_parts import OrderContent, PartnerIds, RecordedAnswer, Source
from shared.core.matching import Absent, Ours, Verdict
from shared.core.matching_orders import (
    Twin,
    UnderWay,
    has_exact_moment,
    is_early,
    is_older,
    match_order,
    shares_product,
)
from shared.core.order_request import OrderRequest
from shared.core.resources import PartnerOrder, id_of, read_order
from shared.core.strict_json import dumps
from shared.partner_center.client import PartnerCenter
from shared.partner_center.wire import Answer, Listing, RequestIds
from shared.services.executor import Executor
from shared.services.operation import (
    ForeignAnswerError,
    Outcome,
    Snapshot,
    recorded_answer,
)
from shared.services.resellers import Resellers
from shared.storage.ledger_store import Adoption, LedgerStore, VersionedRecord

_NEIGHBOURS = timedelta(hours=2)
"""How much older than the silence the requests may be that can own what is found: a claim and the clocks."""
_KEPT = timedelta(days=30)
"""What is this much older is not even kept while the list is read, whatever Partner Center's clock says."""


@dataclass(frozen=True, slots=True)
class OrderOperation:
    """The POST of one order. Its record holds the whole body."""

    blank: Record
    digest: str
    content: OrderContent | None
    visibility: timedelta
    partner: PartnerCenter
    ledger: LedgerStore
    clock: Clock
    new_id: Callable[[], str]
    auto_retry: bool
    """Whether the worker sends it: the caller was told that it is under way."""

    source: Source | None = None
    seconds_needed: float = 0.0
    asks_first: bool = False

    @property
    def can_send(self) -> bool:
        """Whether the one who asks may send it; who only looks may not."""
        return self.content is not None

    def describe(self, claim: Submission) -> Submission:
        """The claim with what is sent. What was sent for one user is not sent again as another."""
        assert self.content is not None
        if claim.order is not None and claim.order.user != self.content.user:
            raise WrongUserError(
                "this order was placed for another user; only that user can have it sent again"
            )
        return claim.model_copy(update={"order": claim.order or self.content})

    def retries_refused(self, submission: Submission) -> bool:
        """A caller does where the remedy lay outside the request; the worker only passes by."""
        if self.auto_retry or submission.given_up or submission.answer is None:
            return False
        return submission.answer.retryable

    def may_appear(self, error: RefusedError) -> bool:
        """A customer is there or not."""
        return False

    def check_wanted(self, record: Record, ids: RequestIds, deadline: Deadline) -> None:
        """An order is wanted."""

    def superseded_by(self, record: Record) -> Submission | None:
        """The key is the signal."""
        return None

    def goes_first(self, record: Record) -> Submission | None:
        """A record holds one order."""
        return None

    def take_snapshot(self, ids: RequestIds, deadline: Deadline) -> Snapshot:
        """Nothing is known: the customer's list of orders lags by up to 15 minutes, so it shows no
        difference."""
        return Snapshot(self.clock(), None)

    def send(self, submission: Submission, deadline: Deadline, check: Callable[[], None]) -> Answer:
        """POST the order."""
        order = submission.order
        assert order is not None
        ids = RequestIds(submission.request_id, submission.correlation_id)
        return self.partner.create_order(
            self.blank.customer_id,
            order.body.encode(),
            Mode(order.mode),
            ids,
            deadline,
            customer_user=order.customer_user,
            resent=submission.same_id,
            check=check,
        )

    def accepted(self, record: Record, submission: Submission, answer: Answer) -> Found:
        """An answer with an id is the order. A MS-RequestId that is sent again may be answered with what the
        first sending did; when another request has adopted that meanwhile, nothing of our own was done."""
        order_id = id_of(answer.json())
        adoption = self._adopt(order_id, record) if submission.attempt > 1 else Adoption.OURS
        if adoption is Adoption.THEIRS:
            raise ForeignAnswerError("Partner Center answered with an order that belongs to another request.")
        if adoption is Adoption.OPEN:
            raise OutcomeUnknownError(
                "Partner Center answered with an order that may belong to another request."
            )
        return Found(recorded_answer(answer), (order_id,))

    def reconcile(self, record: Record, submission: Submission, deadline: Deadline) -> Reconciliation:
        """Look for the order among the customer's that may have come of the silence.

        New orders take up to 15 minutes to appear in this list, hence `visibility`.
        https://learn.microsoft.com/en-us/partner-center/developer/get-all-of-a-customer-s-orders
        """
        assert submission.order is not None
        sent = _sent(submission.order)
        since = submission.first_silent or submission.changed
        ids = RequestIds(self.new_id(), submission.correlation_id)

        def keep(item: Mapping[str, Any]) -> bool:
            order = read_order(item)
            return shares_product(order, sent) and not is_older(order, since - _KEPT, None)

        listing = self.partner.list_orders(self.blank.customer_id, ids, deadline, keep=keep)
        verdict = self._judge(record, sent, since, listing)
        if isinstance(verdict, Ours):
            return Found(self._whole(verdict.ids[0], listing, ids, deadline), verdict.ids)
        if isinstance(verdict, Absent) and (not listing.complete or listing.unreadable):
            return Unproved("the customer's list of orders is incomplete or unreadable")
        if isinstance(verdict, UnderWay):
            return Unproved("another open request may have placed the order that is listed", passes=True)
        return verdict

    def _whole(self, order_id: str, listing: Listing, ids: RequestIds, deadline: Deadline) -> RecordedAnswer:
        """The order as Partner Center has it now; as it stands in the list when it cannot be read alone."""
        try:
            answer = recorded_answer(self.partner.get_order(self.blank.customer_id, order_id, ids, deadline))
        except PartnerCenterError:
            listed = next(order for order in listing.items if id_of(order) == order_id)
            body = dumps(listed)
            answer = RecordedAnswer(status=200, body=body, ids=PartnerIds.of(listing.ids))
        return answer.model_copy(update={"status": 201})

    def _judge(
        self, record: Record, sent: PartnerOrder, since: datetime, listing: Listing
    ) -> Verdict | UnderWay:
        """The verdict; of equal orders one that no other request has adopted is taken."""
        skew = listing.date - self.clock() if listing.date else None
        listed = map(read_order, listing.items)
        candidates = [order for order in listed if not is_older(order, since, skew)]
        # an order that does not tell when it was created may be that of any earlier request
        dated = all(has_exact_moment(order) for order in candidates)
        # read after the list: a request whose order is in the list has its record by now
        neighbours = [
            own
            for neighbour in self.ledger.neighbours(record.key, since - _NEIGHBOURS if dated else None)
            for own in neighbour.submissions.values()
            if own.order is not None
        ]
        owned = {segment(i) for own in neighbours if own.state is State.DONE for i in own.ids}
        twins = [
            Twin(_sent(own.order), own.state is State.CLAIMED)
            for own in neighbours
            if own.order is not None and own.state in (State.CLAIMED, State.UNKNOWN)
        ]
        candidates = [order for order in candidates if segment(order.id) not in owned]
        early = [order for order in candidates if is_early(order, since, skew)]
        while True:
            verdict = match_order(sent, candidates, twins, early)
            if not isinstance(verdict, Ours):
                return verdict
            chosen = self._chosen(verdict.ids, record)
            if chosen is not None:
                return chosen
            candidates = [o for o in candidates if o.id not in verdict.ids]

    def _chosen(self, equal: Sequence[str], record: Record) -> Ours | UnderWay | None:
        """One of equal orders that belongs to nobody else; None when each is another's."""
        # an order of its own that it did not live to record comes first
        equal = sorted(equal, key=lambda i: not self.ledger.has_adopted(i, record.key))
        contested = False
        for order_id in equal:
            adoption = self._adopt(order_id, record)
            if adoption is Adoption.OURS:
                return Ours((order_id,))
            contested = contested or adoption is Adoption.OPEN
        return UnderWay() if contested else None

    def _adopt(self, order_id: str, record: Record) -> Adoption:
        return self.ledger.adopt(order_id, record.key, self.new_id())


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders of customers."""

    executor: Executor
    partner: PartnerCenter
    resellers: Resellers
    visibility: timedelta
    user: str = ""
    """Object id of the signed-in user whose tokens `partner` uses, "" when it is the stored consent's."""

    def place(
        self,
        customer_id: str,
        request: OrderRequest,
        key: str,
        correlation_id: str,
        deadline: Deadline,
        *,
        customer_user: str = "",
    ) -> Outcome:
        """Place the order that `key` (the Idempotency-Key) stands for, or say what became of it.

        `customer_user` is the UPN that goes with it, "" for none.

        Raises ResellerError, KeyReusedError, WrongUserError, PartnerCenterError (the reseller look-up failed,
        so no order was placed), StorageUnknownError (it may be placed), StorageError.
        """
        blank = _blank(customer_id, order_key(customer_id, key))
        digest = request.digest(customer_id, customer_user)
        known = self.executor.ledger.read(blank.key) if request.needs_app_user else None
        content = only_submission(known.record).order if known else None
        if content is None:
            ids = RequestIds(self.executor.new_id(), correlation_id)
            partner_id = self.resellers.partner_id(self.partner, request, ids, deadline)
            content = OrderContent(
                mode=str(Mode.APP_USER if request.needs_app_user else Mode.APP),
                body=request.to_wire(customer_id, partner_id).decode(),
                customer_user=customer_user,
            )
        if request.needs_app_user:
            content = content.model_copy(update={"user": self.user})
        return self.executor.run(self.operation(blank, digest, content), correlation_id, deadline)

    def status(self, customer_id: str, key: str, deadline: Deadline) -> Outcome:
        """What became of an order request, asking Partner Center when its time has come. Raises
        NotFoundError."""
        stored = self.executor.ledger.read(order_key(customer_id, key))
        if stored is None:
            raise NotFoundError("no order was requested with this key")
        own = only_submission(stored.record)
        op = self.operation(stored.record, own.digest)
        return self.executor.run(op, own.correlation_id, deadline, stored)

    def resume(self, stored: VersionedRecord, deadline: Deadline) -> Outcome:
        """Do for a record what is due: ask, and send again what its caller was told is under way. What was
        placed for a signed-in user waits until that user asks again."""
        own = only_submission(stored.record)
        content = own.order if own.sent_by_worker else None
        op = replace(self.operation(stored.record, own.digest, content), auto_retry=True)
        return self.executor.run(op, own.correlation_id, deadline, stored)

    def get(self, customer_id: str, order_id: str, ids: RequestIds, deadline: Deadline) -> Answer:
        """The order as Partner Center has it now. Raises PartnerCenterError."""
        return self.partner.get_order(customer_id, order_id, ids, deadline)

    def for_user(self, tokens: UserTokenSource, assertion: str) -> Orders:
        """The same service for the signed-in user whose token for this application is given."""
        partner = self.partner.with_tokens(tokens.for_user(assertion))
        return replace(self, partner=partner, user=subject(assertion))

    def operation(self, blank: Record, digest: str, content: OrderContent | None = None) -> OrderOperation:
        """The operation about an order request; without `content` it is only looked at."""
        return OrderOperation(
            blank=blank,
            digest=digest,
            content=content,
            visibility=self.visibility,
            partner=self.partner,
            ledger=self.executor.ledger,
            clock=self.executor.clock,
            new_id=self.executor.new_id,
            auto_retry=False,
        )


def _sent(order: OrderContent) -> PartnerOrder:
    return read_order(json.loads(order.body))


def only_submission(record: Record) -> Submission:
    """The one submission of an order request."""
    return next(iter(record.submissions.values()))


def order_key(customer_id: str, key: str) -> str:
    """Ledger key of an order request; hashed, since an Idempotency-Key may hold any visible character."""
    return f"orders/{customer_id}/{hashlib.sha256(key.encode()).hexdigest()}"


def _blank(customer_id: str, key: str) -> Record:
    return Record(v=LEDGER_FORMAT, kind="order", key=key, customer_id=customer_id)
