"""JSON with base64, in the shapes in which flows hold files.

1. Our own: `metadata`, `poFiles`, `tenderFiles`; a file is `{"fileName", "content"}`.
2. Files as connectors give them: `{"name", "contentBytes", …}` (mail, SharePoint), content as
   `{"$content-type", "$content"}`; one file instead of a list of one; metadata as a JSON text.
3. The whole body as `{"$content-type", "$content"}`: what a flow makes of a body that it was given.
4. `{"$content-type": "multipart/form-data", "$multipart": [part, …]}`: the HTTP action makes a form of it,
   but sends it as JSON when the designer has escaped its quotes.
   https://learn.microsoft.com/en-us/azure/connectors/connectors-native-http#content-with-multipartform-data-type
   https://learn.microsoft.com/en-us/graph/api/resources/fileattachment
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, AliasChoices
from pydantic import Field as JsonField
from werkzeug.http import parse_options_header

from attach_po.form import HEADERS, Part, form_of, most_parts, sent_name
from attach_po.uploads import Form, Upload, from_base64, invalid, tenders
from shared.core.models import Metadata, Role, StrictModel
from shared.core.strict_json import Json, dumps, join_pointer
from shared.settings import Limits
from shared.validation.attachments import NO_ORDER, PO_FILES, metadata, metadata_of
from shared.validation.collecting import ViolationCollector
from shared.validation.shapes import build, member, without_empty

MAX_TYPE = 1024
"""Characters of a media type with its parameters."""
_ROLE_OF_FIELD = {PO_FILES: Role.PURCHASE_ORDER, ("tenderFiles",): Role.TENDER}
_NAMES = ("fileName", "FileName", "name", "Name")
_CONTENTS = ("content", "Content", "contentBytes", "ContentBytes")
_OF_ATTACHMENTS = frozenset(
    ("id", "contenttype", "size", "isinline", "lastmodifieddatetime", "contentid", "contentlocation")
)
"""What mail connectors tell of an attachment beside its name and content; in lower case."""


def _some(files: list[object]) -> list[object]:
    if not files:
        raise ValueError(NO_ORDER)
    return files


class _BodyShape(StrictModel):
    metadata: dict[str, object]
    po_files: Annotated[list[object], AfterValidator(_some)] = JsonField(
        validation_alias=AliasChoices(*PO_FILES)
    )
    tender_files: list[object] | None = None


class _FileShape(StrictModel):
    file_name: object = JsonField(None, validation_alias=AliasChoices(*_NAMES))
    content: object = JsonField(None, validation_alias=AliasChoices(*_CONTENTS))


def wrapped(document: Json) -> tuple[str, bytes] | None:
    """Content-Type and content of a body that a flow has wrapped; None when this one is not.

    Raises InvalidInputError."""
    if not isinstance(document, dict) or "$content" not in document:
        return None
    kind = document.get("$content-type")
    if not isinstance(kind, str) or len(kind) > MAX_TYPE:
        raise invalid("/$content-type", "is required: it says what $content holds, such as application/json")
    return kind, bytes(from_base64(document, ""))


def read_json(document: Json, limits: Limits, faults: ViolationCollector) -> Form:
    """The form that a JSON document holds; violations go to `faults`."""
    if isinstance(document, dict) and "$multipart" in document:
        _only(document, ("$content-type", "$multipart"), "", faults)
        return _of_multipart(document["$multipart"], limits, faults)
    tree = without_empty(document, _BodyShape)
    build(_BodyShape, _listed(tree), "", faults)
    uploads: list[Upload] = []
    for spellings, role in _ROLE_OF_FIELD.items():
        written, files = member(tree, *spellings)
        place = join_pointer("", written)
        if isinstance(files, dict):
            uploads.append(_file(files, role, place, faults))
        elif isinstance(files, list):
            if len(files) > limits.max_files:
                faults.add(place, f"contains {len(files)} files; at most {limits.max_files} are allowed")
            uploads += (
                _file(item, role, join_pointer(place, index), faults)
                for index, item in enumerate(files[: limits.max_files])
            )
    written, described = member(tree, "metadata")
    return Form(_described(described, tenders(uploads), join_pointer("", written), faults), uploads)


def _listed(tree: Json) -> Json:
    """The tree as if each file stood in a list and metadata were an object."""
    if not isinstance(tree, dict):
        return tree
    listed = dict(tree)
    for spellings in _ROLE_OF_FIELD:
        written, files = member(tree, *spellings)
        if isinstance(files, dict):
            listed[written] = [files]
    written, described = member(tree, "metadata")
    if isinstance(described, str):
        listed[written] = {}
    return listed


def _described(described: Json, tender_files: int, place: str, faults: ViolationCollector) -> Metadata | None:
    if isinstance(described, str):
        raw = described.encode("utf-8", "replace")
        return faults.check(lambda: metadata(raw, tender_files=tender_files, pointer=place))
    if not isinstance(described, dict):
        return None
    return metadata_of(described, tender_files=tender_files, pointer=place, faults=faults)


def _file(item: Json, role: Role, place: str, faults: ViolationCollector) -> Upload:
    if isinstance(item, dict) and member(item, "contentBytes")[1] is not None:
        item = {name: value for name, value in item.items() if not _tells_more(name)}
    build(_FileShape, item, place, faults)
    name_written, name = member(item, *_NAMES)
    written, content = member(item, *_CONTENTS)
    decoded = faults.check(lambda: from_base64(content, join_pointer(place, written)))
    content_of = None if decoded is None else memoryview(decoded)
    return Upload(role, place, name, join_pointer(place, name_written), content_of)


def _tells_more(name: str) -> bool:
    return name.lower() in _OF_ATTACHMENTS or name.startswith(("@odata.", "@microsoft.graph."))


def _of_multipart(items: Json, limits: Limits, faults: ViolationCollector) -> Form:
    if not isinstance(items, list):
        raise invalid("/$multipart", "must be an array")
    if len(items) > most_parts(limits):
        raise invalid("/$multipart", f"contains more than {most_parts(limits)} parts")
    parts = [
        faults.check(partial(_part, item, join_pointer("/$multipart", index), faults))
        for index, item in enumerate(items)
    ]
    read = [part for part in parts if part]
    return form_of(read, faults) if len(read) == len(parts) else Form(None, [])


def _only(node: dict[str, Json], names: tuple[str, ...], place: str, faults: ViolationCollector) -> None:
    """Note what else an object holds: what is passed over in silence is lost."""
    for name in node:
        if name not in names:
            faults.add(join_pointer(place, name[:100]), f"is not known beside {' and '.join(names)}")


def _part(item: Json, place: str, faults: ViolationCollector) -> Part:
    headers = item.get("headers") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(headers, dict):
        raise invalid(place, "must be an object of headers and body")
    _only(item, ("headers", "body"), place, faults)
    given: Mapping[str, Json] = {name.lower(): value for name, value in headers.items()}
    disposition = given.get("content-disposition")
    at = join_pointer(join_pointer(place, "headers"), "Content-Disposition")
    if not isinstance(disposition, str) or len(disposition) > HEADERS:
        raise invalid(at, 'is required, such as form-data; name="POFiles"; filename="PO.pdf"')
    if '=\\"' in disposition:  # the designer has escaped the quotes once too often
        disposition = disposition.replace('\\"', '"')
    _, options = parse_options_header(disposition)
    filename = sent_name(disposition, options["filename"]) if "filename" in options else None
    return Part(options.get("name", ""), filename, _content(item.get("body"), join_pointer(place, "body")))


def _content(body: Json, place: str) -> bytes | bytearray:
    if isinstance(body, dict) and "$content" in body:
        return from_base64(body, place)
    if isinstance(body, str):
        return body.encode("utf-8", "replace")
    if isinstance(body, dict):
        return dumps(body).encode()
    raise invalid(place, "must be a text, an object, or $content-type and $content with base64")
