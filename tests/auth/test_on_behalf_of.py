"""A signed-in user's own token, exchanged through the real MSAL."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.simulator.entra import TokenFault, TokenService
from local.simulator.tokens import read
from shared.auth.entra import Entra
from shared.auth.mode import Mode
from shared.auth.on_behalf_of import Exchanges
from shared.auth.secret import Secret
from shared.core.errors import NotConfiguredError, TokenError
from tests.auth.conftest import KEY, Clock, identity, tokens


def test_a_users_token_is_exchanged_once_until_it_ends(entra: TokenService, clock: Clock) -> None:
    source, assertion = tokens(identity(entra), clock), entra.directory.issue_user_assertion()

    first = source.on_behalf_of(assertion)
    assert read(first, KEY)["scp"] == "user_impersonation"
    assert source.on_behalf_of(assertion) == first
    clock.ahead = 3600
    assert source.on_behalf_of(assertion) != first
    assert entra.count("urn:ietf:params:oauth:grant-type:jwt-bearer") == 2


def test_each_user_has_a_token_of_their_own(entra: TokenService) -> None:
    source = tokens(identity(entra))
    users = [entra.directory.issue_user_assertion() for _ in range(3)]

    assert len({source.on_behalf_of(user) for user in users}) == 3


def test_the_number_of_users_that_are_remembered_is_bounded(entra: TokenService) -> None:
    exchanges = Exchanges(Entra(identity(entra), timeout=5), Clock(), most=2)
    users = [Secret(entra.directory.issue_user_assertion()) for _ in range(3)]

    for user in users:
        exchanges.get(user)
    assert len(exchanges) == 2
    exchanges.get(users[2])
    assert entra.count() == 3
    exchanges.get(users[0])
    assert entra.count() == 4


def test_of_the_remembered_users_the_one_not_seen_for_longest_is_forgotten(entra: TokenService) -> None:
    exchanges = Exchanges(Entra(identity(entra), timeout=5), Clock(), most=2)
    first, second, third = (Secret(entra.directory.issue_user_assertion()) for _ in range(3))

    for user in (first, second, first, third, first):
        exchanges.get(user)
    assert entra.count() == 3


def refused(action: Callable[[], object]) -> TokenError:
    with pytest.raises(TokenError) as caught:
        action()
    return caught.value


@pytest.mark.parametrize("kind", ["made up", "for another application"])
def test_a_bad_token_is_refused_for_a_minute_by_one_request(
    entra: TokenService, clock: Clock, kind: str
) -> None:
    source = tokens(identity(entra), clock)
    other = entra.directory.issue_user_assertion(audience="another application")
    assertion = "made.up.token" if kind == "made up" else other

    said = {str(refused(lambda: source.on_behalf_of(assertion))) for _ in range(5)}
    clock.ahead = 55
    said.add(str(refused(lambda: source.for_user(assertion).get(Mode.APP_USER))))
    assert len(said) == 1
    assert entra.count() == 1
    clock.ahead = 61
    refused(lambda: source.on_behalf_of(assertion))
    assert entra.count() == 2


@pytest.mark.parametrize(("number", "error"), [(500133, "invalid_grant"), (50027, "invalid_request")])
def test_an_expired_or_malformed_token_is_refused_for_a_minute_too(
    entra: TokenService, clock: Clock, number: int, error: str
) -> None:
    source, assertion = tokens(identity(entra), clock), entra.directory.issue_user_assertion()
    entra.faults.append(TokenFault(status=400, number=number, error=error))

    refused(lambda: source.on_behalf_of(assertion))
    clock.ahead = 55
    refused(lambda: source.on_behalf_of(assertion))
    assert entra.count() == 1


@pytest.mark.parametrize(
    "fault",
    [
        TokenFault(status=503, times=2),
        TokenFault(status=500, error="invalid_grant", times=2),
        TokenFault(status=0, times=2),
        TokenFault(status=200, times=2),
    ],
)
def test_what_says_nothing_about_the_users_token_is_forgotten_in_seconds(
    entra: TokenService, clock: Clock, fault: TokenFault
) -> None:
    source, assertion = tokens(identity(entra), clock), entra.directory.issue_user_assertion()
    entra.faults.append(dataclasses.replace(fault))

    assert refused(lambda: source.on_behalf_of(assertion)).retryable
    clock.ahead = 3
    assert source.on_behalf_of(assertion)


def test_made_up_tokens_fill_no_memory_and_drive_no_user_out(entra: TokenService) -> None:
    exchanges = Exchanges(Entra(identity(entra), timeout=5), Clock(), most=2)
    users = [Secret(entra.directory.issue_user_assertion()) for _ in range(2)]
    for user in users:
        exchanges.get(user)

    for n in range(6):
        refused(lambda n=n: exchanges.get(Secret(f"made.up.{n}")))  # type: ignore[misc]
    assert len(exchanges) == 4
    assert entra.count() == 8
    for user in users:
        exchanges.get(user)
    assert entra.count() == 8


def test_a_slow_exchange_of_one_user_holds_no_other(entra: TokenService) -> None:
    source = tokens(identity(entra), timeout=30)
    slow, quick = (entra.directory.issue_user_assertion() for _ in range(2))
    entra.faults.append(TokenFault(status=503, hang=30))
    waiting = threading.Thread(target=source.on_behalf_of, args=(slow,), daemon=True)
    waiting.start()
    while entra.faults:
        time.sleep(0.01)  # until the slow exchange has arrived

    assert source.on_behalf_of(quick)
    refused(lambda: source.on_behalf_of("made.up.token"))
    assert waiting.is_alive()
    entra.release()
    waiting.join()


def test_a_hundred_requests_with_one_made_up_token_ask_once(entra: TokenService) -> None:
    source = tokens(identity(entra))
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: refused(lambda: source.on_behalf_of("made.up.token")), range(100)))

    assert len({str(answer) for answer in answers}) == 1
    assert entra.count() == 1


def test_a_token_for_another_application_is_refused_with_the_cause(entra: TokenService) -> None:
    assertion = entra.directory.issue_user_assertion(audience="another application")

    with pytest.raises(TokenError, match=r"not meant for this application.*AADSTS500131"):
        tokens(identity(entra)).on_behalf_of(assertion)


def test_what_is_no_token_of_entra_is_refused(entra: TokenService) -> None:
    with pytest.raises(TokenError, match="AADSTS50013"):
        tokens(identity(entra)).on_behalf_of("made.up.token")


def test_as_a_token_source_it_serves_both_modes_and_drops_what_is_refused(entra: TokenService) -> None:
    source = tokens(identity(entra))
    user = source.for_user(entra.directory.issue_user_assertion())

    assert user.configured(Mode.APP_USER)
    assert user.get(Mode.APP) == source.get(Mode.APP)
    first = user.get(Mode.APP_USER)
    user.reject(Mode.APP_USER, first)
    assert user.get(Mode.APP_USER) != first


def test_without_the_applications_credential_nobody_is_asked(entra: TokenService) -> None:
    source = tokens(identity(entra, PARTNER_CLIENT_SECRET=""))

    with pytest.raises(NotConfiguredError, match="PARTNER_CLIENT_SECRET"):
        source.on_behalf_of(entra.directory.issue_user_assertion())
    assert entra.count() == 0
