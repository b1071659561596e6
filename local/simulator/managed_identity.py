"""The managed identity of an app in Azure, simulated: the endpoint that App Service gives its apps.

An app finds it by IDENTITY_ENDPOINT and IDENTITY_HEADER.
https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

from __future__ import annotations

import time

from local.simulator.tokens import mint
from local.web import Request, Response, WebServer, json_response

_TENANT = "aaaaaaaa-0000-4000-8000-000000000001"


class ManagedIdentity(WebServer):
    """Gives tokens for `object_id` to whoever sends `header`; a user-assigned one only by its `client_id`."""

    def __init__(self, key: bytes, object_id: str, *, header: str, client_id: str = "") -> None:
        super().__init__(self._token)
        self._key = key
        self._object_id = object_id
        self._header = header
        self._client_id = client_id
        self.asked: list[str] = []
        """Resources that tokens were asked for."""
        self.cut_short = False
        """Whether an answer breaks off behind the token."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which an app finds it."""
        return {"IDENTITY_ENDPOINT": f"{self.url}/msi/token", "IDENTITY_HEADER": self._header}

    def _token(self, request: Request) -> Response:
        if request.headers.get("x-identity-header") != self._header:
            return json_response(401, {"statusCode": 401, "message": "Unauthorized"})
        if request.query.get("client_id", "") != self._client_id:
            return json_response(400, {"statusCode": 400, "message": "Unable to load the identity."})
        resource, expires = request.query.get("resource", ""), int(time.time()) + 86400
        self.asked.append(resource)
        claims: dict[str, object] = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{_TENANT}/",
            "tid": _TENANT,
            "oid": self._object_id,
            "sub": self._object_id,
            "iat": expires - 86400,
            "nbf": expires - 86400,
            "exp": expires,
        }
        whole = json_response(
            200,
            {
                "access_token": mint(claims, self._key),
                "expires_on": str(expires),
                "resource": resource,
                "token_type": "Bearer",
            },
        )
        return Response(200, whole.body[:-5]) if self.cut_short else whole
