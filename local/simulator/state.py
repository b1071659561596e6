"""What the simulated Partner Center remembers: orders, what was attached to them, carts, resellers.

Nothing is ever merged: two uploads of the same documents are two submissions, because that is what those
who test for doubles look for. Whoever reads or changes it holds `lock`.
"""

from __future__ import annotations

import base64
import heapq
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from local.simulator.behaviour import Behaviour
from local.simulator.replies import Reply

PENDING = "pending_po_upload"
UPLOADED = "po_upload_complete"
STATUSES = (
    "unknown",
    "completed",
    "pending",
    "cancelled",
    "suspended",
    "pending_review",
    PENDING,
    UPLOADED,
    "po_review_rejected",
    "partial_success",
    "error",
)
"""https://learn.microsoft.com/en-us/partner-center/developer/order-resources"""
KINDS = ("POAttachment", "TenderAttachment")
"""https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details"""


@dataclass(frozen=True, slots=True)
class Reseller:
    """One indirect reseller of the partner: `id` is its tenant, `mpn_id` its PartnerID."""

    id: str
    name: str
    mpn_id: str
    state: str = "Active"
    location: str = "US"


USUAL_RESELLERS = (
    Reseller("5f1cdd3e-6a30-4a9f-8f5c-27a1b5c6d0f4", "Fabrikam Reseller", "4847383"),
    Reseller("0d6f7a52-93d8-4c1e-b3a7-6f0e2b9c4d18", "Tailspin Reseller", "5139005", state="Inactive"),
)
"""The resellers of a new simulator; the first has the PartnerID of the documents' example order."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file of an order: size in bytes, SHA-256 in hex; `content` is None when it is not kept."""

    id: str
    file_name: str
    kind: str
    """One of KINDS."""
    content_type: str
    size: int
    sha256: str
    content: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Submission:
    """One accepted upload, as it came."""

    at: float
    request_id: str
    correlation_id: str
    metadata: str
    """The metadata part, byte for byte."""
    files: tuple[Attachment, ...]
    dropped: tuple[str, ...]
    """Names of parts that were ignored because nothing here is called so."""


class Origin(StrEnum):
    """Where an order comes from."""

    API = "api"
    PORTAL = "portal"
    """A person placed it by hand, or a test did."""
    PADDING = "padding"
    """One of the many that a customer has had for long (portal)."""


@dataclass(slots=True)
class Order:
    """One order: `body` is the resource without what changes later."""

    id: str
    customer: str
    created: float
    body: dict[str, object]
    status: str
    version: int = 1
    submissions: list[Submission] = field(default_factory=list)
    """What came over the API."""
    by_hand: list[Submission] = field(default_factory=list)
    """What a person uploaded in the portal."""
    changes: list[Mapping[str, object]] = field(default_factory=list)
    """What a person changed in the portal."""
    origin: Origin = Origin.API
    cart: str = ""
    """The id of the cart whose checkout placed it, or empty."""

    @property
    def uploads(self) -> list[Submission]:
        """All that was uploaded, whichever way, oldest first."""
        return list(heapq.merge(self.submissions, self.by_hand, key=lambda upload: upload.at))

    @property
    def attachments(self) -> list[Attachment]:
        """All files of the order, oldest first."""
        return [item for upload in self.uploads for item in upload.files]

    def resource(self) -> dict[str, object]:
        """Return the order as Partner Center shows it."""
        etag = base64.b64encode(json.dumps({"id": self.id, "version": self.version}).encode()).decode()
        return {
            **self.body,
            "status": self.status,
            "attributes": {"etag": etag, "objectType": "Order"},
        }


@dataclass(frozen=True, slots=True)
class CartLine:
    """One line of a cart: `fields` under their documented names, `fault` 0 or its documented error code."""

    number: int
    fields: Mapping[str, object]
    group: str
    """The order group; an add-on has that of its base."""
    fault: int = 0
    addons: tuple[CartLine, ...] = ()

    @property
    def all(self) -> tuple[CartLine, ...]:
        """The line and its add-ons."""
        return (self, *self.addons)

    @property
    def item(self) -> str:
        """The catalogue id."""
        return str(self.fields["catalogItemId"])


@dataclass(slots=True)
class Cart:
    """One cart; times in seconds since 1970."""

    id: str
    customer: str
    created: float
    expires: float
    lines: tuple[CartLine, ...]
    modified: float
    checkouts: int = 0
    """How many checkouts of it were asked for, whatever they got."""
    ordered: bool = False
    placed: dict[str, Order] = field(default_factory=dict)
    """Order group to its order as it was when it was placed."""
    failed: dict[str, int] = field(default_factory=dict)
    """Order group to the code that its last checkout ended with."""

    @property
    def all_lines(self) -> list[CartLine]:
        """All lines, each followed by its add-ons."""
        return [line for base in self.lines for line in base.all]


