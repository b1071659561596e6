"""What is known after each way in which a call can fail, on real sockets."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.auth.mode import Mode
from shared.clock import Deadline
from shared.core.errors import (
    InvalidInputError,
    NotAppliedError,
    OutcomeUnknownError,
    RefusedError,
    SourceFailedError,
    ThrottledError,
    TokenRejectedError,
)
from shared.partner_center.client import PartnerCenter
from shared.partner_center.transport import MAX_REPLY
from tests.contract.scripted_server import (
    Connection,
    Script,
    answer,
    answer_early,
    close_after_request,
    hang,
    never_read,
    raw,
    reply,
    reset_after_request,
    reset_in_the_middle,
)
from tests.contract.world import (
    ATTACHED,
    BIG,
    CUSTOMER,
    IDS,
    IDS_OF_REPLY,
    ORDER,
    Make,
    Tokens,
    World,
    failing,
    po,
)


def unreachable(world: World) -> World:
    world.server.close()
    return world


def test_nobody_listens_and_nothing_was_sent(world: Make) -> None:
    w = unreachable(world(hang))

    assert "ConnectionRefusedError" in str(failing(NotAppliedError, w.create))
    failing(NotAppliedError, w.attach)


def test_a_body_that_was_sent_whole_before_does_not_make_a_refused_connection_unknown(world: Make) -> None:
    w, body = world(close_after_request), po()
    failing(OutcomeUnknownError, lambda: w.attach(body))

    failing(NotAppliedError, lambda: unreachable(w).attach(body))


def test_tls_fails_and_nothing_was_sent(world: Make) -> None:
    w = world(lambda connection: connection.send(b"no TLS here\r\n"))
    client = PartnerCenter(w.server.url.replace("http:", "https:"), Tokens(Mode.APP))
    w.client.close()
    w.client = client

    failing(NotAppliedError, w.create)
    assert w.server.requests == []


def test_a_reset_in_the_middle_of_the_body_is_known(world: Make) -> None:
    w = world(reset_in_the_middle)

    failing(NotAppliedError, lambda: w.attach(po(BIG)))
    assert w.server.connections == 1


def test_a_server_that_takes_nothing_is_given_up_at_the_deadline(world: Make) -> None:
    w = world(never_read)

    failing(NotAppliedError, lambda: w.attach(po(BIG), seconds=0.3))


def test_a_document_that_fails_is_not_taken_for_a_lost_reply(world: Make) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise ConnectionResetError("storage went away")

    w = world(close_after_request)

    failing(SourceFailedError, lambda: w.attach(po(BIG, broken)))
    assert w.server.requests == []


def test_whoever_is_late_does_not_complete_the_request(world: Make) -> None:
    now = [0.0]

    def slow() -> Iterator[bytes]:
        yield b"x" * 100_000
        now[0] = 11.0
        yield b"x" * 100_000

    w = world(close_after_request)
    deadline = Deadline(10.0, lambda: now[0])

    failing(NotAppliedError, lambda: w.client.attach("c", "o", po(200_000, slow), IDS, deadline))
    assert w.server.requests == []


def test_the_wait_for_the_reply_is_what_the_sending_has_left(world: Make) -> None:
    def slow() -> Iterator[bytes]:
        time.sleep(0.4)
        yield b"x" * 100

    def late(connection: Connection) -> None:
        connection.read_request()
        connection.stopped(0.6)
        connection.send(reply(201, ATTACHED))

    with pytest.raises((NotAppliedError, OutcomeUnknownError)):
        world(late).attach(po(100, slow), seconds=0.8)


def test_a_document_is_let_go_as_soon_as_sending_has_failed(world: Make) -> None:
    closed = []

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            closed.append(True)

    failing(NotAppliedError, lambda: world(reset_in_the_middle).attach(po(100_000 * 1000, pieces)))

    assert closed == [True]


@pytest.mark.parametrize("script", [close_after_request, reset_after_request, hang], ids=lambda s: s.__name__)
def test_sent_whole_and_no_answer_is_unknown_and_sent_once(world: Make, script: Script) -> None:
    w = world(script)

    error = failing(OutcomeUnknownError, lambda: w.create(seconds=0.5))
    assert (error.ids.request_id, error.ids.correlation_id) == (IDS.request_id, IDS.correlation_id)
    assert (error.status, error.code, error.answer) == (0, "", "")
    failing(OutcomeUnknownError, lambda: w.attach(seconds=0.5))
    assert len(w.server.requests) == 2
    assert w.server.connections == 2
    assert w.slept == []


def trickle(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
    while not connection.stopped(0.05):
        connection.send(b" ")


def trickle_and_close(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n")
    while not connection.stopped(0.05):
        connection.send(b" ")


def stall(connection: Connection) -> None:
    connection.read_request()
    connection.send(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n{")
    connection.until_closed()


@pytest.mark.parametrize("script", [trickle, trickle_and_close, stall], ids=lambda s: s.__name__)
def test_an_answer_that_does_not_end_before_the_deadline_is_unknown(world: Make, script: Script) -> None:
    failing(OutcomeUnknownError, lambda: world(script).create(seconds=0.4))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"code": 800005, "description": "Create order isn't successful"}),
        (500, b""),
        (501, {"code": 0}),
        (502, b"<html>Bad gateway</html>"),
        (503, b""),
        (504, {"message": "upstream"}),
        (408, b""),
        (409, {"code": "800060", "description": "in progress"}),
        (409, b""),
        (201, b""),
        (201, b"{"),
        (201, b"<html></html>"),
        (201, b"[]"),
        (201, b'{"id": "1", "totalPrice": NaN}'),
        (201, b'{"id": ""}'),
        (201, {"items": "none", "ID": 1}),
        (200, {"code": 999, "description": "not documented under 200"}),
        (202, b""),
        (204, b""),
        (201, b"[" * 100_000),
    ],
)
def test_an_answer_that_does_not_tell_is_unknown_with_the_ids_of_the_reply(
    world: Make, status: int, body: Any
) -> None:
    w = world(answer(status, body, IDS_OF_REPLY))

    for call in (w.create, w.attach):
        error = failing(OutcomeUnknownError, call)
        assert (error.ids.request_id, error.ids.cv, error.ids.server_id) == ("req-of-server", "cv.1", "s1")
        assert error.status == status
    assert len(w.server.requests) == 2


@pytest.mark.parametrize(
    "data",
    [
        reply(201, ORDER, {"Content-Length": "4000"}),
        reply(201, b"", {"Content-Length": "10"}),
        b'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n',
        b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 201 Created\r\n\r\n" + b" " * MAX_REPLY + b'{"id": "1"}',
        b"HTTP/1.1 201",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 201 Created\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    ],
    ids=["short", "empty", "chunk", "gzip", "too long", "half a status line", "not http", "headers"],
)
def test_an_answer_that_broke_off_is_unknown(world: Make, data: bytes) -> None:
    failing(OutcomeUnknownError, world(raw(data)).create)


def test_a_success_of_attach_needs_items_and_one_of_create_an_id(world: Make) -> None:
    failing(OutcomeUnknownError, world(answer(201, ORDER)).attach)
    failing(OutcomeUnknownError, world(answer(201, ATTACHED)).create)
    assert world(answer(201, ATTACHED)).attach().status == 201
    assert world(answer(200, ORDER)).create().status == 200


@pytest.mark.parametrize("odd", ["..", "a\r\nb", "\ud800", "a/b?c#d", "注文", "x" * 5000])
def test_an_order_whose_id_fits_no_path_or_header_is_an_order(world: Make, odd: str) -> None:
    w = world(answer(201, {"id": odd}), answer(200, ORDER))

    assert w.create().json()["id"] == odd.encode("utf-8", "replace").decode()
    with contextlib.suppress(InvalidInputError):
        assert w.client.get_order(CUSTOMER, odd, IDS, Deadline.after(5)).status == 200


@pytest.mark.parametrize(
    ("status", "kind"), [(401, TokenRejectedError), (413, RefusedError), (429, ThrottledError)]
)
def test_an_early_answer_is_read_although_the_sending_fails(
    world: Make, status: int, kind: type[RefusedError]
) -> None:
    w = world(answer_early(reply(status, {"code": "4711", "description": "early"}, {"Connection": "close"})))

    error = failing(kind, lambda: w.attach(po(BIG)))

    assert error.description == "early"


def test_a_port_that_answers_nothing_is_given_up_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        client = PartnerCenter(f"http://127.0.0.1:{listener.getsockname()[1]}", Tokens(Mode.APP))
        w = World(hang)
        w.client.close()
        w.client = client
        failing(NotAppliedError, lambda: w.attach(po(BIG), seconds=0.3))
        w.close()
