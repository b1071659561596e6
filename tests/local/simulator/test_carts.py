"""Carts: created, read, changed, and checked out once."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from tests.local.simulator.kit import (
    APP_TOKEN,
    CUSTOMER,
    OTHER_CUSTOMER,
    REQUEST_ID,
    Client,
    Clock,
    orders_path,
    said,
    sim,
)

CARTS = f"/v1/customers/{CUSTOMER}/carts"
APP = {"Authorization": f"Bearer {APP_TOKEN}"}
RESELLER = {"key": "transaction_reseller", "value": "4847383"}
ADDITIONAL = {"key": "additional_transaction_reseller", "value": "517285"}
NEEDS_PO = "DG7GMGF0D7FV:0001:A"
DOCUMENTED: dict[str, Any] = {
    "PartnerOnRecordAttestationAccepted": True,
    "lineItems": [
        {
            "id": 0,
            "catalogItemId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P",
            "quantity": 1,
            "billingCycle": "monthly",
            "termDuration": "P1M",
            "renewsTo": None,
            "provisioningContext": {},
            "customTermEndDate": "2022-02-19T00:00:00Z",
        },
        {
            "id": 1,
            "catalogItemId": "CFQ7TTC0LFLS:0002:CFQ7TTC0KDLJ",
            "quantity": 2,
            "billingCycle": "monthly",
            "termDuration": "P1Y",
            "participants": [RESELLER, ADDITIONAL, ADDITIONAL],
        },
    ],
}
"""https://learn.microsoft.com/en-us/partner-center/developer/create-a-cart"""


def item(product: str = "CFQ7TTC0LH0Z", **changes: Any) -> dict[str, Any]:
    usual = {"catalogItemId": f"{product}:0001:A", "quantity": 5, "billingCycle": "monthly"}
    return {**usual, "termDuration": "P1M", **changes}


def create(
    client: Client, *items: dict[str, Any], headers: dict[str, str | None] | None = None, **changes: Any
) -> requests.Response:
    return client.call("POST", CARTS, headers, json={"lineItems": list(items or [item()]), **changes})


def cart_of(client: Client, *items: dict[str, Any]) -> str:
    answer = create(client, *items)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def check_out(client: Client, cart: str, **headers: str) -> requests.Response:
    return client.call("POST", f"{CARTS}/{cart}/checkout", {"Content-Length": "0", **headers})


def ordered(client: Client) -> int:
    return len(client.partner_center.state.orders)


def test_the_documents_own_cart_comes_back_as_the_documents_show_it(client: Client) -> None:
    answer = client.call("POST", CARTS, json=DOCUMENTED)
    cart = answer.json()
    assert answer.status_code == 201
    assert cart["creationTimeStamp"].endswith("0Z")
    created, modified, expires = (
        datetime.fromisoformat(cart.pop(f"{name}TimeStamp"))
        for name in ("creation", "lastModified", "expiration")
    )
    assert (modified, expires) == (created, created + timedelta(days=7))
    assert cart.pop("lastModifiedUser")
    first, second = ({**line} for line in DOCUMENTED["lineItems"])
    del first["renewsTo"]
    assert cart == {
        "id": cart["id"],
        "status": "Active",
        "lineItems": [
            {**first, "currencyCode": "USD", "orderGroup": "0"},
            {**second, "currencyCode": "USD", "provisioningContext": {}, "orderGroup": "1"},
        ],
        "links": {
            "self": {"uri": f"/customers/{CUSTOMER}/carts/{cart['id']}", "method": "GET", "headers": []}
        },
        "attributes": {"objectType": "Cart"},
    }
    assert client.get(f"{CARTS}/{cart['id']}").json()["lineItems"] == cart["lineItems"]
    assert ordered(client) == 0


