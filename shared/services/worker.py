"""Do one piece of work that a message names: what is due in a record, a drop, or a blob whose event was lost.

Each piece has a deadline of its own, by its size. A message that finds nothing due ends: whoever moved
the due moment has sent another. A failure of storage is raised, so that the queue delivers the message again;
any other failure moves the due moment, so that it does not hold up the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from shared.audit_log import log_event
from shared.clock import Clock, Deadline
from shared.core.conclusions import GIVE_UP, hours
from shared.core.errors import StorageError
from shared.core.ledger import Record, State, Submission
from shared.core.receipt_parts import ReceiptState
from shared.core.receipt_rules import RETRIED
from shared.services.attachments import Attachments
from shared.services.bell import Bell, Message
from shared.services.drops import Drops
from shared.services.orders import Orders, only_submission
from shared.services.receipts import Receipts
from shared.services.watch import Watch
from shared.storage.ledger_store import ConflictError, LedgerStore, VersionedRecord

log = logging.getLogger(__name__)

EARLY_MESSAGE = timedelta(seconds=2)
"""A message may come so much before the moment that it rings for: clocks differ."""

BURIED_FOR = 600.0
"""Seconds after which a message that failed too often, and could not be reported, comes again."""

RECORD_SECONDS = 180.0
"""Deadline of what is done for a record without documents: to ask, or to place an order."""


class _Reason(NamedTuple):
    """Why something was not sent, whose turn it is, and what to do."""

    detail: str
    actor: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Worker:
    """Carries out what messages name."""

    ledger: LedgerStore
    drops: Drops
    receipts: Receipts
    attachments: Attachments
    orders: Orders
    watch: Watch | None
    """None when orders are not watched."""
    bell: Bell
    clock: Clock
    sleep: Callable[[float], None]
    new_id: Callable[[], str]

    def work(self, text: str, correlation_id: str) -> None:
        """Do what a message names. Raises StorageError; all else is recorded where it belongs."""
        try:
            message = Message.load(text)
        except ValueError:
            log.error("ignored an unreadable message on the work queue")
            return
        if message.kind == "record":
            self._record(message.name, correlation_id)
            return
        if message.kind == "look":
            if self.watch is not None:
                self.watch.look(message.name, correlation_id)
            return
        stored = self.ledger.read(message.behind) if message.behind else None
        if stored is None or not self._is_busy(message, stored.record):
            self._drop(message.name, correlation_id, stored)

    def bury(self, text: str, correlation_id: str) -> None:
        """A message failed too often: say so in the receipts that it concerns. Where storage does not take
        that either, what is due is rung for again by the sweep; a blob whose event never came is known from
        its message alone, which comes again later.

        Raises StorageError when the queue does not take it, or has taken it for a day.
        """
        try:
            message = Message.load(text)
        except ValueError:
            return
        log_event(
            "work failed", logging.ERROR, kind=message.kind, name=message.name, correlationId=correlation_id
        )
        try:
            self._report_failure(message, correlation_id)
        except StorageError:
            if message.kind != "blob":
                log.exception("the outcome of %s could not be reported", message.name)
                return
            if message.tries * BURIED_FOR > GIVE_UP.total_seconds():
                raise
            self.bell.queue.put(replace(message, tries=message.tries + 1).dump(), BURIED_FOR)

    def _report_failure(self, message: Message, correlation_id: str) -> None:
        """Try once more what a message names, and tell in receipts how that went. Raises StorageError."""
        if message.kind == "look":
            return  # it stays due
        if message.kind != "record":
            self.drops.process_or_report(message.name, correlation_id)
            return
        stored = self.ledger.read(message.name)
        for own in stored.record.submissions.values() if stored else ():
            for source in own.sources if own.open else ():
                self.drops.process_or_report(source.drop, correlation_id)

    def _is_busy(self, message: Message, record: Record) -> bool:
        """Whether the order that a drop waits for is still busy; then the bell rings again, a little
        later."""
        holder, now = record.holder(), self.clock()
        if holder is None or holder.is_due(now):
            return False
        pause = timedelta(seconds=min(5 * 2 ** min(message.tries, 4), 60))
        self.bell.ring("drop", message.name, now + pause, behind=message.behind, tries=message.tries + 1)
        return True

    def _drop(self, name: str, correlation_id: str, stored: VersionedRecord | None) -> None:
        if self.drops.process_or_report(name, correlation_id, stored):
            return
        kept = self.receipts.store.read(name)
        if kept is None:
            return
        key, _, digest = (kept.body.submission or "").rpartition("/")
        stored = self.ledger.read(key) if key else None
        own = stored.record.submissions.get(digest) if stored else None
        if stored and own and own.state in (State.DONE, State.REVIEW):
            self.receipts.refresh(name, stored.record, own)
        elif own is None or not own.open:
            self.receipts.report_deleted(name)

    def _record(self, key: str, correlation_id: str) -> None:
        stored = self.ledger.read(key)
        if stored is None or not self._comes_due(stored.record):
            return
        if stored.record.kind == "order":
            self._order(stored)
        else:
            self._attachments(stored, correlation_id)

    def _comes_due(self, record: Record) -> bool:
        """Whether it is due, or so soon that it is waited for."""
        if record.due is None:
            return False
        early = record.due - self.clock()
        if early > EARLY_MESSAGE:
            return False
        if early > timedelta():
            self.sleep(early.total_seconds())
        return True

    def _order(self, stored: VersionedRecord) -> None:
        before = only_submission(stored.record)
        outcome = self.orders.resume(stored, Deadline.after(RECORD_SECONDS))
        own, error = outcome.submission, outcome.error
        if own.revision == before.revision and own.open and own.state is not State.CLAIMED:
            self._put_off(stored, own, _Reason(str(error), error.actor, error.remedy) if error else None)

    def _attachments(self, stored: VersionedRecord, correlation_id: str) -> None:
        """Resolve what is in flight, or send one thing that is due; the bell rings for the others."""
        holder, now = stored.record.holder(), self.clock()
        if holder is not None and holder.is_due(now):
            own = holder
            after = self.attachments.resolve_due(stored, now, Deadline.after(RECORD_SECONDS))
            self.receipts.refresh_all(after.record, own.digest)
        else:
            pending = _next_pending(stored.record, now)
            if pending is None:
                return
            own = pending
            after = self._retry(stored, own, correlation_id)
        there = after.record.submissions.get(own.digest)
        rung = {own.digest} if there is not None and there.revision != own.revision else set()
        if _next_due(after.record, self.clock(), rung):
            self.bell.ring_record(after.record.key, self.clock())

    def _retry(self, stored: VersionedRecord, own: Submission, correlation_id: str) -> VersionedRecord:
        """Send a drop that is due, and return the record as it is then. When that does not move its
        submission, its content is gone, which must be proved, or cannot be had now."""
        for source in own.sources:
            self.drops.process_or_report(source.drop, correlation_id, stored)
        again = self.ledger.read(stored.record.key) or stored
        there = again.record.submissions.get(own.digest)
        if there is None or there.revision != own.revision:
            if len(own.sources) > 1:  # the receipt of the one was written with what was done
                self.receipts.refresh_all(again.record, own.digest)
            return again
        if not self._is_gone(own):
            return self._put_off(again, own)
        try:
            ended = self.attachments.end(
                again, own.digest, "the documents were replaced or deleted before they could be sent"
            )
        except ConflictError as moved:
            return moved.current or again
        self.receipts.refresh_all(ended.record, own.digest)
        return ended

    def _is_gone(self, own: Submission) -> bool:
        """Whether the content is proved to be gone from all its drops; storage that cannot be read proves
        nothing."""
        try:
            return all(self.drops.is_gone(source) for source in own.sources)
        except StorageError:
            log.exception("could not check whether the content of %s is gone", own.digest)
            return False

    def _put_off(
        self, stored: VersionedRecord, own: Submission, reason: _Reason | None = None
    ) -> VersionedRecord:
        """What is still due although it was worked on is tried later, and in the end is a person's."""
        now = self.clock()
        age, why = now - own.since, reason or self._reason(own)
        if age > GIVE_UP:
            detail = f"not sent within {hours(GIVE_UP)}: {why.detail}"
            remedy = "" if why.remedy == RETRIED else why.remedy
            after = own.to(State.REVIEW, now, self.new_id(), detail, remedy=remedy)
        else:
            due = now + timedelta(seconds=max(60.0, min(age.total_seconds() / 4, 900.0)))
            kept: dict[str, Any] = {"absent_after": own.absent_after, "answer": own.answer}
            turn = {"actor": why.actor, "remedy": why.remedy}
            after = own.to(own.state, now, self.new_id(), why.detail, due=due, **kept, **turn)
        try:
            stored = self.ledger.swap(stored, after)
        except ConflictError as moved:
            return moved.current or stored
        self.receipts.refresh_all(stored.record, own.digest)
        return stored

    def _reason(self, own: Submission) -> _Reason:
        """Why it was not sent: what keeps a drop from being begun is told by its receipt alone."""
        for source in own.sources:
            kept = self.receipts.store.read(source.drop)
            if kept and kept.state is ReceiptState.RETRYING:
                body = kept.body
                return _Reason(body.detail or "", body.actor or "", body.remedy or "")
        return _Reason(own.detail, own.actor, own.remedy)


def _next_pending(record: Record, now: datetime) -> Submission | None:
    """What got no answer goes first: what looks like it waits for it."""
    due = [own for own in record.submissions.values() if own.state is State.PENDING and own.is_due(now)]
    return min(due, key=lambda own: own.first_silent or own.due or own.changed, default=None)


def _next_due(record: Record, now: datetime, rung: Collection[str]) -> bool:
    """Whether something is due that nobody has rung for: whoever moves a submission rings for it."""
    return any(own.is_due(now) for own in record.submissions.values() if own.digest not in rung)
