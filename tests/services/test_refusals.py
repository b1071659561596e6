"""What Partner Center answers to documents: refusals that last or pass, silence, odd answers."""

from __future__ import annotations

import time
from typing import Any

import pytest

from shared.core.errors import NotVisibleYetError
from shared.core.ledger import State
from tests.services.conftest import CUSTOMER, PDF, Office
from tests.services.steps import (
    DONE_SILENTLY,
    NOT_DONE,
    REFUSED,
    Do,
    attach,
    drop_pair,
    drop_set,
    fail,
    settle_down,
)

PASSING: Do = {"kind": "status", "status": 403, "body": {"code": "900192", "description": "Try again later."}}


def test_what_partner_center_refuses_is_rejected_with_the_remedy_and_not_repeated(office: Office) -> None:
    fail(office, "POST attachment", **REFUSED)
    drop_pair(office, office.order())
    office.ring("x/PO.json", "x/PO.json", "x/PO.pdf")
    settle_down(office, 10, 60)

    receipt = office.receipt("x/PO.json")
    assert (receipt["state"], receipt["actor"]) == ("rejected", "caller")
    assert receipt["partnerCenter"]["code"] == "900254"
    assert receipt["remedy"]
    assert office.posts() == 1


def test_what_was_refused_is_sent_again_when_its_sidecar_is_dropped_again(office: Office) -> None:
    order = office.order()
    fail(office, "POST attachment", **REFUSED)
    drop_pair(office, order)
    office.ring("x/PO.json")
    drop_pair(office, order)
    office.ring("x/PO.json")

    assert office.receipt("x/PO.json")["state"] == "attached"
    assert len(set(office.request_ids("POST attachment"))) == 2, "a refusal asks for a new MS-RequestId"


@pytest.mark.parametrize("answer", [PASSING, {**PASSING, "status": 409, "body": {"code": "800014"}}])
def test_a_refusal_that_passes_by_itself_is_retried_and_told(office: Office, answer: dict[str, Any]) -> None:
    order = office.order()
    fail(office, "POST attachment", **answer)
    drop_pair(office, order)
    office.ring("x/PO.json")
    told = office.receipt("x/PO.json")
    settle_down(office, 12)

    assert told["state"] == "retrying"
    assert told["nextAttempt"]
    assert told["remedy"]
    assert office.receipt("x/PO.json")["state"] == "attached"


def test_a_refusal_that_passes_by_itself_and_never_does_ends_with_a_person(office: Office) -> None:
    fail(office, "POST attachment", times=-1, **PASSING)
    drop_pair(office, office.order())
    office.ring("x/PO.json")
    settle_down(office, *[180] * 12)

    assert office.receipt("x/PO.json")["state"] == "review"


def test_throttling_is_waited_out_and_told(office: Office) -> None:
    order = office.order()
    fail(office, "POST attachment", kind="throttle", retry_after=600)
    drop_pair(office, order)
    office.ring("x/PO.json")
    told = office.receipt("x/PO.json")
    office.ring("x/PO.json")
    posts_before = office.posts()
    settle_down(office, 12)

    assert told["state"] == "retrying"
    assert told["nextAttempt"]
    assert posts_before == 1
    assert office.receipt("x/PO.json")["state"] == "attached"


@pytest.mark.parametrize("kind", ["lose_reply", "truncate", "garbage"])
def test_a_lost_reply_is_found_at_partner_center_and_not_repeated(office: Office, kind: str) -> None:
    order = office.order()
    fail(office, "POST attachment", kind=kind)
    drop_pair(office, order)
    office.ring("x/PO.json")

    assert office.receipt("x/PO.json")["state"] == "attached"
    assert office.attached(order) == ["PO.pdf"]


