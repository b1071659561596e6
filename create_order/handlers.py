"""What the functions of this folder do. Loaded by the first call: it brings pydantic and the clients."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import azure.functions as func

from shared.clock import Deadline
from shared.container import services
from shared.core.errors import StorageUnknownError
from shared.core.ledger import State
from shared.partner_center.wire import CUSTOMER_USER, RequestIds
from shared.services.operation import Outcome
from shared.services.orders import Orders, order_key
from shared.validation import ids
from shared.validation.checkouts import checkout_request
from shared.validation.collecting import ViolationCollector
from shared.validation.orders import order_request
from shared.web import responses
from shared.web.problem import correlation_id


def place(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `create_order`."""
    with ViolationCollector() as faults:
        customer, key = _customer_and_key(req, faults)
        upn = faults.check(lambda: ids.customer_user(req.headers.get(CUSTOMER_USER)))
        order = faults.check(lambda: order_request(responses.json_body(req), req.route_params["customerId"]))
    assert customer
    assert key
    assert order
    user = upn or ""

    def buy(orders: Orders, deadline: Deadline) -> Outcome:
        return orders.place(customer, order, key, correlation_id(), deadline, customer_user=user)

    return _bought(req, customer, key, buy)


def check_out(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `create_checkout`."""
    with ViolationCollector() as faults:
        customer, key = _customer_and_key(req, faults)
        if req.headers.get(CUSTOMER_USER):
            faults.add(f"header:{CUSTOMER_USER}", "applies to direct orders only; leave it out")
        request = faults.check(lambda: checkout_request(responses.json_body(req)))
    assert customer
    assert key
    assert request

    def buy(orders: Orders, deadline: Deadline) -> Outcome:
        return orders.check_out(customer, request, key, correlation_id(), deadline)

    return _bought(req, customer, key, buy)


def _customer_and_key(req: func.HttpRequest, faults: ViolationCollector) -> tuple[str | None, str | None]:
    customer = faults.check(lambda: ids.customer_id(req.route_params["customerId"]))
    return customer, faults.check(lambda: ids.idempotency_key(req.headers.get("idempotency-key")))


def _bought(
    req: func.HttpRequest, customer: str, key: str, buy: Callable[[Orders, Deadline], Outcome]
) -> func.HttpResponse:
    """Buy, and answer with what came of it: 201, 202, or what `require_done` raises."""
    s = services()
    base = s.settings.public_base_url
    location = responses.status_url(req, s.statuses.token(order_key(customer, key)), base)
    try:
        outcome = buy(s.orders_for(responses.user_token(req)), s.deadline())
    except StorageUnknownError:
        return responses.unconfirmed(location, correlation_id())
    own = responses.require_done(outcome)
    now = responses.utc_now()
    if own is None:
        if outcome.replayed and outcome.submission.state is State.CLAIMED:
            raise responses.in_progress(outcome.submission, now)
        return responses.accepted(outcome.submission, location, now)
    headers = responses.location_of_order(req, customer, own, base)
    if outcome.replayed:
        headers |= responses.REPLAYED
    return responses.from_record(own, 201, headers)


def show(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `get_order`."""
    customer, order = responses.order_of(req)
    s = services()
    sent_as = RequestIds(str(uuid.uuid4()), correlation_id())
    return responses.forward(s.orders.get(customer, order, sent_as, s.deadline()))


def get_request(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `get_order_request`."""
    with ViolationCollector() as faults:
        customer = faults.check(lambda: ids.customer_id(req.route_params["customerId"]))
        key = faults.check(lambda: ids.idempotency_key(req.params.get("key"), "query:key"))
    assert customer
    assert key
    s = services()
    outcome = s.orders.status(customer, key, s.deadline())
    own = responses.require_done(outcome)
    if own is None:
        token = s.statuses.token(order_key(customer, key))
        location = responses.status_url(req, token, s.settings.public_base_url)
        return responses.accepted(outcome.submission, location, responses.utc_now())
    watched = s.watch.told_of(outcome.record) if s.watch else None
    return responses.from_record(own, 200, {**responses.REPLAYED, **responses.order_headers(watched)})
