"""How the simulated Partner Center behaves where the documents leave it open, or where a test wants more."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Switches:
    """All switches with their usual position; sizes in bytes, times in seconds."""

    honours_request_id: bool = False
    """Whether a repeated MS-RequestId gets the first answer and has no second effect. The documents promise
    it without saying for which calls or how long, so the usual position is the harsher one.
    https://learn.microsoft.com/en-us/partner-center/developer/headers"""
    list_lag: float = 0.0
    """How long a new order is missing from its customer's list; up to 15 minutes in the documents.
    https://learn.microsoft.com/en-us/partner-center/developer/get-all-of-a-customer-s-orders"""
    every_order_needs_po: bool = False
    """Whether each new order waits for a purchase order."""
    po_products: tuple[str, ...] = ("DG7GMGF0D7FV", "DG7GMGF0D7FT")
    """Products, or whole offer ids, whose orders wait for a purchase order.
    https://learn.microsoft.com/en-us/partner-center/developer/pending-po-upload"""
    po_part_names: tuple[str, ...] = ("POFiles",)
    """Names of purchase-order parts, compared without regard to case."""
    tender_part_names: tuple[str, ...] = ("TenderFiles",)
    """Names of tender parts; the REST reference says `Tender` where all else says `TenderFiles`."""
    reply_lists_all: bool = False
    """Whether the 201 of an upload lists all files of the order instead of this call's; not documented."""
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


def changed(switches: Switches, changes: Mapping[str, object]) -> Switches:
    """Return `switches` with `changes`, as they come from JSON; raises ValueError that names the bad one."""
    values: dict[str, object] = {}
    for name, value in changes.items():
        if name not in Switches.__slots__:
            raise ValueError(f"there is no switch {name!r}; there are {', '.join(Switches.__slots__)}")
        values[name] = _fitting(name, value, getattr(switches, name))
    return dataclasses.replace(switches, **values)  # type: ignore[arg-type]  # each value was checked above


def _fitting(name: str, value: object, present: object) -> object:
    if isinstance(present, bool) or isinstance(value, bool):
        good = isinstance(present, bool) and isinstance(value, bool)
    elif isinstance(present, tuple):
        good = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        value = tuple(value) if isinstance(value, list | tuple) else value
    elif isinstance(present, Mapping):
        good = isinstance(value, Mapping) and all(_is_number(item) for item in value.values())
    elif isinstance(present, str):
        good = isinstance(value, str)
    else:
        good = _is_number(value)
    if not good:
        raise ValueError(f"{name} does not take {value!r}")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
