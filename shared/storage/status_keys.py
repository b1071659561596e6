"""The secrets that sign status tokens: made by the first instance that needs one, kept beside the ledger."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.core.errors import BlobBlockedError, ConditionFailedError, StorageError
from shared.core.moments import iso_moment
from shared.storage.blobs import Blob, BlobStore

ROTATE_AFTER = timedelta(days=30)
"""Age at which a secret signs nothing new; it verifies for as long again, far beyond any token's life."""
BELIEVED_FOR = timedelta(hours=1)
"""How long what was read is believed."""
READ_AGAIN_AFTER = timedelta(minutes=1)
"""How soon a token that no secret signed makes us read again: another instance may have made a new one."""

_NAME = "status-keys.json"
_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Keys:
    generations: tuple[bytes, ...]
    """Two at most, the newest first."""
    since: datetime
    read: datetime


class StatusKeys:
    """The secrets of one ledger. Safe to use from many threads. All methods raise StorageError."""

    def __init__(self, blobs: BlobStore, container: str, clock: Clock) -> None:
        self._blobs = blobs
        self._container = container
        self._clock = clock
        self._keys: _Keys | None = None
        self._one_at_a_time = threading.Lock()

    def signing(self) -> bytes:
        """The secret that signs; a new one when there is none, or when it is too old."""
        keys = self._known(BELIEVED_FOR)
        if keys is None or self._clock() - keys.since > ROTATE_AFTER:
            keys = self._known(timedelta(0), self._rotated)
        assert keys is not None
        newest, *older = keys.generations
        # a new secret signs once every instance has read it
        return older[0] if older and self._clock() - keys.since < 2 * BELIEVED_FOR else newest

    def known(self, *, again: bool = False) -> tuple[bytes, ...]:
        """All secrets that verify; `again`: what is known did not, so read once more, if not too soon."""
        keys = self._known(READ_AGAIN_AFTER if again else BELIEVED_FOR)
        return keys.generations if keys else ()

    def _known(self, age: timedelta, make: Callable[[Blob | None], _Keys] | None = None) -> _Keys | None:
        with self._one_at_a_time:
            now = self._clock()
            if self._keys is None or now - self._keys.read >= age:
                try:
                    blob = self._blobs.get(self._container, _NAME)
                except StorageError:
                    if self._keys is None or make:
                        raise
                    self._keys = replace(self._keys, read=now)  # what was read is as good as before
                else:
                    self._keys = make(blob) if make else _read(blob, now) if blob else None
            return self._keys

    def _rotated(self, blob: Blob | None) -> _Keys:
        now = self._clock()
        known = _read(blob, now) if blob else None
        if known and now - known.since <= ROTATE_AFTER:
            return known
        generations = (secrets.token_bytes(_BYTES), *(known.generations[:1] if known else ()))
        texts = [base64.b64encode(secret).decode() for secret in generations]
        content = json.dumps({"since": now.isoformat(), "keys": texts}).encode()
        try:
            self._blobs.put(self._container, _NAME, content, match=blob.etag if blob else None)
        except ConditionFailedError:  # another instance was faster, or our own write was
            there = self._blobs.get(self._container, _NAME)
            if there is None:
                raise
            return _read(there, now)
        return _Keys(generations, now, now)


def _read(blob: Blob, now: datetime) -> _Keys:
    try:
        document = json.loads(blob.content)
        generations = tuple(base64.b64decode(text, validate=True) for text in document["keys"])
        since = iso_moment(document["since"])
    except (ValueError, TypeError, LookupError):
        generations, since = (), None
    if (
        since is None
        or since.tzinfo is None
        or not generations
        or any(len(secret) != _BYTES for secret in generations)
    ):
        error = BlobBlockedError(f"{_NAME} in the ledger container cannot be read")
        error.remedy = (
            f"delete {_NAME} and restart the app: a new one is made; status addresses given so far end"
        )
        raise error
    return _Keys(generations[:2], since, now)
