"""What App Service authentication does in front of an app that lets everybody through: it takes away what a
request says of its sender, refuses an access token that is not good, and says who sent a good one.

Tokens are JWTs signed with a key that the stack and the host share; what stands in them is as in Entra's.
https://learn.microsoft.com/en-us/azure/app-service/configure-authentication-user-identities
https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import jwt

from local.web import Request, Response

KEY = "HOST_SIGN_IN_KEY"
"""Setting of the host; without it, nothing stands in front."""
GUARD = {"WEBSITE_AUTH_ENABLED": "True"}
"""What the platform tells an app behind it."""

_AUDIENCE = "api://local"
_ALGORITHM = "HS256"
_PREFIXES = ("x-ms-client-principal", "x-ms-token-aad-")
_MAPPED = {
    "oid": "http://schemas.microsoft.com/identity/claims/objectidentifier",
    "tid": "http://schemas.microsoft.com/identity/claims/tenantid",
}
_TYPES = {
    "name_typ": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "role_typ": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """Stands in front of the app of one host."""

    key: str = field(repr=False)

    @classmethod
    def read(cls, env: Mapping[str, str]) -> SignIn | None:
        """From the host's settings."""
        return cls(env[KEY]) if env.get(KEY) else None

    def token(self, name: str, *roles: str, lasts: timedelta = timedelta(hours=1)) -> str:
        """An access token for the app, of a user with these app roles."""
        claims = {
            "aud": _AUDIENCE,
            "exp": datetime.now(UTC) + lasts,
            "oid": "6f1e4bd5-3a06-4a5c-9e43-1f6b0d3e7a10",
            "tid": "b1c0a7de-5a2f-4f0e-8a6f-0c9d2a7f4e11",
            "preferred_username": name,
            "scp": "access_as_user",
            "roles": list(roles),
        }
        return jwt.encode(claims, self.key, _ALGORITHM)

    def pass_on(self, request: Request) -> Request | Response:
        """The request as the app gets it, or the answer to one whose token is not good."""
        kept = {name: value for name, value in request.headers.items() if not name.startswith(_PREFIXES)}
        scheme, _, token = kept.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return replace(request, headers=kept)
        try:
            claims = jwt.decode(token, self.key, [_ALGORITHM], audience=_AUDIENCE)
        except jwt.PyJWTError:
            return Response(401)
        return replace(request, headers={**kept, "x-ms-client-principal": _principal(claims)})


def _principal(claims: Mapping[str, object]) -> str:
    told = [
        {"typ": _MAPPED.get(name, name), "val": str(value)}
        for name, values in claims.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    principal = {"auth_typ": "aad", "claims": told, **_TYPES}
    return base64.b64encode(json.dumps(principal).encode()).decode()
