"""How the client reads again, waits, and takes turns."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from shared.auth.mode import Mode
from shared.core.errors import (
    NotAppliedError,
    PartnerCenterError,
    RefusedError,
    ThrottledError,
    TokenError,
    TokenRejectedError,
)
from tests.contract.scripted_server import (
    Connection,
    answer,
    close_after_request,
    close_at_once,
    hang,
    raw,
    reply,
)
from tests.contract.world import ORDER, READS, Make, failing


@pytest.mark.parametrize(
    "bad",
    [close_at_once, close_after_request, raw(b"HTTP/1.1 200 OK\r\n\r\n{"), answer(500), answer(503)],
)
def test_a_read_is_tried_three_times(world: Make, bad: Callable[[Connection], None]) -> None:
    w = world(bad, bad, answer(200, ORDER))

    assert w.get().json() == ORDER
    assert w.server.connections == 3
    assert w.slept == [0.5, 1.5]


@pytest.mark.parametrize("name", READS)
def test_a_read_that_fails_is_never_an_unknown_outcome(world: Make, name: str) -> None:
    read = READS[name][0]
    w = world(close_after_request)

    failing(NotAppliedError, lambda: read(w))
    assert w.server.connections == 3

    error = failing(RefusedError, lambda: read(world(answer(500, {"code": "800003"}))))
    assert error.advice.retryable


def test_a_read_does_not_wait_beyond_its_deadline(world: Make) -> None:
    w = world(answer(503))

    failing(RefusedError, lambda: w.get(seconds=0.4))

    assert w.slept == []
    failing(NotAppliedError, lambda: world(hang).get(seconds=0.3))


@pytest.mark.parametrize("status", [103, 202, 204, 206])
def test_an_odd_success_is_no_answer_to_a_read(world: Make, status: int) -> None:
    w = world(answer(status, ORDER), answer(status, ORDER), answer(200, ORDER))

    assert w.get().status == 200
    assert w.server.connections == 3
    failing(NotAppliedError, world(answer(status, ORDER)).get)


def test_a_read_that_is_refused_is_not_tried_again(world: Make) -> None:
    w = world(answer(404, {"code": 20000}))

    failing(RefusedError, w.get)

    assert w.server.connections == 1


def test_a_read_is_replayed_once_with_a_new_token(world: Make) -> None:
    w = world(answer(401), answer(200, ORDER))
    assert w.get().json() == ORDER
    assert w.server.requests[1].headers["authorization"] == "Bearer TOKEN-2-of-app"

    refused = world(answer(401))
    failing(TokenRejectedError, refused.get)
    assert refused.server.connections == 2


def test_a_token_that_cannot_be_had_is_not_asked_for_again(world: Make) -> None:
    w = world(answer(200, ORDER))
    asked: list[Mode] = []

    def get(mode: Mode) -> str:
        asked.append(mode)
        raise TokenError("Entra does not answer", retryable=True)

    w.tokens.get = get  # type: ignore[method-assign]  # another token source
    failing(TokenError, w.get)

    assert len(asked) == 1
    assert w.server.connections == 0


@pytest.mark.parametrize("token", ["TOKEN-\u20ac", "TOKEN-\r\nX: y"])
def test_a_token_that_no_header_can_hold_is_not_told(world: Make, token: str) -> None:
    w = world(answer(200, ORDER))
    w.tokens.get = lambda mode: token  # type: ignore[method-assign]  # another token source

    failing(NotAppliedError, w.create)


@pytest.mark.parametrize(
    "page",
    [
        {"totalCount": 2, "items": [{"id": "1"}]},
        {"totalCount": 1, "items": [{"id": "1"}], "links": {"next": {"uri": "/more"}}},
    ],
)
def test_a_page_of_the_resellers_is_not_taken_for_the_whole(world: Make, page: dict[str, object]) -> None:
    failing(NotAppliedError, lambda: READS["resellers"][0](world(answer(200, page))))
    assert READS["attachments"][0](world(answer(200, page))).json() == page


def test_a_throttled_customer_is_refused_here_until_its_time_is_up_and_nobody_else(world: Make) -> None:
    w = world(answer(429, b"", {"Retry-After": "60"}), answer(201, ORDER))
    failing(ThrottledError, w.create)
    w.now += 20

    for call in (w.create, w.get, w.attach):
        error = failing(ThrottledError, call)
        assert error.retry_after == 40
    assert w.server.connections == 1
    assert w.create(customer="another").status == 201
    w.now += 40.5
    assert w.create().status == 201


def test_every_throttled_customer_is_remembered(world: Make) -> None:
    w = world(answer(429, b"", {"Retry-After": "60"}))
    for customer in ("one", "two", "three"):
        failing(ThrottledError, lambda customer=customer: w.create(customer=customer))  # type: ignore[misc]

    failing(ThrottledError, lambda: w.create(customer="one"))
    assert w.server.connections == 3


def test_a_throttled_customer_waits_for_no_place_and_takes_none(world: Make) -> None:
    arrived, go = threading.Semaphore(0), threading.Event()

    def throttling(connection: Connection) -> None:
        connection.read_request()
        arrived.release()
        go.wait(5)
        connection.send(reply(429, b"", {"Connection": "close", "Retry-After": "1"}))

    w = world(answer(429, b"", {"Retry-After": "60"}), throttling, calls_in_flight=1)
    failing(ThrottledError, lambda: w.create(customer="throttled"))
    calls = [threading.Thread(target=lambda: failing(ThrottledError, w.create)) for _ in range(2)]
    for call in calls:
        call.start()
    assert arrived.acquire(timeout=5)

    failing(ThrottledError, lambda: w.create(customer="throttled"))
    go.set()
    for call in calls:
        call.join(5)

    assert w.server.connections == 2


def test_a_throttled_read_is_not_tried_again(world: Make) -> None:
    w = world(answer(429), answer(200, ORDER))

    failing(ThrottledError, w.get)

    assert w.server.connections == 1


def test_no_more_calls_than_places_are_under_way(world: Make) -> None:
    arrived, go = threading.Semaphore(0), threading.Event()

    def held(connection: Connection) -> None:
        connection.read_request()
        arrived.release()
        go.wait(5)
        connection.send(reply(201, ORDER, {"Connection": "close"}))

    w = world(held, calls_in_flight=2)
    threads = [threading.Thread(target=w.create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        assert arrived.acquire(timeout=5)

    failing(NotAppliedError, lambda: w.create(seconds=0.1))
    go.set()
    for thread in threads:
        thread.join(5)

    assert w.server.connections == 2
    assert w.create().status == 201


def test_a_place_is_given_back_after_every_failure(world: Make) -> None:
    w = world(close_after_request, answer(400), answer(500), answer(201, ORDER), calls_in_flight=1)

    for _ in range(3):
        with pytest.raises(PartnerCenterError):
            w.create()

    assert w.create().status == 201


def test_a_call_that_comes_too_late_is_not_sent(world: Make) -> None:
    w = world(answer(201, ORDER))

    failing(NotAppliedError, lambda: w.create(seconds=-1))
    failing(NotAppliedError, lambda: w.get(seconds=-1))

    assert w.server.connections == 0
