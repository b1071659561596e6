"""From an error to RFC 9457 `application/problem+json`: the only place that gives a failure its status.

`problems` wraps an HTTP handler: every answer carries `x-correlation-id`, every AppError becomes its problem,
anything else a 500 that reveals nothing of the cause. https://www.rfc-editor.org/rfc/rfc9457
"""

from __future__ import annotations

import json
import logging
import math
import re
import uuid
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from traceback import clear_frames
from typing import Any

import azure.functions as func

from shared import telemetry
from shared.audit_log import log_event
from shared.core.access import Role
from shared.core.errors import (
    AppError,
    BlobBlockedError,
    ConsentError,
    DecisionWaitsError,
    ForbiddenError,
    GivenUpError,
    InProgressError,
    InvalidInputError,
    KeyReusedError,
    LinesRefusedError,
    NeedsReviewError,
    NotAppliedError,
    NotConfiguredError,
    NotFoundError,
    NothingOrderedError,
    NotSentError,
    NotVisibleYetError,
    OrderBusyError,
    OrderFullError,
    OrderNotWaitingError,
    OutcomeUnknownError,
    RefusedError,
    ResellerError,
    SignInError,
    StateConflictError,
    StorageError,
    StorageForbiddenError,
    ThrottledError,
    TokenError,
    TokenRejectedError,
    TooLargeError,
    UnsupportedMediaTypeError,
    Violation,
    WrongUserError,
)
from shared.core.ids import GUID
from shared.web import access
from shared.web.cors import answer_headers

TYPE_PREFIX = "urn:partner-center-functions:problem:"
CORRELATION_HEADER = "x-correlation-id"
ANSWER_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""On every answer: no cache keeps one, and no browser takes one for anything but its type.
https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.5, https://fetch.spec.whatwg.org/#x-content-type-options-header"""
CALLER_STATUSES = (400, 404, 409, 412, 422)
"""Statuses of Partner Center that are passed on as they are when it is the caller who must act."""
RETRY_AFTER = 10
"""Seconds to wait before a repetition, where nobody said how long."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One row of the table: the problem that errors of a class become."""

    error: type[Exception]
    status: int
    slug: str
    title: str
    retryable: bool = False
    """Whether the same request can succeed later; RefusedError and TokenError know better for themselves."""


PROBLEMS: tuple[ProblemType, ...] = (
    ProblemType(InvalidInputError, 400, "invalid-input", "The request is not valid"),
    ProblemType(
        ResellerError,
        422,
        "no-reseller",
        "The indirect reseller cannot be put on the order; no order was placed",
    ),
    ProblemType(
        LinesRefusedError,
        422,
        "lines-refused",
        "Partner Center does not sell lines of this cart as they are; nothing was bought",
    ),
    ProblemType(SignInError, 401, "sign-in", "Nobody is signed in"),
    ProblemType(ForbiddenError, 403, "forbidden", "The caller may not do this"),
    ProblemType(OrderFullError, 409, "order-full", "The order has had as many submissions as it may have"),
    ProblemType(
        OrderNotWaitingError,
        409,
        "order-not-waiting",
        "The order does not wait for documents; nothing was sent",
    ),
    ProblemType(NotFoundError, 404, "not-found", "Not found"),
    ProblemType(TooLargeError, 413, "too-large", "The body or one of its files is too large"),
    ProblemType(UnsupportedMediaTypeError, 415, "unsupported-media-type", "Unsupported Content-Type"),
    ProblemType(
        KeyReusedError, 422, "key-reused", "The Idempotency-Key was already used for a different request"
    ),
    ProblemType(WrongUserError, 409, "wrong-user", "The order was placed for another signed-in user"),
    ProblemType(
        InProgressError, 409, "in-progress", "The same request is already in progress", retryable=True
    ),
    ProblemType(
        OrderBusyError,
        503,
        "order-busy",
        "Another submission for this order is in flight; this one was neither recorded nor sent",
        retryable=True,
    ),
    ProblemType(NeedsReviewError, 409, "needs-review", "Manual review required before retrying"),
    ProblemType(GivenUpError, 409, "given-up", "An operator abandoned this submission"),
    ProblemType(
        StateConflictError, 409, "state-conflict", "The submission's state does not allow this decision"
    ),
    ProblemType(
        DecisionWaitsError,
        409,
        "decision-waits",
        "Another submission for this order is in flight; decide when it has ended",
        retryable=True,
    ),
    ProblemType(ConsentError, 409, "no-consent", "No refresh token was stored"),
    ProblemType(NotConfiguredError, 500, "not-configured", "The application is not configured"),
    ProblemType(RefusedError, 424, "refused", "Partner Center refused the request"),
    ProblemType(NothingOrderedError, 422, "nothing-ordered", "The checkout made no order"),
    ProblemType(ThrottledError, 503, "throttled", "Partner Center is throttling requests", retryable=True),
    ProblemType(TokenRejectedError, 502, "token-rejected", "Partner Center did not accept the access token"),
    ProblemType(TokenError, 502, "no-token", "Could not obtain an access token"),
    ProblemType(
        NotAppliedError,
        503,
        "not-sent",
        "Nothing was done: Partner Center could not be reached or gave no usable answer",
        retryable=True,
    ),
    ProblemType(NotSentError, 424, "send-again", "The request was not carried out"),
    ProblemType(
        NotVisibleYetError,
        503,
        "order-not-visible",
        "Partner Center does not show the order yet; nothing was attached",
        retryable=True,
    ),
    ProblemType(StorageError, 503, "storage", "Storage operation failed", retryable=True),
    ProblemType(BlobBlockedError, 500, "storage-blocked", "Storage needs an operator"),
    ProblemType(
        StorageForbiddenError,
        500,
        "storage-forbidden",
        "The storage account does not allow what the application needs",
    ),
    ProblemType(OutcomeUnknownError, 504, "outcome-unknown", "The outcome of the request is unknown"),
    ProblemType(Exception, 500, "internal", "Internal error"),
)

