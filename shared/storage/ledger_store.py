"""The ledger's records in blob storage: create-only, then compare-and-swap."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

from shared.audit_log import log_transition
from shared.core.errors import (
    BlobBlockedError,
    ConditionFailedError,
    NewerRecordError,
    NotConfiguredError,
    StorageError,
    StorageUnknownError,
)
from shared.core.ids import segment
from shared.core.ledger import HOLDING, LEDGER_FORMAT, Record, RecordError, State, Submission
from shared.core.listing import states_in, tag_of
from shared.core.models import order_attachments_key
from shared.core.moments import LONG_AGO
from shared.core.receipt_parts import ReceiptState
from shared.core.watch import LOOK, TELL, status_tag, watch_tags, watching
from shared.core.watched import WatchedOrder
from shared.storage.blobs import MOST_TAGS, Blob, BlobStore, stamp

log = logging.getLogger(__name__)

_TRIES = 10
_MARKER = "format.json"
_KINDS = ("attachments/", "orders/")


@dataclass(frozen=True, slots=True)
class VersionedRecord:
    """A record and the version under which it stands."""

    record: Record
    etag: str

    def own(self, digest: str) -> Submission:
        """One of its submissions."""
        return self.record.submissions[digest]


class ConflictError(StorageError):
    """Somebody else changed the record first; `current` is what stands there now, None when it is gone."""

    def __init__(self, key: str, current: VersionedRecord | None) -> None:
        self.current = current
        super().__init__(f"{key} was changed by another actor")

    def unless_changed(self, own: Submission) -> VersionedRecord:
        """What stands there now, when the submission itself is still what it was; raises this error when it
        is not: only others of its order have changed."""
        there = self.current.record.submissions.get(own.digest) if self.current else None
        if self.current is None or there is None or there.revision != own.revision:
            raise self
        return self.current


Ring = Callable[[str, datetime], None]
"""Tells whoever works that the record of that key wants attention at that moment; never raises."""


class Adoption(StrEnum):
    """Whose an order at Partner Center is."""

    OURS = "ours"
    THEIRS = "another request ended with it"
    OPEN = "another request that is open may end with it"


class LedgerStore:
    """Records by key. A record that waits for a moment carries it as the index tag `due`."""

    def __init__(self, blobs: BlobStore, container: str, ring: Ring, *, watches: bool) -> None:
        """`watches`: what was placed, or attached to, is watched from then on (shared/core/watch.py)."""
        self._blobs = blobs
        self._container = container
        self._ring = ring
        self._watches = watches
        self._known_format = False
        self._has_tags = False
        self._one_at_a_time = threading.Lock()

    def check_format(self) -> None:
        """Make sure that the ledger is of this edition's format; an empty one is marked as such.

        Raises NotConfiguredError for a ledger of another format, StorageError.
        """
        if self._known_format:
            return
        with self._one_at_a_time:
            marker, empty = self._blobs.get(self._container, _MARKER), False
            if marker is None:
                empty = not any(self._blobs.page(self._container, kind)[0] for kind in _KINDS)
                # records without a marker: another instance may have begun the ledger just now, marker first
                marker = None if empty else self._blobs.get(self._container, _MARKER)
            found = _format_of(marker.content) if marker else LEDGER_FORMAT if empty else 1
            if found != LEDGER_FORMAT:
                raise _other_format(self._container, found)
            if empty:
                self._blobs.put(
                    self._container, _MARKER, json.dumps({"format": LEDGER_FORMAT}).encode(), match="*"
                )
            self._known_format = True

    def check_account(self) -> None:
        """Make sure that the account has what the ledger needs and no other call shows: the right to write
        and to search index tags. Once it has shown that, nothing is asked any more.

        Raises what `check_format` raises; StorageForbiddenError says what the account lacks.
        """
        self.check_format()
        if self._has_tags:
            return
        marker = self._blobs.get(self._container, _MARKER)
        if marker is not None:
            with suppress(ConditionFailedError):  # another instance was faster
                self._blobs.put(
                    self._container,
                    _MARKER,
                    marker.content,
                    match=marker.etag,
                    tags={"format": str(LEDGER_FORMAT)},
                )
        next(self._blobs.due_before(self._container, LONG_AGO), None)
        self._has_tags = True

    def read(self, key: str) -> VersionedRecord | None:
        """The record of that key, if there is one. Raises NewerRecordError, NotConfiguredError,
        StorageError."""
        self.check_format()
        blob = self._blobs.get(self._container, _name(key))
        try:
            return VersionedRecord(Record.load(blob.content), blob.etag) if blob else None
        except RecordError as error:
            if error.version > LEDGER_FORMAT:
                raise NewerRecordError(f"{key} was written by a newer version of this application") from None
            raise _other_format(self._container, error.version) from None

    def claim(self, before: VersionedRecord | None, record: Record, digest: str) -> VersionedRecord:
        """Write a record with a new claim of `digest`: create-only, or over the very version `before`.

        Raises ConflictError when somebody else was first, StorageUnknownError when it may stand there all the
        same, StorageError when it does not.
        """
        self.check_format()
        return self._write(record, digest, before.etag if before else None)

    def swap(self, before: VersionedRecord, after: Submission) -> VersionedRecord:
        """Replace one submission, if the whole record is still what was read. Raises ConflictError."""
        return self._write(before.record.put(after), after.digest, before.etag)

    def advance(self, before: VersionedRecord, after: Submission, *, ring: bool = True) -> VersionedRecord:
        """Replace one submission as long as it is still what was read, whatever became of the others.

        Raises ConflictError when that submission itself was changed.
        """
        stored = before
        for _ in range(_TRIES):
            try:
                return self._write(stored.record.put(after), after.digest, stored.etag, ring=ring)
            except ConflictError as moved:
                stored = moved.unless_changed(before.own(after.digest))
        raise StorageError(f"{before.record.key} could not be changed: too many concurrent writers")

    def note(self, before: VersionedRecord, after: Record) -> VersionedRecord:
        """Write what a look at orders has changed; submissions stay as they are.

        Raises ConflictError when somebody else changed the record, or this very write did and its answer was
        lost: read what stands there. Raises StorageError.
        """
        try:
            return VersionedRecord(after, self._put(after, before.etag))
        except ConditionFailedError:
            raise ConflictError(after.key, self._read_again(after.key)) from None

    def due(self, now: datetime) -> Iterator[str]:
        """Keys of the records whose moment has come, in no order."""
        for name in self._blobs.due_before(self._container, now):
            if name.startswith(_KINDS):
                yield name.removesuffix(".json")

    def looks(self, now: datetime) -> Iterator[tuple[str, str]]:
        """Keys of the records with an order that is to be looked at, and since when it is, in no order."""
        for name, since in self._blobs.tagged_before(self._container, LOOK, now):
            yield name.removesuffix(".json"), since

    def owing(self, now: datetime) -> Iterator[str]:
        """Keys of the records with something about an order that people must be told, in no order."""
        for name, _ in self._blobs.tagged_before(self._container, TELL, now):
            yield name.removesuffix(".json")

    def order_moments(self, status: str) -> Iterator[str]:
        """Since when orders are in that status, once for each record. Raises StorageError."""
        return self._blobs.moments(self._container, status_tag(status))

    def moments(self, state: ReceiptState) -> Iterator[str]:
        """Since when each of what is in that state is there. Raises StorageError."""
        return self._blobs.moments(self._container, tag_of(state))

    def page(self, state: ReceiptState, since: datetime, marker: str) -> tuple[list[Record], str]:
        """Some of the records of which a submission came to `state` since then, in no order, and the marker
        of the rest ("" at the end). Raises MarkerRefusedError, StorageError."""
        return self._tagged(tag_of(state), since, marker)

    def order_page(self, status: str, since: datetime, marker: str) -> tuple[list[Record], str]:
        """The same of the records with an order that came to that status since then."""
        return self._tagged(status_tag(status), since, marker)

    def _tagged(self, tag: str, since: datetime, marker: str) -> tuple[list[Record], str]:
        self.check_format()
        names, following = self._blobs.tagged(self._container, tag, since, marker)
        keys = (name.removesuffix(".json") for name in names if name.startswith(_KINDS))
        found = (self._readable(key) for key in keys)
        return [stored.record for stored in found if stored], following

    def _readable(self, key: str) -> VersionedRecord | None:
        """The record of that key; None also when this version cannot read it, which keeps nobody from the
        others."""
        try:
            return self.read(key)
        except (NewerRecordError, NotConfiguredError) as error:
            log.warning("left out of a list: %s", error)
            return None

    def documents_watch(self, customer_id: str, order_id: str) -> WatchedOrder | None:
        """The watch of an order in the record of its documents, whichever way its id is written there; None
        also when this version cannot read that record. Raises StorageError."""
        stored = self._readable(order_attachments_key(customer_id, order_id))
        return next(iter(stored.record.orders.values()), None) if stored else None

    def neighbours(self, key: str, changed_since: datetime | None = None) -> Iterator[Record]:
        """The other order requests of the same customer: those that changed since, or all."""
        prefix, marker = key.rpartition("/")[0] + "/", ""
        while True:
            page, marker = self._blobs.page(self._container, prefix, marker)
            for entry in page:
                late = changed_since is None or entry.last_modified >= changed_since
                if late and entry.name != _name(key):
                    stored = self.read(entry.name.removesuffix(".json"))
                    if stored:
                        yield stored.record
            if not marker:
                return

    def adopt(self, what: str, key: str, revision: str) -> Adoption:
        """Note that `what` (an order at Partner Center) belongs to the request `key`.

        The note counts as long as its request is open or has ended with it; a note that was left behind is
        taken over. Whoever adopts anew what it had adopted writes the note anew, so that nobody who read it
        before takes it over. Raises StorageError.
        """
        name, note = _adoption(what, key), json.dumps({"key": key, "revision": revision}).encode()
        for _ in range(_TRIES):
            there = self._blobs.get(self._container, name)
            # the note is read before its request
            adoption = self._adoption_by(_owner(there), what) if _owner(there) != key else Adoption.OURS
            if adoption is not Adoption.OURS:
                return adoption
            try:
                self._blobs.put(self._container, name, note, match=there.etag if there else None)
            except ConditionFailedError:
                continue
            return Adoption.OURS
        return Adoption.OPEN

    def _adoption_by(self, owner: str, what: str) -> Adoption:
        """Whose `what` is while it is noted for `owner`; OURS when that is nobody's."""
        stored = self.read(owner) if owner else None
        for own in stored.record.submissions.values() if stored else ():
            if own.state in HOLDING or own.decidable:
                return Adoption.OPEN
            if own.state is State.DONE and segment(what) in map(segment, own.ids):
                return Adoption.THEIRS
        return Adoption.OURS

    def has_adopted(self, what: str, key: str) -> bool:
        """Whether `what` was noted as belonging to `key`."""
        return _owner(self._blobs.get(self._container, _adoption(what, key))) == key

    def _write(self, record: Record, digest: str, match: str | None, *, ring: bool = True) -> VersionedRecord:
        own = record.submissions[digest]
        if self._watches:
            record = watching(record, own)
        try:
            etag = self._put(record, match)
        except (ConditionFailedError, StorageUnknownError) as error:
            moved = ConflictError(record.key, self._read_again(record.key))
            try:
                stored = moved.unless_changed(own)  # our own write; only storage's answer to it was lost
            except ConflictError:
                raise error if isinstance(error, StorageUnknownError) else moved from None
        else:
            stored = VersionedRecord(record, etag)
            log_transition(record, own)
        if ring and own.due is not None and own.open and own.state is not State.CLAIMED:
            self._ring(record.key, own.due)
        return stored

    def _put(self, record: Record, match: str | None) -> str:
        tags = {tag_of(state): moment for state, moment in states_in(record).items()}
        kept = list({**tags, **watch_tags(record)}.items())[: MOST_TAGS - 1]  # one is `due`
        return self._blobs.put(
            self._container,
            _name(record.key),
            record.dump(),
            match=match,
            due=record.due,
            tags={tag: stamp(moment) for tag, moment in kept},
        )

    def _read_again(self, key: str) -> VersionedRecord | None:
        """What stands there after a write of which it is not known that it failed."""
        try:
            return self.read(key)
        except BlobBlockedError:
            raise
        except StorageError as error:
            told = f"it is unknown whether {key} was written: {error}"
            raise StorageUnknownError.because_of(error, told) from None


def _format_of(marker: bytes) -> int:
    try:
        number = json.loads(marker).get("format")
    except (ValueError, AttributeError):
        return 0
    return number if isinstance(number, int) else 0


def _other_format(container: str, found: int) -> NotConfiguredError:
    return NotConfiguredError(
        f"the ledger in container {container} is of format {found or 'unknown'}, this version reads format "
        f"{LEDGER_FORMAT}: name another container, or deploy the version that wrote it",
        ["LEDGER_CONTAINER"],
    )


def _owner(note: Blob | None) -> str:
    return str(json.loads(note.content)["key"]) if note else ""


def _adoption(what: str, key: str) -> str:
    """Orders at Partner Center are number apart within a customer."""
    return f"adopted/{key.rpartition('/')[0]}/{quote(segment(what), safe='')}.json"


def _name(key: str) -> str:
    return f"{key}.json"
