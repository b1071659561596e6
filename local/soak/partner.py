"""Which Partner Center a campaign meets: its lists, names, sizes and dates, and what it does with an
MS-RequestId. Decided by the seed (local/simulator/behaviour.py says what each option does)."""

from __future__ import annotations

import random

from local.simulator.behaviour import Behaviour
from local.soak.options import Options

_SHARE = 0.35
"""Share of the options below that have another value than the usual one in a mixed Partner Center."""

_SHAPES: tuple[str, ...] = (
    "upload_reply",
    "reply_lists_all",
    "upload_status",
    "attachment_casing",
    "listed_names",
    "listed_sizes",
    "order_casing",
    "order_nulls",
    "line_order",
    "quantity_as",
    "offer_case",
    "creation_date",
    "list_order",
    "null_when_empty",
    "continuation",
    "total_counts",
    "repeats_first_error",
    "attachments_appear",
    "honours_request_id",
    "order_groups",
    "partial_cart",
    "expired_checkout",
    "expired_cart",
    "checkout_reply",
    "no_order_errors",
    "cart_casing",
    "cart_stamps",
    "cart_dates",
    "cart_status",
    "cart_line_ids",
    "cart_fault_codes",
    "cart_bom",
)

_RARE = ("list_omits", "attachment_omits", "order_echo_omits")
"""The same for a quarter of that share: without these members little can be proved."""

_NEEDED = ("id", "attachmentId", "attachmentType", "lineItems", "offerId", "quantity")
"""Without these nothing at all is known again, and all that is sent ends in review or waits."""


def behaviour(options: Options) -> dict[str, object]:
    """What the simulator is configured with."""
    rng = random.Random(f"{options.seed}/Partner Center")
    chosen: dict[str, object] = {
        "profile": "other" if options.profile == "other" else "usual",
        "list_lag": options.lag + (0.0 if options.deceives else 1.0),
        "attachment_lag": options.lag,
        "order_visible_after": min(options.lag, 3.0),
        "clock_skew": rng.choice([0.0, rng.uniform(-1500, 1500)]),
        "page_size": rng.choice([0, 0, 2, 7]),
    }
    if options.profile == "usual":
        chosen["honours_request_id"] = rng.random() < 0.5
    if options.profile == "mixed":
        chosen |= {name: _other(rng, name) for name in _SHAPES if rng.random() < _SHARE}
        chosen |= {name: _other(rng, name) for name in _RARE if rng.random() < _SHARE / 4}
    return chosen


def described(chosen: dict[str, object]) -> str:
    """The options in one line."""
    return ", ".join(f"{name} {_plain(value)}" for name, value in chosen.items() if name != "profile")


def review_causes(chosen: dict[str, object], *, deceived: bool) -> str:
    """Which of them can send anything to review, without a fault: "" when nothing can."""
    silent = chosen.get("upload_reply", "files") != "files" or "pascal" in (
        chosen.get("attachment_casing"),
        chosen.get("order_casing"),
    )
    causes = {
        "no answer can be read": silent,
        "lists lack members": any(name in chosen for name in _RARE),
        "lists are late": deceived,
    }
    return ", ".join(cause for cause, applies in causes.items() if applies)


def _other(rng: random.Random, name: str) -> object:
    """Another value of an option than its usual one; of a set of names one."""
    field = Behaviour.__dataclass_fields__[name]
    usual, known = field.default, field.metadata.get("known", (False, True))
    if isinstance(usual, tuple):
        return [rng.choice([member for member in known if member not in _NEEDED])]
    return rng.choice([value for value in known if value != usual])


def _plain(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) else str(value)
