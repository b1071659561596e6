"""Which sidecars depend on a file: `words/<sha256 of its path>` in the ledger container, a reverse index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from shared.core.errors import ConditionFailedError, StorageError
from shared.storage.blobs import Blob, BlobStore

_TRIES = 10


class DependencyIndex:
    """From a document's path to the sidecars that registered a dependency on it."""

    def __init__(self, blobs: BlobStore, container: str) -> None:
        self._blobs = blobs
        self._container = container

    def sidecars_of(self, document: str) -> list[str]:
        """The sidecars that depend on a document."""
        return _sidecars_in(self._blobs.get(self._container, _name(document)))

    def register(self, sidecar: str, documents: Iterable[str]) -> None:
        """Note under each document that `sidecar` depends on it. Raises StorageError."""
        for document in documents:
            self._register(sidecar, document)

    def _register(self, sidecar: str, document: str) -> None:
        sidecars, match = [sidecar], None
        for _ in range(_TRIES):
            try:
                entry = {"document": document, "sidecars": sidecars}
                content = json.dumps(entry, ensure_ascii=False).encode()
                self._blobs.put(self._container, _name(document), content, match=match)
                return
            except ConditionFailedError:
                blob = self._blobs.get(self._container, _name(document))
                known = _sidecars_in(blob)
                if sidecar in known:
                    return
                sidecars, match = [*known, sidecar], blob.etag if blob else None
        raise StorageError(
            f"the dependency on {document} could not be registered: too many concurrent writers"
        )


def _sidecars_in(entry: Blob | None) -> list[str]:
    return list(json.loads(entry.content)["sidecars"]) if entry else []


def _name(document: str) -> str:
    # hashed, so that no document's name is too long for it
    return f"words/{hashlib.sha256(document.encode()).hexdigest()}.json"
