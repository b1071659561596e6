"""Carts: created, read, changed, and checked out into orders.

A checkout is idempotent: a cart that was ordered is never ordered again, and a group of lines that became an
order never becomes another. All calls are made under the lock of the state.

https://learn.microsoft.com/en-us/partner-center/developer/create-a-cart
https://learn.microsoft.com/en-us/partner-center/developer/update-a-cart
https://learn.microsoft.com/en-us/partner-center/developer/checkout-a-cart
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence

from local.simulator.behaviour import Behaviour
from local.simulator.cart_request import ADDITIONAL_RESELLER, RESELLER, participants_of, read_cart
from local.simulator.cart_shapes import cart_reply, checkout_reply
from local.simulator.orders import OrderRequest, named, place
from local.simulator.replies import Reply, refused
from local.simulator.state import Cart, CartLine, Order, State

_SAME_NAME = (
    "quantity",
    "friendlyName",
    "termDuration",
    "customTermEndDate",
    "promotionId",
    "renewsTo",
    "attestationAccepted",
)
"""Members of a cart's line that its order's line has under the same name."""


class Carts:
    """The calls for carts; each returns its answer and raises Refused. `caller` is app or user."""

    def __init__(self, state: State, clock: Callable[[], float]) -> None:
        self.state = state
        self.clock = clock

    def create(self, customer: str, data: bytes, caller: str) -> Reply:
        """Remember a new cart; a faulty line is told in the answer and refuses nothing."""
        lines, now = self._read(data, caller), self.clock()
        expires = now + self.state.behaviour.cart_lifetime
        cart = Cart(str(uuid.uuid4()), customer, now, expires, lines, now)
        self.state.carts[cart.id] = cart
        return cart_reply(201, cart, self.state.behaviour, committed=True)

    def get(self, customer: str, cart_id: str) -> Reply:
        """Show a cart."""
        cart = self._cart(customer, cart_id)
        if self._expired(cart) and self.state.behaviour.expired_cart == 404:
            raise _expired(404)
        return cart_reply(200, cart, self.state.behaviour)

    def change(self, customer: str, cart_id: str, data: bytes, caller: str) -> Reply:
        """Replace the lines of a cart of which nothing was ordered; the documents' example answers 201."""
        cart = self._cart(customer, cart_id)
        if self._expired(cart):
            raise _expired(self.state.behaviour.expired_checkout)
        if cart.placed:
            raise refused("800002", "The cart was ordered already.")
        cart.lines, cart.modified, cart.failed = self._read(data, caller), self.clock(), {}
        return cart_reply(201, cart, self.state.behaviour, committed=True)

    def check_out(self, customer: str, cart_id: str, caller: str) -> Reply:
        """Order what is in a cart, once; repeat the result when that was done before."""
        cart, behaviour = self._cart(customer, cart_id), self.state.behaviour
        cart.checkouts += 1
        if self._expired(cart):
            raise _expired(behaviour.expired_checkout)
        _check_caller(cart.lines, caller)
        if cart.ordered:
            if behaviour.repeated_checkout >= 400:
                raise refused("800002", "The cart was ordered already.", behaviour.repeated_checkout)
            return checkout_reply(behaviour.repeated_checkout, cart, behaviour)
        if any(line.fault for line in cart.all_lines):
            raise refused("800002", "A line item of the cart has an error.")
        placed = _order_groups(cart, self.clock(), behaviour)
        self.state.orders.update({order.id: order for order in placed})
        return checkout_reply(201, cart, behaviour, committed=bool(placed))

    def _read(self, data: bytes, caller: str) -> tuple[CartLine, ...]:
        lines = read_cart(data, self.state.behaviour, self.state.resellers)
        _check_caller(lines, caller)
        return lines

    def _cart(self, customer: str, cart_id: str) -> Cart:
        cart = self.state.carts.get(cart_id.lower())
        if cart is None or cart.customer.lower() != customer.lower():
            raise refused("1000", "There is no cart of this id.")
        return cart

    def _expired(self, cart: Cart) -> bool:
        lasts = cart.ordered and not self.state.behaviour.ordered_carts_expire
        return cart.expires <= self.clock() and not lasts


def _expired(status: int) -> Exception:
    return refused("1000" if status == 404 else "800002", "The cart has expired.", status)


def _check_caller(lines: Iterable[CartLine], caller: str) -> None:
    """Raise Refused when lines with a reseller come with an app's token, as for orders."""
    named_resellers = any(participants_of(line.fields) for base in lines for line in base.all)
    if named_resellers and caller == "app":
        raise refused("900329")


def _order_groups(cart: Cart, now: float, behaviour: Behaviour) -> list[Order]:
    """Order each group of a cart that has no order yet, and return the new orders."""
    groups: dict[str, list[CartLine]] = {}
    for line in cart.all_lines:
        groups.setdefault(line.group, []).append(line)
    cart.failed = {}
    orders = []
    for group, lines in groups.items():
        if group in cart.placed:
            continue
        code = _failure(lines, behaviour)
        if code:
            cart.failed[group] = code
            continue
        order = place(_order_request(lines), cart.customer, now, behaviour)
        order.cart = cart.id
        cart.placed[group] = dataclasses.replace(order)
        orders.append(order)
    cart.ordered = bool(cart.placed) and (not cart.failed or behaviour.partial_cart == "ordered")
    return orders


def _failure(lines: Sequence[CartLine], behaviour: Behaviour) -> int:
    """Return the code with which a group fails at a checkout, or 0."""
    for name, code in behaviour.checkout_failures.items():
        if any(named(line.item, [name]) for line in lines):
            return int(code)
    return 0


def _order_request(lines: Sequence[CartLine]) -> OrderRequest:
    first = lines[0].fields
    ordered = [_order_line(number, line.fields) for number, line in enumerate(lines)]
    return OrderRequest(str(first["billingCycle"]), {"currencyCode": first["currencyCode"]}, ordered)


def _order_line(number: int, fields: Mapping[str, object]) -> dict[str, object]:
    line = {"lineItemNumber": number, "offerId": fields["catalogItemId"]}
    line |= {name: fields[name] for name in _SAME_NAME if name in fields}
    if fields["provisioningContext"]:
        line["provisioningContext"] = fields["provisioningContext"]
    for key, name in ((RESELLER, "partnerIdOnRecord"), (ADDITIONAL_RESELLER, "additionalPartnerIdsOnRecord")):
        values = [item["value"] for item in participants_of(fields) if item["key"] == key]
        if values:
            line[name] = values[0] if key == RESELLER else values
    return line
