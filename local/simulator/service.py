"""What Partner Center answers: who may call, and what each call does.

Nothing here knows of sockets. `Service.identify` reads the token of a call (routes), `Service.admit`
decides from the head of a request, `Service.answer` from its body; all raise Refused with the documented
error.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from local.simulator.access import identify
from local.simulator.attachments import Upload
from local.simulator.carts import Carts
from local.simulator.lists import list_attachments, list_orders, upload_reply
from local.simulator.multipart_reader import Part
from local.simulator.orders import check_resellers, place, read_order
from local.simulator.paging import TOKEN_HEADER
from local.simulator.replies import Refused, Reply, json_reply, refused, throttled
from local.simulator.resellers import related, validate
from local.simulator.review import move_on
from local.simulator.routes import Call
from local.simulator.shapes import pascal, shown_order
from local.simulator.state import UPLOADED, Attachment, Order, State, Submission

ORDER_LIMIT = 1024 * 1024
"""Most bytes of an order request; Microsoft publishes no limit."""

_GUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_WRITES = ("POST order", "POST attachment", "POST cart", "POST checkout")
_NOT_KEPT = (401, 429)
_OF_THE_PARTNER = ("GET relationships", "POST validateresellers", "GET customers")


@dataclass(frozen=True, slots=True)
class Head:
    """What the headers of a request say, read and checked."""

    caller: str
    """app or user."""
    request_id: str
    """The client's MS-RequestId, or empty."""
    correlation_id: str
    continuation: str
    """The token of the page that is asked for, or empty."""
    base_url: str
    """Where the client finds the service."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request: text of an order, or the parts of an upload."""

    content_type: str = ""
    data: bytes = b""
    parts: Sequence[Part] = ()
    forget: str = ""
    """A part name whose files get lost (fault drop_part)."""


