"""The sweep: whatever no event will bring forward any more.

It does two things, and stops when its time is up; the next sweep goes on.

1. What is due, by the tag index of ledger and receipts: retries, expired claims, unknown outcomes, drops
   that wait. Its cost is that of the open work.
2. A walk over the incoming container for events that never came, and for documents that nobody claims. The
   walk lists names (5,000 a request) and remembers how far it came, a bounded number of pages each time;
   it reads something of a blob only when the blob changed since the walk before, or turned a day old.

Several sweeps at once do no harm: each thing they do is safe to do twice.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from shared.drops import (
    Receipt,
    ReceiptState,
    can_have_receipt,
    is_document,
    is_sidecar,
    own_sidecars,
    receipt_of_document,
    stem_sidecar,
)
from shared.errors import ConditionFailedError
from shared.ledger import Record, State
from shared.partner_center.wire import Deadline
from shared.services.attachments import Attachments
from shared.services.drops import Drops
from shared.services.orders import KIND as ORDER
from shared.services.orders import Orders
from shared.storage.blobs import BlobStore, Clock, Listed
from shared.storage.ledger import LedgerStore
from shared.story import tell

log = logging.getLogger(__name__)

ORPHAN_AFTER = timedelta(days=1)
GRACE = timedelta(minutes=2)
"""A blob younger than this still has its event before it."""
OVERLAP = timedelta(minutes=10)
"""Each walk looks this far back behind the start of the one before."""
PAGES = 20
"""Pages of the incoming container in one sweep: 100,000 names."""
MOST_DUE = 500

DUE_SHARE = 0.6
"""What is due may use so much of a sweep's time; the rest is the walk's."""

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the walk came: the page that `marker` begins, after the name `after`. `changed_since` is what
    the present walk looks for; `missed` says that it could not see to everything, so that the next one
    looks for the same."""

    marker: str
    after: str
    started: datetime
    changed_since: datetime
    missed: bool = False

    def next(self, now: datetime) -> Cursor:
        """Where the walk after this one starts."""
        return Cursor("", "", now, self.changed_since if self.missed else self.started - OVERLAP)

    def rest_of(self, page: Sequence[Listed]) -> Sequence[Listed]:
        """What of a page was not seen to yet; all of it when the last one seen has gone meanwhile."""
        at = next((n for n, listed in enumerate(page) if listed.name == self.after), -1)
        return page[at + 1 :]

    def dump(self) -> bytes:
        """As the JSON that the ledger container keeps."""
        times = {"started": self.started.isoformat(), "changedSince": self.changed_since.isoformat()}
        places = {"marker": self.marker, "after": self.after, "missed": self.missed}
        return json.dumps({**places, **times}).encode()

    @classmethod
    def load(cls, raw: bytes, now: datetime) -> Cursor:
        """The cursor in a blob; one that cannot be read, or none, begins anew."""
        try:
            data = json.loads(raw)
            started, since = (datetime.fromisoformat(data[k]) for k in ("started", "changedSince"))
            return cls(data["marker"], data["after"], started, since, data["missed"])
        except (ValueError, KeyError, TypeError):
            return cls("", "", now, _BEGINNING)


