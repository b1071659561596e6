"""Receipts in blob storage: one JSON blob for each drop, that a flow can trigger on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.core.errors import ConditionFailedError, StorageError
from shared.core.receipts import Receipt, ReceiptState, supersedes, with_previous
from shared.storage.blobs import Blob, BlobStore

FORMAT = 2
"""Version of the receipts."""

_TRIES = 10


@dataclass(frozen=True, slots=True)
class KeptReceipt(Receipt):
    """A receipt as it lies in storage, in the version `etag`."""

    etag: str = ""


Build = Callable[[KeptReceipt | None], Receipt | None]
"""The receipt to write in place of what lies there; None when that is to stay."""


class ReceiptStore:
    """The receipts of one container, under the paths of their sidecars."""

    def __init__(self, blobs: BlobStore, container: str) -> None:
        self._blobs = blobs
        self._container = container

    def read(self, path: str) -> KeptReceipt | None:
        """The receipt of a drop, if there is one."""
        blob = self._blobs.get(self._container, path)
        return _kept(blob) if blob else None

    def write(
        self, receipt: Receipt, *, expected: KeptReceipt | None = None, read_first: bool = False
    ) -> bool:
        """Write it unless what lies there has come further (`supersedes`); whether it was written."""

        def build(kept: KeptReceipt | None) -> Receipt | None:
            return receipt if supersedes(receipt, kept) else None

        return self.replace(receipt.path, build, expected=expected, read_first=read_first) is not None

    def replace_waiting(self, receipt: Receipt) -> bool:
        """Write it over a receipt that waits under the same version of the sidecar, in one request; over any
        other one as `write` does. Whatever became of a drop comes after its waiting."""
        try:
            self._put(receipt, None, over=_waiting_tag(receipt))
        except ConditionFailedError:
            return self.write(receipt, read_first=True)
        return True

    def replace(
        self, path: str, build: Build, *, expected: KeptReceipt | None = None, read_first: bool = False
    ) -> Receipt | None:
        """Write what `build` makes of what lies there, and return it; None when that stays. Usually there is
        none yet, so a create-only write comes first; `expected` is one that was read just now.

        Raises StorageError.
        """
        kept = expected or (self.read(path) if read_first else None)
        for _ in range(_TRIES):
            receipt = build(kept)
            if receipt is None:
                return None
            try:
                self._put(receipt, kept)
            except ConditionFailedError:
                kept = self.read(path)
            else:
                return receipt
        raise StorageError(f"the receipt {path} is being written by too many at once")

    def due(self, now: datetime) -> Iterator[str]:
        """Paths of the receipts whose moment has come, in no order."""
        return self._blobs.due_before(self._container, now)

    def _put(self, receipt: Receipt, kept: KeptReceipt | None, over: str = "") -> None:
        inputs = {"newest": receipt.seen.isoformat(), "sidecarETag": receipt.sidecar_etag}
        step = {"step": receipt.step.isoformat()} if receipt.step else {}
        said = with_previous(receipt.body, kept) if kept else dict(receipt.body)
        head = {"v": FORMAT, "drop": receipt.path, "state": str(receipt.state)}
        content = json.dumps({**head, **said, "inputs": inputs | step}, ensure_ascii=False, indent=1)
        waits = receipt.state is ReceiptState.WAITING and "previous" not in said
        self._blobs.put(
            self._container,
            receipt.path,
            content.encode(),
            match="*" if over else kept.etag if kept else None,
            due=receipt.due,
            tags={"waiting": _waiting_tag(receipt)} if waits else None,
            if_tags=f"\"waiting\" = '{over}'" if over else "",
        )


def _waiting_tag(receipt: Receipt) -> str:
    """The sidecar's version as an index tag can hold it."""
    return re.sub("[^A-Za-z0-9]", "", receipt.sidecar_etag)


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
