"""What is told of a call to Partner Center: a span, and its outcome by class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from shared import telemetry
from shared.core.errors import (
    NotAppliedError,
    OutcomeUnknownError,
    RefusedError,
    SourceFailedError,
    ThrottledError,
)
from shared.partner_center.wire import API_ROOT, Call, RequestIds

_ID = re.compile(r"\b(customers|orders|carts)/[^/]+")
_ROUTE = re.compile(rf"{API_ROOT}/(customers|relationships|partners/validateresellers)[a-z/{{}}]*")


@contextmanager
def observed(call: Call, ids: RequestIds) -> Iterator[telemetry.Step]:
    """Tell of one attempt of a call, whatever comes of it."""
    route, outcome = route_of(call.path), "ok"
    attributes = {
        "peer.service": "Partner Center",
        telemetry.CORRELATION_ID: ids.correlation_id,
        "csp_orders.request_id": ids.request_id,
    }
    with telemetry.span(f"{call.method} {route}", attributes, client=True) as step:
        try:
            yield step
        except BaseException as error:
            outcome = outcome_of(error)
            if isinstance(error, ThrottledError):
                telemetry.THROTTLED.record(error.retry_after)
            raise
        finally:
            step.set(telemetry.OUTCOME, outcome)
            telemetry.CALLS.record(1, outcome=outcome, method=call.method, route=route)


def outcome_of(error: BaseException) -> str:
    """The class of what became of an attempt that failed."""
    match error:
        case ThrottledError():
            return "throttled"
        case RefusedError():
            return "unavailable" if error.status >= 500 else "refused"
        case OutcomeUnknownError():
            return "lost"
        case NotAppliedError() if not isinstance(error, SourceFailedError):
            return "unavailable"
    return "stopped"


def route_of(path: str) -> str:
    """A path without ids and query; "other" for one that is none of ours: a list may name any for its next
    page."""
    route = _ID.sub(r"\1/{}", path.partition("?")[0])
    return route.removeprefix(API_ROOT) if _ROUTE.fullmatch(route) else "other"
