"""A server on 127.0.0.1 that plays one script per connection, down to the byte and the reset.

    server = ScriptedServer(answer(429, headers={"Retry-After": "5"}), answer(201, ORDER))

The first connection gets the first script, and so on; the last script serves all further connections.
`server.requests` is what was received whole, `server.connections` how many connections were accepted.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """One request that arrived whole; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One accepted connection, for a script to use."""

    def __init__(self, server: ScriptedServer, sock: socket.socket) -> None:
        self._server = server
        self._sock = sock
        self._received = b""

    def read_head(self) -> tuple[str, str, dict[str, str]] | None:
        """Read up to the blank line; None when the client closed instead."""
        while b"\r\n\r\n" not in self._received:
            data = self._sock.recv(65536)
            if not data:
                return None
            self._received += data
        head, self._received = self._received.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.split(":", 1) for line in lines)
        return method, target, {name.lower(): value.strip() for name, value in pairs}

    def read_request(self) -> Request | None:
        """Read a whole request and keep it; None when it broke off."""
        head = self.read_head()
        if head is None:
            return None
        method, target, headers = head
        if not self.read_body(int(headers.get("content-length", "0"))):
            return None
        length = int(headers.get("content-length", "0"))
        body, self._received = self._received[:length], self._received[length:]
        request = Request(method, target, headers, body)
        self._server.requests.append(request)
        return request

    def read_body(self, length: int) -> bool:
        """Read until `length` bytes of the body are there."""
        chunks, have = [self._received], len(self._received)
        while have < length:
            data = self._sock.recv(65536)
            if not data:
                return False
            chunks.append(data)
            have += len(data)
        self._received = b"".join(chunks)
        return True

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def close(self) -> None:
        """Close with FIN, or RST when something is unread."""
        self._sock.close()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def until_closed(self) -> None:
        """Read on, and answer nothing, until the client closes."""
        while self._sock.recv(65536):
            pass

    def stopped(self, seconds: float) -> bool:
        """Wait `seconds`, or until the server is closed, and say whether it is."""
        return self._server.stopped.wait(seconds)

    def drain(self) -> None:
        """Read what still comes, to the end or the reset, and count it with what came before."""
        try:
            while data := self._sock.recv(65536):
                self._received += data
        except ConnectionResetError:
            self._server.resets += 1
        self._server.received = len(self._received)

    def until_stopped(self) -> None:
        """Read nothing at all until the server is closed."""
        self._server.stopped.wait()


Script = Callable[[Connection], None]


class ScriptedServer:
    """Serves from the moment it is made until `close`, with `tls` as localhost."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.resets = 0
        self.received = 0
        self._tls = tls
        self.stopped = threading.Event()
        self._scripts = scripts
        self._lock = threading.Lock()
        self._socks: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        scheme, host = ("https", "localhost") if self._tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._socks:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for sock in self._socks:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                script = self._scripts[min(self.connections, len(self._scripts) - 1)]
                self.connections += 1
                self._socks.append(sock)
            thread = threading.Thread(target=self._play, args=(script, sock), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _play(self, script: Script, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._socks.append(sock)
            script(Connection(self, sock))
        with contextlib.suppress(OSError):
            sock.close()


def reply(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A reply as bytes; `body` is sent as it is when it is bytes, else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content-Type": "application/json", "Content-Length": str(len(content)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode("latin-1") + content


def answer(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> Script:
    """Read one request, answer it, close."""
    return raw(reply(status, body, {"Connection": "close", **(headers or {})}))


def raw(data: bytes) -> Script:
    """Read one request, send these bytes, close."""

    def script(connection: Connection) -> None:
        if connection.read_request():
            connection.send(data)

    return script


def answers_kept_alive(*replies: bytes) -> Script:
    """Answer one request after the other on the same connection."""

    def script(connection: Connection) -> None:
        for data in replies:
            if not connection.read_request():
                return
            connection.send(data)
        connection.until_closed()

    return script


def hang(connection: Connection) -> None:
    """Read the request and never answer."""
    connection.read_request()
    connection.until_closed()


def never_read(connection: Connection) -> None:
    """Accept, and read nothing."""
    connection.until_stopped()


def close_at_once(connection: Connection) -> None:
    """Close without reading."""


def close_after_request(connection: Connection) -> None:
    """Read the whole request, answer nothing, close."""
    connection.read_request()


def reset_after_request(connection: Connection) -> None:
    """Read the whole request, then RST."""
    connection.read_request()
    connection.reset()


def reset_in_the_middle(connection: Connection) -> None:
    """Read the head and a little of the body, then RST."""
    connection.read_head()
    connection.read_body(1000)
    connection.reset()


def answer_early(data: bytes) -> Script:
    """Answer after the head, leave the body unread, and close: the client's sending fails."""

    def script(connection: Connection) -> None:
        connection.read_head()
        connection.send(data)

    return script
