"""The sweep: it hands out, as messages, overdue work for which no event or bell will come any more.

1. What is overdue, by the tag index of ledger and receipts: retries, expired claims, unknown outcomes, drops
   that wait. Its cost is that of the open work. It hands out no more than is taken from the queue.
2. Looks at orders that are watched, by the same index, at a bounded rate (shared/services/watch.py).
3. A walk over the incoming container for events that never came, and for documents that nobody claims. The
   walk lists names (5,000 a request) and remembers how far it came, a bounded number of pages each time;
   it reads something of a blob only when the blob changed since the walk before, or turned a day old.

It does none of the work itself, so nothing that is slow or fails holds up the rest. Several sweeps at once do
no harm: messages may come twice.
"""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared import telemetry
from shared.audit_log import log_event
from shared.clock import Clock, Deadline
from shared.core.drop_rules import (
    can_have_receipt,
    is_document,
    is_sidecar,
    own_sidecars,
)
from shared.core.errors import ConditionFailedError, MarkerRefusedError, StorageError
from shared.core.moments import LONG_AGO
from shared.services.bell import Kind, Message
from shared.services.receipts import ORPHAN_AFTER, Receipts
from shared.services.watch import Watch
from shared.storage.blobs import BlobEntry, BlobStore
from shared.storage.dependency_index import DependencyIndex
from shared.storage.ledger_store import LedgerStore
from shared.storage.queue import MOST_PEEKED, WorkQueue

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=2)
"""A blob younger than this still has its event before it."""
OVERDUE = timedelta(seconds=90)
"""What is due has its own message; only what is overdue by this is handed out again."""
OVERLAP = timedelta(minutes=10)
"""Each walk looks this far back behind the start of the one before."""
PAGES = 20
"""Pages of the incoming container in one sweep: 100,000 names."""

DUE_SHARE = 0.6
"""Overdue records (or drops) may use so much of a sweep's time, overdue drops (or records) so much of what is
left, and the walk the rest."""

_PAUSE = 0.2
"""Seconds until a full queue is looked at again."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the walk came: the page that `marker` begins, after the name `after`. `changed_since` is what
    the present walk looks for."""

    marker: str
    after: str
    started: datetime
    changed_since: datetime

    def next(self, now: datetime) -> Cursor:
        """Where the walk after this one starts."""
        return Cursor("", "", now, self.started - OVERLAP)

    def rest_of(self, page: Sequence[BlobEntry]) -> Sequence[BlobEntry]:
        """What of a page was not seen to yet; all of it when the last one seen has gone meanwhile."""
        at = next((n for n, listed in enumerate(page) if listed.name == self.after), -1)
        return page[at + 1 :]

    def dump(self) -> bytes:
        """As the JSON that the ledger container keeps."""
        times = {"started": self.started.isoformat(), "changedSince": self.changed_since.isoformat()}
        return json.dumps({"marker": self.marker, "after": self.after, **times}).encode()

    @classmethod
    def load(cls, raw: bytes, now: datetime) -> Cursor:
        """The cursor in a blob; one that cannot be read, or none, begins anew."""
        try:
            data = json.loads(raw)
            started, since = (datetime.fromisoformat(data[k]) for k in ("started", "changedSince"))
            return cls(data["marker"], data["after"], started, since)
        except (ValueError, KeyError, TypeError):
            return cls("", "", now, LONG_AGO)


