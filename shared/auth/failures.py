"""What Entra's refusals mean for an operator.

A message of ours holds one sentence of advice, the AADSTS number, the trace id and the correlation id; none
of Entra's own text, and so nothing that was sent. Numbers, names and meanings:
https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from shared.core.errors import TokenError
from shared.core.ids import GUID

_CONSENT = "consent anew (docs/identity.md)"
_MFA = f"Sign in again with multifactor authentication: {_CONSENT}."

_NO_RESOURCE = (
    "The tenant has no enterprise application (service principal) for Microsoft Partner Center, or "
    "PARTNER_CENTER_AUDIENCE is wrong. Check both; admin consent to the application's permissions creates it."
)

AADSTS: dict[int, str] = {
    50076: f"The refresh token was obtained without MFA, or a policy now asks for it. {_MFA}",
    50072: f"The user must register for MFA first (https://aka.ms/mfasetup), and then: {_CONSENT}.",
    50079: f"The user must register for MFA first (https://aka.ms/mfasetup), and then: {_CONSENT}.",
    50078: f"The user's MFA has expired. {_MFA}",
    50074: f"A policy asks for MFA. {_MFA}",
    50173: f"The refresh token was revoked (password changed, or sessions revoked). {_MFA}",
    50132: f"The refresh token was revoked (password changed, or sessions revoked). {_MFA}",
    50133: f"The refresh token was revoked (password changed, or sessions revoked). {_MFA}",
    70043: f"Conditional access limits how long a sign-in lasts, and it has ended. {_MFA}",
    700082: f"The refresh token was not used for 90 days and has expired. {_MFA}",
    70008: f"The refresh token has expired or was revoked. {_MFA}",
    700084: "The refresh token is one of a single-page application, which lasts 24 hours: register the "
    f"redirect URI under the platform Web, then {_CONSENT}.",
    70018: "What was typed on the other device is not the code. Start again.",
    70019: "The sign-in was not finished in time. Start again.",
    70000: f"The refresh token is not valid for this application. {_MFA}",
    9002313: f"What is stored as refresh token is not one. {_MFA}",
    50034: f"The user who consented does not exist in this tenant any more. Have another user {_CONSENT}.",
    50057: f"The account of the user who consented is disabled. Enable it, or have another user {_CONSENT}.",
    50055: f"The password of the user who consented has expired. Change it, then {_CONSENT}.",
    50105: "The enterprise application requires assignment, and the user is not assigned. Assign the user.",
    50020: "The user is not a member of PARTNER_TENANT_ID. Sign in with a user of the partner's own tenant.",
    53003: "Conditional access blocks this sign-in. Look it up in the sign-in logs and exempt the "
    "application or the place it runs in; app-only calls are governed by workload identity policies.",
    530032: "A security policy of the tenant blocks this sign-in. Look it up in the sign-in logs.",
    53000: "Conditional access requires a compliant device, which a service cannot be. Exclude the user or "
    f"the application, then {_CONSENT}.",
    53001: "Conditional access requires a joined device, which a service cannot be. Exclude the user or "
    f"the application, then {_CONSENT}.",
    65001: "Nobody has consented to this application's use of Partner Center. Grant admin consent to the "
    f"delegated permission user_impersonation, then {_CONSENT}.",
    650057: "The application does not list Microsoft Partner Center among its permissions. Add the delegated "
    f"permission user_impersonation, have it consented to, then {_CONSENT}.",
    650052: _NO_RESOURCE,
    650056: "The application lists no permission of Microsoft Partner Center, or nobody consented to it. Add "
    f"the delegated permission user_impersonation, grant admin consent, then {_CONSENT}.",
    50001: _NO_RESOURCE,
    500014: "The enterprise application 'Microsoft Partner Center' is disabled in this tenant. Enable it "
    "under enterprise applications.",
    65004: f"The user declined consent. Have it granted by an administrator, then {_CONSENT}.",
    90094: "An administrator must consent to the application's permissions. Grant admin consent in the app "
    f"registration, then {_CONSENT}.",
    7000215: "PARTNER_CLIENT_SECRET is wrong. Set it to the value of the secret, not to its id.",
    7000222: "PARTNER_CLIENT_SECRET has expired. Create a new secret in the app registration and set it.",
    7000218: "Entra wants a client secret or assertion, and none was sent.",
    700025: "The app registration allows public client flows. Set 'Allow public client flows' to No, "
    f"then {_CONSENT}.",
    700016: "PARTNER_CLIENT_ID is not an application of PARTNER_TENANT_ID. Check both, and the cloud.",
    7000112: "The application is disabled in the tenant. Enable it under enterprise applications.",
    700027: "PARTNER_CLIENT_CERTIFICATE is not registered with the application, or has expired. Upload it.",
    50012: "The client assertion is not accepted. Check that PARTNER_CLIENT_CERTIFICATE is registered.",
    700024: "The client assertion is outside its validity. Check the clock of this machine.",
    700213: "No federated credential of the application matches the managed identity. Compare its issuer, "
    "subject (object id of the identity) and audience with docs/identity.md.",
    70021: "No federated credential of the application matches the managed identity. Compare its issuer, "
    "subject (object id of the identity) and audience with docs/identity.md.",
    700211: "No federated credential of the application has this issuer. Compare it with docs/identity.md.",
    700212: "No federated credential of the application has this audience. Compare it with docs/identity.md.",
    90002: "PARTNER_TENANT_ID is not a tenant of this cloud. Check it, and PARTNER_CENTER_CLOUD.",
    900023: "PARTNER_TENANT_ID is neither a tenant id nor a domain name.",
    500011: "Partner Center is not known in this tenant, or PARTNER_CENTER_AUDIENCE is wrong. Check the "
    "tenant, and that the enterprise application 'Microsoft Partner Center' exists in it.",
    70011: "The scope is not valid. Check PARTNER_CENTER_AUDIENCE.",
    50011: "The redirect URI is not registered. Add http://localhost under the platform Web.",
    50013: "The user's token was not accepted for an exchange. The user must sign in again.",
    7000114: "The application may not exchange users' tokens.",
    500133: "The user's token has expired. The user must sign in again.",
    500131: "The user's token is not meant for this application. The frontend must ask for a token whose "
    "audience is PARTNER_CLIENT_ID.",
}
"""What an operator must do, by AADSTS number. Repeating the request does not help with any of these."""

_BY_ERROR = {
    "invalid_grant": f"Entra does not accept the refresh token (or the user's token). {_MFA}",
    "invalid_client": "Entra does not accept the application's credential. Check PARTNER_CLIENT_ID and the "
    "secret, certificate or federated credential.",
    "unauthorized_client": "The application may not do this. Check PARTNER_CLIENT_ID and PARTNER_TENANT_ID.",
    "interaction_required": f"The user must sign in. {_MFA}",
    "consent_required": f"Consent is missing. Have an administrator {_CONSENT}.",
    "authorization_declined": "The sign-in was declined.",
    "access_denied": "The sign-in was declined, or an administrator must consent first.",
    "expired_token": "The sign-in was not finished in time. Start again.",
}
_BUSY_ERRORS = frozenset({"temporarily_unavailable", "server_error"})
_BUSY_NUMBERS = frozenset({50033, 50087, 50196, 90006, 90012, 90024, 90033, 90055})

_NUMBER = re.compile(r"AADSTS(\d{4,8})")
_GUID = f"({GUID.pattern})"
_TRACE = re.compile(r'(?:Trace ID: |"trace_id"\s*:\s*")' + _GUID)
_CORRELATION = re.compile(r'(?:Correlation ID: |"correlation_id"\s*:\s*")' + _GUID)
_ERROR = re.compile(r'"error"\s*:\s*"([a-z_]{3,40})"')


@dataclass(frozen=True, slots=True)
class Refusal:
    """One error answer of Entra: HTTP status, seconds of Retry-After (0 when absent), and its text."""

    status: int
    retry_after: float
    text: str = field(repr=False)


class EntraError(TokenError):
    """Entra gave no token. `error` is its OAuth error code, `number` its AADSTS number (0 when unknown)."""

    def __init__(
        self, detail: str, *, retryable: bool, error: str = "", number: int = 0, retry_after: float = 0.0
    ) -> None:
        super().__init__(detail, retryable=retryable)
        self.error = error
        self.number = number
        self.retry_after = retry_after


def explain(refusal: Refusal) -> EntraError:
    """Turn an error answer into the error that an operator reads."""
    error = _first(_ERROR, refusal.text)
    number = int(_first(_NUMBER, refusal.text) or 0)
    busy = refusal.status == 429 or refusal.status >= 500 or error in _BUSY_ERRORS or number in _BUSY_NUMBERS
    advice = _busy(refusal.status) if busy else AADSTS.get(number) or _BY_ERROR.get(error) or _unknown(number)
    return EntraError(
        f"{advice} ({_reference(refusal, error, number)})",
        retryable=busy,
        error=error,
        number=number,
        retry_after=refusal.retry_after,
    )


def unreachable(what: str, kind: str) -> EntraError:
    """Return the error for no answer at all; `kind` is the class name of the network error."""
    return EntraError(f"{what} did not answer ({kind}). Check network, DNS, proxy and TLS.", retryable=True)


def unreadable(what: str) -> EntraError:
    """Return the error for an answer that is not what the protocol says."""
    return EntraError(f"{what} gave an answer that cannot be read.", retryable=True)


def _busy(status: int) -> str:
    return "Entra limits the rate of token requests." if status == 429 else "Entra has a passing fault."


def _unknown(number: int) -> str:
    where = f"https://login.microsoftonline.com/error?code={number}" if number else "the sign-in logs"
    return f"Entra refused to give a token; see {where}."


def _reference(refusal: Refusal, error: str, number: int) -> str:
    parts = [f"AADSTS{number}" if number else error or f"HTTP {refusal.status}"]
    for label, pattern in (("trace id", _TRACE), ("correlation id", _CORRELATION)):
        found = _first(pattern, refusal.text)
        if found:
            parts.append(f"{label} {found}")
    return ", ".join(parts)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found.group(1) if found else ""
