"""One request and its reply over a pooled connection, and nothing besides: no retry, redirect or cookie.

Whatever goes wrong becomes NotSentError or OutcomeUnknownError, by one question: had the last byte of the
body been handed out? Only the kind of the failure is told; texts of network errors hold URLs and headers.
"""

from __future__ import annotations

import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from shared.errors import AppError, NotSentError, OutcomeUnknownError, SupportIds
from shared.partner_center.wire import Call, Deadline, Reply, RequestIds

MAX_REPLY = 8 * 1024 * 1024
"""Bytes of a reply that are read; a longer one counts as broken off."""

_CONNECT_SECONDS = 10.0
"""Most time for connecting, and for the server to take one piece of the body."""

_READ_SIZE = 64 * 1024


class Transport:
    """Sends calls to one server. Safe to use from many threads."""

    def __init__(self, base_url: str, session: requests.Session) -> None:
        self._base_url = base_url.rstrip("/")
        self._adapter = session.get_adapter(self._base_url)
        # read once: proxies from the environment; a CA bundle of the session goes before the environment's
        self._settings = session.merge_environment_settings(
            self._base_url, {}, True, session.verify, session.cert
        )

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
        request = requests.Request(
            call.method,
            self._base_url + call.path,
            headers=call.headers(ids),
            data=call.body,
            auth=_Bearer(token),
        ).prepare()
        response = self._adapter.send(request, **self._options(deadline))
        with response:
            body, whole = _read(response.raw, deadline)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, headers, body, whole)

    def _options(self, deadline: Deadline) -> dict[str, Any]:
        # a Timeout with a total: the wait for the reply is what the sending has left of it
        left = max(deadline.remaining(), 0.001)
        timeout = Timeout(total=left, connect=min(_CONNECT_SECONDS, left))
        return {**self._settings, "timeout": timeout}


class _Bearer(AuthBase):
    """Sets the header itself; without an `auth`, requests may look into ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


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


def new_session(calls_in_flight: int) -> requests.Session:
    """Return a session that keeps one connection for each call in flight."""
    session = requests.Session()
    adapter = _KeptAlive(pool_maxsize=calls_in_flight, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _KeptAlive(HTTPAdapter):
    """Probes idle connections, so that one that a firewall has forgotten is not used for an order.

    Azure forgets idle outbound flows after 4 minutes; a request on such a connection is sent and never
    answered. https://learn.microsoft.com/en-us/azure/load-balancer/load-balancer-tcp-idle-timeout
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as HTTPAdapter has it
        """Set the socket options of every connection in the pool."""
        options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
            if hasattr(socket, name):
                options.append((socket.IPPROTO_TCP, getattr(socket, name), 30))
        super().init_poolmanager(*args, socket_options=options, **kwargs)
