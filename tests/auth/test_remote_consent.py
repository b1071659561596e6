"""Consent where there is no console: MSAL at the simulated Entra, the note in Azurite, and a vault."""

from __future__ import annotations

import json
import logging
import traceback
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.core.exceptions import ResourceNotFoundError

import operations
from local.azurite.launcher import Azurite
from local.simulator.directory import USER
from local.simulator.entra import TokenFault, TokenService
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.vault import Vault
from shared.auth.consent import Consent
from shared.auth.mode import Mode
from shared.core.errors import AppError, ConsentError, NotConfiguredError, NotFoundError, TokenError
from shared.services.consents import Consents, Waiting
from shared.settings import Settings
from shared.storage.blobs import BlobStore
from shared.storage.sealed_notes import SealedNotes
from tests.auth.conftest import IDENTITY_CLIENT, SECRET, Clock, environment, tokens
from tests.auth.test_stores import NAME


@dataclass
class App:
    """One installation; each `instance` is a process of its own as far as it can tell."""

    env: dict[str, str]
    clock: Clock

    @property
    def settings(self) -> Settings:
        return Settings.read(self.env)

    @property
    def blobs(self) -> BlobStore:
        return BlobStore(self.settings.storage)

    def instance(self) -> Consents:
        def now() -> datetime:
            return datetime.fromtimestamp(self.clock(), UTC)

        notes = SealedNotes(self.blobs, self.settings.storage.ledger, "consents", now)
        return Consents(self.settings.identity, notes, now)

    def complete(self, key: str) -> Consent:
        """Ask until the user has signed in, each time another instance."""
        for _ in range(5):
            outcome = self.instance().complete(key)
            if isinstance(outcome, Consent):
                return outcome
        raise AssertionError("still waiting")

    def kept(self) -> list[str]:
        """What lies beside the ledger, as whoever may read the container sees it."""
        ledger = self.settings.storage.ledger
        names = [entry.name for entry in self.blobs.page(ledger, "consents/")[0]]
        found = [self.blobs.get(ledger, name) for name in names]
        return [blob.name + blob.content.decode() for blob in found if blob]


@pytest.fixture
def app(azurite: Azurite, entra: TokenService, clock: Clock, tmp_path: Path) -> Iterator[App]:
    entra.directory.policy.slow_device = 0
    ledger = f"ledger-{uuid.uuid4().hex[:12]}"
    env = environment(
        entra,
        DocumentStorage=azurite.connection_string,
        LEDGER_CONTAINER=ledger,
        PARTNER_REFRESH_TOKEN_FILE=str(tmp_path / "token"),
    )
    app = App(env, clock)
    yield app
    with suppress(ResourceNotFoundError):
        app.blobs.account.service.delete_container(ledger)


@pytest.fixture
def in_azure(app: App, vault: Vault, managed_identity: ManagedIdentity) -> App:
    """With a federated credential in place of a secret, and a vault in place of the file."""
    del app.env["PARTNER_CLIENT_SECRET"], app.env["PARTNER_REFRESH_TOKEN_FILE"]
    app.env["PARTNER_FEDERATED_CREDENTIAL"] = IDENTITY_CLIENT
    app.env["PARTNER_REFRESH_TOKEN_VAULT"] = vault.url
    return app


def stored(app: App) -> str:
    path = Path(app.env["PARTNER_REFRESH_TOKEN_FILE"])
    return path.read_text() if path.exists() else ""


def test_the_user_is_told_what_to_do_and_the_token_is_stored_once_they_have_done_it(
    app: App, entra: TokenService
) -> None:
    entra.directory.policy.slow_device = 2
    started = app.instance().start()

    assert started.device.user_code in started.device.message
    assert started.device.verification_uri.startswith("https://")
    assert app.instance().complete(started.key) == Waiting(started.device.interval)
    assert app.instance().complete(started.key) == Waiting(started.device.interval)
    assert stored(app) == ""
    consent = app.instance().complete(started.key)
    assert isinstance(consent, Consent)
    assert (consent.user, consent.mfa) == (USER, True)
    assert tokens(app.settings.identity).get(Mode.APP_USER)
    assert app.kept() == []


def test_an_app_with_a_federated_credential_proves_itself_with_it_and_its_token_can_be_redeemed_so(
    in_azure: App, entra: TokenService, vault: Vault
) -> None:
    in_azure.complete(in_azure.instance().start().key)

    assert vault.latest(NAME).startswith("1.refresh-")
    assert tokens(in_azure.settings.identity).get(Mode.APP_USER)
    assert {call.status for call in entra.calls} == {200}


def test_who_asks_too_soon_is_told_to_wait_longer_from_then_on(app: App, entra: TokenService) -> None:
    entra.directory.policy.hasty, entra.directory.policy.slow_device = 2, 1
    started = app.instance().start()

    waits = [app.instance().complete(started.key) for _ in range(3)]
    assert waits == [Waiting(started.device.interval + more) for more in (5, 10, 10)]
    assert app.complete(started.key).user == USER


