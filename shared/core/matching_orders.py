"""Is a new order of a customer the one that was sent? The second of the two decisions.

What the answers mean stands in shared/core/matching.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from shared.core.matching import Absent, Ambiguous, Ours, Verdict, pairing
from shared.core.moments import YEARS, iso_moment
from shared.core.resources import Json, PartnerOrder, by_lower_name, number

DATE_MARGIN = timedelta(hours=1)
"""Clocks, and moments that are told of an order's beginning or its end, may differ by this."""
UNDATED_MARGIN = timedelta(days=1)
"""The same when Partner Center's own clock is not known."""
EARLY = timedelta(minutes=5)
"""What was created so long before the silence is not ours, and not provably another's."""
_ZONES = timedelta(hours=14)
"""A date without a zone may lie so far west or east."""


@dataclass(frozen=True, slots=True)
class Twin:
    """Another open request of the customer: what it sent, and whether its POST is under way right now."""

    sent: PartnerOrder
    under_way: bool


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What is there may be that of a request which is being sent right now: ask again."""


def is_older(order: PartnerOrder, since: datetime, skew: timedelta | None) -> bool:
    """Whether an order was provably created well before `since`, on our clock.

    `skew` is Partner Center's clock minus ours, None when it told none; a clock that is ahead makes nothing
    older. A date that cannot be read proves nothing; one without a zone, or without a time, counts as late
    as it can be.
    """
    created = _latest(order.created)
    if created is None:
        return False
    if skew is None:
        return since - created > UNDATED_MARGIN
    return since - created + min(skew, timedelta()) > DATE_MARGIN


def has_exact_moment(order: PartnerOrder) -> bool:
    """Whether an order tells when it was created: date, time and zone."""
    return _exact_moment(order) is not None


def is_early(order: PartnerOrder, since: datetime, skew: timedelta | None) -> bool:
    """Whether an order says, to the moment and by Partner Center's own clock, that it was created before
    `since`: not ours, although it is not well before it."""
    created = _exact_moment(order)
    return skew is not None and created is not None and created + EARLY < since + skew


def _exact_moment(order: PartnerOrder) -> datetime | None:
    moment = iso_moment(order.created)
    exact = moment is not None and moment.tzinfo is not None and _latest(order.created) == moment
    return moment if exact else None


def shares_product(order: PartnerOrder, sent: PartnerOrder) -> bool:
    """Whether an order may hold a product that was sent: the product is what stands before the first `:` of
    an offer id. https://learn.microsoft.com/en-us/partner-center/developer/product-resources"""
    there, ours = _products(order), _products(sent)
    return not there or not ours or not there.isdisjoint(ours)


def match_order(
    sent: PartnerOrder,
    candidates: Sequence[PartnerOrder],
    twins: Sequence[Twin] = (),
    early: Sequence[PartnerOrder] = (),
) -> Verdict | UnderWay:
    """Judge the orders that are new, owned by no request, and share a product with what was sent.

    `Ours.ids` are all that are exactly it, and not just as well a twin's that sent something else; each of
    them may be taken. Each of the open twins explains one order that is exactly its own. A list that is read
    in pages may tell an order twice. What is among `early` is not ours, however alike.
    """
    orders = [order for n, order in enumerate(candidates) if order not in candidates[:n]]
    exact = [order for order in orders if order not in early and _agrees(order, sent)]
    if any(twin.under_way and _agrees(order, twin.sent) for twin in twins for order in exact or orders):
        return UnderWay()
    others = [twin.sent for twin in twins]
    if not exact:
        if pairing(orders, others, _agrees) is not None:
            return Absent()
        return Ambiguous(
            f"the customer has {len(orders)} new orders for these products that differ from this one"
        )
    if pairing(exact, [sent, *others], _agrees) is None:
        return Ambiguous(f"the customer has {len(exact)} new orders like this one, more than were requested")
    rivals = [other for other in others if other != sent]
    mine = [order for order in exact if not any(_agrees(order, rival) for rival in rivals)]
    if not mine:
        return Ambiguous("the customer has a new order like this one that may belong to another request")
    ids = tuple(order.id for order in mine)
    return Ours(ids) if all(ids) else Ambiguous("the id of a new order like this one cannot be read")


def _agrees(order: PartnerOrder, sent: PartnerOrder) -> bool:
    """Whether an order is exactly what was sent: every field that was sent and comes back is compared, on the
    order and on its lines, in whatever order these come; what does not come back says nothing, but offer and
    quantity must."""
    lines, own_lines = order.lines, sent.lines
    same_lines = len(lines) == len(own_lines) and _same_members(sent.members, order.members, "lineitems")
    return bool(lines) and same_lines and pairing(own_lines, lines, _same_line) is not None


def _same_line(own: Json, line: Json) -> bool:
    present = all(line.get(name) is not None for name in ("offerid", "quantity"))
    return present and _same_members(own, line, "lineitemnumber")


def _same_members(sent: Json, there: Json, ignored: str) -> bool:
    return all(
        _same(name, value, there[name])
        for name, value in sent.items()
        if name != ignored and there.get(name) is not None
    )


_CYCLE = "billingcycle"
_CHOOSE = "unknown"
"""The billing cycle that leaves the choice to Partner Center; it comes back as what was chosen."""


def _same(name: str, sent: Any, there: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(sent, Mapping) and isinstance(there, Mapping):
        ours, theirs = by_lower_name(sent), by_lower_name(there)
        return all(member in theirs and _same(member, ours[member], theirs[member]) for member in ours)
    if isinstance(sent, list) and isinstance(there, list):
        return len(sent) == len(there) and pairing(sent, there, partial(_same, name)) is not None
    if name == _CYCLE:
        return sent == _CHOOSE or _plain(sent.replace("_", "")) == _plain(_text(there).replace("_", ""))
    return _plain(sent) == _plain(there)


def _plain(value: object) -> object:
    """A scalar apart from its spelling: numbers by value, moments by instant, text without case."""
    amount = number(value)
    if amount is not None:
        return amount
    text = _text(value).strip()
    return iso_moment(text) or text.casefold()


def _products(order: PartnerOrder) -> frozenset[str]:
    """The products of an order, none when not all of them can be read."""
    offers = [line.get("offerid") for line in order.lines]
    products = [offer.partition(":")[0].strip() if isinstance(offer, str) else "" for offer in offers]
    return frozenset(map(str.casefold, products)) if all(products) else frozenset()


def _latest(created: str) -> datetime | None:
    """The latest moment that a date can mean; None when it cannot be read. A full quarter of an hour may
    stand for the whole day: in some zone it is midnight."""
    moment = iso_moment(created)
    if moment is None or moment.year not in YEARS:
        return None
    if moment.minute % 15 == moment.second == moment.microsecond == 0:
        moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC) + _ZONES


def _text(value: object) -> str:
    return "" if value is None else str(value)
