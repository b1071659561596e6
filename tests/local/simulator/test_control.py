"""The /_sim routes: what a test in another process, or a person, sees and changes."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from local.simulator.behaviour import Behaviour
from local.simulator.state import USUAL_RESELLERS
from tests.local.simulator.kit import CUSTOMER, PDF, USER_TOKEN, Client, attachment_path, line, sim

ORDERS = f"/v1/customers/{CUSTOMER}/orders"


def test_the_state_shows_orders_with_every_submission(client: Client) -> None:
    order = client.placed()
    client.attach(order)
    state = sim(client, "GET", "/state").json()
    (shown,) = state["orders"]
    (file,) = shown["submissions"][0]["files"]
    assert (shown["id"], shown["customerId"], shown["status"]) == (order, CUSTOMER, "po_upload_complete")
    assert shown["order"]["lineItems"][0]["offerId"] == "DG7GMGF0D7FV:0001:A"
    assert file["sha256"] == hashlib.sha256(PDF[1]).hexdigest()
    assert (file["fileName"], file["size"], file["kept"]) == ("PO.pdf", len(PDF[1]), True)
    assert state["behaviour"]["list_lag"] == 0
    assert state["faults"] == {"rules": [], "seed": 0, "rates": {}}


def test_the_requests_show_what_came_and_never_a_token(client: Client) -> None:
    client.attach(client.placed())
    client.get("/v1/nothing", Authorization="Bearer x")
    answer = sim(client, "GET", "/requests")
    journal = answer.json()
    assert journal["counts"] == {"POST order": 1, "POST attachment": 1, "unknown": 1}
    assert journal["connections"] == 1
    upload = journal["requests"][1]
    assert (upload["method"], upload["status"], upload["caller"]) == ("POST", 201, "user")
    assert upload["committed"]
    assert upload["requestBytes"] == int(upload["headers"]["Content-Length"])
    assert [item["caller"] for item in journal["requests"]] == ["user", "user", "none"]
    assert "Authorization" not in upload["headers"]
    assert USER_TOKEN not in answer.text


def test_a_kept_file_is_shown_without_a_token(client: Client) -> None:
    answer = client.attach(client.placed())
    shown = sim(client, "GET", f"/attachments/{answer.json()['items'][0]['attachmentId']}")
    assert (shown.content, shown.headers["Content-Type"]) == (PDF[1], "application/pdf")
    assert sim(client, "GET", "/attachments/none").status_code == 404


def test_a_seeded_order_can_be_read_and_attached_to(client: Client) -> None:
    seeded = sim(client, "POST", "/orders", {"customerId": CUSTOMER, "id": "5cf72f146967"})
    assert (seeded.status_code, seeded.json()["status"]) == (201, "pending_po_upload")
    assert client.attach("5cf72f146967").status_code == 201
    made = sim(client, "POST", "/orders", {"customerId": CUSTOMER, "status": "completed"}).json()
    assert client.get(f"{ORDERS}/{made['id']}").json()["status"] == "completed"


def test_an_opaque_order_id_is_decoded_from_the_path(client: Client) -> None:
    sim(client, "POST", "/orders", {"customerId": CUSTOMER, "id": "Cs/jy Tx"})
    assert client.call("GET", f"{ORDERS}/Cs%2Fjy%20Tx").json()["id"] == "Cs/jy Tx"
    assert client.attach("Cs%2Fjy%20Tx").status_code == 201


def test_resellers_can_be_replaced(client: Client) -> None:
    sim(client, "POST", "/resellers", [{"id": "r", "mpnId": "77"}])
    assert client.order(lineItems=[line(partnerIdOnRecord="77")]).status_code == 201
    assert client.order(lineItems=[line(partnerIdOnRecord="4847383")]).status_code == 404


def test_options_and_faults_are_changed_from_outside(client: Client) -> None:
    shown = sim(client, "POST", "/config", {"every_order_needs_po": True, "throttled": {}}).json()
    assert shown["every_order_needs_po"]
    assert client.order().json()["status"] == "pending_po_upload"
    fault = {"on": "POST order", "times": -1, "do": {"kind": "status", "status": 502}}
    assert len(sim(client, "POST", "/faults", [fault, fault]).json()["rules"]) == 2
    assert client.order().status_code == 502
    sim(client, "DELETE", "/faults")
    assert sim(client, "POST", "/faults", {"seed": 3, "rates": {"throttle": 1}}).json()["seed"] == 3
    assert client.order().status_code == 429


def test_reset_puts_everything_back_to_the_start(client: Client) -> None:
    client.partner_center.configure(every_order_needs_po=True)
    client.partner_center.faults.add({"on": "any", "skip": 9, "do": {"kind": "refuse"}})
    sim(client, "POST", "/resellers", [])
    client.attach(client.placed())
    assert sim(client, "POST", "/reset").status_code == 204
    state = client.partner_center.state
    assert (state.orders, state.behaviour, state.resellers) == ({}, Behaviour(), USUAL_RESELLERS)
    assert client.partner_center.faults.as_json() == {"rules": [], "seed": 0, "rates": {}}
    assert sim(client, "GET", "/requests").json()["counts"] == {}


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/config", {"lag": 1}, "there is no option 'lag'; there are honours_request_id"),
        ("/config", {"list_lag": "1"}, "list_lag does not take '1'"),
        ("/config", {"list_lag": True}, "list_lag does not take True"),
        ("/config", {"honours_request_id": 1}, "honours_request_id does not take 1"),
        ("/config", {"customers": "x"}, "customers does not take 'x'"),
        ("/config", {"throttled": {"x": "1"}}, "throttled does not take"),
        ("/config", {"audience": 1}, "audience does not take 1"),
        ("/config", [], "a JSON object is expected"),
        ("/faults", ["x"], "a JSON object is expected"),
        ("/faults", [{"on": "any"}], "do needs a kind"),
        ("/faults", {"seed": 1}, "a list of fault rules is expected"),
        ("/faults", {"rates": {"cut": "x"}}, "rates are numbers"),
        ("/orders", {"id": "x"}, "customerId is missing or not text"),
        ("/orders", {"customerId": "x", "state": "y"}, "there is no field 'state'"),
        ("/orders", {"customerId": "x", "status": "lost"}, "there is no order status 'lost'"),
        ("/resellers", {}, "a list of resellers is expected"),
    ],
)
def test_a_control_body_that_makes_no_sense_gets_a_sentence(
    client: Client, path: str, body: Any, reason: str
) -> None:
    answer = sim(client, "POST", path, body)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]


def test_control_routes_that_do_not_exist_say_where_to_look(client: Client) -> None:
    assert "GET /_sim shows" in sim(client, "GET", "/nothing").json()["error"]
    assert client.call("POST", "/_sim/config", data=b"{").status_code == 400


def test_the_dashboard_shows_orders_files_requests_and_faults_and_escapes_what_it_shows(
    client: Client,
) -> None:
    order = client.placed()
    metadata = '{"customerPrice": "1", "currency": "CAD", "note": "<script>"}'
    client.attach(order, [("POFiles", ("<b>.pdf", b"x", "application/pdf")), ("<i>", PDF)], metadata)
    client.partner_center.faults.add({"on": "any", "do": {"kind": "status", "status": 500}})
    client.attach(order)
    client.partner_center.faults.add({"on": "GET orders", "do": {"kind": "truncate"}})
    page = sim(client, "GET", "")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for shown in (order, CUSTOMER, "po_upload_complete", "&lt;b&gt;.pdf", "&lt;script&gt;", "500 900192"):
        assert shown in page.text
    assert "&quot;truncate&quot;" in page.text
    assert len(re.findall(r"<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d</time>", page.text)) == 5
    assert attachment_path(order) in page.text
    assert "ignored: &lt;i&gt;" in page.text
    assert "<script>" not in page.text
    assert "<b>.pdf" not in page.text
