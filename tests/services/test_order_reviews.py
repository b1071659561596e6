"""What became of an order that only a person can tell."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from shared.core.errors import DecisionWaitsError, PartnerCenterError, StateConflictError
from shared.core.ledger import State
from shared.storage.ledger_store import Adoption
from tests.services.conftest import CUSTOMER, Office
from tests.services.steps import NOT_DONE, UNREADABLE, decide, fail, settle_down


def in_review(office: Office, *keys: str, done: bool = True) -> list[str]:
    """Orders of which nothing could be found out for more than a day; the keys of their submissions."""
    fail(office, "POST order", times=len(keys), **({"kind": "lose_reply"} if done else NOT_DONE))
    fail(office, "GET orders", times=-1, **UNREADABLE)
    records = [office.place(key=key).record.key for key in keys]
    settle_down(office, 25 * 60, 5)
    office.partner.faults.clear()
    for record in records:
        stored = office.services.ledger.read(record)
        assert stored
        assert [own.state for own in stored.record.submissions.values()] == [State.REVIEW]
    return records


def line_of(order: Any) -> dict[str, Any]:
    return dict(order.body["lineItems"][0])


def test_an_order_is_adopted_by_its_id_and_belongs_to_one_request(office: Office) -> None:
    keys = in_review(office, "a", "b", done=False)
    named = office.partner.portal.place_order(CUSTOMER, {"lineItems": []}).id

    assert decide(office, keys[0], "adopt", orderId=named).state is State.DONE
    with pytest.raises(StateConflictError, match="belongs to another"):
        decide(office, keys[1], "adopt", orderId=named)
    assert office.posts("POST order") == 2


def test_a_retry_waits_while_another_open_request_may_have_placed_what_is_there(office: Office) -> None:
    [key] = in_review(office, "a", done=False)
    order_id = office.partner.portal.place_order(CUSTOMER, dict(json.loads(sent(office, key)))).id
    fail(office, "POST order", **NOT_DONE)
    fail(office, "GET orders", times=3, **UNREADABLE)
    other = office.place(key="b").record.key
    assert office.services.ledger.adopt(order_id, other, "r") is Adoption.OURS
    with pytest.raises(DecisionWaitsError, match="another open request"):
        decide(office, key, "retry")

    assert office.posts("POST order") == 2


def sent(office: Office, key: str) -> str:
    stored = office.services.ledger.read(key)
    assert stored
    [own] = stored.record.submissions.values()
    assert own.order
    return own.order.body


def test_an_order_is_one_whatever_the_case_in_which_a_person_names_it(office: Office) -> None:
    keys = in_review(office, "a", "b", done=False)
    named = office.partner.portal.place_order(CUSTOMER, {"lineItems": []}).id
    decide(office, keys[0], "adopt", orderId=named)

    with pytest.raises(StateConflictError, match="belongs to another"):
        decide(office, keys[1], "adopt", orderId=named.upper())


def test_an_order_that_was_answered_cannot_be_adopted_by_another_request(office: Office) -> None:
    answer = office.place(key="first").submission.answer
    assert answer
    [key] = in_review(office, "second", done=False)

    with pytest.raises(StateConflictError, match="belongs to another"):
        decide(office, key, "adopt", orderId=json.loads(answer.body)["id"])


def test_an_order_that_is_there_is_adopted_without_its_name(office: Office) -> None:
    [key] = in_review(office, "a")
    own = decide(office, key, "adopt")

    assert own.state is State.DONE
    assert list(own.ids) == list(office.partner.state.orders)


def test_an_order_that_cannot_be_told_for_certain_is_to_be_named(office: Office) -> None:
    [key] = in_review(office, "a")
    [order] = office.partner.state.orders.values()
    line = line_of(order)
    for details in ({"termDuration": "P3Y"}, {"offerId": "quite:another:offer"}):
        order.body["lineItems"] = [{**line, **details}]
        with pytest.raises(StateConflictError, match="name the order to adopt with orderId"):
            decide(office, key, "adopt")

    assert decide(office, key, "adopt", orderId=order.id).state is State.DONE


def test_a_retry_of_an_order_that_was_changed_meanwhile_sends_nothing(office: Office) -> None:
    [key] = in_review(office, "a")
    [order] = office.partner.state.orders.values()
    office.partner.portal.change_order(order.id, {"lineItems": [{"lineItemNumber": 0, "quantity": 7}]})
    with pytest.raises(StateConflictError, match="send-again"):
        decide(office, key, "retry")
    settle_down(office, 60)

    assert office.posts("POST order") == 1


def test_a_retry_of_an_order_that_is_not_there_places_it(office: Office) -> None:
    [key] = in_review(office, "a", done=False)
    decide(office, key, "retry")
    settle_down(office, 2)

    assert len(office.partner.state.orders) == 1
    assert office.place(key="a").submission.state is State.DONE
    assert office.posts("POST order") == 2


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("decision", ["adopt", "retry", "send-again", "give-up"])
def test_a_persons_word_counts_where_partner_center_does_not_list_the_orders(
    office: Office, status: int, decision: str
) -> None:
    [key] = in_review(office, "a", done=False)
    body = {"code": "20002", "description": "No relationship."}
    for on in ("GET orders", "GET order"):
        fail(office, on, times=-1, kind="status", status=status, body=body)
    named: dict[str, Any] = {"orderId": str(uuid.uuid4())} if decision == "adopt" else {}
    own = decide(office, key, decision, **named)
    settle_down(office, 2)

    expected = {"adopt": State.DONE, "give-up": State.REFUSED}.get(decision, State.PENDING)
    assert own.state is expected
    assert ("not verified" in own.history[-1]) == (decision in ("adopt", "retry"))
    assert len(office.partner.state.orders) == (expected is State.PENDING)


def test_an_order_that_cannot_be_asked_about_for_now_stays_in_review(office: Office) -> None:
    [key] = in_review(office, "a")
    fail(office, "GET orders", times=-1, **UNREADABLE)
    for decision in ("retry", "adopt"):
        with pytest.raises(PartnerCenterError):
            decide(office, key, decision)

    assert decide(office, key, "give-up").state is State.REFUSED


def test_an_order_that_was_given_up_is_not_placed_and_can_be_taken_up_again(office: Office) -> None:
    [key] = in_review(office, "a", done=False)
    decide(office, key, "give-up")
    refused = office.place(key="a").submission
    settle_down(office, 120)
    before = len(office.partner.state.orders)
    decide(office, key, "send-again")
    settle_down(office, 2)

    assert (refused.state, refused.given_up, before) == (State.REFUSED, True, 0)
    assert len(office.partner.state.orders) == 1


def test_only_an_order_in_review_can_be_decided(office: Office) -> None:
    key = office.place().record.key
    with pytest.raises(StateConflictError, match="done, not in review"):
        decide(office, key, "retry")
