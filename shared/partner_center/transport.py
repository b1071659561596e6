"""One request and its reply over a pooled connection, and nothing besides: no retry, redirect or cookie.

Whatever goes wrong becomes NotAppliedError or OutcomeUnknownError, by one question: had the last byte of the
body been handed out? Only the kind of the failure is told; texts of network errors hold URLs and headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from traceback import clear_frames

from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.response import BaseHTTPResponse, HTTPResponse
from urllib3.util import Timeout

from shared.clock import Deadline
from shared.core.errors import AppError, NotAppliedError, OutcomeUnknownError, SupportIds
from shared.http_pool import connections
from shared.partner_center.connection import POOLS, Connection
from shared.partner_center.wire import Call, RawResponse, RequestIds

MAX_REPLY = 8 * 1024 * 1024
"""Bytes of a reply that `read` reads; a longer one counts as broken off."""

_CONNECT_SECONDS = 10.0
"""Most time for connecting, and for the server to take one piece of the body."""

_NOT_CONNECTED = (ConnectTimeoutError, NewConnectionError)
"""No byte went out."""

_READ_SIZE = 64 * 1024
_REDACTED = "[token]"
_UNPRINTABLE = re.compile(r"[^ -~]")


class OpenResponse:
    """A reply of which the head is here. Read its body once, and close it.

    `headers` by lower-case name, in printable ASCII; `whole` is True once the body has come to its end. The
    access token stands in neither, should the reply repeat it.
    """

    def __init__(self, raw: BaseHTTPResponse, token: str, deadline: Deadline) -> None:
        assert isinstance(raw, HTTPResponse)
        self.status = raw.status
        self.headers = {
            name.lower(): _UNPRINTABLE.sub("?", value.replace(token, _REDACTED))
            for name, value in raw.headers.itermerged()
        }
        self.whole = False
        self._raw = raw
        self._token = token.encode()
        self._deadline = deadline

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes; a body that breaks off ends without `whole`."""
        held, overlap = b"", len(self._token) - 1
        for piece in self._as_they_come():
            held = (held + piece).replace(self._token, _REDACTED.encode())
            yield held[:-overlap]
            held = held[-overlap:]
        yield held

    def _as_they_come(self) -> Iterator[bytes]:
        # after an interim reply comes another one, which must not be taken for that to the next request
        while self.status >= 200 and self._deadline.remaining() > 0:
            piece = self._next()
            if not piece:
                return
            yield piece

    def read(self) -> RawResponse:
        """Return all of it; a body that breaks off does not hide the status."""
        body = bytearray()
        for piece in self.pieces():
            body += piece
            if len(body) > MAX_REPLY:
                break
        return RawResponse(self.status, self.headers, bytes(body), self.whole and len(body) <= MAX_REPLY)

    def close(self) -> None:
        """Let go of the connection; it is kept for another request when the reply has come whole."""
        self._raw.close()

    def _next(self) -> bytes:
        try:
            if isinstance(self._raw.connection, Connection):
                self._raw.connection.limit_wait(max(self._deadline.remaining(), 0.001))
            piece = self._raw.read1(_READ_SIZE, decode_content=True)
        except Exception:
            return b""
        self.whole = not piece
        return piece


class Transport:
    """Sends calls to one server. Safe to use from many threads."""

    def __init__(self, base_url: str, calls_in_flight: int) -> None:
        self._base_url = base_url.rstrip("/")
        self._pool = connections(base_url, calls_in_flight, retries=False)
        self._pool.pool_classes_by_scheme = POOLS

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()

    def open(self, call: Call, token: str, ids: RequestIds, deadline: Deadline) -> OpenResponse:
        """Send `call` once and return the reply, whatever its status, for the caller to close.

        Raises NotAppliedError (SourceFailedError, when a document is the cause) before the request has left
        whole. After that: OutcomeUnknownError for a call that writes, NotAppliedError for one that reads. In
        both cases the connection is reset, so that nothing of the request arrives later.
        """
        guard = _guard(call, deadline)
        guard()  # a call without a body has no piece before which it would run
        if call.body is not None:
            call.body.arm(guard)
        try:
            return OpenResponse(self._send(call, token, ids, deadline), token, deadline)
        except AppError:
            raise
        except Exception as error:
            kind, connected = _root(error), not isinstance(error, _NOT_CONNECTED)
            clear_frames(error.__traceback__)  # urllib3's hold the error and the body, as a cycle
        finally:
            if call.body is not None:
                call.body.close()
        # raised out here so that no network error, with what it quotes, hangs on it as context
        # a body shorter than its Content-Length is no request; from the last byte on it may be carried out
        if not connected or (call.body is not None and not call.body.finished):
            raise NotAppliedError(f"The request was not fully sent to Partner Center ({kind}).")
        if call.writes:
            sent = SupportIds(ids.request_id, ids.correlation_id)
            raise OutcomeUnknownError(f"The request was sent, but no answer came ({kind}).", sent)
        raise NotAppliedError(f"Partner Center did not answer ({kind}).")

    def _send(self, call: Call, token: str, ids: RequestIds, deadline: Deadline) -> BaseHTTPResponse:
        headers = {**call.headers(ids), "Authorization": f"Bearer {token}"}
        if call.body is not None:
            headers["Content-Length"] = str(len(call.body))
        left = max(deadline.remaining(), 0.001)
        return self._pool.urlopen(
            call.method,
            self._base_url + call.path,
            body=call.body,
            headers=headers,
            redirect=False,
            preload_content=False,
            # with a total: the wait for the reply is what the sending has left of it
            timeout=Timeout(total=left, connect=min(_CONNECT_SECONDS, left)),
        )


def _guard(call: Call, deadline: Deadline) -> Callable[[], None]:
    """What runs before every piece of the body, the last one included."""

    def guard() -> None:
        deadline.check()
        if call.check is not None:
            call.check()

    return guard


def _root(error: BaseException) -> str:
    """Name the kind of the first cause, such as ConnectionRefusedError or TimeoutError."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return type(error).__name__
