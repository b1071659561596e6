"""Partner Center as methods: orders, carts, attachments, indirect resellers.

1. A POST that writes goes out once per call. What became of it is told by the kind of the error:
   NotAppliedError and RefusedError (known: nothing was done), OutcomeUnknownError (ask before repeating).
2. A read is tried up to three times when no readable answer came or the server failed, and once more with a
   new token after a 401; it never raises OutcomeUnknownError. Each page of a list is such a read.
3. No call outlives its deadline: waiting for a place, connecting, sending and reading all count.
4. A throttled customer is refused at once until its time is up, and holds no place meanwhile.
"""

from __future__ import annotations

import copy
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from shared import telemetry
from shared.auth.mode import Mode, TokenSource
from shared.clock import Deadline
from shared.core.errors import (
    NotAppliedError,
    OutcomeUnknownError,
    RefusedError,
    ThrottledError,
    TokenError,
    TokenRejectedError,
)
from shared.core.strict_json import dumps
from shared.partner_center.body import BytesBody
from shared.partner_center.listing import MAX_LIST, Keep, Page, read_list, read_page
from shared.partner_center.multipart import MultipartBody
from shared.partner_center.observed import observed
from shared.partner_center.reply import failure, interpret, support_ids
from shared.partner_center.throttle import Throttle
from shared.partner_center.transport import MAX_REPLY, OpenResponse, Transport
from shared.partner_center.wire import (
    CUSTOMER_USER,
    Answer,
    Call,
    Listing,
    RawResponse,
    RequestIds,
    cart_path,
    order_path,
)

T = TypeVar("T")

READ_WAITS = (0.5, 1.5)
"""Seconds before the second and the third attempt of what may be repeated."""


@dataclass(frozen=True, slots=True)
class PartnerIdCheck:
    """Whether a PartnerID may stand on an order; `code` and `description` say why not."""

    partner_id: str
    valid: bool
    code: str
    description: str


def _all_of_them(item: Mapping[str, Any]) -> bool:
    return True


