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
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from math import ceil, floor
from typing import Any, TypeVar
from urllib.parse import unquote

from shared.core.ledger import DocumentFacts

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ours:
    """It is there. `ids` name it, one for each document, or the order; `foreign` is what else is new."""

    ids: tuple[str, ...]
    foreign: tuple[str, ...] = ()


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
    """Read one entry, member names without regard to case; None when it has no id to know it by."""
    members = {str(name).lower(): value for name, value in item.items()}
    attachment_id, name = members.get("attachmentid"), members.get("filename")
    if not isinstance(attachment_id, str) or not attachment_id.strip():
        return None
    kind = str(members.get("attachmenttype") or "").strip().lower()
    return Listed(
        id=attachment_id,
        kind=kind if kind in _KINDS else "",
        name=name if isinstance(name, str) else "",
        size=_number(members.get("sizeinkb")),
    )


def match_documents(
    sent: Sequence[DocumentFacts], new: Sequence[Listed], siblings: Iterable[Sequence[DocumentFacts]] = ()
) -> Verdict:
    """Judge the entries that are new since the snapshot and owned by no other submission.

    `siblings` are the documents of submissions in review: an entry that fits one of them exactly, and none of
    ours at all, is explained by it.
    """
    explained = [document for documents in siblings for document in documents]
    left = [
        entry
        for entry in new
        if any(_may_be(document, entry) for document in sent)
        or not any(_is_exactly(document, entry) for document in explained)
    ]
    if not left:
        return Absent()
    unreadable = sum(not entry.kind for entry in left)
    if unreadable:
        return Ambiguous(f"{unreadable} new attachments of the order cannot be read")
    exact = _exact(sent, left)
    if exact:
        return Ours(exact, tuple(entry.id for entry in left if entry.id not in exact))
    kinds = Counter(document.kind.lower() for document in sent)
    if kinds == Counter(entry.kind for entry in left) and len(left) == len(sent):
        pairs = _pairing(sent, left, _may_be)
        if pairs is not None:
            return Ours(tuple(left[index].id for index in pairs))
    return Ambiguous(_difference(sent, left))


def match_without_base(sent: Sequence[DocumentFacts], unowned: Sequence[Listed]) -> Verdict:
    """Judge the entries that no submission owns when nobody knows which of them are older than the POST."""
    if not unowned:
        return Absent()
    exact = _exact(sent, unowned)
    if exact:
        return Ours(exact, tuple(entry.id for entry in unowned if entry.id not in exact))
    return Ambiguous(
        "which attachments the order had before could not be read, and it has some that nobody owns"
    )


def counts_suffice(sent: Sequence[DocumentFacts], listed: Sequence[Listed]) -> bool:
    """Whether a list holds at least as many entries of each kind as were sent."""
    there = Counter(entry.kind for entry in listed)
    return all(there[kind] >= n for kind, n in Counter(d.kind.lower() for d in sent).items())


def nearest(sent: Sequence[DocumentFacts], listed: Sequence[Listed]) -> tuple[str, ...]:
    """The ids that a person means who says that the documents are there: kind and name or size fit."""
    pairs = _pairing(sent, listed, _may_be)
    return tuple(listed[index].id for index in pairs) if pairs is not None else ()


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
    """Whether kind and name agree and the size, in whatever unit, does not contradict; or kind and size."""
    if entry.kind != document.kind.lower():
        return False
    if _same_name(document.file_name, entry.name):
        return entry.size is None or _same_size(document.size, entry.size, coarse=True)
    return _same_size(document.size, entry.size)


def _same_size(size: int, told: Decimal | None, *, coarse: bool = False) -> bool:
    """Whether a number can be the size: in bytes, or in thousands or 1,024s rounded either way. How it is
    rounded is not documented. `coarse` takes millions as well."""
    if told is None:
        return False
    units = (1, 1000, 1024, *((1000**2, 1024**2) if coarse else ()))
    return any(floor(size / unit) <= told <= ceil(size / unit) for unit in units)


def _same_name(sent: str, listed: str) -> bool:
    """Whether a listed name can be the one that was sent: as it was, escaped as on the wire, in another case
    or Unicode form, or its UTF-8 read as Latin-1."""
    return bool(listed) and not _forms(sent).isdisjoint({_folded(listed), _folded(unquote(listed))})


