"""Settle by hand what only a person can tell: adopt it, send it again, or give it up.

A record in `review` is left by nobody but a person. Each decision is one compare-and-swap like every other
step, so that two people, or a person and a late answer, cannot both have their way. `retry` asks Partner
Center first: what is there after all is adopted rather than sent twice, and what is there in part is sent
once more only when the word is `send-again`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.errors import InvalidInputError, NotFoundError, Violation
from shared.ledger import Record, State
from shared.partner_center.wire import Answer, Deadline, RequestIds
from shared.services.attachments import Attachments
from shared.services.drops import Drops
from shared.services.effect import Finding, Found, Unclear, kept_answer
from shared.services.orders import KIND as ORDER
from shared.services.orders import Orders, order_id_of
from shared.storage.blobs import Clock
from shared.storage.ledger import LedgerStore, MovedError, Stored
from shared.validation.settlements import Decision, SettlementRequest

_KEYS = ("attachments/", "orders/")
_EVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Settlement:
    """The operator's hand in the ledger."""

    ledger: LedgerStore
    orders: Orders
    attachments: Attachments
    drops: Drops
    clock: Clock
    new_id: Callable[[], str]

    def settle(self, key: str, asked: SettlementRequest, correlation_id: str, deadline: Deadline) -> Record:
        """Carry out a decision on the submission `key`.

        Raises NotFoundError, InvalidInputError (not in review, nothing to adopt), PartnerCenterError (it
        could not be asked), StorageError. In all these cases the record stays as it was.
        """
        stored = self.ledger.read(key) if key.startswith(_KEYS) else None
        if stored is None:
            raise NotFoundError("no submission of that name is in the ledger")
        if stored.record.state is not State.REVIEW:
            raise InvalidInputError([Violation("", f"it is {stored.record.state}, not in review")])
        ids = RequestIds(self.new_id(), correlation_id)
        try:
            record = self._carry_out(stored, asked, ids, deadline).record
        except MovedError as moved:
            raise InvalidInputError(
                [Violation("", f"somebody else was first: it is {moved.current.record.state} now")]
            ) from None
        if record.source.get("drop"):
            self.drops.tell_of(record.source["drop"], record)
        return record

    def _carry_out(
        self, stored: Stored, asked: SettlementRequest, ids: RequestIds, deadline: Deadline
    ) -> Stored:
        record = stored.record
        if asked.decision is Decision.GIVE_UP:
            answer = {"givenUp": True, "actor": "operator", "remedy": "none: it was given up"}
            return self._to(stored, State.REFUSED, f"given up by {asked.by}", answer=answer)
        finding = self._find(record, asked, ids, deadline)
        if isinstance(finding, Found):
            answer = {**kept_answer(finding.answer), "owns": list(finding.owns)}
            return self._to(stored, State.DONE, f"adopted by {asked.by}", answer=answer)
        if isinstance(finding, Unclear) and asked.decision is not Decision.SEND_AGAIN:
            raise _open(record, finding.why)
        if asked.decision is Decision.ADOPT:
            raise _open(record, "Partner Center has nothing that could be adopted")
        # Whoever holds the content sends it: the sweep for a drop or an order, else the next request.
        until = self.clock() if record.source.get("drop") or record.kind == ORDER else None
        return self._to(stored, State.READY, f"to be sent again, says {asked.by}", until=until)

    def _find(self, record: Record, asked: SettlementRequest, ids: RequestIds, deadline: Deadline) -> Finding:
        """What is there that no other record calls its own. Who says `adopt` has looked at the documents:
        then their names may be others than were sent."""
        if record.kind == ORDER and asked.order_id:
            order_id = asked.order_id
            others = self.ledger.siblings(record.key, _EVER)
            if any(order_id == order_id_of(other) for other in others if other.state is State.DONE):
                raise _another("/orderId")
            answer = self.orders.get(record.request["customerId"], order_id, ids, deadline)
            finding: Finding = Found(Answer(201, answer.body, answer.ids), (order_id,))
        elif record.kind == ORDER:
            finding = self.orders.find(record, deadline)
        else:
            finding = self.attachments.find(record, deadline, any_name=asked.decision is Decision.ADOPT)
        if isinstance(finding, Found) and not all(self.ledger.adopt(i, record.key) for i in finding.owns):
            raise _another("/orderId" if asked.order_id else "")
        return finding

    def _to(self, stored: Stored, state: State, why: str, **changes: Any) -> Stored:  # noqa: ANN401
        return self.ledger.advance(
            stored, stored.record.to(state, self.clock(), self.new_id(), why, **changes)
        )


def _open(record: Record, why: str) -> InvalidInputError:
    """It stays in review; what else can be decided."""
    if record.kind == ORDER:
        hint = "if the order is there, name it with orderId; send-again places it once more"
    else:
        hint = "adopt it once all of it is there, or decide send-again to send all of it once more"
    return InvalidInputError([Violation("", f"{why}; {hint}")])


def _another(pointer: str) -> InvalidInputError:
    return InvalidInputError([Violation(pointer, "what is there belongs to another request")])


def as_told(record: Record) -> Mapping[str, Any]:
    """What the operator is shown of a record."""
    return {
        "submission": record.key,
        "state": str(record.state),
        "why": record.why,
        "attempts": record.attempt,
        "correlationId": record.correlation_id,
        "history": list(record.history),
    }
