"""The listening socket, a thread for each connection, and an end that leaves neither behind."""

from __future__ import annotations

import contextlib
import http.server
import logging
import socket
import socketserver
import ssl
import sys
import threading
from typing import Any

from local.simulator.connection import Connection
from local.simulator.simulation import Simulation

_log = logging.getLogger(__name__)


class Server(http.server.ThreadingHTTPServer):
    """Serves one simulation on 127.0.0.1; with `ssl_context` over TLS."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, simulation: Simulation, ssl_context: ssl.SSLContext | None) -> None:
        self._ssl_context = ssl_context
        self._stopping = threading.Event()
        self._live: dict[threading.Thread, socket.socket] = {}
        super().__init__(
            ("127.0.0.1", port),
            lambda request, address, server: Connection(simulation, self._stopping, request, address, server),
        )

    def stop(self) -> None:
        """Accept nothing more, close every connection and wait for its thread."""
        self._stopping.set()
        self.shutdown()
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
        if self._ssl_context:
            try:
                connection.getpeername()  # wrap_socket leaves the socket of a client that is gone unclosed
            except OSError:
                connection.close()
                raise
            connection = self._ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base says
        """Start the connection's thread."""
        thread = threading.Thread(target=self._serve, args=(request, client_address), daemon=True)
        self._live[thread] = request
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base says
        """Say nothing of a client that went away; anything else is a defect of the simulator."""
        if not self._stopping.is_set() and not isinstance(sys.exception(), OSError):
            _log.exception("the simulator failed")

    def _serve(self, request: socket.socket, client_address: object) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            self._live.pop(threading.current_thread(), None)
