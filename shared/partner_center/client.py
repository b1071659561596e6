"""Partner Center as methods: orders, attachments, indirect resellers.

1. A POST that writes goes out once per call. What became of it is told by the kind of the error:
   NotSentError and RefusedError (known: nothing was done), OutcomeUnknownError (ask before repeating).
2. A read is tried up to three times when no readable answer came or the server failed, and once more with a
   new token after a 401; it never raises OutcomeUnknownError.
3. No call outlives its deadline: waiting for a place, connecting, sending and reading all count.
4. A throttled customer is refused at once until its time is up, and holds no place meanwhile.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shared.auth.mode import Mode, TokenSource
from shared.errors import NotSentError, RefusedError, ThrottledError, TokenError, TokenRejectedError
from shared.partner_center.body import BytesBody
from shared.partner_center.multipart import MultipartBody
from shared.partner_center.reply import judge
from shared.partner_center.throttle import Throttle
from shared.partner_center.transport import Transport
from shared.partner_center.wire import Answer, Call, Deadline, RequestIds, order_path

_WAITS = (0.5, 1.5)
"""Seconds before the second and the third attempt of a read."""


@dataclass(frozen=True, slots=True)
class PartnerIdCheck:
    """Whether a PartnerID may stand on an order; `code` and `description` say why not."""

    partner_id: str
    valid: bool
    code: str
    description: str


class PartnerCenter:
    """The client. One for the process; safe to use from many threads.

    Every method raises RefusedError and its kinds, NotSentError and its kinds (TokenError among them), and
    NotConfiguredError when the mode that it needs has no credentials; the two that write may raise
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
        self, customer_id: str, body: bytes, mode: Mode, ids: RequestIds, deadline: Deadline
    ) -> Answer:
        """Place an order; the answer is the order resource. Reseller orders need APP_USER.

        https://learn.microsoft.com/en-us/partner-center/developer/create-an-order
        """
        path = order_path(customer_id)
        call = Call("POST", path, "id", customer_id, writes=True, body=BytesBody(body))
        return self._once(call, mode, ids, deadline)

    def get_order(self, customer_id: str, order_id: str, ids: RequestIds, deadline: Deadline) -> Answer:
        """Read an order. https://learn.microsoft.com/en-us/partner-center/developer/get-an-order-by-id"""
        call = Call("GET", order_path(customer_id, _given(order_id)), "id", customer_id)
        return self._read(call, self._either(), ids, deadline)

    def list_orders(self, customer_id: str, ids: RequestIds, deadline: Deadline) -> Answer:
        """Read a customer's orders; a new one may be missing for up to 15 minutes.

        https://learn.microsoft.com/en-us/partner-center/developer/get-all-of-a-customer-s-orders
        """
        call = Call("GET", order_path(customer_id), "items", customer_id)
        return self._read(call, self._either(), ids, deadline)

    def attach(
        self, customer_id: str, order_id: str, body: MultipartBody, ids: RequestIds, deadline: Deadline
    ) -> Answer:
        """Attach documents to an order; the answer is the collection of its attachments. Path in singular.

        https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details
        """
        path = order_path(customer_id, _given(order_id), "attachment")
        call = Call("POST", path, "items", customer_id, True, body, body.content_type)
        return self._once(call, self._either(), ids, deadline)

    def list_attachments(
        self, customer_id: str, order_id: str, ids: RequestIds, deadline: Deadline
    ) -> Answer:
        """Read which documents an order has. Path in plural.

        https://learn.microsoft.com/en-us/rest/api/partner-center/manage-orders/get-attachments-for-an-order
        """
        call = Call("GET", order_path(customer_id, _given(order_id), "attachments"), "items", customer_id)
        return self._read(call, self._either(), ids, deadline)

    def indirect_resellers(self, ids: RequestIds, deadline: Deadline) -> Answer:
        """Read the partner's indirect resellers. App+User only.

        https://learn.microsoft.com/en-us/partner-center/developer/retrieve-a-list-of-indirect-resellers
        """
        path = "/v1/relationships?relationship_type=IsIndirectCloudSolutionProviderOf"
        return self._read(Call("GET", path, "items"), Mode.APP_USER, ids, deadline)

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

    def _read(self, call: Call, mode: Mode, ids: RequestIds, deadline: Deadline) -> Answer:
        """Read with patience: rule 2 above."""
        waits, token_replayed = list(_WAITS), False
        while True:
            try:
                return self._once(call, mode, ids, deadline)
            except TokenError:
                raise
            except TokenRejectedError:
                if token_replayed:
                    raise
                token_replayed = True
            except (NotSentError, RefusedError) as error:
                final = isinstance(error, RefusedError) and error.status < 500
                if final or not waits or deadline.remaining() <= waits[0]:
                    raise
                self._sleep(waits.pop(0))

    def _once(self, call: Call, mode: Mode, ids: RequestIds, deadline: Deadline) -> Answer:
        """Make one attempt, and learn from a refusal."""
        self._throttle.check(call.customer)
        token = self._tokens.get(mode)
        with self._place(deadline):
            self._throttle.check(call.customer)
            reply = self._transport.exchange(call, token, ids, deadline)
        try:
            return judge(call, reply, ids, token)
        except ThrottledError as error:
            self._throttle.note(call.customer, error.retry_after)
            raise
        except TokenRejectedError:
            self._tokens.reject(mode, token)
            raise

    @contextmanager
    def _place(self, deadline: Deadline) -> Iterator[None]:
        if not self._places.acquire(timeout=deadline.remaining()):
            raise NotSentError("Too many calls to Partner Center are under way; none ended in time.")
        try:
            yield
        finally:
            self._places.release()


def _given(order_id: str) -> str:
    return order_id or "."  # refused by order_path; "" would mean the collection


def _check(item: dict[str, Any]) -> PartnerIdCheck:
    code, description = item.get("errorCode"), item.get("errorDescription")
    return PartnerIdCheck(
        partner_id=str(item.get("partnerId", "")),
        valid=item.get("isValidPartnerIdOnRecord") is True,
        code="" if code is None else str(code),
        description=description if isinstance(description, str) else "",
    )
