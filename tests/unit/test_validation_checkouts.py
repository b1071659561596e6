"""Requests to check out: the documents' carts pass, each mistake is named where it stands, and what goes out
is written down."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.checkout_request import MOST_ADD_ONS, CheckoutRequest
from shared.core.errors import AppError, InvalidInputError, TooLargeError
from shared.validation.checkouts import checkout_request
from shared.validation.lines import MAX_LINES, MAX_ORDER

CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
LINE: dict[str, Any] = {"catalogItemId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": 5}
ADD_ON: dict[str, Any] = {"catalogItemId": "DG7GMGF0D7FV:0001:X", "quantity": 1}


def read(body: object) -> CheckoutRequest:
    return checkout_request(body if isinstance(body, bytes) else json.dumps(body).encode())


def faults(body: object) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        read(body)
    return {v.pointer: v.detail for v in caught.value.violations}


# https://learn.microsoft.com/en-us/partner-center/developer/create-a-cart
DOCUMENTED: dict[str, Any] = {
    "PartnerOnRecordAttestationAccepted": True,
    "lineItems": [
        {
            "id": 0,
            "catalogItemId": "DG7GMGF0DWTL:0001:DG7GMGF0DSJB",
            "friendlyName": "Myazureplan",
            "quantity": 1,
            "currencyCode": "usd",
            "billingCycle": "one_time",
            "provisioningContext": {"subscriptionId": "3D4F5A2C", "scope": "shared", "duration": "3Years"},
            "orderGroup": None,
            "error": None,
        },
        {
            "id": 1,
            "catalogItemId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P",
            "quantity": 11,
            "billingCycle": "Annual",
            "termDuration": "P1Y",
            "customTermEndDate": "2027-03-31T23:59:59Z",
            "promotionId": "39NFJQT20VBJ:0001:39NFJQT1X3KX",
            "attestationAccepted": True,
            "renewsTo": {"termDuration": "P1M"},
            "addonItems": [
                {"catalogItemId": "A:1:x", "quantity": 2, "billingCycle": "monthly"},
                {"id": 3, "catalogItemId": "B:1:x", "quantity": 3},
            ],
        },
        {"catalogItemId": "CFQ7TTC0LFLS:0002:CFQ7TTC0KDLJ", "quantity": 2, "friendlyName": ""},
    ],
    "attributes": {"objectType": "Cart"},
}
WIRE = (
    '{"lineItems":[{"id":0,"catalogItemId":"DG7GMGF0DWTL:0001:DG7GMGF0DSJB","quantity":1,'
    '"friendlyName":"Myazureplan","billingCycle":"one_time","currencyCode":"USD",'
    '"provisioningContext":{"subscriptionId":"3D4F5A2C","scope":"shared","duration":"3Years"}%s},'
    '{"id":1,"catalogItemId":"CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P","quantity":11,"billingCycle":"annual",'
    '"termDuration":"P1Y","renewsTo":{"termDuration":"P1M"},"promotionId":"39NFJQT20VBJ:0001:39NFJQT1X3KX",'
    '"customTermEndDate":"2027-03-31T23:59:59Z","attestationAccepted":true,"addonItems":['
    '{"catalogItemId":"A:1:x","quantity":2,"billingCycle":"monthly","id":2},'
    '{"id":3,"catalogItemId":"B:1:x","quantity":3}]%s},'
    '{"catalogItemId":"CFQ7TTC0LFLS:0002:CFQ7TTC0KDLJ","quantity":2,"id":4%s}],'
    '"partnerOnRecordAttestationAccepted":true}'
)


@pytest.mark.parametrize(
    ("partner_id", "participants"),
    [
        (None, ""),
        ("4847383", ',"participants":[{"key":"transaction_reseller","value":"4847383"}]'),
    ],
    ids=["alone", "for a reseller"],
)
def test_the_documented_cart_goes_out_as_written_here(partner_id: str | None, participants: str) -> None:
    assert read(DOCUMENTED).to_wire(partner_id).decode() == WIRE % ((participants,) * 3)


def test_what_was_asked_for_has_the_digest_that_it_had() -> None:
    """Frozen: another digest would make a repeated request a reused key."""
    request = read(DOCUMENTED | {"indirectResellerId": CUSTOMER.upper()})

    assert request.digest(CUSTOMER.upper()) == request.digest(CUSTOMER)
    assert request.digest(CUSTOMER) == "f2445f5669f134010e7440afb882fc427b7d60e8debd0eb2ec724c290c6d179e"
    assert (
        read({"lineItems": [LINE]}).digest(CUSTOMER)
        == "ffe058280ee379cde7529fe955d5b1352dcc9dc71013d0b74ae1a1a21d8c70e5"
    )


def test_a_reseller_makes_it_another_request_that_needs_a_user() -> None:
    plain, resold = read({"lineItems": [LINE]}), read({"lineItems": [LINE], "indirectResellerId": CUSTOMER})

    assert (plain.needs_app_user, resold.needs_app_user) == (False, True)
    assert plain.digest(CUSTOMER) != resold.digest(CUSTOMER)


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        ({"catalogItemId": ""}, "catalogItemId"),
        ({"catalogItemId": "a b"}, "catalogItemId"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": "5"}, "quantity"),
        ({"quantity": 10_000_001}, "quantity"),
        ({"billingCycle": "weekly"}, "billingCycle"),
        ({"termDuration": "1Y"}, "termDuration"),
        ({"currencyCode": "dollars"}, "currencyCode"),
        ({"customTermEndDate": "2027-03-31"}, "customTermEndDate"),
        ({"promotionId": "a b"}, "promotionId"),
        ({"attestationAccepted": "yes"}, "attestationAccepted"),
        ({"renewsTo": {"termDuration": "x"}}, "renewsTo/termDuration"),
        ({"provisioningContext": {"scope": 1}}, "provisioningContext/scope"),
        ({"id": 1}, "id"),
        ({"id": -1}, "id"),
        ({"id": True}, "id"),
        ({"offerId": "x"}, "offerId"),
        ({"orderGroup": "0"}, "orderGroup"),
        ({"error": {"errorCode": "10003"}}, "error"),
        ({"participants": [{"key": "transaction_reseller", "value": "1"}]}, "participants"),
        ({"attributes": {"etag": "x"}}, "attributes/etag"),
        ({"addonItems": [ADD_ON | {"quantity": 0}]}, "addonItems/0/quantity"),
        ({"addonItems": [ADD_ON | {"currencyCode": "euros"}]}, "addonItems/0/currencyCode"),
        ({"addonItems": [ADD_ON, ADD_ON | {"id": 1}]}, "addonItems/1/id"),
        ({"addonItems": [ADD_ON | {"addonItems": []}]}, "addonItems/0/addonItems"),
        ({"addonItems": [ADD_ON] * (MOST_ADD_ONS + 1)}, "addonItems"),
        ({"addonItems": ADD_ON}, "addonItems"),
    ],
)
def test_a_fault_of_a_line_is_named_where_it_stands(line: dict[str, Any], pointer: str) -> None:
    assert list(faults({"lineItems": [LINE | line]})) == [f"/lineItems/0/{pointer}"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/lineItems"),
        ({"lineItems": []}, "/lineItems"),
        ({"lineItems": {}}, "/lineItems"),
        ({"lineItems": ["x"]}, "/lineItems/0"),
        ({"lineItems": [LINE] * (MAX_LINES + 1)}, "/lineItems"),
        ({"lineItems": [LINE], "indirectResellerId": "contoso"}, "/indirectResellerId"),
        ({"lineItems": [LINE], "status": "Active"}, "/status"),
        ({"lineItems": [LINE], "id": "c1"}, "/id"),
        ({"lineItems": [LINE], "expirationTimeStamp": "2027-04-07T12:00:00Z"}, "/expirationTimeStamp"),
        ([], ""),
        (b"{", ""),
    ],
)
def test_a_fault_of_the_whole_is_named_where_it_stands(body: object, pointer: str) -> None:
    assert list(faults(body)) == [pointer]


def test_all_faults_are_named_at_once() -> None:
    lines = [LINE | {"id": 7}, {"quantity": 1}]

    assert list(faults({"lineItems": lines, "indirectResellerId": "x"})) == [
        "/lineItems/1/catalogItemId",
        "/indirectResellerId",
        "/lineItems/0/id",
    ]


def test_a_request_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(TooLargeError):
        read(b" " * (MAX_ORDER + 1))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["lineItems", "LineItems", "addonItems", "id", "currencyCode", "quantity"]),
                inner,
            )
        ),
    )
)
def test_whatever_is_sent_is_a_checkout_or_told_why_not(body: Any) -> None:
    with suppress(AppError):
        read(body).to_wire(None)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (
            [LINE | {"AddonItems": [ADD_ON] * 50}] * 10,
            "contains 511 lines and add-ons; at most 500 are taken",
        ),
        ([LINE | {"addonItems": [ADD_ON]}] * 500, "contains 501 lines; at most 500 are taken"),
    ],
    ids=["add-ons", "lines"],
)
def test_lines_and_add_ons_together_are_bounded_and_the_lines_are_checked_all_the_same(
    lines: list[dict[str, Any]], why: str
) -> None:
    found = faults({"lineItems": ["x", *lines]})

    assert found == {"/lineItems": why, "/lineItems/0": "must be a JSON object"}
