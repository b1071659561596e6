"""What carts and their checkouts contain, as far as it is read, and what a checkout is answered with.

Members are found whatever their case. A cart's lines come back with the order group that Partner Center put
each in; a checkout makes an order of each group, or an error of it.
https://learn.microsoft.com/en-us/partner-center/developer/cart-resources
https://learn.microsoft.com/en-us/partner-center/developer/checkout-a-cart
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.core.ledger_parts import CartNote, OrderContent
from shared.core.moments import YEARS, iso_moment
from shared.core.resources import Json, PartnerOrder, by_lower_name, number, read_order
from shared.core.strict_json import dumps

ALMOST = timedelta(minutes=10)
"""A cart that expires so soon counts as expired."""

_LONGEST_TEXT = 1024
_MANY = 10**9


@dataclass(frozen=True, slots=True)
class LineFault:
    """What Partner Center says of a line that it does not sell: `pointer` is where the line stands in the
    request (RFC 6901)."""

    pointer: str
    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Cart:
    """A cart of Partner Center's: `status` is in lower case, `lines` are as they came."""

    id: str
    status: str
    expires: datetime | None
    lines: tuple[Json, ...]

    def note(self, sent: OrderContent) -> CartNote:
        """What the ledger keeps of the cart that was made of `sent`."""
        came, _ = self._lines_of(_sent_lines(sent))
        return CartNote(id=self.id, groups=tuple(_text(line.get("ordergroup")) for line in came))

    def faults(self, sent: OrderContent) -> tuple[LineFault, ...]:
        """What is wrong with the lines that were sent: what Partner Center says of them, and that they are
        not in the cart as they were sent. A fault of a line that nobody sent has no pointer, and so has that
        line itself: it would be bought as well."""
        lines, found = _sent_lines(sent), list[LineFault]()
        came, others = self._lines_of(lines)
        for n, (line, there) in enumerate(zip(lines, came, strict=True)):
            pointer = f"/lineItems/{n}"
            named = list(_faults(there, pointer))
            if not named and _items([there]) != _items([by_lower_name(line)]):
                named = [LineFault(pointer, "", "the cart does not hold this line as it was sent")]
            found += named
        add_ons = {_text(item.get("id")) for line in lines for item in _objects(line.get("addonItems"))}
        for line in others:  # an add-on may stand as a line of its own
            named = list(_faults(line, ""))
            if not named and _text(line.get("id")) not in add_ons:
                named = [LineFault("", "", "the cart holds a line that was not sent")]
            found += named
        return tuple(found)

    def _lines_of(self, sent: Sequence[Json]) -> tuple[list[Json], list[Json]]:
        """For each line that was sent the one in the cart, {} for none; and what else the cart holds. By its
        id where it is what was sent, else by what it is, since Partner Center may give lines ids of its own,
        else by its id alone."""
        came: list[Json] = [by_lower_name(line) for line in self.lines]
        there = [_key(line, n) for n, line in enumerate(came)]
        wanted = [_key(by_lower_name(line), n) for n, line in enumerate(sent)]
        left, found = set(range(len(came))), dict[int, Json]()
        for part in (slice(0, 2), slice(1, 3), slice(1, 2), slice(0, 1)):
            free = defaultdict[tuple[object, ...], list[int]](list)
            for n in sorted(left, reverse=True):
                free[there[n][part]].append(n)
            for place, key in enumerate(wanted):
                if place not in found and free[key[part]]:
                    n = free[key[part]].pop()
                    found[place] = came[n]
                    left.discard(n)
        return [found.get(n, {}) for n in range(len(sent))], [came[n] for n in sorted(left)]

    def has_expired(self, now: datetime) -> bool:
        """Whether it expired, or is about to. It says so by its own clock: the margin is for that."""
        return self.expires is not None and self.expires - ALMOST < now


def _key(line: Json, place: int) -> tuple[object, ...]:
    """The id of a line, what is sold, and how it is billed."""
    return _text(line.get("id", place)), _items([line]), _billing(line, [line])


def read_cart(cart: Json) -> Cart:
    """Read a cart; nothing that it may hold is an error. A moment without a zone is in UTC."""
    members = by_lower_name(cart)
    expires = members.get("expirationtimestamp")
    moment = iso_moment(expires) if isinstance(expires, str) else None
    if moment and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Cart(
        id=_id(cart),
        status=_text(members.get("status")).strip().lower(),
        expires=moment if moment and moment.year in YEARS else None,
        lines=tuple(_objects(members.get("lineitems"))),
    )


