"""What Partner Center answers: routes, who may call them, and what each call does.

Nothing here knows of sockets. `route` names the call, `Service.identify` reads the token, `Service.admit`
decides from the head of a request, `Service.answer` from its body; all raise Refused with the documented
error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from local.simulator.attachments import Upload
from local.simulator.multipart_reader import Part
from local.simulator.orders import check_resellers, place, read_order
from local.simulator.replies import Refused, Reply, json_reply, refused, throttled, unauthorized
from local.simulator.resellers import related, validate
from local.simulator.state import (
    UPLOADED,
    Attachment,
    Order,
    State,
    Submission,
    attachment_json,
)
from local.simulator.tokens import InvalidToken, read

ORDER_LIMIT = 1024 * 1024
"""Most bytes of an order request; Microsoft publishes no limit."""

_GUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_ONE = "/v1/customers/([^/]+)/orders/([^/]+)"
_ROUTES: Sequence[tuple[str, re.Pattern[str], str]] = [
    (method, re.compile(path, re.I), operation)
    for method, path, operation in (
        ("POST", "/v1/customers/([^/]+)/orders", "POST order"),
        ("GET", "/v1/customers/([^/]+)/orders", "GET orders"),
        ("GET", _ONE, "GET order"),
        # the upload and the download say `attachment`, the list says `attachments`
        ("POST", f"{_ONE}/attachment", "POST attachment"),
        ("GET", f"{_ONE}/attachments", "GET attachments"),
        ("GET", f"{_ONE}/attachment/([^/]+)", "GET attachment"),
        ("GET", "/v1/relationships", "GET relationships"),
        ("POST", "/v1/partners/validateresellers", "POST validateresellers"),
        ("GET", "/v1/customers", "GET customers"),
    )
]

_OF_THE_PARTNER = ("GET relationships", "POST validateresellers", "GET customers")


@dataclass(frozen=True, slots=True)
class Call:
    """One request by name; ids are decoded, and empty where the path has none."""

    operation: str
    customer: str = ""
    order: str = ""
    attachment: str = ""
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """What the headers of a request say, read and checked."""

    caller: str
    """app or user."""
    request_id: str
    """The client's MS-RequestId, or empty."""
    correlation_id: str
    at: float


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request: text of an order, or the parts of an upload."""

    content_type: str = ""
    data: bytes = b""
    parts: Sequence[Part] = ()
    forget: str = ""
    """A part name whose files get lost (fault drop_part)."""


def route(method: str, target: str) -> Call:
    """Return the call that a request line makes; `operation` is empty or says `method` when there is none."""
    url = urlsplit(target)
    known_path = False
    for verb, pattern, operation in _ROUTES:
        match = pattern.fullmatch(url.path)
        known_path = known_path or match is not None
        if match and verb == method:
            ids = [unquote(item) for item in match.groups()]
            query = {name.lower(): values[0] for name, values in parse_qs(url.query).items()}
            customer, order, attachment = (*ids, "", "", "")[:3]
            return Call(operation, customer, order, attachment, query)
    return Call("method" if known_path else "")


class Service:
    """The simulated Partner Center apart from its HTTP server."""

    def __init__(self, state: State, token_key: bytes, clock: Callable[[], float]) -> None:
        self.state = state
        self.clock = clock
        self._key = token_key
        self._calls: Mapping[str, Callable[[Call, Head, Body], Reply]] = {
            "POST order": self._create,
            "GET orders": self._list,
            "GET order": self._get,
            "POST attachment": self._attach,
            "GET attachments": self._attachments,
            "GET attachment": self._download,
            "GET relationships": self._relationships,
            "POST validateresellers": self._validate,
            "GET customers": self._customers,
        }

    def identify(self, authorization: str) -> str:
        """Return whose token the Authorization header holds, app or user. Raises Refused."""
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise refused("800001")
        try:
            claims = read(token.strip(), self._key)
        except InvalidToken:
            raise unauthorized() from None
        expires = claims.get("exp")
        if claims.get("aud") != self.state.switches.audience:
            raise unauthorized()
        if not isinstance(expires, int | float) or expires <= self.clock():
            raise unauthorized()
        if claims.get("idtyp") == "app":
            return "app"
        if "user_impersonation" not in str(claims.get("scp", "")).split():
            raise unauthorized()
        methods = claims.get("amr")
        if not isinstance(methods, list) or "mfa" not in methods:
            raise refused("900421")
        return "user"

    def admit(self, call: Call, caller: str, headers: Mapping[str, str]) -> Head:
        """Decide from the head alone; `headers` has lower-case names. Raises Refused."""
        head = Head(
            caller,
            headers.get("ms-requestid", ""),
            headers.get("ms-correlationid", ""),
            self.clock(),
        )
        for name in ("ms-requestid", "ms-correlationid"):
            if name in headers and not _GUID.fullmatch(headers[name]):
                raise refused("800002", f"{name} is not a GUID.")
        if not call.operation:
            raise refused("1000")
        if call.operation == "method":
            raise Refused(Reply(405))
        if call.operation == "GET relationships" and caller == "app":
            raise refused("900329")
        if call.operation not in _OF_THE_PARTNER:
            self._check_customer(call.customer)
        if call.order:
            self._order(call)
        return head

    def answer(self, call: Call, head: Head, body: Body) -> Reply:
        """Do what is asked, once as a whole, and return the answer. Raises Refused."""
        place_of_answer = (head.request_id.lower(), f"{call.operation}/{call.customer}/{call.order}".lower())
        with self.state.lock:
            honours = self.state.switches.honours_request_id and head.request_id
            if honours and place_of_answer in self.state.answers:
                return self.state.answers[place_of_answer]
            reply = self._calls[call.operation](call, head, body)
            if honours and reply.committed:
                kept = Reply(reply.status, reply.body, reply.content_type, reply.headers)
                self.state.answers[place_of_answer] = kept
            return reply

    def _check_customer(self, customer: str) -> None:
        switches = self.state.switches
        if not _GUID.fullmatch(customer):
            raise refused("900118")
        known = [name.lower() for name in switches.customers]
        if known and customer.lower() not in known:
            raise refused("60003")
        for name, seconds in switches.throttled.items():
            if name.lower() == customer.lower():
                raise Refused(throttled(int(seconds)))

    def _order(self, call: Call) -> Order:
        with self.state.lock:
            order = self.state.orders.get(call.order)
        if order is None or order.customer.lower() != call.customer.lower():
            raise refused("20000")
        return order

    def _create(self, call: Call, head: Head, body: Body) -> Reply:
        _check_json(body)
        request = read_order(body.data, call.customer, self.state.switches.max_quantity)
        if request.partner_ids and head.caller == "app":
            raise refused("900329")
        check_resellers(request, self.state.resellers)
        order = place(request, call.customer, head.at, self.state.switches)
        self.state.orders[order.id] = order
        return json_reply(201, order.resource(), committed=True)

    def _list(self, call: Call, head: Head, body: Body) -> Reply:
        shown = [
            order.resource()
            for order in self.state.orders.values()
            if order.customer.lower() == call.customer.lower()
            and order.created + self.state.switches.list_lag <= head.at
        ]
        return json_reply(200, _collection(shown))

    def _get(self, call: Call, head: Head, body: Body) -> Reply:
        return json_reply(200, self._order(call).resource())

    def _attach(self, call: Call, head: Head, body: Body) -> Reply:
        order, state = self._order(call), self.state
        upload = Upload(body.parts, state.switches)
        if body.forget:
            upload.forget(body.forget)
        files = upload.files(state.switches.keep_total - state.kept_bytes)
        state.kept_bytes += sum(len(item.content or b"") for item in files)
        metadata = upload.metadata.decode("utf-8")
        order.submissions.append(
            Submission(head.at, head.request_id, head.correlation_id, metadata, files, upload.dropped)
        )
        order.status = UPLOADED
        order.version += 1
        shown = order.attachments if state.switches.reply_lists_all else files
        return json_reply(201, _collection([attachment_json(item) for item in shown]), committed=True)

    def _attachments(self, call: Call, head: Head, body: Body) -> Reply:
        return json_reply(200, _collection([attachment_json(item) for item in self._order(call).attachments]))

    def _download(self, call: Call, head: Head, body: Body) -> Reply:
        found = [item for item in self._order(call).attachments if item.id == call.attachment]
        return download(found[0] if found else None)

    def _relationships(self, call: Call, head: Head, body: Body) -> Reply:
        found = related(call.query.get("relationship_type", ""), self.state.resellers)
        return json_reply(200, _collection(found))

    def _validate(self, call: Call, head: Head, body: Body) -> Reply:
        if not self.state.switches.validates_resellers:
            raise refused("1000")
        _check_json(body)
        return json_reply(200, validate(body.data, self.state.resellers))

    def _customers(self, call: Call, head: Head, body: Body) -> Reply:
        shown = [
            {"id": name, "attributes": {"objectType": "Customer"}} for name in self.state.switches.customers
        ]
        return json_reply(200, _collection(shown))


def _check_json(body: Body) -> None:
    if body.content_type.partition(";")[0].strip().lower() != "application/json":
        raise refused("800002", "Content-Type is not application/json.")


def download(item: Attachment | None) -> Reply:
    """Return the file itself, or 404 when there is none or its content was not kept."""
    if item is None or item.content is None:
        raise refused("1000", "No such attachment, or its content was too large to be kept here.")
    return Reply(200, item.content, item.content_type)


def _collection(items: Sequence[Mapping[str, object]]) -> dict[str, object]:
    return {"totalCount": len(items), "items": list(items), "attributes": {"objectType": "Collection"}}
