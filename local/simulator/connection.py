"""One connection to the simulator: how requests come in and how answers, or the lack of one, go out.

Faults happen here, because only here the difference shows between "not done", "done and answered" and "done
but never told". A request is recorded before its answer leaves, so that whoever has the answer finds it.
"""

from __future__ import annotations

import base64
import http.server
import json
import logging
import secrets
import socket
import ssl
import struct
import threading
import time
import uuid
from collections.abc import Mapping
from socketserver import BaseServer
from typing import Any

from local.simulator.control import control
from local.simulator.faults import ServiceFault
from local.simulator.incoming import BrokenOffError, Incoming, content_length
from local.simulator.journal import Entry
from local.simulator.multipart_reader import MalformedMultipartError, boundary_of, read_parts
from local.simulator.replies import Refused, Reply, error_reply, refused, throttled
from local.simulator.routes import Call, route
from local.simulator.service import ORDER_LIMIT, Body
from local.simulator.simulation import Simulation

_log = logging.getLogger("simulator")
_log.addHandler(logging.NullHandler())

NO_FAULT = ServiceFault("")
_GARBAGE = b"<html><body>The service is being updated.</body></html>"


class NoAnswerError(Exception):
    """The connection ends without an answer; `reset` by RST instead of in good order."""

    def __init__(self, *, reset: bool = False) -> None:
        self.reset = reset
        super().__init__()


