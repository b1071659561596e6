"""What the functions of this folder do. Loaded by the first call: it brings pydantic and the clients."""

from __future__ import annotations

import re
import uuid

import azure.functions as func

from attach_po import body
from shared import http
from shared.errors import NotFoundError
from shared.first_call import services
from shared.partner_center.wire import RequestIds
from shared.problem import correlation_id
from shared.services.effect import Outcome


def attach(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `attach_po`."""
    s = services()
    params = req.route_params
    submission = body.read(
        req.headers.get("content-type"),
        req.get_body(),
        s.settings.limits,
        params["customerId"],
        params["orderId"],
    )
    outcome = s.attachments.attach(submission, correlation_id(), s.deadline())
    path = f"customers/{submission.customer_id}/orders/{submission.order_id}/attachments"
    return _told(req, outcome, http.here(req, f"{path}?submission={submission.digest}"), 201)


def show(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `get_attachments`."""
    customer, order = http.order_of(req)
    s = services()
    digest = req.params.get("submission")
    if digest:
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise NotFoundError("no submission of that name was ever made for this order")
        outcome = s.attachments.look(customer, order, digest, s.deadline())
        return _told(req, outcome, req.url, 200)
    ids = RequestIds(str(uuid.uuid4()), correlation_id())
    return http.passed_on(s.attachments.partner.list_attachments(customer, order, ids, s.deadline()))


def _told(req: func.HttpRequest, outcome: Outcome, location: str, status: int) -> func.HttpResponse:
    record = http.settled(outcome)
    if record is None:
        return http.accepted(outcome.record, location, http.utc_now())
    return http.stored(record, status, {"Idempotency-Replayed": "true"} if outcome.replayed else {})
