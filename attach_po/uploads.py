"""Files as they came, in whatever form of a body, become the documents of a submission."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from shared.core.errors import InvalidInputError, TooLargeError, Violation
from shared.core.models import Document, Metadata, Role
from shared.core.strict_json import Json, join_pointer
from shared.settings import Limits
from shared.validation.collecting import ViolationCollector
from shared.validation.files import document_faults, file_name
from shared.validation.pdf import HEAD, end_fault

PIECE = 256 * 1024
"""Bytes that a document is read in."""
_ACCEPT = 'send the whole file, or say in the metadata that it is whole: "acceptIncompletePdf": true'


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came; `place` is its pointer, `content` is None when it could not be decoded."""

    role: Role
    place: str
    name: object
    name_place: str
    content: memoryview | None


@dataclass(frozen=True, slots=True)
class Form:
    """What a body holds; `metadata` is None when it is faulty."""

    metadata: Metadata | None
    uploads: list[Upload]


def tenders(uploads: list[Upload]) -> int:
    """How many of them are tenders."""
    return sum(upload.role is Role.TENDER for upload in uploads)


def from_base64(content: Json, pointer: str) -> bytearray:
    """The bytes that flows hold as base64, alone or within `{"$content-type": …, "$content": …}`.

    Raises InvalidInputError."""
    if isinstance(content, dict) and content.keys() <= {"$content-type", "$content"}:
        pointer, content = join_pointer(pointer, "$content"), content.get("$content")
    if not isinstance(content, str):
        raise invalid(pointer, "must be base64, or an object of $content-type and $content with base64")
    if content[:5].lower() == "data:":
        raise invalid(pointer, "is a data: URL; send only the base64 that follows its comma")
    try:
        return _decoded(content)
    except ValueError:
        packed = _packed(content)
        if re.fullmatch(rb"[A-Za-z0-9_-]+=*", packed) and re.search(b"[_-]", packed):
            raise invalid(pointer, "is URL-safe base64; send the standard alphabet, with + and /") from None
        raise invalid(pointer, "is not base64: a character, the padding or the length is wrong") from None


def _decoded(content: str) -> bytearray:
    """The bytes of a base64 text, of which no second copy is made. ValueError when it is none."""
    decoded, rest = bytearray(), b""
    for start in range(0, len(content), PIECE):
        packed = rest + _packed(content[start : start + PIECE])
        if len(decoded) % 3 and packed:
            raise ValueError("something follows the padding")
        whole = len(packed) - len(packed) % 4
        decoded += base64.b64decode(packed[:whole], validate=True)
        rest = packed[whole:]
    if rest:
        raise ValueError("the last group is not whole")
    return decoded


def _packed(content: str) -> bytes:
    return content.encode("utf-8", "replace").translate(None, b" \t\r\n\f\v")


def documents(
    uploads: list[Upload], limits: Limits, faults: ViolationCollector, *, whole: bool
) -> tuple[Document, ...]:
    """The documents that the files are, checked; what is wrong goes to `faults`. `whole`: each needs the end
    of a PDF. Raises TooLargeError."""
    for upload in uploads:
        if upload.content is not None and upload.content.nbytes > limits.max_file:
            raise TooLargeError(
                f"{upload.place} has {upload.content.nbytes} bytes; a file may have {limits.max_file}."
            )
    if len(uploads) > limits.max_files:
        faults.add("", f"contains {len(uploads)} files; at most {limits.max_files} are allowed")
    found: dict[Document, str] = {}
    for upload in uploads[: limits.max_files]:
        document = _document(upload, limits, faults, whole=whole)
        if document in found:
            faults.add(upload.place, f"is the same document as {found[document]}")
        elif document is not None:
            found[document] = upload.place
    return tuple(found)


def _document(upload: Upload, limits: Limits, faults: ViolationCollector, *, whole: bool) -> Document | None:
    name = faults.check(lambda: file_name(upload.name, upload.name_place))
    view = upload.content
    if view is None:
        return None
    head = bytes(view[:HEAD])
    found = document_faults(name or "the file", view.nbytes, head, limits.max_file)
    if whole and not found:
        cut = end_fault(_pieces(view))
        found = [f"{name or 'the file'} {cut}; {_ACCEPT}"] if cut else []
    for fault in found:
        faults.add(upload.place, fault)
    if name is None:
        return None
    md5 = hashlib.md5(view, usedforsecurity=False).hexdigest()
    return Document(upload.role, name, view.nbytes, md5, partial(_pieces, view))


def _pieces(view: memoryview) -> Iterator[memoryview]:
    return (view[start : start + PIECE] for start in range(0, view.nbytes, PIECE))


def invalid(pointer: str, detail: str) -> InvalidInputError:
    """One violation, to be raised."""
    return InvalidInputError([Violation(pointer, detail)])
