"""Access tokens of the simulators: the shape of Entra's, signed with a key that the simulators share.

The application treats a token as opaque; only the Partner Center simulator reads them. Claims as documented:
https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import hashlib

import jwt

_ALGORITHM = "HS256"
_UNCHECKED = jwt.types.Options(
    verify_aud=False,
    verify_exp=False,
    verify_iat=False,
    verify_iss=False,
    verify_jti=False,
    verify_nbf=False,
    verify_sub=False,
)


def mint(claims: dict[str, object], key: bytes) -> str:
    """Sign `claims` with HMAC-SHA-256 as a compact JWT.

    The simulators use aud, tid, appid and exp (seconds since 1970), with idtyp="app" for an application's
    own token, or scp="user_impersonation" and amr (["pwd", "mfa"]) for a user's.
    """
    return jwt.encode(claims, _hmac_key(key), _ALGORITHM)


def read(token: str, key: bytes) -> dict[str, object]:
    """Return the claims of a token that `mint` signed with the same key; raises jwt.InvalidTokenError.

    Whether `exp` has passed is for the reader to say, who knows which clock counts.
    """
    claims: dict[str, object] = jwt.decode(token, _hmac_key(key), [_ALGORITHM], _UNCHECKED)
    return claims


def _hmac_key(key: bytes) -> bytes:
    """As long as the algorithm wants it: https://www.rfc-editor.org/rfc/rfc7518#section-3.2"""
    return hashlib.sha256(key).digest()
