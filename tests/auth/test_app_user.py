"""App+User: the stored refresh token, redeemed through the real MSAL, and the chain that must not break."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from local.simulator.entra import TokenFault, TokenService
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.tokens import read
from shared.auth.entra import Entra
from shared.auth.mode import Mode
from shared.auth.refresh import RefreshTokenChain
from shared.auth.secret import Secret
from shared.auth.store import FileStore
from shared.core.errors import TokenError
from shared.settings import IdentitySettings
from tests.auth.conftest import (
    CLIENT,
    IDENTITY_CLIENT,
    KEY,
    TENANT,
    ClientCertificate,
    Clock,
    identity,
    tokens,
)


def user_settings(entra: TokenService, token_file: Path, **more: str) -> IdentitySettings:
    return identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file), **more)


class DyingStore(FileStore):
    """The process ends right after the token was written."""

    def write(self, token: Secret) -> None:
        super().write(token)
        raise KeyboardInterrupt


class FlakyStore(FileStore):
    """A store whose reads or writes can be made to fail."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.reads_fail = self.writes_fail = False

    def read(self) -> Secret | None:
        if self.reads_fail:
            raise TokenError("The store is down.", retryable=True)
        return super().read()

    def write(self, token: Secret) -> None:
        if self.writes_fail:
            raise TokenError("The store is down.", retryable=True)
        super().write(token)


class ContestedStore(FileStore):
    """Somebody else stores `other` while a refresh is under way."""

    def __init__(self, path: Path, other: str) -> None:
        super().__init__(str(path))
        self._other = other
        self._reads = 0

    def read(self) -> Secret | None:
        self._reads += 1
        if self._reads == 2:
            super().write(Secret(self._other))
        return super().read()


def test_the_stored_token_yields_a_user_token_with_mfa(entra: TokenService, token_file: Path) -> None:
    claims = read(tokens(user_settings(entra, token_file)).get(Mode.APP_USER), KEY)

    assert claims["scp"] == "user_impersonation"
    assert "mfa" in claims["amr"]  # type: ignore[operator]
    assert (claims["tid"], claims["appid"]) == (TENANT, CLIENT)
    assert "https://api.partnercenter.microsoft.com/user_impersonation" in entra.calls[0].scope


def test_a_certificate_redeems_it_as_well(
    entra: TokenService, token_file: Path, client_certificate: ClientCertificate
) -> None:
    settings = user_settings(
        entra,
        token_file,
        PARTNER_CLIENT_SECRET="",
        PARTNER_CLIENT_CERTIFICATE=str(client_certificate.pem),
    )

    assert read(tokens(settings).get(Mode.APP_USER), KEY)["scp"] == "user_impersonation"


def test_a_managed_identity_redeems_it_as_well(
    entra: TokenService, token_file: Path, managed_identity: ManagedIdentity
) -> None:
    settings = user_settings(
        entra, token_file, PARTNER_CLIENT_SECRET="", PARTNER_FEDERATED_CREDENTIAL=IDENTITY_CLIENT
    )

    assert read(tokens(settings).get(Mode.APP_USER), KEY)["scp"] == "user_impersonation"
    assert managed_identity.asked == ["api://AzureADTokenExchange"]


def test_the_rotated_token_is_stored_before_the_access_token_is_out(
    entra: TokenService, token_file: Path
) -> None:
    before = token_file.read_text()
    source = tokens(user_settings(entra, token_file), store=DyingStore(str(token_file)))

    with pytest.raises(KeyboardInterrupt):
        source.get(Mode.APP_USER)

    after = token_file.read_text()
    assert after != before
    entra.directory.revoke(before)
    assert tokens(user_settings(entra, token_file)).get(Mode.APP_USER)


def test_the_rotated_token_is_stored_before_any_caller_sees_the_access_token(
    entra: TokenService, token_file: Path, clock: Clock
) -> None:
    settings, before = user_settings(entra, token_file), token_file.read_text()
    chain = RefreshTokenChain(Entra(settings, timeout=5, clock=clock), FileStore(str(token_file)), clock)

    assert chain.access_token()
    assert token_file.read_text() != before


def test_the_chain_holds_over_many_refreshes_when_old_tokens_die_at_once(
    entra: TokenService, token_file: Path, clock: Clock
) -> None:
    entra.directory.policy.old_uses = 0
    source = tokens(user_settings(entra, token_file), clock)

    for hour in range(5):
        clock.ahead = hour * 3600
        assert source.get(Mode.APP_USER)
    assert entra.count("refresh_token") == 5


def test_a_token_that_is_not_rotated_is_not_written(entra: TokenService, token_file: Path) -> None:
    entra.directory.policy.rotate = False
    before = token_file.stat().st_ino

    tokens(user_settings(entra, token_file)).get(Mode.APP_USER)

    assert token_file.stat().st_ino == before


def test_a_token_minted_elsewhere_between_refreshes_is_picked_up(
    entra: TokenService, token_file: Path, clock: Clock
) -> None:
    source = tokens(user_settings(entra, token_file), clock)
    source.get(Mode.APP_USER)
    entra.directory.revoke(token_file.read_text())
    token_file.write_text(entra.directory.issue_refresh_token())

    clock.ahead = 3600
    assert source.get(Mode.APP_USER)
    assert [call.number for call in entra.calls] == [0, 0]


