"""Whether more of a list follows, and how to ask for it.

Partner Center documents two ways, both on other lists than those that are read here: `links.next` with a path
and headers, and a token that goes back in the header MS-ContinuationToken.
https://learn.microsoft.com/en-us/partner-center/developer/get-a-list-of-customers
https://learn.microsoft.com/en-us/partner-center/developer/headers
Any other marker is believed and not followed: such a list stays incomplete.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from shared.core.ids import has_dot_segment
from shared.partner_center.wire import API_ROOT, Call

_TOKEN_HEADER = "ms-continuationtoken"
_OUR_HEADERS = frozenset({"ms-requestid", "ms-correlationid", "ms-partnercenter-application"})
_HEADER_NAME = re.compile(r"(x-)?ms-[a-z0-9-]{1,100}")
_HEADER_VALUE = re.compile(r"[!-~]([ -~]{0,8190}[!-~])?")
_PATH = re.compile(r"(/[A-Za-z0-9._~%!$&'()*+,;=:@-]+)+/?")
_QUERY = re.compile(r'[^\x00-\x20"#<>\\^`{|}\x7f-\U0010ffff]{0,8192}')
_NEXT_LINK = re.compile(r'\brel\s*=\s*"?[^",;]*\bnext\b', re.IGNORECASE)  # RFC 8288


def more_follows(members: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    """Whether a page says in any way that it is not the last one.

    `members` are those of the page besides its items, `headers` those of the reply by lower-case name.
    """
    return (
        any(_is_marker(_plain(name)) and _has_value(value) for name, value in members.items())
        or _next_link(members) is not None
        or any("continuation" in _plain(name) and _has_value(value) for name, value in headers.items())
        or _NEXT_LINK.search(headers.get("link", "")) is not None
    )


def next_page(
    call: Call, members: Mapping[str, Any], headers: Mapping[str, str], base_url: str
) -> Call | None:
    """Return the call for the page after that of `call`; None when no documented way leads to one.

    It leads to no other host and not out of the API, whatever the page says.
    """
    token = _named(members).get("continuationtoken") or headers.get(_TOKEN_HEADER)
    more: dict[str, Any] = {_TOKEN_HEADER: token} if token else {}
    path: str | None = call.path
    link = _next_link(members)
    if isinstance(link, dict):
        named = _named(link)
        if str(named.get("method") or "GET").upper() != "GET":
            return None
        path, more = _path(named.get("uri"), base_url), more | _headers(named.get("headers"))
    elif not more:
        return None
    if path is None or not all(_may_be_sent(name, value) for name, value in more.items()):
        return None
    return replace(call, path=path, more_headers=more)


def total_of(members: Mapping[str, Any]) -> int | None:
    """The number of all items that a page tells; None when it tells none."""
    total = _named(members).get("totalcount")
    if isinstance(total, str) and re.fullmatch("[0-9]{1,18}", total):
        return int(total)
    return total if type(total) is int and total >= 0 else None


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _named(members: Mapping[str, Any]) -> dict[str, Any]:
    """Members by their plain names; of two that have one, the value that says something."""
    named: dict[str, Any] = {}
    for name, value in members.items():
        named[_plain(name)] = named.get(_plain(name)) or value
    return named


def _is_marker(name: str) -> bool:
    words = ("continuation", "skiptoken", "hasmore")
    return any(word in name for word in words) or name.removeprefix("odata").startswith("next")


def _has_value(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in ("", "false")
    return isinstance(value, dict) or bool(value)


def _next_link(members: Mapping[str, Any]) -> Any:  # noqa: ANN401  # whatever stands there
    """The link to the next page: an object where it is as documented; None when there is none."""
    found: list[Any] = []
    for links in (value for name, value in members.items() if _plain(name) == "links"):
        if isinstance(links, dict):
            found += [link for name, link in links.items() if _plain(name).startswith("next")]
        elif isinstance(links, list):
            found += [link for link in links if isinstance(link, dict) and _is_next(link.get("rel"))]
    return next((link for link in found if _has_value(link)), None)


def _is_next(relation: object) -> bool:
    return str(relation).lower() == "next"


def _path(uri: object, base_url: str) -> str | None:
    """The path of a call, from a link that is relative to the API's root or names our own server."""
    if not isinstance(uri, str) or not uri:
        return None
    base = base_url.rstrip("/")
    if uri.lower().startswith(base.lower()):
        uri = uri[len(base) :]
        if not uri.startswith("/"):
            return None
    path, mark, query = uri.partition("?")
    path = path if path.startswith("/") else f"/{path}"
    if not path.lower().startswith(f"{API_ROOT}/"):
        path = API_ROOT + path
    if not _PATH.fullmatch(path) or not _QUERY.fullmatch(query) or has_dot_segment(unquote(path)):
        return None
    return path + mark + query


def _headers(listed: object) -> dict[str, Any]:
    """The headers that a link asks for, but for those that are ours; one that is none spoils them all."""
    if listed is None:
        return {}
    if not isinstance(listed, list) or not all(isinstance(header, dict) for header in listed):
        return {"": ""}
    read = [_named(header) for header in listed]
    pairs = [(str(header.get("key")).lower(), header.get("value")) for header in read]
    return {name: value for name, value in pairs if name not in _OUR_HEADERS}


def _may_be_sent(name: str, value: object) -> bool:
    is_header = _HEADER_NAME.fullmatch(name) is not None
    return is_header and isinstance(value, str) and _HEADER_VALUE.fullmatch(value) is not None
