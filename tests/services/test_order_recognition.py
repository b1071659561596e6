"""After a silence: is the order that is there ours, provably another's, or for a person to tell?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.core.ledger import State
from tests.services.conftest import CUSTOMER, Office
from tests.services.steps import NOT_DONE, UNREADABLE, fail, settle_down

FIRST = {
    "offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P",
    "quantity": 5,
    "termDuration": "P1Y",
    "friendlyName": "Seats",
    "promotionId": "39NFJQT1PFPG:0001:39NFJQT1Q5BK",
    "provisioningContext": {"subscriptionId": "s-1", "scope": "shared"},
    "attestationAccepted": True,
    "renewsTo": {"termDuration": "P1M"},
    "customTermEndDate": "2027-03-31T23:59:59Z",
}
SECOND = {"offerId": "DG7GMGF0D5RK:0005:DG7GMGF0BWFS", "quantity": 2, "termDuration": "P1M"}
ORDER: dict[str, Any] = {"lineItems": [FIRST, SECOND], "billingCycle": "monthly", "currencyCode": "CAD"}


def lose(office: Office, key: str = "flow-1", *, done: bool = True, **order: Any) -> None:
    """Have an order be sent, not answered, and not be looked for at once."""
    fail(office, "POST order", **({"kind": "lose_reply"} if done else NOT_DONE))
    fail(office, "GET orders", times=3, **UNREADABLE)
    outcome = office.place(key=key, **(order or ORDER))
    assert outcome.submission.state is State.UNKNOWN


def state(office: Office, key: str = "flow-1", **order: Any) -> State:
    return office.place(key=key, **(order or ORDER)).submission.state


def owned(office: Office, key: str, **order: Any) -> str:
    answer = office.place(key=key, **(order or ORDER)).submission.answer
    assert answer
    return str(json.loads(answer.body)["id"])


SHAPES: list[dict[str, Any]] = [
    {},
    {"profile": "other"},
    {"order_casing": "pascal_items"},
    {"order_nulls": True},
    {"line_order": "reversed"},
    {"line_order": "shuffled"},
    {"quantity_as": "text"},
    {"quantity_as": "decimal"},
    {"offer_case": "lower"},
    {"offer_case": "upper"},
    {"order_echo_omits": ["billingCycle", "friendlyName", "provisioningContext", "renewsTo"]},
    {"order_echo_omits": ["lineItemNumber", "promotionId", "currencyCode"], "line_order": "reversed"},
    {"list_order": "newest"},
    {"clock_skew": 7200.0},
    {"clock_skew": -7200.0},
    *({"creation_date": how} for how in ("z", "no_zone", "date", "missing", "garbage", "unset")),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_order_that_is_there_is_found_however_it_is_told(office: Office, shape: dict[str, Any]) -> None:
    office.partner.portal.pad_orders(CUSTOMER, 3)
    office.partner.configure(**shape)
    lose(office)
    settle_down(office, 25, 25)

    assert state(office) is State.DONE
    assert office.posts("POST order") == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_an_order_that_is_not_there_is_placed_again_however_the_others_are_told(
    office: Office, shape: dict[str, Any]
) -> None:
    office.partner.portal.pad_orders(CUSTOMER, 3)
    lose(office, done=False)
    office.partner.configure(**shape, repeats_first_error=False)
    settle_down(office, 25, 25)

    assert state(office) is State.DONE
    assert office.posts("POST order") == 2


def test_an_order_that_is_told_in_other_letters_throughout_is_not_placed_twice(office: Office) -> None:
    office.partner.configure(order_casing="pascal")
    lose(office)
    settle_down(office, 25, 60)

    assert (state(office) in (State.UNKNOWN, State.DONE), office.posts("POST order")) == (True, 1)


CHANGED: list[dict[str, Any]] = [
    {"quantity": 6},
    {"termDuration": "P1M"},
    {"friendlyName": "Other seats"},
    {"promotionId": "39NFJQT1PFPG:0001:OTHER"},
    {"provisioningContext": {"subscriptionId": "s-2", "scope": "shared"}},
    {"attestationAccepted": False},
    {"renewsTo": {"termDuration": "P1Y"}},
    {"customTermEndDate": "2028-03-31T23:59:59Z"},
    {"partnerIdOnRecord": "4847383", "quantity": 1},
]


@pytest.mark.parametrize("change", CHANGED)
def test_an_order_that_differs_in_one_member_of_a_line_is_for_a_person_and_not_placed_again(
    office: Office, change: dict[str, Any]
) -> None:
    lose(office)
    [order] = office.partner.state.orders
    office.partner.portal.change_order(order, {"lineItems": [{"lineItemNumber": 0, **change}]})
    settle_down(office, 25, 60)

    assert (state(office), office.posts("POST order")) == (State.REVIEW, 1)


@pytest.mark.parametrize("change", [{"billingCycle": "annual"}, {"currencyCode": "USD"}])
def test_an_order_that_differs_as_a_whole_is_for_a_person_and_not_placed_again(
    office: Office, change: dict[str, Any]
) -> None:
    lose(office)
    [order] = office.partner.state.orders
    office.partner.portal.change_order(order, change)
    settle_down(office, 25, 60)

    assert (state(office), office.posts("POST order")) == (State.REVIEW, 1)


@pytest.mark.parametrize("lines", [[FIRST], [FIRST, SECOND, SECOND], [SECOND], []])
def test_an_order_of_other_lines_is_for_a_person_unless_it_has_none_of_these_products(
    office: Office, lines: list[dict[str, Any]]
) -> None:
    lose(office, done=False)
    numbered = [{"lineItemNumber": n, **line} for n, line in enumerate(lines)]
    office.partner.portal.place_order(CUSTOMER, {"lineItems": numbered, "currencyCode": "CAD"})
    settle_down(office, 25, 60)

    assert (state(office), office.posts("POST order")) == (State.REVIEW, 1)


def test_a_new_order_of_other_products_is_anothers(office: Office) -> None:
    lose(office, done=False)
    other = {"lineItemNumber": 0, "offerId": "CFQ7TTC0LHSL:0001:CFQ7TTC0RM8K", "quantity": 5}
    office.partner.portal.place_order(CUSTOMER, {"lineItems": [other]})
    settle_down(office, 25, 25)

    assert (state(office), office.posts("POST order")) == (State.DONE, 2)


def pass_by(office: Office, hours: float) -> None:
    """Let time pass, on Partner Center's clock as well."""
    office.clock.forward(hours=hours)
    office.partner.configure(clock_skew=office.clock.ahead.total_seconds())


