"""Receipts in blob storage: one JSON blob for each drop, that a flow can trigger on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from shared import telemetry
from shared.core.errors import ConditionFailedError, StorageError
from shared.core.listing import receipt_since, state_in, tag_of
from shared.core.receipt_parts import Receipt, ReceiptState, VersionedReceipt, load_receipt
from shared.core.receipt_rules import seconds_to_receipt, supersedes, with_previous
from shared.storage.blobs import BlobStore, stamp

_TRIES = 10


Build = Callable[[VersionedReceipt | None], Receipt | None]
"""The receipt to write in place of what lies there; None when that is to stay."""


class ReceiptStore:
    """The receipts of one container, under the paths of their sidecars."""

    def __init__(self, blobs: BlobStore, container: str) -> None:
        self._blobs = blobs
        self._container = container

    def read(self, path: str) -> VersionedReceipt | None:
        """The receipt of a drop, if there is one."""
        blob = self._blobs.get(self._container, path)
        return load_receipt(path, blob.content, blob.etag) if blob else None

    def write(
        self, receipt: Receipt, *, expected: VersionedReceipt | None = None, read_first: bool = False
    ) -> bool:
        """Write it unless what lies there has come further (`supersedes`); whether it was written."""

        def build(kept: VersionedReceipt | None) -> Receipt | None:
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
        self, path: str, build: Build, *, expected: VersionedReceipt | None = None, read_first: bool = False
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
        raise StorageError(f"the receipt {path} could not be written: too many concurrent writers")

    def due(self, now: datetime) -> Iterator[str]:
        """Paths of the receipts whose moment has come, in no order."""
        return self._blobs.due_before(self._container, now)

    def moments(self, state: ReceiptState) -> Iterator[str]:
        """Since when each of what is in that state is there. Raises StorageError."""
        return self._blobs.moments(self._container, tag_of(state))

    def page(self, state: ReceiptState, since: datetime, marker: str) -> tuple[list[VersionedReceipt], str]:
        """Some of the receipts that came to `state` since then and tell what no record does, in no order,
        and the marker of the rest ("" at the end). Raises MarkerRefusedError, StorageError."""
        names, following = self._blobs.tagged(self._container, tag_of(state), since, marker)
        found = (self.read(name) for name in names)
        return [receipt for receipt in found if receipt and receipt.state is state], following

    def _put(self, receipt: Receipt, kept: VersionedReceipt | None, over: str = "") -> None:
        if kept:
            receipt = replace(receipt, body=with_previous(receipt.body, kept))
        tags = {}
        if receipt.state is ReceiptState.WAITING and not receipt.body.previous:
            tags["waiting"] = _waiting_tag(receipt)
        if state := state_in(receipt):
            tags[tag_of(state)] = stamp(receipt_since(receipt))
        self._blobs.put(
            self._container,
            receipt.path,
            receipt.dump(),
            match="*" if over else kept.etag if kept else None,
            due=receipt.due,
            tags=tags,
            if_tags=f"\"waiting\" = '{over}'" if over else "",
        )
        took = seconds_to_receipt(receipt, kept)
        if took is not None:
            telemetry.DROP.record(took, state=str(receipt.state))


def _waiting_tag(receipt: Receipt) -> str:
    """The sidecar's version as an index tag can hold it."""
    return re.sub("[^A-Za-z0-9]", "", receipt.sidecar_etag)
