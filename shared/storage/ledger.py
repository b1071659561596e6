"""The ledger's records in blob storage: create-only, then compare-and-swap."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from shared.errors import ConditionFailedError, StorageError
from shared.ledger import Record, dump, load
from shared.storage.blobs import BlobStore
from shared.story import tell_step


@dataclass(frozen=True, slots=True)
class Stored:
    """A record and the version under which it stands."""

    record: Record
    etag: str


class MovedError(StorageError):
    """Somebody else changed the record first; `current` is what stands there now."""

    def __init__(self, current: Stored) -> None:
        self.current = current
        super().__init__(f"{current.record.key} was changed by another actor")


class LedgerStore:
    """Records by key. A record that waits for a moment carries it as the index tag `due`."""

    def __init__(self, blobs: BlobStore, container: str) -> None:
        self._blobs = blobs
        self._container = container

    def read(self, key: str) -> Stored | None:
        """The record of that key, if there is one."""
        blob = self._blobs.get(self._container, _name(key))
        return Stored(load(blob.content), blob.etag) if blob else None

    def create(self, record: Record) -> Stored:
        """Write the first record of a key. Raises MovedError when the key has one already."""
        return self._write(record, None)

    def advance(self, before: Stored, after: Record) -> Stored:
        """Replace a record. Raises MovedError when it is no longer the one that was read."""
        return self._write(after, before.etag)

    def due(self, now: datetime, most: int) -> list[str]:
        """Keys of at most `most` records whose moment has come."""
        names = self._blobs.due_before(self._container, now, most)
        return [name.removesuffix(".json") for name in names]

    def siblings(self, key: str, changed_since: datetime) -> Iterator[Record]:
        """The other records of the same order (attachments) or customer (orders) that changed since."""
        prefix, marker = key.rpartition("/")[0] + "/", ""
        while True:
            page, marker = self._blobs.page(self._container, prefix, marker)
            for listed in page:
                if listed.name != _name(key) and listed.last_modified >= changed_since:
                    stored = self.read(listed.name.removesuffix(".json"))
                    if stored:
                        yield stored.record
            if not marker:
                return

    def adopt(self, what: str, key: str) -> bool:
        """Note that `what` (an id at Partner Center) belongs to `key`; False when it belongs to another."""
        try:
            self._blobs.put(self._container, _adoption(what, key), json.dumps({"key": key}).encode())
        except ConditionFailedError:
            return self.has_adopted(what, key)
        return True

    def has_adopted(self, what: str, key: str) -> bool:
        """Whether `what` was noted as belonging to `key`."""
        blob = self._blobs.get(self._container, _adoption(what, key))
        return blob is not None and json.loads(blob.content)["key"] == key

    def _write(self, record: Record, match: str | None) -> Stored:
        due = record.until if record.open else None
        try:
            etag = self._blobs.put(self._container, _name(record.key), dump(record), match=match, due=due)
        except ConditionFailedError:
            current = self.read(record.key)
            if current is None:
                raise
            if current.record.revision == record.revision:
                return current  # our own write; only storage's answer to it was lost
            raise MovedError(current) from None
        tell_step(record)
        return Stored(record, etag)


def _adoption(what: str, key: str) -> str:
    """Ids at Partner Center are told apart within an order (attachments) or a customer (orders)."""
    return f"adopted/{key.rpartition('/')[0]}/{quote(what, safe='')}.json"


def _name(key: str) -> str:
    return f"{key}.json"