def test_a_5xx_before_commit_is_sent_again_only_when_provably_absent(office: Office) -> None:
    order = office.order()
    fail(office, "POST attachment", **NOT_DONE)
    drop_pair(office, order)
    office.ring("x/PO.json")
    first = office.receipt("x/PO.json")
    settle_down(office, 1.75)
    still = office.posts()
    settle_down(office, 4)

    assert first["state"] == "retrying"
    assert still == 1
    assert office.receipt("x/PO.json")["state"] == "attached"
    assert office.attached(order) == ["PO.pdf"]
    first_id, second_id = office.request_ids("POST attachment")
    assert first_id == second_id, "silence keeps the MS-RequestId"


def test_a_part_that_the_server_drops_by_name_is_looked_for_and_then_for_a_person_to_see(
    office: Office,
) -> None:
    fail(office, "POST attachment", kind="drop_part", name="TenderFiles")
    drop_set(office, office.order())
    office.ring("x/metadata.json")
    told = office.receipt("x/metadata.json")
    settle_down(office, 4)

    assert (told["state"], "does not list all" in told["detail"]) == ("retrying", True)
    receipt = office.receipt("x/metadata.json")
    assert receipt["state"] == "review"
    assert "t.pdf" in receipt["detail"]
    assert office.posts() == 1, "what was accepted is never sent again by itself"


TELLS_NOTHING: list[dict[str, Any]] = [
    {"status": 409, "body": {"code": "999999", "description": "Not documented."}},
    {"status": 409, "body": "<html>conflict</html>", "gateway": True},
    {"status": 403, "body": "<html>a firewall's page</html>", "gateway": True},
    {"status": 404, "body": "<html>a gateway's page</html>", "gateway": True},
    {"status": 302, "body": "", "headers": {"Location": "https://elsewhere.example/"}, "gateway": True},
    {"status": 103, "body": ""},
    {"status": 408, "body": {"code": "900225", "description": "Too slow."}},
]


@pytest.mark.parametrize("answer", TELLS_NOTHING)
@pytest.mark.parametrize("done", [True, False])
def test_an_answer_that_is_not_known_to_refuse_is_followed_by_a_question_and_not_by_a_second_post(
    office: Office, answer: dict[str, Any], done: bool
) -> None:
    order = office.order()
    fail(office, "POST attachment", kind="status", commit=done, **answer)
    drop_pair(office, order)
    office.ring("x/PO.json")
    told, posts = office.receipt("x/PO.json")["state"], office.posts()
    settle_down(office, 4)

    assert (told, posts) == ("attached" if done else "retrying", 1)
    assert office.receipt("x/PO.json")["state"] == "attached"
    assert office.attached(order) == ["PO.pdf"]
    assert len(set(office.request_ids("POST attachment"))) == 1


def test_a_known_conflict_of_a_second_sending_may_be_with_the_first(office: Office) -> None:
    order = office.order()
    office.partner.configure(attachment_lag=1000.0)
    fail(office, "POST attachment", **DONE_SILENTLY)
    fail(office, "POST attachment", kind="status", status=409, body={"code": "800014"})
    drop_pair(office, order)
    office.ring("x/PO.json")
    settle_down(office, 4)
    posts = office.posts()
    office.partner.configure(attachment_lag=0.0)
    settle_down(office, 8)

    assert posts == 2, "the lag is longer than the documents say, so it was sent again"
    assert office.receipt("x/PO.json")["state"] == "attached"
    assert office.attached(order) == ["PO.pdf"]


def test_the_same_unknown_answer_again_and_again_ends_with_a_person(office: Office) -> None:
    order = office.order()
    conflict = {"code": "999999", "description": "Not documented."}
    fail(office, "POST attachment", times=-1, kind="status", status=409, body=conflict)
    drop_pair(office, order)
    office.ring("x/PO.json")
    settle_down(office, 4, 10, 20, 40)

    receipt = office.receipt("x/PO.json")
    assert (receipt["state"], office.posts()) == ("review", 3)
    assert "409/999999" in receipt["detail"]


