"""Access tokens of the simulators: the shape of Entra's, signed with a key that the simulators share.

The application treats a token as opaque; only the Partner Center simulator reads them. Claims as documented:
https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json


class InvalidToken(ValueError):  # noqa: N818 - named after the OAuth error code invalid_token
    """The text is not a token, or another key signed it."""


def mint(claims: dict[str, object], key: bytes) -> str:
    """Sign `claims` with HMAC-SHA-256 as a compact JWT.

    The simulators use aud, tid, appid and exp (seconds since 1970), with idtyp="app" for an application's
    own token, or scp="user_impersonation" and amr (["pwd", "mfa"]) for a user's.
    """
    head = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = _encode(json.dumps(claims).encode())
    return f"{head}.{body}.{_sign(f'{head}.{body}', key)}"


def read(token: str, key: bytes) -> dict[str, object]:
    """Return the claims of a token that `mint` signed with the same key; raises InvalidToken.

    Whether `exp` has passed is for the reader to say, who knows which clock counts.
    """
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_sign(signed, key).encode(), signature.encode("utf-8", "replace")):
        raise InvalidToken("not a token of this key")
    try:
        claims = json.loads(_decode(signed.partition(".")[2]))
    except ValueError:
        raise InvalidToken("not a token") from None
    if not isinstance(claims, dict):
        raise InvalidToken("not a token")
    return claims


def _sign(text: str, key: bytes) -> str:
    return _encode(hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).digest())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
