"""Take a snapshot of a drop: the sidecar and its files as they lie in storage now."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.core.drop_rules import FoundFile, RequiredFile, required_files
from shared.core.errors import (
    IncompleteDocumentError,
    InvalidInputError,
    SourceFailedError,
    StorageError,
    Violation,
)
from shared.core.ledger_parts import Source
from shared.core.models import Document
from shared.core.receipt_parts import FileEntry, ReceiptBody
from shared.core.uploads import ExpectedFile
from shared.settings import Limits
from shared.storage.blobs import BlobStore
from shared.storage.stream import BlobStream
from shared.validation.attachments import MAX_SIDECAR, Sidecar, named_files
from shared.validation.attachments import sidecar as read_sidecar
from shared.validation.files import document_faults, file_name
from shared.validation.pdf import EndOfPdf, end_fault


@dataclass(frozen=True, slots=True)
class DropSnapshot:
    """What lay in storage at one moment."""

    path: str
    etag: str
    written: datetime
    """When the sidecar was written, to the second."""
    sidecar: Sidecar | None
    violations: tuple[Violation, ...]
    required: tuple[RequiredFile, ...]
    found: Mapping[str, FoundFile]
    streams: Mapping[str, BlobStream]
    newest: datetime
    whole: bool
    """Whether documents that end where no PDF ends are held back."""

    @property
    def source(self) -> Source:
        """Where a submission's documents come from, and in which versions."""
        files = {f.path: f.etag for f in self.found.values()}
        return Source(drop=self.path, sidecar_etag=self.etag, files=files)

    @property
    def newer_documents(self) -> tuple[str, ...]:
        """Names of the documents of a set that were written after its sidecar."""
        named = {r.file_name for r in self.required if r.named}
        return tuple(n for n, s in self.streams.items() if n in named and s.last_modified > self.written)

    @property
    def size(self) -> int:
        """Bytes of all documents together."""
        return sum(f.size for f in self.found.values())

    def files(self) -> tuple[FileEntry, ...]:
        """The files that were found, in the versions that were found."""
        return tuple(
            FileEntry(file_name=f.name, kind=f.role, size=f.size, md5=self.streams[name].md5, etag=f.etag)
            for name, f in self.found.items()
        )

    def facts(self) -> ReceiptBody:
        """Which order the drop is for, and its files."""
        if self.sidecar is None:
            return ReceiptBody(files=self.files())
        return ReceiptBody(
            files=self.files(), customer_id=self.sidecar.customer_id, order_id=self.sidecar.order_id
        )

    def documents(self) -> tuple[Document, ...]:
        """The files as documents to send. Raises SourceFailedError when one cannot be read,
        IncompleteDocumentError when one has no end, which of a large one is known at its end alone."""
        documents = []
        for name, file in self.found.items():
            stream = self.streams[name]
            read = partial(_whole, file.name, stream.read) if self.whole else stream.read
            documents.append(Document(file.role, file.name, file.size, _md5(stream, read), read))
        return tuple(documents)


def take_snapshot(
    blobs: BlobStore, incoming: str, limits: Limits, path: str, opened: ExitStack
) -> DropSnapshot | None:
    """See what is in storage now; None when there is no such sidecar. `opened` closes what was opened.

    Faults of the documents are found whatever is wrong with the sidecar, as far as it names them.
    """
    stream = blobs.open(incoming, path)
    if stream is None:
        return None
    opened.callback(stream.close)
    sidecar, named, violations = _read(stream)
    required = required_files(path, *named)
    violations += _odd_names(required)
    whole = limits.require_pdf_end and not (sidecar and sidecar.metadata.accepts_incomplete_pdf)
    expected = {one.file_name: one for one in sidecar.expected} if sidecar else {}
    violations += _nobodys(expected, required)
    found: dict[str, FoundFile] = {}
    streams: dict[str, BlobStream] = {}
    for r in required[: limits.max_files]:
        file = _open(blobs, incoming, r, opened)
        if file is not None:
            streams[r.file_name] = file
            name = file.name.rpartition("/")[2]
            faults = tuple(document_faults(name, file.size, file.head, limits.max_file))
            if not faults:
                faults = tuple(_unexpected(name, expected.get(name) or expected.get(r.file_name), file))
            cut = end_fault([file.head]) if whole and not faults and len(file.head) == file.size else ""
            incomplete = f"{name} {cut}" if cut else ""
            found[r.file_name] = FoundFile(name, file.name, r.role, file.etag, file.size, faults, incomplete)
    newest = max([stream.last_modified, *(s.last_modified for s in streams.values())])
    return DropSnapshot(
        path, stream.etag, stream.last_modified, sidecar, violations, required, found, streams, newest, whole
    )


_Names = tuple[tuple[str, ...], tuple[str, ...]]


def _read(stream: BlobStream) -> tuple[Sidecar | None, _Names, tuple[Violation, ...]]:
    """The sidecar, the purchase orders and tenders that it names, and what is wrong with it."""
    if stream.size > MAX_SIDECAR:
        fault = f"a sidecar has at most {MAX_SIDECAR} bytes, this one {stream.size}"
        return None, ((), ()), (Violation("", fault),)
    try:
        raw = b"".join(stream.read())
        sidecar = read_sidecar(raw)
    except InvalidInputError as error:
        return None, named_files(raw), error.violations
    except SourceFailedError as error:
        raise StorageError(str(error)) from error
    return sidecar, (sidecar.po_files, sidecar.tender_files), ()


def _odd_names(required: tuple[RequiredFile, ...]) -> tuple[Violation, ...]:
    """A document that the sidecar is named after bears whatever name it was dropped under."""
    faults: list[Violation] = []
    for r in required:
        try:
            file_name(r.file_name, "")
        except InvalidInputError as error:
            faults += [Violation("", f"the document's name {v.detail}") for v in error.violations]
    return tuple(faults)


def _open(blobs: BlobStore, incoming: str, required: RequiredFile, opened: ExitStack) -> BlobStream | None:
    for path in required.paths:
        stream = blobs.open(incoming, path)
        if stream is not None:
            opened.callback(stream.close)
            return stream
    return None


def _nobodys(
    expected: Mapping[str, ExpectedFile], required: tuple[RequiredFile, ...]
) -> tuple[Violation, ...]:
    """What is expected of files that are none of this drop's: nobody would check it."""
    names = {path.rpartition("/")[2] for r in required for path in r.paths}
    others = [name for name in expected if name not in names]
    return tuple(Violation("/expected", f"names {name}, which is no file of this drop") for name in others)


def _unexpected(name: str, expected: ExpectedFile | None, file: BlobStream) -> list[str]:
    """How a file differs from what the sidecar says that it is."""
    if expected is None:
        return []
    try:
        read = expected.md5 and file.size == expected.size
        return expected.faults(name, file.size, _md5(file, file.read) if read else "")
    except SourceFailedError as error:
        raise StorageError(str(error)) from error


def _whole(name: str, read: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """The content of a document. Raises IncompleteDocumentError behind its last piece when it has no end:
    before the request that carries it is closed."""
    end = EndOfPdf()
    for piece in read():
        end.add(piece)
        yield piece
    if end.fault:
        raise IncompleteDocumentError(f"{name} {end.fault}")


def _md5(stream: BlobStream, read: Callable[[], Iterator[bytes]]) -> str:
    """The content's MD5 as storage tells it; a blob that was committed in blocks has none, and is read."""
    if not stream.md5:
        digest = hashlib.md5(usedforsecurity=False)
        for piece in read():
            digest.update(piece)
        stream.md5 = digest.hexdigest()
    return stream.md5
