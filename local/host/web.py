"""HTTP/1.1 server on the standard library: reads a whole request, writes a whole response.

As on the real host, header names arrive in lower case, repeated header and query values joined with a
comma, empty query values dropped, and a body without Content-Length (chunked) empty:
https://github.com/Azure/azure-functions-host/issues/7930
"""

from __future__ import annotations

import logging
import socketserver
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

from local.host.config import HostError
from local.host.routes import clean_path

log = logging.getLogger("host")

BODY_LIMIT = 104_857_600
"""Largest request body: https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-http-webhook-trigger#limits"""

_BODYLESS = frozenset({204, 205, 304})
_OURS = frozenset({"content-length", "transfer-encoding", "connection"})
_LINGER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is decoded and clean, header names are lower-case."""

    method: str
    path: str
    url: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers in order (cookies among them) and body."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


Handle = Callable[[Request], Response]


class Server(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1; a thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handle: Handle) -> None:
        self.handle_request_for_app = handle
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise HostError(
                f"port {port} cannot be used ({error.strerror}); choose another with --port"
            ) from None

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that hangs up is no news; anything else is logged."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            log.exception("a request could not be answered")

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    timeout = 130
    server: Server

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
        self._write(self.server.handle_request_for_app(self._request(body)))

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
        url = f"http://{headers.get('host', '127.0.0.1')}{self.path}"
        return Request(self.command, clean_path(target.path), url, query, headers, body)

    def _length(self) -> int:
        return int(self.headers.get("content-length") or 0)

    def _refusal(self) -> int:
        """Status with which the request is turned away before its body is read; 0 when it is welcome."""
        length = self.headers.get("content-length") or "0"
        if not (length.isascii() and length.isdigit()) or not self.path.startswith("/"):
            return 400
        if "transfer-encoding" in self.headers and "content-length" in self.headers:
            return 400
        return 413 if int(length) > BODY_LIMIT else 0

    def _refuse(self, status: int) -> None:
        """Answer, then read on for a while: closing at once would reset the connection before it is read."""
        self.close_connection = True
        self._write(Response(status, [("Connection", "close")]))
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
        headers = [(name, value) for name, value in response.headers if name.lower() not in _OURS]
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
        return "local-functions-host"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Requests are logged where they are handled."""


def _printable(text: str) -> bool:
    """Kestrel refuses to send header bytes outside printable ASCII; the caller gets a 500."""
    return all(" " <= character <= "~" or character == "\t" for character in text)


def _join(values: dict[str, str], name: str, value: str) -> None:
    values[name] = f"{values[name]},{value}" if name in values else value
