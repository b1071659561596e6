"""Receipts, and the word that a sidecar leaves for its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.drops import Receipt, ReceiptState, supersedes
from shared.errors import ConditionFailedError, StorageError
from shared.storage.blobs import Blob, BlobStore

_TRIES = 10


@dataclass(frozen=True, slots=True)
class KeptReceipt(Receipt):
    """A receipt as it lies in storage, in the version `etag`."""

    etag: str = ""


class Receipts:
    """One JSON blob per drop, under the sidecar's path, that a flow can trigger on."""

    def __init__(self, blobs: BlobStore, container: str) -> None:
        self._blobs = blobs
        self._container = container

    def read(self, path: str) -> KeptReceipt | None:
        """The receipt of a drop, if there is one."""
        blob = self._blobs.get(self._container, path)
        return _kept(blob) if blob else None

    def write(self, receipt: Receipt, *, expected: KeptReceipt | None = None, look: bool = False) -> bool:
        """Write it unless what lies there has come further (`shared.drops.supersedes`); whether it was
        written. Usually there is none yet, so a create-only write comes first; `expected` is one that was
        read just now, and `look` reads before writing."""
        kept = expected or (self.read(receipt.path) if look else None)
        for _ in range(_TRIES):
            if kept and not supersedes(receipt, kept):
                return False
            try:
                self._put(receipt, kept.etag if kept else None)
            except ConditionFailedError:
                kept = self.read(receipt.path)
            else:
                return True
        raise StorageError(f"the receipt {receipt.path} is being written by too many at once")

    def due(self, now: datetime, most: int) -> list[str]:
        """Paths of at most `most` receipts whose moment has come."""
        return self._blobs.due_before(self._container, now, most)

    def _put(self, receipt: Receipt, match: str | None) -> None:
        inputs = {"newest": receipt.seen.isoformat(), "sidecarETag": receipt.sidecar_etag}
        step = {"step": receipt.step.isoformat()} if receipt.step else {}
        body = {"drop": receipt.path, "state": str(receipt.state), **receipt.body, "inputs": inputs | step}
        content = json.dumps(body, ensure_ascii=False, indent=1).encode()
        self._blobs.put(self._container, receipt.path, content, match=match, due=receipt.due)


def _kept(blob: Blob) -> KeptReceipt:
    """The receipt in a blob; what somebody else wrote there gives way to anything."""
    try:
        body = json.loads(blob.content)
        inputs = body["inputs"]
        newest = datetime.fromisoformat(inputs["newest"])
        step = datetime.fromisoformat(inputs["step"]) if "step" in inputs else None
        state, etag = ReceiptState(body["state"]), inputs["sidecarETag"]
        return KeptReceipt(blob.name, state, newest, etag, body, step=step, etag=blob.etag)
    except (ValueError, KeyError, TypeError):
        never = datetime(1, 1, 1, tzinfo=UTC)
        return KeptReceipt(blob.name, ReceiptState.WAITING, never, "", {}, etag=blob.etag)


class Words:
    """Which sidecars want a file: `words/<sha256 of its path>` in the ledger container."""

    def __init__(self, blobs: BlobStore, container: str) -> None:
        self._blobs = blobs
        self._container = container

    def of(self, document: str) -> list[str]:
        """The sidecars that left word for a document."""
        blob = self._blobs.get(self._container, _word(document))
        return list(json.loads(blob.content)["sidecars"]) if blob else []

    def leave(self, sidecar: str, documents: Iterable[str]) -> None:
        """Note under each document that `sidecar` wants it."""
        for document in documents:
            self._leave(sidecar, document)

    def _leave(self, sidecar: str, document: str) -> None:
        sidecars, match = [sidecar], None
        for _ in range(_TRIES):
            try:
                content = json.dumps(
                    {"document": document, "sidecars": sidecars}, ensure_ascii=False
                ).encode()
                self._blobs.put(self._container, _word(document), content, match=match)
                return
            except ConditionFailedError:
                blob = self._blobs.get(self._container, _word(document))
                known = json.loads(blob.content)["sidecars"] if blob else []
                if sidecar in known:
                    return
                sidecars, match = [*known, sidecar], blob.etag if blob else None
        raise StorageError(f"word for {document} could not be left: too many writers at once")


def _word(document: str) -> str:
    # hashed, so that no document's name is too long for it
    return f"words/{hashlib.sha256(document.encode()).hexdigest()}.json"
