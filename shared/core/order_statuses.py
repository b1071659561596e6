"""What an order's status asks of whom. Data, in one place; unknown statuses are told as they came.

https://learn.microsoft.com/en-us/partner-center/developer/order-resources
https://learn.microsoft.com/en-us/partner-center/developer/pending-po-upload
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

PENDING = "pending_po_upload"
"""The order waits for the customer's purchase order."""


class OrderStatus(NamedTuple):
    """What a status means: whose turn it is, and what to do. `final`: it changes no more, and no document can
    help; `news`: a person is told when an order comes to it."""

    actor: str
    step: str
    final: bool = False
    news: bool = False


STATUSES: Mapping[str, OrderStatus] = {
    "completed": OrderStatus("nobody", "nothing: the order is done", final=True),
    "pending": OrderStatus("microsoft", "wait: Partner Center is processing the order"),
    "cancelled": OrderStatus("nobody", "nothing: the order was cancelled", final=True, news=True),
    "suspended": OrderStatus("microsoft", "wait: Microsoft reviews the order"),
    "pending_review": OrderStatus("microsoft", "wait: Microsoft reviews the order"),
    PENDING: OrderStatus(
        "caller",
        "attach the customer's purchase order (and the tender, if it is part of one)",
        news=True,
    ),
    "po_upload_complete": OrderStatus(
        "microsoft", "wait: the documents were received and Microsoft reviews them"
    ),
    "po_review_rejected": OrderStatus(
        "caller", "place a new order: this one will not be processed", final=True, news=True
    ),
    # the documents do not say that it stays so
    "partial_success": OrderStatus("caller", "order again what was not fulfilled", news=True),
    "error": OrderStatus("caller", "order again: it was not fulfilled", final=True, news=True),
}
"""Every status that is documented, but for `unknown`, which says nothing."""

_NOT_KNOWN = OrderStatus("", "")
_LONGEST = 64
_KNOWN = {name.replace("_", ""): name for name in STATUSES}


def normalize(status: str) -> str:
    """A status in the wire's snake case, however a source writes it ("Pending PO upload", "PendingPoUpload");
    of one that is not known only letters, digits and underscores are kept."""
    name = re.sub("[^a-z0-9_]", "", re.sub(r"[-\s_]+", "_", status.strip().lower()))[:_LONGEST]
    return _KNOWN.get(name.replace("_", ""), name)


def meaning(status: str) -> OrderStatus:
    """What a status means; what is not known is not final, and asks for nothing."""
    return STATUSES.get(normalize(status), _NOT_KNOWN)
