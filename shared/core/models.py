"""Validated domain values; code past the validation layer can trust them.

Documents and their metadata are frozen dataclasses; StrictModel is what describes JSON from outside, which
shared/validation builds. Money is text from end to end: the digits that were written, never a float.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasGenerator,
    BaseModel,
    ConfigDict,
)
from pydantic.alias_generators import to_camel, to_pascal

from shared.core.ids import segment
from shared.core.strict_json import dumps


class Role(StrEnum):
    """What a document is to the order; the values are Partner Center's own attachment types.

    https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details
    """

    PURCHASE_ORDER = "POAttachment"
    TENDER = "TenderAttachment"


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of the documents of one order. Amounts keep the digits that were written."""

    is_part_of_tender: bool
    customer_price: str
    currency: str
    fx_rate: str | None = None
    tender_link: str | None = None
    accepts_incomplete_pdf: bool = False
    """Whether somebody says that documents without the end of a PDF are whole; it is not sent."""

    def to_wire(self) -> bytes:
        """The `metadata` part of the multipart body; amounts are JSON strings, as the documents show them."""
        return compact_json(
            {
                "isPartOfTender": self.is_part_of_tender,
                "customerPrice": self.customer_price,
                "currency": self.currency,
                "fxRate": self.fx_rate,
                "tenderLink": self.tender_link,
            }
        )


@dataclass(frozen=True, slots=True)
class Document:
    """One file to attach. `open` starts reading at the first byte each time it is called."""

    role: Role
    file_name: str
    size: int
    """Bytes."""
    md5: str
    """Lower-case hex of the content; it identifies a document, it protects nothing."""
    open: Callable[[], Iterator[bytes | memoryview]] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DocumentSet:
    """Documents for one order and their metadata: the unit that is attached once or not at all."""

    customer_id: str
    order_id: str
    metadata: Metadata
    documents: tuple[Document, ...]

    @property
    def record_key(self) -> str:
        """Name of the record of the order's attachments."""
        return order_attachments_key(self.customer_id, self.order_id)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what the submission says, however it says it.

        Equal amounts are equal (156.87 and 156.870), the order of the files does not count, and neither do
        their names: the same documents under other names are the same submission.
        """
        meta = self.metadata
        return digest_of(
            {
                "isPartOfTender": meta.is_part_of_tender,
                "customerPrice": _plain(meta.customer_price),
                "currency": meta.currency,
                "fxRate": None if meta.fx_rate is None else _plain(meta.fx_rate),
                "tenderLink": meta.tender_link,
                "documents": sorted([d.role.value, d.size, d.md5] for d in self.documents),
            }
        )


def order_attachments_key(customer_id: str, order_id: str) -> str:
    """Name of the record of an order's attachments; GUIDs and hexadecimal ids are one whatever their case."""
    order = quote(segment(order_id), safe="").replace(".", "%2E")
    return f"attachments/{customer_id.lower()}/{order}"


_BREAKS_AND_CONTROLS = ("Cc", "Cs", "Zl", "Zp")
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the direction of what follows, so that a text reads as another; no script needs them in a name.
https://www.unicode.org/reports/tr9/#Explicit_Directional_Formatting"""


def text_faults(text: str) -> list[str]:
    """What keeps a name or label from being shown as it is; letters and spaces of any script are fine."""
    faults = []
    if any(unicodedata.category(letter) in _BREAKS_AND_CONTROLS for letter in text):
        faults.append("must not contain control characters or line breaks")
    if not _TURNS.isdisjoint(text):
        faults.append(
            "must not contain characters that change the direction of text (U+202A-202E, U+2066-2069)"
        )
    return faults


def _label(text: str) -> str:
    faults = text_faults(text)
    if not 1 <= len(text) <= 256:
        faults.append("must have 1 to 256 characters")
    if faults:
        raise ValueError("; ".join(faults))
    return text


Label = Annotated[str, AfterValidator(_label)]


class StrictModel(BaseModel):
    """A JSON object from outside: camelCase or PascalCase names, nothing unknown, no type stretched."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        alias_generator=AliasGenerator(
            validation_alias=lambda name: AliasChoices(to_camel(name), to_pascal(name)),
            serialization_alias=to_camel,
        ),
    )


def _plain(digits: str) -> str:
    return format(Decimal(digits).normalize(), "f")


def compact_json(members: Mapping[str, Any]) -> bytes:
    """The members that are given, as JSON without blanks."""
    return dumps({name: value for name, value in members.items() if value is not None}).encode()


def digest_of(members: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the members, in whatever order they come."""
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
