"""A purchase through a cart as it is requested: what a caller may say, and the cart that Partner Center gets.

https://learn.microsoft.com/en-us/partner-center/developer/cart-resources
https://learn.microsoft.com/en-us/partner-center/developer/create-a-cart
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from shared.core.models import Label, StrictModel, compact_json, digest_of
from shared.core.order_request import Cycle, EndDate, Lower, RenewsTo, Term, Token, Upper, some


class AddOn(StrictModel):
    """An item of a cart, as it stands below the line that it belongs to."""

    id: int | None = Field(default=None, ge=0)
    catalog_item_id: Token
    quantity: int = Field(ge=1, le=10_000_000)
    friendly_name: Label | None = None
    billing_cycle: Cycle | None = None
    term_duration: Term | None = None
    currency_code: Upper | None = None
    renews_to: RenewsTo | None = None
    provisioning_context: dict[str, str] | None = None
    promotion_id: Token | None = None
    custom_term_end_date: EndDate | None = None
    attestation_accepted: bool | None = None


MOST_ADD_ONS = 50
"""Add-ons of one line; a guard of our own."""


class CartLine(AddOn):
    """A line of a cart. New commerce takes add-ons as lines of their own; `addon_items` are for the offers
    before it. https://learn.microsoft.com/en-us/partner-center/developer/create-a-cart-with-add-ons"""

    addon_items: Annotated[tuple[AddOn, ...], Field(max_length=MOST_ADD_ONS, strict=False)] | None = None


class CheckoutRequest(StrictModel):
    """A purchase that is to be made, as shared.validation.checkouts.checkout_request lets it through.

    The `id` of an item, where one is given, is its place among all items, each line's add-ons following it;
    `indirect_reseller_id` is a lower-case GUID.
    """

    line_items: Annotated[tuple[CartLine, ...], Field(strict=False), AfterValidator(some)]
    partner_on_record_attestation_accepted: bool | None = None
    indirect_reseller_id: Lower | None = None

    @property
    def needs_app_user(self) -> bool:
        """Whether it is bought with App+User credentials. Carts take both; for the customer of an indirect
        reseller orders do not, and neither do we here."""
        return bool(self.indirect_reseller_id)

    def to_wire(self, partner_id: str | None) -> bytes:
        """The cart as JSON; `partner_id` (the reseller's PartnerID) takes part in every line."""
        body = self._body()
        for line in body["lineItems"] if partner_id is not None else ():
            line["participants"] = [{"key": "transaction_reseller", "value": partner_id}]
        return compact_json(body)

    def digest(self, customer_id: str) -> str:
        """SHA-256 (hex) of what is asked for, before the reseller is looked up; spelling does not count. It
        is never that of an order, so that one Idempotency-Key does not stand for both."""
        who = {"customerId": customer_id.lower(), "indirectResellerId": self.indirect_reseller_id}
        return digest_of({"checkout": self._body(), **who})

    def _body(self) -> dict[str, Any]:
        body = self.model_dump(by_alias=True, exclude_none=True, exclude={"indirect_reseller_id"})
        ids = itertools.count()
        for line in body["lineItems"]:
            line["id"] = next(ids)
            for item in line.get("addonItems", ()):
                item["id"] = next(ids)
        return body
