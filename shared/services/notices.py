"""Tell people: a message on a queue for each thing that came into review, was rejected, or waits too long.

The sweep looks, by the tag index, at what came to such a state since it looked last. How far it came is kept
after the messages are sent, so each is sent at least once; what was told lately is remembered, so that it
seldom comes twice although each look reaches back a little (the index may lag). What is owed of an order that
is watched stands in its record until it was told (shared/core/watched.py).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared import telemetry
from shared.audit_log import log_event
from shared.clock import Clock, Deadline
from shared.core.errors import BlobBlockedError, ConditionFailedError, NotConfiguredError, StorageError
from shared.core.listing import WAITS, entry_of_owed
from shared.core.moments import iso_moment
from shared.core.order_statuses import STATUSES
from shared.core.receipt_parts import ReceiptState
from shared.core.receipt_rules import to_text
from shared.core.watched import Owed
from shared.services.listing import Entry, Listing
from shared.storage.blobs import BlobStore
from shared.storage.ledger_store import ConflictError, LedgerStore
from shared.storage.queue import WorkQueue

log = logging.getLogger(__name__)

TOLD = (ReceiptState.REVIEW, ReceiptState.REJECTED)
"""States that are told at once."""
TOLD_LATE = (ReceiptState.WAITING, ReceiptState.RETRYING)
"""States that are told when they last too long."""
REACH_BACK = timedelta(minutes=15)
"""So far each look reaches back behind the one before."""
AT_FIRST = timedelta(days=1)
"""So far the very first one."""
LASTS = 14 * 24 * 3600
"""Seconds that a message waits to be read."""

_TRIES = 10
_NAME = "notices.json"
_LONGEST = 40_000
"""Characters; a message of a queue may have 64 KiB.
https://learn.microsoft.com/en-us/rest/api/storageservices/put-message"""


@dataclass(slots=True)
class _Progress:
    """How far it came, and what was told at which moment; `etag` is None where nothing was kept yet."""

    until: datetime
    etag: str | None = None
    told: dict[str, str] = field(default_factory=dict)

    def all_until(self, now: datetime) -> None:
        """All is told that came before `now`: what no look reaches back to any more can be forgotten."""
        forgotten = to_text(now - 2 * REACH_BACK)
        self.until = now
        self.told = {key: when for key, when in self.told.items() if when >= forgotten}