def test_a_checkout_makes_one_order_of_each_group(client: Client) -> None:
    same = item(quantity=1, currencyCode="EUR")
    cart = cart_of(client, item(NEEDS_PO[:12]), same, item("OTHER", billingCycle="OneTime", quantity=2), same)
    answer = check_out(client, cart)
    result = answer.json()
    assert answer.status_code == 201
    assert (set(result), result["attributes"]) == (
        {"orders", "attributes"},
        {"objectType": "CartCheckoutResult"},
    )
    orders = result["orders"]
    assert [order["status"] for order in orders] == ["pending_po_upload", "completed", "completed"]
    assert [order["billingCycle"] for order in orders] == ["monthly", "monthly", "one_time"]
    assert [[line["quantity"] for line in order["lineItems"]] for order in orders] == [[5], [1, 1], [2]]
    assert [line["lineItemNumber"] for line in orders[1]["lineItems"]] == [0, 1]
    line = orders[0]["lineItems"][0]
    assert (line["offerId"], line["termDuration"]) == (NEEDS_PO, "P1M")
    assert client.get(orders_path()).json()["items"] == orders
    assert client.get(f"{CARTS}/{cart}").json()["status"] == "Ordered"
    assert client.attach(orders[0]["id"]).status_code == 201


@pytest.mark.parametrize(
    ("groups", "told"),
    [("product", ["OMS-0", "0", "1", "2", "0", "OMS-1"]), ("cycle", ["OMS-0", "0", "1", "0", "0", "OMS-0"])],
)
def test_the_groups_of_a_cart_are_those_of_products_or_of_billing_cycles(
    client: Client, groups: str, told: list[str]
) -> None:
    client.partner_center.configure(order_groups=groups)
    lines = [
        item(catalogItemId="MS-AZR-0145P"),
        item(),
        item(billingCycle="one_time"),
        item(termDuration="P1Y"),
        item(catalogItemId="cfq7ttc0lh0z:0002:B"),
        item(catalogItemId="91FD106F-4B2C-4938-95AC-F54F74E9A239"),
    ]
    answer = create(client, *lines).json()
    assert [line["orderGroup"] for line in answer["lineItems"]] == told
    assert len(check_out(client, answer["id"]).json()["orders"]) == len(set(told))


def test_the_participants_of_a_line_stand_in_the_order_as_partner_ids(client: Client) -> None:
    cart = client.call("POST", CARTS, json=DOCUMENTED).json()["id"]
    lines = [order["lineItems"][0] for order in check_out(client, cart).json()["orders"]]
    assert "partnerIdOnRecord" not in lines[0]
    assert lines[1]["partnerIdOnRecord"] == "4847383"
    assert lines[1]["additionalPartnerIdsOnRecord"] == ["517285", "517285"]


def test_a_second_checkout_says_what_the_first_one_said_and_buys_nothing(client: Client) -> None:
    cart = cart_of(client, item(NEEDS_PO[:12]))
    first = check_out(client, cart)
    client.attach(first.json()["orders"][0]["id"])
    second = check_out(client, cart)
    assert (second.status_code, second.content) == (201, first.content)
    assert ordered(client) == 1
    (shown,) = sim(client, "GET", "/state").json()["carts"]
    assert (shown["id"], shown["checkouts"], shown["ordered"]) == (cart, 2, True)
    assert shown["orders"] == {"0": first.json()["orders"][0]["id"]}
    assert sim(client, "GET", "/state").json()["orders"][0]["cartId"] == cart


