"""The simulated Entra is strict where the real one is, and its certificates hold for this machine alone."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import requests
from jwt import InvalidTokenError

from local.simulator.directory import Registration
from local.simulator.entra import TokenService
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.pki import Pki, make_pki
from local.simulator.tokens import mint, read
from local.simulator.vault import Vault
from tests.auth.conftest import CLIENT, KEY, SECRET, TENANT

APP = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
SCOPE = "https://api.partnercenter.microsoft.com/.default"


@pytest.mark.parametrize(
    ("form", "number"),
    [
        ({**APP, "scope": SCOPE, "client_secret": "guess"}, 7000215),
        ({**APP, "scope": SCOPE, "client_secret": "expired-secret-value"}, 7000222),
        ({**APP, "scope": SCOPE, "client_id": "another"}, 700016),
        ({"grant_type": "client_credentials", "client_id": CLIENT, "scope": SCOPE}, 7000218),
        ({**APP, "scope": ""}, 70011),
        ({**APP, "scope": "user_impersonation"}, 70011),
        ({**APP, "scope": "https://graph.windows.net/.default"}, 500011),
        ({**APP, "scope": SCOPE, "grant_type": "password"}, 70003),
        ({**APP, "grant_type": "refresh_token", "scope": SCOPE, "refresh_token": "1.unknown"}, 700082),
        ({**APP, "grant_type": "refresh_token", "scope": SCOPE, "refresh_token": "garbage"}, 9002313),
    ],
)
def test_what_is_not_right_is_refused_by_number(
    entra: TokenService, form: dict[str, str], number: int
) -> None:
    answer = requests.post(f"{entra.authority}/{TENANT}/oauth2/v2.0/token", form, timeout=5)

    assert answer.status_code in (400, 401)
    assert answer.json()["error_codes"] == [number]
    assert entra.calls[-1].number == number
    assert SECRET not in repr(entra.calls)


def test_an_old_refresh_token_dies_after_as_many_uses_as_the_policy_says(entra: TokenService) -> None:
    entra.directory.policy.old_uses = 1
    form = {
        **APP,
        "grant_type": "refresh_token",
        "scope": SCOPE,
        "refresh_token": entra.directory.issue_refresh_token(),
    }
    url = f"{entra.authority}/{TENANT}/oauth2/v2.0/token"

    assert [requests.post(url, form, timeout=5).status_code for _ in range(3)] == [200, 200, 400]


def test_instance_discovery_and_paths_that_do_not_exist(entra: TokenService) -> None:
    discovered = requests.get(f"{entra.authority}/common/discovery/instance", timeout=5).json()

    assert TENANT in discovered["tenant_discovery_endpoint"]
    assert requests.get(f"{entra.authority}/{TENANT}/nothing", timeout=5).status_code == 404
    assert requests.get(f"{entra.authority}/elsewhere/nothing", timeout=5).status_code == 400


def test_only_those_who_trust_the_authority_connect(
    entra: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{entra.authority}/common/discovery/instance", timeout=5)


def test_the_certificates_are_good_for_a_strict_client(pki: Pki) -> None:
    context = ssl.create_default_context(cafile=str(pki.ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    registration = Registration(TENANT, CLIENT, secret=SECRET)
    with TokenService(0, pki, KEY, registration) as service:
        port = int(service.authority.rpartition(":")[2])
        for name in ("localhost", "127.0.0.1"):
            with (
                socket.create_connection(("127.0.0.1", port)) as plain,
                context.wrap_socket(plain, server_hostname=name) as tls,
            ):
                assert tls.version()


def test_a_directory_of_its_own_is_enough_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registration = Registration(TENANT, CLIENT, secret=SECRET)
    with TokenService(0, tmp_path / "pki", KEY, registration) as service:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "pki" / "ca.pem"))
        where = f"{service.authority}/{TENANT}/v2.0/.well-known/openid-configuration"
        assert requests.get(where, timeout=5).json()["issuer"].endswith(f"{TENANT}/v2.0")
    assert {path.name for path in (tmp_path / "pki").iterdir()} == {"ca.pem", "server.pem", "server-key.pem"}
    assert make_pki(tmp_path / "pki").server_key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", ".", "a.b", "a.b.c", "é.ü.ß", mint({}, b"another key")])
def test_what_another_key_signed_is_no_token(text: str) -> None:
    with pytest.raises(InvalidTokenError):
        read(text, KEY)
    assert read(mint({"aud": "x"}, KEY), KEY) == {"aud": "x"}


def test_the_vault_and_the_identity_endpoint_let_nobody_else_in(
    vault: Vault, managed_identity: ManagedIdentity
) -> None:
    token = mint({"aud": "https://vault.azure.net", "sub": "somebody else"}, KEY)
    header = {"Authorization": f"Bearer {token}"}

    assert requests.get(f"{vault.url}/secrets/x", headers=header, timeout=5).status_code == 403
    assert requests.get(f"{managed_identity.url}/msi/token", timeout=5).status_code == 401
