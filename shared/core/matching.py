"""Is it ours? The two decisions on which "never twice" and "never lost" rest, as pure functions.

After a POST that got no answer Partner Center is asked what it has, and the difference to what it had before
is judged here:

- **ours**: what is there can be nothing but what was sent;
- **absent**: nothing is there that could be;
- **ambiguous**: everything else. A person decides; nothing is sent.

What cannot be read is never absent. Names, sizes and spellings may come back changed, because the documents
leave open how Partner Center tells them:
https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details
https://learn.microsoft.com/en-us/partner-center/developer/order-resources
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from math import ceil, floor
from typing import Any, TypeVar
from urllib.parse import unquote

from shared.core.ledger import DocumentFacts

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ours:
    """It is there. `ids` name it, one for each document, or the order; `foreign` is what else is new. `exact`
    is False when a name or a size came back changed: then what is ours may still be on its way."""

    ids: tuple[str, ...]
    foreign: tuple[str, ...] = ()
    exact: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """Nothing is there that could be ours."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Something is there that is neither provably ours nor provably another's."""

    detail: str


Verdict = Ours | Absent | Ambiguous


# --- documents of an order ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of an order's list of attachments, as far as it can be read.

    `kind` is the attachment type in lower case, "" when it cannot be read; `size` the number that `sizeInKB`
    told, in whatever unit, None when there is none.
    """

    id: str
    kind: str
    name: str
    size: Decimal | None


_KINDS = ("poattachment", "tenderattachment")


def read_listed(item: Json) -> Listed | None:
    """Read one entry, member names without regard to case; None when it has no id to know it by. Enumerations
    are told in Pascal case or with underscores, as others of Partner Center's are."""
    members = {str(name).lower(): value for name, value in item.items()}
    attachment_id, name = members.get("attachmentid"), members.get("filename")
    if not isinstance(attachment_id, str) or not attachment_id.strip():
        return None
    kind = str(members.get("attachmenttype")).strip().lower().replace("_", "")
    return Listed(
        id=attachment_id,
        kind=kind if kind in _KINDS else "",
        name=name if isinstance(name, str) else "",
        size=_number(members.get("sizeinkb")),
    )


def match_documents(
    sent: Sequence[DocumentFacts], new: Sequence[Listed], siblings: Iterable[Sequence[DocumentFacts]] = ()
) -> Verdict:
    """Judge the entries, each with an id of its own, that are new since the snapshot and owned by no other
    submission.

    `siblings` are the documents of submissions in review. They explain entries that fit them exactly and none
    of ours at all; what may be theirs as well is not provably ours.
    """
    in_review = [document for documents in siblings for document in documents]
    left = _unexplained(sent, new, in_review)
    if not left:
        return Absent()
    unreadable = sum(not entry.kind for entry in left)
    if unreadable:
        return Ambiguous(f"{unreadable} new attachments of the order cannot be read")
    fits, ids = _is_exactly, _exact(sent, left)
    if not ids and Counter(d.kind.lower() for d in sent) == Counter(entry.kind for entry in left):
        fits, ids = _may_be, nearest(sent, left)
    if not ids:
        return Ambiguous(_difference(sent, left))
    ours = [entry for entry in left if entry.id in ids]
    if any(fits(document, entry) for document in in_review for entry in ours):
        return Ambiguous("the new attachments may be those of another submission, which is in review")
    return Ours(ids, tuple(entry.id for entry in left if entry.id not in ids), fits is _is_exactly)


def match_without_base(sent: Sequence[DocumentFacts], unowned: Sequence[Listed]) -> Verdict:
    """Judge the entries that no submission owns when nobody knows which of them are older than the POST: what
    fits may have been there before."""
    if not unowned:
        return Absent()
    among = "is" if nearest(sent, unowned) else "is not"
    return Ambiguous(
        "which attachments the order had before could not be read, and it has "
        f"{len(unowned)} that nobody owns; what fits the documents {among} among them"
    )


def counts_suffice(sent: Sequence[DocumentFacts], listed: Sequence[Listed]) -> bool:
    """Whether a list holds at least as many entries of each kind as were sent."""
    there = Counter(entry.kind for entry in listed)
    return all(there[kind] >= n for kind, n in Counter(d.kind.lower() for d in sent).items())


def nearest(sent: Sequence[DocumentFacts], listed: Sequence[Listed]) -> tuple[str, ...]:
    """The ids that a person means who says that the documents are there: kind and name or size fit, and what
    agrees in all three comes first. None when there is not one for each document."""
    pairs = _pairing(sent, listed, _is_exactly, _may_be)
    return tuple(listed[index].id for index in pairs) if pairs is not None else ()


def _unexplained(
    sent: Sequence[DocumentFacts], new: Sequence[Listed], in_review: Sequence[DocumentFacts]
) -> list[Listed]:
    """The entries but for those that are documents in review; each of these explains one."""
    others = [entry for entry in new if not any(_may_be(document, entry) for document in sent)]
    explained = _pairing(others, in_review, lambda entry, document: _is_exactly(document, entry)) is not None
    return [entry for entry in new if not explained or entry not in others]