def test_checkouts_of_one_cart_at_the_same_time_buy_once(client: Client) -> None:
    cart = cart_of(client, item(), item("OTHER"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: check_out(client, cart), range(16)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert ordered(client) == 2


def test_two_carts_of_the_same_things_are_two_purchases(client: Client) -> None:
    for cart in (cart_of(client), cart_of(client)):
        check_out(client, cart)
    assert ordered(client) == 2


def test_an_order_of_a_checkout_lags_like_any_other(client: Client, clock: Clock) -> None:
    client.partner_center.configure(list_lag=300)
    check_out(client, cart_of(client))
    assert client.get(orders_path()).json()["items"] == []
    clock.ahead += 300
    assert client.get(orders_path()).json()["totalCount"] == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lineItems": []}, (400, "800002")),
        ({"lineItems": "x"}, (400, "3000")),
        ({"lineItems": ["x"]}, (400, "3000")),
        ({"lineItems": [item(catalogItemId="")]}, (400, "800002")),
        ({"lineItems": [item(catalogId="x")]}, (400, "3000")),
        ({"lineItems": [item(offerId="x")]}, (400, "3000")),
        ({"lineItems": [item(partnerIdOnRecord="4847383")]}, (400, "3000")),
        ({"lineItems": [{**item(), "Quantity": 1}]}, (400, "3000")),
        ({"lineItems": [item(quantity=0)]}, (400, "900275")),
        ({"lineItems": [item(quantity=None)]}, (400, "900275")),
        ({"lineItems": [item(quantity=1.5)]}, (400, "3000")),
        ({"lineItems": [item(billingCycle=None)]}, (400, "800002")),
        ({"lineItems": [item(billingCycle="weekly")]}, (400, "900269")),
        ({"lineItems": [item(renewsTo=[])]}, (400, "3000")),
        ({"lineItems": [item(renewsTo={"term": "P1Y"})]}, (400, "3000")),
        ({"lineItems": [item(participants=[{"key": "transaction_reseller"}])]}, (400, "800002")),
        ({"lineItems": [item(participants=["x"])]}, (400, "3000")),
        ({"lineItems": [item(id=1)]}, (400, "800002")),
        ({"lineItems": [item(id=0), item()]}, (400, "800002")),
        ({"lineItems": [item(id=0), item(id="0")]}, (400, "800002")),
        ({"lineItems": [item(addonItems=[{"catalogItemId": "x"}])]}, (400, "900275")),
        ({"lineItems": [item(addonItems=[item(addonItems=[item()])])]}, (400, "800002")),
        ({"lineItems": [item(id=0, addonItems=[item(id=0)])]}, (400, "800002")),
        ({"customer": "x"}, (400, "3000")),
        ({"partnerOnRecordAttestationAccepted": "yes"}, (400, "3000")),
    ],
)
def test_what_is_no_cart_is_refused_and_leaves_none(
    client: Client, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert said(create(client, **changes)) == expected
    assert client.partner_center.state.carts == {}


@pytest.mark.parametrize("body", [b"", b"{", b'\xef\xbb\xbf{"lineItems": []}', b"[]"])
def test_a_cart_that_is_not_strict_json_is_refused(client: Client, body: bytes) -> None:
    json_type: dict[str, str | None] = {"Content-Type": "application/json"}
    assert said(client.call("POST", CARTS, json_type, data=body)) == (400, "800002")
    assert said(client.call("POST", CARTS, {"Content-Type": "text/plain"}, data=b"{}")) == (400, "800002")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"currencyCode": "usd"}, 10000),
        ({"participants": [{**RESELLER, "value": "999"}]}, 10004),
        ({"participants": [{**RESELLER, "value": "5139005"}]}, 10004),
        ({"participants": [RESELLER, RESELLER]}, 10004),
        ({"participants": [ADDITIONAL]}, 10004),
        ({"participants": [RESELLER, *[ADDITIONAL] * 6]}, 10004),
        ({"participants": [{**RESELLER, "key": "reseller"}]}, 10004),
        ({"termDuration": "P2Y"}, 10010),
        ({"billingCycle": "annual"}, 10010),
        ({"renewsTo": {"termDuration": "1Y"}}, 10010),
        ({"attestationAccepted": False}, 10012),
        ({"quantity": 10_001}, 10015),
    ],
)
def test_a_line_that_cannot_be_bought_says_so_in_a_cart_that_cannot_be_checked_out(
    client: Client, changes: dict[str, Any], code: int
) -> None:
    answer = create(client, item(), item("OTHER", **changes))
    good, bad = answer.json()["lineItems"]
    assert answer.status_code == 201
    assert "error" not in good
    assert bad["error"]["errorCode"] == code
    assert bad["error"]["errorDescription"]
    assert ("additionalInformation" in bad["error"]) == (code == 10015)
    assert said(check_out(client, answer.json()["id"])) == (400, "800002")
    assert ordered(client) == 0


def test_products_of_the_table_are_faulty_as_lines_and_as_add_ons(client: Client) -> None:
    client.partner_center.configure(cart_faults={"bad": 10001, "CFQ7:0001:A": 10003})
    base = item("GOOD", addonItems=[item("BAD"), item("GOOD")])
    answer = create(client, base, item("CFQ7"), item("cfq7", catalogItemId="CFQ7:0002:A")).json()
    first, second, third = answer["lineItems"]
    assert [addon.get("error", {}).get("errorCode") for addon in first["addonItems"]] == [10001, None]
    assert second["error"]["additionalInformation"] == {"availableQuantity": 0, "purchasedQuantity": 0}
    assert "error" not in first
    assert "error" not in third
    assert [first["id"], *(addon["id"] for addon in first["addonItems"]), second["id"]] == [0, 1, 2, 3]
    assert said(check_out(client, answer["id"])) == (400, "800002")
    with pytest.raises(ValueError, match="cart_faults does not take"):
        client.partner_center.configure(cart_faults={"x": 10005})


