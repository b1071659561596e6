"""Real azure-identity, MSAL and azure-keyvault-secrets against simulated services over TLS."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.simulator.directory import Registration
from local.simulator.entra import TokenService
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.pki import Pki, make_client_certificate, make_pki
from local.simulator.vault import Vault
from shared.auth.source import Tokens
from shared.auth.store import RefreshTokenStore
from shared.settings import IdentitySettings, Settings

TENANT = "2a5b1c3d-7e4f-4a6b-8c9d-0e1f2a3b4c5d"
CLIENT = "6f7e8d9c-0b1a-4c2d-9e3f-4a5b6c7d8e9f"
SECRET = "S3cret~of.the-application_value"
IDENTITY = "9c8b7a6d-managed-identity"
IDENTITY_CLIENT = "7e6d5c4b-client-id-of-the-identity"
KEY = b"key of the simulators"


class Clock:
    """The present, which a test can move."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclasses.dataclass(frozen=True)
class ClientCertificate:
    pem: Path
    public: bytes


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def client_certificate(tmp_path_factory: pytest.TempPathFactory) -> ClientCertificate:
    path = tmp_path_factory.mktemp("certificate") / "app.pem"
    return ClientCertificate(path, make_client_certificate(path))


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, pki: Pki) -> None:
    """No identity, proxy or .netrc of this machine takes part; only our own authority is trusted."""
    for name in list(os.environ):
        if name.startswith(("AZURE_", "IDENTITY_", "MSI_", "IMDS_", "MSAL_")) or name.lower().endswith(
            "_proxy"
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.ca))
    monkeypatch.setenv("NETRC", os.devnull)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def entra(pki: Pki, client_certificate: ClientCertificate, clock: Clock) -> Iterator[TokenService]:
    registration = Registration(
        TENANT,
        CLIENT,
        secret=SECRET,
        expired_secret="expired-secret-value",
        certificate=client_certificate.public,
        trusted_identity=IDENTITY,
    )
    with TokenService(0, pki, KEY, registration, clock) as service:
        yield service


@pytest.fixture
def managed_identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManagedIdentity]:
    """A user-assigned identity, which is the only one that the app has."""
    with ManagedIdentity(
        KEY, IDENTITY, header="header-of-the-identity-endpoint", client_id=IDENTITY_CLIENT
    ) as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AZURE_CLIENT_ID", IDENTITY_CLIENT)
        yield service


@pytest.fixture
def vault(pki: Pki) -> Iterator[Vault]:
    with Vault(pki, KEY, reader=IDENTITY) as service:
        yield service


@pytest.fixture
def token_file(entra: TokenService, tmp_path: Path) -> Path:
    """A stored refresh token, as consent leaves it."""
    path = tmp_path / "refresh-token"
    path.touch(mode=0o600)
    path.write_text(entra.directory.issue_refresh_token())
    return path


def environment(entra: TokenService, **more: str) -> dict[str, str]:
    """The settings of an application with a secret, changed by `more`; an empty value takes one away."""
    given = {
        "PARTNER_CENTER_AUTHORITY": entra.authority,
        "PARTNER_TENANT_ID": TENANT,
        "PARTNER_CLIENT_ID": CLIENT,
        "PARTNER_CLIENT_SECRET": SECRET,
        **more,
    }
    return {name: value for name, value in given.items() if value}


def identity(entra: TokenService, **more: str) -> IdentitySettings:
    return Settings.read(environment(entra, **more)).identity


def tokens(
    settings: IdentitySettings,
    clock: Clock | None = None,
    *,
    store: RefreshTokenStore | None = None,
    timeout: float = 5.0,
) -> Tokens:
    """Our token source, without its pauses."""
    return Tokens(settings, clock=clock or Clock(), sleep=lambda _: None, store=store, timeout=timeout)
