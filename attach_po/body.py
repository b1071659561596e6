"""The body of an attach request, in either form, becomes a DocumentSet; nothing unchecked gets past it.

`multipart/form-data` is what browsers and curl send, `application/json` with base64 is what flows can send.
Parts and fields of unknown name are refused by name, because a document that is dropped in silence is lost.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Annotated

from pydantic import AfterValidator, AliasChoices
from pydantic import Field as JsonField
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from shared.core.errors import InvalidInputError, TooLargeError, UnsupportedMediaTypeError, Violation
from shared.core.models import Document, DocumentSet, Metadata, Role, StrictModel
from shared.core.strict_json import Json, join_pointer, loads
from shared.settings import Limits
from shared.validation import ids
from shared.validation.attachments import PO_FILES, metadata, metadata_of
from shared.validation.collecting import ViolationCollector
from shared.validation.files import document_faults, file_name
from shared.validation.pdf import HEAD, end_fault
from shared.validation.shapes import build, member, without_empty

PIECE = 256 * 1024
"""Bytes that a document is read in."""
HEADERS = 16 * 1024
"""Bytes of the headers of one part."""

_ROLE_OF_PART = {"pofiles": Role.PURCHASE_ORDER, "tenderfiles": Role.TENDER, "tender": Role.TENDER}
_ROLE_OF_FIELD = {PO_FILES: Role.PURCHASE_ORDER, ("tenderFiles",): Role.TENDER}
_OTHER_PARTS = 10
"""Parts beside the files that are read before the body is given up."""
_ACCEPT = 'send the whole file, or say in the metadata that it is whole: "acceptIncompletePdf": true'
_CODED = "is sent with a Content-Transfer-Encoding, which forms do not have: send its bytes as they are"
"""https://www.rfc-editor.org/rfc/rfc7578#section-4.7"""
_NO_ORDER = "at least one purchase order is required"


@dataclass(frozen=True, slots=True)
class _Upload:
    """A file as it came; `place` is its pointer, `content` is None when it could not be decoded."""

    role: Role
    place: str
    name: object
    name_place: str
    content: memoryview | None


@dataclass(frozen=True, slots=True)
class _Form:
    metadata: Metadata | None
    uploads: list[_Upload]


_Reader = Callable[[bytes, Mapping[str, str], Limits, ViolationCollector], _Form]


def read(
    content_type: str | None, body: bytes, limits: Limits, customer_id: str, order_id: str
) -> DocumentSet:
    """The submission in `body` for the ids of the path.

    Raises TooLargeError (body, or a file of it), UnsupportedMediaTypeError, and InvalidInputError with every
    violation of path and body. Documents are views of memory that `body` was read into.
    """
    if len(body) > limits.max_body:
        raise TooLargeError(f"The body has {len(body)} bytes; at most {limits.max_body} are allowed.")
    media_type, options = parse_options_header(content_type)
    kind = media_type.lower()
    reader = _json if kind.endswith("+json") else _READERS.get(kind)
    if reader is None:
        raise UnsupportedMediaTypeError(f"The Content-Type must be {' or '.join(_READERS)}.")
    with ViolationCollector() as faults:
        customer = faults.check(lambda: ids.customer_id(customer_id))
        order = faults.check(lambda: ids.order_id(order_id))
        form = reader(body, options, limits, faults)
        whole = limits.require_pdf_end and not (form.metadata and form.metadata.accepts_incomplete_pdf)
        documents = _documents(form.uploads, limits, faults, whole=whole)
    assert customer is not None
    assert order is not None
    assert form.metadata is not None
    return DocumentSet(customer, order, form.metadata, documents)


