"""One request and its reply over a pooled connection, and nothing besides: no retry, redirect or cookie.

Whatever goes wrong becomes NotSentError or OutcomeUnknownError, by one question: had the last byte of the
body been handed out? Only the kind of the failure is told; texts of network errors hold URLs and headers.
"""

from __future__ import annotations

import socket

from urllib3.connection import HTTPConnection
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from shared.connections import connections
from shared.errors import AppError, NotSentError, OutcomeUnknownError, SupportIds
from shared.partner_center.wire import Call, Deadline, Reply, RequestIds

MAX_REPLY = 8 * 1024 * 1024
"""Bytes of a reply that are read; a longer one counts as broken off."""

_CONNECT_SECONDS = 10.0
"""Most time for connecting, and for the server to take one piece of the body."""

_READ_SIZE = 64 * 1024


class Transport:
    """Sends calls to one server. Safe to use from many threads."""

    def __init__(self, base_url: str, calls_in_flight: int) -> None:
        self._base_url = base_url.rstrip("/")
        self._pool = connections(base_url, calls_in_flight, retries=False)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()

    def exchange(self, call: Call, token: str, ids: RequestIds, deadline: Deadline) -> Reply:
        """Send `call` once and return the reply, whatever its status.

        Raises NotSentError (SourceFailedError, when a document is the cause) before the request has left
        whole. After that: OutcomeUnknownError for a call that writes, NotSentError for one that reads.
        """
        deadline.check()
        if call.body is not None:
            call.body.arm(deadline.check)
        try:
            return self._perform(call, token, ids, deadline)
        except AppError:
            raise
        except Exception as error:
            kind = _root(error)
        finally:
            if call.body is not None:
                call.body.close()
        # raised out here so that no network error, with what it quotes, hangs on it as context
        if call.body is not None and not call.body.finished:
            raise NotSentError(f"The request did not reach Partner Center whole ({kind}).")
        if call.writes:
            sent = SupportIds(ids.request_id, ids.correlation_id)
            raise OutcomeUnknownError(f"The request was sent and no answer came ({kind}).", sent)
        raise NotSentError(f"Partner Center did not answer ({kind}).")

    def _perform(self, call: Call, token: str, ids: RequestIds, deadline: Deadline) -> Reply:
        headers = {**call.headers(ids), "Authorization": f"Bearer {token}"}
        if call.body is not None:
            headers["Content-Length"] = str(len(call.body))
        left = max(deadline.remaining(), 0.001)
        response = self._pool.urlopen(
            call.method,
            self._base_url + call.path,
            body=call.body,
            headers=headers,
            redirect=False,
            preload_content=False,
            # with a total: the wait for the reply is what the sending has left of it
            timeout=Timeout(total=left, connect=min(_CONNECT_SECONDS, left)),
        )
        try:
            body, whole = _read(response, deadline)
        finally:
            response.close()
        told = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, told, body, whole)


def _read(raw: BaseHTTPResponse, deadline: Deadline) -> tuple[bytes, bool]:
    """Return the body and whether it is whole; a body that breaks off does not hide the status."""
    body = bytearray()
    try:
        while True:
            _limit_wait(raw, deadline)
            piece = raw.read1(_READ_SIZE, decode_content=True)
            if not piece:
                return bytes(body), True
            body += piece
            if len(body) > MAX_REPLY or deadline.remaining() <= 0:
                return bytes(body), False
    except Exception:
        return bytes(body), False


def _limit_wait(raw: BaseHTTPResponse, deadline: Deadline) -> None:
    connection = raw.connection
    if isinstance(connection, HTTPConnection) and isinstance(connection.sock, socket.socket):
        connection.sock.settimeout(max(deadline.remaining(), 0.001))


def _root(error: BaseException) -> str:
    """Name the kind of the first cause, such as ConnectionRefusedError or TimeoutError."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return type(error).__name__
