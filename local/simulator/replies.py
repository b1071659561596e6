"""What Partner Center says: an answer, and the documented errors with their status.

The error body is `{code, description, data, source}`; the gateway's 429 has a shape of its own.
https://learn.microsoft.com/en-us/partner-center/developer/error-codes
https://learn.microsoft.com/en-us/partner-center/developer/api-throttling-guidance
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

ERRORS: Mapping[str, tuple[int, str]] = {
    "1000": (404, "There is no such resource."),
    "2000": (400, "ParentSubscriptionId cannot be given when an order is created."),
    "3000": (400, "A property is invalid."),
    "20000": (404, "There is no order of this id."),
    "60003": (404, "There is no tenant of this id."),
    "800001": (401, "The partner token is missing."),
    "800002": (400, "The input is invalid."),
    "800015": (404, "There is no PartnerID of this number."),
    "800039": (403, "The indirect reseller is not active."),
    "800071": (400, "Line item numbers must run from 0 to the number of line items less one."),
    "800121": (400, "The term duration is invalid."),
    "900118": (400, "The customer id is invalid."),
    "900126": (400, "An enum value cannot be parsed."),
    "900192": (500, "The request failed; try again later."),
    "900252": (400, "A purchase order document is required."),
    "900253": (400, "Part of a tender: a tender link or a tender document is required."),
    "900254": (400, "The metadata is invalid."),
    "900269": (400, "The billing cycle is invalid."),
    "900270": (400, "The billing cycle is longer than the term."),
    "900275": (400, "The quantity is outside of what the offer allows."),
    "900329": (403, "This resource does not accept an app-only token."),
    "900421": (401, "The user's token must come from a sign-in with multifactor authentication."),
}
"""Code to HTTP status and meaning, in our words, of all errors that the simulator gives by itself."""
CART_FAULTS: Mapping[int, str] = {
    10000: "The currency is not supported in this market.",
    10001: "The catalogue item id is not valid.",
    10002: "There is not enough quota.",
    10003: "There is no inventory for this offer.",
    10004: "These participants are not supported.",
    10006: "The line item cannot be processed.",
    10007: "The subscription is not valid.",
    10008: "The subscription is not enabled for reservations.",
    10009: "The limit of the sandbox is exceeded.",
    10010: "The input is not valid.",
    10011: "The subscription is not registered.",
    10012: "The attestation was not accepted.",
    10015: "The number of seats is not available.",
}
"""Code to meaning, in our words, of what a line of a cart can have as its error.
https://learn.microsoft.com/en-us/partner-center/developer/cart-resources"""


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; `committed` says that the request changed something here."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    committed: bool = False


class Refused(Exception):  # noqa: N818 - an answer that is raised, not a fault of the program
    """Partner Center does not do what was asked; `reply` is what it says instead."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(f"{reply.status} {reply.code}")


def json_reply(status: int, value: object, *, committed: bool = False) -> Reply:
    """Return `value` as a JSON answer."""
    return Reply(status, json.dumps(value, ensure_ascii=False, default=float).encode(), committed=committed)


def error_reply(code: str, detail: str = "", status: int = 0) -> Reply:
    """Return the documented error of `code`; `status` stands for the documented one when given."""
    usual, meaning = ERRORS[code]
    said = {"code": code, "description": f"{meaning} {detail}".strip(), "data": [], "source": "PartnerFD"}
    return Reply(status or usual, json.dumps(said).encode(), code=code)


def refused(code: str, detail: str = "", status: int = 0) -> Refused:
    """Return the documented error of `code` as an exception to raise."""
    return Refused(error_reply(code, detail, status))


def unauthorized() -> Refused:
    """Return the 401 of an invalid token: an empty body, and the reason in a header only."""
    return Refused(Reply(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}))


def throttled(seconds: int) -> Reply:
    """Return the gateway's 429 that asks to wait `seconds`."""
    said = {"statusCode": 429, "message": f"Rate limit is exceeded. Try again in {seconds} seconds."}
    return Reply(429, json.dumps(said).encode(), headers={"Retry-After": str(seconds)})
