"""What people do by hand: in answers like everything else, in the state told apart."""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.simulator.state import Origin
from tests.local.simulator.kit import CUSTOMER, OTHER_CUSTOMER, PDF, Client, Clock, line, orders_path, sim

SCAN = b"%PDF-1.7 scan"


def test_a_file_that_a_person_uploads_is_listed_and_is_no_submission(client: Client, clock: Clock) -> None:
    order = client.placed()
    client.attach(order)
    clock.ahead += 1
    client.partner_center.portal.upload(order, "Scan.pdf", "TenderAttachment", SCAN)
    clock.ahead += 1
    client.attach(order)
    items = client.attached(order)
    assert [item["fileName"] for item in items] == ["PO.pdf", "Scan.pdf", "PO.pdf"]
    assert items[1] | {"attachmentId": ""} == {
        "attachmentId": "",
        "fileName": "Scan.pdf",
        "sizeInKB": 1,
        "attachmentType": "TenderAttachment",
    }
    download = client.get(f"{orders_path()}/{order}/attachment/{items[1]['attachmentId']}")
    assert (download.content, download.headers["Content-Type"]) == (SCAN, "application/pdf")
    there = client.partner_center.state.orders[order]
    assert [len(there.submissions), len(there.by_hand), len(there.attachments)] == [2, 1, 3]
    (shown,) = sim(client, "GET", "/state").json()["orders"]
    assert [[file["fileName"] for file in it["files"]] for it in shown["submissions"]] == [["PO.pdf"]] * 2
    assert [[file["sha256"] for file in it["files"]] for it in shown["byHand"]] == [
        [hashlib.sha256(SCAN).hexdigest()]
    ]


def test_an_upload_by_hand_moves_the_order_on_and_lags_like_any_other(client: Client, clock: Clock) -> None:
    client.partner_center.configure(attachment_lag=60)
    order = client.placed()
    etag = client.get(f"{orders_path()}/{order}").json()["attributes"]["etag"]
    client.partner_center.portal.upload(order, "Scan.pdf", "POAttachment", SCAN)
    now = client.get(f"{orders_path()}/{order}").json()
    assert now["status"] == "po_upload_complete"
    assert now["attributes"]["etag"] != etag
    assert client.attached(order) == []
    clock.ahead += 61
    assert len(client.attached(order)) == 1


def test_contents_by_hand_count_among_what_is_kept(client: Client) -> None:
    client.partner_center.configure(keep_total=len(SCAN) + len(PDF[1]) - 1)
    order = client.placed()
    portal = client.partner_center.portal
    assert portal.upload(order, "a.pdf", "POAttachment", SCAN).content == SCAN
    assert portal.upload(order, "b.pdf", "POAttachment", SCAN).content is None
    client.partner_center.configure(keep_total=10**6, keep_bytes=len(SCAN) - 1)
    assert portal.upload(order, "c.pdf", "POAttachment", SCAN).content is None


def test_a_file_is_uploaded_by_hand_over_http(client: Client) -> None:
    order = client.placed()
    content = base64.b64encode(SCAN).decode()
    answer = sim(client, "POST", "/uploads", {"orderId": order, "fileName": "S.pdf", "content": content})
    assert answer.status_code == 201
    assert client.attached(order) == [answer.json()]
    assert answer.json()["attachmentType"] == "POAttachment"


def test_a_quantity_that_a_person_changes_shows_in_the_order_and_in_the_list(client: Client) -> None:
    order = client.order(lineItems=[line(), line(lineItemNumber=1, quantity=9)]).json()
    path = f"{orders_path()}/{order['id']}"
    changes = {"lineItems": [{"lineItemNumber": 1, "quantity": 7}], "currencyCode": "CAD"}
    client.partner_center.portal.change_order(order["id"], changes)
    (listed,) = client.get(orders_path()).json()["items"]
    for now in (client.get(path).json(), listed):
        assert [item["quantity"] for item in now["lineItems"]] == [5, 7]
        assert now["lineItems"][1]["offerId"] == order["lineItems"][1]["offerId"]
        assert (now["currencyCode"], now["status"]) == ("CAD", "completed")
        assert now["attributes"]["etag"] != order["attributes"]["etag"]
    (shown,) = sim(client, "GET", "/state").json()["orders"]
    assert (shown["origin"], shown["changes"]) == ("api", [changes])


def test_an_order_is_changed_by_hand_over_http(client: Client) -> None:
    order = client.placed()
    body = {"orderId": order, "changes": {"status": "cancelled", "creationDate": None}}
    assert sim(client, "POST", "/changes", body).json()["status"] == "cancelled"
    assert client.get(f"{orders_path()}/{order}").json()["creationDate"] is None


def test_an_order_that_a_person_places_says_what_its_body_says(client: Client) -> None:
    body: dict[str, Any] = {"lineItems": [line(quantity="many")], "creationDate": "soon", "alternateId": 7}
    made = sim(
        client, "POST", "/orders", {"customerId": CUSTOMER, "body": body, "status": "completed"}
    ).json()
    bare = client.partner_center.portal.place_order(CUSTOMER, {"lineItems": None, "id": 5}, order_id="bare")
    client.placed()
    assert body.items() <= made.items()
    assert made["referenceCustomerId"] == CUSTOMER
    shown = client.get(orders_path()).json()["items"]
    assert shown[0] == made
    assert (shown[1]["lineItems"], shown[1]["id"]) == (None, 5)
    assert client.get(f"{orders_path()}/{bare.id}").status_code == 200
    origins = [order["origin"] for order in sim(client, "GET", "/state").json()["orders"]]
    assert origins == ["portal", "portal", "api"] == [*map(str, (Origin.PORTAL, Origin.PORTAL, Origin.API))]


