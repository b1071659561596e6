"""A simulated Key Vault: the secrets of one vault, over TLS, for whoever has a token of the right identity.

https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/operation-groups
"""

from __future__ import annotations

import json
import secrets
import time

from jwt import InvalidTokenError

from local.simulator.pki import Pki
from local.simulator.tokens import read
from local.web import Request, Response, WebServer, json_response

RESOURCE = "https://vault.azure.net"


class Vault(WebServer):
    """Keeps every version of every secret. `fail_with` is an HTTP status that all requests get, or 0."""

    def __init__(self, pki: Pki, key: bytes, *, reader: str) -> None:
        super().__init__(self._answer, tls=pki.server_context())
        self._key = key
        self._reader = reader
        self.versions: dict[str, list[str]] = {}
        self.expiries: dict[str, int] = {}
        self.fail_reads_with = 0
        self.fail_writes_with = 0

    def latest(self, name: str) -> str:
        """Return the value of a secret's latest version."""
        return self.versions[name][-1]

    def _answer(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            challenge = f'Bearer authorization="https://localhost/tenant", resource="{RESOURCE}"'
            return json_response(401, _error("Unauthorized"), {"WWW-Authenticate": challenge})
        try:
            claims = read(token, self._key)
        except InvalidTokenError:
            return json_response(401, _error("Unauthorized"))
        if claims.get("aud") != RESOURCE or claims.get("sub") != self._reader:
            return json_response(403, _error("Forbidden"))
        name = request.path.strip("/").split("/")[1]
        return self._put(name, request) if request.method == "PUT" else self._get(name)

    def _get(self, name: str) -> Response:
        if self.fail_reads_with:
            return json_response(self.fail_reads_with, _error("Injected"))
        if name not in self.versions:
            return json_response(404, _error("SecretNotFound"))
        return json_response(200, self._bundle(name))

    def _put(self, name: str, request: Request) -> Response:
        if self.fail_writes_with:
            return json_response(self.fail_writes_with, _error("Injected"))
        body = json.loads(request.body)
        self.versions.setdefault(name, []).append(body["value"])
        self.expiries[name] = body.get("attributes", {}).get("exp", 0)
        return json_response(200, self._bundle(name))

    def _bundle(self, name: str) -> dict[str, object]:
        now, end = int(time.time()), self.expiries.get(name)
        return {
            "value": self.latest(name),
            "id": f"{self.url}/secrets/{name}/{secrets.token_hex(16)}",
            "attributes": {"enabled": True, "created": now, "updated": now} | ({"exp": end} if end else {}),
        }


def _error(code: str) -> dict[str, object]:
    return {"error": {"code": code, "message": f"{code}, says the simulated vault."}}
