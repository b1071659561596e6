"""Placing, listing and reading orders."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from local.simulator.partner_center import PartnerCenterSimulator
from tests.local.simulator.kit import CUSTOMER, KEY, OTHER_CUSTOMER, REQUEST_ID, Client, line, said

ORDERS = f"/v1/customers/{CUSTOMER}/orders"
DOCUMENTED = {
    "Id": None,
    "ReferenceCustomerId": CUSTOMER,
    "BillingCycle": "unknown",
    "LineItems": [
        {
            "LineItemNumber": 0,
            "OfferId": "DB2E705F-B82A-4024-A3D5-D88E12F2DB35",
            "SubscriptionId": None,
            "ParentSubscriptionId": None,
            "FriendlyName": "New offer purchase.",
            "Quantity": 5,
            "PartnerIdOnRecord": "4847383",
            "Attributes": {"ObjectType": "OrderLineItem"},
        }
    ],
    "CreationDate": None,
    "Attributes": {"ObjectType": "Order"},
}
"""https://learn.microsoft.com/en-us/partner-center/developer/create-an-order-for-a-customer-of-an-indirect-reseller"""


def test_the_documents_own_request_gives_the_documented_response(client: Client) -> None:
    answer = client.call("POST", ORDERS, json=DOCUMENTED)
    order = answer.json()
    subscription = order["lineItems"][0]["subscriptionId"]
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    etag = json.loads(base64.b64decode(order["attributes"].pop("etag")))
    assert order == {
        "id": etag["id"],
        "referenceCustomerId": CUSTOMER,
        "billingCycle": "monthly",
        "lineItems": [
            {
                "lineItemNumber": 0,
                "offerId": "DB2E705F-B82A-4024-A3D5-D88E12F2DB35",
                "subscriptionId": subscription,
                "friendlyName": "New offer purchase.",
                "quantity": 5,
                "partnerIdOnRecord": "4847383",
                "links": {
                    "subscription": {
                        "uri": f"/customers/{CUSTOMER}/subscriptions/{subscription}",
                        "method": "GET",
                        "headers": [],
                    }
                },
            }
        ],
        "creationDate": order["creationDate"],
        "links": {
            "self": {"uri": f"/customers/{CUSTOMER}/orders/{etag['id']}", "method": "GET", "headers": []}
        },
        "status": "completed",
        "attributes": {"objectType": "Order"},
    }


def test_a_line_of_new_commerce_comes_back_as_it_was_sent(client: Client) -> None:
    sent = line(
        termDuration="P1Y",
        promotionId="p",
        provisioningContext={"scope": "shared"},
        attestationAccepted=True,
        additionalPartnerIdsOnRecord=["1", "2"],
        renewsTo={"termDuration": "P1Y"},
        purchaseCommitment={"amount": 1.5, "currency": "USD"},
    )
    order = client.order(lineItems=[sent], billingCycle="Annual", currencyCode="USD").json()
    assert order["billingCycle"] == "annual"
    assert sent.items() <= order["lineItems"][0].items()


@pytest.mark.parametrize("offer", ["DG7GMGF0D7FV:0001:X", "dg7gmgf0d7ft:0001:X", "DG7GMGF0D7FT"])
def test_an_order_of_a_sandbox_product_waits_for_a_purchase_order(client: Client, offer: str) -> None:
    assert client.order(lineItems=[line(offerId=offer)]).json()["status"] == "pending_po_upload"


