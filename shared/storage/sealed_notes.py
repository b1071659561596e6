"""Short-lived secrets beside the ledger, each sealed with a key that only its owner has.

Whoever can read the container cannot read a note, and a key is worth nothing without the container. A note's
name is a hash of its key, so neither leads to the other. Encrypted and dated with Fernet:
https://github.com/fernet/spec/blob/master/Spec.md
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken

from shared.clock import Clock
from shared.core.errors import ConditionFailedError
from shared.storage.blobs import BlobStore

LASTS = timedelta(days=1)
"""How long a note can be read after it was written."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a note, by its ETag."""

    name: str
    etag: str


class SealedNotes:
    """The notes in one folder of a container. All methods raise StorageError."""

    def __init__(self, blobs: BlobStore, container: str, folder: str, clock: Clock) -> None:
        self._blobs = blobs
        self._container = container
        self._folder = folder
        self._clock = clock

    def add(self, text: str) -> str:
        """Write a note and return its key, after removing those that nobody can read any more."""
        for entry in self._blobs.page(self._container, f"{self._folder}/")[0]:
            if entry.last_modified < self._clock() - LASTS:
                self.remove(Version(entry.name, entry.etag))
        key = Fernet.generate_key().decode()
        self.replace(key, text)
        return key

    def replace(self, key: str, text: str) -> None:
        """Write the note of that key anew, whatever stands there."""
        sealed = Fernet(key).encrypt_at_time(text.encode(), self._now()).decode()
        content = json.dumps({"sealed": sealed}).encode()
        self._blobs.put(self._container, self._name(key), content, match="*")

    def read(self, key: str) -> tuple[str, Version] | None:
        """The note of that key, and its version; None when there is none, or it is too old."""
        blob = self._blobs.get(self._container, self._name(key))
        if blob is None:
            return None
        try:
            sealed = json.loads(blob.content)["sealed"]
            text = Fernet(key).decrypt_at_time(sealed, int(LASTS.total_seconds()), self._now()).decode()
        except (InvalidToken, ValueError, TypeError, LookupError):
            return None
        return text, Version(blob.name, blob.etag)

    def remove(self, version: Version) -> None:
        """Remove a note, unless it was written anew since."""
        with suppress(ConditionFailedError):
            headers = {"If-Match": version.etag}
            self._blobs.send("DELETE", self._container, version.name, headers=headers)

    def _name(self, key: str) -> str:
        return f"{self._folder}/{hashlib.sha256(key.encode()).hexdigest()}.json"

    def _now(self) -> int:
        return int(self._clock().timestamp())
