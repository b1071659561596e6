"""What became of a checkout that only a person can tell."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from shared.core.errors import StateConflictError
from shared.core.ledger import State, Submission
from shared.services.orders import order_key
from tests.services.conftest import CUSTOMER, Office
from tests.services.steps import (
    DONE_SILENTLY,
    LICENCES,
    NOT_DONE,
    OTHERS,
    check_out,
    decide,
    fail,
    settle_down,
)
from tests.services.test_checkouts import answer

KEY = order_key(CUSTOMER, "flow-1")
YEARLY: dict[str, Any] = {**LICENCES, "billingCycle": "annual", "quantity": 7}


def in_review(office: Office, *lines: dict[str, Any], lost: dict[str, Any] = DONE_SILENTLY) -> Submission:
    """A checkout whose cart nobody could read for more than a day."""
    fail(office, "POST checkout", times=-1, **lost)
    fail(office, "GET cart", times=-1, kind="status", status=503)
    check_out(office, *lines)
    settle_down(office, 25 * 60, 5)
    office.partner.faults.clear()
    own = check_out(office, *lines).submission
    assert own.state is State.REVIEW, own.detail
    return own


def untold(office: Office, *lines: dict[str, Any]) -> list[str]:
    """A checkout that Partner Center made and does not tell of; the orders."""
    office.partner.configure(repeated_checkout=409)
    fail(office, "POST checkout", **DONE_SILENTLY)
    check_out(office, *lines)
    settle_down(office, 1, 1)
    assert check_out(office, *lines).submission.state is State.REVIEW
    return list(office.partner.state.orders)


def told(office: Office, *lines: dict[str, Any]) -> dict[str, Any]:
    return answer(check_out(office, *lines))


def test_a_checkout_that_was_made_is_adopted_with_what_the_cart_tells(office: Office) -> None:
    in_review(office, LICENCES, YEARLY)
    own = decide(office, KEY, "adopt")
    body = told(office, LICENCES, YEARLY)

    assert sorted(own.ids) == sorted(office.partner.state.orders)
    assert sorted(line["orderId"] for line in body["lines"]) == sorted(own.ids)
    assert office.posts("POST cart") == 1


def test_a_checkout_is_adopted_by_its_orders_and_answered_like_any_other(office: Office) -> None:
    orders = untold(office, LICENCES, YEARLY)
    with pytest.raises(StateConflictError, match="name the order to adopt with orderId"):
        decide(office, KEY, "adopt")
    own = decide(office, KEY, "adopt", orderIds=orders)
    body = told(office, LICENCES, YEARLY)

    assert own.ids == tuple(orders)
    assert set(body) == {"cartId", "orders", "orderErrors", "lines"}
    assert [order["id"] for order in body["orders"]] == orders
    assert body["orderErrors"] == []
    for line, sent in zip(body["lines"], (LICENCES, YEARLY), strict=True):
        cycle = office.partner.state.orders[line["orderId"]].body["billingCycle"]
        assert (line["catalogItemId"], cycle) == (sent["catalogItemId"], sent["billingCycle"])


def test_a_line_whose_order_a_person_does_not_name_is_not_told_to_be_in_another(office: Office) -> None:
    lines = LICENCES, {**OTHERS, "billingCycle": "annual", "quantity": 7}
    orders = untold(office, *lines)
    decide(office, KEY, "adopt", orderId=orders[0])
    body = told(office, *lines)

    assert [order["id"] for order in body["orders"]] == orders[:1]
    assert [line.get("orderId") for line in body["lines"]] == [orders[0], None]


def test_the_orders_of_a_checkout_belong_to_it_alone(office: Office) -> None:
    orders = untold(office, LICENCES, YEARLY)
    decide(office, KEY, "adopt", orderIds=orders)
    fail(office, "POST checkout", times=-1, **NOT_DONE)
    fail(office, "GET cart", times=-1, kind="status", status=503)
    check_out(office, key="flow-2")
    settle_down(office, 25 * 60, 5)

    with pytest.raises(StateConflictError, match="belongs to another"):
        decide(office, order_key(CUSTOMER, "flow-2"), "adopt", orderIds=[str(uuid.uuid4()), orders[1]])


def test_a_direct_order_is_not_adopted_as_several(office: Office) -> None:
    fail(office, "POST order", **NOT_DONE)
    fail(office, "GET orders", times=-1, kind="status", status=503)
    key = office.place().record.key
    settle_down(office, 25 * 60, 5)
    with pytest.raises(StateConflictError, match="one order"):
        decide(office, key, "adopt", orderIds=["a", "b"])


@pytest.mark.parametrize("lost", [DONE_SILENTLY, NOT_DONE], ids=["done", "not done"])
def test_a_retry_checks_the_same_cart_out_and_buys_once(office: Office, lost: dict[str, Any]) -> None:
    in_review(office, lost=lost)
    decide(office, KEY, "retry")
    settle_down(office, 2)

    assert told(office)["orders"]
    assert (len(office.partner.state.orders), office.posts("POST cart")) == (1, 1)


@pytest.mark.parametrize("shown", [404, 200])
def test_a_retry_buys_nothing_through_a_cart_that_expired_and_sending_again_takes_a_new_one(
    office: Office, shown: int
) -> None:
    own = in_review(office, lost=NOT_DONE)
    office.partner.configure(expired_cart=shown)
    for cart in office.partner.state.carts.values():
        cart.expires = 1_400_000_000.0
    with pytest.raises(StateConflictError, match=r"may have been ordered before.*send-again"):
        decide(office, KEY, "retry")
    sent = decide(office, KEY, "send-again")
    settle_down(office, 2)

    assert own.order
    assert own.order.cart
    assert own.order.cart.id in sent.detail
    assert told(office)["cartId"] != own.order.cart.id
    assert (len(office.partner.state.orders), office.posts("POST cart")) == (1, 2)


def test_sending_again_buys_once_more_what_partner_center_does_not_tell_of(office: Office) -> None:
    untold(office)
    decide(office, KEY, "send-again")
    settle_down(office, 2)

    assert len(told(office)["orders"]) == 1
    assert len(office.partner.state.orders) == 2


def test_what_was_to_be_bought_again_and_found_no_cart_is_bought_once_when_it_is_tried_again(
    office: Office,
) -> None:
    in_review(office, lost=NOT_DONE)
    fail(office, "POST cart", times=-1, **NOT_DONE)
    decide(office, KEY, "send-again")
    settle_down(office, *[60] * 26)
    assert check_out(office).submission.state is State.REVIEW
    office.partner.faults.clear()
    decide(office, KEY, "retry")
    settle_down(office, 2)

    assert told(office)["orders"]
    assert len(office.partner.state.orders) == 1


def test_a_checkout_that_was_given_up_buys_nothing_and_can_be_taken_up_again(office: Office) -> None:
    in_review(office, lost=NOT_DONE)
    decide(office, KEY, "give-up")
    refused = check_out(office).submission
    settle_down(office, 120)
    before = len(office.partner.state.orders)
    decide(office, KEY, "retry")
    settle_down(office, 2)

    assert (refused.state, refused.given_up, before) == (State.REFUSED, True, 0)
    assert len(office.partner.state.orders) == 1


@pytest.mark.parametrize("status", [403, 404])
def test_a_persons_word_counts_where_partner_center_does_not_show_the_orders(
    office: Office, status: int
) -> None:
    orders = untold(office, LICENCES, YEARLY)
    body = {"code": "20002", "description": "No relationship."}
    fail(office, "GET order", times=-1, kind="status", status=status, body=body)
    own = decide(office, KEY, "adopt", orderIds=orders)

    assert "not verified" in own.history[-1]
    assert told(office, LICENCES, YEARLY)["orders"] == [{"id": order} for order in orders]


@pytest.mark.parametrize("sent", ["in another cart", "refused"])
def test_a_retry_while_the_cart_may_not_be_read_keeps_the_cart_that_may_be_ordered(
    office: Office, sent: str
) -> None:
    denied: dict[str, Any] = {
        "kind": "status",
        "status": 403,
        "body": {"code": "20002", "description": "No relationship."},
    }
    office.partner.configure(repeated_checkout=400)
    fail(office, "POST checkout", times=-1, **DONE_SILENTLY)
    fail(office, "GET cart", times=-1, **denied)
    check_out(office)
    settle_down(office, 25 * 60, 5)
    office.partner.faults.clear()
    assert check_out(office).submission.state is State.REVIEW

    fail(office, "GET cart", times=1, **denied)
    decide(office, KEY, "retry")
    gone: dict[str, Any] = {
        "kind": "status",
        "status": 404,
        "body": {"code": "1000", "description": "No such cart."},
    }
    fail(office, "GET cart", times=-1, **(gone if sent == "in another cart" else denied))
    settle_down(office, 2, 2, 60)
    own = check_out(office).submission
    assert own.state in (State.UNKNOWN, State.REVIEW), own.detail
    assert len(office.partner.state.orders) == 1


def test_a_checkout_that_an_operator_has_bought_again_says_which_lines_are_not_sold(office: Office) -> None:
    in_review(office, lost=NOT_DONE)
    office.partner.configure(cart_faults={"CFQ7TTC0LH0Z": 10003})
    decide(office, KEY, "send-again")
    settle_down(office, 1, 60, 25 * 60, 60)
    own = check_out(office).submission
    assert own.state is State.REVIEW
    assert "10003" in own.detail
