"""A reverse HTTP proxy that notes every request and injects faults into some.

    with Proxy(azurite.blob_endpoint) as storage, Proxy(azurite.queue_endpoint) as queues:
        connection_string = storage.connection_string(azurite.connection_string, queues)
        storage.inject(Fault("status", status=500, after=True), method="PUT", container="ledger", skip=1)
        queues.inject(Fault("cut"), method="POST", container="work", name="messages")
        ...
        storage.seen()

It stands in front of Azurite's blobs or queues (a shared key signs the path, not the host, so connection
strings that point here work) or of the Partner Center simulator. What does not break streams through, over
connections that are kept alive. The faults, and how to choose requests: local/fault_rules.py.
"""

from __future__ import annotations

import http.client
import http.server
import os
import re
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.fault_rules import Fault, ProxyRule, Seen
from local.loopback import Loopback

_PIECE = 64 * 1024
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host"}


class Proxy(Loopback):
    """Forwards to `target` (a URL; its path is the path here too) from a free port of 127.0.0.1.

    `decide` is called for each request that no rule hits; it returns a Fault or None.
    """

    def __init__(self, target: str, decide: Callable[[Seen], Fault | None] | None = None) -> None:
        parts = urlsplit(target)
        self.target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.path = parts.path.rstrip("/")
        self.decide = decide
        self._lock = threading.Lock()
        self._rules: list[ProxyRule] = []
        self._seen: list[Seen] = []
        super().__init__(lambda *args: _Connection(self, *args))

    @property
    def url(self) -> str:
        """What to use instead of the target's URL; known once it was started."""
        return super().url + self.path

    def connection_string(self, direct: str, queues: Proxy | None = None) -> str:
        """The connection string `direct`, with its blobs here and, if they have a proxy, its queues there."""
        through = re.sub(r"BlobEndpoint=[^;]*", f"BlobEndpoint={self.url}", direct)
        return re.sub(r"QueueEndpoint=[^;]*", f"QueueEndpoint={queues.url}", through) if queues else through

    def inject(self, fault: Fault, **matching: Any) -> None:  # noqa: ANN401 - the fields of ProxyRule
        """Put a rule in force; the first that hits a request wins."""
        with self._lock:
            self._rules.append(ProxyRule(fault, **matching))

    def clear(self) -> None:
        """Drop every rule, and forget what was seen."""
        with self._lock:
            self._rules.clear()
            self._seen.clear()

    def seen(self) -> list[Seen]:
        """Every request since the last `clear`, in the order of arrival."""
        with self._lock:
            return list(self._seen)

    def fault_for(self, seen: Seen) -> Fault | None:
        """Note a request, and say what happens to it."""
        with self._lock:
            self._seen.append(seen)
            fault = next((rule.fault for rule in self._rules if rule.hits(seen)), None)
        if fault is None and self.decide is not None:
            fault = self.decide(seen)
        seen.fault = fault.kind if fault else ""
        return fault

    def rewrite(self, seen: Seen, headers: dict[str, str], body: bytes | None) -> bytes | None:
        """For subclasses: change an answer's headers, or the body of one that has no
        Content-Length (a listing); `body` is None when it streams."""
        return body


class _CutError(Exception):
    """The connection ends here, without a word."""


class _Connection(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 650

    def __init__(self, proxy: Proxy, *args: Any) -> None:  # noqa: ANN401 - as http.server has them
        self.proxy = proxy
        self.upstream = http.client.HTTPConnection(*proxy.target, timeout=120)
        super().__init__(*args)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    def do_GET(self) -> None:
        seen = _read_target(self.command, self.path, self.proxy.path)
        fault = self.proxy.fault_for(seen)
        left = int(self.headers.get("Content-Length", "0"))
        try:
            if fault and not fault.after and fault.kind != "cut_body":
                self._discard(left, fault)
                self._apply_fault(fault)
                return
            response = self._forward(left)
            seen.status = response.status
            if fault and fault.kind != "cut_body":
                response.read()
                self._apply_fault(fault)
                return
            self._answer(seen, response, fault.bytes if fault else -1)
        except (_CutError, OSError, http.client.HTTPException):
            self.close_connection = True

    do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_GET  # noqa: N815 - named by http.server

    def log_message(self, *args: object) -> None:
        """Print nothing."""

    def _discard(self, left: int, fault: Fault) -> None:
        while fault.kind == "status" and left > 0:
            left -= len(self.rfile.read(min(left, _PIECE))) or left

    def _apply_fault(self, fault: Fault) -> None:
        if fault.kind == "status":
            told = f"<Code>{fault.code}</Code><Message>Injected by the proxy.</Message>"
            body = f'<?xml version="1.0" encoding="utf-8"?><Error>{told}</Error>'.encode()
            headers = {"x-ms-error-code": fault.code, "Content-Type": "application/xml"}
            self._head(fault.status, {**headers, "Content-Length": str(len(body))}, body)
            return
        if fault.kind == "kill":
            os.kill(fault.pid, signal.SIGKILL)
            time.sleep(0.01)  # for it to be gone before its connections are
        if fault.kind == "hang":
            self.proxy.stopping.wait(fault.seconds)
        raise _CutError

    def _forward(self, left: int) -> http.client.HTTPResponse:
        upstream = self.upstream
        if _hung_up(upstream.sock):
            upstream.close()  # Azurite does so after some seconds; the next request connects again
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        upstream.putheader("Host", "{}:{}".format(*self.proxy.target))
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                upstream.putheader(name, value)
        upstream.endheaders()
        while left > 0:
            piece = self.rfile.read1(min(left, _PIECE))
            if not piece:
                upstream.close()
                raise _CutError
            left -= len(piece)
            upstream.send(piece)
        return upstream.getresponse()

    def _answer(self, seen: Seen, response: http.client.HTTPResponse, most: int) -> None:
        headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP}
        has_body = self.command != "HEAD" and response.status not in (204, 304)
        if not has_body:
            response.read()  # nothing, but http.client takes no other request before
        streams = not has_body or response.length is not None
        body = self.proxy.rewrite(seen, headers, None if streams else response.read()) or b""
        if not streams:
            headers["Content-Length"] = str(len(body))
        if most >= 0:
            whole = body if not streams else response.read()
            self._head(response.status, headers, whole[:most])
            raise _CutError
        self._head(response.status, headers, body)
        while streams and has_body and (piece := response.read(_PIECE)):
            self.wfile.write(piece)
        if streams and has_body and response.length:
            raise _CutError  # the server broke off, so nobody must wait here for the rest

    def _head(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        reason = self.responses.get(status, ("",))[0]
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


def _hung_up(idle: socket.socket | None) -> bool:
    """Whether the other side has closed a connection on which nothing is awaited."""
    if idle is None:
        return False
    poll = select.poll()
    poll.register(idle, select.POLLIN)
    return bool(poll.poll(0))


def _read_target(method: str, target: str, base: str) -> Seen:
    url = urlsplit(target)
    container, _, name = unquote(url.path.removeprefix(base).lstrip("/")).partition("/")
    return Seen(method, url.path, container, name, dict(parse_qsl(url.query, keep_blank_values=True)))
