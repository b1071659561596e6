"""The review of purchase orders at Microsoft, which nobody calls: it moves an order on while time passes.

https://learn.microsoft.com/en-us/partner-center/developer/po-upload-complete-status
"""

from __future__ import annotations

from local.simulator.behaviour import Behaviour
from local.simulator.state import UPLOADED, Order

REJECTED = "po_review_rejected"


def move_on(order: Order, now: float, behaviour: Behaviour) -> None:
    """Give an order the status that the review of its last upload has come to by `now`.

    `now` is in seconds since 1970. From `po_upload_complete` the order becomes `pending` and then
    `completed`, or `po_review_rejected`; each step takes `po_review_seconds`.
    """
    if behaviour.po_review == "waits" or not order.uploads:
        return
    since = now - order.uploads[-1].at
    if order.status == UPLOADED and since >= behaviour.po_review_seconds:
        order.status = "pending" if behaviour.po_review == "approves" else REJECTED
        order.version += 1
    approved = order.status == "pending" and behaviour.po_review == "approves"
    if approved and since >= 2 * behaviour.po_review_seconds:
        order.status = "completed"
        order.version += 1