class Service:
    """The simulated Partner Center apart from its HTTP server."""

    def __init__(self, state: State, token_key: bytes, clock: Callable[[], float]) -> None:
        self.state = state
        self.clock = clock
        self._key = token_key
        self._carts = Carts(state, clock)
        self._calls: Mapping[str, Callable[[Call, Head, Body], Reply]] = {
            "POST order": self._create,
            "GET orders": self._list,
            "GET order": self._get,
            "POST attachment": self._attach,
            "GET attachments": self._attachments,
            "GET attachment": self._download,
            "POST cart": self._create_cart,
            "GET cart": self._get_cart,
            "PUT cart": self._change_cart,
            "POST checkout": self._check_out,
            "GET relationships": self._relationships,
            "POST validateresellers": self._validate,
            "GET customers": self._customers,
        }

    def identify(self, authorization: str) -> str:
        """Return whose token the Authorization header holds, app or user. Raises Refused."""
        return identify(authorization, self._key, self.state.behaviour.audience, self.clock())

    def admit(self, call: Call, caller: str, headers: Mapping[str, str], base_url: str = "") -> Head:
        """Decide from the head alone; `headers` has lower-case names. Raises Refused."""
        head = Head(
            caller,
            headers.get("ms-requestid", ""),
            headers.get("ms-correlationid", ""),
            headers.get(TOKEN_HEADER.lower()) or call.continuation,
            base_url,
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
        place_of_answer = _place_of_answer(call, head.request_id)
        with self.state.lock:
            behaviour = self.state.behaviour
            honours = (behaviour.honours_request_id or behaviour.repeats_first_error) and head.request_id
            if honours and place_of_answer in self.state.answers:
                return self.state.answers[place_of_answer]
            reply = self._calls[call.operation](call, head, body)
            if honours and reply.committed:
                self.state.answers[place_of_answer] = dataclasses.replace(reply, committed=False)
            return reply

    def first_answer(self, call: Call, request_id: str) -> Reply | None:
        """Return the answer that `repeats_first_error` repeats, or None when there is none yet."""
        with self.state.lock:
            if not self._keeps(call, request_id):
                return None
            return self.state.answers.get(_place_of_answer(call, request_id))

    def keep_answer(self, call: Call, request_id: str, reply: Reply) -> None:
        """Keep what is answered first, where `repeats_first_error` repeats it."""
        with self.state.lock:
            if self._keeps(call, request_id) and reply.status not in _NOT_KEPT:
                kept = dataclasses.replace(reply, committed=False)
                self.state.answers[_place_of_answer(call, request_id)] = kept

    def _keeps(self, call: Call, request_id: str) -> bool:
        return self.state.behaviour.repeats_first_error and bool(request_id) and call.operation in _WRITES

    def _check_customer(self, customer: str) -> None:
        behaviour = self.state.behaviour
        if not _GUID.fullmatch(customer):
            raise refused("900118")
        known = [name.lower() for name in behaviour.customers]
        if known and customer.lower() not in known:
            raise refused("60003")
        for name, seconds in behaviour.throttled.items():
            if name.lower() == customer.lower():
                raise Refused(throttled(int(seconds)))

    def _order(self, call: Call) -> Order:
        with self.state.lock:
            order = self.state.orders.get(call.order)
            if order is not None:
                move_on(order, self.clock(), self.state.behaviour)
        if order is None or order.customer.lower() != call.customer.lower():
            raise refused("20000")
        if order.created + self.state.behaviour.order_visible_after > self.clock():
            raise refused("20000", "Not yet.")
        return order

    def _create(self, call: Call, head: Head, body: Body) -> Reply:
        _check_json(body)
        request = read_order(body.data, call.customer, self.state.behaviour.max_quantity)
        if request.partner_ids and head.caller == "app":
            raise refused("900329")
        check_resellers(request, self.state.resellers)
        order = place(request, call.customer, self.clock(), self.state.behaviour)
        self.state.orders[order.id] = order
        return json_reply(201, self._shown(order), committed=True)

    def _list(self, call: Call, head: Head, body: Body) -> Reply:
        theirs = [o for o in self.state.orders.values() if o.customer.lower() == call.customer.lower()]
        for order in theirs:
            move_on(order, self.clock(), self.state.behaviour)
        url = f"{head.base_url}/v1/customers/{quote(call.customer, safe='')}/orders"
        return list_orders(theirs, self.clock(), head.continuation, url, self.state.behaviour)

    def _get(self, call: Call, head: Head, body: Body) -> Reply:
        return json_reply(200, self._shown(self._order(call)))

    def _shown(self, order: Order) -> object:
        shown = shown_order(order, self.state.behaviour)
        return pascal(shown) if self.state.behaviour.order_casing == "pascal" else shown

    def _attach(self, call: Call, head: Head, body: Body) -> Reply:
        order, state, now = self._order(call), self.state, self.clock()
        upload = Upload(body.parts, state.behaviour)
        if body.forget:
            upload.forget(body.forget)
        files = upload.files(state.behaviour.keep_total - state.kept_bytes)
        state.kept_bytes += sum(len(item.content or b"") for item in files)
        metadata = upload.metadata.decode("utf-8")
        order.submissions.append(
            Submission(now, head.request_id, head.correlation_id, metadata, files, upload.dropped)
        )
        order.status = UPLOADED
        order.version += 1
        return upload_reply(order, files, now, state.behaviour)

    def _attachments(self, call: Call, head: Head, body: Body) -> Reply:
        order = self._order(call)
        ids = (quote(item, safe="") for item in (call.customer, call.order))
        url = "{}/v1/customers/{}/orders/{}/attachments".format(head.base_url, *ids)
        return list_attachments(order, self.clock(), head.continuation, url, self.state.behaviour)

    def _download(self, call: Call, head: Head, body: Body) -> Reply:
        found = [item for item in self._order(call).attachments if item.id == call.attachment]
        return download(found[0] if found else None)

    def _create_cart(self, call: Call, head: Head, body: Body) -> Reply:
        _check_json(body)
        return self._carts.create(call.customer, body.data, head.caller)

    def _get_cart(self, call: Call, head: Head, body: Body) -> Reply:
        return self._carts.get(call.customer, call.cart)

    def _change_cart(self, call: Call, head: Head, body: Body) -> Reply:
        _check_json(body)
        return self._carts.change(call.customer, call.cart, body.data, head.caller)

    def _check_out(self, call: Call, head: Head, body: Body) -> Reply:
        if body.data:
            raise refused("800002", "A checkout has no body.")
        return self._carts.check_out(call.customer, call.cart, head.caller)

    def _relationships(self, call: Call, head: Head, body: Body) -> Reply:
        found = related(call.query.get("relationship_type", ""), self.state.resellers)
        return json_reply(200, _collection(found))

    def _validate(self, call: Call, head: Head, body: Body) -> Reply:
        if not self.state.behaviour.validates_resellers:
            raise refused("1000")
        _check_json(body)
        return json_reply(200, validate(body.data, self.state.resellers))

    def _customers(self, call: Call, head: Head, body: Body) -> Reply:
        shown = [
            {"id": name, "attributes": {"objectType": "Customer"}} for name in self.state.behaviour.customers
        ]
        return json_reply(200, _collection(shown))


def _place_of_answer(call: Call, request_id: str) -> tuple[str, str]:
    return request_id.lower(), f"{call.operation}/{call.customer}/{call.order}{call.cart}".lower()


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