def _multipart(body: bytes, options: Mapping[str, str], limits: Limits, faults: ViolationCollector) -> _Form:
    boundary = options.get("boundary", "")
    if not re.fullmatch(r"[ -~]{0,199}[!-~]", boundary):
        raise _invalid("", "is multipart/form-data without a boundary in its Content-Type")
    described: list[tuple[str, bytes]] = []
    uploads: list[_Upload] = []
    coded: list[str] = []
    orders_place = "/POFiles"
    for part, content in _parts(body, boundary, limits.max_files + _OTHER_PARTS):
        written = part.name or ""
        named = join_pointer("", written)
        if _ROLE_OF_PART.get(written.lower()) is Role.PURCHASE_ORDER:
            orders_place = named
        if _is_coded(part):
            coded.append(named)
        elif written.lower() == "metadata":
            described.append((named, bytes(content)))
        else:
            _add_file(part, content, named, uploads, faults)
    for place in coded:  # whatever that part was, it is not missing
        faults.add(place, _CODED)
    if coded:
        return _Form(None, uploads)
    if not any(upload.role is Role.PURCHASE_ORDER for upload in uploads):
        faults.add(orders_place, _NO_ORDER)
    return _Form(_described(described, _tenders(uploads), faults), uploads)


def _add_file(
    part: Field | File, content: bytearray, named: str, uploads: list[_Upload], faults: ViolationCollector
) -> None:
    role = _ROLE_OF_PART.get((part.name or "").lower())
    if role is None:
        _unknown_part(part.name or "", faults)
    elif isinstance(part, Field):
        faults.add(named, "must be sent as a file, with a file name")
    elif part.filename or content:
        place = join_pointer(named, sum(upload.place.startswith(f"{named}/") for upload in uploads))
        uploads.append(_Upload(role, place, _sent_name(part), place, memoryview(content)))


def _is_coded(part: Field | File) -> bool:
    """Whether a part says that its content is not the bytes themselves."""
    coding = part.headers.get("content-transfer-encoding", "binary").strip().lower()
    return coding not in ("binary", "8bit", "7bit")


def _described(
    parts: list[tuple[str, bytes]], tender_files: int, faults: ViolationCollector
) -> Metadata | None:
    if len(parts) != 1:
        place = parts[-1][0] if parts else "/metadata"
        faults.add(place, f"must be given once; it is given {len(parts)} times")
        return None
    ((place, content),) = parts
    return faults.check(lambda: metadata(content, tender_files=tender_files, pointer=place))


def _parts(body: bytes, boundary: str, most: int) -> list[tuple[Field | File, bytearray]]:
    try:
        parts = list(islice(_decoded_parts(body, boundary), most + 1))
    except RequestEntityTooLarge:
        raise _invalid("", f"contains more than {HEADERS} bytes before, between or after its parts") from None
    except UnicodeDecodeError:
        raise _invalid(
            "", "has a part header that is not UTF-8; give the form accept-charset=utf-8"
        ) from None
    except ValueError:
        raise _invalid(
            "", "is not complete multipart/form-data with the boundary that its Content-Type names"
        ) from None
    if len(parts) > most:
        raise _invalid("", f"contains more than {most} parts")
    return parts


def _decoded_parts(body: bytes, boundary: str) -> Iterator[tuple[Field | File, bytearray]]:
    """The parts; what is none is kept in the decoder's buffer, and searched again with each piece."""
    decoder = MultipartDecoder(boundary.encode("ascii"), max_form_memory_size=PIECE + HEADERS)
    content = bytearray()
    for start in range(0, len(body) + PIECE, PIECE):
        decoder.receive_data(body[start : start + PIECE] or None)
        event = decoder.next_event()
        while not isinstance(event, NeedData | Epilogue):
            if isinstance(event, Field | File):
                if sum(len(name) + len(value) for name, value in event.headers) > HEADERS:
                    raise RequestEntityTooLarge
                part, content = event, bytearray()
            elif isinstance(event, Data):
                content += event.data
                if not event.more_data:
                    yield part, content
            event = decoder.next_event()