def test_a_token_minted_elsewhere_during_a_refresh_is_not_overwritten(
    entra: TokenService, token_file: Path, clock: Clock
) -> None:
    theirs = entra.directory.issue_refresh_token()
    source = tokens(user_settings(entra, token_file), clock, store=ContestedStore(token_file, theirs))

    assert source.get(Mode.APP_USER)
    assert token_file.read_text() == theirs

    clock.ahead = 3600
    assert source.get(Mode.APP_USER)
    assert token_file.read_text() != theirs


def test_after_invalid_grant_another_token_in_the_store_is_tried_once(
    entra: TokenService, token_file: Path
) -> None:
    dead = token_file.read_text()
    entra.directory.revoke(dead)
    source = tokens(
        user_settings(entra, token_file),
        store=ContestedStore(token_file, entra.directory.issue_refresh_token()),
    )

    assert source.get(Mode.APP_USER)
    assert [call.number for call in entra.calls] == [700082, 0]


def test_a_dead_token_is_asked_about_once(entra: TokenService, token_file: Path) -> None:
    entra.directory.revoke(token_file.read_text())
    source = tokens(user_settings(entra, token_file))

    for _ in range(5):
        with pytest.raises(TokenError, match=r"90 days.*consent anew.*docs/identity.*AADSTS700082"):
            source.get(Mode.APP_USER)
    assert entra.count() == 1


def test_a_new_consent_cures_a_dead_token_without_a_restart(
    entra: TokenService, token_file: Path, clock: Clock
) -> None:
    entra.directory.revoke(token_file.read_text())
    source = tokens(user_settings(entra, token_file), clock)
    with pytest.raises(TokenError):
        source.get(Mode.APP_USER)

    token_file.write_text(entra.directory.issue_refresh_token())
    clock.ahead = 31
    assert source.get(Mode.APP_USER)


def test_a_store_that_cannot_be_written_costs_nothing_and_is_written_later(
    entra: TokenService, token_file: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store = FlakyStore(token_file)
    store.writes_fail = True
    source = tokens(user_settings(entra, token_file), clock, store=store)
    before = token_file.read_text()

    with caplog.at_level(logging.WARNING):
        token = source.get(Mode.APP_USER)
    assert token_file.read_text() == before
    assert "refresh_token_not_saved" in [getattr(r, "event", "") for r in caplog.records]

    store.writes_fail = False
    assert source.get(Mode.APP_USER) == token
    assert token_file.read_text() == before
    clock.ahead = 61
    assert source.get(Mode.APP_USER) == token
    assert token_file.read_text() != before
    assert entra.count() == 1


def test_the_unsaved_token_goes_on_through_refreshes_until_the_store_is_back(
    entra: TokenService, token_file: Path, clock: Clock
) -> None:
    entra.directory.policy.old_uses = 0
    store = FlakyStore(token_file)
    source = tokens(user_settings(entra, token_file), clock, store=store)
    source.get(Mode.APP_USER)

    store.writes_fail = True
    for hour in (1, 2, 3):
        clock.ahead = hour * 3600
        store.reads_fail = hour == 2
        assert source.get(Mode.APP_USER)
    store.writes_fail = False
    clock.ahead = 4 * 3600
    assert source.get(Mode.APP_USER)

    assert tokens(user_settings(entra, token_file)).get(Mode.APP_USER)
    assert {call.number for call in entra.calls} == {0}


def test_a_new_consent_goes_before_an_unsaved_token(
    entra: TokenService, token_file: Path, clock: Clock
) -> None:
    store = FlakyStore(token_file)
    store.writes_fail = True
    source = tokens(user_settings(entra, token_file), clock, store=store)
    source.get(Mode.APP_USER)
    consented = entra.directory.issue_refresh_token()
    token_file.write_text(consented)
    store.writes_fail = False

    clock.ahead = 61
    source.get(Mode.APP_USER)

    assert token_file.read_text() == consented


def test_a_store_that_was_emptied_on_purpose_stays_empty(
    entra: TokenService, token_file: Path, clock: Clock
) -> None:
    source = tokens(user_settings(entra, token_file), clock)
    source.get(Mode.APP_USER)
    token_file.unlink()

    clock.ahead = 3601
    with pytest.raises(TokenError, match=r"no refresh token.*consent first.*docs/identity"):
        source.get(Mode.APP_USER)
    assert not token_file.exists()


def test_without_a_store_that_answers_there_is_no_first_token(entra: TokenService, token_file: Path) -> None:
    store = FlakyStore(token_file)
    store.reads_fail = True

    with pytest.raises(TokenError, match="The store is down") as caught:
        tokens(user_settings(entra, token_file), store=store).get(Mode.APP_USER)
    assert caught.value.retryable
    assert entra.count() == 0


def test_a_passing_fault_is_tried_once_more(entra: TokenService, token_file: Path) -> None:
    entra.faults.append(TokenFault(status=503))

    assert tokens(user_settings(entra, token_file)).get(Mode.APP_USER)
    assert [call.status for call in entra.calls] == [503, 200]
