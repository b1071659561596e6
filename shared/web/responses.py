"""What the HTTP handlers answer with: Partner Center's own answers, and what a submission amounts to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import azure.functions as func

from shared.auth.claims import is_application
from shared.core.errors import (
    Advice,
    AppError,
    GivenUpError,
    InProgressError,
    InvalidInputError,
    NeedsReviewError,
    NotAppliedError,
    NotSentError,
    RefusedError,
    SupportIds,
    UnsupportedMediaTypeError,
    Violation,
)
from shared.core.ledger import Record, State, Submission
from shared.core.ledger_parts import RecordedAnswer
from shared.core.order_statuses import meaning
from shared.core.watch import status_of
from shared.core.watched import WatchedOrder
from shared.partner_center.wire import Answer, parse_object
from shared.services.checkout_operation import nothing_ordered
from shared.services.operation import Outcome
from shared.validation import ids
from shared.validation.collecting import ViolationCollector

JSON = "application/json"
REPLAYED = {"Idempotency-Replayed": "true"}
"""Of an answer that was given before."""
_MOST_STATUSES = 12
"""As many stand in a header; more are not documented."""
ROUTE_PREFIX = "/api"
"""As in host.json."""


def forward(answer: Answer) -> func.HttpResponse:
    """Partner Center's answer as it came, with the ids that its support asks for."""
    return _json(answer.body, answer.status, answer.ids.to_dict(), _status_headers(answer.body))


def from_record(submission: Submission, status: int, headers: Mapping[str, str]) -> func.HttpResponse:
    """The answer that a submission keeps. When it is given again, it does not say what the order's status
    asked for: that was then (`order_headers` tells what it is now)."""
    answer = submission.answer or RecordedAnswer(status=status)
    body = answer.body.encode()
    fresh = {} if REPLAYED.keys() <= headers.keys() else _status_headers(body)
    return _json(body, status, _support_ids(submission), {**fresh, **headers})


def accepted(submission: Submission, location: str, now: datetime) -> func.HttpResponse:
    """202: it is under way; `location` gives the outcome. Flows poll it: 202 again while it lasts."""
    seconds = seconds_to_wait(submission, now)
    body = {
        "status": str(submission.state),
        "detail": submission.detail,
        "location": location,
        "correlationId": submission.correlation_id,
    }
    headers = {"Location": location, "Retry-After": str(seconds)}
    return _json(json.dumps(body).encode(), 202, _support_ids(submission), headers)


def unconfirmed(location: str, correlation: str) -> func.HttpResponse:
    """202: storage did not say whether the request was recorded. It may be carried out; `location`
    gives the outcome, and 404 when it was not recorded, which is safe to repeat."""
    detail = "storage did not confirm the request, so it may still be carried out; retry with the same key"
    body = {"status": "unknown", "detail": detail, "location": location, "correlationId": correlation}
    return _json(json.dumps(body).encode(), 202, {}, {"Location": location, "Retry-After": "30"})


def status(
    outcome: Outcome, location: str, now: datetime, watched: WatchedOrder | None = None
) -> func.HttpResponse:
    """What became of a submission, to whoever polls: 202 while it is open, then the answer that it got, and
    what the watch knows of its order. What was proved absent, and waits for its caller, ends the polling.

    Raises what `require_done` raises, NotSentError instead of NotAppliedError.
    """
    try:
        own = require_done(outcome)
    except NotAppliedError as error:
        raise NotSentError(str(error)) from None
    if own is None:
        return accepted(outcome.submission, location, now)
    return from_record(own, 200, {**REPLAYED, **order_headers(watched)})


def order_headers(watched: WatchedOrder | None) -> dict[str, str]:
    """An order's status as the watch last saw it, and what it asks for."""
    return _headers_of(watched.status) if watched else {}


def require_done(outcome: Outcome) -> Submission | None:
    """The submission when it is `done`, None when its outcome is still open; everything else is raised:
    the refusal, the reason why nothing was sent, NeedsReviewError."""
    own = outcome.submission
    match own.state:
        case State.DONE:
            return own
        case State.REFUSED:
            raise outcome.error or refusal_of(outcome.record, own)
        case State.REVIEW:
            raise NeedsReviewError(own.detail, outcome.record.name_of(own))
        case State.PENDING if own.due is None:  # else the worker sends it: it lies in a drop as well
            raise outcome.error or NotAppliedError(f"It was not sent; send it again: {own.detail}")
        case _:
            return None


def refusal_of(record: Record, own: Submission) -> AppError:
    """The refusal that a submission keeps, as the error that it was."""
    if own.given_up:
        return GivenUpError(own.detail, record.name_of(own))
    answer = own.answer
    if answer is None:
        return NotAppliedError(own.detail)
    ids = SupportIds(answer.ids.request_id, answer.ids.correlation_id, answer.ids.cv, answer.ids.server_id)
    if answer.body:
        refusal: RefusedError = nothing_ordered(answer.status, answer.body, ids)
    else:
        advice = Advice(own.actor, answer.retryable, own.remedy)
        refusal = RefusedError(answer.status, answer.code, answer.description, advice, ids)
    refusal.replayed = True
    return refusal


def in_progress(own: Submission, now: datetime) -> InProgressError:
    """409: the same key is at work."""
    return InProgressError("a request with this Idempotency-Key is in progress", seconds_to_wait(own, now))


def seconds_to_wait(own: Submission, now: datetime) -> int:
    """Whole seconds after which asking again makes sense; a claim usually ends long before it expires."""
    if own.state is State.CLAIMED or own.due is None:
        return 5
    return max(1, min(60, int((own.due - now).total_seconds()) + 1))