def test_an_order_placed_by_hand_has_the_date_of_the_service(client: Client) -> None:
    client.partner_center.configure(clock_skew=7200, list_lag=60)
    placed = client.partner_center.portal.place_order(CUSTOMER)
    created = datetime.fromisoformat(client.get(f"{orders_path()}/{placed.id}").json()["creationDate"])
    assert created - datetime.now(UTC) > timedelta(seconds=7100)
    assert client.get(orders_path()).json()["items"] == []


@pytest.mark.parametrize("shapes", [{}, {"profile": "other", "order_nulls": True, "quantity_as": "text"}])
@pytest.mark.parametrize("lines", [None, "x", 5, [None], ["x"], [{}], [{"quantity": True, "offerId": 5}]])
def test_any_body_can_be_shown_in_every_shape(client: Client, shapes: dict[str, Any], lines: object) -> None:
    client.partner_center.configure(**shapes)
    client.partner_center.portal.place_order(CUSTOMER, {"lineItems": lines, "creationDate": "0001-01-01"})
    assert client.get(orders_path()).json()["totalCount"] == 1


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/uploads", {"orderId": "none", "fileName": "x"}, "there is no order 'none'"),
        ("/uploads", {"orderId": "a", "fileName": "x", "kind": "PO"}, "there are POAttachment, TenderAttach"),
        ("/uploads", {"orderId": "a", "fileName": "x", "content": "?"}, ""),
        ("/uploads", {"orderId": "a"}, "fileName is missing"),
        ("/changes", {"orderId": "none", "changes": {}}, "there is no order 'none'"),
        ("/changes", {"orderId": "a"}, "a JSON object is expected"),
        ("/changes", {"orderId": "a", "changes": {"status": "lost"}}, "there is no order status 'lost'"),
        ("/changes", {"orderId": "a", "changes": {"lineItems": {}}}, "lineItems is not a list"),
        ("/changes", {"orderId": "a", "changes": {"lineItems": [{"quantity": 1}]}}, "lineItemNumber None"),
        (
            "/changes",
            {"orderId": "a", "changes": {"lineItems": [{"lineItemNumber": 0, "quantity": 1}, {}]}},
            "None",
        ),
        ("/orders", {"customerId": "c", "body": []}, "a JSON object is expected"),
        ("/padding", {"customerId": "c"}, "orders and lines are whole numbers"),
        ("/padding", {"customerId": "c", "orders": 1, "lines": "2"}, "orders and lines are whole numbers"),
        ("/padding", {"orders": 1}, "customerId is missing"),
    ],
)
def test_what_cannot_be_done_by_hand_gets_a_sentence_and_changes_nothing(
    client: Client, path: str, body: dict[str, Any], reason: str
) -> None:
    client.partner_center.portal.place_order(CUSTOMER, {"lineItems": [line()]}, order_id="a")
    before = sim(client, "GET", "/state").json()
    answer = sim(client, "POST", path, body)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    assert sim(client, "GET", "/state").json() == before


def test_a_customer_can_have_more_orders_than_any_answer_should_hold(client: Client) -> None:
    mine = client.placed()
    started = time.monotonic()
    assert sim(client, "POST", "/padding", {"customerId": CUSTOMER, "orders": 11_000}).status_code == 204
    answer = client.get(orders_path())
    assert time.monotonic() - started < 30  # usually one second
    assert len(answer.content) > 8 * 1024 * 1024
    assert answer.json()["totalCount"] == 11_001
    assert answer.json()["items"][0]["id"] == mine
    assert client.get(orders_path(OTHER_CUSTOMER)).json()["totalCount"] == 0
    state = sim(client, "GET", "/state").json()
    assert ([order["id"] for order in state["orders"]], state["padding"]) == ([mine], 11_000)


def test_padding_is_made_of_ordinary_orders_of_earlier_days(client: Client) -> None:
    mine = client.order().json()
    client.partner_center.portal.pad_orders(CUSTOMER, 3, lines=2)
    client.partner_center.configure(list_lag=900, order_visible_after=900)
    items = client.get(orders_path()).json()["items"]
    assert [len(item["lineItems"]) for item in items] == [2, 2, 2]
    assert set(items[0]) == set(mine)
    assert set(mine["lineItems"][0]) < set(items[0]["lineItems"][0])
    dates = [item["creationDate"] for item in items]
    assert sorted(set(dates)) == dates
    assert dates[-1] < mine["creationDate"]
    assert client.get(f"{orders_path()}/{items[0]['id']}").json() == items[0]


def test_the_page_tells_what_was_done_by_hand(client: Client) -> None:
    portal, order = client.partner_center.portal, client.placed()
    portal.upload(order, "<Scan>.pdf", "POAttachment", SCAN)
    portal.change_order(order, {"alternateId": "<b>"})
    portal.pad_orders(CUSTOMER, 150)
    page = sim(client, "GET", "").text
    assert "Orders (1, and 150 of earlier days)" in page
    assert "by hand</p><ul><li><a href" in page
    assert "&lt;Scan&gt;.pdf" in page
    assert "changed by hand: <code>{&quot;alternateId&quot;: &quot;&lt;b&gt;&quot;}" in page
    assert "placed by hand" not in page
    portal.place_order(CUSTOMER)
    assert "placed by hand" in sim(client, "GET", "").text