def _exact(sent: Sequence[DocumentFacts], entries: Sequence[Listed]) -> tuple[str, ...]:
    """An id for each document, when each has exactly one entry that agrees in everything; else none."""
    ids = []
    for document in sent:
        fitting = [entry.id for entry in entries if _is_exactly(document, entry)]
        if len(fitting) != 1:
            return ()
        ids += fitting
    return tuple(ids) if len(set(ids)) == len(ids) else ()


def _is_exactly(document: DocumentFacts, entry: Listed) -> bool:
    same_kind = entry.kind == document.kind.lower()
    return same_kind and _same_name(document.file_name, entry.name) and _same_size(document.size, entry.size)


def _may_be(document: DocumentFacts, entry: Listed) -> bool:
    """Whether kind and name agree and the size, in whatever unit, does not contradict (0 may be no size at
    all); or kind and size."""
    if entry.kind != document.kind.lower():
        return False
    if _same_name(document.file_name, entry.name):
        return not entry.size or _same_size(document.size, entry.size, coarse=True)
    return _same_size(document.size, entry.size)


def _same_size(size: int, told: Decimal | None, *, coarse: bool = False) -> bool:
    """Whether a number can be the size: in bytes, or in thousands or 1,024s rounded either way. How it is
    rounded is not documented. `coarse` takes millions as well."""
    if told is None:
        return False
    units = (1, 1000, 1024, *((1000**2, 1024**2) if coarse else ()))
    return any(floor(size / unit) <= told <= ceil(size / unit) for unit in units)


def _same_name(sent: str, listed: str) -> bool:
    """Whether a listed name can be the one that was sent: as it was, escaped (as on the wire) or with what
    looked like an escape resolved, in another case or Unicode form, or its UTF-8 read as Latin-1."""
    raw = sent.encode()
    read = (sent, raw.decode("latin-1"), raw.decode("cp1252", "replace"))
    return any(not _forms(one).isdisjoint(_forms(listed)) for one in read)


def _forms(name: str) -> frozenset[str]:
    return frozenset((_folded(name), _folded(unquote(name))))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


_Left = TypeVar("_Left")
_Right = TypeVar("_Right")


def _pairing(
    left: Sequence[_Left], right: Sequence[_Right], *fits: Callable[[_Left, _Right], bool]
) -> list[int] | None:
    """For each of `left` the index of another one of `right` that fits; None when there is no such pairing.
    What fits by the first of `fits` is tried first.

    Augmenting paths (Kuhn): documents and lines are few, and taking the first that fits can miss a pairing.
    """
    choices = [[n for fit in fits for n, other in enumerate(right) if fit(one, other)] for one in left]
    holder: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        for index in choices[one]:
            if index not in tried:
                tried.add(index)
                if index not in holder or place(holder[index], tried):
                    holder[index] = one
                    return True
        return False

    if not all(place(one, set()) for one in range(len(left))):
        return None
    paired = {one: index for index, one in holder.items()}
    return [paired[one] for one in range(len(left))]


def _difference(sent: Sequence[DocumentFacts], left: Sequence[Listed]) -> str:
    missing = [d.file_name for d in sent if not any(_may_be(d, entry) for entry in left)]
    extra = len(left) - len(sent)
    if missing and len(missing) < len(sent):
        return f"Partner Center has some of the documents, but nothing that fits {', '.join(missing)}"
    if missing:
        return f"the order has {len(left)} new attachments that fit none of the documents"
    if extra > 0:
        return f"the order has {len(left)} new attachments that may be the {len(sent)} documents"
    return f"the order has {len(left)} new attachments for {len(sent)} documents"


# --- orders of a customer -----------------------------------------------------------------------------------

DATE_MARGIN = timedelta(hours=1)
"""Clocks, and moments that are told of an order's beginning or its end, may differ by this."""
UNDATED_MARGIN = timedelta(days=1)
"""The same when Partner Center's own clock is not known."""
EARLY = timedelta(minutes=5)
"""What was created so long before the silence is not ours, and not provably another's."""
_ZONES = timedelta(hours=14)
"""A date without a zone may lie so far west or east."""
_YEARS = range(2010, 9999)
"""No order is older than the programme. An earlier year, and the last, is the default of some type, as
0001-01-01 is: https://learn.microsoft.com/en-us/dotnet/api/system.datetime.minvalue"""


