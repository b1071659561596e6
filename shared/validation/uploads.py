"""The body of a request for upload addresses: the metadata, and name, size and MD5 of each document."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from pydantic import AliasChoices, Field

from shared.core.drop_rules import is_document
from shared.core.models import Metadata, Role, StrictModel
from shared.core.strict_json import Json, join_pointer, loads
from shared.core.uploads import AnnouncedFile, ExpectedFile, UploadLimits, sidecar_of
from shared.validation.attachments import MAX_SIDECAR, NO_ORDER, PO_FILES, metadata_of
from shared.validation.collecting import ViolationCollector
from shared.validation.expected import ExpectedShape
from shared.validation.files import file_name
from shared.validation.ids import customer_id, order_id
from shared.validation.shapes import build, member, without_empty


class UploadShape(StrictModel):
    """The body of a request for upload addresses."""

    metadata: dict[str, object]
    po_files: Annotated[tuple[ExpectedShape, ...], Field(strict=False)] = Field(
        validation_alias=AliasChoices(*PO_FILES)
    )
    tender_files: Annotated[tuple[ExpectedShape, ...], Field(strict=False)] | None = None


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """What is to be uploaded for an order."""

    customer_id: str
    order_id: str
    metadata: Metadata
    files: tuple[AnnouncedFile, ...]


def upload_request(raw: bytes, customer: str, order: str, limits: UploadLimits) -> UploadRequest:
    """The request in `raw` for the ids of the path.

    Raises InvalidInputError with every violation.
    """
    with ViolationCollector() as faults:
        customer_of = faults.check(lambda: customer_id(customer))
        order_of = faults.check(lambda: order_id(order))
        document = loads(raw, MAX_SIDECAR)
        faults.add_final(document)
        tree = without_empty(document.value, UploadShape)
        shape = build(UploadShape, tree, "", faults)
        files = _files(tree, shape, limits, faults)
        listed = member(tree, "tenderFiles")[1]
        tenders = len(listed) if isinstance(listed, list) else 0
        written, described = member(tree, "metadata")
        described_as = join_pointer("", written)
        metadata = None
        if isinstance(described, dict):
            metadata = metadata_of(described, tender_files=tenders, pointer=described_as, faults=faults)
        if customer_of and order_of and metadata:
            size = len(sidecar_of(customer_of, order_of, metadata, files))
            if size > MAX_SIDECAR:
                faults.add("", f"makes a sidecar of {size} bytes; it may have {MAX_SIDECAR}: shorten names")
    assert customer_of
    assert order_of
    assert metadata
    return UploadRequest(customer_of, order_of, metadata, tuple(files))


def _files(
    tree: Json, shape: UploadShape | None, limits: UploadLimits, faults: ViolationCollector
) -> list[AnnouncedFile]:
    if shape is None:
        return []
    files: list[AnnouncedFile] = []
    if not shape.po_files:
        faults.add(join_pointer("", member(tree, *PO_FILES)[0]), NO_ORDER)
    listed = (
        (PO_FILES, Role.PURCHASE_ORDER, shape.po_files),
        (("tenderFiles",), Role.TENDER, shape.tender_files),
    )
    for spellings, role, given in listed:
        place = join_pointer("", member(tree, *spellings)[0])
        for index, one in enumerate(given or ()):
            files.append(_file(one, role, join_pointer(place, index), limits, faults))
    if len(files) > limits.max_files:
        faults.add("", f"contains {len(files)} files; at most {limits.max_files} are allowed")
    total = sum(file.expected.size for file in files)
    if total > limits.most_bytes:
        faults.add("", f"the files total {total} bytes; one request carries at most {limits.most_bytes}")
    named = Counter(file.expected.file_name for file in files)
    for name in (name for name, times in named.items() if times > 1):
        faults.add("", f"names {name} twice; each file needs a name of its own")
    return files


def _file(
    shape: ExpectedShape, role: Role, place: str, limits: UploadLimits, faults: ViolationCollector
) -> AnnouncedFile:
    expected = shape.value()
    name = faults.check(lambda: file_name(expected.file_name, join_pointer(place, "fileName")))
    if name and not is_document(name):
        faults.add(join_pointer(place, "fileName"), "is a name that drops ignore; rename the file")
    if expected.size > limits.max_file:
        faults.add(
            join_pointer(place, "size"), f"is {expected.size} bytes; at most {limits.max_file} are allowed"
        )
    return AnnouncedFile(role, ExpectedFile(name or expected.file_name, expected.size, expected.md5))
