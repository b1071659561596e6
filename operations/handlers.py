"""What the functions of this folder do. Loaded by the first call: it brings pydantic and the clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import azure.functions as func

from shared.container import services
from shared.core.errors import InvalidInputError, Violation
from shared.core.ids import customer_in
from shared.core.listing import LISTED
from shared.core.moments import LONG_AGO, iso_moment
from shared.core.order_statuses import normalize
from shared.core.receipt_parts import ReceiptState
from shared.services.listing import Entry
from shared.services.review import review_body
from shared.validation import ids
from shared.validation.collecting import ViolationCollector
from shared.validation.reviews import review_decision
from shared.web import access, responses
from shared.web.problem import correlation_id


def list_submissions(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `get_submissions`."""
    given = [name for name in ("state", "orderId", "orderStatus") if name in req.params]
    if len(given) > 1:
        why = "give one of state, orderStatus, and customerId with orderId"
        raise InvalidInputError([Violation(f"query:{name}", why) for name in given])
    if "orderId" in req.params:
        return _of_order(req)
    if "orderStatus" in req.params:
        return _in_status(req)
    with ViolationCollector() as faults:
        state = faults.check(lambda: _state(req.params.get("state", "")))
        since = faults.check(lambda: _since(req.params.get("since", "")))
    assert state
    assert since
    listing = services().listing
    entries, after = listing.page(state, since, req.params.get("after", ""), access.current())
    return _page(req, entries, {"state": str(state)}, after)


def _in_status(req: func.HttpRequest) -> func.HttpResponse:
    with ViolationCollector() as faults:
        status = faults.check(lambda: _order_status(req.params.get("orderStatus", "")))
        since = faults.check(lambda: _since(req.params.get("since", "")))
    assert status
    assert since
    listing = services().listing
    entries, after = listing.order_page(status, since, req.params.get("after", ""), access.current())
    return _page(req, entries, {"orderStatus": status}, after)


def _page(
    req: func.HttpRequest, entries: Sequence[Entry], asked: Mapping[str, str], after: str
) -> func.HttpResponse:
    """A page of a list, with the address of the next one."""
    body: dict[str, object] = {"items": entries}
    if after:
        again = {**asked, "since": req.params.get("since", ""), "after": after}
        body["next"] = responses.absolute_url(req, "submissions", services().settings.public_base_url, again)
    return responses.shown(body)


def _of_order(req: func.HttpRequest) -> func.HttpResponse:
    with ViolationCollector() as faults:
        customer = faults.check(lambda: ids.customer_id(req.params.get("customerId", ""), "query:customerId"))
        order = faults.check(lambda: ids.order_id(req.params.get("orderId", ""), "query:orderId"))
    assert customer
    assert order
    access.require_customer(customer)
    return responses.shown({"items": services().listing.of_order(customer, order)})


def decide(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `decide_review`."""
    caller = access.current()
    asked = review_decision(responses.json_body(req), caller.name)
    s = services()
    key = responses.route_path(req, "key")
    access.require_customer(customer_in(key))
    record, own = s.reviews.decide(key, asked, correlation_id(), s.deadline())
    return responses.shown(review_body(record, own))


def look_again(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `retry_drop`."""
    s = services()
    receipt = s.drops.receipt_of(responses.route_path(req, "path"))
    access.require_customer(receipt.body.customer_id or "")
    s.drops.look_again(receipt)
    return responses.shown({"drop": receipt.path, "detail": "the drop is looked at now"})


def _state(text: str) -> ReceiptState:
    if text not in LISTED:
        raise InvalidInputError([Violation("query:state", f"must be one of {', '.join(LISTED)}")])
    return ReceiptState(text)


def _order_status(text: str) -> str:
    status = normalize(text)
    if not status or status == "completed":
        why = "must be a status of orders that are looked at or ended for a reason, such as pending_po_upload"
        raise InvalidInputError([Violation("query:orderStatus", why)])
    return status


def _since(text: str) -> datetime:
    moment = iso_moment(text) if text else LONG_AGO
    if moment is None or moment.tzinfo is None:
        raise InvalidInputError([Violation("query:since", "must be a moment such as 2026-11-28T08:00:00Z")])
    return max(moment, LONG_AGO)