def _forms(name: str) -> frozenset[str]:
    escaped = name.translate({ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"})
    raw = name.encode("utf-8", "replace")
    mangled = (raw.decode("latin-1"), raw.decode("cp1252", "replace"))
    return frozenset(_folded(form) for form in (name, escaped, *mangled))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


_Left = TypeVar("_Left")
_Right = TypeVar("_Right")


def _pairing(
    left: Sequence[_Left], right: Sequence[_Right], fits: Callable[[_Left, _Right], bool]
) -> list[int] | None:
    """For each of `left` the index of another one of `right` that fits; None when there is no such pairing.

    Augmenting paths (Kuhn): documents and lines are few, and taking the first that fits can miss a pairing.
    """
    choices = [[n for n, other in enumerate(right) if fits(one, other)] for one in left]
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
_ZONES = timedelta(hours=14)
"""A date without a zone may lie so far west or east."""


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

    `skew` is Partner Center's clock minus ours, None when it told none. A date that cannot be read proves
    nothing; one without a zone, or without a time, counts as late as it can be.
    """
    created = _latest(_members(order).get("creationdate"))
    if created is None:
        return False
    margin = DATE_MARGIN if skew is not None else UNDATED_MARGIN
    try:
        return created + margin < since + (skew or timedelta())
    except OverflowError:
        return False


def shares_product(order: Json, sent: Json) -> bool:
    """Whether an order may hold a product that was sent: the product is what stands before the first `:` of
    an offer id. https://learn.microsoft.com/en-us/partner-center/developer/product-resources"""
    there, ours = _products(order), _products(sent)
    return there is None or ours is None or not there.isdisjoint(ours)


def match_order(sent: Json, candidates: Sequence[Json], twins: Sequence[Twin] = ()) -> Verdict | UnderWay:
    """Judge the orders that are new, owned by no request, and share a product with what was sent.

    `Ours.ids` are all that are exactly it; each of them may be taken, since they are equal. The open twins
    explain what is exactly theirs.
    """
    exact = [order for order in candidates if _agrees(sent, order)]
    rest = [order for order in candidates if order not in exact]
    if any(t.under_way and _agrees(t.sent, order) for t in twins for order in candidates):
        return UnderWay()
    if not exact:
        odd = [order for order in rest if not any(_agrees(t.sent, order) for t in twins)]
        if not odd:
            return Absent()
        return Ambiguous(
            f"the customer has {len(odd)} new orders of these products that are not quite this one"
        )
    ids = tuple(_text(_members(order).get("id")) for order in exact)
    if not all(ids):
        return Ambiguous("the customer has a new order like this one, and its id cannot be read")
    if len(exact) > 1 + sum(_agrees(t.sent, exact[0]) for t in twins):
        return Ambiguous(f"the customer has {len(exact)} new orders like this one, more than were asked for")
    return Ours(ids)


def _agrees(sent: Json, order: Json) -> bool:
    """Whether an order is exactly what was sent: every field that was sent and comes back is compared, on the
    order and on its lines; what does not come back says nothing, but offer and quantity must."""
    ours, there = _members(sent), _members(order)
    own_lines, lines = _lines(ours), _lines(there)
    if own_lines is None or lines is None or len(own_lines) != len(lines):
        return False
    numbered = all("lineitemnumber" in line for line in (*own_lines, *lines))
    ignored = {"lineitems"}

    def same_line(own: Json, line: Json) -> bool:
        skip = set() if numbered else {"lineitemnumber"}
        return line.keys() >= {"offerid", "quantity"} and _same_members(own, line, skip)

    if not _same_members(ours, there, ignored):
        return False
    if numbered and _pairing(own_lines, lines, same_line) is not None:
        return True
    return _pairing(own_lines, lines, lambda a, b: same_line(_unnumbered(a), b)) is not None


def _unnumbered(line: Json) -> Json:
    return {name: value for name, value in line.items() if name != "lineitemnumber"}


def _same_members(sent: Json, there: Json, ignored: Collection[str]) -> bool:
    return all(
        _same(name, value, there[name])
        for name, value in sent.items()
        if name not in ignored and value is not None and there.get(name) is not None
    )


_DEFAULTS = {"billingcycle": "unknown"}
"""What is sent to leave the choice to Partner Center; it comes back as what it chose."""


def _same(name: str, sent: Any, there: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(sent, Mapping) and isinstance(there, Mapping):
        ours, theirs = _members(sent), _members(there)
        return all(member in theirs and _same(member, ours[member], theirs[member]) for member in ours)
    if isinstance(sent, list | tuple) and isinstance(there, list | tuple):
        return _pairing(sent, there, lambda a, b: _same(name, a, b)) is not None and len(sent) == len(there)
    if isinstance(sent, bool) or isinstance(there, bool):
        return _text(sent).lower() == _text(there).lower()
    return _DEFAULTS.get(name) == sent or _plain(sent) == _plain(there)


def _plain(value: Any) -> object:  # noqa: ANN401 - any JSON
    """A scalar apart from its spelling: numbers by value, moments by instant, text without case."""
    number = _number(value)
    if number is not None:
        return number
    text = _text(value).strip()
    moment = _moment(text) if "T" in text.upper() else None
    if moment is not None and moment.tzinfo is not None:
        return moment.astimezone(UTC)
    return text.casefold().replace("_", "")


def _members(order: Json) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in order.items()}


def _lines(members: Json) -> list[dict[str, Any]] | None:
    lines = members.get("lineitems")
    if not isinstance(lines, list | tuple) or not all(isinstance(line, Mapping) for line in lines):
        return None
    return [_members(line) for line in lines]


def _products(order: Json) -> frozenset[str] | None:
    lines = _lines(_members(order))
    offers = [_text(line.get("offerid")) for line in lines or ()]
    if not offers or not all(offers):
        return None
    return frozenset(offer.partition(":")[0].strip().casefold() for offer in offers)


def _latest(told: object) -> datetime | None:
    """The latest moment that a date can mean; None when it cannot be read."""
    text = told.strip() if isinstance(told, str) else ""
    try:
        if len(text) <= len("2027-03-31"):
            end = datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
            return end + _ZONES
        moment = _moment(text)
        if moment is None:
            return None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC) + _ZONES
    except (ValueError, OverflowError):
        return None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(value.strip() if isinstance(value, str) else str(value)[:64])
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 30 else None


def _text(value: object) -> str:
    return "" if value is None else str(value)
