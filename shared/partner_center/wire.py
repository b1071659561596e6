"""The values of a call to Partner Center, apart from any network: what goes out, what comes back.

https://learn.microsoft.com/en-us/partner-center/developer/headers
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import quote

from shared.core.errors import InvalidInputError, SupportIds, Violation
from shared.core.ids import DOT_SEGMENTS
from shared.partner_center.body import Body

APPLICATION = "partner-center-functions"
"""How we introduce ourselves to Partner Center."""

CUSTOMER_USER = "x-ms-customeruser-upn"
"""Header of the UPN of the customer's user whom an order is for.
https://learn.microsoft.com/en-us/dotnet/api/microsoft.store.partnercenter.orders.iordercollection.create"""
API_ROOT = "/v1"
"""Where every path starts."""


@dataclass(frozen=True, slots=True)
class RequestIds:
    """GUIDs of one call. `request_id` stays the same when no answer came, and is new after any answer."""

    request_id: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What Partner Center answered to a call that succeeded: `body` is a JSON object, as it came."""

    status: int
    body: bytes
    ids: SupportIds

    def json(self) -> dict[str, Any]:
        """Return the body as an object; numbers with a fraction are Decimal, never float."""
        return parse_object(self.body) or {}


@dataclass(frozen=True, slots=True)
class Listing:
    """What Partner Center lists, all pages together.

    `items` are those that were asked for, `count` is how many there were, `unreadable` of them no JSON
    objects. `complete`: every page was read and Partner Center told a total that is reached; without that
    nothing can be said of what is not listed. `date` is Partner Center's clock at the last page, in UTC, None
    when it told none; `ids` are those of the last page.
    """

    items: tuple[Mapping[str, Any], ...]
    count: int
    complete: bool
    unreadable: int
    date: datetime | None
    ids: SupportIds


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and what a success must hold.

    `member` names the member that every success has ("orders" for a checkout, whose answer may be an order
    itself); `entire`: a list that is only a page is no success.
    `customer` is whose rate limit it counts against, "" for the partner's own. `writes`: repeating it may do
    a thing twice. `resent`: it is sent again after a silence, so that a conflict may be with our own first
    sending. `check` runs before every piece of the body and may raise NotAppliedError. `more_headers` are
    sent besides those of every call.
    """

    method: str
    path: str
    member: str
    customer: str = ""
    writes: bool = False
    body: Body | None = field(default=None, repr=False)
    content_type: str = "application/json"
    resent: bool = False
    check: Callable[[], None] | None = field(default=None, repr=False)
    entire: bool = False
    more_headers: Mapping[str, str] = field(default_factory=dict)

    def headers(self, ids: RequestIds) -> dict[str, str]:
        """Return the request's headers without Authorization and Content-Length."""
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "MS-RequestId": ids.request_id,
            "MS-CorrelationId": ids.correlation_id,
            "X-Locale": "en-US",
            "MS-PartnerCenter-Application": APPLICATION,
            "User-Agent": APPLICATION,
            **self.more_headers,
        }
        return headers if self.body is None else {**headers, "Content-Type": self.content_type}


@dataclass(frozen=True, slots=True)
class RawResponse:
    """What came back: `headers` by lower-case name; `whole` is False when the body broke off."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    whole: bool = True


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def order_path(customer_id: str, order_id: str = "", *rest: str) -> str:
    """Return the path of a customer's orders, of one order, or of what is below it."""
    return _path(customer_id, "orders", "orderId", order_id, *rest)


def cart_path(customer_id: str, cart_id: str = "", *rest: str) -> str:
    """Return the path of a customer's carts, of one cart, or of what is below it."""
    return _path(customer_id, "carts", "cartId", cart_id, *rest)


def _path(customer_id: str, collection: str, name: str, item_id: str, *rest: str) -> str:
    given = [_segment("customerId", customer_id), collection]
    if item_id:
        given.append(_segment(name, item_id))
    return "/".join([f"{API_ROOT}/customers", *given, *rest])


def _segment(name: str, value: str) -> str:
    if value in ("", *DOT_SEGMENTS) or not value.isprintable():
        raise InvalidInputError([Violation("", f"{name} is not an id")])
    return quote(value, safe="")


def parse_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in `body` (UTF-8, with or without BOM), None when there is none.

    Its texts can be stored and sent on: a lone surrogate, which no UTF-8 can hold, becomes a question mark.
    """
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_constant)
        if isinstance(value, dict):
            return _encodable(value) if _SURROGATE.search(body) else value
    except (ValueError, RecursionError, ArithmeticError):
        pass
    return None


def _encodable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(member) for name, member in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list) else value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