BETWEEN: list[dict[str, Any]] = [
    {"kind": "throttle", "retry_after": 300},
    {"kind": "status", "status": 401, "body": "", "headers": {"WWW-Authenticate": "Bearer"}},
    {"kind": "status", "status": 403, "body": {"message": "Forbidden.", "statusCode": 403}},
]


@pytest.mark.parametrize("between", BETWEEN)
def test_what_does_not_come_from_the_service_between_two_sendings_keeps_the_request_id(
    office: Office, between: dict[str, Any]
) -> None:
    order = office.order()
    office.partner.configure(honours_request_id=True, attachment_lag=1000.0)
    fail(office, "POST attachment", **DONE_SILENTLY)
    fail(office, "POST attachment", times=2 if between.get("status") == 401 else 1, **between)
    drop_pair(office, order)
    office.ring("x/PO.json")
    settle_down(office, 4, 10, 20, 20)

    assert len(office.request_ids("POST attachment")) >= 3
    assert len(set(office.request_ids("POST attachment"))) == 1
    assert office.receipt("x/PO.json")["state"] == "attached"
    assert office.attached(order) == ["PO.pdf"], "whoever honours the id has no second effect"


def test_a_server_that_repeats_its_first_error_gets_a_new_id_after_three_and_longer_waits(
    office: Office,
) -> None:
    order = office.order()
    office.partner.configure(repeats_first_error=True)
    fail(office, "POST attachment", **NOT_DONE)
    drop_pair(office, order)
    office.ring("x/PO.json")
    after: dict[int, int] = {}
    for minute in range(40):
        settle_down(office, 1)
        after.setdefault(office.posts(), minute)

    first, *ids = office.request_ids("POST attachment")
    assert (ids[:2], len(ids)) == ([first, first], 3)
    assert ids[2] != first
    assert after[2] - after[1] < after[3] - after[2] < after[4] - after[3], "waits grow"
    assert office.receipt("x/PO.json")["state"] == "attached"
    assert office.attached(order) == ["PO.pdf"]


def test_an_order_that_is_too_new_to_be_seen_is_tried_again_until_it_is_there(office: Office) -> None:
    drop_pair(office, "late-order")
    office.ring("x/PO.json")
    told = office.receipt("x/PO.json")
    settle_down(office, 5)
    office.partner.state.seed_order(CUSTOMER, "late-order", time.time())
    settle_down(office, 8)

    assert told["state"] == "retrying"
    assert (told["actor"], "orderId" in told["remedy"]) == ("caller", True)
    assert told["nextAttempt"]
    assert office.receipt("x/PO.json")["state"] == "attached"


def test_an_order_that_does_not_appear_within_twenty_minutes_is_refused(office: Office) -> None:
    drop_pair(office, "no-such-order")
    office.ring("x/PO.json")
    settle_down(office, 6, 6, 6)
    within = office.receipt("x/PO.json")["state"]
    settle_down(office, 7)
    posts = office.posts()
    settle_down(office, 60)

    receipt = office.receipt("x/PO.json")
    assert (within, receipt["state"]) == ("retrying", "rejected")
    assert receipt["partnerCenter"]["code"] == "20000"
    assert office.posts() == posts


def test_an_http_caller_of_an_order_that_is_not_there_yet_is_told_to_come_again(office: Office) -> None:
    early = attach(office, "late-order")
    office.clock.forward(minutes=10)
    office.partner.state.seed_order(CUSTOMER, "late-order", time.time())
    swept = office.sweep()
    before = office.attached("late-order")

    assert isinstance(early.error, NotVisibleYetError)
    assert (before, swept["records"]) == ([], 0), "who was told that nothing was done sends it himself"
    assert attach(office, "late-order").submission.state is State.DONE
    assert office.attached("late-order") == ["PO.pdf"]


def test_the_content_of_a_document_is_what_is_attached(office: Office) -> None:
    order = office.order()
    drop_pair(office, order)
    office.ring("x/PO.json")

    [there] = office.partner.state.orders[order].attachments
    assert there.content == PDF
