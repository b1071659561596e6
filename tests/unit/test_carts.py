"""What is read of carts and of their checkouts, whatever is in them, and what a caller is answered."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.carts import (
    ALMOST,
    Cart,
    CheckedOut,
    LineFault,
    adopted,
    checked_out,
    faults_of,
    orders_to_come,
    read_cart,
)
from shared.core.ledger_parts import CartNote, OrderContent

NOW = datetime(2027, 3, 31, 12, tzinfo=UTC)
A: dict[str, Any] = {"id": 0, "catalogItemId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": 5}
B: dict[str, Any] = {"id": 1, "catalogItemId": "CFQ7TTC0LFLS:0002:CFQ7TTC0KDLJ", "quantity": 2}
ADD_ON: dict[str, Any] = {"id": 2, "catalogItemId": "DG7GMGF0D7FV:0001:X", "quantity": 1}


def sent(*lines: dict[str, Any], groups: tuple[str, ...] = ()) -> OrderContent:
    body = json.dumps({"lineItems": lines or (A, B)})
    return OrderContent(mode="app-only", body=body, cart=CartNote(id="c1", groups=groups))


def cart(*lines: dict[str, Any], **members: Any) -> Cart:
    return read_cart({"id": "c1", "status": "Active", "lineItems": list(lines), **members})


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({"Id": " c1 ", "STATUS": "Ordered "}, ("c1", "ordered", None)),
        ({"id": 7, "status": None}, ("7", "", None)),
        ({"id": {"x": 1}, "status": ["Active"]}, ("", "", None)),
        ({"id": True}, ("", "", None)),
        ({"id": "c", "expirationTimeStamp": "2027-04-07T12:00:00Z"}, ("c", "", NOW + timedelta(7))),
        ({"id": "c", "expirationTimestamp": "2027-04-07T12:00:00"}, ("c", "", NOW + timedelta(7))),
        ({"id": "c", "expirationTimestamp": "0001-01-01T00:00:00"}, ("c", "", None)),
        ({"id": "c", "expirationTimestamp": "soon"}, ("c", "", None)),
        ({"id": "c", "expirationTimestamp": 1}, ("c", "", None)),
    ],
    ids=["other case", "a number", "objects", "a truth", "a moment", "no zone", "unset", "no moment", "odd"],
)
def test_a_cart_is_read_however_it_is_told(told: dict[str, Any], read: tuple[object, ...]) -> None:
    found = read_cart(told)

    assert (found.id, found.status, found.expires) == read


@pytest.mark.parametrize(
    ("left", "expired"), [(ALMOST, False), (ALMOST - timedelta(seconds=1), True), (-ALMOST, True)]
)
def test_a_cart_that_is_about_to_expire_counts_as_expired(left: timedelta, expired: bool) -> None:
    told = cart(expirationTimestamp=(NOW + left).isoformat())

    assert told.has_expired(NOW) is expired
    assert not cart().has_expired(NOW)


@pytest.mark.parametrize(
    ("lines", "groups"),
    [
        ((A | {"orderGroup": "0"}, B | {"orderGroup": "1"}), ("0", "1")),
        ((B | {"orderGroup": "1"}, A | {"orderGroup": "0"}), ("0", "1")),
        ((A | {"id": "0", "OrderGroup": 0}, B | {"id": "1"}), ("0", "")),
        ((B | {"id": "f1", "orderGroup": "1"}, A | {"id": "f2", "orderGroup": "0"}), ("0", "1")),
        ((B | {"orderGroup": "1", "id": 2}, A | {"orderGroup": "0", "id": 1}), ("0", "1")),
        ((), ("", "")),
    ],
    ids=["as documented", "in another order", "as other types", "ids of its own", "ids from 1", "not at all"],
)
def test_the_order_group_of_each_line_is_kept(lines: tuple[dict[str, Any], ...], groups: object) -> None:
    assert cart(*lines).note(sent()) == CartNote(id="c1", groups=groups)


def test_equal_lines_with_ids_of_partner_centers_own_are_told_apart_by_how_they_are_billed() -> None:
    monthly, annual = A | {"billingCycle": "monthly"}, A | {"id": 1, "billingCycle": "annual"}
    came = cart(annual | {"id": "x", "orderGroup": "1"}, monthly | {"id": "y", "orderGroup": "0"})

    assert came.note(sent(monthly, annual)).groups == ("0", "1")
    assert came.faults(sent(monthly, annual)) == ()


NOT_AS_SENT = "the cart does not hold this line as it was sent"
NOT_SENT = "the cart holds a line that was not sent"
STOCK = {"errorCode": "10003", "errorDescription": "None left."}


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ((A, B), []),
        ((A | {"quantity": "5"}, B | {"quantity": Decimal("2.0")}), []),
        ((A | {"error": None}, B | {"error": {}}), []),
        ((A, B | {"error": STOCK}), [LineFault("/lineItems/1", "10003", "None left.")]),
        ((A, B | {"Error": {"Code": 10003}}), [LineFault("/lineItems/1", "10003", "")]),
        ((A, B | {"error": "sold out"}), [LineFault("/lineItems/1", "", "sold out")]),
        ((A, B | {"error": ["sold out"]}), [LineFault("/lineItems/1", "", "")]),
        ((A,), [LineFault("/lineItems/1", "", NOT_AS_SENT)]),
        ((A | {"quantity": 50}, B), [LineFault("/lineItems/0", "", NOT_AS_SENT)]),
        ((A | {"quantity": Decimal("1e99999")}, B), [LineFault("/lineItems/0", "", NOT_AS_SENT)]),
        ((A, B | {"catalogItemId": "C"}), [LineFault("/lineItems/1", "", NOT_AS_SENT)]),
        ((A, B, ADD_ON), [LineFault("", "", NOT_SENT)]),
        ((A, B, ADD_ON | {"error": STOCK}), [LineFault("", "10003", "None left.")]),
    ],
)
def test_what_is_wrong_with_the_lines_of_a_cart_is_told_where_they_stand(
    lines: tuple[dict[str, Any], ...], faults: list[LineFault]
) -> None:
    assert list(cart(*lines).faults(sent())) == faults


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ((A | {"addonItems": [ADD_ON]}, B), []),
        ((A, B, ADD_ON), []),
        (
            (A | {"addonItems": [ADD_ON | {"error": STOCK}]}, B),
            [LineFault("/lineItems/0/addonItems/0", "10003", "None left.")],
        ),
        ((A, B, ADD_ON | {"error": STOCK}), [LineFault("", "10003", "None left.")]),
    ],
    ids=["below its line", "as a line", "faulty below its line", "faulty as a line"],
)
def test_an_add_on_may_stand_below_its_line_or_beside_it(
    lines: tuple[dict[str, Any], ...], faults: list[LineFault]
) -> None:
    assert list(cart(*lines).faults(sent(A | {"addonItems": [ADD_ON]}, B))) == faults


def order(name: str, *lines: dict[str, Any]) -> dict[str, Any]:
    told = [{"offerId": line["catalogItemId"], "quantity": line["quantity"]} for line in lines]
    return {"id": name, "lineItems": told}


def error(group: object) -> dict[str, Any]:
    return {"orderGroupId": group, "code": 800066, "description": "Too many."}


def lines_of(result: CheckedOut | None) -> list[str]:
    """For each line its order, the code of its error, or nothing."""
    assert result
    told = json.loads(result.body)["lines"]
    return [line.get("orderId", line.get("error", {}).get("code", "")) for line in told]


@pytest.mark.parametrize(
    ("groups", "result", "lines"),
    [
        (("0", "1"), {"orders": [order("x", A), order("y", B)]}, ["x", "y"]),
        (("0", "1"), {"orders": [order("y", B), order("x", A)]}, ["x", "y"]),
        (("0", "0"), {"orders": [order("x", B, A)]}, ["x", "x"]),
        (("0", "0"), {"orders": [{"id": "x"}]}, ["x", "x"]),
        (("0", "1"), {"orders": [order("x", A)], "orderErrors": [error("1")]}, ["x", "800066"]),
        (("0", "1"), {"orders": [{"id": "x"}], "orderErrors": [error(1)]}, ["x", "800066"]),
        (("0", "1"), {"orders": [order("x", A)], "orderErrors": [error("9")]}, ["x", ""]),
        (("0", "1"), {"orders": [{"id": "x"}], "orderErrors": [error("9")]}, ["", ""]),
        (("0", "1"), {"orders": [order("x", A), order("y", A)]}, ["", ""]),
        (("0", "1"), {"orders": [order("x", A)]}, ["x", ""]),
        (("", ""), {"orders": [order("x", A)], "orderErrors": [error("")]}, ["", ""]),
        ((), {"orders": [order("x", A), order("y", B)]}, ["", ""]),
    ],
    ids=[
        "each its own",
        "in another order",
        "one order of all",
        "one order that tells no lines",
        "one failed",
        "one failed, and the other tells no lines",
        "an error of an unknown group",
        "nothing to go by",
        "two orders that fit one group",
        "a group that nothing is told of",
        "groups that were not told",
        "groups that were never known",
    ],
)
def test_each_line_names_its_order_or_its_error_or_nothing(
    groups: tuple[str, ...], result: dict[str, Any], lines: list[str]
) -> None:
    assert lines_of(checked_out(result, sent(groups=groups))) == lines


def test_two_groups_of_equal_lines_are_not_told_apart() -> None:
    twins = sent(A, A | {"id": 1}, groups=("0", "1"))

    assert lines_of(checked_out({"orders": [order("x", A), order("y", A)]}, twins)) == ["", ""]
    assert lines_of(checked_out({"orders": [order("x", A), order("y", B)]}, twins)) == ["", ""]


@pytest.mark.parametrize(
    "more", [{"billingCycle": "one_time"}, {"termDuration": "P3Y"}], ids=["cycle", "term"]
)
def test_equal_lines_that_are_billed_otherwise_or_for_another_term_are_told_apart(
    more: dict[str, str],
) -> None:
    sold = {"billingCycle": "monthly", "termDuration": "P1Y"}
    twins = sent(A | sold, A | {"id": 1} | sold | more, groups=("0", "1"))
    orders = [order("y", A), order("x", A)]
    for one, told in zip(orders, (sold | more, sold), strict=True):
        one["billingCycle"] = told["billingCycle"].replace("_", "").title()
        one["lineItems"][0]["termDuration"] = told["termDuration"].lower()

    assert lines_of(checked_out({"orders": orders}, twins)) == ["x", "y"]


@pytest.mark.parametrize(
    ("result", "ids", "is_whole"),
    [
        ({"Orders": [{"Id": "x"}, {"id": 7}], "OrderErrors": None}, ("x", "7"), True),
        ({"id": "x", "lineItems": []}, ("x",), False),
        ({"orders": [{"id": "x"}, {"id": "x"}]}, ("x",), False),
        ({"orders": [], "orderErrors": [error("0")]}, (), False),
        ({"orderErrors": [error("0"), error("1")]}, (), True),
        ({"orders": [{"id": "x"}], "orderErrors": ["Too many."]}, ("x",), True),
        ({"orders": [{"id": "x"}], "orderErrors": error("1")}, ("x",), True),
    ],
    ids=[
        "in Pascal case",
        "an order in its place",
        "one order twice",
        "an error and no order",
        "errors alone",
        "an error that is a text",
        "an error that is no list",
    ],
)
def test_the_orders_of_a_checkout_are_known_by_their_ids(
    result: dict[str, Any], ids: tuple[str, ...], is_whole: bool
) -> None:
    found = checked_out(result, sent(groups=("0", "1")))

    assert found
    assert (found.ids, found.is_whole) == (ids, is_whole)
    assert bool(json.loads(found.body)["orderErrors"]) == bool(result.get("orderErrors"))


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"orders": [], "orderErrors": []},
        {"orders": None, "id": "x"},
        {"orders": [{"id": "x"}, {}]},
        {"orders": [{"id": "x"}, "y"]},
        {"orders": [{"id": " "}]},
        {"orders": [{"id": ["x"]}]},
        {"orders": [{"id": "x"}], "Orders": [], "orderErrors": [error("0")]},
    ],
)
def test_an_answer_that_does_not_tell_all_orders_tells_nothing(result: dict[str, Any]) -> None:
    assert checked_out(result, sent(groups=("0", "1"))) is None


def test_an_order_that_is_nested_too_deeply_is_told_by_its_id() -> None:
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"x": deep}
    found = checked_out({"orders": [{"id": "x", **deep}]}, sent(A, groups=("0",)))

    assert found
    assert json.loads(found.body)["orders"] == [{"id": "x"}]
    assert lines_of(found) == ["x"]


@pytest.mark.parametrize(
    ("groups", "errors", "faults"),
    [
        (("0", "1"), [error("1")], ["/lineItems/1"]),
        (("0", "0"), [error("0")], ["/lineItems/0", "/lineItems/1"]),
        (("0", "1"), [error("9"), error("0")], ["/lineItems/0", ""]),
        (("", ""), [error(None)], [""]),
    ],
)
def test_why_lines_were_not_ordered_is_told_for_each_and_for_what_stands_for_none(
    groups: tuple[str, ...], errors: list[dict[str, Any]], faults: list[str]
) -> None:
    found = checked_out({"orders": [], "orderErrors": errors}, sent(groups=groups))

    assert found
    assert [fault.pointer for fault in faults_of(found.body)] == faults
    assert {(f.code, f.description) for f in faults_of(found.body)} == {("800066", "Too many.")}


def test_what_a_caller_is_answered_is_written_out() -> None:
    result = {"orders": [order("x", A)], "orderErrors": [error("1")], "attributes": {}}
    found = checked_out(result, sent(groups=("0", "1")))

    assert found
    assert found.body == (
        '{"cartId":"c1","orders":[{"id":"x","lineItems":[{"offerId":"CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P",'
        '"quantity":5}]}],"orderErrors":[{"orderGroupId":"1","code":"800066","description":"Too many."}],'
        '"lines":[{"line":0,"catalogItemId":"CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P","orderId":"x"},'
        '{"line":1,"catalogItemId":"CFQ7TTC0LFLS:0002:CFQ7TTC0KDLJ","error":{"orderGroupId":"1",'
        '"code":"800066","description":"Too many."}}],"remedy":"send these lines again, corrected, as a new '
        'checkout with a new Idempotency-Key"}'
    )


def test_the_orders_to_come_are_those_of_the_groups_with_their_add_ons() -> None:
    content = sent(A | {"addonItems": [ADD_ON]}, B, A | {"id": 3}, groups=("0", "1", "0"))
    offers = [[line["offerid"] for line in come.lines] for come in orders_to_come(content)]

    assert offers == [[A["catalogItemId"], ADD_ON["catalogItemId"], A["catalogItemId"]], [B["catalogItemId"]]]
    assert len(orders_to_come(content.model_copy(update={"cart": None}))) == 1


NAMES = st.sampled_from(
    [
        *("id", "Id", "status", "lineItems", "orders", "Orders", "orderErrors", "orderGroupId", "orderGroup"),
        *("error", "errorCode", "quantity", "catalogItemId", "offerId", "addonItems", "expirationTimeStamp"),
        *("code", "description", "x"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["0", "1", "c1", "Active", "2027-04-07T12:00:00", 10**4000, Decimal("1e-999999")])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5)
)


@given(st.dictionaries(NAMES, ANYTHING, max_size=6))
def test_no_cart_is_an_error(told: dict[str, Any]) -> None:
    read = read_cart(told)
    read.has_expired(NOW)

    assert len(read.note(sent()).groups) == 2
    assert all(isinstance(fault.description, str) for fault in read.faults(sent()))


@given(st.dictionaries(NAMES, ANYTHING, max_size=6))
def test_no_answer_to_a_checkout_is_an_error_and_none_of_its_orders_is_left_out(told: dict[str, Any]) -> None:
    found = checked_out(told, sent(groups=("0", "1")))

    if found is not None:
        body = json.loads(found.body)
        assert len(body["lines"]) == 2
        assert found.ids or faults_of(found.body)
        named = {line["orderId"] for line in body["lines"] if "orderId" in line}
        assert named <= set(found.ids)


def test_what_a_person_adopts_is_answered_as_a_checkout_and_a_line_of_no_adopted_order_names_none() -> None:
    body = json.loads(adopted([order("x", A)], sent(groups=("0", "1"))))

    assert [one["id"] for one in body["orders"]] == ["x"]
    assert body["orderErrors"] == []
    assert [line.get("orderId") for line in body["lines"]] == ["x", None]
