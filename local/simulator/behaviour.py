"""How the simulated Partner Center behaves where the documents leave it open, or where a test wants more.

Of an option of the shapes, the first value is what the documents show. All that is remembered keeps its
documented shape; the options change what answers say of it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from local.simulator.members import (
    ATTACHMENT_FIELDS,
    LINE_FIELDS,
    LIST_FIELDS,
    ORDER_FIELDS,
)
from local.simulator.replies import CART_FAULTS

MIB = 1024 * 1024

DAY = 86_400

_Known = TypeVar("_Known", str, int)


def _one_of(usual: _Known, *others: _Known) -> _Known:
    return field(default=usual, metadata={"known": (usual, *others)})


def _names_of(*known: str) -> tuple[str, ...]:
    return field(default=(), metadata={"known": known})


def _may_be_negative(usual: float) -> float:
    return field(default=usual, metadata={"negative": True})


@dataclass(frozen=True, slots=True)
class Behaviour:
    """All options with their usual value; sizes in bytes, times in seconds."""

    honours_request_id: bool = False
    """Whether a repeated MS-RequestId gets the first answer and has no second effect. The documents promise
    it without saying for which calls or how long, so the usual value is the harsher one.
    https://learn.microsoft.com/en-us/partner-center/developer/headers"""
    repeats_first_error: bool = False
    """Whether each POST of an order, of attachments, of a cart or of a checkout gets the first answer that
    its MS-RequestId got, for ever and without doing anything, an error too, be it a fault's. Only a 401 and a
    429 are not kept: they come from what stands before the service. It needs no `honours_request_id`."""
    clock_skew: float = _may_be_negative(0.0)
    """How far the service's clock is ahead (below zero: behind). The Date of every answer and the
    creationDate of a new order show it; lags and tokens go by the right time."""
    list_lag: float = 0.0
    """How long a new order is missing from its customer's list; up to 15 minutes in the documents.
    https://learn.microsoft.com/en-us/partner-center/developer/get-all-of-a-customer-s-orders"""
    order_visible_after: float = 0.0
    """How long the calls for a new order itself and for its attachments get 404 (20000)."""
    attachment_lag: float = 0.0
    """How long a new file is missing from its order's attachments."""
    attachments_appear: str = _one_of("together", "one_by_one")
    """Whether the files of one upload appear all at the end of the lag, or one after the other: of n files
    the k-th after k/n of it."""
    every_order_needs_po: bool = False
    """Whether each new order waits for a purchase order."""
    po_products: tuple[str, ...] = ("DG7GMGF0D7FV", "DG7GMGF0D7FT")
    """Products, or whole offer ids, whose orders wait for a purchase order.
    https://learn.microsoft.com/en-us/partner-center/developer/pending-po-upload"""
    po_review: str = _one_of("waits", "approves", "rejects")
    """What becomes of an order once documents were uploaded: it waits for ever with po_upload_complete; it
    becomes pending and then completed; or po_review_rejected (review). A portal action sets any other status.
    https://learn.microsoft.com/en-us/partner-center/developer/po-upload-complete-status"""
    po_review_seconds: float = 0.0
    """How long after the last upload the first of these steps is, and again how long until the second."""
    po_part_names: tuple[str, ...] = ("POFiles",)
    """Names of purchase-order parts, compared without regard to case."""
    tender_part_names: tuple[str, ...] = ("TenderFiles",)
    """Names of tender parts; the REST reference says `Tender` where all else says `TenderFiles`."""

    upload_reply: str = _one_of("files", "empty", "no_body")
    """What the answer to an upload holds: a list of files, an empty list, or nothing at all."""
    reply_lists_all: bool = False
    """Whether that list is of all files of the order instead of this call's; not documented."""
    upload_status: int = _one_of(201, 200, 202)
    """The status of that answer."""
    attachment_casing: str = _one_of("documented", "pascal", "pascal_items")
    """Letter case of member names in a list of attachments: camelCase, PascalCase, or PascalCase in the items
    alone."""
    attachment_omits: tuple[str, ...] = _names_of(*ATTACHMENT_FIELDS)
    """Members that no listed attachment has."""
    listed_names: str = _one_of("wire", "sent", "percent", "lower", "nfd", "mojibake", "empty")
    """File names in a list: as in the header of their part, where a client writes a quote as %22; with %22,
    %0D and %0A undone; percent-encoded like a URL; in lower case; in Unicode form NFD; UTF-8 read as Latin-1;
    empty."""
    listed_sizes: str = _one_of("kib_up", "kib_down", "kb_up", "kb_down", "bytes", "text")
    """What sizeInKB says: units of 1024 or of 1000 bytes, rounded up or down; bytes; or units of 1024 bytes
    as text with one decimal ("2.5")."""

    order_casing: str = _one_of("documented", "pascal", "pascal_items")
    """The same of orders; `pascal` is in every answer, `pascal_items` in the items of a list alone."""
    order_echo_omits: tuple[str, ...] = _names_of(*dict.fromkeys((*ORDER_FIELDS, *LINE_FIELDS)))
    """Members that no order and no line of one has in an answer."""
    order_nulls: bool = False
    """Whether documented members that an order or a line lacks are there as null."""
    order_status: str = _one_of("documented", "pascal")
    """How the status of an order is told: pending_po_upload, or PendingPoUpload."""
    line_order: str = _one_of("sent", "reversed", "shuffled")
    """Order of the lines of an order; they keep their numbers."""
    quantity_as: str = _one_of("number", "text", "decimal")
    """How a quantity of 5 is told: 5, "5" or 5.0."""
    offer_case: str = _one_of("sent", "lower", "upper")
    """Letter case of an offerId in an answer."""
    creation_date: str = _one_of("offset", "z", "no_zone", "date", "missing", "garbage", "unset")
    """How creationDate is told: with its offset from UTC and a fraction; with Z and seven digits of fraction;
    without a zone (UTC is meant); the date alone; not at all; as no date; as the year 1."""

    list_order: str = _one_of("oldest", "newest", "shuffled")
    """What comes first in a list of orders or attachments; `shuffled` depends on their number alone."""
    list_omits: tuple[str, ...] = _names_of(*LIST_FIELDS)
    """Members that no list of orders or attachments has beside its items."""
    null_when_empty: bool = False
    """Whether the items of an empty list are null."""
    page_size: int = 0
    """The most items of a list of orders or attachments in one answer; 0 for all."""
    continuation: str = _one_of(
        "links_next", "body_token", "header", "next_link", "odata_next_link", "skip_token", "total_only"
    )
    """How an answer that is not the whole list tells of the rest: links.next ({uri, method, headers}), a
    continuationToken beside the items, the header MS-ContinuationToken, a URL as nextLink or @odata.nextLink,
    a skipToken beside the items, or not at all. The token is taken back as the header MS-ContinuationToken or
    as continuationToken or skipToken in the query, whichever way it was told.
    https://learn.microsoft.com/en-us/partner-center/developer/get-a-list-of-customers"""
    total_counts: str = _one_of("all", "page")
    """Whether totalCount counts the whole list or the items of this answer."""

    cart_lifetime: float = 7 * DAY
    """How long after its creation a new cart expires.
    https://learn.microsoft.com/en-us/partner-center/developer/create-a-cart"""
    cart_faults: Mapping[str, float] = field(default_factory=dict, metadata={"values": tuple(CART_FAULTS)})
    """Product, or whole catalogue id, to the error (CART_FAULTS) that a cart's line of it gets. What a line
    says itself can be wrong too (carts)."""
    checkout_failures: Mapping[str, float] = field(default_factory=dict)
    """Product, or whole catalogue id, to the code with which its order group fails at a checkout."""
    order_groups: str = _one_of("product", "cycle")
    """What makes an order group of a cart: the same product, billing cycle and term; or the billing cycle
    alone, as in the examples. What no product has (an offer's GUID) is in groups of its own, named OMS-0.
    https://learn.microsoft.com/en-us/partner-center/developer/create-a-cart"""
    partial_cart: str = _one_of("ordered", "active")
    """What a cart is after a checkout that placed only some of its order groups: Ordered, and a repeat says
    the same again; or Active, and a repeat tries the groups that failed once more, and only those."""
    repeated_checkout: int = _one_of(201, 200, 400, 409)
    """The status of each further checkout of an ordered cart. 201 and 200 repeat what the first one said, as
    the documents promise; 400 and 409 refuse.
    https://learn.microsoft.com/en-us/partner-center/developer/checkout-a-cart"""
    expired_checkout: int = _one_of(404, 400, 409, 410)
    """The status of the checkout, and of the change, of a cart that has expired; not documented."""
    expired_cart: int = _one_of(404, 200)
    """The status of reading a cart that has expired."""
    ordered_carts_expire: bool = False
    """Whether an ordered cart expires as well, for its reader and for a repeated checkout."""
    checkout_reply: str = _one_of("result", "order")
    """What a checkout answers for a cart of a single line: a CartCheckoutResult, or the Order alone."""
    no_order_errors: str = _one_of("absent", "null", "empty")
    """How a CartCheckoutResult tells that no order failed."""
    cart_casing: str = _one_of("documented", "pascal")
    """Letter case of member names in carts and in what a checkout answers."""
    cart_stamps: str = _one_of("TimeStamp", "Timestamp")
    """How the names of a cart's times end: the tables say TimeStamp, the examples Timestamp."""
    cart_dates: str = _one_of("z", "offset", "no_zone", "missing", "unset")
    """How these times are told, as `creation_date` tells that of an order; `unset` is in an example too.
    https://learn.microsoft.com/en-us/partner-center/developer/update-a-cart"""
    cart_status: str = _one_of("documented", "lower", "upper")
    """Letter case of a cart's status."""
    cart_line_ids: str = _one_of("number", "text")
    """How the ids of a cart's lines are told: the examples show numbers, the tables say string."""
    cart_fault_codes: str = _one_of("number", "text")
    """How the errorCode of a line and the code of an order error are told."""
    cart_bom: bool = False
    """Whether the answers about carts and checkouts begin with a byte order mark."""

    validates_resellers: bool = True
    """Whether the check of PartnerIDs (2025) is there yet.
    https://learn.microsoft.com/en-us/partner-center/developer/validate-reseller-partner-of-record"""
    customers: tuple[str, ...] = ()
    """The customers that exist; none named means that every customer id does."""
    throttled: Mapping[str, float] = field(default_factory=dict)
    """Customer id to the seconds of Retry-After; each call for such a customer gets 429."""
    max_quantity: int = 10_000
    """The largest quantity of a line."""
    audience: str = "https://api.partnercenter.microsoft.com"
    """The audience that a token must be for."""
    keep_bytes: int = MIB
    """The largest file whose content is kept for display."""
    keep_total: int = 64 * MIB
    """All content that is kept; what comes later is hashed and counted only."""


