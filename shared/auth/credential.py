"""The application's own credential, in the forms that azure-identity and MSAL take.

One of three proves that the caller is the application: a secret, a certificate, or the token of a managed
identity (a user-assigned one) that the app registration trusts, so that no secret exists at all.
https://learn.microsoft.com/en-us/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.auth.configuration import known_to_microsoft
from shared.auth.secret import Secret
from shared.auth.wire import ResponseRecorder, UnreadableError
from shared.core.errors import NotConfiguredError, TokenError
from shared.settings import IdentitySettings

if TYPE_CHECKING:
    from azure.identity import CertificateCredential, ClientAssertionCredential, ClientSecretCredential

    AppCredential = ClientSecretCredential | CertificateCredential | ClientAssertionCredential


def exchange_audience(authority: str) -> str:
    """Return the audience of a managed identity's token that Entra takes as proof, by cloud.

    The page named above has one value for each of the three clouds.
    """
    host = urlsplit(authority).hostname or ""
    if host.endswith(".us"):
        return "api://AzureADTokenExchangeUSGov"
    if host.endswith(".cn"):
        return "api://AzureADTokenExchangeChina"
    return "api://AzureADTokenExchange"


def azure_credential(
    identity: IdentitySettings, limits: Mapping[str, Any], recorder: ResponseRecorder
) -> AppCredential:
    """Return azure-identity's credential; `limits` go to its HTTP pipeline, `recorder` sees each answer."""
    from azure.identity import CertificateCredential, ClientAssertionCredential, ClientSecretCredential

    names = (identity.tenant_id, identity.client_id)
    common = {**limits, "raw_response_hook": recorder, "authority": identity.cloud.authority}
    if identity.federated_credential:
        assertion = managed_identity_assertion(identity, limits)
        return ClientAssertionCredential(*names, assertion.reveal, **common)
    common["disable_instance_discovery"] = not known_to_microsoft(identity)
    if identity.client_secret:
        return ClientSecretCredential(*names, identity.client_secret, **common)
    with suppress(OSError, ValueError, TypeError):
        return CertificateCredential(
            *names, identity.certificate, password=identity.certificate_password or None, **common
        )
    raise certificate_fault(identity.certificate)


def msal_credential(identity: IdentitySettings, limits: Mapping[str, Any]) -> object:
    """Return what MSAL takes as `client_credential`: a text, or a dict."""
    if identity.federated_credential:
        return {"client_assertion": managed_identity_assertion(identity, limits).reveal}
    if identity.client_secret:
        return identity.client_secret
    with suppress(OSError, ValueError):
        return _certificate(identity)
    raise certificate_fault(identity.certificate)


def managed_identity_assertion(identity: IdentitySettings, limits: Mapping[str, Any]) -> Secret:
    """Return a managed identity's token for the exchange; raises TokenError."""
    from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
    from azure.identity import ManagedIdentityCredential

    audience = exchange_audience(identity.cloud.authority)
    try:
        with ManagedIdentityCredential(
            client_id=identity.federated_credential, raw_response_hook=ResponseRecorder(), **limits
        ) as managed:
            return Secret(managed.get_token(f"{audience}/.default").token)
    except (AzureError, ValueError, UnreadableError) as error:
        passing = isinstance(error, (ServiceRequestError, ServiceResponseError, UnreadableError))
    raise TokenError(
        "The managed identity gives no token. Is the code running in Azure, is the identity assigned to the "
        "app, and is PARTNER_FEDERATED_CREDENTIAL its client id?",
        retryable=passing,
    )


def certificate_fault(path: str) -> NotConfiguredError:
    """Return the error for a certificate that cannot be read or used."""
    return NotConfiguredError(
        f"The certificate {path} cannot be used: it must be a PEM or PFX file with certificate and RSA "
        "private key, and PARTNER_CLIENT_CERTIFICATE_PASSWORD must be its password, if it has one.",
        ("PARTNER_CLIENT_CERTIFICATE", "PARTNER_CLIENT_CERTIFICATE_PASSWORD"),
    )


def _certificate(identity: IdentitySettings) -> dict[str, Any]:
    """MSAL's forms: https://learn.microsoft.com/en-us/entra/msal/python/advanced/client-credentials ."""
    password = identity.certificate_password or None
    content = Path(identity.certificate).read_bytes()
    if b"-----BEGIN" not in content:
        return {"private_key_pfx_path": identity.certificate, "passphrase": password}
    text = content.decode("ascii")
    return {"private_key": text, "public_certificate": text, "passphrase": password}
