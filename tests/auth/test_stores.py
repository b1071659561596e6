"""Where the refresh token rests: a protected file, and Key Vault through the real azure-keyvault-secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local.simulator.entra import TokenService
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.vault import RESOURCE, Vault
from shared.auth.mode import Mode
from shared.auth.secret import Secret
from shared.auth.store import FileStore
from shared.auth.vault import VaultStore
from shared.core.errors import TokenError
from tests.auth.conftest import IDENTITY_CLIENT, Clock, identity, tokens

NAME = "partner-center-refresh-token"


def vault_store(entra: TokenService, vault: Vault) -> VaultStore:
    return VaultStore(identity(entra, PARTNER_REFRESH_TOKEN_VAULT=vault.url), timeout=5)


def test_a_file_that_is_written_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    FileStore(str(path)).write(Secret("first"))
    FileStore(str(path)).write(Secret("second"))

    assert FileStore(str(path)).read() == Secret("second")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_can_read_is_refused_with_the_cure(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    path.write_text("1.refresh-visible")
    path.chmod(mode)

    with pytest.raises(TokenError, match="chmod 600") as caught:
        FileStore(str(path)).read()
    assert not caught.value.retryable
    assert "visible" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_file_that_is_absent_or_empty_holds_no_token(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.touch(mode=0o600)
        path.write_text(content)

    assert FileStore(str(path)).read() is None


def test_a_file_in_a_missing_folder_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="cannot be written"):
        FileStore(str(tmp_path / "missing" / "token")).write(Secret("x"))


def test_a_folder_in_place_of_the_file_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="cannot be read"):
        FileStore(str(tmp_path)).read()
    with pytest.raises(TokenError, match="cannot be written"):
        FileStore(str(tmp_path)).write(Secret("x"))
    assert list(tmp_path.parent.glob(f".{tmp_path.name}.*")) == []


def test_the_vault_keeps_the_token_as_a_secret_that_ends_in_90_days(
    entra: TokenService, vault: Vault, managed_identity: ManagedIdentity, clock: Clock
) -> None:
    store = vault_store(entra, vault)

    assert store.read() is None
    store.write(Secret("1.refresh-in-the-vault"))

    assert store.read() == Secret("1.refresh-in-the-vault")
    assert vault.versions == {NAME: ["1.refresh-in-the-vault"]}
    assert 89 < (vault.expiries[NAME] - clock()) / 86400 <= 90
    assert set(managed_identity.asked) == {RESOURCE}


def test_with_a_vault_and_a_managed_identity_nothing_secret_is_configured(
    entra: TokenService,
    vault: Vault,
    managed_identity: ManagedIdentity,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vault.versions[NAME] = [entra.directory.issue_refresh_token()]
    entra.directory.policy.old_uses = 0
    monkeypatch.delenv("AZURE_CLIENT_ID")
    settings = identity(
        entra,
        PARTNER_CLIENT_SECRET="",
        PARTNER_FEDERATED_CREDENTIAL=IDENTITY_CLIENT,
        PARTNER_REFRESH_TOKEN_VAULT=vault.url,
    )
    source = tokens(settings, clock)

    for hour in range(3):
        clock.ahead = hour * 3600
        assert source.get(Mode.APP_USER)
    assert len(vault.versions[NAME]) == 4
    assert set(managed_identity.asked) == {RESOURCE, "api://AzureADTokenExchange"}
    assert {call.number for call in entra.calls} == {0}


@pytest.mark.parametrize(
    ("status", "said", "retryable"),
    [
        (403, "Key Vault Secrets Officer", False),
        (409, "recover it", False),
        (503, "HTTP 503", True),
        (429, "HTTP 429", True),
    ],
)
def test_a_vault_that_refuses_says_what_to_do(
    entra: TokenService,
    vault: Vault,
    managed_identity: ManagedIdentity,
    status: int,
    said: str,
    retryable: bool,
) -> None:
    vault.fail_reads_with = vault.fail_writes_with = status
    store = vault_store(entra, vault)

    for attempt in (store.read, lambda: store.write(Secret("1.refresh-hidden"))):
        with pytest.raises(TokenError, match=said) as caught:
            attempt()
        assert caught.value.retryable is retryable
        assert "hidden" not in str(caught.value)


def test_an_identity_that_the_vault_does_not_know_is_refused(
    entra: TokenService, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ManagedIdentity(b"another key", "somebody", header="h") as stranger:
        for name, value in stranger.environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(TokenError, match="HTTP 401"):
            vault_store(entra, vault).read()


def test_a_vault_that_cannot_be_written_leaves_the_token_in_use(
    entra: TokenService, vault: Vault, managed_identity: ManagedIdentity, clock: Clock
) -> None:
    vault.versions[NAME] = [entra.directory.issue_refresh_token()]
    vault.fail_writes_with = 403
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_VAULT=vault.url), clock)

    assert source.get(Mode.APP_USER)
    vault.fail_writes_with = 0
    clock.ahead = 61
    source.get(Mode.APP_USER)
    assert len(vault.versions[NAME]) == 2


def test_a_vault_that_does_not_answer_is_a_passing_fault(
    entra: TokenService, vault: Vault, managed_identity: ManagedIdentity
) -> None:
    store = vault_store(entra, vault)
    vault.stop()

    with pytest.raises(TokenError, match="PARTNER_REFRESH_TOKEN_VAULT") as caught:
        store.read()
    assert caught.value.retryable