def test_a_faulty_add_on_alone_keeps_a_cart_from_its_checkout(client: Client) -> None:
    cart = cart_of(client, item(addonItems=[item("ADDON", attestationAccepted=False)]))
    assert said(check_out(client, cart)) == (400, "800002")
    assert ordered(client) == 0


def test_add_ons_are_bought_in_the_order_of_their_base(client: Client) -> None:
    base = item(id="0", addonItems=[item("ADDON", id=1, billingCycle="annual", termDuration="P1Y")])
    answer = create(client, base, item("OTHER", id=2)).json()
    assert answer["lineItems"][0]["addonItems"][0]["orderGroup"] == "0"
    orders = check_out(client, answer["id"]).json()["orders"]
    offers = [[line["offerId"] for line in order["lineItems"]] for order in orders]
    assert offers == [["CFQ7TTC0LH0Z:0001:A", "ADDON:0001:A"], ["OTHER:0001:A"]]


def test_a_group_that_fails_is_told_beside_the_orders_that_were_placed(client: Client) -> None:
    client.partner_center.configure(checkout_failures={"BAD": 900103})
    cart = cart_of(client, item("BAD"), item())
    answer = check_out(client, cart)
    (error,) = answer.json()["orderErrors"]
    assert answer.status_code == 201
    assert (error["orderGroupId"], error["code"]) == ("0", 900103)
    assert [order["lineItems"][0]["offerId"] for order in answer.json()["orders"]] == ["CFQ7TTC0LH0Z:0001:A"]
    client.partner_center.configure(checkout_failures={})
    assert check_out(client, cart).content == answer.content
    assert ordered(client) == 1


def test_a_partly_ordered_cart_that_stays_active_tries_again_only_what_failed(
    client: Client,
) -> None:
    client.partner_center.configure(checkout_failures={"BAD": 1}, partial_cart="active")
    cart = cart_of(client, item("BAD"), item())
    first = check_out(client, cart).json()
    assert client.get(f"{CARTS}/{cart}").json()["status"] == "Active"
    assert said(client.call("PUT", f"{CARTS}/{cart}", json={"lineItems": [item()]})) == (400, "800002")
    client.partner_center.configure(checkout_failures={})
    again = check_out(client, cart).json()
    assert "orderErrors" not in again
    assert again["orders"][0] == first["orders"][0]
    assert len(again["orders"]) == 2 == ordered(client)
    assert client.get(f"{CARTS}/{cart}").json()["status"] == "Ordered"


def test_a_checkout_of_which_everything_fails_can_be_repeated(client: Client) -> None:
    client.partner_center.configure(checkout_failures={"CFQ7TTC0LH0Z": 1})
    cart = cart_of(client)
    answer = check_out(client, cart)
    assert (answer.status_code, answer.json()["orders"]) == (201, [])
    assert client.get(f"{CARTS}/{cart}").json()["status"] == "Active"
    client.call("PUT", f"{CARTS}/{cart}", json={"lineItems": [item()]})
    assert sim(client, "GET", "/state").json()["carts"][0]["failed"] == {}
    client.partner_center.configure(checkout_failures={})
    assert len(check_out(client, cart).json()["orders"]) == 1


def test_a_cart_that_is_changed_has_its_new_lines_and_their_faults(client: Client, clock: Clock) -> None:
    cart = create(client, item(currencyCode="usd")).json()
    clock.ahead += 60
    cart["lineItems"][0] |= {"quantity": 6, "currencyCode": "USD"}
    changed = client.call("PUT", f"{CARTS}/{cart['id']}", json=cart).json()
    assert changed["id"] == cart["id"]
    assert changed["expirationTimeStamp"] == cart["expirationTimeStamp"]
    assert changed["lastModifiedTimeStamp"] > cart["lastModifiedTimeStamp"]
    assert check_out(client, cart["id"]).json()["orders"][0]["lineItems"][0]["quantity"] == 6
    assert said(client.call("PUT", f"{CARTS}/{cart['id']}", json=cart)) == (400, "800002")