_OTHER: Mapping[str, object] = {
    "attachment_casing": "pascal_items",
    "order_casing": "pascal_items",
    "reply_lists_all": True,
    "listed_sizes": "kb_down",
    "listed_names": "nfd",
    "list_order": "newest",
    "line_order": "reversed",
    "creation_date": "z",
    "honours_request_id": True,
    "repeats_first_error": True,
    "order_groups": "cycle",
    "partial_cart": "active",
    "repeated_checkout": 200,
    "expired_checkout": 400,
    "expired_cart": 200,
    "checkout_reply": "order",
    "no_order_errors": "null",
    "cart_casing": "pascal",
    "cart_stamps": "Timestamp",
    "cart_dates": "unset",
    "cart_status": "lower",
    "cart_line_ids": "text",
    "cart_fault_codes": "text",
    "cart_bom": True,
}
PROFILES: Mapping[str, Mapping[str, object]] = {
    "usual": {name: getattr(Behaviour(), name) for name in _OTHER},
    "other": _OTHER,
}
"""Values of several options at once, by name: how the documents are usually read here, and a second reading
that is as plausible."""

_FIELDS = {item.name: item for item in dataclasses.fields(Behaviour)}
_USUAL = Behaviour()


def changed(behaviour: Behaviour, changes: Mapping[str, object]) -> Behaviour:
    """Return `behaviour` with `changes`, as they come from JSON; raises ValueError that names the bad one.

    `profile` (PROFILES) among them comes first, wherever it stands: the others change what it sets.
    """
    values: dict[str, object] = {}
    given = dict(changes)
    profile = given.pop("profile", None)
    if profile is not None:
        if not isinstance(profile, str) or profile not in PROFILES:
            raise ValueError(f"profile does not take {profile!r}; there are {', '.join(PROFILES)}")
        values |= PROFILES[profile]
    for name, value in given.items():
        if name not in _FIELDS:
            raise ValueError(f"there is no option {name!r}; there are {', '.join((*_FIELDS, 'profile'))}")
        values[name] = _fitting(name, value)
    return dataclasses.replace(behaviour, **values)  # type: ignore[arg-type]  # each value was checked above


