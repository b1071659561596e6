"""The shapes of carts and of what a checkout answers; the documents leave more than one open (behaviour)."""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Mapping

from local.simulator.behaviour import Behaviour
from local.simulator.orders import own_link
from local.simulator.replies import CART_FAULTS, Reply, json_reply
from local.simulator.shapes import DATES, documented_date, pascal, shown_order
from local.simulator.state import Cart, CartLine, Order

_USER = "2713ccd7-ea3b-470a-9cfb-451d5d0482cc"
_OF_STOCK = (10002, 10003, 10015)
"""Errors that tell quantities in their additionalInformation."""
_STATUSES: Mapping[str, Mapping[bool, str]] = {
    "documented": {False: "Active", True: "Ordered"},
    "lower": {False: "active", True: "ordered"},
    "upper": {False: "ACTIVE", True: "ORDERED"},
}


def cart_reply(status: int, cart: Cart, behaviour: Behaviour, *, committed: bool = False) -> Reply:
    """Return a cart as an answer.

    https://learn.microsoft.com/en-us/partner-center/developer/cart-resources
    """
    told: dict[str, object] = {"id": cart.id}
    times = {"creation": cart.created, "lastModified": cart.modified, "expiration": cart.expires}
    for name, seconds in times.items():
        if behaviour.cart_dates != "missing":
            shown = DATES[behaviour.cart_dates](documented_date(seconds + behaviour.clock_skew))
            told[name + behaviour.cart_stamps] = shown
    told |= {
        "lastModifiedUser": _USER,
        "status": _STATUSES[behaviour.cart_status][cart.ordered],
        "lineItems": [_line(line, behaviour) for line in cart.lines],
        "links": own_link(cart.customer, cart.id, "carts"),
        "attributes": {"objectType": "Cart"},
    }
    return _reply(status, told, behaviour, committed=committed)


def checkout_reply(status: int, cart: Cart, behaviour: Behaviour, *, committed: bool = False) -> Reply:
    """Return what the checkout of a cart answers: the orders as they were when they were placed.

    https://learn.microsoft.com/en-us/partner-center/developer/cart-resources#cartcheckoutresult
    """
    orders = [_order(order, behaviour) for order in cart.placed.values()]
    if behaviour.checkout_reply == "order" and len(cart.all_lines) == 1 and orders:
        return _reply(status, orders[0], behaviour, committed=committed)
    told: dict[str, object] = {"orders": orders}
    errors = [_order_error(group, code, behaviour) for group, code in cart.failed.items()]
    if errors or behaviour.no_order_errors != "absent":
        told["orderErrors"] = None if not errors and behaviour.no_order_errors == "null" else errors
    told["attributes"] = {"objectType": "CartCheckoutResult"}
    return _reply(status, told, behaviour, committed=committed)


def _reply(status: int, told: object, behaviour: Behaviour, *, committed: bool) -> Reply:
    shown = pascal(told) if behaviour.cart_casing == "pascal" else told
    reply = json_reply(status, shown, committed=committed)
    return dataclasses.replace(reply, body=codecs.BOM_UTF8 + reply.body) if behaviour.cart_bom else reply


def _order(order: Order, behaviour: Behaviour) -> object:
    shown = shown_order(order, behaviour)
    return pascal(shown) if behaviour.order_casing == "pascal" else shown


def _line(line: CartLine, behaviour: Behaviour) -> dict[str, object]:
    shown = {
        "id": line.number if behaviour.cart_line_ids == "number" else str(line.number),
        **line.fields,
        "orderGroup": line.group,
    }
    if line.addons:
        shown["addonItems"] = [_line(addon, behaviour) for addon in line.addons]
    if line.fault:
        shown["error"] = _error(line, behaviour)
    return shown


def _error(line: CartLine, behaviour: Behaviour) -> dict[str, object]:
    told: dict[str, object] = {
        "errorCode": _code(line.fault, behaviour),
        "errorDescription": CART_FAULTS[line.fault],
    }
    if line.fault in _OF_STOCK:
        told["additionalInformation"] = {"availableQuantity": 0, "purchasedQuantity": 0}
    return told


def _order_error(group: str, code: int, behaviour: Behaviour) -> dict[str, object]:
    return {
        "orderGroupId": group,
        "code": _code(code, behaviour),
        "description": f"The order group {group} could not be ordered.",
        "attributes": {"objectType": "OrderError"},
    }


def _code(code: int, behaviour: Behaviour) -> object:
    return code if behaviour.cart_fault_codes == "number" else str(code)