class State:
    """Everything that is remembered, and the lock that guards it."""

    def __init__(self, behaviour: Behaviour, resellers: tuple[Reseller, ...] = USUAL_RESELLERS) -> None:
        self.lock = threading.RLock()
        self._start = (behaviour, resellers)
        self.reset()

    def reset(self) -> None:
        """Forget all, and go back to the first behaviour and resellers."""
        with self.lock:
            self.behaviour, self.resellers = self._start
            self.orders: dict[str, Order] = {}
            self.carts: dict[str, Cart] = {}
            self.answers: dict[tuple[str, str], Reply] = {}
            self.kept_bytes = 0

    def seed_order(
        self,
        customer: str,
        order_id: str,
        created: float,
        status: str = PENDING,
        body: Mapping[str, object] | None = None,
    ) -> Order:
        """Remember an order that was placed by other means and return it; `body` may say anything of it.

        Raises ValueError.
        """
        if status not in STATUSES:
            raise ValueError(f"there is no order status {status!r}")
        usual = {"id": order_id, "referenceCustomerId": customer, "lineItems": []}
        order = Order(order_id, customer, created, {**usual, **(body or {})}, status, origin=Origin.PORTAL)
        with self.lock:
            self.orders[order_id] = order
        return order

    def as_json(self) -> dict[str, object]:
        """Return orders with their submissions, without file contents, and carts; of the padding how much."""
        with self.lock:
            shown = [order for order in self.orders.values() if order.origin is not Origin.PADDING]
            return {
                "orders": [_order_json(order) for order in shown],
                "carts": [_cart_json(cart) for cart in self.carts.values()],
                "padding": len(self.orders) - len(shown),
                "resellers": [reseller_json(reseller) for reseller in self.resellers],
            }


def attachment_json(item: Attachment) -> dict[str, object]:
    """Return a file as the documented collection lists it; kilobytes are rounded up."""
    return {
        "attachmentId": item.id,
        "fileName": item.file_name,
        "sizeInKB": -(-item.size // 1024),
        "attachmentType": item.kind,
    }


def reseller_json(reseller: Reseller) -> dict[str, object]:
    """Return a reseller as the documented collection lists it.

    https://learn.microsoft.com/en-us/partner-center/developer/retrieve-a-list-of-indirect-resellers
    """
    return {
        "id": reseller.id,
        "name": reseller.name,
        "relationshipType": "is_indirect_cloud_solution_provider_of",
        "state": reseller.state,
        "mpnId": reseller.mpn_id,
        "location": reseller.location,
        "attributes": {"objectType": "PartnerRelationship"},
    }


def _order_json(order: Order) -> dict[str, object]:
    return {
        "id": order.id,
        "customerId": order.customer,
        "status": order.status,
        "origin": order.origin,
        "cartId": order.cart,
        "created": datetime.fromtimestamp(order.created, UTC).isoformat(),
        "order": order.resource(),
        "submissions": [_submission_json(submission) for submission in order.submissions],
        "byHand": [_submission_json(upload) for upload in order.by_hand],
        "changes": order.changes,
    }


def _cart_json(cart: Cart) -> dict[str, object]:
    return {
        "id": cart.id,
        "customerId": cart.customer,
        "ordered": cart.ordered,
        "created": datetime.fromtimestamp(cart.created, UTC).isoformat(),
        "expires": datetime.fromtimestamp(cart.expires, UTC).isoformat(),
        "lines": [
            {"id": line.number, "orderGroup": line.group, "fault": line.fault, **line.fields}
            for line in cart.all_lines
        ],
        "checkouts": cart.checkouts,
        "orders": {group: order.id for group, order in cart.placed.items()},
        "failed": dict(cart.failed),
    }


def _submission_json(submission: Submission) -> dict[str, object]:
    return {
        "at": datetime.fromtimestamp(submission.at, UTC).isoformat(),
        "requestId": submission.request_id,
        "correlationId": submission.correlation_id,
        "metadata": submission.metadata,
        "dropped": list(submission.dropped),
        "files": [
            {
                **attachment_json(item),
                "size": item.size,
                "sha256": item.sha256,
                "contentType": item.content_type,
                "kept": item.content is not None,
            }
            for item in submission.files
        ],
    }