class PartnerCenter:
    """The client. One for the process; safe to use from many threads.

    Every method raises RefusedError and its kinds, NotAppliedError and its kinds (TokenError among them), and
    NotConfiguredError when the mode that it needs has no credentials; those that buy or attach may raise
    OutcomeUnknownError as well. An id that would change the path raises InvalidInputError.
    """

    def __init__(
        self,
        base_url: str,
        tokens: TokenSource,
        *,
        calls_in_flight: int = 16,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tokens = tokens
        self._base_url = base_url
        self._transport = Transport(base_url, calls_in_flight)
        self._places = threading.BoundedSemaphore(calls_in_flight)
        self._throttle = Throttle(clock)
        self._sleep = sleep

    def with_tokens(self, tokens: TokenSource) -> PartnerCenter:
        """The same client, connections and throttling included, with other tokens."""
        other = copy.copy(self)
        other._tokens = tokens
        return other

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def create_order(
        self,
        customer_id: str,
        body: bytes,
        mode: Mode,
        ids: RequestIds,
        deadline: Deadline,
        *,
        customer_user: str = "",
        resent: bool = False,
        check: Callable[[], None] | None = None,
    ) -> Answer:
        """Place an order; the answer is the order resource. Reseller orders need APP_USER.

        `customer_user`: UPN of the customer's user whom licenses are assigned to, "" for none. `resent`: it
        was sent before and no answer came. `check` runs before every piece of the body leaves, the closing
        bytes included, and raises NotAppliedError when it must not leave any more.
        https://learn.microsoft.com/en-us/partner-center/developer/create-an-order
        """
        call = Call(
            "POST",
            order_path(customer_id),
            "id",
            customer_id,
            writes=True,
            body=BytesBody(body),
            resent=resent,
            check=check,
            more_headers={CUSTOMER_USER: customer_user} if customer_user else {},
        )
        return self._once(call, mode, ids, deadline)

    def get_order(self, customer_id: str, order_id: str, ids: RequestIds, deadline: Deadline) -> Answer:
        """Read an order. https://learn.microsoft.com/en-us/partner-center/developer/get-an-order-by-id"""
        call = Call("GET", order_path(customer_id, _given(order_id)), "id", customer_id)
        return self._read(call, self._either(), ids, deadline)

    def list_orders(
        self, customer_id: str, ids: RequestIds, deadline: Deadline, keep: Keep = _all_of_them
    ) -> Listing:
        """Read a customer's orders and keep those that `keep` wants; new ones may be missing for 15 minutes.

        https://learn.microsoft.com/en-us/partner-center/developer/get-all-of-a-customer-s-orders
        """
        call = Call("GET", order_path(customer_id), "items", customer_id)
        return self._list(call, ids, deadline, keep, MAX_LIST)

    def create_cart(
        self, customer_id: str, body: bytes, mode: Mode, ids: RequestIds, deadline: Deadline
    ) -> Answer:
        """Make a cart; the answer is the cart, with what is wrong with its lines. It buys nothing, and a cart
        that is left alone expires after seven days: so it is tried as a read is, and is never unknown.

        https://learn.microsoft.com/en-us/partner-center/developer/create-a-cart
        """

        def attempt() -> Answer:
            # a new id each time: what was answered under it before is no cart of this request
            own = RequestIds(str(uuid.uuid4()), ids.correlation_id)
            call = Call("POST", cart_path(customer_id), "id", customer_id, writes=True, body=BytesBody(body))
            try:
                return self._once(call, mode, own, deadline)
            except OutcomeUnknownError as error:
                raise NotAppliedError(f"No cart was made, and so nothing was bought: {error}") from None

        return self._patiently(attempt, deadline)

    def get_cart(
        self, customer_id: str, cart_id: str, mode: Mode, ids: RequestIds, deadline: Deadline
    ) -> Answer:
        """Read a cart. https://learn.microsoft.com/en-us/dotnet/api/microsoft.store.partnercenter.carts.icart"""
        call = Call("GET", cart_path(customer_id, _given(cart_id)), "id", customer_id)
        return self._read(call, mode, ids, deadline)

    def check_out(
        self,
        customer_id: str,
        cart_id: str,
        mode: Mode,
        ids: RequestIds,
        deadline: Deadline,
        *,
        resent: bool = False,
        check: Callable[[], None] | None = None,
    ) -> Answer:
        """Buy what is in a cart; the answer tells the orders that came of it and the errors.

        It may be repeated for the same cart: after a failure it is tried anew, after a success it answers
        what it answered first. `resent` and `check` as for `create_order`; there is no body.
        https://learn.microsoft.com/en-us/partner-center/developer/checkout-a-cart
        """
        path = cart_path(customer_id, _given(cart_id), "checkout")
        call = Call("POST", path, "orders", customer_id, writes=True, resent=resent, check=check)
        return self._once(call, mode, ids, deadline)

    def attach(
        self,
        customer_id: str,
        order_id: str,
        body: MultipartBody,
        ids: RequestIds,
        deadline: Deadline,
        *,
        resent: bool = False,
        check: Callable[[], None] | None = None,
    ) -> Answer:
        """Attach documents to an order; the answer is the collection of its attachments. Path in singular.

        `resent`: it was sent before and no answer came. `check` runs before every piece of the body leaves,
        the closing bytes included, and raises NotAppliedError when it must not leave any more.
        https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details
        """
        path = order_path(customer_id, _given(order_id), "attachment")
        call = Call("POST", path, "items", customer_id, True, body, body.content_type, resent, check)
        return self._once(call, self._either(), ids, deadline)

    def list_attachments(
        self, customer_id: str, order_id: str, ids: RequestIds, deadline: Deadline
    ) -> Listing:
        """Read which documents an order has. Path in plural.

        https://learn.microsoft.com/en-us/rest/api/partner-center/manage-orders/get-attachments-for-an-order
        """
        return self._list(_attachments_of(customer_id, order_id), ids, deadline, _all_of_them, MAX_REPLY)

    def get_attachments(self, customer_id: str, order_id: str, ids: RequestIds, deadline: Deadline) -> Answer:
        """Read the first page of what `list_attachments` lists, as it comes."""
        return self._read(_attachments_of(customer_id, order_id), self._either(), ids, deadline)

    def indirect_resellers(self, ids: RequestIds, deadline: Deadline) -> Answer:
        """Read the partner's indirect resellers. App+User only.

        https://learn.microsoft.com/en-us/partner-center/developer/retrieve-a-list-of-indirect-resellers
        """
        path = "/v1/relationships?relationship_type=IsIndirectCloudSolutionProviderOf"
        return self._read(Call("GET", path, "items", entire=True), Mode.APP_USER, ids, deadline)

    def validate_resellers(
        self, partner_ids: Sequence[str], ids: RequestIds, deadline: Deadline
    ) -> tuple[PartnerIdCheck, ...] | None:
        """Ask whether PartnerIDs may stand on an order; None where this newer check is not available.

        https://learn.microsoft.com/en-us/partner-center/developer/validate-reseller-partner-of-record
        """
        body = BytesBody(json.dumps({"partnerIds": list(partner_ids)}).encode())
        call = Call("POST", "/v1/partners/validateresellers", "validationResults", body=body)
        try:
            answer = self._read(call, self._either(), ids, deadline)
        except RefusedError as error:
            if error.status in (404, 405, 501):
                return None
            raise
        return tuple(_check(item) for item in answer.json()[call.member] if isinstance(item, dict))

    def _either(self) -> Mode:
        return Mode.APP if self._tokens.configured(Mode.APP) else Mode.APP_USER

    def _list(self, first: Call, ids: RequestIds, deadline: Deadline, keep: Keep, most: int) -> Listing:
        mode = self._either()

        def fetch(call: Call, left: int) -> Page:
            # another page is another request: with the ids of the first it might be answered with the first
            own = ids if call is first else RequestIds(str(uuid.uuid4()), ids.correlation_id)

            def take(response: OpenResponse) -> Page:
                return _page(call, response, own, keep, left)

            return self._patiently(lambda: self._attempt(call, mode, own, deadline, take), deadline)

        return read_list(first, fetch, self._base_url, most)

    def _read(self, call: Call, mode: Mode, ids: RequestIds, deadline: Deadline) -> Answer:
        return self._patiently(lambda: self._once(call, mode, ids, deadline), deadline)

    def _patiently(self, attempt: Callable[[], T], deadline: Deadline) -> T:
        """Read with patience: rule 2 above."""
        waits, token_replayed = list(READ_WAITS), False
        while True:
            try:
                return attempt()
            except TokenError:
                raise
            except TokenRejectedError:
                if token_replayed:
                    raise
                token_replayed = True
            except (NotAppliedError, RefusedError) as error:
                final = isinstance(error, RefusedError) and error.status < 500
                if final or not waits or deadline.remaining() <= waits[0]:
                    raise
                self._sleep(waits.pop(0))

    def _once(self, call: Call, mode: Mode, ids: RequestIds, deadline: Deadline) -> Answer:
        def take(response: OpenResponse) -> Answer:
            return interpret(call, response.read(), ids)

        return self._attempt(call, mode, ids, deadline, take)

    def _attempt(
        self,
        call: Call,
        mode: Mode,
        ids: RequestIds,
        deadline: Deadline,
        take: Callable[[OpenResponse], T],
    ) -> T:
        """Make one attempt, return what `take` makes of the reply, and learn from a refusal."""
        self._throttle.check(call.customer)
        token = self._tokens.get(mode)
        with self._place(deadline):
            self._throttle.check(call.customer)
            try:
                with (
                    observed(call, ids) as step,
                    closing(self._transport.open(call, token, ids, deadline)) as response,
                ):
                    step.set(telemetry.STATUS, response.status)
                    return take(response)
            except ThrottledError as error:
                self._throttle.note(call.customer, error.retry_after)
                raise
            except TokenRejectedError:
                self._tokens.reject(mode, token)
                raise

    @contextmanager
    def _place(self, deadline: Deadline) -> Iterator[None]:
        if not self._places.acquire(timeout=deadline.remaining()):
            raise NotAppliedError("Timed out waiting for a free Partner Center connection slot.")
        try:
            yield
        finally:
            self._places.release()


def _attachments_of(customer_id: str, order_id: str) -> Call:
    return Call("GET", order_path(customer_id, _given(order_id), "attachments"), "items", customer_id)


def _page(call: Call, response: OpenResponse, ids: RequestIds, keep: Keep, most: int) -> Page:
    """Read a page of a list from a reply. Raises RefusedError and NotAppliedError."""
    if response.status != 200:
        raise failure(call, response.read(), ids)
    page = read_page(_to_the_end(response), keep, most)
    if not page.cut and not page.listed:
        members = dumps(page.members).encode()
        raise failure(call, RawResponse(response.status, response.headers, members), ids)
    page.headers, page.ids = response.headers, support_ids(response.headers, ids)
    return page


def _to_the_end(response: OpenResponse) -> Iterator[bytes]:
    yield from response.pieces()
    if not response.whole:
        raise NotAppliedError("Partner Center's list ended early or took too long.")


def _given(item_id: str) -> str:
    return item_id or "."  # refused by the path; "" would mean the collection


def _check(item: dict[str, Any]) -> PartnerIdCheck:
    code, description = item.get("errorCode"), item.get("errorDescription")
    return PartnerIdCheck(
        partner_id=str(item.get("partnerId", "")),
        valid=item.get("isValidPartnerIdOnRecord") is True,
        code="" if code is None else str(code),
        description=description if isinstance(description, str) else "",
    )
