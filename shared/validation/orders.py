"""An order request: the documents' own example passes as it stands, what cannot work is refused by name."""

from __future__ import annotations

from collections.abc import Callable

from shared.core.errors import TooLargeError
from shared.core.order_request import LineItem, OrderRequest
from shared.core.strict_json import Json, camel, join_pointer, loads
from shared.validation.collecting import ViolationCollector
from shared.validation.currencies import iso_currency
from shared.validation.ids import customer_id as checked_customer
from shared.validation.ids import guid
from shared.validation.shapes import build, member, said_of, without_empty

MAX_ORDER = 256 * 1024
"""Bytes of an order request; a guard of our own."""
MAX_LINES = 500
"""Lines of one order; a guard of our own."""
_ANY_LINE = LineItem.model_construct(offer_id="", quantity=1)

_SERVER = "is set by Partner Center and cannot be sent; leave it out"
# https://learn.microsoft.com/en-us/partner-center/developer/order-resources
_NOT_SENT = {
    **dict.fromkeys(
        (
            "id", "alternateId", "creationDate", "status", "transactionType", "totalPrice", "currencySymbol",
            "links", "client", "subscriptionId", "pricing",
        ),
        _SERVER,
    ),
    "parentSubscriptionId": "applies only when an order is changed (PATCH); leave it out",
}  # fmt: skip


def order_request(raw: bytes, customer_id: str) -> OrderRequest:
    """The order in `raw` for the customer of the path; raises TooLargeError beyond MAX_ORDER bytes."""
    if len(raw) > MAX_ORDER:
        raise TooLargeError(f"The order request has {len(raw)} bytes; at most {MAX_ORDER} are allowed.")
    with ViolationCollector() as faults:
        customer = faults.check(lambda: checked_customer(customer_id))
        document = loads(raw, MAX_ORDER)
        faults.add_final(document)
        tree = _client_side(without_empty(document.value, OrderRequest), faults)
        order = build(OrderRequest, _with_lines(tree, faults), "", faults)
        _same_customer(tree, customer, faults)
        _follows(iso_currency, tree, "currencyCode", "", faults)
        _follows(guid, tree, "indirectResellerId", "", faults)
        _commitments(tree, faults)
        _numbering(tree, faults)
    assert order is not None
    return _numbered(order)


def _with_lines(tree: Json, faults: ViolationCollector) -> object:
    """The request with its lines built, one after the other: so what is wrong with many of them costs no more
    memory than what is wrong with one. A line that cannot be built is noted, and stands as one that can."""
    written, lines = member(tree, "lineItems")
    if not isinstance(tree, dict) or not isinstance(lines, list):
        return tree
    place = join_pointer("", written)
    if len(lines) > MAX_LINES:
        faults.add(place, f"contains {len(lines)} lines; at most {MAX_LINES} are taken")
    built = [
        build(LineItem, line, join_pointer(place, i), faults) for i, line in enumerate(lines[:MAX_LINES])
    ]
    return {**tree, written: [line or _ANY_LINE for line in built]}


def _client_side(tree: Json, faults: ViolationCollector) -> Json:
    """The request without the fields that only the server sets; any that is not null is noted."""
    order = _without(tree, "", faults)
    written, lines = member(order, "lineItems")
    if isinstance(order, dict) and isinstance(lines, list):
        place = join_pointer("", written)
        order[written] = [_without(line, join_pointer(place, i), faults) for i, line in enumerate(lines)]
    return order


def _without(node: Json, pointer: str, faults: ViolationCollector) -> Json:
    if not isinstance(node, dict):
        return node
    kept: dict[str, Json] = {}
    for written, value in node.items():
        name, place = camel(written), join_pointer(pointer, written)
        if name == "attributes":
            _attributes(value, place, faults)
        elif name not in _NOT_SENT:
            kept[written] = value
        elif value not in (None, ""):
            faults.add(place, _NOT_SENT[name])
    return kept


def _attributes(value: Json, pointer: str, faults: ViolationCollector) -> None:
    """`{"objectType": "Order"}` stands in the documented examples and tells nothing."""
    if value in (None, ""):
        return
    if not isinstance(value, dict):
        faults.add(pointer, "must be an object")
        return
    for written in value:
        if camel(written) != "objectType":
            faults.add(join_pointer(pointer, written), _SERVER)


def _same_customer(tree: Json, customer: str | None, faults: ViolationCollector) -> None:
    written, reference = member(tree, "referenceCustomerId")
    if customer and isinstance(reference, str) and reference.lower() != customer:
        faults.add(join_pointer("", written), "must be the customer that the path names, or be left out")


def _commitments(tree: Json, faults: ViolationCollector) -> None:
    written, lines = member(tree, "lineItems")
    for index, line in enumerate(lines if isinstance(lines, list) else ()):
        name, commitment = member(line, "purchaseCommitment")
        place = join_pointer(join_pointer(join_pointer("", written), index), name)
        _follows(iso_currency, commitment, "currency", place, faults)


def _follows(
    rule: Callable[[str], str], tree: Json, name: str, pointer: str, faults: ViolationCollector
) -> None:
    """Note where a member that is text breaks the rule; `pointer` is where `tree` stands."""
    written, text = member(tree, name)
    if isinstance(text, str):
        try:
            rule(text)
        except ValueError as error:
            faults.add(join_pointer(pointer, written), said_of(text, str(error)))


def _numbering(tree: Json, faults: ViolationCollector) -> None:
    """Line numbers are unique and 0..n-1 when given, and given on all lines or on none (error 800071)."""
    written, lines = member(tree, "lineItems")
    if not isinstance(lines, list):
        return
    numbers = [member(line, "lineItemNumber") for line in lines]
    given = [number for _, number in numbers if number is not None]
    seen: set[int] = set()
    for index, (name, number) in enumerate(numbers):
        place = join_pointer(join_pointer(join_pointer("", written), index), name)
        if number is None and given:
            faults.add(place, "is missing here but given on other lines; give it on all lines or on none")
        if isinstance(number, int) and not isinstance(number, bool):
            if number >= len(lines):
                faults.add(place, f"must be 0 to {len(lines) - 1}, one number for each line")
            elif number in seen:
                faults.add(place, "is the number of an earlier line")
            seen.add(number)


def _numbered(order: OrderRequest) -> OrderRequest:
    if order.line_items[0].line_item_number is not None:
        return order
    lines = (line.model_copy(update={"line_item_number": i}) for i, line in enumerate(order.line_items))
    return order.model_copy(update={"line_items": tuple(lines)})
