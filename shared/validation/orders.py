"""An order request: the documents' own example passes as it stands, what cannot work is refused by name."""

from __future__ import annotations

from shared.core.order_request import LineItem, OrderRequest
from shared.core.strict_json import Json, join_pointer, loads
from shared.validation.collecting import ViolationCollector
from shared.validation.currencies import iso_currency
from shared.validation.ids import customer_id as checked_customer
from shared.validation.ids import guid
from shared.validation.lines import MAX_ORDER, SERVER, check_size, client_side, follows, lines_of, with_lines
from shared.validation.shapes import build, member, without_empty

_ANY_LINE = LineItem.model_construct(offer_id="", quantity=1)

# https://learn.microsoft.com/en-us/partner-center/developer/order-resources
_NOT_SENT = {
    **dict.fromkeys(
        (
            "id", "alternateId", "creationDate", "status", "transactionType", "totalPrice", "currencySymbol",
            "links", "client", "subscriptionId", "pricing",
        ),
        SERVER,
    ),
    "parentSubscriptionId": "applies only when an order is changed (PATCH); leave it out",
}  # fmt: skip


def order_request(raw: bytes, customer_id: str) -> OrderRequest:
    """The order in `raw` for the customer of the path; raises TooLargeError beyond MAX_ORDER bytes."""
    check_size(raw)
    with ViolationCollector() as faults:
        customer = faults.check(lambda: checked_customer(customer_id))
        document = loads(raw, MAX_ORDER)
        faults.add_final(document)
        tree = client_side(without_empty(document.value, OrderRequest), _NOT_SENT, faults)
        order = build(OrderRequest, with_lines(tree, LineItem, _ANY_LINE, faults), "", faults)
        _same_customer(tree, customer, faults)
        follows(iso_currency, tree, "currencyCode", "", faults)
        follows(guid, tree, "indirectResellerId", "", faults)
        _commitments(tree, faults)
        _numbering(tree, faults)
    assert order is not None
    return _numbered(order)


def _same_customer(tree: Json, customer: str | None, faults: ViolationCollector) -> None:
    written, reference = member(tree, "referenceCustomerId")
    if customer and isinstance(reference, str) and reference.lower() != customer:
        faults.add(join_pointer("", written), "must be the customer that the path names, or be left out")


def _commitments(tree: Json, faults: ViolationCollector) -> None:
    pointer, lines = lines_of(tree)
    for index, line in enumerate(lines):
        name, commitment = member(line, "purchaseCommitment")
        place = join_pointer(join_pointer(pointer, index), name)
        follows(iso_currency, commitment, "currency", place, faults)


def _numbering(tree: Json, faults: ViolationCollector) -> None:
    """Line numbers are unique and 0..n-1 when given, and given on all lines or on none (error 800071)."""
    pointer, lines = lines_of(tree)
    numbers = [member(line, "lineItemNumber") for line in lines]
    given = [number for _, number in numbers if number is not None]
    seen: set[int] = set()
    for index, (name, number) in enumerate(numbers):
        place = join_pointer(join_pointer(pointer, index), name)
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
