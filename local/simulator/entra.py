"""The token service: a simulated Entra over TLS that the real azure-identity and MSAL talk to.

    pki = make_pki(directory)
    with TokenService(0, pki, key, Registration(tenant, client, secret="…")) as entra:
        entra.authority          # https://localhost:49152, for PARTNER_CENTER_AUTHORITY
        entra.directory.policy.mfa = False
        entra.faults.append(TokenFault(status=429, retry_after=1))
        entra.calls              # what was asked, without secrets and tokens

It is strict (directory.py), and the Partner Center simulator accepts its tokens, given the same key.
"""

from __future__ import annotations

import html
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from local.simulator.directory import Directory, OAuthError, Registration
from local.simulator.pki import Pki, make_pki
from local.web import Request, Response, WebServer, json_response

_PAGE = """<!doctype html><title>Signed in</title>
<form method="post" action="{action}">{fields}<button>Continue</button></form>
<script>document.forms[0].submit()</script>"""


@dataclass(frozen=True, slots=True)
class TokenCall:
    """One request to the token endpoint: grant, scope, and what was answered (AADSTS number 0 when none)."""

    grant: str
    scope: str
    client_id: str
    status: int
    number: int = 0


@dataclass(slots=True)
class TokenFault:
    """What goes wrong with the next token requests, in place of an answer or before it."""

    status: int = 0
    """HTTP status to answer with; 0 closes the connection, 200 answers with half of a token answer."""
    number: int = 0
    """AADSTS number of the error answer."""
    error: str = "temporarily_unavailable"
    retry_after: int | None = None
    hang: float = 0.0
    """Seconds of silence before that."""
    body: bytes | None = None
    """The whole answer instead, with `status`."""
    times: int = 1


class TokenService:
    """A simulated Entra on 127.0.0.1. `pki` is a Pki, or a directory in which one is made."""

    def __init__(
        self,
        port: int,
        pki: Pki | Path,
        key: bytes,
        registration: Registration,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.pki = pki if isinstance(pki, Pki) else make_pki(pki)
        self.directory = Directory(registration, key, clock)
        self.faults: list[TokenFault] = []
        self.calls: list[TokenCall] = []
        self._lock = threading.Lock()
        self._silence = threading.Event()
        self._web = WebServer(self._answer, port=port, tls=self.pki.server_context())

    @property
    def authority(self) -> str:
        """The base URL; known once the service was started."""
        return self._web.url

    def count(self, grant: str = "") -> int:
        """Return how many token requests there were, of one grant or of all."""
        with self._lock:
            return sum(1 for call in self.calls if grant in ("", call.grant))

    def start(self) -> Self:
        """Listen. Raises InsideAzureError, or OSError when the port is taken."""
        self._web.start()
        return self

    def stop(self) -> None:
        """Close the port and every connection, and wait until all threads are through."""
        self.release()
        self._web.stop()

    def release(self) -> None:
        """End the silences that faults have begun so far."""
        with self._lock:
            ended, self._silence = self._silence, threading.Event()
        ended.set()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answer(self, request: Request) -> Response:
        tenant, _, rest = request.path.lstrip("/").partition("/")
        try:
            return self._route(request, tenant, rest)
        except OAuthError as refused:
            return self._refusal(refused, request)

    def _route(self, request: Request, tenant: str, rest: str) -> Response:
        if rest == "discovery/instance":
            where = f"{self.authority}/{self.directory.registration.tenant_id}/v2.0"
            return json_response(
                200,
                {"tenant_discovery_endpoint": f"{where}/.well-known/openid-configuration", "metadata": []},
            )
        self.directory.check_tenant(tenant)
        base = f"{self.authority}/{tenant}"
        if rest == "v2.0/.well-known/openid-configuration":
            return json_response(200, _openid(base))
        if rest == "oauth2/v2.0/authorize":
            return _form(request.query.get("redirect_uri", ""), self.directory.authorize(request.query))
        if rest == "oauth2/v2.0/devicecode":
            return json_response(200, self.directory.start_device(request.form))
        if rest == "oauth2/v2.0/token" and request.method == "POST":
            return self._token(request, f"{base}/oauth2/v2.0/token")
        return json_response(404, {"error": "not_found"})

    def _token(self, request: Request, endpoint: str) -> Response:
        form = request.form
        response, number = self._fault(request, endpoint)
        if response is None:
            try:
                response = json_response(200, self.directory.token(form, endpoint))
            except OAuthError as refused:
                response, number = self._refusal(refused, request), refused.number
        with self._lock:
            self.calls.append(
                TokenCall(
                    form.get("grant_type", ""),
                    form.get("scope", ""),
                    form.get("client_id", ""),
                    response.status,
                    number,
                )
            )
        return response

    def _fault(self, request: Request, endpoint: str) -> tuple[Response | None, int]:
        with self._lock:
            fault = self.faults[0] if self.faults else None
            if fault is None:
                return None, 0
            fault.times -= 1
            if fault.times <= 0:
                self.faults.pop(0)
            silence = self._silence
        silence.wait(fault.hang)
        if fault.body is not None:
            return Response(fault.status, fault.body), fault.number
        if fault.status == 200:
            whole = json_response(200, self.directory.token(request.form, endpoint))
            return Response(200, whole.body[:-20]), 0
        if fault.status == 0:
            return Response(0), 0
        refused = OAuthError(fault.error, fault.number, "Injected by a test.", fault.status)
        return self._refusal(refused, request, fault.retry_after), fault.number

    def _refusal(self, refused: OAuthError, request: Request, retry_after: int | None = None) -> Response:
        trace, now = str(uuid.uuid4()), time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        correlation = request.headers.get("client-request-id") or str(uuid.uuid4())
        code = f"AADSTS{refused.number}: " if refused.number else ""
        return json_response(
            refused.status,
            {
                "error": refused.error,
                "error_description": f"{code}{refused.said} Trace ID: {trace} "
                f"Correlation ID: {correlation} Timestamp: {now}",
                "error_codes": [refused.number],
                "timestamp": now,
                "trace_id": trace,
                "correlation_id": correlation,
            },
            {} if retry_after is None else {"Retry-After": str(retry_after)},
        )


def _openid(base: str) -> dict[str, str]:
    return {
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
    }


def _form(action: str, fields: dict[str, str]) -> Response:
    """Return the page of response_mode form_post: it sends itself to the redirect URI."""
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in fields.items()
    )
    page = _PAGE.format(action=html.escape(action), fields=inputs)
    return Response(200, page.encode(), "text/html; charset=utf-8")
