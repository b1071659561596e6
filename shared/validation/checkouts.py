"""A request to check out: the documents' own cart passes, what cannot work is refused by name."""

from __future__ import annotations

from collections.abc import Iterator

from shared.core.checkout_request import CartLine, CheckoutRequest
from shared.core.strict_json import Json, camel, join_pointer, loads
from shared.validation.collecting import ViolationCollector
from shared.validation.currencies import iso_currency
from shared.validation.ids import guid
from shared.validation.lines import (
    MAX_LINES,
    MAX_ORDER,
    SERVER,
    check_size,
    client_side,
    follows,
    lines_of,
    with_lines,
)
from shared.validation.shapes import build, member, without_empty

_ANY_LINE = CartLine.model_construct(catalog_item_id="", quantity=1)

# https://learn.microsoft.com/en-us/partner-center/developer/cart-resources
_NOT_SENT = {
    **dict.fromkeys(
        (
            "creationTimeStamp", "creationTimestamp", "lastModifiedTimeStamp", "lastModifiedTimestamp",
            "expirationTimeStamp", "expirationTimestamp", "lastModifiedUser", "status", "links", "orderGroup",
            "error",
        ),
        SERVER,
    ),
    "participants": "is written by the application; give the reseller's tenant as indirectResellerId",
}  # fmt: skip


def checkout_request(raw: bytes) -> CheckoutRequest:
    """The purchase in `raw`; raises TooLargeError beyond MAX_ORDER bytes."""
    check_size(raw)
    with ViolationCollector() as faults:
        document = loads(raw, MAX_ORDER)
        faults.add_final(document)
        sent = client_side(without_empty(document.value, CheckoutRequest), _NOT_SENT, faults)
        tree = _with_few_items(sent, faults)
        request = build(CheckoutRequest, with_lines(tree, CartLine, _ANY_LINE, faults), "", faults)
        follows(guid, tree, "indirectResellerId", "", faults)
        for number, (place, item) in enumerate(_items(tree)):
            _check_item(item, number, place, faults)
    assert request is not None
    return request


def _with_few_items(tree: Json, faults: ViolationCollector) -> Json:
    """The request; without its add-ons when they are too many, which is noted."""
    written, lines = member(tree, "lineItems")
    count = sum(1 for _ in _items(tree))
    if not isinstance(tree, dict) or not isinstance(lines, list) or count <= MAX_LINES:
        return tree
    if len(lines) <= MAX_LINES:
        why = f"contains {count} lines and add-ons; at most {MAX_LINES} are taken"
        faults.add(join_pointer("", written), why)
    return {**tree, written: [_without_add_ons(line) for line in lines]}


def _without_add_ons(line: Json) -> Json:
    if not isinstance(line, dict):
        return line
    return {name: value for name, value in line.items() if camel(name) != "addonItems"}


def _items(tree: Json) -> Iterator[tuple[str, Json]]:
    """Each line, followed by its add-ons, and where it stands."""
    pointer, lines = lines_of(tree)
    for n, line in enumerate(lines):
        place = join_pointer(pointer, n)
        yield place, line
        written, items = member(line, "addonItems")
        for m, item in enumerate(items if isinstance(items, list) else ()):
            yield join_pointer(join_pointer(place, written), m), item


def _check_item(item: Json, number: int, place: str, faults: ViolationCollector) -> None:
    follows(iso_currency, item, "currencyCode", place, faults)
    name, given = member(item, "id")
    if isinstance(given, int) and not isinstance(given, bool) and given != number:
        why = f"must be {number}, its place among lines and add-ons, or be left out"
        faults.add(join_pointer(place, name), why)
