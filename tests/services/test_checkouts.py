"""Purchases through a cart: one key buys once, a lost reply is asked for again at once, and every line is
accounted for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.core.errors import (
    KeyReusedError,
    LinesRefusedError,
    NothingOrderedError,
    PartnerCenterError,
    RefusedError,
    ResellerError,
)
from shared.core.ledger import State
from shared.services.operation import Outcome
from shared.services.orders import order_key
from shared.web.responses import require_done
from tests.services.conftest import CUSTOMER, RESELLER, Office
from tests.services.steps import DONE_SILENTLY, LICENCES, NOT_DONE, OTHERS, check_out, fail, settle_down


def placed(office: Office) -> int:
    return len(office.partner.state.orders)


def answer(outcome: Outcome) -> dict[str, Any]:
    assert outcome.submission.state is State.DONE, outcome.submission.detail
    assert outcome.submission.answer
    return dict(json.loads(outcome.submission.answer.body))


@pytest.mark.parametrize("profile", ["usual", "other"])
def test_a_checkout_buys_once_and_its_answer_is_given_again(office: Office, profile: str) -> None:
    office.partner.configure(profile=profile)
    first = check_out(office)
    again = check_out(office, by=office.another())

    assert (first.replayed, again.replayed) == (False, True)
    assert answer(first) == answer(again)
    assert placed(office) == 1
    told = answer(first)
    (order,) = office.partner.state.orders.values()
    assert first.submission.ids == (order.id,)
    assert told["lines"] == [{"line": 0, "catalogItemId": LICENCES["catalogItemId"], "orderId": order.id}]
    assert told["orderErrors"] == []
    assert office.posts("POST cart") == 1, "a replay makes no cart"


@pytest.mark.parametrize("profile", ["usual", "other"])
def test_lines_of_several_groups_become_several_orders_and_each_line_names_its_own(
    office: Office, profile: str
) -> None:
    office.partner.configure(profile=profile)
    yearly = {**LICENCES, "billingCycle": "annual", "quantity": 7}
    told = answer(check_out(office, LICENCES, OTHERS, yearly))

    orders = office.partner.state.orders
    assert len(told["orders"]) == len(orders)
    for line, sent in zip(told["lines"], (LICENCES, OTHERS, yearly), strict=True):
        offers = [
            (item["offerId"], item["quantity"])
            for item in orders[line["orderId"]].body["lineItems"]  # type: ignore[attr-defined]
        ]
        assert (sent["catalogItemId"], sent["quantity"]) in offers


def test_a_group_that_fails_is_told_beside_the_order_of_the_others(office: Office) -> None:
    office.partner.configure(checkout_failures={"CFQ7TTC0LFLS": 800066})
    outcome = check_out(office, LICENCES, OTHERS)
    told = answer(outcome)

    assert placed(office) == len(told["orders"]) == len(told["orderErrors"]) == 1
    assert told["lines"][0]["orderId"] == outcome.submission.ids[0]
    assert told["lines"][1]["error"]["code"] == "800066"
    assert "new Idempotency-Key" in told["remedy"]
    check_out(office, LICENCES, OTHERS)
    assert placed(office) == 1


def test_a_checkout_that_orders_nothing_is_a_refusal_that_is_given_again(office: Office) -> None:
    office.partner.configure(checkout_failures={"CFQ7TTC0LH0Z": 800066})
    for _ in range(2):
        with pytest.raises(NothingOrderedError) as caught:
            require_done(check_out(office))
        assert [v.pointer for v in caught.value.violations] == ["/lineItems/0"]
        assert "800066" in caught.value.violations[0].detail
        assert "new Idempotency-Key" in caught.value.remedy
    assert placed(office) == 0
    assert office.posts("POST checkout") == 1


def test_a_line_that_the_cart_names_as_faulty_stops_before_anything_is_bought(office: Office) -> None:
    office.partner.configure(cart_faults={"CFQ7TTC0LFLS": 10003})
    with pytest.raises(LinesRefusedError) as caught:
        check_out(office, LICENCES, OTHERS)

    assert [v.pointer for v in caught.value.violations] == ["/lineItems/1"]
    assert "10003" in caught.value.violations[0].detail
    assert office.posts("POST checkout") == 0
    office.partner.configure(cart_faults={})
    assert answer(check_out(office, LICENCES)), "nothing was recorded: the key is free"


def test_a_faulty_add_on_is_named_below_its_line(office: Office) -> None:
    office.partner.configure(cart_faults={"CFQ7TTC0LFLS": 10001})
    add_on = {"catalogItemId": "CFQ7TTC0LFLS:0002:CFQ7TTC0KDLJ", "quantity": 1, "billingCycle": "monthly"}
    with pytest.raises(LinesRefusedError) as caught:
        check_out(office, OTHERS | {"catalogItemId": "DG7GMGF0D7FV:0001:X", "addonItems": [add_on]})
    assert [v.pointer for v in caught.value.violations] == ["/lineItems/0/addonItems/0"]


def test_for_an_indirect_reseller_its_partner_id_takes_part_in_every_line(office: Office) -> None:
    reseller = office.partner.state.resellers[0]
    check_out(office, LICENCES, OTHERS, indirectResellerId=reseller.id.upper())

    (cart,) = office.partner.state.carts.values()
    named = [line.fields["participants"] for line in cart.lines]
    assert named == [[{"key": "transaction_reseller", "value": reseller.mpn_id}]] * 2


def test_a_reseller_that_is_not_found_buys_nothing(office: Office) -> None:
    with pytest.raises(ResellerError):
        check_out(office, indirectResellerId=RESELLER)
    assert office.posts("POST cart") == 0


def test_a_key_stands_for_one_purchase_whichever_way_it_is_made(office: Office) -> None:
    office.place("flow-1")
    with pytest.raises(KeyReusedError):
        check_out(office, key="flow-1")
    check_out(office, key="flow-2")
    with pytest.raises(KeyReusedError):
        office.place("flow-2")
    with pytest.raises(KeyReusedError):
        check_out(office, OTHERS, key="flow-2")
    assert placed(office) == 2


@pytest.mark.parametrize("profile", ["usual", "other"])
@pytest.mark.parametrize("honours", [True, False])
@pytest.mark.parametrize("lost", [DONE_SILENTLY, NOT_DONE], ids=["done", "not done"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_reply_is_asked_for_again_at_once_and_buys_once(
    office: Office, profile: str, honours: bool, lost: dict[str, Any], times: int
) -> None:
    office.partner.configure(profile=profile, honours_request_id=honours)
    fail(office, "POST checkout", times=times, **lost)
    before = office.clock.ahead
    told = answer(check_out(office))

    assert placed(office) == len(told["orders"]) == 1
    assert (office.clock.ahead - before).total_seconds() <= 2.0
    assert office.messages(), "nothing is left to do"
    assert office.posts("POST cart") == 1


@pytest.mark.parametrize("lost", [DONE_SILENTLY, NOT_DONE], ids=["done", "not done"])
def test_while_every_reply_is_lost_it_is_open_and_then_it_is_bought_once(
    office: Office, lost: dict[str, Any]
) -> None:
    fail(office, "POST checkout", times=7, **lost)
    fail(office, "GET cart", kind="status", status=503)
    outcome = check_out(office)
    assert outcome.submission.state is State.UNKNOWN

    settle_down(office, 1, 1, 2, 5, 10, 20, 40)
    told = answer(check_out(office))
    assert placed(office) == len(told["orders"]) == 1


def test_a_refusal_is_kept_and_one_that_lies_outside_the_request_is_tried_again_with_the_same_cart(
    office: Office,
) -> None:
    body = {"code": "800075", "description": "Account not approved."}
    fail(office, "POST checkout", kind="status", status=403, body=body)
    with pytest.raises(RefusedError):
        require_done(check_out(office))
    assert answer(check_out(office))
    assert office.posts("POST cart") == 1
    assert placed(office) == 1


def test_a_cart_that_cannot_be_made_records_nothing(office: Office) -> None:
    fail(office, "POST cart", times=3, **NOT_DONE)
    with pytest.raises(PartnerCenterError):
        check_out(office)
    assert office.services.ledger.read(order_key(CUSTOMER, "flow-1")) is None
    assert answer(check_out(office))
    assert placed(office) == 1


@pytest.mark.parametrize("shown", [404, 200])
@pytest.mark.parametrize("refused", [404, 400, 409, 410])
def test_a_cart_that_expired_and_was_never_ordered_is_replaced(
    office: Office, shown: int, refused: int
) -> None:
    office.partner.configure(expired_cart=shown, expired_checkout=refused)
    body = {"code": "800075", "description": "Account not approved."}
    fail(office, "POST checkout", kind="status", status=403, body=body)
    check_out(office)
    for cart in office.partner.state.carts.values():
        cart.expires = 0.0 if shown == 404 else 1_400_000_000.0
    assert answer(check_out(office))
    assert (placed(office), office.posts("POST cart")) == (1, 2)


@pytest.mark.parametrize("shown", [404, 200])
@pytest.mark.parametrize("refused", [404, 400, 409, 410])
def test_a_cart_that_expired_after_a_silence_goes_to_a_person_who_can_have_it_bought(
    office: Office, shown: int, refused: int
) -> None:
    office.partner.configure(expired_cart=shown, expired_checkout=refused, ordered_carts_expire=True)
    fail(office, "POST checkout", times=3, **NOT_DONE)
    fail(office, "GET cart", times=3, kind="status", status=503)
    check_out(office)
    for cart in office.partner.state.carts.values():
        cart.expires = 1_400_000_000.0
    settle_down(office, *[90] * 18)
    own = check_out(office).submission
    assert own.state is State.REVIEW
    assert "expired" in own.detail
    assert placed(office) == 0


@pytest.mark.parametrize("status", [400, 409])
def test_a_cart_that_was_ordered_and_does_not_tell_of_what_goes_to_a_person_at_once(
    office: Office, status: int
) -> None:
    office.partner.configure(repeated_checkout=status)
    fail(office, "POST checkout", times=1, **DONE_SILENTLY)
    check_out(office)
    settle_down(office, 1, 1)
    own = check_out(office).submission
    assert (own.state, placed(office)) == (State.REVIEW, 1)
    assert "was ordered" in own.detail


def test_a_direct_order_does_not_take_what_a_checkout_bought(office: Office) -> None:
    told = answer(check_out(office, key="cart"))
    fail(office, "POST order", times=1, **NOT_DONE)
    office.place("direct")
    settle_down(office, 20, 20, 20)
    own = office.place("direct").submission
    assert own.state is State.DONE
    assert own.ids[0] != told["orders"][0]["id"]
    assert placed(office) == 2


def test_a_direct_order_does_not_take_what_a_checkout_in_review_may_have_bought(office: Office) -> None:
    office.partner.configure(repeated_checkout=400)
    fail(office, "POST order", times=1, **NOT_DONE)
    office.place("direct")
    fail(office, "POST checkout", times=1, **DONE_SILENTLY)
    check_out(office, key="cart")
    settle_down(office, 1, 1)
    assert check_out(office, key="cart").submission.state is State.REVIEW

    settle_down(office, 20, 20, 20)
    assert office.place("direct").submission.state is not State.DONE
    assert placed(office) == 1