def by_hand(office: Office, hours_ago: float) -> str:
    """The same order, placed by a person earlier."""
    lines = [{"lineItemNumber": n, **line} for n, line in enumerate(ORDER["lineItems"])]
    at = office.clock.now().timestamp() - hours_ago * 3600
    shown = office.clock.now().fromtimestamp(at, office.clock.now().tzinfo).isoformat()
    order = office.partner.portal.place_order(CUSTOMER, {**ORDER, "lineItems": lines, "creationDate": shown})
    return order.id


def test_the_search_begins_at_the_silence_and_not_when_the_key_was_first_used(office: Office) -> None:
    fail(office, "POST order", kind="throttle", retry_after=900)
    office.place(**ORDER)
    pass_by(office, hours=72)
    earlier = by_hand(office, hours_ago=24)
    fail(office, "POST order", **NOT_DONE)
    fail(office, "GET orders", times=3, **UNREADABLE)
    assert state(office) is State.UNKNOWN
    settle_down(office, 25, 25)

    assert owned(office, "flow-1") != earlier
    assert office.posts("POST order") == 3


@pytest.mark.parametrize("dated", ["offset", "z", "no_zone", "date", "missing", "garbage", "unset"])
@pytest.mark.parametrize("hours", [0.1, 5])
def test_an_order_that_another_request_owns_is_not_taken_however_it_is_dated(
    office: Office, dated: str, hours: float
) -> None:
    office.partner.configure(creation_date=dated)
    first = owned(office, "first")
    pass_by(office, hours)
    lose(office, "second", done=False)
    settle_down(office, 25, 25)

    assert owned(office, "second") != first
    assert len(office.partner.state.orders) == 2


def test_two_orders_alike_of_two_keys_are_one_each(office: Office) -> None:
    lose(office, "a")
    lose(office, "b", done=False)
    settle_down(office, 25, 25, 25)

    assert owned(office, "a") != owned(office, "b")
    assert len(office.partner.state.orders) == 2


@pytest.mark.parametrize(
    "way",
    ["links_next", "body_token", "header", "next_link", "odata_next_link", "skip_token", "total_only"],
)
@pytest.mark.parametrize("done", [True, False])
def test_a_list_in_pages_is_read_to_its_end_or_proves_nothing(office: Office, way: str, done: bool) -> None:
    office.partner.portal.pad_orders(CUSTOMER, 7)
    office.partner.configure(page_size=3, continuation=way)
    lose(office, done=done)
    settle_down(office, 25, 25)
    followed = way in ("links_next", "body_token", "header")

    if done or not followed:
        assert office.posts("POST order") == 1
    assert state(office) is (State.DONE if followed else State.UNKNOWN)
    settle_down(office, *[300] * 6)
    assert state(office) is (State.DONE if followed else State.REVIEW)


def test_a_customer_with_thousands_of_orders_is_resolved_like_any_other(office: Office) -> None:
    office.partner.portal.pad_orders(CUSTOMER, 3_000, lines=14)
    lose(office, "found")
    lose(office, "sent again", done=False)
    settle_down(office, 25, 25, 25)

    assert [state(office, key) for key in ("found", "sent again")] == [State.DONE, State.DONE]
    assert len(office.partner.state.orders) == 3_002
    assert max(e.response_bytes for e in office.partner.journal.entries()) > 8 * 1024 * 1024


@pytest.mark.parametrize("status", [401, 403, 404, 405, 501])
def test_a_list_that_is_refused_proves_nothing(office: Office, status: int) -> None:
    lose(office, done=False)
    fail(office, "GET orders", times=-1, kind="status", status=status, body={"code": "1", "description": ""})
    settle_down(office, 25, *[300] * 6)

    assert (state(office), office.posts("POST order")) == (State.REVIEW, 1)
