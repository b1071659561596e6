"""HTTP functions that place an order, show one, and tell what became of a request to place one."""

from __future__ import annotations

import uuid
from urllib.parse import quote

import azure.functions as func

from shared import http, validation
from shared.ledger import State
from shared.partner_center.wire import RequestIds
from shared.problem import correlation_id, problems
from shared.wiring import services

bp = func.Blueprint()


@bp.function_name("create_order")
@bp.route("customers/{customerId}/orders", methods=["POST"])
@problems
def create_order(req: func.HttpRequest) -> func.HttpResponse:
    """Place the order that the Idempotency-Key stands for; 201, or 202 while its outcome is unknown."""
    with validation.Collector() as faults:
        customer = faults.check(lambda: validation.customer_id(req.route_params["customerId"]))
        key = faults.check(lambda: validation.idempotency_key(req.headers.get("idempotency-key")))
        order = faults.check(
            lambda: validation.order_request(http.json_body(req), req.route_params["customerId"])
        )
    assert customer
    assert key
    assert order
    s = services()
    outcome = s.orders_for(http.user_token(req)).place(customer, order, key, correlation_id(), s.deadline())
    record = http.settled(outcome)
    now = http.utc_now()
    if record is None:
        if outcome.replayed and outcome.record.state is State.CLAIMED:
            raise http.in_progress(outcome.record, now)
        location = http.here(req, f"customers/{customer}/order-requests/{quote(key, safe='')}")
        return http.accepted(outcome.record, location, now)
    headers = {"Location": http.here(req, f"customers/{customer}/orders/{http.order_id(record)}")}
    if outcome.replayed:
        headers["Idempotency-Replayed"] = "true"
    return http.stored(record, 201, headers)


@bp.function_name("get_order")
@bp.route("customers/{customerId}/orders/{orderId}", methods=["GET"])
@problems
def get_order(req: func.HttpRequest) -> func.HttpResponse:
    """The order as Partner Center has it now."""
    customer, order = http.order_of(req)
    s = services()
    ids = RequestIds(str(uuid.uuid4()), correlation_id())
    return http.passed_on(s.orders.get(customer, order, ids, s.deadline()))


@bp.function_name("get_order_request")
@bp.route("customers/{customerId}/order-requests/{key}", methods=["GET"])
@problems
def get_order_request(req: func.HttpRequest) -> func.HttpResponse:
    """What became of a request: 202 while it is unknown, then the stored answer."""
    with validation.Collector() as faults:
        customer = faults.check(lambda: validation.customer_id(req.route_params["customerId"]))
        key = faults.check(lambda: validation.idempotency_key(req.route_params["key"]))
    assert customer
    assert key
    s = services()
    # a host may leave an encoded slash in the path as it is
    outcome = s.orders.look(customer, [key, key.replace("%2F", "/")], s.deadline())
    record = http.settled(outcome)
    if record is None:
        location = http.here(req, f"customers/{customer}/order-requests/{quote(key, safe='')}")
        return http.accepted(outcome.record, location, http.utc_now())
    return http.stored(record, 200, {"Idempotency-Replayed": "true"})