def test_a_cart_is_there_for_its_own_customer_only(client: Client) -> None:
    cart, theirs = cart_of(client), f"/v1/customers/{OTHER_CUSTOMER}/carts"
    assert client.get(f"{CARTS}/{cart.upper()}").status_code == 200
    assert said(client.get(f"{theirs}/{cart}")) == (404, "1000")
    assert said(client.call("POST", f"{theirs}/{cart}/checkout")) == (404, "1000")
    assert said(client.call("POST", f"{CARTS}/none/checkout")) == (404, "1000")
    assert client.call("DELETE", f"{CARTS}/{cart}").status_code == 405
    assert ordered(client) == 0


def test_a_cart_with_a_reseller_takes_a_users_token_and_others_an_apps_too(client: Client) -> None:
    with_reseller = item(participants=[RESELLER])
    assert said(create(client, with_reseller, headers={**APP})) == (403, "900329")
    cart = cart_of(client, item(addonItems=[with_reseller]))
    assert said(check_out(client, cart, **APP)) == (403, "900329")
    plain = create(client, headers={**APP}).json()["id"]
    assert check_out(client, plain, **APP).status_code == 201
    assert client.get(f"{CARTS}/{cart}", **APP).status_code == 200


def test_a_checkout_has_no_body(client: Client) -> None:
    cart = cart_of(client)
    assert said(client.call("POST", f"{CARTS}/{cart}/checkout", json={})) == (400, "800002")
    assert ordered(client) == 0


@pytest.mark.parametrize("status", [404, 400, 409, 410])
def test_an_expired_cart_is_neither_checked_out_nor_changed(
    client: Client, clock: Clock, status: int
) -> None:
    client.partner_center.configure(expired_checkout=status, cart_lifetime=60)
    cart = cart_of(client)
    clock.ahead += 60
    code = "1000" if status == 404 else "800002"
    assert said(check_out(client, cart)) == (status, code)
    assert said(client.call("PUT", f"{CARTS}/{cart}", json={"lineItems": [item()]})) == (status, code)
    assert ordered(client) == 0


def test_an_expired_cart_is_gone_or_can_still_be_read(client: Client) -> None:
    client.partner_center.configure(cart_lifetime=0)
    cart = cart_of(client)
    assert said(client.get(f"{CARTS}/{cart}")) == (404, "1000")
    client.partner_center.configure(expired_cart=200)
    assert client.get(f"{CARTS}/{cart}").json()["status"] == "Active"


def test_one_cart_expires_by_hand_and_no_other(client: Client) -> None:
    cart, other = cart_of(client), cart_of(client)
    assert sim(client, "POST", "/expiries", {"cartId": cart}).status_code == 204
    assert check_out(client, cart).status_code == 404
    assert check_out(client, other).status_code == 201
    answer = sim(client, "POST", "/expiries", {"cartId": "none"})
    assert (answer.status_code, answer.json()) == (400, {"error": "there is no cart 'none'"})


def test_an_ordered_cart_expires_only_where_the_option_says_so(client: Client, clock: Clock) -> None:
    client.partner_center.configure(cart_lifetime=60)
    cart = cart_of(client)
    first = check_out(client, cart)
    clock.ahead += 60
    assert client.get(f"{CARTS}/{cart}").json()["status"] == "Ordered"
    assert check_out(client, cart).content == first.content
    client.partner_center.configure(ordered_carts_expire=True)
    assert client.get(f"{CARTS}/{cart}").status_code == 404
    assert check_out(client, cart).status_code == 404
    assert ordered(client) == 1


@pytest.mark.parametrize("status", [200, 400, 409])
def test_a_repeated_checkout_can_be_answered_in_other_ways_and_never_buys(
    client: Client, status: int
) -> None:
    client.partner_center.configure(repeated_checkout=status)
    cart = cart_of(client)
    first = check_out(client, cart)
    again = check_out(client, cart)
    assert (first.status_code, again.status_code) == (201, status)
    assert (again.content == first.content) == (status == 200)
    assert ordered(client) == 1


