"""Purchases through a cart, through the host: the orders and what became of each line, once for a key."""

from __future__ import annotations

import json
import uuid
from typing import Any

import requests

from tests.app.conftest import METADATA, PDF, App
from tests.local.hosts import eventually

LICENCES: dict[str, Any] = {
    "catalogItemId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P",
    "quantity": 5,
    "billingCycle": "annual",
    "termDuration": "P1Y",
}
PLAN: dict[str, Any] = {
    **LICENCES,
    "catalogItemId": "DG7GMGF0D7FV:0001:DG7GMGF0D7FV",
    "quantity": 1,
    "billingCycle": "one_time",
}
"""Its orders wait for a purchase order."""


def check_out(app: App, *lines: dict[str, Any], key: str = "", **headers: str) -> requests.Response:
    """POST a checkout; a key of "" is a fresh one."""
    url = f"{app.orders_url().removesuffix('orders')}checkouts"
    headers["Idempotency-Key"] = key or uuid.uuid4().hex
    return app.http.post(url, json={"lineItems": lines or (LICENCES,)}, headers=headers)


def simulate(app: App, what: str, body: Any) -> None:
    assert app.http.post(f"{app.partner_center}/_sim/{what}", json=body).ok


def slug(answer: requests.Response) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


def test_each_line_names_its_order_and_the_order_that_waits_gets_its_documents(app: App) -> None:
    answer = check_out(app, LICENCES, PLAN)
    body = answer.json()
    statuses = {order["id"]: order["status"] for order in body["orders"]}
    placed = [line["orderId"] for line in body["lines"]]

    assert answer.status_code == 201, answer.text
    assert [statuses[order] for order in placed] == ["completed", "pending_po_upload"]
    assert (answer.headers["X-Order-Status"], "Location" in answer.headers) == (
        "completed, pending_po_upload",
        False,
    )
    assert "attach" in answer.headers["X-Next-Step"]
    files = [("metadata", (None, json.dumps(METADATA))), ("pofiles", ("PO.pdf", PDF, "application/pdf"))]
    assert app.attach(placed[1], files=files).status_code == 201


def test_a_checkout_of_one_order_says_where_it_is(app: App) -> None:
    answer = check_out(app, LICENCES)
    assert app.http.get(answer.headers["Location"]).json()["id"] == answer.json()["orders"][0]["id"]


def test_the_same_key_buys_once_and_is_answered_by_both_routes(app: App) -> None:
    key = uuid.uuid4().hex
    first, again, other = (check_out(app, *lines, key=key) for lines in ((PLAN,), (PLAN,), (LICENCES,)))
    direct = app.place({"lineItems": [{"offerId": "P:S:A", "quantity": 2}]}, key)
    url = app.orders_url().replace("/orders", "/order-requests")
    asked = app.http.get(url, params={"key": key})

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content == asked.content
    assert again.headers["Idempotency-Replayed"] == asked.headers["Idempotency-Replayed"] == "true"
    assert not {"X-Order-Status", "X-Next-Step"} & set(again.headers)
    assert [(a.status_code, slug(a)) for a in (other, direct)] == [(422, "key-reused")] * 2
    assert len(app.seen()["orders"]) == 1


def test_a_checkout_whose_replies_are_all_lost_is_202_and_its_location_tells_the_orders(app: App) -> None:
    lost = {"on": "POST checkout", "times": 3, "do": {"kind": "lose_reply"}}
    unread = {"on": "GET cart", "times": 3, "do": {"kind": "status", "status": 503}}
    simulate(app, "faults", [lost, unread])
    key = uuid.uuid4().hex
    answer = check_out(app, LICENCES, PLAN, key=key)
    assert answer.status_code == 202, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    location = answer.headers["Location"]
    eventually(lambda: requests.get(location, timeout=10).status_code == 200)

    told = requests.get(location, timeout=10).json()
    assert {line["orderId"] for line in told["lines"]} == {order["id"] for order in app.seen()["orders"]}
    assert check_out(app, LICENCES, PLAN, key=key).json() == told


def test_lines_that_are_not_for_sale_are_named_and_the_key_stays_free(app: App) -> None:
    simulate(app, "config", {"cart_faults": {"DG7GMGF0D7FV": 10003}})
    key = uuid.uuid4().hex
    refused = check_out(app, LICENCES, PLAN, key=key)
    problem = refused.json()

    assert (refused.status_code, slug(refused)) == (422, "lines-refused")
    assert [error["pointer"] for error in problem["errors"]] == ["/lineItems/1"]
    assert "10003" in problem["errors"][0]["detail"]
    assert app.seen()["orders"] == []
    assert check_out(app, LICENCES, key=key).status_code == 201


def test_what_was_not_ordered_is_told_beside_what_was(app: App) -> None:
    simulate(app, "config", {"checkout_failures": {"DG7GMGF0D7FV": 800066}})
    part, none = check_out(app, LICENCES, PLAN), check_out(app, PLAN)
    lines = part.json()["lines"]

    assert (part.status_code, len(app.seen()["orders"])) == (201, 1)
    assert lines[0]["orderId"] == app.seen()["orders"][0]["id"]
    assert lines[1]["error"]["code"] == "800066"
    assert "new Idempotency-Key" in part.json()["remedy"]
    assert (none.status_code, slug(none)) == (422, "nothing-ordered")
    assert [error["pointer"] for error in none.json()["errors"]] == ["/lineItems/0"]
    assert "new Idempotency-Key" in none.json()["remedy"]


def test_every_fault_of_a_checkout_is_named_at_once(app: App) -> None:
    wrong = {"offerId": "A", "quantity": 0, "participants": []}
    answer = check_out(app, wrong, key="a b", **{"x-ms-customeruser-upn": "ada@contoso.example"})

    assert answer.status_code == 400
    assert {error["pointer"] for error in answer.json()["errors"]} >= {
        "header:Idempotency-Key",
        "header:x-ms-customeruser-upn",
        "/lineItems/0/offerId",
        "/lineItems/0/quantity",
        "/lineItems/0/catalogItemId",
        "/lineItems/0/participants",
    }
    assert not app.seen("/_sim/requests")["requests"]
