"""The real services on ports of paper: attachments of one order, and orders of one customer.

Contents are numbered. Tasks of a process: `ask` (an HTTP request), `look` (a status read), `drop` (the event
of a drop), `work` (what a worker does for whatever is due).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from shared.core.checkout_request import CheckoutRequest
from shared.core.errors import AppError, StorageUnknownError
from shared.core.ledger import Record, State, Submission
from shared.core.ledger_parts import Source
from shared.core.models import Document, DocumentSet, Metadata, Role, order_attachments_key
from shared.core.order_request import OrderRequest
from shared.services.attachments import Attachments
from shared.services.executor import Executor
from shared.services.operation import Outcome
from shared.services.orders import Orders, only_submission, order_key
from shared.services.resellers import Resellers
from shared.storage.ledger_store import LedgerStore
from shared.validation.checkouts import checkout_request
from shared.validation.orders import order_request
from shared.web import responses
from tests.property.explorer import BY_HAND, Entry, Task, Thing, Told
from tests.property.processes import START, PaperBlobs, PaperPartner, Process, Shelf, Shown, moment

CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
ORDER = "5cf72f146967"
MARGIN = timedelta(seconds=60)


def _executor(process: Process, ledger: LedgerStore, margin: timedelta) -> Executor:
    return Executor(ledger, process.clock, process.sleep, process.new_id, margin)


def _ledger(process: Process, shelf: Shelf) -> LedgerStore:
    return LedgerStore(PaperBlobs(process, shelf), "ledger", lambda key, due: None, watches=False)


def _told(outcome: Outcome, numbers: tuple[int, ...]) -> Told:
    """What the handlers answer: 201, 202, or an error."""
    return Told("done" if responses.require_done(outcome) else "202", 0, numbers)


def _entry(own: Submission, content: int, numbers: tuple[int, ...], base: frozenset[int] | None) -> Entry:
    moments = [_seconds(m) for m in (own.due, own.absent_after) if m]
    if own.state is State.CLAIMED:
        moments.append(moments[0] - int(MARGIN.total_seconds()))
    return Entry(
        content=content,
        state=own.state,
        numbers=numbers,
        base=base,
        due=_seconds(own.due) if own.open and own.due else None,
        moments=tuple(moments),
        request=own.request_id,
        detail=own.detail,
        resting=own.state is State.PENDING and own.due is None and not own.sources,
    )


def _seconds(when: datetime) -> int:
    return ceil((when - START).total_seconds())


@dataclass(frozen=True, slots=True)
class AttachmentCase:
    """Submissions of one order, by number, and the set that a person uploads. What is sent shows within
    `visibility` seconds; the services believe in absence after `delay`."""

    sets: tuple[DocumentSet, ...]
    by_hand: DocumentSet
    services: type[Attachments] = Attachments
    margin: timedelta = MARGIN
    delay: timedelta = timedelta(seconds=120)
    visibility: int = 120

    def alike(self, content: int) -> int:
        """Attachments are told apart by the difference that each makes."""
        return content

    def perform(self, process: Process, task: Task, shelf: Shelf) -> Told:
        """What a process does for a task, and tells; an error by its name."""
        executor = _executor(process, _ledger(process, shelf), self.margin)
        partner = PaperPartner(process, self._show)
        services = self.services(executor, partner, self.delay, "POFiles", "TenderFiles", watches=False)
        process.sends = task.content
        try:
            if task.do == "work":
                return self._work(services, process)
            if task.do == "drop":
                return Told(f"drop {self._drop(services, process, task.content)}")
            return self._ask(services, process, task)
        except StorageUnknownError:
            return Told("202")
        except AppError as error:
            return Told(type(error).__name__)

    def _ask(self, services: Attachments, process: Process, task: Task) -> Told:
        wanted, deadline = self.sets[task.content], process.deadline(8)
        if task.do == "ask":
            outcome = services.attach(wanted, process.new_id(), deadline)
        else:
            outcome = services.status(CUSTOMER, ORDER, wanted.digest, deadline)
        return _told(outcome, _set_numbers(outcome.submission))

    def _drop(self, services: Attachments, process: Process, content: int) -> State:
        source = Source(drop=f"{content}.json", sidecar_etag="1", files={f"{content}.pdf": "1"})
        process.sends = content
        outcome = services.attach(self.sets[content], process.new_id(), process.deadline(60), source=source)
        return outcome.submission.state

    def _work(self, services: Attachments, process: Process) -> Told:
        stored = services.executor.ledger.read(order_attachments_key(CUSTOMER, ORDER))
        now = process.clock()
        if stored is None or stored.record.due is None or stored.record.due > now:
            return Told("nothing due")
        if stored.record.holder():
            services.resolve_due(stored, now, process.deadline(180))
            return Told("resolved")
        due = next(s for s in stored.record.submissions.values() if s.due and s.due <= now)
        return Told(f"work {self._drop(services, process, self._content(due))}")

    def entries(self, record: Record) -> Sequence[Entry]:
        """The submissions of the order."""
        return [
            _entry(own, self._content(own), _set_numbers(own), _numbers(own.base))
            for own in record.submissions.values()
        ]

    def _content(self, own: Submission) -> int:
        return next(n for n, wanted in enumerate(self.sets) if wanted.digest == own.digest)

    def faults(self, things: Sequence[Thing], entries: Sequence[Entry]) -> Iterator[str]:
        """Sent twice, or taken for what it is not."""
        for content in range(len(self.sets)):
            if len([t for t in things if t.content == content and not t.residue]) > 1:
                yield f"{content} is there twice"
        for entry in entries:
            for number in entry.numbers if entry.state is State.DONE else ():
                if things[number].content != entry.content:
                    yield f"{entry.content} is done with {number}, which is {things[number].content}"

    def _show(self, thing: Shown) -> Sequence[Mapping[str, object]]:
        wanted = self.by_hand if thing.content == BY_HAND else self.sets[thing.content]
        return [
            {
                "attachmentId": f"{thing.number}/{nth}",
                "fileName": document.file_name,
                "sizeInKB": -(-document.size // 1024),
                "attachmentType": str(document.role),
            }
            for nth, document in enumerate(wanted.documents)
        ]


def document_set(price: int, *documents: tuple[str, int]) -> DocumentSet:
    """Purchase orders by name and size, with a price that tells the set from others."""
    papers = tuple(
        Document(Role.PURCHASE_ORDER, name, size, f"{price:016x}{n:016x}", lambda: iter([b""]))
        for n, (name, size) in enumerate(documents)
    )
    return DocumentSet(CUSTOMER, ORDER, Metadata(False, str(price), "CAD"), papers)


def _set_numbers(own: Submission) -> tuple[int, ...]:
    return tuple(sorted(_numbers(own.ids) or ()))


def _numbers(ids: Sequence[str] | None) -> frozenset[int] | None:
    return None if ids is None else frozenset(int(i.partition("/")[0]) for i in ids)


@dataclass(frozen=True, slots=True)
class OrderCase:
    """Orders by number, each under a key of its own, and the order that a person places in the portal. What
    is sent shows within `visibility` seconds; the services believe in absence after `delay`."""

    requests: tuple[OrderRequest, ...]
    by_hand: OrderRequest
    margin: timedelta = MARGIN
    delay: timedelta = timedelta(seconds=1200)
    visibility: int = 1200

    def alike(self, content: int) -> int:
        """Equal orders are one as good as the other."""
        return self.requests.index(self.requests[content])

    def perform(self, process: Process, task: Task, shelf: Shelf) -> Told:
        """What a process does for a task, and tells; an error by its name."""
        executor = _executor(process, _ledger(process, shelf), self.margin)
        orders = Orders(executor, PaperPartner(process, self._show), Resellers(300, lambda: 0.0), self.delay)
        process.sends = task.content
        try:
            if task.do == "work":
                return self._work(orders, process)
            return self._ask(orders, process, task)
        except StorageUnknownError:
            return Told("202")
        except AppError as error:
            return Told(type(error).__name__)

    def _ask(self, orders: Orders, process: Process, task: Task) -> Told:
        request, key, deadline = self.requests[task.content], str(task.content), process.deadline(40)
        if task.do == "ask":
            outcome = orders.place(CUSTOMER, request, key, process.new_id(), deadline)
        else:
            outcome = orders.status(CUSTOMER, key, deadline)
        return _told(outcome, _order_numbers(outcome.submission))

    def _work(self, orders: Orders, process: Process) -> Told:
        for content in range(len(self.requests)):
            stored = orders.executor.ledger.read(order_key(CUSTOMER, str(content)))
            if stored and stored.record.due and stored.record.due <= process.clock():
                process.sends = content
                return Told(f"work {orders.resume(stored, process.deadline(180)).submission.state}")
        return Told("nothing due")

    def entries(self, record: Record) -> Sequence[Entry]:
        """The one submission of an order request."""
        keys = [order_key(CUSTOMER, str(n)) for n in range(len(self.requests))]
        own = only_submission(record)
        return [_entry(own, keys.index(record.key), _order_numbers(own), None)]

    def faults(self, things: Sequence[Thing], entries: Sequence[Entry]) -> Iterator[str]:
        """Placed more often than asked for, or taken for what it is not."""
        for first in {self.alike(n) for n in range(len(self.requests))}:
            asked = [e for e in entries if self.alike(e.content) == first]
            placed = [t for t in things if t.content != BY_HAND and self.alike(t.content) == first]
            if len([t for t in placed if not t.residue]) > len(asked):
                yield f"{first} is there {len(placed)} times, and was asked for {len(asked)} times"
        for entry in entries:
            for number in entry.numbers if entry.state is State.DONE else ():
                there = things[number].content
                if there == BY_HAND or self.alike(there) != self.alike(entry.content):
                    yield f"{entry.content} is done with {number}, which is {there}"

    def _show(self, thing: Shown) -> Sequence[Mapping[str, object]]:
        request = self.by_hand if thing.content == BY_HAND else self.requests[thing.content]
        placed = {"id": str(thing.number), "creationDate": moment(thing.posted).isoformat()}
        return [{**json.loads(request.to_wire(CUSTOMER, None)), **placed}]


def order(quantity: int) -> OrderRequest:
    """An order of so many licences of one product."""
    line = {"offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": quantity, "termDuration": "P1Y"}
    return order_request(json.dumps({"lineItems": [line], "billingCycle": "monthly"}).encode(), CUSTOMER)


@dataclass(frozen=True, slots=True)
class CheckoutCase(OrderCase):
    """Checkouts by number, each under a key of its own. What a call orders shows at its cart within
    `visibility` seconds."""

    carts: tuple[CheckoutRequest, ...] = ()
    visibility: int = 15

    def alike(self, content: int) -> int:
        """Equal checkouts are told apart: each has a cart."""
        return content

    def _ask(self, orders: Orders, process: Process, task: Task) -> Told:
        if task.do != "ask":
            return OrderCase._ask(self, orders, process, task)
        request, key, deadline = self.carts[task.content], str(task.content), process.deadline(40)
        outcome = orders.check_out(CUSTOMER, request, key, process.new_id(), deadline)
        return _told(outcome, _order_numbers(outcome.submission))


def checkouts(*quantities: int) -> CheckoutCase:
    """Checkouts of so many licences of one product each."""
    line = {"catalogItemId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "billingCycle": "monthly"}
    carts = tuple(
        checkout_request(json.dumps({"lineItems": [{**line, "quantity": n}]}).encode()) for n in quantities
    )
    return CheckoutCase(tuple(map(order, quantities)), order(7), carts=carts)


def _order_numbers(own: Submission) -> tuple[int, ...]:
    return tuple(int(i) for i in own.ids)
