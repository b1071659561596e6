"""What an operator reads when Entra refuses, is busy, or is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.simulator.entra import TokenFault, TokenService
from shared.auth.failures import AADSTS, Refusal, explain
from shared.auth.mode import Mode
from shared.core.errors import TokenError
from tests.auth.conftest import Clock, identity, tokens

FAMILIES = {
    50076: ("invalid_grant", "multifactor"),
    50079: ("interaction_required", "register for MFA"),
    50078: ("interaction_required", "MFA has expired"),
    700082: ("invalid_grant", "90 days"),
    70008: ("invalid_grant", "expired or was revoked"),
    50173: ("invalid_grant", "password changed"),
    65001: ("invalid_grant", "admin consent"),
    7000215: ("invalid_client", "not to its id"),
    7000222: ("invalid_client", "has expired"),
    700016: ("unauthorized_client", "PARTNER_CLIENT_ID"),
    90002: ("invalid_request", "PARTNER_TENANT_ID"),
    53003: ("access_denied", "Conditional access"),
    50034: ("invalid_grant", "does not exist"),
    70043: ("invalid_grant", "how long a sign-in lasts"),
    700025: ("invalid_client", "public client flows"),
    650052: ("invalid_client", "no enterprise application"),
    650056: ("invalid_client", "lists no permission"),
    50001: ("invalid_resource", "no enterprise application"),
    500014: ("invalid_resource", "is disabled in this tenant"),
    500011: ("invalid_resource", "is not known in this tenant"),
    650057: ("invalid_resource", "does not list"),
    90094: ("invalid_grant", "Grant admin consent"),
}


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("number", FAMILIES)
def test_each_family_has_its_sentence_number_and_ids(
    entra: TokenService, token_file: Path, number: int, mode: Mode
) -> None:
    error, said = FAMILIES[number]
    entra.faults.append(TokenFault(status=400, number=number, error=error))
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file)))

    with pytest.raises(TokenError) as caught:
        source.get(mode)
    text = str(caught.value)
    assert said in text
    assert re.search(rf"\(AADSTS{number}, trace id [0-9a-f-]{{36}}, correlation id [0-9a-f-]{{36}}\)$", text)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("invalid_grant", "does not accept the refresh token"),
        ("invalid_client", "credential"),
        ("interaction_required", "must sign in"),
        ("something_new", "sign-in logs"),
    ],
)
def test_an_error_without_a_number_is_told_by_its_name(
    entra: TokenService, token_file: Path, error: str, said: str
) -> None:
    entra.faults.append(TokenFault(status=400, error=error))
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file)))

    with pytest.raises(TokenError, match=said) as caught:
        source.get(Mode.APP_USER)
    assert error in str(caught.value)


def test_an_unknown_number_is_looked_up_at_entra() -> None:
    error = explain(Refusal(400, 0, '{"error":"invalid_grant2","error_description":"AADSTS123456: New."}'))

    assert "https://login.microsoftonline.com/error?code=123456" in str(error)
    assert "New." not in str(error)
    assert not error.retryable


def test_too_many_requests_are_told_by_the_status_alone() -> None:
    error = explain(Refusal(429, 7, ""))

    assert error.retryable
    assert error.retry_after == 7
    assert "rate" in str(error)


@pytest.mark.parametrize("text", ["", "<html>no JSON</html>", "[]", '{"error": 7}', "\x00" * 50])
def test_any_body_is_explained(text: str) -> None:
    assert str(explain(Refusal(400, 0, text)))
    assert explain(Refusal(502, 0, text)).retryable


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("status", [429, 500, 503, 0, 200])
def test_a_passing_fault_may_be_repeated(
    entra: TokenService, token_file: Path, status: int, mode: Mode
) -> None:
    entra.faults.append(TokenFault(status=status, times=2))
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file)))

    with pytest.raises(TokenError) as caught:
        source.get(mode)
    assert caught.value.retryable
    assert entra.count() == 2


@pytest.mark.parametrize("mode", list(Mode))
def test_retry_after_is_honoured_and_nobody_asks_before(
    entra: TokenService, token_file: Path, clock: Clock, mode: Mode
) -> None:
    entra.faults.append(TokenFault(status=429, retry_after=40))
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file)), clock)

    with pytest.raises(TokenError, match="rate"):
        source.get(mode)
    clock.ahead = 30
    with pytest.raises(TokenError, match="rate"):
        source.get(mode)
    assert entra.count() == 1
    clock.ahead = 41
    assert source.get(mode)


@pytest.mark.parametrize("mode", list(Mode))
def test_entra_that_says_nothing_is_given_up_in_bounded_time(
    entra: TokenService, token_file: Path, mode: Mode
) -> None:
    entra.faults.append(TokenFault(status=503, hang=30, times=2))
    settings = identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file))

    with pytest.raises(TokenError, match="did not answer") as caught:
        tokens(settings, timeout=0.2).get(mode)
    assert caught.value.retryable


@pytest.mark.parametrize("mode", list(Mode))
def test_entra_that_is_not_there_is_a_passing_fault(
    entra: TokenService, token_file: Path, mode: Mode
) -> None:
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file)))
    entra.stop()

    with pytest.raises(TokenError, match=r"https://localhost:\d+.* did not answer") as caught:
        source.get(mode)
    assert caught.value.retryable


@pytest.mark.parametrize("mode", list(Mode))
def test_an_authority_whose_certificate_nobody_vouches_for_gets_no_secret(
    entra: TokenService, token_file: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file)))

    with pytest.raises(TokenError, match="did not answer"):
        source.get(mode)
    assert entra.count() == 0


def test_no_sentence_promises_what_a_repetition_cannot_give() -> None:
    for number in AADSTS:
        error = explain(Refusal(400, 0, f'{{"error":"x_y_z","error_description":"AADSTS{number}: Text."}}'))
        assert not error.retryable
        assert error.number == number
