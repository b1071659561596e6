"""What a token says of itself, read without checking its signature: for diagnosis, and to tell a user's token
from an application's. It grants nothing: Entra checks a token when it is exchanged.

https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from shared.auth.mode import Mode
from shared.core.ids import GUID
from shared.settings import IdentitySettings

PARTNER_CENTER_APP = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"
"""Client id of Microsoft Partner Center itself, the other form that an audience can have.
https://learn.microsoft.com/en-us/partner-center/developer/enable-secure-app-model"""


_NAMES = ("upn", "preferred_username", "unique_name", "oid")
"""Claims that name a user, the plainest first."""
_LONGEST_NAME = 100


class Fault(NamedTuple):
    """What is wrong with a token, and what mends it."""

    detail: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.detail}: {self.remedy}."


def claims_of(token: str) -> Mapping[str, object] | None:
    """Return a token's claims, or None when it is not a readable JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def subject(token: str) -> str:
    """Name the user of a token for records: tenant and object id; a hash of it when it cannot be read. Entra
    checks the token when it is exchanged, so this decides nothing but whether it is the same user again."""
    claims = claims_of(token) or {}
    tenant, user = claims.get("tid"), claims.get("oid")
    if isinstance(tenant, str) and isinstance(user, str) and GUID.fullmatch(tenant) and GUID.fullmatch(user):
        return f"{tenant}/{user}".lower()
    return hashlib.sha256(token.encode()).hexdigest()


def is_application(token: str) -> bool:
    """Whether a token is an application's own: `idtyp` is `app`, and there is no `scp`. Nobody is signed in.

    https://learn.microsoft.com/en-us/entra/identity-platform/optional-claims-reference
    """
    claims = claims_of(token) or {}
    return claims.get("idtyp") == "app" and "scp" not in claims


def user_named(claims: Mapping[str, object]) -> str:
    """Who signed in, for people; "" when the token does not say."""
    name = next((str(claims[kind]) for kind in _NAMES if claims.get(kind)), "")
    return "".join(letter if letter.isprintable() else "?" for letter in name[:_LONGEST_NAME])


def is_for(token: str, client_id: str) -> bool:
    """Whether a token was issued for that application.

    https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-on-behalf-of-flow
    """
    audience = str((claims_of(token) or {}).get("aud", "")).lower()
    return bool(client_id) and audience in (client_id.lower(), f"api://{client_id}".lower())


def lacks_mfa(claims: Mapping[str, object]) -> bool:
    """Whether the token says how the user signed in, and MFA is not part of it."""
    methods = claims.get("amr")
    return isinstance(methods, list) and "mfa" not in methods


def faults_in(
    claims: Mapping[str, object], identity: IdentitySettings, mode: Mode, now: float
) -> Iterator[Fault]:
    """Yield what will make Partner Center refuse the token, one entry for each claim."""
    yield from _wrong_place(claims, identity)
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= now:
        yield Fault("The token has expired already", "check the clock of this machine")
    if mode is Mode.APP_USER:
        yield from _wrong_user(claims)
    elif "scp" in claims:
        yield Fault(
            "This is a user's token (scp), where one of the application alone was asked for",
            "check PARTNER_CENTER_AUTHORITY",
        )


def _wrong_place(claims: Mapping[str, object], identity: IdentitySettings) -> Iterator[Fault]:
    audience = str(claims.get("aud", "")).rstrip("/")
    if audience.lower() not in (identity.cloud.audience.lower(), PARTNER_CENTER_APP):
        yield Fault(f"Wrong audience {audience}", "check PARTNER_CENTER_CLOUD and PARTNER_CENTER_AUDIENCE")
    tenant = str(claims.get("tid", ""))
    if GUID.fullmatch(identity.tenant_id) and tenant.lower() != identity.tenant_id.lower():
        yield Fault(
            f"Wrong tenant {tenant}, where PARTNER_TENANT_ID is {identity.tenant_id}",
            "sign in with a user of that tenant, or correct the setting",
        )
    app = str(claims.get("appid", claims.get("azp", "")))
    if app and app.lower() != identity.client_id.lower():
        yield Fault(
            f"Wrong application {app}, where PARTNER_CLIENT_ID is {identity.client_id}", "correct the setting"
        )


def _wrong_user(claims: Mapping[str, object]) -> Iterator[Fault]:
    if "user_impersonation" not in str(claims.get("scp", "")).split():
        yield Fault(
            "The token lacks the scope user_impersonation",
            "add the delegated permission and consent anew (docs/identity.md)",
        )
    if lacks_mfa(claims):
        yield Fault(
            "MFA is missing (amr holds no mfa)",
            "have a policy require it for the user, then consent anew (docs/identity.md)",
        )
