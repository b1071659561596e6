"""The watch of open orders, carried out: looks are handed out at a bounded rate, and made one by one.

Partner Center tells nobody what becomes of an order: there is no event for it, and no list of orders that
wait. So each order that was placed or attached to is read once a day (shared/core/watched.py has the rules).
https://learn.microsoft.com/en-us/partner-center/developer/pending-po-upload

A look changes no submission. What it finds is written by compare-and-swap over what was read before it, so a
look that is overtaken by anything is dropped, or written over what is there then.
"""

from __future__ import annotations

import heapq
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.audit_log import log_event
from shared.clock import Clock, Deadline
from shared.core.errors import (
    BlobBlockedError,
    ConditionFailedError,
    InvalidInputError,
    NotAppliedError,
    NotConfiguredError,
    PartnerCenterError,
    RefusedError,
    ThrottledError,
)
from shared.core.ledger import Record, State
from shared.core.moments import YEARS, iso_moment
from shared.core.resources import read_order
from shared.core.watch import documents_drift, due_order, status_of, with_order
from shared.core.watched import DAY, LATER, WatchedOrder
from shared.partner_center.client import PartnerCenter
from shared.partner_center.wire import RequestIds
from shared.services.attachment_operation import NO_SUCH_ORDER, is_denial
from shared.services.attachments import Attachments
from shared.services.bell import Message
from shared.services.receipts import Receipts
from shared.storage.blobs import BlobStore
from shared.storage.ledger_store import ConflictError, LedgerStore, VersionedRecord
from shared.storage.queue import WorkQueue

log = logging.getLogger(__name__)

RATE = 100
"""Calls a minute that looks make at most: a fifth of what Partner Center allows a partner for orders.
https://learn.microsoft.com/en-us/partner-center/developer/order-resources"""
AHEAD = timedelta(minutes=5)
"""So far ahead looks are handed out: as long as the sweep usually pauses."""
ILL = timedelta(minutes=1)
"""So long no look is made after one that Partner Center did not answer, or answered with its own fault."""
LOOK_SECONDS = 30.0
"""Deadline of a look."""

_PROGRESS = "watch.json"
_TRIES = 10

Change = Callable[[Record, WatchedOrder], WatchedOrder]
"""What a look makes of the watch of an order, in the record as it is then."""


@dataclass(slots=True)
class Quiet:
    """Until when this process makes no looks: while Partner Center throttles or is ill, others go first."""

    until: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, until: datetime) -> None:
        """No looks until then."""
        with self.lock:
            self.until = max(until, self.until or until)

    def lasts(self, now: datetime) -> bool:
        """Whether no look is made now."""
        with self.lock:
            return self.until is not None and now < self.until


