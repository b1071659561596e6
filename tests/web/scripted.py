"""An app for the board that answers what a test lays down, and an Entra that signs one person in."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from local.web import Request, Response, WebServer, json_response

KEY = "key-of-the-board"
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "content-type, authorization, x-functions-key, x-correlation-id",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Expose-Headers": "x-correlation-id",
}


class ScriptedApp(WebServer):
    """Lists `items` by state or order, in pages of `page` items; keeps what is posted."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.items: list[dict[str, Any]] = []
        self.receipts: dict[str, dict[str, Any]] = {}
        self.page = 50
        self.posted: list[tuple[str, Any]] = []
        self.refusals: list[dict[str, Any]] = []
        """Problems with which the next POSTs are answered."""
        self.seen: list[Mapping[str, str]] = []

    def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(204, headers=_CORS)
        self.seen.append(request.headers)
        allowed = (request.headers.get("x-functions-key"), request.headers.get("authorization"))
        if request.path != "/api/health" and allowed not in ((KEY, None), (None, f"Bearer {Entra.TOKEN}")):
            return Response(401)  # as the host's own: empty and without CORS
        status, body = self._body(request, request.path.removeprefix("/api/"))
        return json_response(
            status, body, {**_CORS, "x-correlation-id": request.headers.get("x-correlation-id", "")}
        )

    def _body(self, request: Request, path: str) -> tuple[int, Any]:
        if request.method == "POST":
            self.posted.append((path, json.loads(request.body)))
            if self.refusals:
                problem = self.refusals.pop(0)
                return problem["status"], problem
            return (202 if path.startswith("drops/") else 200), {}
        if path == "health":
            return 200, {"status": "ok"}
        if path.startswith("drops/"):
            found = self.receipts.get(path.removeprefix("drops/"))
            return (200, found) if found else (404, {"title": "Not found", "detail": "no receipt found yet"})
        return 200, self._listing(request.query)

    def _listing(self, query: Mapping[str, str]) -> dict[str, Any]:
        if "orderStatus" in query:
            found = [one for one in self.items if one.get("order", {}).get("status") == query["orderStatus"]]
        elif "state" in query:
            since = datetime.fromisoformat(query.get("since", "0001-01-01T00:00:00Z"))
            in_state = [item for item in self.items if item["state"] == query["state"]]
            found = [
                one for one in in_state if "since" not in one or datetime.fromisoformat(one["since"]) >= since
            ]
        else:
            asked = (query["customerId"], query["orderId"])
            found = [item for item in self.items if (item.get("customerId"), item.get("orderId")) == asked]
        after = int(query.get("after", "0"))
        listed: dict[str, Any] = {"items": found[after : after + self.page]}
        if after + self.page < len(found):
            more = urlencode({**query, "after": after + self.page})
            listed["next"] = f"{self.url}/api/submissions?{more}"
        return listed


class Entra(WebServer):
    """Authorize and token endpoint of https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow,
    for one client; everything that it is sent must fit."""

    TOKEN = "access-token-of-ada"
    REFRESH = "refresh-token-of-ada"
    CLIENT = str(uuid.UUID(int=7))

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.signed_in = True
        self.lifetime = 3600
        self.away = False
        self.prompts: list[str] = []
        self.grants: list[str] = []
        self._challenges: dict[str, tuple[str, str]] = {}

    def _answer(self, request: Request) -> Response:
        if request.path == "/tenant/oauth2/v2.0/authorize":
            return self._authorize(request.query)
        assert request.path == "/tenant/oauth2/v2.0/token"
        status, body = self._token(request.form)
        return json_response(status, body, {"Access-Control-Allow-Origin": request.headers["origin"]})

    def _authorize(self, query: Mapping[str, str]) -> Response:
        self.prompts.append(query.get("prompt", ""))
        assert (query["client_id"], query["code_challenge_method"]) == (self.CLIENT, "S256")
        answer = {"error": "login_required", "error_description": "AADSTS50058: nobody is signed in."}
        if self.signed_in:
            answer = {"code": uuid.uuid4().hex}
            self._challenges[answer["code"]] = (query["code_challenge"], query["redirect_uri"])
        back = f"{query['redirect_uri']}?{urlencode({**answer, 'state': query['state']})}"
        return Response(302, headers={"Location": back})

    def _token(self, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        self.grants.append(form["grant_type"])
        if self.away:
            return 503, {"error": "temporarily_unavailable", "error_description": "AADSTS90033: try later."}
        if form["grant_type"] == "authorization_code":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge, redirect = self._challenges.pop(form["code"])
            fits = challenge == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            fits = fits and redirect == form["redirect_uri"]
        else:
            fits = form["refresh_token"] == self.REFRESH
        if not fits:
            return 400, {"error": "invalid_grant", "error_description": "AADSTS501481: it does not fit."}
        claims = base64.urlsafe_b64encode(json.dumps({"preferred_username": "ada@partner.example"}).encode())
        return 200, {
            "access_token": self.TOKEN,
            "refresh_token": self.REFRESH,
            "id_token": f"e30.{claims.rstrip(b'=').decode()}.x",
            "expires_in": self.lifetime,
        }
