"""Orders of which no answer tells what became of them: one key buys once, and its request keeps its id."""

from __future__ import annotations

from typing import Any

import pytest

from shared.core.ledger import State
from tests.services.conftest import CUSTOMER, Office
from tests.services.steps import NOT_DONE, fail, settle_down


def placed(office: Office) -> int:
    return len(office.partner.state.orders)


def go_on(office: Office, minutes: int, step: int = 5) -> None:
    settle_down(office, *[step] * (minutes // step))


BETWEEN: list[dict[str, Any]] = [
    {"kind": "throttle", "retry_after": 600},
    {"kind": "status", "status": 429, "body": {"code": "1", "description": "Slow down."}},
    {"kind": "status", "status": 401, "body": "", "headers": {"WWW-Authenticate": "Bearer"}},
    {"kind": "status", "status": 403, "body": {"message": "Forbidden.", "statusCode": 403}},
    {"kind": "refuse"},
    {"kind": "cut", "after_bytes": 10},
]


@pytest.mark.parametrize("between", BETWEEN, ids=str)
def test_what_does_not_come_from_the_service_between_two_sendings_keeps_the_request_id(
    office: Office, between: dict[str, Any]
) -> None:
    office.partner.configure(honours_request_id=True, list_lag=10_000.0)
    fail(office, "POST order", kind="lose_reply")
    fail(office, "POST order", times=2 if between.get("status") == 401 else 1, **between)
    office.place()
    go_on(office, 120)
    office.place()
    go_on(office, 60)

    ids = office.request_ids("POST order")
    assert len(ids) >= 3
    assert len(set(ids)) == 1
    assert office.place().submission.state is State.DONE
    assert placed(office) == 1, "whoever honours the id has no second effect"


def test_our_own_waiting_for_the_rate_limit_keeps_the_request_id(office: Office) -> None:
    fail(office, "POST order", **NOT_DONE)
    office.place()
    fail(office, "GET orders", skip=1, kind="throttle", retry_after=3000)
    go_on(office, 120)

    assert office.place().submission.state is State.DONE
    assert len(set(office.request_ids("POST order"))) == 1


@pytest.mark.parametrize("profile", ["usual", "other"])
def test_a_server_that_repeats_its_first_error_gets_a_new_id_and_places_one_order(
    office: Office, profile: str
) -> None:
    office.partner.configure(profile=profile, repeats_first_error=True)
    fail(office, "POST order", **NOT_DONE)
    office.place()
    after: dict[int, int] = {}
    for minute in range(0, 600, 10):
        settle_down(office, 10)
        after.setdefault(office.posts("POST order"), minute)

    first, *ids = office.request_ids("POST order")
    assert (ids[:2], len(ids), ids[2] != first) == ([first, first], 3, True)
    assert after[2] < after[3] - after[2] < after[4] - after[3], "waits grow"
    assert office.place().submission.state is State.DONE
    assert placed(office) == 1


TELLS_NOTHING: list[dict[str, Any]] = [
    {"status": 409, "body": {"code": "999999", "description": "Not documented."}},
    {"status": 409, "body": {"code": "800060", "description": "In progress; check your order history."}},
    {"status": 500, "body": {"code": "800005", "description": "Create order isn't successful."}},
    {"status": 409, "body": "<html>conflict</html>", "gateway": True},
    {"status": 403, "body": "<html>a firewall's page</html>", "gateway": True},
    {"status": 404, "body": "<html>a gateway's page</html>", "gateway": True},
    {"status": 302, "body": "", "headers": {"Location": "https://elsewhere.example/"}, "gateway": True},
    {"status": 103, "body": ""},
    {"status": 200, "body": {"status": "queued"}},
    {"status": 201, "body": ""},
    {"status": 408, "body": ""},
]


@pytest.mark.parametrize("answer", TELLS_NOTHING, ids=str)
@pytest.mark.parametrize("done", [True, False])
def test_an_answer_that_is_not_known_to_refuse_is_followed_by_a_question_and_not_by_a_second_post(
    office: Office, answer: dict[str, Any], done: bool
) -> None:
    fail(office, "POST order", kind="status", commit=done, **answer)
    first = office.place().submission.state
    again = office.place().submission.state
    posts = office.posts("POST order")
    go_on(office, 30)

    assert first is again is (State.DONE if done else State.UNKNOWN)
    assert posts == 1
    assert office.place().submission.state is State.DONE
    assert placed(office) == 1


@pytest.mark.parametrize("code", ["800014", "800082", "900112", "999999"])
def test_every_conflict_of_a_second_sending_may_be_with_the_first(office: Office, code: str) -> None:
    office.partner.configure(list_lag=10_000.0)
    fail(office, "POST order", kind="lose_reply")
    fail(office, "POST order", kind="status", status=409, body={"code": code, "description": "Conflict."})
    office.place()
    go_on(office, 30)
    posts = office.posts("POST order")
    office.partner.configure(list_lag=0.0)
    go_on(office, 60)

    assert posts == 2, "the lag is longer than the documents say, so it was sent again"
    assert office.place().submission.state is State.DONE
    assert placed(office) == 1


def test_the_same_unknown_answer_again_and_again_ends_with_a_person(office: Office) -> None:
    conflict = {"code": "999999", "description": "Not documented."}
    fail(office, "POST order", times=-1, kind="status", status=409, body=conflict)
    office.place()
    go_on(office, 12 * 60, 20)

    submission = office.place().submission
    assert (submission.state, office.posts("POST order")) == (State.REVIEW, 3)
    assert "409/999999" in submission.detail


def test_a_refusal_after_a_silence_is_told_and_its_key_stays_the_callers(office: Office) -> None:
    fail(office, "POST order", **NOT_DONE)
    fail(office, "POST order", kind="status", status=403, body={"code": "900121", "description": "Credit."})
    office.place()
    go_on(office, 30)
    refused = office.services.orders.status(CUSTOMER, "flow-1", office.deadline()).submission
    go_on(office, 60)
    posts = office.posts("POST order")

    assert (refused.state, refused.actor, posts) == (State.REFUSED, "partner", 2)
    assert office.place().submission.state is State.DONE, "the remedy lay outside of the request"
    assert placed(office) == 1


KEYS = [
    "a/b",
    "a%2Fb",
    "a%2fb",
    "a+b",
    "a%20b",
    "A/B",
    "a",
    "A",
    "a.b",
    "a..b",
    "~",
    "%",
    "?key=a",
    "#a",
    "x" * 255,
]


def test_no_two_keys_answer_for_each_other_whatever_they_are_made_of(office: Office) -> None:
    orders = {key: office.place(key=key).submission.ids for key in KEYS}
    again = {key: office.services.orders.status(CUSTOMER, key, office.deadline()) for key in KEYS}

    assert len(set(orders.values())) == placed(office) == len(KEYS)
    assert {key: outcome.submission.ids for key, outcome in again.items()} == orders
