"""Whose token a request carries, and whether it is valid.

https://learn.microsoft.com/en-us/partner-center/developer/partner-center-authentication
"""

from __future__ import annotations

from jwt import InvalidTokenError

from local.simulator.replies import refused, unauthorized
from local.simulator.tokens import read


def identify(authorization: str, key: bytes, audience: str, now: float) -> str:
    """Return whose token the Authorization header holds, app or user; raises Refused.

    `key` signs valid tokens, `audience` is whom they are for, `now` is in seconds since 1970.
    """
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise refused("800001")
    try:
        claims = read(token.strip(), key)
    except InvalidTokenError:
        raise unauthorized() from None
    expires = claims.get("exp")
    if claims.get("aud") != audience:
        raise unauthorized()
    if not isinstance(expires, int | float) or expires <= now:
        raise unauthorized()
    if claims.get("idtyp") == "app":
        return "app"
    if "user_impersonation" not in str(claims.get("scp", "")).split():
        raise unauthorized()
    methods = claims.get("amr")
    if not isinstance(methods, list) or "mfa" not in methods:
        raise refused("900421")
    return "user"