def _faults(line: Json, pointer: str) -> Iterator[LineFault]:
    found = _fault(line, pointer)
    if found:
        yield found
    for n, item in enumerate(_objects(line.get("addonitems"))):
        found = _fault(by_lower_name(item), f"{pointer}/addonItems/{n}" if pointer else "")
        if found:
            yield found


def _fault(line: Json, pointer: str) -> LineFault | None:
    """The fault of a line; anything that stands in its place is one, whatever it is."""
    error = line.get("error")
    if error in (None, {}, [], ""):
        return None
    members = _error_members(error)
    description = _text(members.get("errordescription") or members.get("description"))
    return LineFault(pointer, _text(members.get("errorcode") or members.get("code")), description)


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """What a checkout came to: the ids of the orders that it made, and what the caller is answered.
    `is_whole`: there is an order or an error for each order group of the cart."""

    ids: tuple[str, ...]
    body: str
    is_whole: bool


def checked_out(result: Json, content: OrderContent) -> CheckedOut | None:
    """Read the answer to a checkout; None when it tells of no order and of no error, of an order without an
    id, or of orders in two ways. The example for licences shows an order in its place: that is one order,
    and no error."""
    members = by_lower_name(result)
    orders = [result] if _id(result) and "orders" not in members else _list(members.get("orders"))
    failed = members.get("ordererrors") or []
    errors = [_error(item) for item in (failed if isinstance(failed, list) else [failed])]
    ids = dict.fromkeys(_id(order) if isinstance(order, Mapping) else "" for order in orders)
    if not (orders or errors) or not all(ids) or len(members) < len(result):
        return None
    failed_groups = {error["orderGroupId"] for error in errors}
    is_whole = len(ids) + len(failed_groups) >= len(_groups(content, _sent_lines(content)))
    try:
        body = _body(content, orders, errors)
    except RecursionError:  # an order that is nested too deeply to be kept
        body = _body(content, [{"id": i} for i in ids], errors)
    return CheckedOut(tuple(ids), body, is_whole)


def adopted(orders: Sequence[Json], content: OrderContent) -> str:
    """What a checkout is answered with whose orders a person names."""
    return _body(content, orders, ())


def faults_of(body: str) -> tuple[LineFault, ...]:
    """Why lines were not ordered, from the answer that the ledger keeps: one for each line, and for each
    error that stands for no line."""
    answer = json.loads(body)
    lines = [line for line in answer["lines"] if "error" in line]
    told = [line["error"]["orderGroupId"] for line in lines]
    placed = [(f"/lineItems/{line['line']}", line["error"]) for line in lines]
    placed += [("", error) for error in answer["orderErrors"] if error["orderGroupId"] not in told]
    return tuple(LineFault(pointer, error["code"], error["description"]) for pointer, error in placed)


AGAIN = "send these lines again, corrected, as a new checkout with a new Idempotency-Key"
"""What to do about lines that were not ordered; what was ordered stays so."""


def _body(content: OrderContent, orders: Sequence[Json], errors: Sequence[Mapping[str, str]]) -> str:
    cart = content.cart or CartNote()
    lines = _lines(content, orders, errors)
    told = {"cartId": cart.id, "orders": orders, "orderErrors": errors, "lines": lines}
    return dumps(told | ({"remedy": AGAIN} if errors else {}))


def _error_members(error: object) -> Json:
    """The members of an error; one that is no object is its own description."""
    return by_lower_name(error) if isinstance(error, Mapping) else {"description": error}


def _error(item: object) -> dict[str, str]:
    """An error as the caller gets it."""
    members = _error_members(item)
    return {
        "orderGroupId": _text(members.get("ordergroupid")),
        "code": _text(members.get("code")),
        "description": _text(members.get("description")),
    }


