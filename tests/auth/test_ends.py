"""How many days credentials have left: told as a figure, and never at the price of anything else."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.simulator.entra import TokenService
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.pki import make_client_certificate
from local.simulator.vault import Vault
from shared.auth.ends import certificate_ends, record_ends
from shared.telemetry import CREDENTIAL
from tests.auth.conftest import ClientCertificate, identity
from tests.auth.test_stores import NAME
from tests.listener import Listener, listener


@pytest.fixture
def heard() -> Listener:
    return listener()


def now() -> datetime:
    return datetime.now(UTC)


def test_the_refresh_token_and_the_certificate_tell_how_many_days_they_have_left(
    entra: TokenService,
    vault: Vault,
    managed_identity: ManagedIdentity,
    client_certificate: ClientCertificate,
    heard: Listener,
) -> None:
    vault.versions[NAME], vault.expiries[NAME] = ["1.refresh"], int(time.time()) + 30 * 86400
    certificate = {"PARTNER_CLIENT_SECRET": "", "PARTNER_CLIENT_CERTIFICATE": str(client_certificate.pem)}
    settings = identity(entra, PARTNER_REFRESH_TOKEN_VAULT=vault.url, **certificate)
    record_ends(settings, now())

    told = heard.of(CREDENTIAL)
    assert told.keys() == {("refresh_token",), ("certificate",)}
    assert 29.9 < told["refresh_token",] <= 30
    end = certificate_ends(settings)
    assert end is not None
    assert told["certificate",] == pytest.approx((end - now()).total_seconds() / 86400, abs=0.01)
    assert told["certificate",] > 0


def test_a_certificate_in_a_file_with_a_password_tells_its_end(entra: TokenService, tmp_path: Path) -> None:
    path = tmp_path / "app.pfx"
    make_client_certificate(path, "opensesame")
    given = {"PARTNER_CLIENT_CERTIFICATE": str(path), "PARTNER_CLIENT_CERTIFICATE_PASSWORD": "opensesame"}
    end = certificate_ends(identity(entra, PARTNER_CLIENT_SECRET="", **given))

    assert end is not None
    assert end > now()


def test_what_cannot_be_looked_up_is_logged_and_keeps_nothing_from_being_told(
    entra: TokenService,
    vault: Vault,
    managed_identity: ManagedIdentity,
    tmp_path: Path,
    heard: Listener,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "shared.auth.ends")
    vault.fail_reads_with = 403
    path = tmp_path / "app.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n")
    given = {"PARTNER_CLIENT_CERTIFICATE": str(path), "PARTNER_REFRESH_TOKEN_VAULT": vault.url}
    record_ends(identity(entra, PARTNER_CLIENT_SECRET="", **given), now())

    assert heard.of(CREDENTIAL) == {}
    assert caplog.messages == [
        "the end of the refresh_token is not known (TokenError)",
        "the end of the certificate is not known (ValueError)",
    ]


def test_a_vault_without_a_token_and_one_that_knows_no_end_tell_nothing(
    entra: TokenService, vault: Vault, managed_identity: ManagedIdentity, heard: Listener
) -> None:
    settings = identity(entra, PARTNER_REFRESH_TOKEN_VAULT=vault.url)
    record_ends(settings, now())
    vault.versions[NAME] = ["1.refresh"]
    record_ends(settings, now())

    assert heard.of(CREDENTIAL) == {}
