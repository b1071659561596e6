"""Serves the pages in web/ on an origin of their own, so that CORS is as real as in Azure.

Two things are not as they lie there: `config.js` names the stack, and the policy of each page allows its
origins. The policy goes out as a header too, which alone can say who may frame a page:
https://www.w3.org/TR/CSP3/#meta-element
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from local.web import Request, Response, WebServer

WEB = Path(__file__).parent.parent / "web"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = re.compile(r'(http-equiv="Content-Security-Policy" content="[^"]*?connect-src )[^;]*')
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Pages(WebServer):
    """The pages, for one API; say which with `point_to` before the first is asked for."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(self._answer, port=port)
        self._config: dict[str, object] = {}
        self._origins = ""

    def point_to(self, api: str, storage: str, entra: Mapping[str, str] | None = None) -> None:
        """Name the API (with its prefix) and the account that takes uploads. People sign in with a key, or as
        `entra` says: authority, clientId and scope, as in web/config.js."""
        sign_in: dict[str, object] = {"signIn": "entra", "entra": dict(entra)} if entra else {"signIn": "key"}
        self._config = {"api": api, **sign_in, "maxFileMB": 50, "formBelowMB": 3}
        addresses = [api, storage, *([entra["authority"]] if entra else [])]
        self._origins = " ".join(dict.fromkeys(map(_origin, addresses)))

    def _answer(self, request: Request) -> Response:
        if request.path == "/config.js":
            text = f"export const config = {json.dumps(self._config)};\n"
            return Response(200, text.encode(), _TYPES[".js"], _HEADERS)
        file = WEB / request.path.lstrip("/")
        if request.path.endswith("/"):
            file /= "index.html"
        if request.method not in ("GET", "HEAD") or file.suffix not in _TYPES or not file.is_file():
            return Response(404, headers=_HEADERS)
        if file.suffix != ".html":
            return Response(200, file.read_bytes(), _TYPES[file.suffix], _HEADERS)
        page = _POLICY.sub(rf"\g<1>{self._origins}", file.read_text(encoding="utf-8"))
        return Response(
            200, page.encode(), _TYPES[".html"], {**_HEADERS, "Content-Security-Policy": _policy(page)}
        )


def _policy(page: str) -> str:
    """The policy in a page, with what only a header can say."""
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found
    return f"{found[1]}; frame-ancestors 'none'"


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
