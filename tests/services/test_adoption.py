"""Which request an order at Partner Center is noted for, and for how long that counts."""

from __future__ import annotations

import json

import pytest

from shared.core.ledger import State
from shared.services.orders import order_key
from shared.storage.ledger_store import Adoption
from tests.services.conftest import CUSTOMER, Office
from tests.services.steps import NOT_DONE, fail, settle_down

FIRST, SECOND = (order_key(CUSTOMER, key) for key in ("first", "second"))


def adopt(office: Office, order_id: str, key: str, revision: str = "r") -> Adoption:
    return office.services.ledger.adopt(order_id, key, revision)


def test_what_a_request_has_noted_for_itself_stays_its_own(office: Office) -> None:
    fail(office, "POST order", **NOT_DONE)
    office.place(key="first")

    assert [adopt(office, "an-order", FIRST, r) for r in ("r1", "r2")] == [Adoption.OURS] * 2
    assert adopt(office, "an-order", SECOND) is Adoption.OPEN


def test_what_a_request_ended_with_is_its_own_for_ever(office: Office) -> None:
    answer = office.place(key="first").submission.answer
    assert answer
    order_id = json.loads(answer.body)["id"]
    adopt(office, order_id, FIRST)

    assert adopt(office, order_id.upper(), SECOND) is Adoption.THEIRS


@pytest.mark.parametrize("ends", ["not sent", "with another"])
def test_what_was_noted_for_a_request_that_went_on_without_it_can_be_anothers(
    office: Office, ends: str
) -> None:
    if ends == "not sent":
        fail(office, "POST order", kind="throttle", retry_after=900)
    outcome = office.place(key="first")
    adopt(office, "left-behind", FIRST)

    assert outcome.submission.state in (State.PENDING, State.DONE)
    assert adopt(office, "left-behind", SECOND) is Adoption.OURS
    assert not office.services.ledger.has_adopted("left-behind", FIRST)


def test_an_order_is_placed_once_although_it_was_noted_for_an_equal_request_that_was_not_sent(
    office: Office,
) -> None:
    fail(office, "POST order", kind="lose_reply")
    fail(office, "GET orders", kind="status", status=503, times=3)
    office.place(key="first")
    fail(office, "POST order", kind="throttle", retry_after=900)
    office.place(key="second")
    [order_id] = office.partner.state.orders
    adopt(office, order_id, SECOND)
    settle_down(office, 5, 20)
    first = office.place(key="first").submission

    assert (first.state, first.ids) == (State.DONE, (order_id,))
    assert len(office.partner.state.orders) == 1, "the second still waits for the rate limit"