def test_where_entra_names_no_interval_it_is_that_of_the_protocol(app: App, entra: TokenService) -> None:
    entra.directory.policy.device_times = {"expires_in": "900"}
    assert app.instance().start().device.interval == 5


@pytest.mark.parametrize(
    "times",
    [
        {"expires_in": float("inf"), "interval": 5},
        {"expires_in": 10**30, "interval": 5},
        {"expires_in": float("nan"), "interval": 5},
        {"expires_in": 900, "interval": 10**9},
        {"expires_in": -1, "interval": 5},
        {"expires_in": "soon"},
    ],
)
def test_a_code_whose_times_make_no_sense_is_none_and_leaves_nothing_behind(
    app: App, entra: TokenService, times: dict[str, object]
) -> None:
    entra.directory.policy.device_times = times
    with pytest.raises(TokenError):
        app.instance().start()
    assert app.kept() == []


def test_a_user_who_declines_ends_it(app: App, entra: TokenService) -> None:
    entra.directory.policy.declined = True
    key = app.instance().start().key

    with pytest.raises(ConsentError, match="AADSTS65004") as caught:
        app.instance().complete(key)
    assert "start again" in caught.value.remedy
    assert (stored(app), app.kept()) == ("", [])
    with pytest.raises(NotFoundError):
        app.instance().complete(key)


def test_a_code_that_nobody_used_in_time_ends_it(app: App, clock: Clock) -> None:
    key = app.instance().start().key
    clock.ahead = 901

    with pytest.raises(ConsentError, match="not finished in time") as caught:
        app.instance().complete(key)
    assert "start again" in caught.value.remedy
    assert app.kept() == []


@pytest.mark.parametrize(
    ("policy", "told"),
    [({"user_tenant": str(uuid.UUID(int=7))}, "Wrong tenant"), ({"mfa": False}, "MFA is missing")],
)
def test_a_sign_in_that_partner_center_would_refuse_leaves_the_stored_token_alone(
    app: App, entra: TokenService, policy: dict[str, object], told: str
) -> None:
    app.complete(app.instance().start().key)
    before = stored(app)
    for name, value in policy.items():
        setattr(entra.directory.policy, name, value)
    key = app.instance().start().key

    with pytest.raises(ConsentError, match=told) as caught:
        app.instance().complete(key)
    assert "start again" in caught.value.remedy
    assert (stored(app), app.kept()) == (before, [])


def test_two_that_are_begun_do_not_touch_each_other(app: App) -> None:
    first, second = app.instance().start(), app.instance().start()

    assert first.key != second.key
    assert app.complete(second.key).user == USER
    before = stored(app)
    assert app.complete(first.key).user == USER
    assert stored(app) != before


def test_one_that_is_completed_cannot_be_completed_again(app: App) -> None:
    key = app.instance().start().key
    app.complete(key)

    with pytest.raises(NotFoundError):
        app.instance().complete(key)


def test_of_two_that_complete_the_same_at_once_the_token_of_one_is_stored(
    in_azure: App, entra: TokenService, vault: Vault
) -> None:
    key = in_azure.instance().start().key
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(outcome_of, in_azure, key) for _ in range(2)]
    outcomes = [each.result() for each in both]

    assert sum(isinstance(outcome, Consent) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, NotFoundError | ConsentError) for outcome in outcomes) == 1
    assert len(vault.versions[NAME]) == 1
    assert in_azure.kept() == []


def test_one_that_loses_the_race_does_not_take_what_the_other_keeps_for_the_vault(
    in_azure: App, entra: TokenService, vault: Vault
) -> None:
    key = in_azure.instance().start().key
    vault.fail_writes_with = 403
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(outcome_of, in_azure, key) for _ in range(2)]
    assert {type(each.result()) for each in both} <= {ConsentError, NotFoundError}
    vault.fail_writes_with = 0

    in_azure.instance().complete(key)
    assert vault.latest(NAME).startswith("1.refresh-")


def outcome_of(app: App, key: str) -> object:
    try:
        return app.instance().complete(key)
    except AppError as error:
        return error


@pytest.mark.parametrize("key", ["", "nonsense", "../format", "A" * 44, "ü" * 44])
def test_a_key_of_no_consent_is_not_found(app: App, key: str) -> None:
    app.instance().start()

    with pytest.raises(NotFoundError):
        app.instance().complete(key)


@pytest.mark.parametrize("status", [403, 503])
def test_when_the_vault_does_not_take_the_token_nobody_has_to_sign_in_again(
    in_azure: App, entra: TokenService, vault: Vault, status: int
) -> None:
    key = in_azure.instance().start().key
    vault.fail_writes_with = status
    with pytest.raises(ConsentError, match=f"HTTP {status}") as caught:
        in_azure.instance().complete(key)
    assert "nobody has to sign in again" in caught.value.remedy

    with pytest.raises(ConsentError):
        in_azure.instance().complete(key)
    vault.fail_writes_with = 0
    in_azure.instance().complete(key)

    assert vault.latest(NAME).startswith("1.refresh-")
    assert entra.count() == 1
    assert in_azure.kept() == []