MOST_LOGGED = 20
"""Faults of one request in the log."""
_LONGEST_LOGGED = 255
"""Characters of an id or a key in the log."""

_HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
_TYPE_OF = {row.error: row for row in PROBLEMS}
_current: ContextVar[str] = ContextVar("correlation_id", default="")


def correlation_id() -> str:
    """The correlation id of the HTTP request that is being answered; empty outside of one."""
    return _current.get()


def problem_of(error: Exception, correlation: str = "") -> dict[str, Any]:
    """The problem's members; `correlation` defaults to that of the current request."""
    row = _row(error)
    members: dict[str, Any] = {
        "type": TYPE_PREFIX + row.slug,
        "title": row.title,
        "status": _status(error, row),
        "detail": _detail(error, row),
        "correlationId": correlation or correlation_id(),
        "retryable": _retryable(error, row),
    }
    if isinstance(error, InvalidInputError | NothingOrderedError):
        members["errors"] = [{"pointer": v.pointer, "detail": v.detail} for v in error.violations]
    if isinstance(error, NeedsReviewError):
        members["submission"] = error.submission
    if isinstance(error, StateConflictError):
        members["state"] = str(error.state)
    if isinstance(error, AppError) and error.remedy:
        members |= {"actor": error.actor or "nobody", "remedy": error.remedy}
    if isinstance(error, NotConfiguredError):
        members["settings"] = list(error.settings)
    if isinstance(error, RefusedError):
        answer = {"status": error.status, "code": error.code, "description": error.description}
        members["partnerCenter"] = answer | error.ids.to_dict()
    if isinstance(error, OutcomeUnknownError):
        members["partnerCenter"] = error.ids.to_dict()
    return members


def response(error: Exception, correlation: str = "") -> func.HttpResponse:
    """The whole HTTP answer, with Retry-After where a repetition can help."""
    members = problem_of(error, correlation)
    headers = {CORRELATION_HEADER: members["correlationId"]}
    if members["retryable"]:
        asked = getattr(error, "retry_after", 0)
        headers["Retry-After"] = str(math.ceil(asked) if asked > 0 else RETRY_AFTER)
    if isinstance(error, SignInError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RefusedError) and error.replayed:
        headers["Idempotency-Replayed"] = "true"
    return func.HttpResponse(
        json.dumps(members),
        status_code=members["status"],
        headers=headers,
        mimetype="application/problem+json",
    )


Handler = Callable[[func.HttpRequest], func.HttpResponse]