def _support_ids(own: Submission) -> dict[str, str]:
    return own.answer.ids.model_dump(by_alias=True) if own.answer else {}


def shown(body: Mapping[str, Any]) -> func.HttpResponse:
    """Something of our own as it is now."""
    return _json(json.dumps(body, ensure_ascii=False).encode(), 200, {})


def created(body: Mapping[str, Any], location: str) -> func.HttpResponse:
    """201 for something of our own."""
    return _json(json.dumps(body).encode(), 201, {}, {"Location": location})


def status_url(req: func.HttpRequest, token: str, base: str) -> str:
    """Where a status can be polled without a key."""
    return absolute_url(req, f"status/{token}", base)


def absolute_url(req: func.HttpRequest, path: str, base: str, query: Mapping[str, str] | None = None) -> str:
    """An absolute URL of this app: under `base` (PUBLIC_BASE_URL), else on the host under which the caller
    reached it; members of `query` that are "" are left out. No key stands in it: what is polled without one
    bears a token of its own."""
    parts = urlsplit(req.url)
    given = urlencode({name: value for name, value in (query or {}).items() if value})
    asked = f"?{given}" if given else ""
    return f"{base or f'{parts.scheme}://{parts.netloc}{ROUTE_PREFIX}'}/{path}{asked}"


def route_path(req: func.HttpRequest, name: str) -> str:
    """A parameter that takes the rest of a path. Connectors escape the slashes in it, and the Functions host
    leaves them so."""
    return re.sub("%2f", "/", req.route_params.get(name, ""), flags=re.IGNORECASE)


def json_body(req: func.HttpRequest) -> bytes:
    """The body of a request that says it is JSON. Raises UnsupportedMediaTypeError for any other, and what
    `body_of` raises."""
    kind = req.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON and not kind.endswith("+json"):
        raise UnsupportedMediaTypeError(f"The Content-Type is {kind or 'missing'}; it must be {JSON}.")
    return body_of(req)


def body_of(req: func.HttpRequest) -> bytes:
    """The body of a request, as its sender meant it.

    Raises UnsupportedMediaTypeError for one that is compressed, and InvalidInputError for one that did not
    get through: flows that may chunk ask with an empty body first, and the Functions host hands a body
    without a Content-Length on empty.
    https://learn.microsoft.com/en-us/azure/logic-apps/logic-apps-handle-large-messages
    https://github.com/Azure/azure-functions-host/issues/4926
    """
    coding = str(req.headers.get("content-encoding", "")).strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedMediaTypeError("The body has a Content-Encoding; send it as it is, not compressed.")
    body = req.get_body()
    if not body and str(req.headers.get("x-ms-transfer-mode", "")).strip().lower() == "chunked":
        why = "is chunked: turn off 'Allow chunking' in the settings of the flow's action, or drop the files"
        raise InvalidInputError([Violation("header:x-ms-transfer-mode", why)])
    if not body and "content-length" not in req.headers:
        why = "is missing: a body without it, sent in chunks, does not get through the Functions host"
        raise InvalidInputError([Violation("header:Content-Length", why)])
    return body


def user_token(req: func.HttpRequest) -> str:
    """The signed-in user's token for this application, "" when the frontend passes none: as a bearer
    token, or as App Service's built-in sign-in hands it on. An application's own token is nobody's.
    https://learn.microsoft.com/en-us/azure/app-service/configure-authentication-oauth-tokens
    """
    scheme, _, token = req.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    given = (bearer, str(req.headers.get("x-ms-token-aad-access-token", "")))
    return next((token for token in given if token and not is_application(token)), "")


def order_of(req: func.HttpRequest) -> tuple[str, str]:
    """The customer and the order that a path names. Raises InvalidInputError, naming both faults."""
    with ViolationCollector() as faults:
        customer = faults.check(lambda: ids.customer_id(req.route_params["customerId"]))
        order = faults.check(lambda: ids.order_id(req.route_params["orderId"]))
    assert customer
    assert order
    return customer, order


def location_of_order(req: func.HttpRequest, customer_id: str, own: Submission, base: str) -> dict[str, str]:
    """`Location` of the one order that was placed; nothing for several, or when Partner Center gave it an id
    that no path of ours takes."""
    try:
        order = ids.opaque_id(own.ids[0] if len(own.ids) == 1 else "")
    except ValueError:
        return {}
    return {"Location": absolute_url(req, f"customers/{customer_id}/orders/{order}", base)}


def _status_headers(body: bytes) -> dict[str, str]:
    """The status of an order, or of those of a checkout, and what they ask for, beside the body."""
    content = parse_object(body) or {}
    orders = content["orders"] if isinstance(content.get("orders"), list) else [content]
    told = [status_of(order) for order in orders if isinstance(order, dict)]
    return _headers_of(*filter(None, told))


def _headers_of(*statuses: str) -> dict[str, str]:
    told = list(dict.fromkeys(statuses))[:_MOST_STATUSES]
    steps = dict.fromkeys(filter(None, (meaning(status).step for status in told)))
    headers = {"X-Order-Status": ", ".join(told), "X-Next-Step": "; ".join(steps)}
    return {name: value for name, value in headers.items() if value}


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def _json(
    body: bytes, status: int, ids: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    names = {
        "requestId": "MS-RequestId",
        "correlationId": "MS-CorrelationId",
        "cv": "MS-CV",
        "serverId": "MS-ServerId",
    }
    known = {names[k]: v for k, v in ids.items() if v}
    return func.HttpResponse(body, status_code=status, mimetype=JSON, headers={**known, **(headers or {})})
