"""A process of the application that runs the real services on ports of paper.

What a process does depends on nothing but the moment at which it began and the replies that it got: its ids
are counted, and its clock is that of the last reply. So a process is its replies: it lives through them again
from its beginning, and whoever schedules decides what comes of the first request that has none yet.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from shared.auth.mode import Mode
from shared.clock import Deadline
from shared.core.errors import (
    AppError,
    ConditionFailedError,
    NotAppliedError,
    OutcomeUnknownError,
    RefusedError,
    StorageError,
    StorageUnknownError,
    SupportIds,
)
from shared.partner_center import codes
from shared.partner_center.client import PartnerCenter
from shared.partner_center.listing import Keep
from shared.partner_center.multipart import MultipartBody
from shared.partner_center.wire import Answer, Listing, RequestIds
from shared.storage.blobs import Blob, BlobEntry, BlobStore

START = datetime(2030, 1, 1, 10, 7, 23, tzinfo=UTC)
"""The moment 0; moments are whole seconds after it."""


def moment(second: int) -> datetime:
    return START + timedelta(seconds=second)


class Request(NamedTuple):
    """What a process asks of the outside."""

    what: str
    of: tuple[Any, ...] = ()


class Reply(NamedTuple):
    """What came of a request, and when: a value, or the name of one of FAILURES."""

    at: int
    value: Any = None
    failure: str = ""


FAILURES: Mapping[str, Callable[[], AppError]] = {
    "condition": lambda: ConditionFailedError("somebody else wrote first"),
    "storage": lambda: StorageError("storage is down"),
    "storage unknown": lambda: StorageUnknownError("storage did not answer"),
    "not sent": lambda: NotAppliedError("Partner Center was not reached"),
    "silent": lambda: OutcomeUnknownError("no answer came"),
    "denied": lambda: RefusedError(403, "", "", codes.advice(403, "")),
    "refused": lambda: RefusedError(400, "900252", "", codes.advice(400, "900252"), from_service=True),
}


@dataclass(slots=True)
class Process:
    """A process that lives through its replies, and on with what `decide` makes of each further request.
    `ahead` is by how many seconds its clock is fast."""

    name: str
    began: int
    replies: Sequence[Reply]
    decide: Callable[[Request], Reply]
    ahead: int = 0
    sends: int = 0
    """Number of the content that it has at hand."""
    _now: int = 0
    _next: int = 0
    _ids: int = 0

    def __post_init__(self) -> None:
        self._now = self.began

    def ask(self, what: str, *of: Any) -> Any:
        known = self._next < len(self.replies)
        reply = self.replies[self._next] if known else self.decide(Request(what, of))
        self._next += 1
        self._now = reply.at
        if reply.failure:
            raise FAILURES[reply.failure]()
        return reply.value

    def clock(self) -> datetime:
        return moment(self._now + self.ahead)

    def partner_clock(self) -> datetime:
        """Partner Center's clock is right."""
        return moment(self._now)

    def sleep(self, seconds: float) -> None:
        if seconds >= 1:  # less only parts those who collide
            self.ask("sleep", int(seconds))

    def new_id(self) -> str:
        self._ids += 1
        return f"{self.name}.{self._ids}"

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(self.began + seconds, lambda: float(self._now))


@dataclass(slots=True)
class Shelf:
    """Every content that was ever written, by number; 0 stands for no blob."""

    contents: list[bytes] = field(default_factory=lambda: [b""])
    numbers: dict[bytes, int] = field(default_factory=dict)

    def number(self, content: bytes) -> int:
        if content not in self.numbers:
            self.numbers[content] = len(self.contents)
            self.contents.append(content)
        return self.numbers[content]


