"""The shapes of attachments and orders in answers; the documents leave more than one open.

What is remembered keeps its documented shape. The options (behaviour.Behaviour) make of it what a client
sees, so that an option that changes also changes what earlier requests left.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote

from local.simulator.behaviour import Behaviour
from local.simulator.members import LINE_FIELDS, ORDER_FIELDS
from local.simulator.state import Attachment, Order, attachment_json

_Item = TypeVar("_Item")

_ESCAPED = {"%22": '"', "%0D": "\r", "%0A": "\n"}
"""https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data"""


def documented_date(seconds: float) -> str:
    """Return a moment, in seconds since 1970, in the format that the documents show."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def in_order(items: Sequence[_Item], order: str) -> list[_Item]:
    """Return items, oldest first, in the order of the option `list_order`, or of `line_order`."""
    if order in ("newest", "reversed"):
        return list(reversed(items))
    shown = list(items)
    if order == "shuffled":
        random.Random(len(shown)).shuffle(shown)
    return shown


def shown_attachment(item: Attachment, behaviour: Behaviour) -> dict[str, object]:
    """Return a file as the item of a list, names in camelCase."""
    shown = {
        **attachment_json(item),
        "fileName": _NAMES[behaviour.listed_names](item.file_name),
        "sizeInKB": _SIZES[behaviour.listed_sizes](item.size),
    }
    return {name: value for name, value in shown.items() if name not in behaviour.attachment_omits}


def shown_order(order: Order, behaviour: Behaviour) -> dict[str, object]:
    """Return an order as every answer shows it, names in camelCase."""
    shown = order.resource()
    lines = shown.get("lineItems")
    if isinstance(lines, list):
        shown["lineItems"] = [_line(line, behaviour) for line in in_order(lines, behaviour.line_order)]
    if behaviour.order_status == "pascal":
        shown["status"] = order.status.title().replace("_", "")
    created = shown.get("creationDate")
    if isinstance(created, str):
        shown["creationDate"] = DATES[behaviour.creation_date](created)
    if behaviour.creation_date == "missing":
        shown.pop("creationDate", None)
    return _members(shown, behaviour, ORDER_FIELDS)


def collection(
    items: Sequence[Mapping[str, object]], total: int, casing: str, behaviour: Behaviour
) -> dict[str, object]:
    """Return the list that an answer holds; `total` is how many items there are in all."""
    shown: list[object] = [pascal(item) if casing == "pascal_items" else item for item in items]
    told: dict[str, object] = {
        "totalCount": total if behaviour.total_counts == "all" else len(shown),
        "items": None if behaviour.null_when_empty and not shown else shown,
        "attributes": {"objectType": "Collection"},
    }
    return {name: value for name, value in told.items() if name not in behaviour.list_omits}


def pascal(value: object) -> object:
    """Return JSON with the names of its members in PascalCase; the keys of a provisioningContext are data."""
    if isinstance(value, Mapping):
        return {
            name[:1].upper() + name[1:]: item if name == "provisioningContext" else pascal(item)
            for name, item in value.items()
        }
    return [pascal(item) for item in value] if isinstance(value, list) else value


def _line(line: object, behaviour: Behaviour) -> object:
    if not isinstance(line, Mapping):
        return line
    shown = dict(line)
    quantity, offer = shown.get("quantity"), shown.get("offerId")
    if isinstance(quantity, int):
        shown["quantity"] = _QUANTITIES[behaviour.quantity_as](quantity)
    if isinstance(offer, str):
        shown["offerId"] = _OFFERS[behaviour.offer_case](offer)
    return _members(shown, behaviour, LINE_FIELDS)


def _members(
    shown: dict[str, object], behaviour: Behaviour, known: Mapping[str, object]
) -> dict[str, object]:
    kept = {name: value for name, value in shown.items() if name not in behaviour.order_echo_omits}
    return {**dict.fromkeys(known), **kept} if behaviour.order_nulls else kept


def _sent(name: str) -> str:
    for escaped, character in _ESCAPED.items():
        name = name.replace(escaped, character)
    return name


def _utc(form: Callable[[datetime], str]) -> Callable[[str], str]:
    def told(text: str) -> str:
        try:
            return form(datetime.fromisoformat(text).astimezone(UTC))
        except (ValueError, OverflowError):
            return text  # a test, or a person, wrote something else

    return told


_NAMES: Mapping[str, Callable[[str], str]] = {
    "wire": str,
    "sent": _sent,
    "percent": lambda name: quote(_sent(name)),
    "lower": str.lower,
    "nfd": lambda name: unicodedata.normalize("NFD", name),
    "mojibake": lambda name: name.encode("utf-8", "surrogatepass").decode("latin-1"),
    "empty": lambda name: "",
}
_SIZES: Mapping[str, Callable[[int], object]] = {
    "kib_up": lambda size: -(-size // 1024),
    "kib_down": lambda size: size // 1024,
    "kb_up": lambda size: -(-size // 1000),
    "kb_down": lambda size: size // 1000,
    "bytes": int,
    "text": lambda size: f"{size / 1024:.1f}",
}
_QUANTITIES: Mapping[str, Callable[[int], object]] = {"number": int, "text": str, "decimal": float}
_OFFERS: Mapping[str, Callable[[str], str]] = {"sent": str, "lower": str.lower, "upper": str.upper}
DATES: Mapping[str, Callable[[str], str]] = {
    "offset": str,
    "z": _utc(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z"),
    "no_zone": _utc(lambda moment: moment.replace(tzinfo=None).isoformat(timespec="milliseconds")),
    "date": _utc(lambda moment: f"{moment:%Y-%m-%d}"),
    "missing": str,
    "garbage": lambda text: "not a date",
    "unset": lambda text: "0001-01-01T00:00:00",
}
"""How each value of an option writes a name, a size in bytes, a quantity, an offer, a creationDate."""
