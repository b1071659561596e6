"""What an order's status asks of whom. Data, in one place; unknown statuses are told as they came.

https://learn.microsoft.com/en-us/partner-center/developer/order-resources
https://learn.microsoft.com/en-us/partner-center/developer/pending-po-upload
"""

from __future__ import annotations

from collections.abc import Mapping

NEXT_STEPS: Mapping[str, str] = {
    "completed": "nothing: the order is done",
    "pending": "wait: Partner Center is processing the order",
    "cancelled": "nothing: the order was cancelled",
    "suspended": "wait: Microsoft reviews the order",
    "pending_review": "wait: Microsoft reviews the order",
    "pending_po_upload": "attach the customer's purchase order (and the tender, if it is part of one)",
    "po_upload_complete": "wait: the documents were received and Microsoft reviews them",
    "po_review_rejected": "place a new order: this one will not be processed",
    "partial_success": "order again what was not fulfilled",
    "error": "order again: it was not fulfilled",
}


def normalize(status: str) -> str:
    """A status in the wire's snake case, however a source writes it ("Pending PO upload")."""
    return "_".join(status.lower().replace("-", " ").replace("_", " ").split())


def next_step(status: str) -> str:
    """What to do about an order in that status; "" when it is not known."""
    return NEXT_STEPS.get(normalize(status), "")