class PaperBlobs(BlobStore):
    """Blobs that compare and swap: the number of a content is the ETag, since no two writes are equal."""

    def __init__(self, process: Process, shelf: Shelf) -> None:
        self._process = process
        self._shelf = shelf

    def get(self, container: str, name: str) -> Blob | None:
        if name == "format.json":
            return Blob(name, '"0"', START, b'{"format": 2}')
        number = self._process.ask("get", name)
        return Blob(name, f'"{number}"', START, self._shelf.contents[number]) if number else None

    def put(
        self,
        container: str,
        name: str,
        content: bytes,
        *,
        match: str | None = None,
        due: datetime | None = None,
        tags: Mapping[str, str] | None = None,
        if_tags: str = "",
    ) -> str:
        number = self._shelf.number(content)
        self._process.ask("put", name, number, int(match.strip('"')) if match else 0)
        return f'"{number}"'

    def page(self, container: str, prefix: str = "", marker: str = "") -> tuple[list[BlobEntry], str]:
        named = self._process.ask("page", prefix)
        return [BlobEntry(name, f'"{number}"', self._process.clock(), 1) for name, number in named], ""


class Shown(NamedTuple):
    """What Partner Center shows of one thing: its number, whose content it is, and when it was sent."""

    number: int
    content: int
    posted: int


Show = Callable[[Shown], Sequence[Mapping[str, Any]]]
"""The entries of a list that a thing is."""


class PaperPartner(PartnerCenter):
    """Partner Center's answers, as the replies have them."""

    def __init__(self, process: Process, show: Show) -> None:
        self._process = process
        self._show = show

    def list_attachments(
        self, customer_id: str, order_id: str, ids: RequestIds, deadline: Deadline
    ) -> Listing:
        return self._listing()

    def list_orders(
        self, customer_id: str, ids: RequestIds, deadline: Deadline, keep: Keep = bool
    ) -> Listing:
        return self._listing(keep)

    def get_order(self, customer_id: str, order_id: str, ids: RequestIds, deadline: Deadline) -> Answer:
        return self._answer(self._entries([self._process.ask("read", order_id)])[0])

    def attach(
        self,
        customer_id: str,
        order_id: str,
        body: MultipartBody,
        ids: RequestIds,
        deadline: Deadline,
        *,
        resent: bool = False,
        check: Callable[[], None] | None = None,
    ) -> Answer:
        return self._answer({"items": self._entries(self._post(ids, deadline, check))})

    def create_order(
        self,
        customer_id: str,
        body: bytes,
        mode: Mode,
        ids: RequestIds,
        deadline: Deadline,
        *,
        customer_user: str = "",
        resent: bool = False,
        check: Callable[[], None] | None = None,
    ) -> Answer:
        return self._answer(self._entries(self._post(ids, deadline, check))[0])

    def create_cart(
        self, customer_id: str, body: bytes, mode: Mode, ids: RequestIds, deadline: Deadline
    ) -> Answer:
        """It has no effect: one that nobody checks out is as good as none."""
        return self._answer({**json.loads(body), "id": self._process.new_id()})

    def get_cart(
        self, customer_id: str, cart_id: str, mode: Mode, ids: RequestIds, deadline: Deadline
    ) -> Answer:
        return self._answer(
            {"id": cart_id, "status": "Ordered" if self._process.ask("cart", cart_id) else "Active"}
        )

    def check_out(
        self,
        customer_id: str,
        cart_id: str,
        mode: Mode,
        ids: RequestIds,
        deadline: Deadline,
        *,
        resent: bool = False,
        check: Callable[[], None] | None = None,
    ) -> Answer:
        """The cart is to its checkouts what a request id is to a POST where it is honoured."""
        shown = self._post(RequestIds(cart_id, ids.correlation_id), deadline, check)
        return self._answer({"orders": self._entries(shown)})

    def _post(self, ids: RequestIds, deadline: Deadline, check: Callable[[], None] | None) -> Sequence[Shown]:
        """All but the closing bytes are on their way; then the clocks are looked at, and they follow."""
        self._process.ask("closing")
        deadline.check()
        if check is not None:
            check()
        shown: Sequence[Shown] = self._process.ask("post", self._process.sends, ids.request_id)
        return shown

    def _listing(self, keep: Keep = bool) -> Listing:
        items = [entry for entry in self._entries(self._process.ask("list")) if keep(entry)]
        return Listing(tuple(items), len(items), True, 0, self._process.partner_clock(), SupportIds())

    def _entries(self, shown: Sequence[Shown]) -> list[Mapping[str, Any]]:
        return [entry for thing in shown for entry in self._show(thing)]

    @staticmethod
    def _answer(body: Mapping[str, Any]) -> Answer:
        return Answer(201, json.dumps(body).encode(), SupportIds())
