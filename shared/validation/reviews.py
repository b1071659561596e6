"""An operator's decision about a submission in review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from shared.core.ledger import Decision
from shared.core.models import Label, StrictModel
from shared.core.strict_json import loads
from shared.validation.collecting import ViolationCollector
from shared.validation.ids import order_id as checked_order
from shared.validation.shapes import build

MAX_DECISION = 16 * 1024


class ReviewShape(StrictModel):
    """The body of a decision."""

    decision: Label
    by: Label | None = None
    order_id: Label | None = None
    attachment_ids: Annotated[tuple[Label, ...], Field(strict=False, max_length=100)] | None = None


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """`by` says who decided; `order_id` and `attachment_ids` name what is to be adopted, where that is
    named."""

    decision: Decision
    by: str
    order_id: str = ""
    attachment_ids: tuple[str, ...] = ()


def review_decision(raw: bytes, signed_in: str = "") -> ReviewDecision:
    """The decision in `raw`, by who is `signed_in`, or where nobody is by whom it names. Raises
    InvalidInputError, naming every violation."""
    with ViolationCollector() as faults:
        document = loads(raw, MAX_DECISION)
        faults.add_final(document)
        shape = build(ReviewShape, document.value, "", faults)
        order = ""
        if shape and shape.decision not in list(Decision):
            faults.add("/decision", f"must be one of {', '.join(Decision)}")
        if shape and bool(shape.by) == bool(signed_in):
            faults.add("/by", "is told by the sign-in: leave it out" if signed_in else "is required")
        if shape and shape.order_id:
            order = faults.check(lambda: checked_order(shape.order_id, "/orderId")) or ""
        if shape and shape.decision != Decision.ADOPT:
            for name, given in (("orderId", shape.order_id), ("attachmentIds", shape.attachment_ids)):
                if given:
                    faults.add(f"/{name}", "is only for the decision adopt")
    assert shape is not None
    return ReviewDecision(
        Decision(shape.decision), signed_in or shape.by or "", order, shape.attachment_ids or ()
    )