def _fitting(name: str, value: object) -> object:
    usual, limits = getattr(_USUAL, name), _FIELDS[name].metadata
    known = limits.get("known")
    if isinstance(usual, bool) or isinstance(value, bool):
        good = isinstance(usual, bool) and isinstance(value, bool)
    elif isinstance(usual, tuple):
        good = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        value = tuple(value) if isinstance(value, list | tuple) else value
    elif isinstance(usual, Mapping):
        good = isinstance(value, Mapping) and _are_numbers(value.values(), limits.get("values"))
    elif isinstance(usual, str):
        good = isinstance(value, str)
    else:
        good = _is_number(value, usual, negative="negative" in limits)
    if good and known is not None:
        good = set(value if isinstance(value, tuple) else [value]) <= set(known)
    if not good:
        there_are = f"; there are {', '.join(map(str, known))}" if known else ""
        raise ValueError(f"{name} does not take {value!r}{there_are}")
    return value


def _are_numbers(values: Collection[object], known: Collection[int] | None) -> bool:
    return all(_is_number(item, 0.0) and (known is None or item in known) for item in values)


def _is_number(value: object, usual: float, *, negative: bool = False) -> bool:
    """Whether it is a number of the kind of `usual`: a fraction where that one is."""
    if isinstance(value, bool) or not isinstance(value, int if isinstance(usual, int) else int | float):
        return False
    return math.isfinite(value) and (negative or value >= 0)
