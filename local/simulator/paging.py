"""Lists of orders and attachments in pages, and the ways to say that there is more.

For these two lists no paging is documented; for others it is, in more than one way.
https://learn.microsoft.com/en-us/partner-center/developer/get-a-list-of-customers
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import quote

from local.simulator.behaviour import Behaviour
from local.simulator.replies import refused

TOKEN_HEADER = "MS-ContinuationToken"
_MARK = b"\xfb\xff\xbe"
"""Makes tokens begin with characters that a URL cannot hold as they are."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item]):
    """Some items of a list, and what the answer says beside them of how to go on."""

    items: Sequence[_Item]
    members: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def page_of(items: Sequence[_Item], token: str, url: str, behaviour: Behaviour) -> Page[_Item]:
    """Return the page that `token` asks for, the first one when it is empty; raises Refused.

    `url` is that of the whole list.
    """
    start = _start_of(token) if token else 0
    end = start + behaviour.page_size if behaviour.page_size else len(items)
    if end >= len(items):
        return Page(items[start:])
    members, headers = _go_on(behaviour.continuation, _token(end), url)
    return Page(items[start:end], members, headers)


def _go_on(way: str, token: str, url: str) -> tuple[Mapping[str, object], Mapping[str, str]]:
    path = "/" + url.partition("/v1/")[2]  # the documents' links leave /v1 out
    next_url = f"{url}?continuationToken={quote(token, safe='')}"
    link = {
        "uri": f"{path}?seekOperation=Next",
        "method": "GET",
        "headers": [{"key": TOKEN_HEADER, "value": token}],
    }
    members: Mapping[str, Mapping[str, object]] = {
        "links_next": {"links": {"next": link}},
        "body_token": {"continuationToken": token},
        "next_link": {"nextLink": next_url},
        "odata_next_link": {"@odata.nextLink": next_url},
        "skip_token": {"skipToken": token},
    }
    return members.get(way, {}), {TOKEN_HEADER: token} if way == "header" else {}


def _token(start: int) -> str:
    return base64.b64encode(b"%s%d" % (_MARK, start)).decode()


def _start_of(token: str) -> int:
    try:
        text = base64.b64decode(token, validate=True)
    except ValueError:
        text = b""
    found = re.fullmatch(_MARK + b"([0-9]+)", text)
    if found is None:
        raise refused("800002", "The continuation token is unknown.")
    return int(found[1])
