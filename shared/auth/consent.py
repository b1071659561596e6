"""Which sign-in may be kept, whether it came by the command or over HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from shared.auth.claims import claims_of, faults_in, lacks_mfa, user_named
from shared.auth.mode import Mode
from shared.auth.secret import Grant, Secret
from shared.core.errors import ConsentError
from shared.settings import IdentitySettings


@dataclass(frozen=True, slots=True)
class Consent:
    """A refresh token that may be stored, and what its sign-in says of the user."""

    refresh: Secret
    user: str
    """"" when it is not told."""
    mfa: bool | None
    """None when it is not told."""


def consent_of(grant: Grant, identity: IdentitySettings, now: float) -> Consent:
    """The consent that a grant is; `now` is in seconds since 1970.

    Raises ConsentError when Partner Center would refuse what the grant yields (another tenant, no MFA): so
    nothing of it takes the place of a refresh token that works.
    """
    claims = claims_of(grant.access.value) or {}
    faults = list(faults_in(claims, identity, Mode.APP_USER, now)) if claims else []
    if faults:
        details, remedies = zip(*faults, strict=True)
        raise ConsentError(f"Nothing was stored. {'. '.join(details)}.", "; ".join(remedies))
    if grant.refresh is None:
        raise ConsentError("Nothing was stored. Entra gave no refresh token.", "consent to offline_access")
    return Consent(grant.refresh, user_named(claims), not lacks_mfa(claims) if "amr" in claims else None)
