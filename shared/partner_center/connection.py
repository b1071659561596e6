"""Connections that are reset, and not closed, while a reply is awaited.

A connection that is closed still delivers what its send buffer holds: a request that was given up for lost
could arrive whole long after anybody has looked for what it did. A reset discards those bytes, also when the
process is killed. https://man7.org/linux/man-pages/man7/socket.7.html (SO_LINGER)
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

_DISCARD = struct.pack("ii", 1, 0)
_DELIVER = struct.pack("ii", 0, 0)
"""What closing does with unsent bytes: struct linger, on or off and seconds."""


class Connection(HTTPConnection):
    """Resets from the start of a request to the head of its reply; before and after that it closes."""

    _line: Any = None
    """The socket of the request; `sock` is None as soon as a reply says that it ends the connection."""

    def connect(self) -> None:
        """Connect, for the first request or after the server has closed."""
        super().connect()
        self._line = self.sock
        self._on_close(_DISCARD)

    def putrequest(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  # as urllib3 has them
        """Start a request."""
        self._on_close(_DISCARD)
        super().putrequest(*args, **options)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3 returns its own
        """Return the reply as soon as its head is there. An interim one (1xx) is no reply yet."""
        response = super().getresponse()
        if response.status >= 200:
            self._on_close(_DELIVER)
        return response

    def limit_wait(self, seconds: float) -> None:
        """Let no wait for bytes of the reply last longer."""
        with suppress(OSError, AttributeError):
            self._line.settimeout(seconds)

    def _on_close(self, linger: bytes) -> None:
        # TLS within the TLS of a proxy has a socket and is none
        line = getattr(self._line, "socket", self._line)
        with suppress(OSError, AttributeError):  # not connected yet, or not any more
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


class TlsConnection(Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = TlsConnection


POOLS = {"http": _Pool, "https": _TlsPool}
"""By scheme, for the pool manager."""
