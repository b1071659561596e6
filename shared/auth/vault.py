"""The refresh token as a secret in Key Vault, reached with the identity that the code runs as.

In Azure that is the managed identity, on an operator's machine whoever is signed in (`az login`). It needs to
get and set secrets: role Key Vault Secrets Officer, given on this one secret.
https://learn.microsoft.com/en-us/azure/key-vault/general/rbac-guide
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from shared.auth.secret import Secret
from shared.auth.wire import ResponseRecorder, UnreadableError
from shared.core.errors import TokenError
from shared.settings import IdentitySettings

if TYPE_CHECKING:
    from azure.keyvault.secrets import KeyVaultSecret, SecretClient

T = TypeVar("T")

LIFETIME = timedelta(days=90)
"""How long Entra keeps a refresh token that is not used. Written as the secret's expiry, which blocks nothing
but lets Key Vault announce it: https://learn.microsoft.com/en-us/azure/key-vault/general/event-grid-overview"""

_ADVICE = {
    403: "Give the identity that the code runs as the role Key Vault Secrets Officer on this secret, and let "
    "the vault's firewall pass it; or the secret has expired, then consent anew (docs/identity.md).",
    401: "The vault does not accept the identity that the code runs as: is it of the vault's tenant?",
    409: "The secret was deleted and can be recovered: recover it or purge it.",
}


class VaultStore:
    """The secret's latest version is the token. Earlier versions stay, so no write destroys anything."""

    def __init__(self, identity: IdentitySettings, timeout: float) -> None:
        self._identity = identity
        self._name = identity.vault_secret
        self._timeout = timeout

    def read(self) -> Secret | None:
        """See RefreshTokenStore; None when the vault has no such secret."""
        return self._ask("read", self._get)

    def write(self, token: Secret) -> None:
        """See RefreshTokenStore; adds a version to the secret."""

        def put(client: SecretClient) -> None:
            client.set_secret(
                self._name,
                token.reveal(),
                content_type="refresh token for Partner Center",
                expires_on=datetime.now(UTC) + LIFETIME,
            )

        self._ask("written", put)

    def ends(self) -> datetime | None:
        """When the secret's latest version ends; None when the vault has no such secret, or knows no end."""

        def look(client: SecretClient) -> datetime | None:
            stored = _stored(client, self._name)
            return stored.properties.expires_on if stored else None

        return self._ask("read", look)

    def _get(self, client: SecretClient) -> Secret | None:
        stored = _stored(client, self._name)
        return Secret(stored.value) if stored and stored.value else None

    def _ask(self, done: str, action: Callable[[SecretClient], T]) -> T:
        from azure.core.exceptions import AzureError

        fault: Exception
        try:
            with self._client() as client:
                return action(client)
        except (AzureError, ValueError, UnreadableError) as error:
            fault = error
        raise _failure(self._name, done, fault)

    @contextmanager
    def _client(self) -> Iterator[SecretClient]:
        """Open a client for one request; its connection is not needed again within the hour."""
        from azure.identity import DefaultAzureCredential
        from azure.keyvault.secrets import SecretClient

        limits = {"connection_timeout": self._timeout, "read_timeout": self._timeout, "retry_total": 1}
        watched = {**limits, "raw_response_hook": ResponseRecorder()}
        named = self._identity.federated_credential
        chosen = {"managed_identity_client_id": named} if named else {}
        host = urlsplit(self._identity.vault).hostname
        with (
            DefaultAzureCredential(
                authority=self._identity.cloud.authority, **chosen, **watched
            ) as credential,
            SecretClient(
                self._identity.vault,
                credential,
                # a vault on this machine has no domain that its challenge could be compared with
                verify_challenge_resource=host not in ("localhost", "127.0.0.1"),
                **limits,
            ) as client,
        ):
            yield client


def _stored(client: SecretClient, name: str) -> KeyVaultSecret | None:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return client.get_secret(name)
    except ResourceNotFoundError:
        return None


def _failure(name: str, done: str, fault: Exception) -> TokenError:
    from azure.core.exceptions import HttpResponseError

    status = (fault.status_code or 0) if isinstance(fault, HttpResponseError) else 0
    what = f"The secret {name} could not be {done} in Key Vault"
    if status:
        advice = _ADVICE.get(status, "See the vault's diagnostic log.")
        return TokenError(f"{what} (HTTP {status}). {advice}", retryable=status == 429 or status >= 500)
    return TokenError(
        f"{what} ({type(fault).__name__}). Check PARTNER_REFRESH_TOKEN_VAULT, the network, and that the code "
        "runs as a managed identity, or as somebody signed in with `az login`.",
        retryable=True,
    )