def test_other_offers_wait_when_they_are_listed_or_all_are_asked_to(client: Client) -> None:
    assert client.order().json()["status"] == "completed"
    client.partner_center.configure(po_products=["CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P"])
    assert client.order().json()["status"] == "pending_po_upload"
    client.partner_center.configure(po_products=[], every_order_needs_po=True)
    assert client.order().json()["status"] == "pending_po_upload"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lineItems": []}, (400, "800002")),
        ({"lineItems": "x"}, (400, "3000")),
        ({"lineItems": ["x"]}, (400, "3000")),
        ({"lineItems": [line(lineItemNumber=1)]}, (400, "800071")),
        ({"lineItems": [line(), line()]}, (400, "800071")),
        ({"lineItems": [{"offerId": "x", "quantity": 1}]}, (400, "800071")),
        ({"lineItems": [line(parentSubscriptionId="x")]}, (400, "2000")),
        ({"lineItems": [line(offerId="")]}, (400, "800002")),
        ({"lineItems": [line(quantity=0)]}, (400, "900275")),
        ({"lineItems": [line(quantity=10_001)]}, (400, "900275")),
        ({"lineItems": [line(quantity=None)]}, (400, "900275")),
        ({"lineItems": [line(quantity="5")]}, (400, "3000")),
        ({"lineItems": [line(termDuration="P2Y")]}, (400, "800121")),
        ({"lineItems": [line(termDuration="P1M")], "billingCycle": "annual"}, (400, "900270")),
        ({"lineItems": [line(partnerIdOnRecord="999")]}, (404, "800015")),
        ({"lineItems": [line(partnerIdOnRecord="5139005")]}, (403, "800039")),
        ({"lineItems": [line(additionalPartnerIdsOnRecord=list("123456"))]}, (400, "800002")),
        ({"lineItems": [line(indirectResellerId="x")]}, (400, "3000")),
        ({"lineItems": [{**line(), "OfferId": "x"}]}, (400, "3000")),
        ({"billingCycle": "weekly"}, (400, "900269")),
        ({"billingCycle": 1}, (400, "900126")),
        ({"status": "none"}, (400, "900126")),
        ({"referenceCustomerId": OTHER_CUSTOMER}, (400, "800002")),
    ],
)
def test_a_bad_order_has_its_documented_error_and_places_nothing(
    client: Client, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert said(client.order(**changes)) == expected
    assert client.partner_center.state.orders == {}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"a": NaN}', b'{"a": 1, "a": 1}', b"\xef\xbb\xbf{}", b"\xff", b"[" * 100_000]
)
def test_a_body_that_is_not_strict_json_is_refused(client: Client, body: bytes) -> None:
    answer = client.call("POST", ORDERS, {"Content-Type": "application/json"}, data=body)
    assert said(answer) == (400, "800002")


def test_an_order_must_say_that_it_is_json_and_be_of_a_sane_size(client: Client) -> None:
    plain = client.call("POST", ORDERS, {"Content-Type": "text/plain"}, data=json.dumps(DOCUMENTED))
    large = client.call("POST", ORDERS, {"Content-Type": "application/json"}, data=b" " * 1_100_000)
    assert said(plain) == (400, "800002")
    assert large.status_code == 413


def test_an_order_is_read_and_listed_for_its_own_customer_only(client: Client) -> None:
    order = client.placed()
    assert client.get(f"{ORDERS}/{order}").json()["status"] == "pending_po_upload"
    assert [item["id"] for item in client.get(ORDERS).json()["items"]] == [order]
    assert said(client.get(f"/v1/customers/{OTHER_CUSTOMER}/orders/{order}")) == (404, "20000")
    assert client.get(f"/v1/customers/{OTHER_CUSTOMER}/orders").json()["totalCount"] == 0


def test_a_new_order_is_missing_from_the_list_until_the_lag_has_passed() -> None:
    now = [time.time()]
    with PartnerCenterSimulator(token_key=KEY, clock=lambda: now[0]) as partner_center:
        client = Client(partner_center)
        partner_center.configure(list_lag=300)
        with client.session:
            order = client.placed()
            assert client.get(ORDERS).json()["items"] == []
            assert client.get(f"{ORDERS}/{order}").status_code == 200
            now[0] += 300
            assert client.get(ORDERS).json()["totalCount"] == 1


@pytest.mark.parametrize(("honours", "orders"), [(True, 1), (False, 2)])
def test_a_repeated_request_id_buys_once_only_where_it_is_honoured(
    client: Client, honours: bool, orders: int
) -> None:
    client.partner_center.configure(honours_request_id=honours)
    ids = {"MS-RequestId": REQUEST_ID}
    answers = [client.call("POST", ORDERS, ids, json=DOCUMENTED) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len(client.partner_center.state.orders) == orders
    assert len({answer.json()["id"] for answer in answers}) == orders


def test_one_request_id_does_not_answer_for_another_customer(client: Client) -> None:
    client.partner_center.configure(honours_request_id=True)
    client.session.headers["MS-RequestId"] = REQUEST_ID
    assert client.order().json()["id"] != client.order(OTHER_CUSTOMER).json()["id"]
