"""Everything that goes in as a secret, looked for in everything that comes out."""

from __future__ import annotations

import contextlib
import json
import logging
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from local.simulator.entra import TokenFault, TokenService
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.vault import Vault
from shared.auth.mode import Mode
from shared.auth.secret import AccessToken, Grant, Secret
from shared.auth.source import Tokens
from shared.core.errors import AppError, TokenError
from tests.auth.conftest import IDENTITY_CLIENT, SECRET, identity, tokens
from tests.auth.test_stores import NAME

FAULTS = [
    TokenFault(status=400, number=7000215, error="invalid_client", times=2),
    TokenFault(status=400, number=700082, error="invalid_grant", times=2),
    TokenFault(status=503, times=2),
    TokenFault(status=429, times=2),
    TokenFault(status=0, times=2),
    TokenFault(status=200, times=2),
]


class Exchange:
    """Exchanges a user's token; a lambda's own frame would show it."""

    def __init__(self, source: Tokens, assertion: str) -> None:
        self._source = source
        self._assertion = assertion

    def __call__(self) -> str:
        return self._source.on_behalf_of(self._assertion)


def spill(action: Callable[[], object]) -> str:
    """Return the crash dump of `action`, with the local variables of every frame and every cause."""
    with pytest.raises(AppError) as caught:
        action()
    error = caught.value
    dump = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(dump.format()) + repr(error) + repr(vars(error))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.status}-{f.number}")
def test_no_failure_shows_a_secret(
    entra: TokenService, token_file: Path, caplog: pytest.LogCaptureFixture, fault: TokenFault
) -> None:
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file)))
    assertion = entra.directory.issue_user_assertion()
    hidden = [SECRET, token_file.read_text(), assertion, "eyJ"]
    seen = ""

    with caplog.at_level(logging.DEBUG):
        for action in (
            lambda: source.get(Mode.APP),
            lambda: source.get(Mode.APP_USER),
            Exchange(source, assertion),
        ):
            entra.faults[:] = [TokenFault(fault.status, fault.number, fault.error, times=2)]
            seen += spill(action)
    seen += _logged(caplog)

    assert [secret for secret in hidden if secret in seen] == []


def answer_of(**members: object) -> bytes:
    whole = {
        "token_type": "Bearer",
        "expires_in": 3599,
        "access_token": "eyJ.CANARY.CANARY",
        "refresh_token": "1.CANARY",
    }
    return json.dumps({**whole, **members}).encode()


ODD_ANSWERS = {
    "a page": b"<html>CANARY</html>",
    "half of an answer": answer_of()[:-9],
    "a list": b'["CANARY"]',
    "a text": b'"CANARY"',
    "nested deep": b'{"access_token":"CANARY","x":' + b"[" * 100_000,
    "an error with a description": b'{"error": "invalid_request", "error_description": "you sent CANARY"}',
    "an error of another shape": b'{"error": {"code": "CANARY", "message": ["CANARY"]}}',
    "no lifetime": answer_of(expires_in="CANARY"),
    "a lifetime that is no number": answer_of(expires_in=float("nan")),
    "a lifetime without end": answer_of(expires_in="1e400"),
    "a lifetime that is over": answer_of(expires_in=-5),
    "a token with a line break": answer_of(access_token="CANARY\r\nX: y"),
    "a token beyond ASCII": answer_of(access_token="CANARY\u2713\ud800"),
    "a token that is a number": answer_of(access_token=7),
    "no token": answer_of(access_token=""),
    "a token of one letter": answer_of(access_token="t"),
    "claims that are no token": answer_of(id_token="CANARY.CANARY.CANARY"),
}