def test_what_waits_for_its_vault_ends_after_a_day_and_is_removed_when_another_begins(
    in_azure: App, vault: Vault, clock: Clock
) -> None:
    key = in_azure.instance().start().key
    vault.fail_writes_with = 403
    with pytest.raises(ConsentError):
        in_azure.instance().complete(key)
    vault.fail_writes_with = 0
    clock.ahead = timedelta(days=1, minutes=1).total_seconds()

    with pytest.raises(NotFoundError):
        in_azure.instance().complete(key)
    (old,) = in_azure.kept()
    in_azure.instance().start()
    (new,) = in_azure.kept()
    assert new != old
    assert vault.versions == {}


def test_an_entra_that_is_away_or_a_wrong_credential_does_not_end_a_sign_in(
    app: App, entra: TokenService
) -> None:
    key = app.instance().start().key
    for fault in (TokenFault(503), TokenFault(0), TokenFault(401, 7000222, "invalid_client")):
        entra.faults.append(fault)
        with pytest.raises(TokenError):
            app.instance().complete(key)

    assert app.complete(key).user == USER


def test_an_entra_that_gives_no_code_is_explained(app: App) -> None:
    app.env["PARTNER_CENTER_AUDIENCE"] = "https://api.elsewhere.example"

    with pytest.raises(TokenError, match="PARTNER_CENTER_AUDIENCE"):
        app.instance().start()
    assert app.kept() == []


def test_without_a_store_or_a_credential_nobody_signs_in(app: App, entra: TokenService) -> None:
    del app.env["PARTNER_REFRESH_TOKEN_FILE"], app.env["PARTNER_CLIENT_SECRET"]

    for ask in (app.instance().start, lambda: app.instance().complete("any")):
        with pytest.raises(NotConfiguredError, match="PARTNER_REFRESH_TOKEN_VAULT") as caught:
            ask()
        assert "PARTNER_FEDERATED_CREDENTIAL" in caught.value.settings
    assert entra.count() == 0


def test_no_secret_stands_in_an_error_a_log_or_the_container(
    in_azure: App, entra: TokenService, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    entra.directory.policy.slow_device = 1
    vault.fail_writes_with = 500
    seen = ""
    with caplog.at_level(logging.DEBUG):
        started = in_azure.instance().start()
        seen += repr(started) + repr(in_azure.kept()) + repr(in_azure.instance().complete(started.key))
        entra.faults.append(TokenFault(401, 7000215, "invalid_client"))
        for _ in range(3):
            seen += spilt(in_azure, started.key) + repr(in_azure.kept())
        vault.fail_writes_with = 0
        seen += repr(in_azure.instance().complete(started.key))
    seen += "".join(repr(vars(record)) for record in caplog.records)

    token, code = vault.latest(NAME), started.device.code.reveal()
    hidden = [token, code, token.removeprefix("1."), SECRET, "eyJ", "Signature"]
    assert [secret for secret in hidden if secret in seen] == []


def spilt(app: App, key: str) -> str:
    """The crash dump of a completion that fails, with the local variables of every frame."""
    with pytest.raises(AppError) as caught:
        app.instance().complete(key)
    dump = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    return "".join(line for line in dump.format() if "test_remote_consent" not in line)


def call(builder: Any, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, Any]]:
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    request = func.HttpRequest(method, f"http://localhost/api/{path}", headers=headers, body=body)
    answer = builder(request)
    return answer.status_code, json.loads(answer.get_body())


def test_settings_that_keep_the_app_from_working_do_not_keep_the_doctor_from_it(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**app.env, "MAX_FILES": "none", "PARTNER_CLIENT_ID": "no-guid"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PARTNER_REFRESH_TOKEN_FILE")

    status, told = call(operations.doctor, "GET", "operator/doctor")
    assert (status, told["ok"]) == (200, False)
    assert [check["detail"].split()[0] for check in told["checks"] if check["name"] == "settings"] == [
        "PARTNER_CLIENT_ID"
    ]
    assert [check["ok"] for check in told["checks"] if check["name"] == "app-only"] == [False]
    (skipped,) = [check for check in told["checks"] if check["name"] == "app+user"]
    assert "ok" not in skipped
    assert "PARTNER_REFRESH_TOKEN_VAULT" in skipped["detail"]


def test_settings_that_keep_the_app_from_working_are_named_to_who_would_consent(
    app: App, entra: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**app.env, "MAX_FILES": "none"}.items():
        monkeypatch.setenv(name, value)

    status, told = call(operations.consent, "POST", "operator/consent", b"{}")
    assert (status, told["type"].rpartition(":")[2]) == (500, "not-configured")
    assert told["settings"] == ["MAX_FILES"]
    assert entra.count() == 0
