"""What is said about documents: the metadata of both HTTP bodies, and the sidecar of a drop.

Rules of the fields: https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details
The page asks for a link or a file when the order is part of a tender. That an order outside of a tender may
have neither is our own rule: contradictory data is somebody's mistake.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

from shared.core.errors import InvalidInputError
from shared.core.models import Metadata, StrictModel
from shared.core.strict_json import Json, join_pointer, loads
from shared.core.uploads import ExpectedFile
from shared.validation.amounts import amount, rate
from shared.validation.collecting import ViolationCollector
from shared.validation.currencies import iso_currency
from shared.validation.expected import ExpectedShape
from shared.validation.files import plain_name
from shared.validation.ids import guid, opaque_id
from shared.validation.shapes import build, member, without_empty

MAX_SIDECAR = 64 * 1024
"""Bytes of a sidecar, and of the metadata in a multipart body."""
MAX_LINK = 2048
_PART_OF_TENDER = ("isPartOfTender", "isPartofTender", "IsPartOfTender", "IsPartofTender")
"""One field: the how-to page and the .NET SDK spell it differently."""
NO_ORDER = "at least one purchase order is required"
PO_FILES = ("poFiles", "PoFiles", "POFiles")
"""The last is the name of Partner Center's own parts, which is neither camelCase nor PascalCase."""


def _link(text: str) -> str:
    if len(text) > MAX_LINK:
        raise ValueError(f"must have at most {MAX_LINK} characters")
    if not text.isprintable() or re.search(r'[ \\<>"]', text):
        raise ValueError("must not contain spaces, control characters, quotes or any of \\ < >")
    try:
        parts = urlsplit(text)
        absolute = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        absolute = None
    if not absolute:
        raise ValueError("must be an absolute http or https URL with a host")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password")
    return text


class MetadataShape(StrictModel):
    """The metadata of the documents of one order."""

    is_part_of_tender: bool | None = Field(default=None, validation_alias=AliasChoices(*_PART_OF_TENDER))
    customer_price: Annotated[str, BeforeValidator(amount)]
    currency: Annotated[str, AfterValidator(iso_currency)]
    fx_rate: Annotated[str, BeforeValidator(rate)] | None = None
    tender_link: Annotated[str, AfterValidator(_link)] | None = None
    accept_incomplete_pdf: bool | None = None

    def value(self) -> Metadata:
        """As a value."""
        return Metadata(
            is_part_of_tender=bool(self.is_part_of_tender),
            customer_price=self.customer_price,
            currency=self.currency,
            fx_rate=self.fx_rate,
            tender_link=self.tender_link,
            accepts_incomplete_pdf=bool(self.accept_incomplete_pdf),
        )


_Names = Annotated[tuple[Annotated[str, AfterValidator(plain_name)], ...], Field(strict=False)]


class _SidecarShape(MetadataShape):
    customer_id: Annotated[str, AfterValidator(guid)]
    order_id: Annotated[str, AfterValidator(opaque_id)]
    po_files: _Names | None = Field(default=None, validation_alias=AliasChoices(*PO_FILES))
    tender_files: _Names | None = None
    expected: Annotated[tuple[ExpectedShape, ...], Field(strict=False)] | None = None


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The JSON file that tells to which order dropped documents belong."""

    customer_id: str
    order_id: str
    metadata: Metadata
    po_files: tuple[str, ...]
    """Names in the sidecar's own folder; empty when the purchase order is the PDF of the same stem."""
    tender_files: tuple[str, ...]
    expected: tuple[ExpectedFile, ...] = ()
    """Size and MD5 that files must have."""


def metadata(raw: bytes, *, tender_files: int, pointer: str = "") -> Metadata:
    """The metadata of an attachment with `tender_files` tenders; `pointer` is where it stands in the body."""
    with ViolationCollector() as faults:
        document = loads(raw, MAX_SIDECAR, pointer)
        faults.add_final(document)
        read = metadata_of(document.value, tender_files=tender_files, pointer=pointer, faults=faults)
    assert read is not None
    return read


def metadata_of(
    tree: Json, *, tender_files: int, pointer: str, faults: ViolationCollector
) -> Metadata | None:
    """The same for JSON that has been read; violations go to `faults`, and then the answer is None."""
    tree = without_empty(tree, MetadataShape)
    shape = build(MetadataShape, tree, pointer, faults)
    _tender(tree, tender_files, pointer, faults)
    return shape.value() if shape else None


def sidecar(raw: bytes) -> Sidecar:
    """The content of a sidecar file: metadata, ids and the names of the files it speaks for."""
    with ViolationCollector() as faults:
        document = loads(raw, MAX_SIDECAR)
        faults.add_final(document)
        tree = without_empty(document.value, _SidecarShape)
        shape = build(_SidecarShape, tree, "", faults)
        named = member(tree, "tenderFiles")[1]
        tenders = len(named) if isinstance(named, list) else int(named is not None)
        _tender(tree, tenders, "", faults)
        _distinct(tree, faults)
        if shape:
            told = Counter(one.file_name for one in shape.expected or ())
            for name in (name for name, times in told.items() if times > 1):
                faults.add("/expected", f"names {name} twice")
    assert shape is not None
    return Sidecar(
        customer_id=shape.customer_id,
        order_id=shape.order_id,
        metadata=shape.value(),
        po_files=shape.po_files or (),
        tender_files=shape.tender_files or (),
        expected=tuple(one.value() for one in shape.expected or ()),
    )


def named_files(raw: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The purchase orders and tenders that a faulty sidecar names, as far as it can be read: what is wrong
    with the documents can be said together with what is wrong with the sidecar."""
    try:
        tree = loads(raw, MAX_SIDECAR).value
    except InvalidInputError:
        return (), ()
    return _names_in(member(tree, *PO_FILES)[1]), _names_in(member(tree, "tenderFiles")[1])


def _names_in(names: Json) -> tuple[str, ...]:
    found: list[str] = []
    for name in names if isinstance(names, list) else ():
        with suppress(ValueError):
            found += [plain_name(name)] if isinstance(name, str) and name not in found else []
    return tuple(found)


def _tender(tree: Json, tender_files: int, pointer: str, faults: ViolationCollector) -> None:
    """Part of a tender: a link or a file. Not part of one: neither."""
    if not isinstance(tree, dict):
        return
    name, part = member(tree, *_PART_OF_TENDER)
    link_name, link = member(tree, "tenderLink")
    if part is True and link is None and not tender_files:
        faults.add(
            join_pointer(pointer, name), "is true, so a tenderLink or at least one tender file is required"
        )
    if part is None or part is False:
        if link is not None:
            faults.add(join_pointer(pointer, link_name), "is given, but isPartOfTender is not true")
        if tender_files:
            faults.add(join_pointer(pointer, name), "is not true, but tender files are given")


def _distinct(tree: Json, faults: ViolationCollector) -> None:
    seen: Counter[str] = Counter()
    for spellings in (PO_FILES, ("tenderFiles",)):
        written, names = member(tree, *spellings)
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str):
                seen[name] += 1
                if seen[name] > 1:
                    faults.add(join_pointer(join_pointer("", written), index), "is named twice")
