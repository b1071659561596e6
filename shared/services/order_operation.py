"""The POST of one order, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.auth.mode import Mode
from shared.clock import Deadline
from shared.core.carts import orders_to_come
from shared.core.conclusions import Found, Reconciliation, Unproved
from shared.core.errors import (
    OutcomeUnknownError,
    PartnerCenterError,
)
from shared.core.ids import segment
from shared.core.ledger import HOLDING, Record, State, Submission
from shared.core.ledger_parts import OrderContent, PartnerIds, RecordedAnswer
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
from shared.core.resources import PartnerOrder, id_of, read_order
from shared.core.strict_json import dumps
from shared.partner_center.wire import Answer, Listing, RequestIds
from shared.services.keyed_operation import KeyedOperation
from shared.services.operation import (
    ForeignAnswerError,
    Snapshot,
    recorded_answer,
)
from shared.storage.ledger_store import Adoption, LedgerStore

_NEIGHBOURS = timedelta(hours=2)
"""How much older than the silence the requests may be that can own what is found: a claim and the clocks."""
_KEPT = timedelta(days=30)
"""What is this much older is not even kept while the list is read, whatever Partner Center's clock says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOperation(KeyedOperation):
    """The POST of one order. Its record holds the whole body."""

    visibility: timedelta
    ledger: LedgerStore

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
        twins = [twin for own in neighbours if own.order is not None for twin in _twins(own.order, own.state)]
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


def _twins(order: OrderContent, state: State) -> list[Twin]:
    """What another request may place, or may have placed. What a cart becomes is known soon, and waited for;
    of one that is only accepted, or in review, nothing tells which orders came of it."""
    if order.cart is not None and state in (*HOLDING, State.REVIEW):
        return [Twin(to_come, under_way=True) for to_come in orders_to_come(order)]
    if order.cart is None and state in (State.CLAIMED, State.UNKNOWN):
        return [Twin(_sent(order), state is State.CLAIMED)]
    return []


def _sent(order: OrderContent) -> PartnerOrder:
    return read_order(json.loads(order.body))
