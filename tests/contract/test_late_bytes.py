"""Nothing of a request arrives after it was given up, and no reply is taken for that to another request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.simulator.pki import make_pki
from shared.core.errors import NotAppliedError, OutcomeUnknownError
from tests.contract.scripted_server import Connection, answer, close_after_request, reply
from tests.contract.world import ATTACHED, ORDER, Make, World, failing, po

SIZE = 2_000_000
"""Bytes that the buffers of both ends hold together, and that of the server alone does not."""


@pytest.fixture(params=["http", "https"])
def tls_world(
    request: pytest.FixtureRequest, world: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Make:
    if request.param == "http":
        return world
    pki = make_pki(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.ca))
    context = pki.server_context()
    return lambda *scripts: world(*scripts, tls=context)


class Late:
    """A server that reads the head of a request, and the rest only when the client has given up."""

    def __init__(self, *before: bytes) -> None:
        self.given_up, self.done = threading.Event(), threading.Event()
        self._before = before

    def __call__(self, connection: Connection) -> None:
        for data in self._before:
            connection.read_request()
            connection.send(data)
        connection.read_head()
        self.given_up.wait(5)
        connection.drain()
        self.done.set()

    def waits(self) -> None:
        self.given_up.set()
        assert self.done.wait(5)


def test_what_is_left_of_a_request_that_was_given_up_does_not_arrive(tls_world: Make) -> None:
    late = Late()
    w: World = tls_world(late)

    failing(OutcomeUnknownError, lambda: w.attach(po(SIZE), seconds=0.7))

    late.waits()
    assert w.server.received < SIZE


def test_it_does_not_arrive_over_a_connection_that_served_before_either(world: Make) -> None:
    late = Late(reply(200, ORDER))
    w = world(late)
    w.get()

    failing(OutcomeUnknownError, lambda: w.attach(po(SIZE), seconds=0.7))

    late.waits()
    assert (w.server.connections, w.server.resets) == (1, 1)
    assert w.server.received < SIZE


def test_a_request_that_is_given_up_half_way_does_not_arrive(world: Make) -> None:
    def slow() -> Iterator[bytes]:
        yield b"x" * (SIZE - 1)
        late.given_up.wait(1)
        yield b"x"

    late = Late()
    w = world(late)

    failing(NotAppliedError, lambda: w.attach(po(SIZE, slow), seconds=0.3))

    late.waits()
    assert w.server.resets == 1
    assert w.server.received < SIZE


def test_a_connection_that_was_answered_is_closed_and_not_reset(world: Make) -> None:
    ended = threading.Event()

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(reply(201, ORDER))
        connection.drain()
        ended.set()

    w = world(script)
    w.create()
    w.client.close()

    assert ended.wait(5)
    assert w.server.resets == 0


def test_the_reply_after_an_interim_one_is_not_taken_for_that_to_the_next_request(world: Make) -> None:
    asked = threading.Event()

    def early_hints(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        asked.wait(5)
        connection.send(reply(201, {"id": "of the first"}))
        connection.until_closed()

    def second(connection: Connection) -> None:
        connection.read_request()
        asked.set()
        connection.send(reply(201, {"id": "of the second"}))

    w = world(early_hints, second)

    assert failing(OutcomeUnknownError, w.create).status == 103
    assert w.create(seconds=1).json()["id"] == "of the second"


def test_the_check_runs_before_the_closing_bytes_and_stops_them(world: Make) -> None:
    until = datetime.now(UTC) + timedelta(minutes=1)
    now = [datetime.now(UTC)]

    def pieces() -> Iterator[bytes]:
        yield b"x" * 100_000
        now[0] = until
        yield b"x" * 100_000

    def check() -> None:
        if now[0] >= until:
            raise NotAppliedError("the claim has ended")

    w = world(close_after_request)

    error = failing(NotAppliedError, lambda: w.attach(po(200_000, pieces), check=check))
    assert str(error) == "the claim has ended"
    assert failing(NotAppliedError, lambda: w.create(check=check)) is not None
    assert w.server.requests == []


def test_the_check_lets_pass_what_is_in_time(world: Make) -> None:
    asked: list[int] = []
    w = world(answer(201, {**ORDER, **ATTACHED}))

    assert w.attach(po(), check=lambda: asked.append(1)).status == 201
    assert w.create(check=lambda: asked.append(2)).status == 201
    assert set(asked) == {1, 2}