@dataclass(frozen=True, slots=True)
class Sweep:
    """One pass over everything that is due."""

    blobs: BlobStore
    incoming: str
    ledger_container: str
    ledger: LedgerStore
    drops: Drops
    attachments: Attachments
    orders: Orders
    clock: Clock

    def run(self, correlation_id: str, deadline: Deadline) -> dict[str, int]:
        """Do what is due, and say how much of what it was. Raises StorageError when storage is down."""
        counts = dict.fromkeys(("records", "receipts", "listed", "rung", "failed"), 0)

        first = Deadline.after(deadline.remaining() * DUE_SHARE, deadline.clock)

        def each(names: Iterable[str], what: str, do: Callable[[str, str, Deadline], None]) -> None:
            for name in names:
                if first.remaining() > 0:
                    counts[what] += self._guarded(name, partial(do, name, correlation_id, first), counts)

        each(self.ledger.due(self.clock(), MOST_DUE), "records", self._record)
        each(self.drops.receipts.due(self.clock(), MOST_DUE), "receipts", self._receipt)
        self._walk(correlation_id, deadline, counts)
        tell("sweep", correlationId=correlation_id, **counts)
        return counts

    @staticmethod
    def _guarded(name: str, do: Callable[[], None], counts: dict[str, int]) -> int:
        """One thing that fails does not keep the sweep from the others; it stays due."""
        try:
            do()
        except Exception:
            log.exception("the sweep could not go on with %s", name)
            counts["failed"] += 1
            return 0
        return 1

    def _record(self, key: str, correlation_id: str, deadline: Deadline) -> None:
        stored = self.ledger.read(key)
        if stored is None or not self._is_due(stored.record):
            return
        drop = stored.record.source.get("drop")
        if drop:
            self.drops.process(drop, correlation_id, deadline)
            stored = self.ledger.read(key)
            if stored is None or not self._is_due(stored.record):
                return
            if stored.record.state is State.READY and self.drops.holds(stored.record.source):
                return  # its documents cannot be read just now; the next sweep tries again
        go_on = self.orders.go_on if stored.record.kind == ORDER else self.attachments.go_on
        outcome = go_on(key, deadline)
        if drop:
            self.drops.tell_of(drop, outcome.record)

    def _is_due(self, record: Record) -> bool:
        return record.open and record.until is not None and record.until <= self.clock()

    def _receipt(self, path: str, correlation_id: str, deadline: Deadline) -> None:
        if self.drops.rescue(path, correlation_id, deadline):
            return
        kept = self.drops.receipts.read(path)
        if kept is None:
            return
        stored = self.ledger.read(kept.body["submission"]) if "submission" in kept.body else None
        self.drops.tell_of(path, stored.record if stored else None)

    def _walk(self, correlation_id: str, deadline: Deadline, counts: dict[str, int]) -> None:
        name = f"sweep/{self.incoming}.json"
        blob = self.blobs.get(self.ledger_container, name)
        cursor = Cursor.load(blob.content if blob else b"", self.clock())
        for _ in range(PAGES):
            page, marker = self.blobs.page(self.incoming, marker=cursor.marker)
            counts["listed"] += len(page)
            for listed in cursor.rest_of(page):
                if deadline.remaining() <= 0:
                    break
                failed = counts["failed"]
                visit = partial(self._visit, listed, cursor, correlation_id, deadline, counts)
                self._guarded(listed.name, visit, counts)
                missed = cursor.missed or counts["failed"] > failed
                cursor = replace(cursor, after=listed.name, missed=missed)
            if deadline.remaining() <= 0:
                break  # the rest of this page is the next sweep's
            cursor = replace(cursor, marker=marker, after="")
            if not marker:
                cursor = cursor.next(self.clock())
                break
        try:
            self.blobs.put(self.ledger_container, name, cursor.dump(), match=blob.etag if blob else None)
        except ConditionFailedError:
            tell("sweep overtaken", correlationId=correlation_id)

    def _visit(
        self, listed: Listed, cursor: Cursor, correlation_id: str, deadline: Deadline, counts: dict[str, int]
    ) -> None:
        if not (is_sidecar(listed.name) or is_document(listed.name)):
            return
        age = self.clock() - listed.last_modified
        fresh = listed.last_modified > cursor.changed_since and age > GRACE
        if not can_have_receipt(listed.name):
            if fresh:
                tell("ignored: no receipt can have its name", logging.WARNING, drop=listed.name)
            return
        if fresh and self._is_news(listed):
            self.drops.rescue(listed.name, correlation_id, deadline)
            counts["rung"] += 1
        turned = listed.last_modified > cursor.changed_since - ORPHAN_AFTER and age > ORPHAN_AFTER
        if turned and is_document(listed.name) and not self._is_claimed(listed):
            self._orphan(listed)

    def _is_news(self, listed: Listed) -> bool:
        """Whether no receipt shows that somebody has looked at this version of the blob."""
        if is_sidecar(listed.name):
            kept = self.drops.receipts.read(listed.name)
            return kept is None or kept.sidecar_etag != listed.etag
        if is_document(listed.name):
            if any(self._shows(sidecar, listed.etag) for sidecar in own_sidecars(listed.name)):
                return False
            sidecars = self.drops.words.of(listed.name)
            return not sidecars or not all(self._shows(sidecar, listed.etag) for sidecar in sidecars)
        return False

    def _shows(self, sidecar: str, etag: str) -> bool:
        """Whether the receipt of that drop tells of a file in that version."""
        kept = self.drops.receipts.read(sidecar)
        return kept is not None and any(f.get("etag") == etag for f in kept.body.get("files", []))

    def _is_claimed(self, listed: Listed) -> bool:
        """Whether some drop has looked at the document since it was written."""
        sidecars = (*own_sidecars(listed.name), *self.drops.words.of(listed.name))
        kept = (self.drops.receipts.read(sidecar) for sidecar in sidecars)
        return any(receipt and receipt.seen >= listed.last_modified for receipt in kept)

    def _orphan(self, listed: Listed) -> None:
        body = {
            "why": "no sidecar has claimed this document within a day",
            "files": [{"fileName": listed.name.rpartition("/")[2], "size": listed.size, "etag": listed.etag}],
            "remedy": f"drop its sidecar, for example {stem_sidecar(listed.name)}",
            "changed": self.clock().isoformat(timespec="seconds"),
        }
        path = receipt_of_document(listed.name)
        self.drops.receipts.write(
            Receipt(path, ReceiptState.REVIEW, listed.last_modified, "", body), look=True
        )
        tell("document without sidecar", logging.WARNING, drop=listed.name)