def test_a_single_line_is_answered_with_the_bare_order_where_asked(client: Client) -> None:
    client.partner_center.configure(checkout_reply="order", checkout_failures={"BAD": 1})
    order = check_out(client, cart_of(client)).json()
    assert order == client.get(f"{orders_path()}/{order['id']}").json()
    assert len(check_out(client, cart_of(client, item(), item())).json()["orders"]) == 1
    assert check_out(client, cart_of(client, item("BAD"))).json()["orders"] == []


@pytest.mark.parametrize(("way", "told"), [("null", {"orderErrors": None}), ("empty", {"orderErrors": []})])
def test_that_no_order_failed_is_told_in_other_ways(
    client: Client, way: str, told: dict[str, object]
) -> None:
    client.partner_center.configure(no_order_errors=way)
    assert told.items() <= check_out(client, cart_of(client)).json().items()


def test_carts_have_other_shapes_where_asked(client: Client) -> None:
    client.partner_center.configure(
        cart_casing="pascal",
        cart_stamps="Timestamp",
        cart_status="upper",
        cart_line_ids="text",
        cart_fault_codes="text",
        cart_bom=True,
        order_groups="cycle",
        checkout_failures={"BAD": 7},
    )
    made = create(
        client, item(provisioningContext={"scope": "shared"}), item("OTHER", attestationAccepted=False)
    )
    assert made.content.startswith(b"\xef\xbb\xbf{")
    made.encoding = "utf-8-sig"
    cart = made.json()
    assert {"CreationTimestamp", "LastModifiedTimestamp", "ExpirationTimestamp"} <= set(cart)
    lines = cart["LineItems"]
    assert (cart["Status"], [line["Id"] for line in lines]) == ("ACTIVE", ["0", "1"])
    assert {line["OrderGroup"] for line in lines} == {"0"}
    assert lines[0]["ProvisioningContext"] == {"scope": "shared"}
    assert lines[1]["Error"]["ErrorCode"] == "10012"
    answer = client.call("POST", CARTS, json={"lineItems": [item("BAD")]})
    answer.encoding = "utf-8-sig"
    result = check_out(client, answer.json()["Id"])
    result.encoding = "utf-8-sig"
    assert result.json()["OrderErrors"][0] | {"Description": ""} == {
        "OrderGroupId": "0",
        "Code": "7",
        "Description": "",
        "Attributes": {"ObjectType": "OrderError"},
    }


@pytest.mark.parametrize(
    ("dates", "told"),
    [("offset", ".+[+]00:00"), ("no_zone", ".+[.][0-9]{3}"), ("unset", "0001-.+"), ("missing", "None")],
)
def test_the_times_of_a_cart_are_told_in_other_ways(client: Client, dates: str, told: str) -> None:
    client.partner_center.configure(cart_dates=dates)
    assert re.fullmatch(told, str(create(client).json().get("expirationTimeStamp")))


def test_the_other_profile_tells_of_carts_in_its_own_way(client: Client) -> None:
    client.partner_center.configure(profile="other")
    made = create(client)
    made.encoding = "utf-8-sig"
    assert (made.json()["Status"], made.json()["ExpirationTimestamp"]) == ("active", "0001-01-01T00:00:00")
    first, again = (check_out(client, made.json()["Id"]) for _ in range(2))
    first.encoding = "utf-8-sig"
    assert (first.status_code, again.status_code, first.content) == (201, 200, again.content)
    assert first.json()["Id"] == next(iter(client.partner_center.state.orders))


def test_orders_in_the_answer_of_a_checkout_have_the_shape_of_orders(client: Client) -> None:
    client.partner_center.configure(order_casing="pascal", creation_date="z", quantity_as="text")
    (order,) = check_out(client, cart_of(client)).json()["orders"]
    assert order == client.get(f"{orders_path()}/{order['Id']}").json()


@pytest.mark.parametrize(("honours", "carts"), [(True, 1), (False, 2)])
def test_a_repeated_request_id_makes_one_cart_only_where_it_is_honoured(
    client: Client, honours: bool, carts: int
) -> None:
    client.partner_center.configure(honours_request_id=honours)
    ids: dict[str, str | None] = {"MS-RequestId": REQUEST_ID}
    made = {create(client, headers=ids).json()["id"] for _ in range(2)}
    assert len(made) == carts == len(client.partner_center.state.carts)


