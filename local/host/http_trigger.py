"""HTTP triggers: route, key, invocation, response.

Unknown route or verb: 404. Wrong key: 401. A function that raises: 500. All three have an empty body, as on
the real host. A function that takes longer than the response limit leaves its caller with 504 and runs on;
in Azure the load balancer gives up after 230 s:
https://learn.microsoft.com/en-us/azure/azure-functions/functions-scale#timeout
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from local.host import protos
from local.host.functions import Function, HttpTrigger
from local.host.invoker import Invoker
from local.host.keys import HEADER, Keys
from local.host.routes import Router
from local.web import Request, Response

log = logging.getLogger("host")


class HttpFunctions:
    """The HTTP side of the app."""

    def __init__(
        self, functions: Sequence[Function], prefix: str, keys: Keys, invoker: Invoker, limit: float
    ) -> None:
        self._router = Router(functions, prefix)
        self._keys = keys
        self._invoker = invoker
        self._limit = limit

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        match = self._router.match(request.method, request.path)
        if match is None:
            return Response(404)
        trigger = match.function.trigger
        level = trigger.level if isinstance(trigger, HttpTrigger) else "admin"
        if not self._keys.admits(level, presented_key(request)):
            return Response(401)
        return self._invoke(match.function, _rpc(request, match.params), f"{request.method} {request.path}")

    def _invoke(self, function: Function, http: protos.RpcHttp, reason: str) -> Response:
        running = self._invoker.start(function, protos.TypedData(http=http), {}, reason)
        outcome = running.outcome(self._limit)
        if outcome is None:
            log.error("%s: no answer within %g s; the caller is sent away", function.name, self._limit)
            return Response(504)
        running.report(outcome)
        return _response(outcome.value) if outcome.ok else Response(500)


def presented_key(request: Request) -> str:
    """The key of a request: header first, then `?code=`."""
    return request.headers.get(HEADER) or request.query.get("code", "")


def _rpc(request: Request, params: dict[str, str]) -> protos.RpcHttp:
    body = protos.TypedData(bytes=request.body) if request.body else protos.TypedData()
    return protos.RpcHttp(
        method=request.method,
        url=request.url,
        headers=request.headers,
        params=params,
        query=request.query,
        body=body,
    )


def _response(value: protos.TypedData | None) -> Response:
    if value is None or value.kind is None:
        return Response(204)
    if value.kind != "http":
        return Response(200, str(value.value).encode(), "text/plain; charset=utf-8")
    http: protos.RpcHttp = value.value
    body = http.body.value
    return Response(
        int(http.status_code),
        body.encode() if isinstance(body, str) else body or b"",
        content_type="",
        headers=http.headers,
        cookies=[_cookie(cookie) for cookie in http.cookies],
    )


def _cookie(cookie: protos.RpcHttpCookie) -> str:
    parts = [f"{cookie.name}={cookie.value}"]
    if cookie.expires:
        moment = datetime.fromtimestamp(cookie.expires.value.seconds, UTC)
        parts.append(f"expires={format_datetime(moment, usegmt=True)}")
    if cookie.max_age:
        parts.append(f"max-age={cookie.max_age.value:.0f}")
    parts += [
        f"{name}={field.value}"
        for name in ("domain", "path")
        if (field := getattr(cookie, name)) and field.value
    ]
    parts += [
        text
        for name, text in (("secure", "secure"), ("http_only", "httponly"))
        if (field := getattr(cookie, name)) and field.value
    ]
    same_site = {1: "lax", 2: "strict", 3: "none"}.get(int(cookie.same_site or 0))
    return "; ".join(parts + ([f"samesite={same_site}"] if same_site else []))
