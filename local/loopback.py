"""Servers on the loopback address: a thread for each connection, and an end that leaves neither behind."""

from __future__ import annotations

import contextlib
import http.server
import logging
import os
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from local.guard import refuse_inside_azure

_log = logging.getLogger(__name__)

Handler = Callable[..., socketserver.BaseRequestHandler]
"""Takes request, address and server; serves one connection while it is being made."""


class Loopback:
    """Listens on 127.0.0.1 from `start` to `stop`. With `port` 0 it takes a free one, which it keeps when it
    is started again; with `tls` it speaks https.

    `stopping` is set when it ends: a handler that waits, waits for it.
    """

    def __init__(self, handler: Handler, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.stopping = threading.Event()
        self._handler = handler
        self._tls = tls
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL without a slash at its end; known once it was started."""
        return f"https://localhost:{self.port}" if self._tls else f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen. Raises InsideAzureError, or OSError when the port is taken."""
        refuse_inside_azure(os.environ)
        if self._server is None:
            self.stopping.clear()
            self._server = _Server(self.port, self._handler, self._tls, self.stopping)
            self.port = self._server.server_address[1]
            self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
            self._thread.start()
        return self

    def refuse(self) -> None:
        """Accept no more connections; those that are open go on."""
        if self._server:
            self._server.refuse()

    def stop(self) -> None:
        """Close the port and every connection, and wait until all threads are through."""
        if self._server and self._thread:
            self.stopping.set()
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

    def __init__(
        self, port: int, handler: Handler, tls: ssl.SSLContext | None, stopping: threading.Event
    ) -> None:
        self._tls = tls
        self._stopping = stopping
        self._live: dict[threading.Thread, socket.socket] = {}
        super().__init__(("127.0.0.1", port), handler)

    def refuse(self) -> None:
        """End `serve_forever`, which looks every half second whether it is to end, or when something arrives:
        that the socket is shut arrives at once."""
        with contextlib.suppress(OSError):  # it was shut before
            self.socket.shutdown(socket.SHUT_RD)
        self.shutdown()

    def stop(self) -> None:
        self.refuse()
        for thread, connection in self._live.copy().items():
            # the plain socket's shutdown, also under TLS: the thread must see the end of the stream
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            thread.join()
        self.server_close()

    def server_bind(self) -> None:
        """Bind without asking the name service who we are."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; the TLS handshake waits for the connection's own thread."""
        connection, address = super().get_request()
        if self._tls:
            try:
                connection.getpeername()  # wrap_socket leaves the socket of a client that is gone unclosed
            except OSError:
                connection.close()
                raise
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Start the connection's thread."""
        thread = threading.Thread(target=self._serve, args=(request, client_address), daemon=True)
        self._live[thread] = request
        thread.start()

    def _serve(self, request: socket.socket, client_address: object) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            self._live.pop(threading.current_thread(), None)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Say nothing of a client that went away or does not trust us; anything else is a defect of ours."""
        if not self._stopping.is_set() and not isinstance(sys.exception(), OSError):
            _log.exception("a server of the local stack failed")
