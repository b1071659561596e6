"""Which call a request line makes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

_ONE = "/v1/customers/([^/]+)/orders/([^/]+)"
_ROUTES: Sequence[tuple[str, re.Pattern[str], str]] = [
    (method, re.compile(path, re.I), operation)
    for method, path, operation in (
        ("POST", "/v1/customers/([^/]+)/orders", "POST order"),
        ("GET", "/v1/customers/([^/]+)/orders", "GET orders"),
        ("GET", _ONE, "GET order"),
        # the upload and the download say `attachment`, the list says `attachments`
        ("POST", f"{_ONE}/attachment", "POST attachment"),
        ("GET", f"{_ONE}/attachments", "GET attachments"),
        ("GET", f"{_ONE}/attachment/([^/]+)", "GET attachment"),
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
            ids = [unquote(item) for item in match.groups()]
            query = {name.lower(): values[0] for name, values in parse_qs(url.query).items()}
            customer, order, attachment = (*ids, "", "", "")[:3]
            return Call(operation, customer, order, attachment, query)
    return Call("method" if known_path else "")