@dataclass(frozen=True, slots=True)
class Twin:
    """Another open request of the customer: what it sent, and whether its POST is under way right now."""

    sent: Json
    under_way: bool


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What is there may be that of a request which is being sent right now: ask again."""


def is_older(order: Json, since: datetime, skew: timedelta | None) -> bool:
    """Whether an order was provably created well before `since`, on our clock.

    `skew` is Partner Center's clock minus ours, None when it told none; a clock that is ahead makes nothing
    older. A date that cannot be read proves nothing; one without a zone, or without a time, counts as late
    as it can be.
    """
    created = _latest(_members(order).get("creationdate"))
    if created is None:
        return False
    if skew is None:
        return since - created > UNDATED_MARGIN
    return since - created + min(skew, timedelta()) > DATE_MARGIN


def tells_moment(order: Json) -> bool:
    """Whether an order tells when it was created: date, time and zone."""
    return _exact_moment(order) is not None


def is_early(order: Json, since: datetime, skew: timedelta | None) -> bool:
    """Whether an order says, to the moment and by Partner Center's own clock, that it was created before
    `since`: not ours, although it is not well before it."""
    created = _exact_moment(order)
    return skew is not None and created is not None and created + EARLY < since + skew


def _exact_moment(order: Json) -> datetime | None:
    told = _members(order).get("creationdate")
    moment = _moment(told.strip()) if isinstance(told, str) else None
    exact = moment is not None and moment.tzinfo is not None and _latest(told) == moment
    return moment if exact else None


def shares_product(order: Json, sent: Json) -> bool:
    """Whether an order may hold a product that was sent: the product is what stands before the first `:` of
    an offer id. https://learn.microsoft.com/en-us/partner-center/developer/product-resources"""
    there, ours = _products(order), _products(sent)
    return not there or not ours or not there.isdisjoint(ours)


def match_order(
    sent: Json, candidates: Sequence[Json], twins: Sequence[Twin] = (), early: Sequence[Json] = ()
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
        if _pairing(orders, others, _agrees) is not None:
            return Absent()
        return Ambiguous(
            f"the customer has {len(orders)} new orders of these products that are not quite this one"
        )
    if _pairing(exact, [sent, *others], _agrees) is None:
        return Ambiguous(f"the customer has {len(exact)} new orders like this one, more than were asked for")
    rivals = [other for other in others if other != sent]
    mine = [order for order in exact if not any(_agrees(order, rival) for rival in rivals)]
    if not mine:
        return Ambiguous("the customer has a new order like this one that may be another request's")
    ids = tuple(_text(_members(order).get("id")) for order in mine)
    return Ours(ids) if all(ids) else Ambiguous("the id of a new order like this one cannot be read")


def _agrees(order: Json, sent: Json) -> bool:
    """Whether an order is exactly what was sent: every field that was sent and comes back is compared, on the
    order and on its lines, in whatever order these come; what does not come back says nothing, but offer and
    quantity must."""
    there, ours = _members(order), _members(sent)
    lines, own_lines = _lines(there), _lines(ours)
    if not lines or len(lines) != len(own_lines) or not _same_members(ours, there, "lineitems"):
        return False
    return _pairing(own_lines, lines, _same_line) is not None


def _same_line(own: Json, line: Json) -> bool:
    told = all(line.get(name) is not None for name in ("offerid", "quantity"))
    return told and _same_members(own, line, "lineitemnumber")


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
        ours, theirs = _members(sent), _members(there)
        return all(member in theirs and _same(member, ours[member], theirs[member]) for member in ours)
    if isinstance(sent, list) and isinstance(there, list):
        return len(sent) == len(there) and _pairing(sent, there, partial(_same, name)) is not None
    if name == _CYCLE:
        return sent == _CHOOSE or _plain(sent.replace("_", "")) == _plain(_text(there).replace("_", ""))
    return _plain(sent) == _plain(there)


def _plain(value: object) -> object:
    """A scalar apart from its spelling: numbers by value, moments by instant, text without case."""
    number = _number(value)
    if number is not None:
        return number
    text = _text(value).strip()
    return _moment(text) or text.casefold()


def _members(order: Json) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in order.items()}


def _lines(members: Json) -> list[dict[str, Any]]:
    """The lines of an order, none when they cannot be read."""
    lines = members.get("lineitems")
    if not isinstance(lines, list) or not all(isinstance(line, Mapping) for line in lines):
        return []
    return [_members(line) for line in lines]


def _products(order: Json) -> frozenset[str]:
    """The products of an order, none when not all of them can be read."""
    offers = [line.get("offerid") for line in _lines(_members(order))]
    told = [offer.partition(":")[0].strip() if isinstance(offer, str) else "" for offer in offers]
    return frozenset(map(str.casefold, told)) if all(told) else frozenset()


def _latest(told: object) -> datetime | None:
    """The latest moment that a date can mean; None when it cannot be read. A full quarter of an hour may
    stand for the whole day: in some zone it is midnight."""
    moment = _moment(told.strip()) if isinstance(told, str) else None
    if moment is None or moment.year not in _YEARS:
        return None
    if moment.minute % 15 == moment.second == moment.microsecond == 0:
        moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC) + _ZONES


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _number(value: object) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except (InvalidOperation, ValueError):  # ValueError: an integer of thousands of digits
        return None
    return number if number.is_finite() else None


def _text(value: object) -> str:
    return "" if value is None else str(value)
