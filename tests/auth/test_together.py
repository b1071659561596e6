"""Many callers at once: one request for all of them, whatever it brings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.simulator.entra import TokenFault, TokenService
from shared.auth.mode import Mode
from shared.core.errors import TokenError
from tests.auth.conftest import Clock, identity, tokens


@pytest.mark.parametrize("mode", list(Mode))
def test_a_hundred_callers_without_a_token_make_one_request(
    entra: TokenService, token_file: Path, clock: Clock, mode: Mode
) -> None:
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file)), clock)

    assert len(set(_together(lambda: source.get(mode)))) == 1
    assert entra.count() == 1
    clock.ahead = 3601
    assert len(set(_together(lambda: source.get(mode)))) == 1
    assert entra.count() == 2


@pytest.mark.parametrize("mode", list(Mode))
def test_a_hundred_callers_whose_token_was_refused_make_one_request(
    entra: TokenService, token_file: Path, mode: Mode
) -> None:
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file)))
    refused = source.get(mode)

    def again() -> str:
        source.reject(mode, refused)
        return source.get(mode)

    assert refused not in _together(again)
    assert entra.count() == 2


@pytest.mark.parametrize("mode", list(Mode))
def test_a_hundred_callers_share_one_refusal(entra: TokenService, token_file: Path, mode: Mode) -> None:
    entra.faults.append(TokenFault(status=400, number=53003, error="access_denied", hang=0.1))
    source = tokens(identity(entra, PARTNER_REFRESH_TOKEN_FILE=str(token_file)))

    def attempt() -> str:
        with pytest.raises(TokenError) as caught:
            source.get(mode)
        return str(caught.value)

    assert len(set(_together(attempt))) == 1
    assert entra.count() == 1


def test_while_one_caller_renews_early_the_others_go_on_with_the_old_token(
    entra: TokenService, clock: Clock
) -> None:
    source = tokens(identity(entra), clock)
    old = source.get(Mode.APP)
    clock.ahead = 3400
    entra.faults.append(TokenFault(status=503, hang=30))
    renewing = threading.Thread(target=source.get, args=(Mode.APP,), daemon=True)
    renewing.start()
    while entra.faults:
        time.sleep(0.01)  # until the renewal has arrived

    assert set(_together(lambda: source.get(Mode.APP))) == {old}
    entra.release()
    renewing.join()


def _together(action: Callable[[], str]) -> list[str]:
    gate, results = threading.Barrier(100), list[str]()

    def run() -> None:
        gate.wait()
        results.append(action())

    threads = [threading.Thread(target=run) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 100
    return results
