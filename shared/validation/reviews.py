"""An operator's decision about a submission in review."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from pydantic import Field

from shared.core.ids import segment
from shared.core.ledger import Decision
from shared.core.models import Label, StrictModel
from shared.core.strict_json import loads
from shared.validation.collecting import ViolationCollector
from shared.validation.ids import order_id as checked_order
from shared.validation.shapes import build

MAX_DECISION = 16 * 1024
MOST_ORDERS = 100
"""Orders that one decision adopts; each is asked for. A guard of our own."""


class ReviewShape(StrictModel):
    """The body of a decision."""

    decision: Label
    by: Label | None = None
    order_id: Label | None = None
    order_ids: Annotated[tuple[Label, ...], Field(strict=False, max_length=MOST_ORDERS)] | None = None
    attachment_ids: Annotated[tuple[Label, ...], Field(strict=False, max_length=100)] | None = None


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """`by` says who decided; `order_ids` and `attachment_ids` name what is to be adopted, where that is
    named."""

    decision: Decision
    by: str
    order_ids: tuple[str, ...] = ()
    attachment_ids: tuple[str, ...] = ()


def review_decision(raw: bytes, signed_in: str = "") -> ReviewDecision:
    """The decision in `raw`, by who is `signed_in`, or where nobody is by whom it names. Raises
    InvalidInputError, naming every violation."""
    with ViolationCollector() as faults:
        document = loads(raw, MAX_DECISION)
        faults.add_final(document)
        shape = build(ReviewShape, document.value, "", faults)
        orders: list[str] = []
        if shape and shape.decision not in list(Decision):
            faults.add("/decision", f"must be one of {', '.join(Decision)}")
        if shape and bool(shape.by) == bool(signed_in):
            faults.add("/by", "is told by the sign-in: leave it out" if signed_in else "is required")
        if shape:
            orders = _orders(shape, faults)
        if shape and shape.decision != Decision.ADOPT:
            named = {"orderId": shape.order_id, "orderIds": shape.order_ids}
            for name, given in {**named, "attachmentIds": shape.attachment_ids}.items():
                if given:
                    faults.add(f"/{name}", "is only for the decision adopt")
    assert shape is not None
    return ReviewDecision(
        Decision(shape.decision), signed_in or shape.by or "", tuple(orders), shape.attachment_ids or ()
    )


def _orders(shape: ReviewShape, faults: ViolationCollector) -> list[str]:
    """The orders that are named, each once: one as orderId, or those of a checkout as orderIds."""
    given = {f"/orderIds/{n}": name for n, name in enumerate(shape.order_ids or ())}
    if shape.order_id and given:
        faults.add("/orderIds", "names the orders: leave orderId out")
    if shape.order_id:
        given = {"/orderId": shape.order_id}
    checked = {place: faults.check(partial(checked_order, name, place)) for place, name in given.items()}
    return list({segment(name): name for name in checked.values() if name}.values())
