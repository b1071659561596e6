"""Decide by hand what only a person can tell: adopt it, send it again, or give it up; try now what is tried
again anyhow.

Each decision is one compare-and-swap like every other step, so that two people, or a person and a late
answer, cannot both have their way. Partner Center is asked where that can help; where it cannot be asked, a
named person's word is enough, and the history says that it was not verified. What a person gave up can be
decided again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.clock import Clock, Deadline
from shared.core.carts import adopted
from shared.core.conclusions import Found, Reconciliation, Unproved
from shared.core.errors import (
    DecisionWaitsError,
    NotFoundError,
    PartnerCenterError,
    StateConflictError,
)
from shared.core.ids import segment
from shared.core.ledger import Decision, Record, State, Submission
from shared.core.ledger_parts import CartNote, RecordedAnswer
from shared.core.listing import can_be_hurried
from shared.core.matching import Ambiguous
from shared.core.matching_documents import nearest
from shared.core.resources import named_attachments_text, named_order_text
from shared.partner_center.wire import RequestIds, parse_object
from shared.services.attachment_operation import is_denial
from shared.services.attachments import Attachments
from shared.services.operation import recorded_answer
from shared.services.orders import Orders
from shared.services.receipts import Receipts
from shared.storage.ledger_store import Adoption, ConflictError, LedgerStore, VersionedRecord
from shared.validation.reviews import ReviewDecision

_NOT_VERIFIED = " (not verified)"


@dataclass(frozen=True, slots=True)
class Reviews:
    """The operator's hand in the ledger."""

    ledger: LedgerStore
    orders: Orders
    attachments: Attachments
    receipts: Receipts
    clock: Clock
    new_id: Callable[[], str]

    def decide(
        self, key: str, asked: ReviewDecision, correlation_id: str, deadline: Deadline
    ) -> tuple[Record, Submission]:
        """Carry out a decision on the submission `key`.

        Raises NotFoundError, StateConflictError (it is not in review; nothing fits what was decided),
        DecisionWaitsError (another submission of the order is in flight), PartnerCenterError (it could not be
        asked just now), StorageError. In all these cases the submission stays as it was.
        """
        stored, digest = self._find(key)
        own = stored.own(digest)
        if not own.decidable and not (asked.decision is Decision.RETRY and can_be_hurried(own)):
            raise StateConflictError(f"the submission is {own.state}, not in review", own.state)
        try:
            if own.open:
                stored = self._hurry(stored, own, asked.by)
            else:
                stored = self._carry_out(stored, own, asked, correlation_id, deadline)
        except ConflictError as moved:
            there = moved.current and moved.current.record.submissions.get(digest)
            if there and there.revision == own.revision:
                raise DecisionWaitsError("another submission for this order intervened; try again") from None
            state = str(there.state) if there else "gone"
            raise StateConflictError(f"someone else decided first: it is now {state}", state) from None
        self.receipts.refresh_all(stored.record, digest)
        return stored.record, stored.own(digest)

    def _find(self, key: str) -> tuple[VersionedRecord, str]:
        name = key.rpartition("/")[0] if key.startswith("attachments/") else key
        stored = self.ledger.read(name) if key.startswith(("attachments/", "orders/")) else None
        for digest, own in stored.record.submissions.items() if stored else ():
            if stored and stored.record.name_of(own) == key:
                return stored, digest
        raise NotFoundError("the ledger has no submission with that key")

    def _carry_out(
        self,
        stored: VersionedRecord,
        own: Submission,
        asked: ReviewDecision,
        correlation_id: str,
        deadline: Deadline,
    ) -> VersionedRecord:
        ids = RequestIds(self.new_id(), correlation_id)
        if asked.decision in (Decision.ADOPT, Decision.RETRY) and stored.record.holder():
            raise DecisionWaitsError(
                "another submission for this order is in flight; decide when it has ended"
            )
        match asked.decision:
            case Decision.GIVE_UP:
                gone: dict[str, Any] = {"given_up": True, "actor": "operator"}
                gone["remedy"] = "none: it was abandoned; an operator can still decide otherwise"
                return self._to(stored, own, State.REFUSED, "abandoned by an operator", by=asked.by, **gone)
            case Decision.SEND_AGAIN:
                return self._send_all(stored, own, asked.by)
            case Decision.ADOPT:
                found, caveat = self._adopted(stored.record, own, asked, ids, deadline)
            case Decision.RETRY:
                finding, caveat = self._reconciled(stored.record, own, deadline)
                if isinstance(finding, Ambiguous):
                    raise StateConflictError(
                        f"{finding.detail}: adopt what is there, or send everything again with send-again",
                        own.state,
                    )
                if isinstance(finding, Unproved) and finding.passes:
                    raise DecisionWaitsError(finding.detail)
                if not isinstance(finding, Found):
                    detail = f"to be sent again, decided by an operator{caveat}"
                    silent = _silence_after_retry(own, verified=not caveat)
                    return self._send(
                        stored, own, detail, asked.by, silences=0, deaths=0, first_silent=silent
                    )
                found = finding
        detail = f"adopted by an operator{caveat}"
        after = own.to(State.DONE, self.clock(), self.new_id(), detail, asked.by, **found.changes())
        return self.ledger.swap(stored, after)  # the others' ids count as they were read

    def _reconciled(self, record: Record, own: Submission, deadline: Deadline) -> tuple[Reconciliation, str]:
        """What Partner Center shows, and how far that is verified."""
        op = (
            self.orders.operation(record, own.digest)
            if record.kind == "order"
            else self.attachments.operation(record, own.digest)
        )
        try:
            finding = op.reconcile(record, own, deadline)
        except PartnerCenterError as error:
            if not is_denial(error):
                raise
            return Unproved(str(error)), _NOT_VERIFIED
        return finding, _NOT_VERIFIED if isinstance(finding, Unproved) else ""

    def _adopted(
        self,
        record: Record,
        own: Submission,
        asked: ReviewDecision,
        ids: RequestIds,
        deadline: Deadline,
    ) -> tuple[Found, str]:
        if record.kind == "order":
            return self._adopted_order(record, own, asked, ids, deadline)
        taken = record.ids_of_others(own.digest).intersection(asked.attachment_ids)
        if taken:
            what = ", ".join(sorted(taken))
            raise StateConflictError(f"{what} belongs to another submission of this order", own.state)
        op = self.attachments.operation(record, own.digest)
        try:
            order = op.listed(ids, deadline)
        except PartnerCenterError as error:
            if not is_denial(error):
                raise
            named = RecordedAnswer(status=201, body=named_attachments_text(asked.attachment_ids))
            return Found(named, asked.attachment_ids, verified=False), _NOT_VERIFIED
        unowned = order.beyond(record.ids_of_others(own.digest))
        chosen = asked.attachment_ids or nearest(own.documents, unowned)
        missing = set(chosen) - {entry.id for entry in unowned}
        if not chosen or missing:
            what = (
                f"there is no free attachment with the id {', '.join(sorted(missing))}"
                if missing
                else "nothing matches"
            )
            raise StateConflictError(
                f"nothing at Partner Center can be adopted: {what}; give the attachmentIds to adopt, or "
                "decide send-again (everything is sent again) or give-up",
                own.state,
            )
        return Found(order.of(chosen), tuple(chosen)), ""

    def _adopted_order(
        self, record: Record, own: Submission, asked: ReviewDecision, ids: RequestIds, deadline: Deadline
    ) -> tuple[Found, str]:
        content = own.order
        assert content is not None
        if not asked.order_ids:
            finding, _ = self._reconciled(record, own, deadline)
            if isinstance(finding, Found):
                return finding, ""
            detail = getattr(finding, "detail", "Partner Center shows nothing of it")
            raise StateConflictError(f"{detail}; name the order to adopt with orderId", own.state)
        if content.cart is None and len(asked.order_ids) > 1:
            raise StateConflictError("a direct order is one order: name one to adopt", own.state)
        if any(self._is_anothers(record, order_id) for order_id in asked.order_ids):
            raise StateConflictError("that order belongs to another request", own.state)
        answers = [self._order_named(record, order_id, ids, deadline) for order_id in asked.order_ids]
        verified = all(seen for _, seen in answers)
        kept = answers[0][0]
        if content.cart is not None:
            orders = [parse_object(answer.body.encode()) or {} for answer, _ in answers]
            kept = kept.model_copy(update={"body": adopted(orders, content)})
        return Found(kept, asked.order_ids, verified=verified), "" if verified else _NOT_VERIFIED

    def _order_named(
        self, record: Record, order_id: str, ids: RequestIds, deadline: Deadline
    ) -> tuple[RecordedAnswer, bool]:
        """An order that a person names, and whether Partner Center shows it; else its id is all that is
        known of it."""
        try:
            answer = self.orders.get(record.customer_id, order_id, ids, deadline)
        except PartnerCenterError as error:
            if not is_denial(error):
                raise
            return RecordedAnswer(status=201, body=named_order_text(order_id)), False
        return recorded_answer(answer).model_copy(update={"status": 201}), True

    def _is_anothers(self, record: Record, order_id: str) -> bool:
        """Whether another request was answered with the order, or has noted it; else it is noted for this."""
        others = (own for other in self.ledger.neighbours(record.key) for own in other.submissions.values())
        if any(segment(i) == segment(order_id) for own in others for i in own.ids):
            return True
        return self.ledger.adopt(order_id, record.key, self.new_id()) is not Adoption.OURS

    def _send_all(self, stored: VersionedRecord, own: Submission, by: str) -> VersionedRecord:
        """Forget what was silent, and have all of it sent; a purchase through a cart goes through a new one,
        since the old one buys nothing twice."""
        afresh: dict[str, Any] = {"first_silent": None, "same_id": False, "silences": 0}
        afresh |= {"repeated": None, "deaths": 0, "base": None}
        detail = "to be sent again, decided by an operator"
        if own.order is not None and own.order.cart is not None:
            afresh["order"] = own.order.model_copy(update={"cart": CartNote()})
            detail = f"to be bought again, not through the cart {own.order.cart.id}, decided by an operator"
        return self._send(stored, own, detail, by, **afresh)

    def _send(
        self,
        stored: VersionedRecord,
        own: Submission,
        detail: str,
        by: str,
        **changes: Any,  # noqa: ANN401
    ) -> VersionedRecord:
        """Whoever holds the content sends it: the worker for a drop or an order, else the next request."""
        now = self.clock()
        due = now if own.sent_by_worker else None
        return self._to(stored, own, State.PENDING, detail, by=by, due=due, since=now, **changes)

    def _hurry(self, stored: VersionedRecord, own: Submission, by: str) -> VersionedRecord:
        """What is tried again anyhow is tried now; nothing else about it changes."""
        kept = {
            name: getattr(own, name) for name in ("absent_after", "answer", "actor", "remedy", "incomplete")
        }
        detail = "to be tried now, decided by an operator"
        return self._to(stored, own, own.state, detail, by=by, due=self.clock(), **kept)

    def _to(
        self,
        stored: VersionedRecord,
        own: Submission,
        state: State,
        detail: str,
        **changes: Any,  # noqa: ANN401
    ) -> VersionedRecord:
        after = own.to(state, self.clock(), self.new_id(), detail, **changes)
        return self.ledger.advance(stored, after)


def _silence_after_retry(own: Submission, *, verified: bool) -> datetime | None:
    """The silence that a submission keeps that is tried again. Where Partner Center could not be asked, no
    other look is waited for; but a cart that was ever silent stays the one that is checked out."""
    if own.order is not None and own.order.cart is not None:
        return own.first_silent or own.changed
    return own.first_silent if verified else None


def review_body(record: Record, own: Submission) -> Mapping[str, Any]:
    """What the operator is shown of a submission."""
    return {
        "submission": record.name_of(own),
        "state": str(own.state),
        "detail": own.detail,
        "attempts": own.attempt,
        "correlationId": own.correlation_id,
        "history": list(own.history),
    }
