"""Reads an order request as the documents define it and makes the order resource of it.

https://learn.microsoft.com/en-us/partner-center/developer/create-an-order
https://learn.microsoft.com/en-us/partner-center/developer/order-resources
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from local.simulator.replies import refused
from local.simulator.state import PENDING, STATUSES, Order, Reseller
from local.simulator.strict_json import StrictJsonError, canonical, read_object
from local.simulator.switches import Switches

TERMS = {"P1M": 1, "P1Y": 12, "P3Y": 36}
CYCLES = {
    "unknown": 1,
    "monthly": 1,
    "annual": 12,
    "none": 0,
    "one_time": 0,
    "onetime": 0,
    "triennial": 36,
    "biennial": 24,
}
"""Billing cycle (wire and SDK spelling, lower case) to its length in months."""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_text_map(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _is_anything(value: object) -> bool:
    return True


_Fields = Mapping[str, Callable[[object], bool]]

ORDER_FIELDS: _Fields = {
    "id": _is_text,
    "alternateId": _is_text,
    "referenceCustomerId": _is_text,
    "billingCycle": _is_anything,
    "currencyCode": _is_text,
    "currencySymbol": _is_text,
    "lineItems": _is_list,
    "creationDate": _is_text,
    "status": _is_anything,
    "transactionType": _is_text,
    "totalPrice": _is_anything,
    "partnerOnRecordAttestationAccepted": _is_flag,
    "links": _is_object,
    "attributes": _is_object,
    "client": _is_object,
}
LINE_FIELDS: _Fields = {
    "lineItemNumber": _is_whole,
    "offerId": _is_text,
    "quantity": _is_whole,
    "friendlyName": _is_text,
    "termDuration": _is_text,
    "customTermEndDate": _is_text,
    "promotionId": _is_text,
    "renewsTo": _is_object,
    "partnerIdOnRecord": _is_text,
    "additionalPartnerIdsOnRecord": _is_texts,
    "attestationAccepted": _is_flag,
    "provisioningContext": _is_text_map,
    "purchaseCommitment": _is_object,
    "parentSubscriptionId": _is_text,
    "subscriptionId": _is_text,
    "transactionType": _is_text,
    "pricing": _is_object,
    "links": _is_object,
    "attributes": _is_object,
}
_ECHOED = (
    "lineItemNumber",
    "offerId",
    "friendlyName",
    "quantity",
    "termDuration",
    "customTermEndDate",
    "promotionId",
    "renewsTo",
    "partnerIdOnRecord",
    "additionalPartnerIdsOnRecord",
    "attestationAccepted",
    "provisioningContext",
    "purchaseCommitment",
)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A valid order request: fields under their documented names, nulls left out."""

    billing_cycle: str
    fields: Mapping[str, object]
    lines: Sequence[Mapping[str, object]]

    @property
    def partner_ids(self) -> list[str]:
        """The resellers' PartnerIDs that the lines name."""
        return [str(line["partnerIdOnRecord"]) for line in self.lines if "partnerIdOnRecord" in line]


def read_order(body: bytes, customer: str, max_quantity: int) -> OrderRequest:
    """Read and check an order request; raises Refused with the documented error."""
    try:
        given = read_object(body)
    except StrictJsonError as error:
        raise refused("800002", str(error)) from None
    order = _fields(given, ORDER_FIELDS)
    reference = order.get("referenceCustomerId", customer)
    if str(reference).lower() != customer.lower():
        raise refused("800002", "ReferenceCustomerId is not the customer of the path.")
    status = order.get("status")
    if status is not None and (not isinstance(status, str) or status.lower() not in STATUSES):
        raise refused("900126", "Status.")
    cycle = _billing_cycle(order.get("billingCycle", "unknown"))
    lines = _lines(order.get("lineItems", []))
    for line in lines:
        _check_line(line, cycle, max_quantity)
    return OrderRequest(cycle, order, lines)