def test_a_repeated_request_id_of_a_checkout_gets_its_first_answer_where_it_is_honoured(
    client: Client,
) -> None:
    client.partner_center.configure(honours_request_id=True, repeated_checkout=409)
    cart = cart_of(client)
    answers = [check_out(client, cart, **{"MS-RequestId": REQUEST_ID}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert check_out(client, cart).status_code == 409
    committed = [entry.committed for entry in client.partner_center.journal.entries()]
    assert committed == [True, True, False, False]


def test_one_request_id_does_not_answer_for_another_cart(client: Client) -> None:
    client.partner_center.configure(honours_request_id=True)
    for cart in (cart_of(client), cart_of(client)):
        check_out(client, cart, **{"MS-RequestId": REQUEST_ID})
    assert ordered(client) == 2


def test_an_error_of_a_checkout_sticks_to_its_request_id_where_errors_are_kept(client: Client) -> None:
    client.partner_center.configure(repeats_first_error=True)
    cart = cart_of(client)
    client.partner_center.faults.add({"on": "POST checkout", "do": {"kind": "status", "status": 500}})
    assert [check_out(client, cart, **{"MS-RequestId": REQUEST_ID}).status_code for _ in range(2)] == [
        500,
        500,
    ]
    assert check_out(client, cart).status_code == 201


def test_a_checkout_whose_reply_is_lost_was_done_and_is_repeated(client: Client) -> None:
    cart = cart_of(client)
    client.partner_center.faults.add({"on": "POST checkout", "do": {"kind": "lose_reply"}})
    with pytest.raises(requests.ConnectionError):
        check_out(client, cart)
    assert client.get(f"{CARTS}/{cart}").json()["status"] == "Ordered"
    assert len(check_out(client, cart).json()["orders"]) == 1 == ordered(client)


@pytest.mark.parametrize(("commit", "orders"), [(False, 0), (True, 1)])
def test_a_checkout_that_answers_503_was_done_or_not(client: Client, commit: bool, orders: int) -> None:
    cart = cart_of(client)
    fault = {"on": "POST checkout", "do": {"kind": "status", "status": 503, "commit": commit}}
    client.partner_center.faults.add(fault)
    assert check_out(client, cart).status_code == 503
    assert ordered(client) == orders
    assert check_out(client, cart).status_code == 201
    assert ordered(client) == 1


@pytest.mark.parametrize("on", ["POST cart", "GET cart", "PUT cart", "POST checkout"])
def test_every_call_for_carts_can_go_wrong_by_its_name(client: Client, on: str) -> None:
    cart = cart_of(client)
    client.partner_center.faults.add({"on": on, "do": {"kind": "throttle", "retry_after": 3}})
    answers: dict[str, Callable[[], requests.Response]] = {
        "POST cart": lambda: create(client),
        "GET cart": lambda: client.get(f"{CARTS}/{cart}"),
        "PUT cart": lambda: client.call("PUT", f"{CARTS}/{cart}", json={"lineItems": [item()]}),
        "POST checkout": lambda: check_out(client, cart),
    }
    statuses = {name: call().status_code for name, call in answers.items()}
    assert [name for name, status in statuses.items() if status == 429] == [on]


def test_reset_forgets_carts(client: Client) -> None:
    cart_of(client)
    sim(client, "POST", "/reset")
    assert client.partner_center.state.carts == {}


def test_the_page_shows_carts_with_their_lines_orders_and_failures(client: Client) -> None:
    client.partner_center.configure(checkout_failures={"BAD": 900103})
    order = check_out(client, cart_of(client, item(), item("BAD"))).json()["orders"][0]["id"]
    cart_of(client, item("<b>", attestationAccepted=False, termDuration=None))
    client.partner_center.portal.expire_cart(cart_of(client))
    page = sim(client, "GET", "").text
    assert "Carts (3)" in page
    assert re.findall('data-label="Status">(Active|Ordered|expired)<', page) == [
        "expired",
        "Active",
        "Ordered",
    ]
    assert "<code>5 of &lt;b&gt;:0001:A, monthly, no term</code>, group <code>0</code>, error 10012" in page
    assert (
        f"group <code>0</code>: <code>{order}</code></p><p>group <code>1</code>: failed with 900103" in page
    )
    assert "checkouts: 1" in page
    assert "<br>of the cart <code>" in page
    assert "<b>" not in page
