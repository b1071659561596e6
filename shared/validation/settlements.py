"""An operator's decision about a submission in review."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.models import Label, Wire
from shared.strict_json import loads
from shared.validation.collecting import Collector
from shared.validation.ids import order_id as checked_order
from shared.validation.shapes import build

MAX_SETTLEMENT = 16 * 1024


class Decision(StrEnum):
    """What a person decides about a submission in review."""

    ADOPT = "adopt"
    RETRY = "retry"
    SEND_AGAIN = "send-again"
    GIVE_UP = "give-up"


class _Shape(Wire):
    decision: Label
    by: Label
    order_id: Label | None = None


@dataclass(frozen=True, slots=True)
class SettlementRequest:
    """`by` says who decided; `order_id` names the order to adopt, "" when none is named."""

    decision: Decision
    by: str
    order_id: str


def settlement(raw: bytes) -> SettlementRequest:
    """The decision in `raw`. Raises InvalidInputError, naming every violation."""
    with Collector() as faults:
        document = loads(raw, MAX_SETTLEMENT)
        faults.settle(document.violations)
        shape = build(_Shape, document.value, "", faults)
        order = ""
        if shape and shape.decision not in list(Decision):
            faults.add("/decision", f"must be one of {', '.join(Decision)}")
        if shape and shape.order_id:
            order = faults.check(lambda: checked_order(shape.order_id, "/orderId")) or ""
    assert shape is not None
    return SettlementRequest(Decision(shape.decision), shape.by, order)
