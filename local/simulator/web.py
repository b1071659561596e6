"""A small loopback web server in a thread, with or without TLS, for the simulators around Entra."""

from __future__ import annotations

import http.server
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from local.loopback import Loopback

_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request: header names in lower case, the first value of each query and form field."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def form(self) -> dict[str, str]:
        """The body as form fields."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. A status of 0 means that the connection is closed without one."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with `value` as JSON."""
    return Response(status, json.dumps(value).encode(), headers=headers or {})


class Web(Loopback):
    """Answers with what `answer` returns."""

    def __init__(
        self, answer: Callable[[Request], Response], *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(lambda *args: _Handler(answer, *args), port, tls)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def __init__(self, answer: Callable[[Request], Response], *args: Any) -> None:  # noqa: ANN401 - as http.server has them
        self.answer = answer
        super().__init__(*args)

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(self.timeout)
            self.request.do_handshake()
        super().setup()

    def do_GET(self) -> None:
        self._reply()

    do_POST = do_PUT = do_GET  # noqa: N815 - named by http.server

    def _reply(self) -> None:
        url = urlsplit(self.path)
        size = min(int(self.headers.get("Content-Length", "0")), _MOST_BYTES)
        said = self.answer(
            Request(
                self.command,
                url.path,
                dict(parse_qsl(url.query)),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(size),
            )
        )
        if not said.status:
            self.close_connection = True
            return
        self.send_response(said.status)
        for name, value in {"Content-Type": said.content_type, **said.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)

    def log_message(self, *args: object) -> None:
        """Log nothing: requests here hold secrets."""
