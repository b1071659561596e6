"""Validated domain values; code past the validation layer can trust them.

Pydantic describes what arrives from outside (OrderRequest and its lines; shared/validation builds them),
frozen dataclasses hold what was made of it. Pure: no I/O, no clock, no environment, no Azure, no HTTP.
Money is text from end to end: the digits that were written, never a float.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)
from pydantic.alias_generators import to_camel, to_pascal

from shared.core.ids import segment
from shared.core.strict_json import Number


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
        return _compact(
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
        return _digest(
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


def _term(text: str) -> str:
    if not re.fullmatch(r"P\d{1,3}[DMY]", text, re.ASCII):
        raise ValueError("must be an ISO 8601 duration such as P1M, P1Y or P3Y")
    return text


def _end_date(text: str) -> str:
    try:
        if "T" in text and text.isascii() and datetime.fromisoformat(text):
            return text
    except ValueError:
        pass
    raise ValueError("must be an ISO 8601 date and time such as 2027-03-31T23:59:59Z")


# https://learn.microsoft.com/en-us/rest/api/partner-center/manage-orders/create-a-new-order
# `biennial` stands in the .NET SDK only (BillingCycleType.cs of microsoft/partner-center-sdk-for-dotNET)
_CYCLES = ("unknown", "monthly", "annual", "none", "one_time", "triennial", "biennial")
_CYCLE_OF = {cycle.replace("_", ""): cycle for cycle in _CYCLES}


def _cycle(text: str) -> str:
    try:
        return _CYCLE_OF[text.lower().replace("_", "")]
    except KeyError:
        raise ValueError(f"must be one of {', '.join(_CYCLES)}") from None


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


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,128}", text):
        raise ValueError("must be 1 to 128 visible ASCII characters without spaces")
    return text


def _some(lines: tuple[LineItem, ...]) -> tuple[LineItem, ...]:
    if not lines:
        raise ValueError("must contain at least one line")
    return lines


Term = Annotated[str, AfterValidator(_term)]
EndDate = Annotated[str, AfterValidator(_end_date)]
Cycle = Annotated[str, AfterValidator(_cycle)]
Label = Annotated[str, AfterValidator(_label)]
Token = Annotated[str, AfterValidator(_token)]
Upper = Annotated[str, AfterValidator(str.upper)]
Lower = Annotated[str, AfterValidator(str.lower)]


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


class RenewsTo(StrictModel):
    """What a trial becomes when it ends."""

    term_duration: Term


def _commitment(value: object) -> str:
    digits = value.text if isinstance(value, Number) else str(value) if type(value) is int else ""
    if not re.fullmatch(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?", digits) or not digits.strip("0."):
        raise ValueError(
            "must be a JSON number above 0 such as 0.05: at most 9 digits before the point, 6 after"
        )
    return digits


def _grain(text: str) -> str:
    if text.lower() != "hourly":
        raise ValueError("must be hourly")
    return text.lower()


class PurchaseCommitment(StrictModel):
    """What a savings plan commits the customer to spend. `amount` keeps the digits that were written.

    https://learn.microsoft.com/en-us/partner-center/developer/azure-purchase-savings-plan
    """

    amount: Annotated[str, BeforeValidator(_commitment)]
    currency: Lower
    grain: Annotated[str, AfterValidator(_grain)]


class LineItem(StrictModel):
    """One line of an order: an offer and how many of it.

    https://learn.microsoft.com/en-us/partner-center/developer/order-resources#orderlineitem
    """

    offer_id: Token
    quantity: int = Field(ge=1, le=10_000_000)
    line_item_number: int | None = Field(default=None, ge=0)
    friendly_name: Label | None = None
    term_duration: Term | None = None
    custom_term_end_date: EndDate | None = None
    promotion_id: Token | None = None
    provisioning_context: dict[str, str] | None = None
    purchase_commitment: PurchaseCommitment | None = None
    attestation_accepted: bool | None = None
    renews_to: RenewsTo | None = None
    partner_id_on_record: Token | None = None
    additional_partner_ids_on_record: (
        Annotated[tuple[Token, ...], Field(max_length=5, strict=False)] | None
    ) = None


class OrderRequest(StrictModel):
    """An order that is to be placed, as shared.validation.orders.order_request lets it through.

    Lines are numbered 0..n-1, `indirect_reseller_id` is a lower-case GUID, `currency_code` upper case.
    https://learn.microsoft.com/en-us/partner-center/developer/create-an-order
    """

    line_items: Annotated[tuple[LineItem, ...], Field(strict=False), AfterValidator(_some)]
    reference_customer_id: Lower | None = None
    billing_cycle: Cycle | None = None
    currency_code: Upper | None = None
    partner_on_record_attestation_accepted: bool | None = None
    indirect_reseller_id: Lower | None = None

    @property
    def needs_app_user(self) -> bool:
        """Whether Partner Center takes this order from App+User credentials only.

        https://learn.microsoft.com/en-us/partner-center/developer/create-an-order-for-a-customer-of-an-indirect-reseller
        https://learn.microsoft.com/en-us/partner-center/developer/azure-purchase-savings-plan
        """
        return bool(self.indirect_reseller_id) or any(
            line.partner_id_on_record or line.purchase_commitment for line in self.line_items
        )

    def to_wire(self, customer_id: str, partner_id_on_record: str | None) -> bytes:
        """The JSON body for Partner Center; a `partner_id_on_record` (MPN id) is written on every line."""
        body = self._body(customer_id)
        if partner_id_on_record is not None:
            for line in body["lineItems"]:
                line["partnerIdOnRecord"] = partner_id_on_record
        return _with_amounts(_compact(body))

    def digest(self, customer_id: str, customer_user: str = "") -> str:
        """SHA-256 (hex) of what is asked for, before the reseller is looked up; spelling does not count,
        but that of `customer_user`, a UPN that is sent as it came, does."""
        body = self._body(customer_id)
        body["lineItems"].sort(key=lambda line: line["lineItemNumber"])
        user = {"customerUser": customer_user} if customer_user else {}
        return _digest({**body, "indirectResellerId": self.indirect_reseller_id, **user})

    def _body(self, customer_id: str) -> dict[str, Any]:
        body = self.model_dump(
            by_alias=True, exclude_none=True, exclude={"indirect_reseller_id", "reference_customer_id"}
        )
        return {"referenceCustomerId": customer_id.lower(), **body, "lineItems": list(body["lineItems"])}


def _with_amounts(body: bytes) -> bytes:
    """The body with the amounts of commitments as JSON numbers, digit for digit. Quotes within a JSON string
    are escaped, so no text of a caller's is taken for one."""
    return re.sub(rb'("purchaseCommitment":\{"amount":)"([0-9.]+)"', rb"\1\2", body)


def _plain(digits: str) -> str:
    return format(Decimal(digits).normalize(), "f")


def _compact(members: Mapping[str, Any]) -> bytes:
    given = {name: value for name, value in members.items() if value is not None}
    return json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode()


def _digest(members: Mapping[str, Any]) -> str:
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