@dataclass(frozen=True, slots=True)
class Sweep:
    """One pass over everything that is due."""

    blobs: BlobStore
    incoming: str
    ledger_container: str
    ledger: LedgerStore
    receipts: Receipts
    dependencies: DependencyIndex
    queue: WorkQueue
    watch: Watch | None
    """None when orders are not watched."""
    clock: Clock
    sleep: Callable[[float], None]

    def run(self, correlation_id: str, deadline: Deadline) -> dict[str, int]:
        """Hand out what is due, and say how much of what it was. Raises StorageError when storage is down."""
        with telemetry.SWEEP.timed():
            return self._run(correlation_id, deadline)

    def _run(self, correlation_id: str, deadline: Deadline) -> dict[str, int]:
        counts: Counter[str] = Counter(dict.fromkeys(("records", "drops", "listed", "blobs", "failed"), 0))
        moment = self.clock() - OVERDUE
        kinds: list[tuple[Kind, Callable[[datetime], Iterable[str]]]] = [
            ("record", self.ledger.due),
            ("drop", self.receipts.store.due),
        ]
        random.shuffle(kinds)  # the queue may have room for the first alone
        for kind, find in kinds:
            counts[f"{kind}s"] += self._hand_out(kind, find(moment), deadline)
        counts["looks"] = self.watch.hand_out(deadline) if self.watch else 0
        self._walk(correlation_id, deadline, counts)
        log_event("sweep", correlationId=correlation_id, **counts)
        return dict(counts)

    def _hand_out(self, kind: Kind, names: Iterable[str], deadline: Deadline) -> int:
        """Put a message for each, as fast as they are taken; what is left over is the next sweep's. The index
        has the same order each time: shuffled, those that stay due hide none of the others for good."""
        handed, share = 0, Deadline.after(deadline.remaining() * DUE_SHARE, deadline.clock)
        shuffled = list(names)
        random.shuffle(shuffled)
        for name in shuffled:
            if handed % MOST_PEEKED == 0 and not self._has_room(share):
                break
            self.queue.put(Message(kind, name).dump())
            handed += 1
        return handed

    def _has_room(self, deadline: Deadline) -> bool:
        while self.queue.is_full():
            if deadline.remaining() <= _PAUSE:
                return False
            self.sleep(_PAUSE)
        return deadline.remaining() > 0

    def _walk(self, correlation_id: str, deadline: Deadline, counts: Counter[str]) -> None:
        name = f"sweep/{self.incoming}.json"
        blob = self.blobs.get(self.ledger_container, name)
        cursor = Cursor.load(blob.content if blob else b"", self.clock())
        for _ in range(PAGES):
            try:
                page, marker = self.blobs.page(self.incoming, marker=cursor.marker)
            except MarkerRefusedError:
                cursor = replace(cursor, marker="", after="")
                continue
            counts["listed"] += len(page)
            for listed in cursor.rest_of(page):
                if deadline.remaining() <= 0:
                    break
                self._guarded(listed, cursor, counts)
                cursor = replace(cursor, after=listed.name)
            if deadline.remaining() <= 0:
                break  # the rest of this page is the next sweep's: `marker` names it, `after` how far it came
            cursor = replace(cursor, marker=marker, after="")
            if not marker:
                cursor = cursor.next(self.clock())
                break
        try:
            self.blobs.put(self.ledger_container, name, cursor.dump(), match=blob.etag if blob else None)
        except ConditionFailedError:
            log_event("sweep overtaken", correlationId=correlation_id)

    def _guarded(self, listed: BlobEntry, cursor: Cursor, counts: Counter[str]) -> None:
        """One blob that fails does not keep the walk from the others: it is handed to the worker, which says
        in a receipt what fails."""
        try:
            self._visit(listed, cursor, counts)
        except StorageError:
            log.exception("the sweep could not visit %s", listed.name)
            counts["failed"] += 1
            self._ring(listed, counts)

    def _visit(self, listed: BlobEntry, cursor: Cursor, counts: Counter[str]) -> None:
        if not (is_sidecar(listed.name) or is_document(listed.name)):
            return
        age = self.clock() - listed.last_modified
        # OVERLAP is longer than GRACE, so a blob that is too young now is seen by the next walk
        fresh = listed.last_modified > cursor.changed_since and age > GRACE
        if not can_have_receipt(listed.name):
            if fresh:
                log_event("ignored: no receipt can have its name", logging.WARNING, drop=listed.name)
            return
        if fresh and self._is_news(listed):
            self._ring(listed, counts)
        # it turned a day old since the walk before; later walks do not report it again
        turned = listed.last_modified > cursor.changed_since - ORPHAN_AFTER and age > ORPHAN_AFTER
        if turned and is_document(listed.name) and not self._is_claimed(listed):
            self.receipts.report_orphan(listed)

    def _ring(self, listed: BlobEntry, counts: Counter[str]) -> None:
        self.queue.put(Message("blob", listed.name).dump())
        counts["blobs"] += 1

    def _is_news(self, listed: BlobEntry) -> bool:
        """Whether no receipt shows that somebody has looked at this version of the blob."""
        if is_sidecar(listed.name):
            kept = self.receipts.store.read(listed.name)
            return kept is None or kept.sidecar_etag != listed.etag
        if any(self._shows(sidecar, listed.etag) for sidecar in own_sidecars(listed.name)):
            return False
        sidecars = self.dependencies.sidecars_of(listed.name)
        return not sidecars or not all(self._shows(sidecar, listed.etag) for sidecar in sidecars)

    def _shows(self, sidecar: str, etag: str) -> bool:
        """Whether the receipt of that drop reports a file in that version."""
        kept = self.receipts.store.read(sidecar)
        return kept is not None and etag in kept.etags

    def _is_claimed(self, listed: BlobEntry) -> bool:
        """Whether some drop has looked at the document since it was written."""
        sidecars = (*own_sidecars(listed.name), *self.dependencies.sidecars_of(listed.name))
        kept = (self.receipts.store.read(sidecar) for sidecar in sidecars)
        return any(receipt and receipt.seen >= listed.last_modified for receipt in kept)
