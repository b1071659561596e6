"""Reads an order request as the documents define it and makes the order resource of it.

https://learn.microsoft.com/en-us/partner-center/developer/create-an-order
https://learn.microsoft.com/en-us/partner-center/developer/order-resources
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from local.simulator.behaviour import Behaviour
from local.simulator.members import LINE_FIELDS, ORDER_FIELDS, Members
from local.simulator.replies import refused
from local.simulator.shapes import documented_date
from local.simulator.state import PENDING, STATUSES, Order, Reseller
from local.simulator.strict_json import StrictJsonError, canonical, read_object

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
    order = read_members(given, ORDER_FIELDS)
    reference = order.get("referenceCustomerId", customer)
    if str(reference).lower() != customer.lower():
        raise refused("800002", "ReferenceCustomerId is not the customer of the path.")
    status = order.get("status")
    if status is not None and (not isinstance(status, str) or status.lower() not in STATUSES):
        raise refused("900126", "Status.")
    cycle = read_cycle(order.get("billingCycle", "unknown"))
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


def place(request: OrderRequest, customer: str, now: float, behaviour: Behaviour) -> Order:
    """Make the order of a valid request; `now` is in seconds since 1970."""
    order_id = str(uuid.uuid4())
    body: dict[str, object] = {
        "id": order_id,
        "referenceCustomerId": customer,
        "billingCycle": request.billing_cycle,
    }
    if "currencyCode" in request.fields:
        body["currencyCode"] = request.fields["currencyCode"]
    body["lineItems"] = [shown_line(line, customer) for line in request.lines]
    body["creationDate"] = documented_date(now + behaviour.clock_skew)
    body["links"] = own_link(customer, order_id)
    waits = behaviour.every_order_needs_po or any(
        named(str(line["offerId"]), behaviour.po_products) for line in request.lines
    )
    return Order(order_id, customer, now, body, PENDING if waits else "completed")


def read_members(given: object, known: Members) -> dict[str, object]:
    """Return the members of one JSON object under their documented names, nulls left out; raises Refused."""
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


def read_cycle(value: object) -> str:
    """Return a billing cycle as answers spell it; raises Refused."""
    if not isinstance(value, str):
        raise refused("900126", "BillingCycle.")
    cycle = value.lower()
    if cycle not in CYCLES:
        raise refused("900269", value)
    return {"unknown": "monthly", "onetime": "one_time"}.get(cycle, cycle)


def _lines(items: object) -> list[dict[str, object]]:
    lines = [read_members(item, LINE_FIELDS) for item in items] if isinstance(items, list) else []
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


def shown_line(line: Mapping[str, object], customer: str) -> dict[str, object]:
    """Return a line of an order as the order resource has it, with a subscription of its own."""
    subscription = str(uuid.uuid4())
    shown = {name: line[name] for name in _ECHOED if name in line}
    shown["subscriptionId"] = subscription
    shown["links"] = {"subscription": _link(f"/customers/{customer}/subscriptions/{subscription}")}
    return shown


def own_link(customer: str, own_id: str, kind: str = "orders") -> dict[str, object]:
    """Return the links of an order, or of another kind of resource of a customer."""
    return {"self": _link(f"/customers/{customer}/{kind}/{own_id}")}


def _link(uri: str) -> dict[str, object]:
    return {"uri": uri, "method": "GET", "headers": []}


def named(item: str, names: Iterable[str]) -> bool:
    """Return whether `names` has the product of an offer or catalogue id, or the whole id; in any case."""
    known = {name.upper() for name in names}
    return item.upper() in known or product_of(item) in known


def product_of(item: str) -> str:
    """Return the product of an offer or catalogue id, in upper case: what stands before the first colon."""
    return item.upper().partition(":")[0]