@pytest.mark.parametrize("status", [200, 400, 403, 500])
@pytest.mark.parametrize("body", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_an_odd_answer_of_entra_is_one_of_our_errors_and_stands_in_no_log(
    entra: TokenService, token_file: Path, caplog: pytest.LogCaptureFixture, status: int, body: bytes
) -> None:
    seen = ""
    with caplog.at_level(logging.WARNING):
        for mode in Mode:
            source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file)))
            entra.faults[:] = [TokenFault(status, body=body, times=2)]
            try:
                token = source.get(mode)
            except TokenError as error:
                seen += f"{error} {error!r} {vars(error)}"
            else:  # its end is out of the ordinary, but it is a token
                assert token == "eyJ.CANARY.CANARY"
            entra.faults.clear()

    assert "CANARY" not in seen + _logged(caplog)


def test_no_success_shows_a_secret(
    entra: TokenService,
    vault: Vault,
    managed_identity: ManagedIdentity,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vault.versions[NAME] = [entra.directory.issue_refresh_token()]
    settings = identity(entra, PARTNER_REFRESH_TOKEN_VAULT=vault.url)

    for name in ("azure", "msal"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    with caplog.at_level(logging.DEBUG):
        source = tokens(settings)
        got = [source.get(Mode.APP), source.get(Mode.APP_USER)]
    seen = _logged(caplog) + repr(source) + repr(vars(source)) + repr(settings)

    assert not [r for r in caplog.records if r.name.startswith(("azure", "msal"))]
    hidden = [SECRET, *vault.versions[NAME], *got, "eyJ"]
    assert [secret for secret in hidden if secret in seen] == []


def test_a_vault_that_fails_shows_no_token(
    entra: TokenService, vault: Vault, managed_identity: ManagedIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    vault.versions[NAME] = [entra.directory.issue_refresh_token()]
    vault.fail_writes_with = 500
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_VAULT=vault.url))

    with caplog.at_level(logging.DEBUG):
        source.get(Mode.APP_USER)
    assert "refresh token not saved" in caplog.text
    assert "1.refresh-" not in _logged(caplog) + _held(source)


def test_an_identity_endpoint_that_breaks_off_shows_no_token(
    entra: TokenService, vault: Vault, managed_identity: ManagedIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    managed_identity.cut_short = True
    settings = identity(
        entra,
        PARTNER_CLIENT_SECRET="",
        PARTNER_FEDERATED_CREDENTIAL=IDENTITY_CLIENT,
        PARTNER_REFRESH_TOKEN_VAULT=vault.url,
    )

    with caplog.at_level(logging.DEBUG):
        dumped = [spill(partial(tokens(settings).get, mode)) for mode in Mode]
    assert managed_identity.asked
    assert "eyJ" not in "".join(dumped) + _logged(caplog)


def test_a_password_of_a_certificate_is_not_shown(entra: TokenService, tmp_path: Path) -> None:
    path = tmp_path / "app.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nnonsense-inside\n-----END CERTIFICATE-----\n")
    source = tokens(
        identity(
            entra,
            PARTNER_CLIENT_SECRET="",
            PARTNER_CLIENT_CERTIFICATE=str(path),
            PARTNER_CLIENT_CERTIFICATE_PASSWORD="pass-of-the-certificate",
        )
    )

    dumped = spill(lambda: source.get(Mode.APP))
    assert "pass-of-the-certificate" not in dumped
    assert "nonsense-inside" not in dumped


def test_values_that_hold_secrets_do_not_show_them() -> None:
    secret, access = Secret("hidden"), AccessToken("hidden", 1.0)

    assert "hidden" not in f"{secret} {secret!r} {access!r} {Grant(access, secret)!r}"
    assert secret == Secret("hidden")
    assert secret != Secret("other")
    assert secret != "hidden"


def _held(source: Tokens) -> str:
    return repr(vars(source)) + repr(vars(source._chain))


def _logged(caplog: pytest.LogCaptureFixture) -> str:
    lines = []
    for record in caplog.records:
        with contextlib.suppress(TypeError):
            lines.append(record.getMessage())
        lines.append(repr(vars(record)))
    return "\n".join(lines)