@dataclass(frozen=True, slots=True)
class Watch:
    """Hands out looks at orders, and makes them."""

    ledger: LedgerStore
    partner: PartnerCenter
    attachments: Attachments
    receipts: Receipts
    queue: WorkQueue
    blobs: BlobStore
    container: str
    clock: Clock
    new_id: Callable[[], str]
    quiet: Quiet = field(default_factory=Quiet)

    def hand_out(self, deadline: Deadline) -> int:
        """Put a message for each order that is to be looked at, the longest overdue first, so that RATE is
        kept; how many. What is left over is the next sweep's. Raises StorageError.

        The time that the messages take is reserved before they are sent: of two sweeps at once one hands out.
        A record of documents takes two calls, the order's and its list's.
        """
        now, end = self.clock(), self.clock() + AHEAD
        most = int(RATE * AHEAD.total_seconds() / 60)
        due = heapq.nsmallest(most, self.ledger.looks(now), key=lambda found: found[1])
        if not due or self.queue.is_full():
            return 0
        blob = self.blobs.get(self.container, _PROGRESS)
        at = max(now, min(_reserved(blob.content if blob else b"") or now, end + AHEAD))
        planned: list[tuple[str, float]] = []
        for key, _ in due:
            if at >= end:
                break
            planned.append((key, (at - now).total_seconds()))
            at += timedelta(seconds=60 / RATE * (2 if key.startswith("attachments/") else 1))
        content = json.dumps({"until": at.isoformat()}).encode()
        try:
            self.blobs.put(self.container, _PROGRESS, content, match=blob.etag if blob else None)
        except ConditionFailedError:
            return 0
        for handed, (key, delay) in enumerate(planned):
            if deadline.remaining() <= 0:
                return handed
            self.queue.put(Message("look", key).dump(), delay)
        return len(planned)

    def look(self, key: str, correlation_id: str) -> None:
        """Look at the order of a record that is due first; at none when none is, while Partner Center
        throttles or is ill, or while the record cannot be used: the sweep hands it out again.

        Raises StorageError.
        """
        if self.quiet.lasts(self.clock()):
            return
        try:
            self._look(key, correlation_id)
        except (BlobBlockedError, NotConfiguredError) as error:
            log.warning("the orders of %s cannot be looked at: %s", key, error)

    def _look(self, key: str, correlation_id: str) -> None:
        stored = self.ledger.read(key)
        order_id = due_order(stored.record, self.clock()) if stored else ""
        if stored is None or not order_id:
            return
        customer = stored.record.customer_id
        # where the record of the order's documents watches it, one look serves both
        if stored.record.kind == "order" and self.ledger.documents_watch(customer, order_id):
            change: Change = lambda _, watched: watched.handed_over()  # noqa: E731
        else:
            change = self._found(stored.record, order_id, correlation_id)
        self._note(stored, order_id, change)

    def told_of(self, record: Record) -> WatchedOrder | None:
        """What the watch knows of the one order of a record; None when it has several, or nobody looked yet.
        Raises StorageError."""
        if len(record.orders) != 1:
            return None
        ((order_id, watched),) = record.orders.items()
        if watched.ended == "documents":
            watched = self.ledger.documents_watch(record.customer_id, order_id) or watched
        return watched if watched.status and watched.looked else None

    def _found(self, record: Record, order_id: str, correlation_id: str) -> Change:
        """Ask Partner Center about an order, and where documents were attached, about those."""
        now, deadline = self.clock(), Deadline.after(LOOK_SECONDS)
        try:
            ids = RequestIds(self.new_id(), correlation_id)
            answer = self.partner.get_order(record.customer_id, order_id, ids, deadline)
        except (PartnerCenterError, NotConfiguredError, InvalidInputError) as error:
            if isinstance(error, RefusedError) and (error.status, error.code) == NO_SUCH_ORDER:
                return lambda _, watched: watched.missing(order_id, now)
            log.info("order %s could not be looked at: %s", order_id, error)
            wait = self._wait(error, now)
            return lambda _, watched: watched.failed(now, wait)
        order = answer.json()
        status, placed = status_of(order), iso_moment(read_order(order).created)
        if not status:
            return lambda _, watched: watched.failed(now, DAY)
        exact = placed if placed and placed.tzinfo and placed.year in YEARS else None
        drift = self._drift(record, order_id, correlation_id, deadline)

        def seen(there: Record, watched: WatchedOrder) -> WatchedOrder:
            after = watched.seen(order_id, status, exact, now)
            return after if drift is None or there is not record else after.differing(drift, now)

        return seen

    def _drift(self, record: Record, order_id: str, correlation_id: str, deadline: Deadline) -> str | None:
        """How Partner Center's list of documents differs from the record; None when that was not asked, or
        cannot be told."""
        if not any(own.ids for own in record.submissions.values() if own.state is State.DONE):
            return None
        if record.kind == "order":
            return None
        op = self.attachments.operation(record, "")
        try:
            listed = op.listed(RequestIds(self.new_id(), correlation_id), deadline)
        except (PartnerCenterError, NotConfiguredError) as error:
            log.info("the documents of order %s could not be looked at: %s", order_id, error)
            self._wait(error, self.clock())
            return None
        return documents_drift(record, listed.entries, self.clock()) if listed.complete else None

    def _wait(self, error: Exception, now: datetime) -> timedelta:
        """How long a failed look is put off. While Partner Center throttles or is ill no other look is made:
        customers' work goes first."""
        if isinstance(error, ThrottledError):
            wait = timedelta(seconds=error.retry_after)
            self.quiet.begin(now + wait)
            return wait
        if isinstance(error, NotAppliedError) or (isinstance(error, RefusedError) and error.status >= 500):
            self.quiet.begin(now + ILL)
        denied = isinstance(error, PartnerCenterError) and is_denial(error)
        return DAY if denied or isinstance(error, InvalidInputError) else LATER

    def _note(self, stored: VersionedRecord, order_id: str, change: Change) -> None:
        """Write what was found. Receipts come first: who dies in between looks again, and tells the same.
        Raises StorageError."""
        for _ in range(_TRIES):
            before = stored.record.orders[order_id]
            watched = change(stored.record, before)
            after = with_order(stored.record, order_id, watched)
            if watched.status != before.status:
                self._refresh_receipts(after)
            try:
                self.ledger.note(stored, after)
            except ConflictError as moved:
                there = moved.current.record.orders.get(order_id) if moved.current else None
                if moved.current is None or there is None or not there.is_due(self.clock()):
                    return  # somebody else has looked, or it was this write, or what was found is old
                stored = moved.current
                continue
            _log(after, order_id, before, watched)
            return

    def _refresh_receipts(self, record: Record) -> None:
        for own in record.submissions.values():
            if own.state is State.DONE and own.answer is not None:  # old ones are not kept whole
                self.receipts.refresh_all(record, own.digest)


def _reserved(raw: bytes) -> datetime | None:
    """Until when time was reserved; None when that cannot be read."""
    try:
        return iso_moment(json.loads(raw)["until"])
    except (ValueError, KeyError, TypeError):
        return None


def _log(record: Record, order_id: str, before: WatchedOrder, after: WatchedOrder) -> None:
    """Changes are logged, and what people are told; a look that finds nothing new is not."""
    news = after.owed[len(before.owed) :] if len(after.owed) > len(before.owed) else ()
    if after.status == before.status and not news and not (after.ended and not before.ended):
        return
    log_event(
        "order watched",
        logging.WARNING if news else logging.INFO,
        customerId=record.customer_id,
        orderId=order_id,
        status=after.status,
        before=before.status,
        ended=after.ended,
        detail="; ".join(one.detail for one in news),
    )