def _sent_name(part: File) -> str:
    """The file name as its sender meant it.

    Browsers escape quotes and line breaks by percent codes and leave a backslash alone, other clients write
    a backslash before quotes and backslashes.
    https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
    """
    header = part.headers["content-disposition"]
    quoted = re.search(r'filename="((?:[^"\\]|\\.)*)"', header, re.IGNORECASE)
    if quoted is None or "filename*" in header.lower():
        return part.filename
    name = re.sub(r'\\(["\\])', r"\1", quoted[1])
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _unknown_part(name: str, faults: ViolationCollector) -> None:
    if name:
        faults.add(
            join_pointer("", name[:100]), "is not a known part; send metadata, POFiles and TenderFiles"
        )
    else:
        faults.add("", "contains a part without a name")


def _some(files: list[object]) -> list[object]:
    if not files:
        raise ValueError(_NO_ORDER)
    return files


class _BodyShape(StrictModel):
    metadata: dict[str, object]
    po_files: Annotated[list[object], AfterValidator(_some)] = JsonField(
        validation_alias=AliasChoices(*PO_FILES)
    )
    tender_files: list[object] | None = None


class _FileShape(StrictModel):
    file_name: object = None
    content: object = None


def _json(body: bytes, _: Mapping[str, str], limits: Limits, faults: ViolationCollector) -> _Form:
    document = loads(body, limits.max_body)
    faults.add_final(document)
    tree = without_empty(document.value, _BodyShape)
    build(_BodyShape, tree, "", faults)
    uploads: list[_Upload] = []
    for spellings, role in _ROLE_OF_FIELD.items():
        written, files = member(tree, *spellings)
        if isinstance(files, list):
            place = join_pointer("", written)
            if len(files) > limits.max_files:
                faults.add(place, f"contains {len(files)} files; at most {limits.max_files} are allowed")
            uploads += (
                _json_file(item, role, join_pointer(place, index), faults)
                for index, item in enumerate(files[: limits.max_files])
            )
    written, described = member(tree, "metadata")
    if not isinstance(described, dict):
        return _Form(None, uploads)
    place, tenders = join_pointer("", written), _tenders(uploads)
    return _Form(metadata_of(described, tender_files=tenders, pointer=place, faults=faults), uploads)


def _json_file(item: Json, role: Role, place: str, faults: ViolationCollector) -> _Upload:
    build(_FileShape, item, place, faults)
    name_written, name = member(item, "fileName")
    written, content = member(item, "content")
    decoded = faults.check(lambda: _from_base64(content, join_pointer(place, written)))
    return _Upload(role, place, name, join_pointer(place, name_written), decoded)


def _from_base64(content: Json, pointer: str) -> memoryview:
    """The bytes that flows hold as base64, alone or within `{"$content-type": …, "$content": …}`."""
    if isinstance(content, dict) and content.keys() <= {"$content-type", "$content"}:
        pointer, content = join_pointer(pointer, "$content"), content.get("$content")
    if not isinstance(content, str):
        raise _invalid(pointer, "must be base64, or an object of $content-type and $content with base64")
    if content[:5].lower() == "data:":
        raise _invalid(pointer, "is a data: URL; send only the base64 that follows its comma")
    packed = content.encode("utf-8", "replace").translate(None, b" \t\r\n\f\v")
    try:
        return memoryview(base64.b64decode(packed, validate=True))
    except ValueError:
        if re.fullmatch(rb"[A-Za-z0-9_-]+=*", packed) and re.search(b"[_-]", packed):
            raise _invalid(pointer, "is URL-safe base64; send the standard alphabet, with + and /") from None
        raise _invalid(pointer, "is not base64: a character, the padding or the length is wrong") from None


_READERS: Mapping[str, _Reader] = {"multipart/form-data": _multipart, "application/json": _json}


def _documents(
    uploads: list[_Upload], limits: Limits, faults: ViolationCollector, *, whole: bool
) -> tuple[Document, ...]:
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


def _document(upload: _Upload, limits: Limits, faults: ViolationCollector, *, whole: bool) -> Document | None:
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


def _tenders(uploads: list[_Upload]) -> int:
    return sum(upload.role is Role.TENDER for upload in uploads)


def _invalid(pointer: str, detail: str) -> InvalidInputError:
    return InvalidInputError([Violation(pointer, detail)])