@dataclass(frozen=True, slots=True)
class Notices:
    """Sends the messages. Several at once do no harm: messages may come twice."""

    listing: Listing
    orders: LedgerStore | None
    """None when orders are not watched."""
    queue: WorkQueue
    blobs: BlobStore
    container: str
    clock: Clock
    too_long: timedelta
    """After so long something that waits is told."""
    most: int = 2000
    """Messages of one run; the next one tells the rest."""

    def run(self, deadline: Deadline) -> int:
        """Tell what there is to tell, and log how much is open; how many messages were sent. Nothing raises:
        the next run tells it."""
        try:
            self._log_open_work()
            return self._run(deadline) + self._tell_of_orders(deadline)
        except StorageError as error:
            log.warning("people could not be told of what is open: %s", error)
        except Exception:  # the sweep that follows must run, whatever is wrong with one record
            log.exception("people could not be told of what is open")
        return 0

    def _run(self, deadline: Deadline) -> int:
        now = self.clock()
        progress = self._progress(now)
        try:
            sent = self._tell(progress, now, deadline)
        finally:
            self._keep(progress)
        if sent:
            log_event("people told", count=sent)
        return sent

    def _tell(self, progress: _Progress, now: datetime, deadline: Deadline) -> int:
        sent = 0
        for state, moment, entry in self._news(progress.until - REACH_BACK, now):
            key = f"{state} {entry.get('submission') or entry['drops'][0]} {to_text(moment)}"
            if sent >= self.most or deadline.remaining() <= 0:
                break
            if key in progress.told:
                continue
            self.queue.put(_message(state, entry))
            progress.told[key] = to_text(now)
            sent += 1
        else:
            progress.all_until(now)
        return sent

    def _log_open_work(self) -> None:
        """What alerts and dashboards count, from storage itself, so that no restart forgets it."""
        for state in (*WAITS, ReceiptState.REVIEW):
            count, since = self.listing.counted(state)
            oldest = (self.clock() - since).total_seconds() if since else 0
            log_event("open work", state=str(state), count=count, oldestSeconds=int(oldest))
            telemetry.OPEN.record(count, state=str(state))
            telemetry.OLDEST.record(int(oldest), state=str(state))
        for status in (s for s, meant in STATUSES.items() if self.orders and not meant.final):
            count, since = self.listing.counted_orders(status)
            oldest = (self.clock() - since).total_seconds() if since else 0
            log_event("open work", orderStatus=status, count=count, oldestSeconds=int(oldest))

    def _tell_of_orders(self, deadline: Deadline) -> int:
        """Tell what is owed of orders; how many messages. Each is forgotten after it was sent: a crash in
        between has it told twice, and never not at all."""
        sent = 0
        for key in self.orders.owing(self.clock() + REACH_BACK) if self.orders else ():
            if sent >= self.most or deadline.remaining() <= 0:
                break
            try:
                sent += self._tell_of_record(key)
            except (BlobBlockedError, NotConfiguredError) as error:
                log.warning("people could not be told of the orders of %s: %s", key, error)
        if sent:
            log_event("people told of orders", count=sent)
        return sent

    def _tell_of_record(self, key: str) -> int:
        assert self.orders
        stored, said = self.orders.read(key), dict[str, tuple[Owed, ...]]()
        for order_id, watched in stored.record.orders.items() if stored else ():
            for owed in watched.owed:
                entry = entry_of_owed(stored.record, order_id, watched, owed) if stored else {}
                self.queue.put(_message(owed.event, entry))
            said[order_id] = watched.owed
        if not any(said.values()):
            return 0  # the index is late
        for _ in range(_TRIES):
            if stored is None:
                break
            orders = {i: one.told(said.get(i, ())) for i, one in stored.record.orders.items()}
            try:
                self.orders.note(stored, stored.record.model_copy(update={"orders": orders}))
                break
            except ConflictError as moved:
                stored = moved.current
        return sum(map(len, said.values()))

    def _news(self, since: datetime, now: datetime) -> Iterator[tuple[ReceiptState, datetime, Entry]]:
        """What came to a state that is told, and when."""
        for state in (*TOLD, *TOLD_LATE):
            late = self.too_long if state in TOLD_LATE else timedelta()
            after, more = "", True
            while more:
                page, after = self.listing.page(state, since - late, after)
                more = bool(after)
                for entry in page:
                    moment = iso_moment(entry.get("since" if state in WAITS else "changed", "")) or now
                    given_up = state is ReceiptState.REJECTED and "decisions" in entry
                    if moment <= now - late and not given_up:  # a person knows what a person has given up
                        yield state, moment, entry

    def _progress(self, now: datetime) -> _Progress:
        blob = self.blobs.get(self.container, _NAME)
        try:
            document = json.loads(blob.content) if blob else {}
            until = iso_moment(document.get("until", "")) or now - AT_FIRST
            told = {str(key): str(when) for key, when in document.get("told", {}).items()}
            return _Progress(until, blob.etag if blob else None, told)
        except (ValueError, AttributeError, TypeError):
            return _Progress(now - AT_FIRST, blob.etag if blob else None)

    def _keep(self, progress: _Progress) -> None:
        content = json.dumps({"until": to_text(progress.until), "told": progress.told}).encode()
        try:
            self.blobs.put(self.container, _NAME, content, match=progress.etag)
        except ConditionFailedError:
            log.info("another sweep told people at the same time")


def _message(state: str, entry: Entry) -> str:
    text = json.dumps({"v": 1, "event": str(state), "item": entry})
    if len(text) <= _LONGEST:
        return text
    short = {name: value for name, value in entry.items() if name not in _LISTS}
    short["drops"] = entry.get("drops", [])[:1]
    return json.dumps({"v": 1, "event": str(state), "item": short})


_LISTS = ("errors", "documents", "waitingFor")
