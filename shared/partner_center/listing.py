"""Lists of any length, read page by page and item by item: what is not wanted is dropped as it comes in.

Such a list is read to find out what is there, and also what is not. So it is complete only if it says so
itself, and one that cannot be read to its end is none at all.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.core.errors import NotAppliedError, RefusedError, SupportIds
from shared.core.moments import http_date
from shared.core.strict_json import MAX_DEPTH
from shared.partner_center.paging import more_follows, next_page, total_of
from shared.partner_center.wire import Call, Listing

MAX_ITEM = 1024 * 1024
"""Bytes, about, of one item, and of what stands before and after them all."""

MAX_LIST = 512 * 1024 * 1024
"""Bytes of all pages; a longer list is incomplete."""

MAX_PAGES = 2000
"""Pages of one list; a longer one is incomplete."""

Keep = Callable[[Mapping[str, Any]], bool]
Fetch = Callable[[Call, int], "Page"]
"""Makes a call and reads one page of so many bytes at most."""

_Events = Generator[None, tuple[str, Any], Any]
"""Takes the events of one value, the first excepted, and returns the value."""

_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Page:
    """One page of a list.

    `items` are those to keep, of `count`; `unreadable` are no objects. `members` are the page's members
    besides its items, by lower-case name, `headers` those of the reply. `listed`: it has items, if only none.
    `cut`: it was not read to its end because it is too long.
    """

    items: list[Mapping[str, Any]] = field(default_factory=list)
    count: int = 0
    unreadable: int = 0
    members: dict[str, Any] = field(default_factory=dict)
    listed: bool = False
    cut: bool = False
    size: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    ids: SupportIds = field(default_factory=SupportIds)


def read_list(first: Call, fetch: Fetch, base_url: str, most: int) -> Listing:
    """Read the pages from `first` on, `most` bytes of them, as far as they lead on in a documented way.

    Raises what `fetch` raises; but a further page that is refused only leaves the list incomplete.
    """
    items: list[Mapping[str, Any]] = []
    count = unreadable = greatest = 0
    for page, is_last in _pages(first, fetch, base_url, most):
        items += page.items
        count += page.count
        unreadable += page.unreadable
        total = total_of(page.members)
        greatest = max(greatest, total or 0)
        complete = is_last and total is not None and count >= greatest
        date, ids = http_date(page.headers.get("date", "")), page.ids
    return Listing(tuple(items), count, complete, unreadable, date, ids)


def _pages(first: Call, fetch: Fetch, base_url: str, most: int) -> Iterator[tuple[Page, bool]]:
    """Yield each page, at least one, and whether it says that it is the last."""
    call: Call | None = first
    asked: set[object] = set()
    while call is not None and _asked(call) not in asked and len(asked) < MAX_PAGES:
        asked.add(_asked(call))
        try:
            page = fetch(call, most)
        except RefusedError as error:
            if call is first or error.status in (401, 429) or error.status >= 500:
                raise
            return
        most -= page.size
        is_last = not page.cut and not more_follows(page.members, page.headers)
        yield page, is_last
        if is_last or page.cut:
            return
        call = next_page(call, page.members, page.headers, base_url)


def _asked(call: Call) -> object:
    """What tells a page from the others."""
    return call.path, frozenset(call.more_headers.items())


def read_page(pieces: Iterable[bytes], keep: Keep, most: int) -> Page:
    """Read one page from the bytes of its body.

    Raises NotAppliedError, as for every unreadable reply to a read, when they are not one JSON object, or one
    that is refused here: nested too deep, with an item that is too long, with two members of one name.
    """
    reader = _Reader(keep)
    for piece in pieces:
        reader.page.size += len(piece)
        if reader.page.size > most:
            reader.page.cut = True
            return reader.page
        reader.feed(piece)
    reader.finish()
    return reader.page


class _Reader:
    """Turns pieces of JSON into a page."""

    def __init__(self, keep: Keep) -> None:
        # only here, so that a start of the process that lists nothing does not pay for it
        from ijson import sendable_list  # type: ignore[import-untyped]
        from ijson.backends import yajl2_c  # type: ignore[import-untyped]

        self.page = Page()
        self._keep = keep
        self._events: list[tuple[str, Any]] = sendable_list()
        self._parser = yajl2_c.basic_parse_coro(self._events)
        self._document = self._read_document()
        next(self._document)
        self._start = b""
        self._begun = False
        self._since_item = 0

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        if not self._begun:
            self._start += piece
            self._begun = len(self._start) >= len(_BOM)
            piece = self._start.removeprefix(_BOM) if self._begun else b""
        if not piece:  # the parser would take it for the end
            return
        before = self.page.count
        self._parse(lambda: self._parser.send(piece))
        self._since_item = 0 if self.page.count > before else self._since_item + len(piece)
        if self._since_item > MAX_ITEM:
            raise _unreadable("an item is too long")

    def finish(self) -> None:
        """Take the end, which must be that of the document too."""
        self._parse(self._parser.close)
        members = self.page.members
        if "items" in members and members["items"] is None and total_of(members) == 0:
            self.page.listed = True

    def _parse(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:
            fault = type(error).__name__
        else:
            send = self._document.send
            for event in self._events:
                send(event)
            self._events.clear()
            return
        # raised out here so that no error that quotes the body hangs on it as context
        raise _unreadable(fault)

    def _read_document(self) -> _Events:
        """Fill the page with what the events of the whole document say."""
        event, _ = yield
        if event != "start_map":
            raise _unreadable("it is no object")
        names: set[str] = set()
        while True:
            event, value = yield
            if event == "end_map":
                break
            name = value.lower()
            if name in names:
                raise _unreadable("two members have one name")
            names.add(name)
            event, value = yield
            if name == "items" and event == "start_array":
                yield from self._read_items()
            else:
                self.page.members[name] = (yield from _container(event, 1)) if event in _OPENS else value
        yield

    def _read_items(self) -> _Events:
        """Count the items, and keep those that are wanted."""
        self.page.listed = True
        while True:
            event, value = yield
            if event == "end_array":
                return
            item = (yield from _container(event, 1)) if event in _OPENS else value
            self.page.count += 1
            if not isinstance(item, dict):
                self.page.unreadable += 1
            elif self._keep(item):
                self.page.items.append(item)


_OPENS = frozenset({"start_map", "start_array"})


def _container(event: str, depth: int) -> _Events:
    """Return the object or the array that the event opens; the events up to its end are sent in."""
    if depth > MAX_DEPTH:
        raise _unreadable("it is nested too deep")
    return (yield from (_object(depth) if event == "start_map" else _array(depth)))


def _object(depth: int) -> _Events:
    members: dict[str, Any] = {}
    while True:
        event, name = yield
        if event == "end_map":
            return members
        if name in members:
            raise _unreadable("two members have one name")
        event, value = yield
        members[name] = (yield from _container(event, depth + 1)) if event in _OPENS else value


def _array(depth: int) -> _Events:
    elements: list[Any] = []
    while True:
        event, value = yield
        if event == "end_array":
            return elements
        elements.append((yield from _container(event, depth + 1)) if event in _OPENS else value)


def _unreadable(why: str) -> NotAppliedError:
    return NotAppliedError(f"Partner Center's list cannot be read ({why}).")
