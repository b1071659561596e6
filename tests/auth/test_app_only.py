"""App-only: the three credentials of the application, through the real azure-identity."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.simulator.entra import TokenService
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.pki import make_client_certificate
from local.simulator.tokens import read
from shared.auth.credential import exchange_audience
from shared.auth.mode import Mode
from shared.core.errors import NotConfiguredError, TokenError
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


def test_a_secret_yields_a_token_of_the_application(entra: TokenService) -> None:
    claims = read(tokens(identity(entra)).get(Mode.APP), KEY)

    assert claims["idtyp"] == "app"
    assert claims["aud"] == "https://api.partnercenter.microsoft.com"
    assert (claims["tid"], claims["appid"]) == (TENANT, CLIENT)
    assert entra.calls[0].scope == "https://api.partnercenter.microsoft.com/.default"


def test_a_certificate_yields_one_without_any_secret(
    entra: TokenService, client_certificate: ClientCertificate
) -> None:
    settings = identity(
        entra, PARTNER_CLIENT_SECRET="", PARTNER_CLIENT_CERTIFICATE=str(client_certificate.pem)
    )

    assert read(tokens(settings).get(Mode.APP), KEY)["idtyp"] == "app"


def test_a_certificate_that_is_not_registered_is_named_as_the_cause(
    entra: TokenService, tmp_path: Path
) -> None:
    make_client_certificate(tmp_path / "other.pem")
    settings = identity(
        entra, PARTNER_CLIENT_SECRET="", PARTNER_CLIENT_CERTIFICATE=str(tmp_path / "other.pem")
    )

    with pytest.raises(TokenError, match=r"PARTNER_CLIENT_CERTIFICATE.*AADSTS700027") as caught:
        tokens(settings).get(Mode.APP)
    assert not caught.value.retryable


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("suffix", [".pem", ".pfx"])
def test_a_wrong_password_of_the_certificate_is_a_matter_of_settings(
    entra: TokenService, tmp_path: Path, token_file: Path, mode: Mode, suffix: str
) -> None:
    path = tmp_path / f"locked{suffix}"
    make_client_certificate(path, "right-password")
    settings = identity(
        entra,
        PARTNER_CLIENT_SECRET="",
        PARTNER_CLIENT_CERTIFICATE=str(path),
        PARTNER_CLIENT_CERTIFICATE_PASSWORD="wrong-password",
        PARTNER_REFRESH_TOKEN_FILE=str(token_file),
    )

    with pytest.raises(NotConfiguredError) as caught:
        tokens(settings).get(mode)
    assert "PARTNER_CLIENT_CERTIFICATE_PASSWORD" in caught.value.settings
    assert "wrong-password" not in str(caught.value)


def test_a_managed_identity_needs_no_secret_at_all(
    entra: TokenService, managed_identity: ManagedIdentity
) -> None:
    settings = identity(entra, PARTNER_CLIENT_SECRET="", PARTNER_FEDERATED_CREDENTIAL=IDENTITY_CLIENT)

    assert read(tokens(settings).get(Mode.APP), KEY)["idtyp"] == "app"
    assert managed_identity.asked == ["api://AzureADTokenExchange"]


def test_a_managed_identity_that_is_not_trusted_is_named_as_the_cause(
    entra: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = identity(entra, PARTNER_CLIENT_SECRET="", PARTNER_FEDERATED_CREDENTIAL=IDENTITY_CLIENT)
    with ManagedIdentity(KEY, "a stranger", header="h", client_id=IDENTITY_CLIENT) as stranger:
        for name, value in stranger.environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(TokenError, match="AADSTS700213"):
            tokens(settings).get(Mode.APP)


def test_a_user_assigned_identity_is_asked_for_by_its_client_id(
    entra: TokenService, managed_identity: ManagedIdentity
) -> None:
    settings = identity(entra, PARTNER_CLIENT_SECRET="", PARTNER_FEDERATED_CREDENTIAL="7e6d-not-assigned")

    with pytest.raises(TokenError, match="PARTNER_FEDERATED_CREDENTIAL") as caught:
        tokens(settings).get(Mode.APP)
    assert managed_identity.asked == []
    assert entra.count() == 0
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("authority", "audience"),
    [
        ("https://login.microsoftonline.com", "api://AzureADTokenExchange"),
        ("https://login.microsoftonline.us", "api://AzureADTokenExchangeUSGov"),
        ("https://login.partner.microsoftonline.cn", "api://AzureADTokenExchangeChina"),
    ],
)
def test_each_cloud_has_its_own_exchange_audience(authority: str, audience: str) -> None:
    assert exchange_audience(authority) == audience


def test_a_token_is_asked_for_once_and_renewed_five_minutes_before_its_end(
    entra: TokenService, clock: Clock
) -> None:
    source = tokens(identity(entra), clock)

    first = source.get(Mode.APP)
    clock.ahead = 3600 - 300 - 30
    assert source.get(Mode.APP) == first
    clock.ahead = 3600 - 300 + 1
    assert source.get(Mode.APP) != first
    assert entra.count() == 2


def test_a_token_with_a_short_life_is_used_for_half_of_it(entra: TokenService, clock: Clock) -> None:
    entra.directory.policy.expires_in = 200
    source = tokens(identity(entra), clock)

    first = source.get(Mode.APP)
    clock.ahead = 90
    assert source.get(Mode.APP) == first
    clock.ahead = 110
    assert source.get(Mode.APP) != first


def test_a_renewal_that_fails_early_leaves_the_old_token_in_use(entra: TokenService, clock: Clock) -> None:
    source = tokens(identity(entra), clock)
    first = source.get(Mode.APP)
    entra.directory.registration = entra.directory.registration.__class__(TENANT, CLIENT)

    clock.ahead = 3400
    assert source.get(Mode.APP) == first
    clock.ahead = 3601
    with pytest.raises(TokenError, match="AADSTS7000215"):
        source.get(Mode.APP)


def test_a_rejected_token_is_replaced_and_a_newer_one_stays(entra: TokenService) -> None:
    source = tokens(identity(entra))
    first = source.get(Mode.APP)

    source.reject(Mode.APP, first)
    second = source.get(Mode.APP)
    source.reject(Mode.APP, first)

    assert second != first
    assert source.get(Mode.APP) == second
    assert entra.count() == 2


def test_a_wrong_audience_is_told_from_a_wrong_secret(entra: TokenService) -> None:
    settings = identity(entra, PARTNER_CENTER_AUDIENCE="https://api.partner.microsoft.com")

    with pytest.raises(TokenError, match=r"PARTNER_CENTER_AUDIENCE.*AADSTS500011"):
        tokens(settings).get(Mode.APP)


def test_a_tenant_that_does_not_exist_is_named(entra: TokenService) -> None:
    settings = identity(entra, PARTNER_TENANT_ID="00000000-0000-4000-8000-000000000000")

    with pytest.raises(TokenError, match=r"PARTNER_TENANT_ID.*AADSTS90002"):
        tokens(settings).get(Mode.APP)
