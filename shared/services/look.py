"""Look at a drop: the sidecar and its files as they lie in storage now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.drops import SeenFile, Wanted, wanted_files
from shared.errors import InvalidInputError, SourceFailedError, StorageError, Violation
from shared.models import Document
from shared.settings import Limits
from shared.storage.blobs import BlobStore
from shared.storage.stream import BlobStream
from shared.validation.attachments import Sidecar
from shared.validation.attachments import sidecar as read_sidecar
from shared.validation.files import document_faults, file_name

SIDECAR_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a drop saw."""

    path: str
    etag: str
    sidecar: Sidecar | None
    violations: tuple[Violation, ...]
    wanted: tuple[Wanted, ...]
    seen: Mapping[str, SeenFile]
    streams: Mapping[str, BlobStream]
    newest: datetime

    @property
    def source(self) -> Mapping[str, Any]:
        """Where a submission's documents come from, and in which versions."""
        return {
            "drop": self.path,
            "sidecarETag": self.etag,
            "files": {f.path: f.etag for f in self.seen.values()},
        }

    def documents(self) -> tuple[Document, ...]:
        """The files as documents to send. Raises SourceFailedError when one cannot be read."""
        return tuple(
            Document(f.role, f.name, f.size, _md5(self.streams[name]), self.streams[name].read)
            for name, f in self.seen.items()
        )


def look(blobs: BlobStore, incoming: str, limits: Limits, path: str, opened: ExitStack) -> Look | None:
    """See what is in storage now; None when there is no such sidecar. `opened` closes what was opened."""
    stream = blobs.open(incoming, path)
    if stream is None:
        return None
    opened.callback(stream.close)
    sidecar, violations = _read(stream)
    wanted = wanted_files(path, sidecar.po_files, sidecar.tender_files) if sidecar else ()
    violations += _odd_names(wanted)
    seen: dict[str, SeenFile] = {}
    streams: dict[str, BlobStream] = {}
    for w in wanted[: limits.max_files]:
        file = _open(blobs, incoming, w, opened)
        if file is not None:
            streams[w.file_name] = file
            faults = tuple(document_faults(w.file_name, file.size, file.head, limits.max_file))
            seen[w.file_name] = SeenFile(w.file_name, file.name, w.role, file.etag, file.size, faults)
    newest = max([stream.last_modified, *(s.last_modified for s in streams.values())])
    return Look(path, stream.etag, sidecar, violations, wanted, seen, streams, newest)


def _read(stream: BlobStream) -> tuple[Sidecar | None, tuple[Violation, ...]]:
    if stream.size > SIDECAR_BYTES:
        return None, (Violation("", f"a sidecar has at most {SIDECAR_BYTES} bytes, this one {stream.size}"),)
    try:
        return read_sidecar(b"".join(stream.read())), ()
    except InvalidInputError as error:
        return None, error.violations
    except SourceFailedError as error:
        raise StorageError(str(error)) from error


def _odd_names(wanted: tuple[Wanted, ...]) -> tuple[Violation, ...]:
    """A document that the sidecar is named after bears whatever name it was dropped under."""
    faults: list[Violation] = []
    for w in wanted:
        try:
            file_name(w.file_name, "")
        except InvalidInputError as error:
            faults += [Violation("", f"the document's name {v.detail}") for v in error.violations]
    return tuple(faults)


def _open(blobs: BlobStore, incoming: str, wanted: Wanted, opened: ExitStack) -> BlobStream | None:
    for path in wanted.paths:
        stream = blobs.open(incoming, path)
        if stream is not None:
            opened.callback(stream.close)
            return stream
    return None


def _md5(stream: BlobStream) -> str:
    """The content's MD5 as storage tells it; a blob that was committed in blocks has none, and is read."""
    if not stream.md5:
        digest = hashlib.md5(usedforsecurity=False)
        for piece in stream.read():
            digest.update(piece)
        stream.md5 = digest.hexdigest()
    return stream.md5