def problems(*roles: Role) -> Callable[[Handler], Handler]:
    """Wrap a handler whose argument is `req`: errors become problems, answers carry a correlation id,
    ANSWER_HEADERS, and what lets a page of an allowed origin read them. Where app roles decide, the caller
    needs one of `roles`; without any, the route is open to everybody."""

    def wrap(handler: Handler) -> Handler:
        @wraps(handler)
        def answer(req: func.HttpRequest) -> func.HttpResponse:
            token = _current.set(_inbound(req) or str(uuid.uuid4()))
            try:
                with telemetry.invocation(_name_of(handler), correlation_id()) as step:
                    answered = _answer(handler, req, roles)
                    step.set(telemetry.STATUS, answered.status_code)
                more = {CORRELATION_HEADER: correlation_id(), **ANSWER_HEADERS, **answer_headers(req)}
                answered.headers.update(more)
                return answered
            finally:
                _current.reset(token)

        return answer

    return wrap


def _name_of(handler: Handler) -> str:
    return getattr(handler, "__name__", "handler")


def _answer(handler: Handler, req: func.HttpRequest, roles: Sequence[Role]) -> func.HttpResponse:
    name = _name_of(handler)
    try:
        if not _HOST.fullmatch(str(req.headers.get("host", "localhost"))):
            # it stands in every Location
            raise InvalidInputError([Violation("header:Host", "must be a host name, with a port or without")])
        if roles:
            access.admit(req, roles)
        return handler(req)
    except Exception as error:
        row = _row(error)
        if row.error is Exception:
            _log_unexpected(name, error)
        else:
            _log_problem(name, error, row, req)
        answered = response(error)
        # an error that a frame of its own traceback holds would keep the documents of the request
        clear_frames(error.__traceback__)
        return answered


def _log_problem(name: str, error: Exception, row: ProblemType, req: func.HttpRequest) -> None:
    """Write down what was answered, and of what; of invalid input the first faults, with places and
    sentences. They name members and files, and say what a value is like, never what it is."""
    faults = error.violations if isinstance(error, InvalidInputError) else ()
    log_event(
        "problem",
        logging.WARNING,
        function=name,
        problem=row.slug,
        detail=_detail(error, row),
        errors=[{"pointer": v.pointer, "detail": v.detail} for v in faults[:MOST_LOGGED]] or None,
        actor=getattr(error, "actor", None) or ("caller" if faults else None),
        customerId=req.route_params.get("customerId", "")[:_LONGEST_LOGGED],
        orderId=req.route_params.get("orderId", "")[:_LONGEST_LOGGED],
        key=str(req.headers.get("idempotency-key", ""))[:_LONGEST_LOGGED],
        correlationId=correlation_id(),
    )


class _UnexpectedError(Exception):
    """Stands in the log for an exception whose own message may quote what the caller sent."""


def _log_unexpected(name: str, error: Exception) -> None:
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    withheld = _UnexpectedError(f"{kind} (message withheld)")
    trace = (type(withheld), withheld, error.__traceback__)
    log.error("%s failed, correlation id %s", name, correlation_id(), exc_info=trace)


def _inbound(req: func.HttpRequest) -> str:
    """The caller's own id when it is a GUID; anything else would be a stranger's text in our logs."""
    for header in ("MS-CorrelationId", CORRELATION_HEADER):
        given = str(req.headers.get(header, "")).strip()
        if GUID.fullmatch(given):
            return given.lower()
    return ""


def _row(error: Exception) -> ProblemType:
    return next(_TYPE_OF[kind] for kind in type(error).__mro__ if kind in _TYPE_OF)


def _status(error: Exception, row: ProblemType) -> int:
    """A refusal keeps its 4xx where the caller must act. Else it is 502 when the same request can succeed
    later, and 424 when it cannot: flows send a 5xx again by themselves, and nothing would come of it."""
    if type(error) is not RefusedError:
        return row.status
    if error.advice.actor == "caller" and error.status in CALLER_STATUSES:
        return error.status
    return 502 if error.advice.retryable else row.status


def _retryable(error: Exception, row: ProblemType) -> bool:
    if isinstance(error, TokenError):
        return error.retryable
    if isinstance(error, RefusedError):
        return row.retryable or error.advice.retryable
    return row.retryable


def _detail(error: Exception, row: ProblemType) -> str:
    if row.error is Exception:
        return "The cause is in the application's log under the correlation id."
    if isinstance(error, InvalidInputError) and len(error.violations) > 1:
        return f"{len(error.violations)} violations; see `errors`."
    return str(error)
