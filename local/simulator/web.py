"""A small loopback web server in a thread, with or without TLS, for the simulators around Entra."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from local.guard import refuse_inside_azure

_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
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
class Said:
    """One answer. A status of 0 means that the connection is closed without one."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def said_json(status: int, value: object, headers: Mapping[str, str] | None = None) -> Said:
    """Return an answer with `value` as JSON."""
    return Said(status, json.dumps(value).encode(), headers=headers or {})


class Web:
    """Answers on 127.0.0.1 with what `answer` returns, a thread for each connection, until it is stopped."""

    def __init__(
        self, answer: Callable[[Asked], Said], *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._answer = answer
        self._tls = tls
        self.port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL without a slash at its end; known once the server was started."""
        return f"https://localhost:{self.port}" if self._tls else f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen; port 0 takes a free one. Raises InsideAzureError, or OSError when the port is taken."""
        refuse_inside_azure(os.environ)
        self._server = _Server(self.port, self._answer, self._tls)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port and every connection, and wait until all threads are through."""
        if self._server and self._thread:
            self._server.stop()
            self._thread.join()
            self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, answer: Callable[[Asked], Said], tls: ssl.SSLContext | None) -> None:
        self.answer = answer
        self._tls = tls
        self._live: dict[threading.Thread, socket.socket] = {}
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the handshake waits for the connection's own thread."""
        connection, address = super().get_request()
        if self._tls:
            try:
                connection.getpeername()  # wrap_socket leaves the socket of a client that is gone unclosed
            except OSError:
                connection.close()
                raise
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Serve one connection and remember it while it lives."""
        self._live[threading.current_thread()] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._live.pop(threading.current_thread(), None)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Say nothing: clients that do not trust us, or go away, are part of what is tested."""

    def stop(self) -> None:
        self.shutdown()
        for thread, connection in self._live.copy().items():
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            thread.join()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

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
        said = self.server.answer(
            Asked(
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
