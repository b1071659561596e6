"""A server that repeats the first answer that an MS-RequestId got, whatever it was."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from tests.local.simulator.kit import CUSTOMER, OTHER_CUSTOMER, Client, attachment_path, orders_path, said


@pytest.fixture(autouse=True)
def _repeats(client: Client) -> None:
    client.partner_center.configure(repeats_first_error=True)
    new_id(client)


def new_id(client: Client) -> None:
    client.session.headers["MS-RequestId"] = str(uuid.uuid4())


def fault(client: Client, on: str = "POST attachment", **do: Any) -> None:
    client.partner_center.faults.add({"on": on, "do": do})


def submissions(client: Client, order: str) -> int:
    return len(client.partner_center.state.orders[order].submissions)


@pytest.mark.parametrize(
    ("do", "status", "effects"),
    [
        ({"kind": "status", "status": 500}, 500, 0),
        ({"kind": "status", "status": 500, "commit": True}, 500, 1),
        ({"kind": "status", "status": 404, "body": "<html>"}, 404, 0),
        ({"kind": "garbage"}, 201, 1),
    ],
)
def test_an_answer_that_a_fault_gave_is_repeated_until_another_id_comes(
    client: Client, do: dict[str, Any], status: int, effects: int
) -> None:
    order = client.placed()
    new_id(client)
    fault(client, **do)
    answers = [client.attach(order) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [status] * 4
    assert submissions(client, order) == effects
    assert [entry.committed for entry in client.partner_center.journal.entries()[2:]] == [False] * 3
    new_id(client)
    assert client.attach(order).status_code == 201
    assert submissions(client, order) == effects + 1


def test_a_repeated_error_is_the_first_one_with_its_body_and_headers(client: Client) -> None:
    html = {"Content-Type": "text/html", "Retry-After": "7"}
    fault(client, "POST order", kind="status", status=503, body="<html>busy", headers=html)
    answers = [client.order() for _ in range(2)]
    for answer in answers:
        assert (answer.text, answer.headers["Content-Type"]) == ("<html>busy", "text/html")
        assert answer.headers["Retry-After"] == "7"


def test_a_refusal_is_repeated_although_its_reason_is_gone(client: Client) -> None:
    assert said(client.attach("later")) == (404, "20000")
    client.partner_center.portal.place_order(CUSTOMER, order_id="later")
    assert said(client.attach("later")) == (404, "20000")
    new_id(client)
    assert client.attach("later").status_code == 201


@pytest.mark.parametrize("kind", ["lose_reply", "hang"])
def test_an_answer_that_nobody_heard_is_told_the_second_time_without_doing_it_again(
    client: Client, kind: str
) -> None:
    do = {"kind": kind, "seconds": 0.01, "commit": True} if kind == "hang" else {"kind": kind}
    fault(client, "POST order", **do)
    with pytest.raises(requests.ConnectionError):
        client.order()
    (order,) = client.partner_center.state.orders
    assert [client.order().json()["id"] for _ in range(2)] == [order] * 2


def test_a_repetition_can_be_lost_too(client: Client) -> None:
    client.order()
    fault(client, "POST order", kind="lose_reply")
    with pytest.raises(requests.ConnectionError):
        client.order()
    assert len(client.partner_center.state.orders) == 1


def test_what_stands_before_the_service_is_not_repeated(client: Client) -> None:
    fault(client, "POST order", kind="throttle")
    fault(client, "POST order", kind="status", status=401)
    bad = {"Authorization": "Bearer x"}
    statuses = [client.call("POST", orders_path(), bad, json={}).status_code]
    statuses += [client.order().status_code for _ in range(3)]
    assert statuses == [429, 401, 201, 201]
    assert len(client.partner_center.state.orders) == 1


def test_only_the_same_call_is_answered_again_and_reads_never_are(client: Client) -> None:
    fault(client, "POST order", kind="status", status=500)
    assert [client.order().status_code, client.order(OTHER_CUSTOMER).status_code] == [500, 201]
    order = client.partner_center.portal.place_order(CUSTOMER).id
    assert client.attach(order).status_code == 201
    fault(client, "GET orders", kind="status", status=500)
    assert [client.get(orders_path()).status_code for _ in range(2)] == [500, 200]


def test_a_request_without_an_id_is_never_repeated(client: Client) -> None:
    del client.session.headers["MS-RequestId"]
    order = client.placed()
    fault(client, kind="status", status=500)
    assert [client.attach(order).status_code for _ in range(2)] == [500, 201]


def test_the_body_of_a_repeated_upload_is_read_and_the_connection_stays_usable(client: Client) -> None:
    order = client.placed()
    new_id(client)
    fault(client, kind="status", status=500)
    large = [("POFiles", ("PO.pdf", b"x" * 2_000_000, "application/pdf"))]
    assert [client.attach(order, list(large)).status_code for _ in range(2)] == [500, 500]
    assert client.get(f"{attachment_path(order)}s").json()["totalCount"] == 0
    assert len({entry.connection for entry in client.partner_center.journal.entries()}) == 1


def test_without_the_option_an_error_is_not_kept(client: Client) -> None:
    client.partner_center.configure(repeats_first_error=False, honours_request_id=True)
    fault(client, "POST order", kind="status", status=500)
    assert [client.order().status_code for _ in range(2)] == [500, 201]
