"""The parts of a form: of `multipart/form-data`, or of the object that stands for one in a flow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from attach_po.uploads import PIECE, Form, Upload, invalid, tenders
from shared.core.models import Metadata, Role
from shared.core.strict_json import join_pointer
from shared.settings import Limits
from shared.validation.attachments import NO_ORDER, metadata
from shared.validation.collecting import ViolationCollector

HEADERS = 16 * 1024
"""Bytes of the headers of one part."""

_ROLE_OF_PART = {"pofiles": Role.PURCHASE_ORDER, "tenderfiles": Role.TENDER, "tender": Role.TENDER}
_OTHER_PARTS = 10
"""Parts beside the files that are read before the body is given up."""
_CODED = "is sent with a Content-Transfer-Encoding, which forms do not have: send its bytes as they are"
"""https://www.rfc-editor.org/rfc/rfc7578#section-4.7"""


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `filename` is None when it is no file; `coded`: its content is not the bytes themselves."""

    name: str
    filename: str | None
    content: bytes | bytearray
    coded: bool = False

    @property
    def kind(self) -> str:
        """The name without the `[]` or `[0]` that some clients put behind it."""
        return re.sub(r"\[[0-9]*\]$", "", self.name).lower()


def most_parts(limits: Limits) -> int:
    """How many parts are read before a body is given up."""
    return limits.max_files + _OTHER_PARTS


def read_multipart(
    body: bytes, options: Mapping[str, str], limits: Limits, faults: ViolationCollector
) -> Form:
    """The form in a body of `multipart/form-data`; `options` are the parameters of its Content-Type."""
    boundary = options.get("boundary", "")
    if not re.fullmatch(r"[ -~]{0,199}[!-~]", boundary):
        raise invalid("", "is multipart/form-data without a boundary in its Content-Type")
    return form_of(_parts(body, boundary, most_parts(limits)), faults)


def form_of(parts: Sequence[Part], faults: ViolationCollector) -> Form:
    """What the parts of a form amount to; violations go to `faults`, at the names of parts."""
    described: list[tuple[str, bytes]] = []
    uploads: list[Upload] = []
    coded: list[str] = []
    orders_place = "/POFiles"
    for part in parts:
        named = join_pointer("", part.name)
        if _ROLE_OF_PART.get(part.kind) is Role.PURCHASE_ORDER:
            orders_place = named
        if part.coded:
            coded.append(named)
        elif part.kind == "metadata":
            described.append((named, bytes(part.content)))
        else:
            _add_file(part, named, uploads, faults)
    for place in coded:  # whatever that part was, it is not missing
        faults.add(place, _CODED)
    if coded:
        return Form(None, uploads)
    if not any(upload.role is Role.PURCHASE_ORDER for upload in uploads):
        faults.add(orders_place, NO_ORDER)
    return Form(_described(described, tenders(uploads), faults), uploads)


def sent_name(disposition: str, parsed: str) -> str:
    """The file name as its sender meant it; `parsed` is what a parser made of the Content-Disposition.

    Browsers escape quotes and line breaks by percent codes and leave a backslash alone, other clients write
    a backslash before quotes and backslashes.
    https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
    """
    quoted = re.search(r'filename="((?:[^"\\]|\\.)*)"', disposition, re.IGNORECASE)
    if quoted is None or "filename*" in disposition.lower():
        return parsed
    name = re.sub(r'\\(["\\])', r"\1", quoted[1])
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _add_file(part: Part, named: str, uploads: list[Upload], faults: ViolationCollector) -> None:
    role = _ROLE_OF_PART.get(part.kind)
    if role is None:
        _unknown_part(part.name, faults)
    elif part.filename is None:
        faults.add(named, "must be sent as a file, with a file name")
    elif part.filename or part.content:
        place = join_pointer(named, sum(upload.place.startswith(f"{named}/") for upload in uploads))
        uploads.append(Upload(role, place, part.filename, place, memoryview(part.content)))


def _unknown_part(name: str, faults: ViolationCollector) -> None:
    if name:
        faults.add(
            join_pointer("", name[:100]), "is not a known part; send metadata, POFiles and TenderFiles"
        )
    else:
        faults.add("", "contains a part without a name")


def _described(
    parts: list[tuple[str, bytes]], tender_files: int, faults: ViolationCollector
) -> Metadata | None:
    if len(parts) != 1:
        place = parts[-1][0] if parts else "/metadata"
        faults.add(place, f"must be given once; it is given {len(parts)} times")
        return None
    ((place, content),) = parts
    return faults.check(lambda: metadata(content, tender_files=tender_files, pointer=place))


def _parts(body: bytes, boundary: str, most: int) -> list[Part]:
    try:
        parts = list(islice(_decoded_parts(body, boundary), most + 1))
    except RequestEntityTooLarge:
        raise invalid("", f"contains more than {HEADERS} bytes before, between or after its parts") from None
    except UnicodeDecodeError:
        raise invalid("", "has a part header that is not UTF-8; give the form accept-charset=utf-8") from None
    except ValueError:
        raise invalid(
            "", "is not complete multipart/form-data with the boundary that its Content-Type names"
        ) from None
    if len(parts) > most:
        raise invalid("", f"contains more than {most} parts")
    return parts


def _decoded_parts(body: bytes, boundary: str) -> Iterator[Part]:
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
                    yield _part(part, content)
            event = decoder.next_event()


def _part(part: Field | File, content: bytearray) -> Part:
    coding = part.headers.get("content-transfer-encoding", "binary").strip().lower()
    name = None
    if isinstance(part, File):
        name = sent_name(part.headers["content-disposition"], part.filename)
    return Part(part.name or "", name, content, coding not in ("binary", "8bit", "7bit"))
