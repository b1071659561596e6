"""Which call a request line makes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

_CUSTOMER = "/v1/customers/(?P<customer>[^/]+)"
_ORDER = f"{_CUSTOMER}/orders/(?P<order>[^/]+)"
_CART = f"{_CUSTOMER}/carts/(?P<cart>[^/]+)"
_ROUTES: Sequence[tuple[str, re.Pattern[str], str]] = [
    (method, re.compile(path, re.I), operation)
    for method, path, operation in (
        ("POST", f"{_CUSTOMER}/orders", "POST order"),
        ("GET", f"{_CUSTOMER}/orders", "GET orders"),
        ("GET", _ORDER, "GET order"),
        # the upload and the download say `attachment`, the list says `attachments`
        ("POST", f"{_ORDER}/attachment", "POST attachment"),
        ("GET", f"{_ORDER}/attachments", "GET attachments"),
        ("GET", f"{_ORDER}/attachment/(?P<attachment>[^/]+)", "GET attachment"),
        ("POST", f"{_CUSTOMER}/carts", "POST cart"),
        ("GET", _CART, "GET cart"),
        ("PUT", _CART, "PUT cart"),
        ("POST", f"{_CART}/checkout", "POST checkout"),
        ("GET", "/v1/relationships", "GET relationships"),
        ("POST", "/v1/partners/validateresellers", "POST validateresellers"),
        ("GET", "/v1/customers", "GET customers"),
    )
]


@dataclass(frozen=True, slots=True)
class Call:
    """One request by name; ids are decoded, and empty where the path has none."""

    operation: str
    customer: str = ""
    order: str = ""
    attachment: str = ""
    cart: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""

    @property
    def continuation(self) -> str:
        """The token of the page that the query asks for, or empty."""
        return self.query.get("continuationtoken") or self.query.get("skiptoken", "")


def route(method: str, target: str) -> Call:
    """Return the call that a request line makes; `operation` is empty or says `method` when there is none."""
    url = urlsplit(target)
    known_path = False
    for verb, pattern, operation in _ROUTES:
        match = pattern.fullmatch(url.path)
        known_path = known_path or match is not None
        if match and verb == method:
            ids = {name: unquote(item) for name, item in match.groupdict().items()}
            query = {name.lower(): values[0] for name, values in parse_qs(url.query).items()}
            return Call(operation, **ids, query=query)
    return Call("method" if known_path else "")
