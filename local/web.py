"""A web server on the loopback address: it reads a whole request and writes a whole response.

As on the real host, header names arrive in lower case, repeated header and query values joined with a
comma, empty query values dropped, and a body without Content-Length (chunked) empty:
https://github.com/Azure/azure-functions-host/issues/7930
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.loopback import Loopback

BODY_LIMIT = 104_857_600
"""Largest request body: https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-http-webhook-trigger#limits"""

_BODYLESS = frozenset({204, 205, 304})
_OURS = frozenset({"content-length", "transfer-encoding", "connection"})
_LINGER_SECONDS = 5
_TARGETS = ("/", "http://")
"""A client of a proxy sends the absolute form: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2"""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `path` is decoded and clean, header names are in lower case."""

    method: str
    path: str
    url: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def form(self) -> dict[str, str]:
        """The body as form fields."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. A status of 0 closes the connection without one."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    """None: JSON when there is a body. Empty: `headers` may name it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Sequence[str] = ()
    """A Set-Cookie header for each."""


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with `value` as JSON."""
    return Response(status, json.dumps(value).encode(), headers=headers or {})


def clean_path(raw: str) -> str:
    """Decode a request path and remove its dot segments, as Kestrel does; `%2F` stays as it is.

    https://github.com/dotnet/aspnetcore/blob/main/src/Shared/PathNormalizer/PathNormalizer.cs
    """
    decoded = "%2F".join(unquote(part) for part in re.split("%2[Ff]", raw))
    kept: list[str] = []
    segments = decoded.split("/")[1:]
    for position, segment in enumerate(segments):
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
            continue
        if position == len(segments) - 1:
            kept.append("")
    return "/" + "/".join(kept)


class WebServer(Loopback):
    """Answers with what `answer` returns."""

    def __init__(
        self, answer: Callable[[Request], Response], *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(lambda *args: _Handler(answer, *args), port, tls)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    timeout = 130

    def __init__(self, answer: Callable[[Request], Response], *args: Any) -> None:  # noqa: ANN401 - as http.server has them
        self.answer = answer
        super().__init__(*args)

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(self.timeout)
            self.request.do_handshake()
        super().setup()

    def _serve(self) -> None:
        refusal = self._refusal()
        if refusal:
            self._refuse(refusal)
            return
        if "transfer-encoding" in self.headers:
            body = b"" if self._skip_chunks() else None
        else:
            body = self.rfile.read(self._length())
            body = body if len(body) == self._length() else None
        if body is None:
            self.close_connection = True
            return
        self._write(self.answer(self._request(body)))

    do_GET = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815 - the base class calls them by these names
    do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def _request(self, body: bytes) -> Request:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            _join(headers, name.lower(), value)
        target = urlsplit(self.path)
        query: dict[str, str] = {}
        for name, value in parse_qsl(target.query):
            _join(query, name, value)
        own = "" if target.netloc else f"http://{headers.get('host', '127.0.0.1')}"
        return Request(self.command, clean_path(target.path), own + self.path, query, headers, body)

    def _length(self) -> int:
        return int(self.headers.get("content-length") or 0)

    def _refusal(self) -> int:
        """Status with which the request is turned away before its body is read; 0 when it is welcome."""
        length = self.headers.get("content-length") or "0"
        if not (length.isascii() and length.isdigit()) or not self.path.startswith(_TARGETS):
            return 400
        if "transfer-encoding" in self.headers and "content-length" in self.headers:
            return 400
        return 413 if int(length) > BODY_LIMIT else 0

    def _refuse(self, status: int) -> None:
        """Answer, then read on for a while: closing at once would reset the connection before it is read."""
        self.close_connection = True
        self._write(Response(status))
        self.connection.settimeout(_LINGER_SECONDS)
        try:
            while self.rfile.read1(65536):
                pass
        except OSError:
            return

    def _skip_chunks(self) -> bool:
        """Read a chunked body to its end and forget it; False when it breaks off."""
        while True:
            try:
                size = int(self.rfile.readline(1024).split(b";")[0], 16)
            except ValueError:
                return False
            if size == 0:
                break
            while size > 0:
                piece = self.rfile.read(min(size, 65536))
                if not piece:
                    return False
                size -= len(piece)
            self.rfile.readline(8)
        while self.rfile.readline(65536).strip():
            pass
        return True

    def handle_expect_100(self) -> bool:
        """Refuse before the body is sent, where the client waits for leave to send it."""
        refusal = self._refusal()
        if refusal:
            self._refuse(refusal)
            return False
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _write(self, response: Response) -> None:
        if not response.status:
            self.close_connection = True
            return
        headers = _headers(response)
        if not all(_printable(text) for pair in headers for text in pair):
            response, headers = Response(500), []
        if self.close_connection:
            headers.append(("Connection", "close"))
        self.send_response(response.status)
        for name, value in headers:
            self.send_header(name, value)
        if response.status not in _BODYLESS:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD" and response.status not in _BODYLESS:
            self.wfile.write(response.body)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A request that cannot be parsed gets an empty answer."""
        self.close_connection = True
        self._write(Response(int(HTTPStatus(code))))

    def version_string(self) -> str:
        """The Server header."""
        return "local"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing: requests hold secrets."""


def _headers(response: Response) -> list[tuple[str, str]]:
    kind = response.content_type
    if kind is None:
        kind = "application/json" if response.body else ""
    typed = [("Content-Type", kind)] if kind else []
    given = [(name, value) for name, value in response.headers.items() if name.lower() not in _OURS]
    return [*typed, *given, *(("Set-Cookie", cookie) for cookie in response.cookies)]


def _printable(text: str) -> bool:
    """Kestrel refuses to send header bytes outside printable ASCII; the caller gets a 500."""
    return all(" " <= character <= "~" or character == "\t" for character in text)


def _join(values: dict[str, str], name: str, value: str) -> None:
    values[name] = f"{values[name]},{value}" if name in values else value
