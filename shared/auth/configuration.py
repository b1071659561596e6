"""What each mode needs of the settings, decided without asking anybody."""

from __future__ import annotations

from urllib.parse import urlsplit

from shared.auth.mode import Mode
from shared.core.errors import NotConfiguredError
from shared.settings import IdentitySettings

_CREDENTIALS = ("PARTNER_CLIENT_SECRET", "PARTNER_CLIENT_CERTIFICATE", "PARTNER_FEDERATED_CREDENTIAL")
_STORES = ("PARTNER_REFRESH_TOKEN_VAULT", "PARTNER_REFRESH_TOKEN_FILE")

MICROSOFT_AUTHORITIES = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
    }
)
"""https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud, and China's older
name. Only these are known to instance discovery."""


def known_to_microsoft(identity: IdentitySettings) -> bool:
    """Whether the authority is one of Microsoft's own hosts, which instance discovery can confirm."""
    return urlsplit(identity.cloud.authority).hostname in MICROSOFT_AUTHORITIES


def require(identity: IdentitySettings, mode: Mode) -> None:
    """Raise NotConfiguredError that names every setting which `mode` lacks or which contradict each other."""
    fault = shortcoming(identity, mode)
    if fault is not None:
        raise fault


def shortcoming(identity: IdentitySettings, mode: Mode) -> NotConfiguredError | None:
    """Return what keeps `mode` from working as far as the settings tell, or None."""
    absent = [
        name
        for name, value in (
            ("PARTNER_TENANT_ID", identity.tenant_id),
            ("PARTNER_CLIENT_ID", identity.client_id),
        )
        if not value
    ]
    choices: list[tuple[str, ...]] = [] if any(_credentials(identity)) else [_CREDENTIALS]
    if mode is Mode.APP_USER and not (identity.vault or identity.token_file):
        choices.append(_STORES)
    if absent or choices:
        wanted = [*absent, *(f"one of {', '.join(names)}" for names in choices)]
        names = (*absent, *(name for group in choices for name in group))
        return NotConfiguredError(f"The mode {mode} is not configured: add {' and '.join(wanted)}.", names)
    return _contradiction(identity, mode)


def _contradiction(identity: IdentitySettings, mode: Mode) -> NotConfiguredError | None:
    if sum(_credentials(identity)) > 1:
        return NotConfiguredError(f"Give only one of {', '.join(_CREDENTIALS)}.", _CREDENTIALS)
    if identity.federated_credential == "system":
        # https://learn.microsoft.com/en-us/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity
        return NotConfiguredError(
            "PARTNER_FEDERATED_CREDENTIAL must be the client id of a user-assigned managed identity: Entra "
            "takes no system-assigned one as a credential of an application.",
            ("PARTNER_FEDERATED_CREDENTIAL",),
        )
    if mode is Mode.APP_USER and identity.vault and identity.token_file:
        return NotConfiguredError(f"Give only one of {', '.join(_STORES)}.", _STORES)
    if urlsplit(identity.cloud.authority).scheme != "https":
        return NotConfiguredError(
            "PARTNER_CENTER_AUTHORITY must be an https URL, on loopback as well.",
            ("PARTNER_CENTER_AUTHORITY",),
        )
    return None


def _credentials(identity: IdentitySettings) -> tuple[bool, bool, bool]:
    return bool(identity.client_secret), bool(identity.certificate), bool(identity.federated_credential)