def check_resellers(request: OrderRequest, resellers: Sequence[Reseller]) -> None:
    """Raise Refused when a line names a PartnerID that is not of an active reseller."""
    states = {reseller.mpn_id: reseller.state.lower() for reseller in resellers}
    for partner_id in request.partner_ids:
        if partner_id not in states:
            raise refused("800015", partner_id)
        if states[partner_id] != "active":
            raise refused("800039", partner_id)


def place(request: OrderRequest, customer: str, now: float, switches: Switches) -> Order:
    """Make the order of a valid request; `now` is in seconds since 1970."""
    order_id = str(uuid.uuid4())
    created = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    body: dict[str, object] = {
        "id": order_id,
        "referenceCustomerId": customer,
        "billingCycle": request.billing_cycle,
    }
    if "currencyCode" in request.fields:
        body["currencyCode"] = request.fields["currencyCode"]
    body["lineItems"] = [_line(line, customer) for line in request.lines]
    body["creationDate"] = created
    body["links"] = {"self": _link(f"/customers/{customer}/orders/{order_id}")}
    waits = switches.every_order_needs_po or any(_needs_po(line, switches) for line in request.lines)
    return Order(order_id, customer, now, body, PENDING if waits else "completed")


def _fields(given: object, known: _Fields) -> dict[str, object]:
    if not isinstance(given, dict):
        raise refused("3000", "A line item is not an object.")
    try:
        value = canonical(given, known, known_only=True)
    except StrictJsonError as error:
        raise refused("3000", str(error)) from None
    for name, item in value.items():
        if not known[name](item):
            raise refused("3000", f"{name} has the wrong type.")
    return value


def _billing_cycle(value: object) -> str:
    if not isinstance(value, str):
        raise refused("900126", "BillingCycle.")
    cycle = value.lower()
    if cycle not in CYCLES:
        raise refused("900269", value)
    return {"unknown": "monthly", "onetime": "one_time"}.get(cycle, cycle)


def _lines(items: object) -> list[dict[str, object]]:
    lines = [_fields(item, LINE_FIELDS) for item in items] if isinstance(items, list) else []
    if not lines:
        raise refused("800002", "An order needs at least one line item.")
    numbers = [line.get("lineItemNumber") for line in lines]
    if set(numbers) != set(range(len(lines))):
        raise refused("800071")
    return lines


def _check_line(line: Mapping[str, object], cycle: str, max_quantity: int) -> None:
    if "parentSubscriptionId" in line:
        raise refused("2000")
    if not line.get("offerId"):
        raise refused("800002", "OfferId is missing.")
    quantity = line.get("quantity")
    if not isinstance(quantity, int) or not 1 <= quantity <= max_quantity:
        raise refused("900275", f"Line item {line['lineItemNumber']}.")
    term = line.get("termDuration")
    if term is not None and term not in TERMS:
        raise refused("800121", str(term))
    if term is not None and CYCLES[cycle] > TERMS[str(term)]:
        raise refused("900270")
    additional = line.get("additionalPartnerIdsOnRecord")
    if isinstance(additional, list) and len(additional) > 5:
        raise refused("800002", "At most five additional PartnerIDs.")


def _line(line: Mapping[str, object], customer: str) -> dict[str, object]:
    subscription = str(uuid.uuid4())
    shown = {name: line[name] for name in _ECHOED if name in line}
    shown["subscriptionId"] = subscription
    shown["links"] = {"subscription": _link(f"/customers/{customer}/subscriptions/{subscription}")}
    return shown


def _link(uri: str) -> dict[str, object]:
    return {"uri": uri, "method": "GET", "headers": []}


def _needs_po(line: Mapping[str, object], switches: Switches) -> bool:
    offer = str(line["offerId"]).upper()
    waiting = {name.upper() for name in switches.po_products}
    return offer in waiting or offer.partition(":")[0] in waiting
