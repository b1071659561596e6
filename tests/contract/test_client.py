"""The client's calls as they stand on the wire, and how it reads, waits and takes turns."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from shared.auth.mode import Mode
from shared.core.errors import InvalidInputError, NotConfiguredError, RefusedError
from shared.partner_center.client import PartnerIdCheck
from shared.partner_center.wire import Answer
from tests.contract.scripted_server import Connection, answer, answers_kept_alive, close_after_request, reply
from tests.contract.world import (
    ATTACHED,
    BIG,
    CUSTOMER,
    IDS,
    ORDER,
    ORDER_BODY,
    ORDER_ID,
    READS,
    RESELLERS,
    Make,
    failing,
    po,
    soon,
)


def test_create_order_on_the_wire(world: Make) -> None:
    w = world(answer(201, ORDER, {"MS-CorrelationId": "of-server"}))

    got = w.create()

    request = w.server.requests[0]
    assert (request.method, request.target) == ("POST", f"/v1/customers/{CUSTOMER}/orders")
    assert request.body == ORDER_BODY
    assert dict(request.headers) == {
        "host": w.server.url.removeprefix("http://"),
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": "Bearer TOKEN-1-of-app",
        "content-length": str(len(ORDER_BODY)),
        "content-type": "application/json",
        "ms-correlationid": IDS.correlation_id,
        "ms-partnercenter-application": "partner-center-functions",
        "ms-requestid": IDS.request_id,
        "user-agent": "partner-center-functions",
        "x-locale": "en-US",
    }
    assert got.status == 201
    assert (got.ids.request_id, got.ids.correlation_id) == (IDS.request_id, "of-server")
    assert world(answer(201, ORDER)).create().ids.correlation_id == IDS.correlation_id


def test_attach_on_the_wire(world: Make) -> None:
    w = world(answer(201, ATTACHED))

    w.attach(po(BIG))

    request = w.server.requests[0]
    assert request.target == f"/v1/customers/{CUSTOMER}/orders/{ORDER_ID}/attachment"
    assert request.headers["content-type"] == "multipart/form-data; boundary=B"
    assert request.headers["content-length"] == str(len(po(BIG)))
    assert "transfer-encoding" not in request.headers
    assert request.body == b"".join(map(bytes, po(BIG)))


@pytest.mark.parametrize("name", READS)
def test_a_read_on_the_wire(world: Make, name: str) -> None:
    read, target, body = READS[name]
    w = world(answer(200, body))

    assert read(w).json() == body

    request = w.server.requests[0]
    assert (request.method, request.target, request.body) == ("GET", "/v1" + target, b"")
    assert "content-length" not in request.headers


@pytest.mark.parametrize(
    ("modes", "create", "attach", "resellers"),
    [
        ((Mode.APP, Mode.APP_USER), "app", "app", "user"),
        ((Mode.APP_USER,), None, "user", "user"),
        ((Mode.APP,), "app", "app", None),
    ],
)
def test_every_call_carries_the_token_of_its_mode(
    world: Make, modes: tuple[Mode, ...], create: str | None, attach: str | None, resellers: str | None
) -> None:
    w = world(answer(200, {**ORDER, **RESELLERS}), modes=modes)
    calls: list[tuple[str | None, Callable[[], Answer]]] = [
        (create, w.create),
        (attach, w.attach),
        (resellers, lambda: READS["resellers"][0](w)),
    ]
    for expected, call in calls:
        if expected is None:
            failing(NotConfiguredError, call)
        else:
            call()
            assert w.server.requests[-1].headers["authorization"] == f"Bearer TOKEN-1-of-{expected}"


def test_the_netrc_of_the_account_is_not_used(
    world: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login eve password stolen\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    w = world(answer(200, ORDER))

    w.get()

    assert w.server.requests[0].headers["authorization"] == "Bearer TOKEN-1-of-app"


def test_ids_stay_one_segment_of_the_path(world: Make) -> None:
    w = world(answer(200, ORDER))

    w.client.get_order("a/../b?c#d", "Cs_j ü%2F", IDS, soon())

    assert w.server.requests[0].target == "/v1/customers/a%2F..%2Fb%3Fc%23d/orders/Cs_j%20%C3%BC%252F"


@pytest.mark.parametrize("bad", ["", ".", "..", "a\r\nb", "\ud800"])
def test_an_id_that_would_change_the_path_is_refused(world: Make, bad: str) -> None:
    w = world(answer(200, ORDER))

    failing(InvalidInputError, lambda: w.client.get_order(CUSTOMER, bad, IDS, soon()))
    failing(InvalidInputError, lambda: w.client.get_order(bad, ORDER_ID, IDS, soon()))
    assert w.server.connections == 0


def test_digits_of_an_answer_are_never_a_float(world: Make) -> None:
    body = b"\xef\xbb\xbf" + b'{"id": "1", "totalPrice": 0.10000000000000000001, "n": 1e400}'

    got = world(answer(200, body)).get()

    assert got.json()["totalPrice"] == Decimal("0.10000000000000000001")
    assert got.json()["n"] == Decimal("1e400")
    assert got.body == body


def test_connections_are_kept_and_cookies_are_not(world: Make) -> None:
    w = world(answers_kept_alive(*[reply(200, ORDER, {"Set-Cookie": "a=b"})] * 3))

    for _ in range(3):
        w.get()

    assert w.server.connections == 1
    assert "cookie" not in w.server.requests[2].headers


def test_a_connection_that_was_closed_while_idle_is_not_used_for_an_order(world: Make) -> None:
    closed = threading.Event()

    def once(connection: Connection) -> None:
        connection.read_request()
        connection.send(reply(200, ORDER))
        connection.close()
        closed.set()

    w = world(once, answer(201, ORDER))
    w.get()
    assert closed.wait(5)

    assert w.create().status == 201


# https://learn.microsoft.com/en-us/partner-center/developer/validate-reseller-partner-of-record
VALIDATED = {
    "validationResults": [
        {"partnerId": "12345", "isValidPartnerIdOnRecord": True},
        {
            "partnerId": "234567",
            "isValidPartnerIdOnRecord": False,
            "errorCode": 900400,
            "errorDescription": "no",
        },
        {"partnerId": 3, "isValidPartnerIdOnRecord": "true"},
    ]
}


def test_partner_ids_are_checked(world: Make) -> None:
    w = world(close_after_request, answer(200, VALIDATED))

    got = w.client.validate_resellers(["12345", "234567"], IDS, soon())

    request = w.server.requests[1]
    assert (request.method, request.target) == ("POST", "/v1/partners/validateresellers")
    assert json.loads(request.body) == {"partnerIds": ["12345", "234567"]}
    assert got == (
        PartnerIdCheck("12345", True, "", ""),
        PartnerIdCheck("234567", False, "900400", "no"),
        PartnerIdCheck("3", False, "", ""),
    )


@pytest.mark.parametrize("status", [404, 405])
def test_the_check_of_partner_ids_may_not_be_there(world: Make, status: int) -> None:
    assert world(answer(status)).client.validate_resellers(["1"], IDS, soon()) is None


def test_the_check_of_partner_ids_may_be_refused(world: Make) -> None:
    failing(RefusedError, lambda: world(answer(403)).client.validate_resellers(["1"], IDS, soon()))
