"""An order as it is requested: what a caller may say, and the body that Partner Center gets."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from shared.core.models import Label, StrictModel, compact_json, digest_of
from shared.core.strict_json import Number

Line = TypeVar("Line")


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


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,128}", text):
        raise ValueError("must be 1 to 128 visible ASCII characters without spaces")
    return text


def some(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines, if there are any."""
    if not lines:
        raise ValueError("must contain at least one line")
    return lines


Term = Annotated[str, AfterValidator(_term)]
EndDate = Annotated[str, AfterValidator(_end_date)]
Cycle = Annotated[str, AfterValidator(_cycle)]
Token = Annotated[str, AfterValidator(_token)]
Upper = Annotated[str, AfterValidator(str.upper)]
Lower = Annotated[str, AfterValidator(str.lower)]


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

    line_items: Annotated[tuple[LineItem, ...], Field(strict=False), AfterValidator(some)]
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
        for line in body["lineItems"]:
            if partner_id_on_record is not None:
                line["partnerIdOnRecord"] = partner_id_on_record
            if "purchaseCommitment" in line:
                commitment = line["purchaseCommitment"]
                line["purchaseCommitment"] = {**commitment, "amount": Number(commitment["amount"])}
        return compact_json(body)

    def digest(self, customer_id: str, customer_user: str = "") -> str:
        """SHA-256 (hex) of what is asked for, before the reseller is looked up; spelling does not count,
        but that of `customer_user`, a UPN that is sent as it came, does."""
        body = self._body(customer_id)
        body["lineItems"].sort(key=lambda line: line["lineItemNumber"])
        user = {"customerUser": customer_user} if customer_user else {}
        return digest_of({**body, "indirectResellerId": self.indirect_reseller_id, **user})

    def _body(self, customer_id: str) -> dict[str, Any]:
        body = self.model_dump(
            by_alias=True, exclude_none=True, exclude={"indirect_reseller_id", "reference_customer_id"}
        )
        return {"referenceCustomerId": customer_id.lower(), **body, "lineItems": list(body["lineItems"])}