class Connection(http.server.BaseHTTPRequestHandler):
    """Serves the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(
        self,
        simulation: Simulation,
        stopping: threading.Event,
        request: Any,  # noqa: ANN401 - a socket, as socketserver hands it over
        address: Any,  # noqa: ANN401
        server: BaseServer,
    ) -> None:
        self.simulation = simulation
        self.stopping = stopping
        self.number = simulation.journal.connected()
        self.awaits_continue = False
        self.reset = False
        super().__init__(request, address, server)

    def do_GET(self) -> None:
        """Serve one request of whatever method."""
        self.names = {name.lower(): value for name, value in self.headers.items()}
        self.awaits_continue = self.names.get("expect", "").lower() == "100-continue"
        if self.path.partition("?")[0].rstrip("/").startswith("/_sim"):
            self._control()
            return
        call = route(self.command, self.path)
        fault = self._fault(call)
        entry = self._entry(call, fault)
        self.simulation.journal.begin(entry)
        try:
            self._send(self._reply(call, entry, fault), entry, fault)
        except NoAnswerError as end:
            self.close_connection, self.reset = True, end.reset
        except BrokenOffError:
            self.close_connection = True
        finally:
            entry.seconds = round(time.perf_counter() - entry.started, 4)
            _log.log(logging.WARNING if entry.fault else logging.INFO, "%s", entry)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def handle_expect_100(self) -> bool:
        """Wait with 100 Continue until the body is wanted: a refusal then costs no upload."""
        return True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Log nothing: `do_GET` logs each request with what became of it."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return what the Date of an answer says: the service's own time, right or not."""
        return super().date_time_string(self.simulation.now() if timestamp is None else timestamp)

    def finish(self) -> None:
        """Close the connection, abruptly where a fault asks for it."""
        if self.reset:
            # linger of zero seconds: close sends RST (socket(7), SO_LINGER)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        super().finish()
        if self.reset:
            self.connection.close()

    def _fault(self, call: Call) -> ServiceFault:
        known = call.operation not in ("", "method")
        return (self.simulation.faults.take(call.operation, call.customer) if known else None) or NO_FAULT

    def _entry(self, call: Call, fault: ServiceFault) -> Entry:
        shown = {name: value for name, value in self.headers.items() if name.lower() != "authorization"}
        return Entry(
            connection=self.number,
            at=self.simulation.clock(),
            method=self.command,
            path=self.path,
            operation=call.operation or "unknown",
            headers=shown,
            customer=call.customer,
            fault=fault.kind,
        )

    def _reply(self, call: Call, entry: Entry, fault: ServiceFault) -> Reply:
        if fault.kind == "refuse":
            raise NoAnswerError
        try:
            body = Incoming(self.rfile, content_length(self.command, self.names), self._continue)
        except Refused as refusal:
            self.close_connection = True
            return refusal.reply
        try:
            return self._apply_fault(call, entry, fault, body)
        finally:
            entry.request_bytes = body.received

    def _apply_fault(self, call: Call, entry: Entry, fault: ServiceFault, body: Incoming) -> Reply:
        if fault.kind == "cut":
            body.drain(fault.after_bytes)
            raise NoAnswerError(reset=True)
        if fault.kind == "delay":
            self.stopping.wait(fault.seconds)
        if fault.kind == "throttle":
            body.drain()
            return throttled(fault.retry_after)
        if fault.kind == "early":
            self.wfile.write(self._interim(fault.status, fault.headers))
        reply = self._first_answer(call, body) or self._act(call, entry, fault, body)
        if fault.kind == "hang":
            self.stopping.wait(fault.seconds)
        if fault.kind in ("lose_reply", "hang"):
            raise NoAnswerError
        self.simulation.service.keep_answer(call, self.names.get("ms-requestid", ""), reply)
        return reply

    def _first_answer(self, call: Call, body: Incoming) -> Reply | None:
        kept = self.simulation.service.first_answer(call, self.names.get("ms-requestid", ""))
        if kept:
            body.drain()
        return kept

    def _act(self, call: Call, entry: Entry, fault: ServiceFault, body: Incoming) -> Reply:
        """Do what is asked, unless the fault leaves it undone; return what the fault makes of the answer."""
        if fault.kind in ("status", "hang") and not fault.commit:
            body.drain()
            return _status_reply(fault)
        reply = self._ask(call, entry, fault, body)
        entry.committed = reply.committed
        return _status_reply(fault) if fault.kind == "status" else reply

    def _ask(self, call: Call, entry: Entry, fault: ServiceFault, body: Incoming) -> Reply:
        service = self.simulation.service
        try:
            entry.caller = service.identify(self.names.get("authorization", ""))
            head = service.admit(call, entry.caller, self.names, self._base_url())
            return service.answer(call, head, self._body(call, fault, body))
        except Refused as refusal:
            if self.awaits_continue and not body.received:
                self.close_connection = True
            else:
                body.drain()
            return refusal.reply

    def _body(self, call: Call, fault: ServiceFault, body: Incoming) -> Body:
        content_type = self.names.get("content-type", "")
        if call.operation != "POST attachment":
            return Body(content_type, body.whole(ORDER_LIMIT))
        try:
            parts = read_parts(
                body.chunks(), boundary_of(content_type), self.simulation.state.behaviour.keep_bytes
            )
        except MalformedMultipartError as error:
            raise refused("800002", f"{error}.") from None
        return Body(content_type, parts=parts, forget=fault.name)

    def _continue(self) -> None:
        if self.awaits_continue:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.awaits_continue = False

    def _base_url(self) -> str:
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        return f"{scheme}://{self.names.get('host', '')}"

    def _interim(self, status: int, headers: Mapping[str, str]) -> bytes:
        """Return an early answer, after which the real one follows.

        https://www.rfc-editor.org/rfc/rfc9110#section-15.2
        """
        lines = [f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _send(self, reply: Reply, entry: Entry, fault: ServiceFault) -> None:
        entry.status, entry.code = reply.status, reply.code
        if reply.status < 200:
            self.wfile.write(self._interim(reply.status, reply.headers))
            raise NoAnswerError
        body = _GARBAGE if fault.kind == "garbage" else reply.body
        kind = "text/html" if fault.kind == "garbage" else reply.content_type
        own = {} if fault.gateway else {**self._ids(), **self._mfa(entry)}
        head = self._head(reply.status, {"Content-Type": kind, **own}, reply.headers, len(body))
        if fault.kind == "truncate":
            body = body[: len(body) // 2]
        entry.response_bytes = len(body)
        self.wfile.write(head + body)
        if fault.kind == "truncate":
            raise NoAnswerError

    def _head(self, status: int, own: Mapping[str, str], told: Mapping[str, str], length: int) -> bytes:
        """Return the head of an answer; `told` goes before `own`, names without regard to case."""
        named = {name.lower() for name in told}
        headers = {"Date": self.date_time_string(), **own}
        headers = {name: value for name, value in headers.items() if name.lower() not in named}
        lines = [f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}", f"Content-Length: {length}"]
        lines += [
            f"{name}: {value}"
            for name, value in {**headers, **told}.items()
            if length or name.lower() != "content-type"
        ]
        if self.close_connection:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _ids(self) -> dict[str, str]:
        return {
            "MS-CorrelationId": self.names.get("ms-correlationid") or str(uuid.uuid4()),
            "MS-RequestId": self.names.get("ms-requestid") or str(uuid.uuid4()),
            "MS-CV": f"{base64.b64encode(secrets.token_bytes(12)).decode()}.0",
            "MS-ServerId": "020021921",
        }

    def _mfa(self, entry: Entry) -> dict[str, str]:
        """Answer a dry run of the MFA rule, which asks with ValidateMfa.

        https://www.microsoftpartnercommunity.com/t5/Blog-Discussions/How-to-validate-your-solution/td-p/8315
        """
        if self.names.get("validatemfa", "").lower() != "true" or entry.caller == "app":
            return {}
        return {"isMfaCompliant": "true" if entry.caller == "user" else "false"}

    def _control(self) -> None:
        try:
            body = Incoming(self.rfile, content_length("", self.names), self._continue)
            reply = control(self.simulation, self.command, self.path, b"".join(body.chunks()))
        except Refused as refusal:
            self.close_connection = True
            reply = refusal.reply
        except BrokenOffError:
            self.close_connection = True
            return
        head = self._head(reply.status, {"Content-Type": reply.content_type}, reply.headers, len(reply.body))
        self.wfile.write(head + reply.body)


def _status_reply(fault: ServiceFault) -> Reply:
    if fault.body is None:
        usual = error_reply("900192", status=fault.status)
        return Reply(usual.status, usual.body, headers=fault.headers, code=usual.code)
    text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    return Reply(fault.status, text.encode(), headers=fault.headers)
