"""The shapes in which orders can be told, what the service's clock says, and when an order is there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from local.simulator.members import LINE_FIELDS, ORDER_FIELDS
from tests.local.simulator.kit import CUSTOMER, Client, Clock, head, line, orders_path, raw, said

OFFERS = ["Cfq7-A:0001:A", "CFQ7-B:0001:B", "CFQ7-C:0001:C"]
LINES = [line(lineItemNumber=n, offerId=offer, quantity=n + 1) for n, offer in enumerate(OFFERS)]


def told(client: Client, **changes: Any) -> list[dict[str, Any]]:
    """A new order as its 201, as GET of it and as the list tell it."""
    created = client.order(lineItems=LINES, **changes)
    assert created.status_code == 201
    listed = client.get(orders_path()).json()
    (key,) = [name for name in listed if name.lower() == "items"]
    (order,) = client.partner_center.state.orders
    return [created.json(), client.get(f"{orders_path()}/{order}").json(), listed[key][0]]


@pytest.mark.parametrize(
    ("casing", "in_answers", "in_items", "beside_items"),
    [
        ("documented", "creationDate", "creationDate", "totalCount"),
        ("pascal", "CreationDate", "CreationDate", "TotalCount"),
        ("pascal_items", "creationDate", "CreationDate", "totalCount"),
    ],
)
def test_members_are_in_the_letter_case_of_the_switch(
    client: Client, casing: str, in_answers: str, in_items: str, beside_items: str
) -> None:
    client.partner_center.configure(order_casing=casing)
    for order, name in zip(told(client), (in_answers, in_answers, in_items), strict=True):
        assert name in order
        names = {member[:1].isupper() for member in (*order, *_lines(order)[0])}
        assert names == {name[:1].isupper()}
    assert beside_items in client.get(orders_path()).json()


def test_the_keys_of_a_provisioning_context_are_data_and_keep_their_letter_case(client: Client) -> None:
    client.partner_center.configure(order_casing="pascal")
    order = client.order(lineItems=[line(provisioningContext={"scope": "shared"})]).json()
    assert order["LineItems"][0]["ProvisioningContext"] == {"scope": "shared"}


def test_members_can_be_missing_from_every_answer(client: Client) -> None:
    client.partner_center.configure(order_echo_omits=["referenceCustomerId", "quantity", "links"])
    for order in told(client):
        assert not {"referenceCustomerId", "links"} & set(order)
        assert {"lineItemNumber", "offerId", "subscriptionId"} == set(_lines(order)[0])


def test_members_that_are_lacking_can_be_there_as_null(client: Client) -> None:
    client.partner_center.configure(order_nulls=True, order_echo_omits=["billingCycle"])
    for order in told(client):
        assert set(order) == set(ORDER_FIELDS)
        assert set(_lines(order)[0]) == set(LINE_FIELDS)
        assert order["billingCycle"] is order["alternateId"] is None
        assert order["status"] == "completed"


@pytest.mark.parametrize(
    ("arranged", "numbers"), [("sent", [0, 1, 2]), ("reversed", [2, 1, 0]), ("shuffled", [1, 2, 0])]
)
def test_lines_come_in_the_order_of_the_option_and_keep_their_numbers(
    client: Client, arranged: str, numbers: list[int]
) -> None:
    client.partner_center.configure(line_order=arranged)
    for order in told(client):
        assert [item["lineItemNumber"] for item in _lines(order)] == numbers
        assert [item["offerId"] for item in _lines(order)] == [OFFERS[n] for n in numbers]


@pytest.mark.parametrize(("kind", "first"), [("number", "1"), ("text", '"1"'), ("decimal", "1.0")])
def test_a_quantity_is_told_as_number_text_or_with_a_point(client: Client, kind: str, first: str) -> None:
    client.partner_center.configure(quantity_as=kind)
    assert f'"quantity": {first},' in client.order(lineItems=LINES).text
    assert f'"quantity": {first},' in client.get(orders_path()).text


@pytest.mark.parametrize(("case", "change"), [("sent", str), ("lower", str.lower), ("upper", str.upper)])
def test_an_offer_comes_back_in_the_letter_case_of_the_switch(client: Client, case: str, change: Any) -> None:
    client.partner_center.configure(offer_case=case)
    for order in told(client):
        assert [item["offerId"] for item in _lines(order)] == [change(offer) for offer in OFFERS]


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("offset", r"....-..-..T..:..:..\....\+00:00"),
        ("z", r"....-..-..T..:..:..\.......0Z"),
        ("no_zone", r"....-..-..T..:..:..\...."),
        ("date", r"....-..-.."),
        ("garbage", "not a date"),
        ("unset", "0001-01-01T00:00:00"),
    ],
)
def test_the_creation_date_is_told_in_the_form_of_the_switch(client: Client, form: str, pattern: str) -> None:
    client.partner_center.configure(creation_date=form)
    for order in told(client):
        assert re.fullmatch(pattern, order["creationDate"])
        if form in ("offset", "z", "no_zone"):
            moment = datetime.fromisoformat(order["creationDate"]).replace(tzinfo=UTC)
            assert abs(moment - datetime.now(UTC)) < timedelta(seconds=30)


def test_the_creation_date_can_be_missing_and_one_that_a_test_wrote_stays(client: Client) -> None:
    client.partner_center.configure(creation_date="missing")
    assert not [order for order in told(client) if "creationDate" in order]
    (order,) = client.partner_center.state.orders.values()
    for written, form in (("soon", "z"), (None, "date"), (5, "unset")):
        order.body["creationDate"] = written
        client.partner_center.configure(creation_date=form)
        assert client.get(f"{orders_path()}/{order.id}").json()["creationDate"] == written


@pytest.mark.parametrize("skew", [7200.0, -7200.0])
def test_a_wrong_clock_shows_in_every_date_and_in_the_creation_date(client: Client, skew: float) -> None:
    client.partner_center.configure(clock_skew=skew, list_lag=0)
    expected = datetime.now(UTC) + timedelta(seconds=skew)
    for order in told(client):
        assert abs(datetime.fromisoformat(order["creationDate"]) - expected) < timedelta(seconds=30)
    client.partner_center.faults.add({"on": "GET orders", "do": {"kind": "status", "status": 503}})
    answers = [client.get(path) for path in (orders_path(), orders_path(), "/v1/no", "/_sim")]
    assert [answer.status_code for answer in answers] == [503, 200, 404, 200]
    dates = [answer.headers["Date"] for answer in answers]
    dates += re.findall("Date: ([^\r]+)", raw(client.partner_center, head("BREW", "/v1")).decode())
    assert len(dates) == 5
    assert all(abs(parsedate_to_datetime(date) - expected) < timedelta(seconds=30) for date in dates)


def test_every_date_follows_the_clock_that_the_simulator_was_given(client: Client, clock: Clock) -> None:
    clock.ahead = 300
    date = parsedate_to_datetime(client.get(orders_path()).headers["Date"])
    assert timedelta(seconds=270) < date - datetime.now(UTC) < timedelta(seconds=330)


def test_a_new_order_can_be_hidden_from_all_calls_but_the_list(client: Client, clock: Clock) -> None:
    client.partner_center.configure(order_visible_after=60)
    order = client.placed()
    calls = [f"{orders_path()}/{order}", f"{orders_path()}/{order}/attachments"]
    assert [said(client.get(path)) for path in calls] == [(404, "20000")] * 2
    assert said(client.attach(order)) == (404, "20000")
    assert client.partner_center.state.orders[order].submissions == []
    assert client.get(orders_path()).json()["totalCount"] == 1
    clock.ahead += 61
    assert [client.get(path).status_code for path in calls] == [200] * 2
    assert client.attach(order).status_code == 201


def test_an_upload_that_waits_for_100_continue_is_not_asked_for_a_hidden_order(client: Client) -> None:
    client.partner_center.configure(order_visible_after=60)
    path = f"/v1/customers/{CUSTOMER}/orders/{client.placed()}/attachment"
    promise = head("POST", path, Content_Length="9", Expect="100-continue")
    assert raw(client.partner_center, promise).startswith(b"HTTP/1.1 404 ")


def _lines(order: dict[str, Any]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = order.get("lineItems") or order["LineItems"]
    return lines


def test_a_status_is_told_in_words_with_underscores_or_in_one_word(client: Client) -> None:
    client.partner_center.configure(order_status="pascal", every_order_needs_po=True)
    assert [order["status"] for order in told(client)] == ["PendingPoUpload"] * 3
    assert next(iter(client.partner_center.state.orders.values())).status == "pending_po_upload"
