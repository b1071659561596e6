"""What goes wrong on request: each fault, what it leaves behind, and which request it hits."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from typing import Any

import pytest
import requests

from local.simulator.faults import KINDS, OPERATIONS, RANDOM, Faults, parse_rule
from tests.local.simulator.kit import CUSTOMER, OTHER_CUSTOMER, Client, attachment_path, head, raw

ORDERS = f"/v1/customers/{CUSTOMER}/orders"


def attach_under(client: Client, order: str, **do: Any) -> requests.Response:
    client.partner_center.faults.add({"on": "POST attachment", "do": do})
    return client.attach(order)


def submissions(client: Client, order: str) -> int:
    return len(client.partner_center.state.orders[order].submissions)


@pytest.mark.parametrize(
    ("do", "committed"),
    [
        ({"kind": "lose_reply"}, 1),
        ({"kind": "truncate"}, 1),
        ({"kind": "hang", "seconds": 0.01, "commit": True}, 1),
        ({"kind": "hang", "seconds": 0.01}, 0),
        ({"kind": "refuse"}, 0),
        ({"kind": "cut", "after_bytes": 100}, 0),
        ({"kind": "cut", "after_bytes": 10_000_000}, 0),
    ],
)
def test_a_lost_answer_leaves_behind_what_its_kind_says(
    client: Client, do: dict[str, Any], committed: int
) -> None:
    order = client.placed()
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        attach_under(client, order, **do)
    assert submissions(client, order) == committed
    entry = client.partner_center.journal.entries()[-1]
    assert (entry.fault, entry.committed) == (do["kind"], bool(committed))
    assert entry.status == (201 if do["kind"] == "truncate" else None)
    assert client.attach(order).status_code == 201


def test_a_cut_resets_the_connection_and_a_lost_reply_ends_it_in_good_order(client: Client) -> None:
    client.partner_center.faults.add({"on": "any", "do": {"kind": "cut"}})
    client.partner_center.faults.add({"on": "any", "do": {"kind": "lose_reply"}})
    with closing(socket.create_connection(("127.0.0.1", client.partner_center.port))) as connection:
        connection.sendall(head("GET", ORDERS))
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert raw(client.partner_center, head("GET", ORDERS)) == b""


@pytest.mark.parametrize(("commit", "committed"), [(False, 0), (True, 1)])
def test_a_status_comes_before_or_after_the_work(client: Client, commit: bool, committed: int) -> None:
    order = client.placed()
    answer = attach_under(client, order, kind="status", status=503, commit=commit)
    assert (answer.status_code, answer.json()["code"]) == (503, "900192")
    assert submissions(client, order) == committed


@pytest.mark.parametrize(
    ("body", "expected"),
    [("", b""), ("\ufeff{}", b"\xef\xbb\xbf{}"), ({"code": 0}, b'{"code": 0}')],
)
def test_a_status_carries_any_body_and_headers(client: Client, body: object, expected: bytes) -> None:
    headers = {"Retry-After": "7", "Content-Type": "text/plain"}
    answer = attach_under(client, client.placed(), kind="status", status=500, body=body, headers=headers)
    assert (answer.content, answer.headers["Retry-After"]) == (expected, "7")


def test_a_throttled_request_does_nothing_and_says_how_long_to_wait(client: Client) -> None:
    order = client.placed()
    answer = attach_under(client, order, kind="throttle", retry_after=9)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "9")
    assert "again in 9 seconds" in answer.json()["message"]
    assert submissions(client, order) == 0


def test_garbage_is_a_201_that_is_not_json(client: Client) -> None:
    order = client.placed()
    answer = attach_under(client, order, kind="garbage")
    assert answer.status_code == 201
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert submissions(client, order) == 1


def test_a_truncated_answer_is_a_201_that_ends_early(client: Client) -> None:
    order = client.placed()
    client.partner_center.faults.add({"on": "any", "do": {"kind": "truncate"}})
    answer = client.call(
        "POST", attachment_path(order), data=b"", headers={"Content-Type": "text/plain"}, stream=True
    )
    assert int(answer.headers["Content-Length"]) > 0
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        answer.content  # noqa: B018 - reads the body


def test_a_delayed_answer_is_the_usual_one(client: Client) -> None:
    assert attach_under(client, client.placed(), kind="delay", seconds=0.01).status_code == 201


def test_a_dropped_part_is_accepted_and_missing(client: Client) -> None:
    order = client.placed()
    answer = attach_under(client, order, kind="drop_part", name="pofiles")
    assert (answer.status_code, answer.json()["items"]) == (201, [])
    assert client.partner_center.state.orders[order].submissions[0].dropped == ("POFiles",)


def test_a_lost_reply_of_an_order_leaves_one_order(client: Client) -> None:
    client.partner_center.faults.add({"on": "POST order", "do": {"kind": "lose_reply"}})
    with pytest.raises(requests.ConnectionError):
        client.order()
    assert len(client.partner_center.state.orders) == 1


def test_an_honoured_request_id_brings_the_lost_answer_back(client: Client) -> None:
    client.partner_center.configure(honours_request_id=True)
    client.session.headers["MS-RequestId"] = CUSTOMER
    client.partner_center.faults.add({"on": "POST order", "do": {"kind": "lose_reply"}})
    with pytest.raises(requests.ConnectionError):
        client.order()
    (order,) = client.partner_center.state.orders
    assert client.order().json()["id"] == order


def test_a_fault_skips_and_counts_only_what_it_matches(client: Client) -> None:
    fault = {"kind": "status", "status": 500}
    client.partner_center.faults.add(
        {"on": "GET orders", "customer": CUSTOMER.upper(), "skip": 1, "times": 2, "do": fault}
    )
    statuses = [client.get(ORDERS).status_code for _ in range(4)]
    other = client.get(f"/v1/customers/{OTHER_CUSTOMER}/orders").status_code
    assert (statuses, other) == ([200, 500, 500, 200], 200)


def test_a_fault_for_ever_lasts_until_it_is_called_off(client: Client) -> None:
    client.partner_center.faults.add({"on": "any", "times": -1, "do": {"kind": "status", "status": 500}})
    assert {client.get(ORDERS).status_code for _ in range(3)} == {500}
    client.partner_center.faults.clear()
    assert client.get(ORDERS).status_code == 200


def test_the_first_order_that_applies_wins(client: Client) -> None:
    for status in (500, 502):
        client.partner_center.faults.add({"on": "any", "do": {"kind": "status", "status": status}})
    assert [client.get(ORDERS).status_code for _ in range(3)] == [500, 502, 200]


def schedule(faults: Faults, customer: str, count: int = 60) -> list[str]:
    hits = [faults.take("POST attachment", customer) for _ in range(count)]
    return [hit.kind if hit else "" for hit in hits]


def test_a_random_schedule_repeats_with_its_seed_whatever_else_arrives() -> None:
    rates = {"lose_reply": 0.2, "status_after_commit": 0.2, "refuse": 0.1}
    first, second, other = Faults(), Faults(), Faults()
    first.set_random_faults(7, rates)
    second.set_random_faults(7, rates)
    other.set_random_faults(8, rates)
    schedule(second, OTHER_CUSTOMER)
    hits = schedule(first, CUSTOMER)
    assert hits == schedule(second, CUSTOMER) != schedule(other, CUSTOMER)
    assert set(hits) == {"", "lose_reply", "status", "refuse"}


def test_a_random_schedule_reaches_requests_and_ends_without_rates(client: Client) -> None:
    client.partner_center.faults.set_random_faults(1, {"throttle": 1})
    assert client.get(ORDERS).status_code == 429
    client.partner_center.faults.set_random_faults(1, {})
    assert client.get(ORDERS).status_code == 200


def test_every_kind_can_be_injected_and_every_random_fault_is_one_of_them() -> None:
    for kind in KINDS:
        assert parse_rule({"on": "any", "do": {"kind": kind}}).do.kind == kind
    assert {fault.kind for fault in RANDOM.values()} <= set(KINDS)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"on": "DELETE order", "do": {"kind": "refuse"}}, "on is 'DELETE order'"),
        ({"on": "any"}, "needs a kind"),
        ({"on": "any", "do": {"kind": "explode"}}, "needs a kind"),
        ({"on": "any", "do": {"kind": "refuse", "seconds": 1}}, "no field 'seconds'"),
        ({"on": "any", "do": {"kind": "hang", "seconds": "1"}}, "seconds of hang"),
        ({"on": "any", "do": {"kind": "hang", "commit": 1}}, "commit of hang"),
        ({"on": "any", "do": {"kind": "throttle", "retry_after": True}}, "retry_after of throttle"),
        ({"on": "any", "do": {"kind": "early", "status": 200}}, "status of early does not take 200"),
        ({"on": "any", "do": {"kind": "early", "status": 101}}, "status of early does not take 101"),
        ({"on": "any", "do": {"kind": "status", "gateway": 1}}, "gateway of status"),
        ({"on": "any", "do": {"kind": "refuse"}, "count": 1}, "no field 'count'"),
        ({"on": "any", "do": {"kind": "refuse"}, "times": "2"}, "whole numbers"),
    ],
)
def test_a_fault_order_that_makes_no_sense_is_refused_by_name(order: dict[str, Any], reason: str) -> None:
    faults = Faults()
    with pytest.raises(ValueError, match=reason):
        faults.add({"on": "any", "do": {"kind": "refuse"}}, order)
    assert faults.as_json()["rules"] == []


@pytest.mark.parametrize(
    ("rates", "reason"),
    [({"x": 0.1}, "no random fault is called 'x'"), ({"cut": 2}, "at most 1"), ({"cut": -1}, "pro")],
)
def test_rates_that_make_no_sense_are_refused(rates: dict[str, float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Faults().set_random_faults(1, rates)


def test_many_threads_share_a_fault_without_losing_count() -> None:
    faults = Faults()
    hits: list[bool] = []
    faults.add({"on": "any", "skip": 50, "times": 100, "do": {"kind": "refuse"}})

    def take() -> None:
        hits.extend(faults.take(OPERATIONS[0], CUSTOMER) is not None for _ in range(100))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(hits), sum(hits)) == (400, 100)
