"""Cross-origin requests from browsers (https://fetch.spec.whatwg.org/#http-cors-protocol), in one place.

The platform's own CORS cannot expose response headers, and where it is configured it goes first, so it stays
empty: https://learn.microsoft.com/en-us/azure/app-service/app-service-web-tutorial-rest-api#app-service-cors-vs-your-cors
Off without the setting ALLOWED_ORIGINS: answers are then what they always were.
"""

from __future__ import annotations

import os
from functools import cache

import azure.functions as func

ALLOWED_ORIGINS = "ALLOWED_ORIGINS"

METHODS = ("GET", "POST")
REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "x-functions-key",
    "x-ms-customeruser-upn",
    "x-correlation-id",
    "MS-CorrelationId",
)
"""What a page may send."""
EXPOSED_HEADERS = (
    "Location",
    "Retry-After",
    "Idempotency-Replayed",
    "X-Order-Status",
    "X-Next-Step",
    "x-correlation-id",
    "MS-RequestId",
    "MS-CorrelationId",
    "MS-CV",
    "MS-ServerId",
)
"""What a page may read of an answer, beside what every page may."""
MAX_AGE = 600
"""Seconds for which a browser may remember a preflight."""


def answer_headers(req: func.HttpRequest) -> dict[str, str]:
    """What an answer to `req` carries so that a page of an allowed origin can read it."""
    allowed = _allowed(os.environ.get(ALLOWED_ORIGINS, ""))
    if not allowed:
        return {}
    origin = str(req.headers.get("origin", ""))
    if origin not in allowed:
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS),
    }


def preflight(req: func.HttpRequest) -> func.HttpResponse:
    """204, with what a page of an allowed origin may send; who wraps all handlers adds `answer_headers`."""
    headers = {}
    if "Access-Control-Allow-Origin" in answer_headers(req):
        headers = {
            "Access-Control-Allow-Methods": ", ".join(METHODS),
            "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
            "Access-Control-Max-Age": str(MAX_AGE),
        }
    return func.HttpResponse(status_code=204, headers=headers)


@cache
def _allowed(setting: str) -> frozenset[str]:
    """The origins, as browsers write them: in lower case, without a slash or the usual port at the end."""
    return frozenset(filter(None, (origin.strip() for origin in setting.split(","))))
