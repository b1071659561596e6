"""The redirect URI of a sign-in on this machine: a web server that takes one answer and is gone.

It listens on 127.0.0.1 alone. The answer comes as a POST (response_mode=form_post), so that the code stands
in no address line and no history. https://learn.microsoft.com/en-us/entra/identity-platform/reply-url
"""

from __future__ import annotations

import http.server
import socketserver
import threading
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

from shared.core.errors import TokenError

_DONE = b"<!doctype html><title>Done</title><p>You can close this window and go back to the console."
_MOST_BYTES = 64 * 1024


class Loopback:
    """Listens while it is entered; `port` 0 takes a free one."""

    def __init__(self, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def redirect_uri(self) -> str:
        """The URI to which Entra sends the browser back."""
        return f"http://localhost:{self._server.server_address[1]}"

    def wait(self, seconds: float) -> dict[str, str]:
        """Return the fields of the answer; raises TokenError when none comes within `seconds`."""
        if not self._server.answered.wait(seconds):
            raise TokenError("The sign-in was not finished in time. Start again.")
        return self._server.fields

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A thread for each connection: browsers open some that they never use."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.fields: dict[str, str] = {}
        self.answered = threading.Event()


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = 10
    server: _Server

    def do_GET(self) -> None:
        self.send_error(404)

    def do_POST(self) -> None:
        size = min(int(self.headers.get("Content-Length", "0")), _MOST_BYTES)
        fields = dict(parse_qsl(self.rfile.read(size).decode("ascii", "replace")))
        if "code" not in fields and "error" not in fields:
            self.send_error(400)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(_DONE)))
        self.end_headers()
        self.wfile.write(_DONE)
        self.server.fields = fields
        self.server.answered.set()

    def log_message(self, *args: object) -> None:
        """Log nothing: the answer holds the code."""
