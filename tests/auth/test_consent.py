"""First consent: the real MSAL signs in at the simulated Entra; a small browser does what a user's would."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.simulator.entra import TokenFault, TokenService
from local.simulator.pki import Pki
from shared.auth.store import FileStore
from shared.tools.consent import main
from tests.auth.conftest import environment
from tests.auth.test_doctor import PartnerCenter


@pytest.fixture
def partner_center(pki: Pki) -> Iterator[PartnerCenter]:
    with PartnerCenter(pki) as service:
        yield service


@pytest.fixture
def env(entra: TokenService, partner_center: PartnerCenter, tmp_path: Path) -> dict[str, str]:
    return environment(
        entra,
        PARTNER_CENTER_BASE_URL=partner_center.url,
        PARTNER_REFRESH_TOKEN_FILE=str(tmp_path / "token"),
    )


def browser(url: str) -> None:
    """Open the page and send its form, as its script would."""
    page = requests.get(url, timeout=5)
    page.raise_for_status()
    action = re.search(r'action="([^"]*)"', page.text)
    assert action
    fields = re.findall(r'name="([^"]*)" value="([^"]*)"', page.text)
    back = requests.post(
        html.unescape(action[1]), {name: html.unescape(value) for name, value in fields}, timeout=5
    )
    assert back.status_code == 200


def consent(env: dict[str, str], *arguments: str, browse: object = browser) -> tuple[int, str]:
    said = io.StringIO()
    code = main(list(arguments), env, said.write, browse)  # type: ignore[arg-type]  # any callable will do
    stored = FileStore(env["PARTNER_REFRESH_TOKEN_FILE"]).read()
    assert stored is None or stored.reveal() not in said.getvalue()
    assert "eyJ" not in said.getvalue()
    return code, said.getvalue()


@pytest.mark.parametrize("arguments", [(), ("--device-code",)])
def test_the_refresh_token_lands_in_its_store_and_the_doctor_is_content(
    env: dict[str, str], entra: TokenService, arguments: tuple[str, ...]
) -> None:
    code, said = consent(env, *arguments)

    assert code == 0
    assert "user_impersonation" in said
    assert "Admin agent" in said
    assert "is stored" in said
    assert "app+user  ok" in said
    assert entra.count("refresh_token") == 1
    assert Path(env["PARTNER_REFRESH_TOKEN_FILE"]).stat().st_mode & 0o777 == 0o600


def test_the_code_comes_back_by_post_with_a_proof_key(env: dict[str, str]) -> None:
    urls: list[str] = []

    def watch(url: str) -> None:
        urls.append(url)
        browser(url)

    assert consent(env, browse=watch)[0] == 0
    assert "response_mode=form_post" in urls[0]
    assert "code_challenge_method=S256" in urls[0]


@pytest.mark.parametrize("arguments", [(), ("--device-code",)])
def test_a_sign_in_without_mfa_leaves_the_stored_token_alone(
    env: dict[str, str], entra: TokenService, arguments: tuple[str, ...]
) -> None:
    assert consent(env)[0] == 0
    before = Path(env["PARTNER_REFRESH_TOKEN_FILE"]).read_text()
    entra.directory.policy.mfa = False

    code, said = consent(env, *arguments)

    assert code == 1
    assert "Nothing was stored. MFA is missing" in said
    assert Path(env["PARTNER_REFRESH_TOKEN_FILE"]).read_text() == before


@pytest.mark.parametrize("arguments", [(), ("--device-code",)])
def test_a_user_who_declines_is_told_apart(
    env: dict[str, str], entra: TokenService, arguments: tuple[str, ...]
) -> None:
    entra.directory.policy.declined = True
    code, said = consent(env, *arguments)

    assert code == 1
    assert "AADSTS65004" in said
    assert not Path(env["PARTNER_REFRESH_TOKEN_FILE"]).exists()


def test_an_answer_for_another_sign_in_is_not_accepted(env: dict[str, str], entra: TokenService) -> None:
    def forge(url: str) -> None:
        browser(re.sub(r"state=[^&]*", "state=forged", url))

    code, said = consent(env, browse=forge)

    assert code == 1
    assert "Failed" in said
    assert entra.count("authorization_code") == 0


def test_stray_requests_to_the_redirect_uri_do_not_end_the_sign_in(env: dict[str, str]) -> None:
    def stray(url: str) -> None:
        found = re.search(r"redirect_uri=http%3A%2F%2Flocalhost%3A(\d+)", url)
        assert found
        here = f"http://localhost:{found[1]}"
        assert requests.get(f"{here}/favicon.ico", timeout=5).status_code == 404
        assert requests.post(here, {"nothing": "useful"}, timeout=5).status_code == 400
        browser(url)

    assert consent(env, browse=stray)[0] == 0


@pytest.mark.parametrize("arguments", [(), ("--device-code",)])
def test_a_wrong_secret_is_named(
    env: dict[str, str], entra: TokenService, arguments: tuple[str, ...]
) -> None:
    entra.faults.append(TokenFault(status=401, number=7000215, error="invalid_client"))
    code, said = consent(env, *arguments)

    assert code == 1
    assert "PARTNER_CLIENT_SECRET is wrong" in said


def test_without_a_store_nobody_signs_in(env: dict[str, str], entra: TokenService) -> None:
    env["PARTNER_REFRESH_TOKEN_FILE"] = ""
    said = io.StringIO()

    assert main([], env, said.write, browser) == 1
    assert "PARTNER_REFRESH_TOKEN_VAULT" in said.getvalue()
    assert entra.count() == 0
