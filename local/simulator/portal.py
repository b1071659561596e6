"""What people do by hand in Partner Center's portal, unseen by the clients of the API.

    partner_center.portal.upload(order_id, "PO.pdf", "POAttachment", b"%PDF-1.7 …")
    partner_center.portal.change_order(order_id, {"lineItems": [{"lineItemNumber": 0, "quantity": 7}]})
    partner_center.portal.place_order(customer, {"lineItems": [{"lineItemNumber": 0, "offerId": "…"}]})
    partner_center.portal.pad_orders(customer, 10_000)
    partner_center.portal.expire_cart(cart_id)

In answers all of it looks like what came over the API; the state keeps it apart (state.Order).
"""

from __future__ import annotations

import copy
import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping

from local.simulator.behaviour import DAY
from local.simulator.orders import own_link, shown_line
from local.simulator.shapes import documented_date
from local.simulator.state import (
    KINDS,
    PENDING,
    STATUSES,
    UPLOADED,
    Attachment,
    Cart,
    Order,
    Origin,
    State,
    Submission,
)

_HOUR = 3_600


class Portal:
    """The portal of one simulated Partner Center. `clock` gives seconds since 1970. Safe to use from many
    threads."""

    def __init__(self, state: State, clock: Callable[[], float]) -> None:
        self.state = state
        self.clock = clock

    def upload(self, order_id: str, file_name: str, kind: str, content: bytes) -> Attachment:
        """Attach a file to an order; `kind` is one of state.KINDS. Raises ValueError."""
        if kind not in KINDS:
            raise ValueError(f"there is no attachmentType {kind!r}; there are {', '.join(KINDS)}")
        with self.state.lock:
            order, behaviour = self._order(order_id), self.state.behaviour
            kept = min(behaviour.keep_bytes, behaviour.keep_total - self.state.kept_bytes)
            item = Attachment(
                id=secrets.token_hex(7),
                file_name=file_name,
                kind=kind,
                content_type="application/pdf",
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                content=content if len(content) <= kept else None,
            )
            self.state.kept_bytes += len(item.content or b"")
            order.by_hand.append(Submission(self.clock(), "", "", "", (item,), ()))
            order.status = UPLOADED
            order.version += 1
            return item

    def change_order(self, order_id: str, changes: Mapping[str, object]) -> Order:
        """Change members of an order by their documented names, and return it.

        `status` is one of state.STATUSES; of `lineItems` each names its line by lineItemNumber and changes
        the members that it has. Raises ValueError.
        """
        with self.state.lock:
            order = self._order(order_id)
            body, status = copy.deepcopy(order.body), changes.get("status", order.status)
            if not isinstance(status, str) or status not in STATUSES:
                raise ValueError(f"there is no order status {status!r}")
            for name, value in changes.items():
                if name == "lineItems":
                    _change_lines(body.get(name), value)
                elif name != "status":
                    body[name] = value
            order.body, order.status = body, status
            order.version += 1
            order.changes.append(dict(changes))
            return order

    def place_order(
        self,
        customer: str,
        body: Mapping[str, object] | None = None,
        *,
        order_id: str = "",
        status: str = PENDING,
    ) -> Order:
        """Place an order of which `body` may say anything, and return it. Raises ValueError."""
        order_id, now = order_id or str(uuid.uuid4()), self.clock()
        usual = self._usual(customer, order_id, now)
        return self.state.seed_order(customer, order_id, now, status, {**usual, **(body or {})})

    def expire_cart(self, cart_id: str) -> Cart:
        """Let a cart expire now, and return it. Raises ValueError."""
        with self.state.lock:
            cart = self.state.carts.get(cart_id)
            if cart is None:
                raise ValueError(f"there is no cart {cart_id!r}")
            cart.expires = self.clock()
            return cart

    def pad_orders(self, customer: str, count: int, lines: int = 1) -> None:
        """Give a customer `count` completed orders of earlier days, one an hour, of `lines` lines each."""
        now = self.clock()
        with self.state.lock:
            for nth in range(count, 0, -1):
                order = self._padding(customer, now - DAY - nth * _HOUR, lines)
                self.state.orders[order.id] = order

    def _padding(self, customer: str, created: float, lines: int) -> Order:
        order_id = str(uuid.uuid4())
        numbered = ({"lineItemNumber": number, **_PADDING} for number in range(lines))
        body: dict[str, object] = {
            "id": order_id,
            "referenceCustomerId": customer,
            "lineItems": [shown_line(line, customer) for line in numbered],
            **self._usual(customer, order_id, created),
        }
        return Order(order_id, customer, created, body, "completed", origin=Origin.PADDING)

    def _order(self, order_id: str) -> Order:
        order = self.state.orders.get(order_id)
        if order is None:
            raise ValueError(f"there is no order {order_id!r}")
        return order

    def _usual(self, customer: str, order_id: str, created: float) -> dict[str, object]:
        return {
            "billingCycle": "monthly",
            "creationDate": documented_date(created + self.state.behaviour.clock_skew),
            "links": own_link(customer, order_id),
        }


_PADDING: Mapping[str, object] = {
    "offerId": "CFQ7TTC0LHSL:0001:CFQ7TTC0RM8K",
    "friendlyName": "An order of earlier days",
    "quantity": 3,
    "termDuration": "P1M",
}


def _change_lines(lines: object, changes: object) -> None:
    if not isinstance(changes, list) or not all(isinstance(item, Mapping) for item in changes):
        raise ValueError("lineItems is not a list of objects")
    there = [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
    for change in changes:
        number = change.get("lineItemNumber")
        line = next((line for line in there if line.get("lineItemNumber") == number), None)
        if line is None:
            raise ValueError(f"there is no lineItemNumber {number!r}")
        line.update(change)
