"""The two documents that the project comes from: their own examples work as they stand."""

from __future__ import annotations

import json

import pytest

from tests.app.conftest import CUSTOMER, PDF, App

# https://learn.microsoft.com/en-us/partner-center/developer/create-an-order-for-a-customer-of-an-indirect-reseller
ORDER = """{
"Id": null,
"ReferenceCustomerId": "c501c3c4-d776-40ef-9ecf-9cefb59442c1",
"BillingCycle": "unknown",
"LineItems": [{
"LineItemNumber": 0,
"OfferId": "DB2E705F-B82A-4024-A3D5-D88E12F2DB35",
"SubscriptionId": null,
"ParentSubscriptionId": null,
"FriendlyName": "New offer purchase.",
"Quantity": 5,
"PartnerIdOnRecord": "4847383",
"Attributes": {
"ObjectType": "OrderLineItem"
}
}
],
"CreationDate": null,
"Attributes": {
"ObjectType": "Order"
}
}"""


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_the_order_example_is_accepted_and_answered_as_documented(app: App, bom: str) -> None:
    correlation = "aaaa0000-bb11-2222-33cc-444444dddddd"
    answer = app.place((bom + ORDER).encode(), **{"MS-CorrelationId": correlation})

    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert order["referenceCustomerId"] == CUSTOMER
    assert order["billingCycle"] == "monthly"
    line = order["lineItems"][0]
    assert (line["offerId"], line["quantity"]) == ("DB2E705F-B82A-4024-A3D5-D88E12F2DB35", 5)
    assert line["partnerIdOnRecord"] == "4847383"
    assert order["attributes"]["objectType"] == "Order"
    assert answer.headers["Location"].endswith(f"/customers/{CUSTOMER}/orders/{order['id']}")
    assert answer.headers["MS-CorrelationId"] == correlation
    assert answer.headers["MS-RequestId"]
    assert answer.headers["MS-CV"]
    assert answer.headers["MS-ServerId"]


def test_the_order_example_is_sent_as_app_and_user_with_the_documented_headers(app: App) -> None:
    app.place(ORDER.encode())
    entry = next(e for e in app.seen("/_sim/requests")["requests"] if e["operation"] == "POST order")
    names = {name.lower() for name in entry["headers"]}

    assert entry["caller"] == "user"
    assert {"ms-requestid", "ms-correlationid", "x-locale", "accept"} <= names


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_the_reseller_look_up_ignores_case_and_fills_every_line(app: App, case: type[str]) -> None:
    reseller = next(r for r in app.seen()["resellers"] if r["mpnId"] == "4847383")
    lines = [{"offerId": "A", "quantity": 1}, {"offerId": "B", "quantity": 2}]
    answer = app.place({"indirectResellerId": case(reseller["id"]), "lineItems": lines})

    assert answer.status_code == 201, answer.text
    assert [line["partnerIdOnRecord"] for line in answer.json()["lineItems"]] == ["4847383", "4847383"]


def test_a_reseller_that_is_not_found_places_no_order(app: App) -> None:
    stranger = "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
    answer = app.place({"indirectResellerId": stranger, "lineItems": [{"offerId": "A", "quantity": 1}]})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/indirectResellerId"
    assert app.seen()["orders"] == []


def test_the_attachment_example_gives_the_documented_collection(app: App) -> None:
    order = app.new_order()
    metadata = {
        "isPartofTender": True,
        "customerPrice": "156.87",
        "currency": "CAD",
        "fxRate": "1.2",
        "tenderLink": "https://onedrive.com/ishdruiwiojfdhajhgdfgjhgj",
    }
    files = [
        ("metadata", (None, json.dumps(metadata), "application/json")),
        ("pofiles", ("PO_Part1.pdf", PDF, "application/pdf")),
        ("pofiles", ("PO_Part2.pdf", PDF + b"2", "application/pdf")),
        ("TenderFiles", ("Tender.pdf", PDF + b"t", "application/pdf")),
    ]
    answer = app.attach(order, files=files)

    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["totalCount"] == 3
    assert body["attributes"] == {"objectType": "Collection"}
    assert [(i["fileName"], i["attachmentType"]) for i in body["items"]] == [
        ("PO_Part1.pdf", "POAttachment"),
        ("PO_Part2.pdf", "POAttachment"),
        ("Tender.pdf", "TenderAttachment"),
    ]
    sent = json.loads(app.received(order)["submissions"][0]["metadata"])
    assert sent["customerPrice"] == "156.87"
    assert sent["fxRate"] == "1.2"
    assert app.http.get(app.attach_url(order)).json()["totalCount"] == 3
    assert app.http.get(f"{app.orders_url()}/{order}").json()["status"] == "po_upload_complete"
    assert {e["caller"] for e in app.seen("/_sim/requests")["requests"]} == {"app"}
