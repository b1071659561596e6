"""What each mode needs of the settings, decided without asking anybody."""

from __future__ import annotations

from urllib.parse import urlsplit

from shared.auth.mode import Mode
from shared.core.errors import NotConfiguredError
from shared.settings import CREDENTIALS, TOKEN_STORES, IdentitySettings, is_https, only_one

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
    fault = configuration_error(identity, mode)
    if fault is not None:
        raise fault


def configuration_error(identity: IdentitySettings, mode: Mode) -> NotConfiguredError | None:
    """Return what keeps `mode` from working as far as the settings tell, or None."""
    absent = [
        name
        for name, value in (
            ("PARTNER_TENANT_ID", identity.tenant_id),
            ("PARTNER_CLIENT_ID", identity.client_id),
        )
        if not value
    ]
    choices: list[tuple[str, ...]] = [] if identity.credentials else [CREDENTIALS]
    if mode is Mode.APP_USER and not identity.token_stores:
        choices.append(TOKEN_STORES)
    if absent or choices:
        wanted = [*absent, *(f"one of {', '.join(names)}" for names in choices)]
        names = (*absent, *(name for group in choices for name in group))
        return NotConfiguredError(f"The mode {mode} is not configured: add {' and '.join(wanted)}.", names)
    return _contradiction(identity, mode)


def _contradiction(identity: IdentitySettings, mode: Mode) -> NotConfiguredError | None:
    if len(identity.credentials) > 1:
        return NotConfiguredError(only_one(CREDENTIALS), CREDENTIALS)
    if identity.federated_credential == "system":
        # https://learn.microsoft.com/en-us/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity
        return NotConfiguredError(
            "PARTNER_FEDERATED_CREDENTIAL must be the client id of a user-assigned managed identity: Entra "
            "takes no system-assigned one as a credential of an application.",
            ("PARTNER_FEDERATED_CREDENTIAL",),
        )
    if mode is Mode.APP_USER and len(identity.token_stores) > 1:
        return NotConfiguredError(only_one(TOKEN_STORES), TOKEN_STORES)
    if not is_https(identity.cloud.authority):
        return NotConfiguredError(
            "PARTNER_CENTER_AUTHORITY must be an https URL, on loopback as well.",
            ("PARTNER_CENTER_AUTHORITY",),
        )
    return None