def _lines(
    content: OrderContent, orders: Sequence[Json], errors: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """For each line that was sent the order that it became part of, or the error; neither where what came
    back does not tell."""
    sent = _sent_lines(content)
    groups = _groups(content, sent)
    known = groups.keys() - {""}
    failed = {error["orderGroupId"]: error for error in errors if error["orderGroupId"] in known}
    left = {name: group for name, group in groups.items() if name not in failed}
    ordered = _ordered(left, orders, is_whole=all(e["orderGroupId"] in known for e in errors))
    told = []
    for group, lines in groups.items():
        for n in lines:
            line: dict[str, Any] = {"line": n, "catalogItemId": sent[n].get("catalogItemId", "")}
            if group in failed:
                line["error"] = failed[group]
            elif group in ordered:
                line["orderId"] = ordered[group]
            told.append(line)
    return sorted(told, key=lambda line: int(line["line"]))


def _ordered(
    groups: Mapping[str, Mapping[int, Json]], orders: Sequence[Json], *, is_whole: bool
) -> dict[str, str]:
    """Which group became which order: the one that is left when all groups are known, or the one that holds
    just its items."""
    if is_whole and len(groups) == 1 == len(orders):
        return {name: _id(orders[0]) for name in groups}
    made = defaultdict[_Items, dict[str, _Billing]](dict)
    for order in map(read_order, {_id(order): order for order in orders}.values()):
        made[_items(order.lines, "offerid")][_id(order.json)] = _billing(order.members, order.lines)
    found: dict[str, str] = {}
    for name, lines in groups.items():
        wanted = [by_lower_name(item) for line in lines.values() for item in _all(line)]
        fits = made[_items(wanted)]
        if len(fits) > 1:  # of equal items what is billed otherwise, or for another term, is another order
            billing = _billing(wanted[0], wanted)
            fits = {i: billed for i, billed in fits.items() if billed == billing}
        if len(fits) == 1:
            found[name] = next(iter(fits))
    times = Counter(found.values())
    return {name: order for name, order in found.items() if times[order] == 1}


_Items = tuple[tuple[str, str], ...]
_Billing = tuple[str, tuple[str, ...]]


def _items(lines: Sequence[Json], name: str = "catalogitemid") -> _Items:
    """What is sold, and how many of it, in whatever order the lines come."""
    return tuple(
        sorted((_text(line.get(name)).casefold(), _quantity(line.get("quantity"))) for line in lines)
    )


def _billing(billed: Json, lines: Sequence[Json]) -> _Billing:
    """The billing cycle, apart from its spelling, and the terms."""
    cycle = _text(billed.get("billingcycle")).replace("_", "").casefold()
    return cycle, tuple(sorted(_text(line.get("termduration")).upper() for line in lines))


def _quantity(value: object) -> str:
    """A quantity by its value: 5, "5" and 5.0 are one."""
    read = number(value)
    return _text(value) if read is None or not 0 < read < _MANY else str(read.normalize())


def orders_to_come(content: OrderContent) -> list[PartnerOrder]:
    """The orders that the checkout of a cart makes, as far as its lines tell, one for each group."""
    sent = _sent_lines(content)
    return [
        read_order({"lineItems": [_as_order_line(item) for line in lines.values() for item in _all(line)]})
        for lines in _groups(content, sent).values()
    ]


def _as_order_line(item: Json) -> Json:
    return {"offerId": item.get("catalogItemId"), "quantity": item.get("quantity")}


def _all(line: Json) -> list[Json]:
    """A line and the add-ons that are bought with it."""
    return [line, *_objects(line.get("addonItems"))]


def _groups(content: OrderContent, sent: Sequence[Json]) -> dict[str, dict[int, Json]]:
    """The lines that were sent, by order group and number."""
    named = content.cart.groups if content.cart else ()
    groups: dict[str, dict[int, Json]] = {}
    for n, line in enumerate(sent):
        groups.setdefault(named[n] if n < len(named) else "", {})[n] = line
    return groups


def _sent_lines(content: OrderContent) -> list[Json]:
    return _objects(json.loads(content.body)["lineItems"])


def _objects(value: object) -> list[Json]:
    return [item for item in _list(value) if isinstance(item, Mapping)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _id(item: Json) -> str:
    """What Partner Center calls a cart or an order; "" when that is neither a text nor a number."""
    told = by_lower_name(item).get("id")
    return str(told).strip() if isinstance(told, str | int) and not isinstance(told, bool) else ""


def _text(value: object) -> str:
    text = str(value)[:_LONGEST_TEXT] if isinstance(value, str | int | Decimal) else ""
    return "".join(letter if letter.isprintable() else " " for letter in text)
