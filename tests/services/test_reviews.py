"""What is in review is decided by a person, safely."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from shared import http
from shared.core.ledger import State
from shared.errors import (
    DecisionWaitsError,
    InvalidInputError,
    NeedsReviewError,
    NotFoundError,
    PartnerCenterError,
    StateConflictError,
)
from shared.problem import TYPE_PREFIX, problem_of, response
from shared.services.operation import Outcome
from shared.validation.reviews import review_decision
from tests.services.conftest import PDF, Office
from tests.services.steps import (
    TENDER,
    attach,
    decide,
    drop_pair,
    drop_set,
    fail,
    lose,
    pair_in_review,
    set_in_review,
    settle_down,
)

SET = "x/metadata.json"


def strangely_listed(office: Office, order: str, folder: str = "x", pdf: bytes = PDF) -> str:
    """A set whose reply was lost and that Partner Center lists under other names and sizes; its key."""
    lose(office, unseen=True)
    path = drop_set(office, order, folder, {"a.pdf": pdf})
    office.ring(path)
    submissions = office.partner.state.orders[order].submissions
    sent = submissions.pop()
    files = tuple(replace(f, file_name="~", size=f.size * 3) for f in sent.files)
    submissions.append(replace(sent, files=files))
    settle_down(office, 4)
    assert office.receipt(path)["state"] == "review"
    return str(office.receipt(path)["submission"])


def there(office: Office, order: str) -> list[str]:
    return [file.id for file in office.partner.state.orders[order].attachments]


def adopted(office: Office, path: str = SET) -> list[str]:
    return [a["attachmentId"] for a in office.receipt(path)["attachments"]]


def test_what_is_given_up_is_never_sent_and_its_receipt_says_so(office: Office) -> None:
    key = set_in_review(office, office.order())
    decide(office, key, "give-up")
    office.ring(SET)
    settle_down(office, 120)

    assert office.receipt(SET)["state"] == "rejected"
    assert office.posts() == 1


def test_what_is_there_in_part_is_sent_again_only_on_that_very_word(office: Office) -> None:
    order = office.order()
    key = set_in_review(office, order)
    for decision in ("retry", "adopt"):
        with pytest.raises(StateConflictError, match="send-again"):
            decide(office, key, decision)
    settle_down(office, 60)
    assert office.posts() == 1
    decide(office, key, "send-again")
    settle_down(office, 2)

    assert office.receipt(SET)["state"] == "attached"
    assert sorted(office.attached(order)) == ["a.pdf", "a.pdf", "t.pdf"], "as the person decided"
    assert len(adopted(office)) == 2


def test_a_retry_adopts_what_is_there_after_all(office: Office) -> None:
    order = office.order()
    key = set_in_review(office, order)
    office.partner.portal.upload(order, "t.pdf", "TenderAttachment", TENDER)
    own = decide(office, key, "retry")

    assert (own.state, own.verified) == (State.DONE, True)
    assert office.receipt(SET)["state"] == "attached"
    assert sorted(adopted(office)) == sorted(there(office, order))
    assert office.posts() == 1


def test_a_retry_of_what_is_not_there_sends_it_again(office: Office) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    decide(office, key, "retry")
    settle_down(office, 2)

    assert office.receipt("x/PO.json")["state"] == "attached"
    assert office.attached(order) == ["PO.pdf"]


def test_only_what_is_in_review_can_be_decided(office: Office) -> None:
    order = office.order()
    drop_pair(office, order)
    office.ring("x/PO.json")
    key = office.receipt("x/PO.json")["submission"]
    for decision in ("retry", "adopt", "send-again", "give-up"):
        with pytest.raises(StateConflictError, match="done, not in review") as caught:
            decide(office, key, decision)
        assert problem_of(caught.value)["status"] == 409

    assert office.posts() == 1


@pytest.mark.parametrize("key", ["attachments/x/y/z", "orders/x/y", "sweep/x", "", "format"])
def test_what_is_no_submission_cannot_be_decided(office: Office, key: str) -> None:
    with pytest.raises(NotFoundError):
        decide(office, key, "retry")


def test_a_decision_that_is_none_is_named() -> None:
    with pytest.raises(InvalidInputError) as caught:
        review_decision(b'{"decision": "maybe", "orderId": "../x"}')

    assert {v.pointer for v in caught.value.violations} >= {"/by"}


def test_what_is_listed_in_other_words_is_adopted_by_the_ids_that_a_person_names(office: Office) -> None:
    order = office.order()
    key = strangely_listed(office, order)
    for decision in ("retry", "adopt"):
        with pytest.raises(StateConflictError):
            decide(office, key, decision)
    with pytest.raises(StateConflictError, match="nosuchid"):
        decide(office, key, "adopt", attachmentIds=["nosuchid"])
    decide(office, key, "adopt", attachmentIds=there(office, order))

    assert office.receipt(SET)["state"] == "attached"
    assert sorted(adopted(office)) == sorted(there(office, order))
    assert office.posts() == 1


def test_what_was_adopted_is_nobody_elses(office: Office) -> None:
    order = office.order()
    first = strangely_listed(office, order)
    mine = there(office, order)
    decide(office, first, "adopt", attachmentIds=mine)
    second = strangely_listed(office, order, "y", PDF[:-1] + b"?")
    with pytest.raises(StateConflictError):
        decide(office, second, "adopt", attachmentIds=mine)
    decide(office, second, "adopt", attachmentIds=[i for i in there(office, order) if i not in mine])

    assert sorted(adopted(office) + adopted(office, "y/metadata.json")) == sorted(there(office, order))


@pytest.mark.parametrize("decision", ["adopt", "retry"])
def test_what_may_be_anothers_who_is_in_flight_is_not_adopted_before_that_one_has_ended(
    office: Office, decision: str
) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    lose(office, unseen=True)
    drop_pair(office, order, "y/PO", PDF[:-1] + b"?")
    office.ring("y/PO.json")
    assert office.receipt("y/PO.json")["state"] == "retrying"
    with pytest.raises(DecisionWaitsError) as caught:
        decide(office, key, decision)
    answer = response(caught.value)
    settle_down(office, 4)

    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "60")
    assert office.receipt("x/PO.json")["state"] == "review"
    assert adopted(office, "y/PO.json") == there(office, order)


@pytest.mark.parametrize("decision", ["adopt", "retry"])
def test_what_another_attaches_while_a_person_decides_is_not_adopted(office: Office, decision: str) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    fail(office, "GET attachments", kind="delay", seconds=1.0)
    lists = office.posts("GET attachments")
    with ThreadPoolExecutor(1) as pool:
        deciding = pool.submit(decide, office, key, decision)
        while office.posts("GET attachments") == lists:
            time.sleep(0.01)
        done = attach(office, order, PDF[:-1] + b"?", by=office.another()).submission
        with pytest.raises(DecisionWaitsError):
            deciding.result()

    assert list(done.ids) == there(office, order)
    assert office.receipt("x/PO.json")["state"] == "review"


def test_what_is_anothers_is_not_adopted_for_one_of_its_name_kind_and_size(office: Office) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    drop_pair(office, order, "y/PO", PDF[:-1] + b"?")
    office.ring("y/PO.json")
    with pytest.raises(StateConflictError, match="nothing fits"):
        decide(office, key, "adopt")

    assert adopted(office, "y/PO.json") == there(office, order)


def denied(office: Office, status: int) -> None:
    body = {"code": "20002", "description": "No relationship."} if status == 403 else ""
    for on in ("GET attachments", "GET order", "GET orders"):
        fail(office, on, times=-1, kind="status", status=status, body=body)


@pytest.mark.parametrize("status", [403, 404, 405])
@pytest.mark.parametrize(
    ("decision", "state"), [("adopt", State.DONE), ("retry", State.PENDING), ("send-again", State.PENDING)]
)
def test_a_persons_word_counts_where_partner_center_will_not_say(
    office: Office, status: int, decision: str, state: State
) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    denied(office, status)
    named: dict[str, Any] = {"attachmentIds": ["an-id"]} if decision == "adopt" else {}
    own = decide(office, key, decision, **named)
    settle_down(office, 2)

    assert own.state is state
    assert "decided by Ada" in own.history[-1] or "adopted by Ada" in own.history[-1]
    assert ("(not verified)" in own.history[-1]) == (decision != "send-again")
    assert office.receipt("x/PO.json")["state"] == "attached"
    assert office.posts() == (1 if decision == "adopt" else 2)


def test_what_a_person_adopts_unseen_is_still_nobody_elses(office: Office) -> None:
    order = office.order()
    drop_pair(office, order, "y/PO", PDF[:-1] + b"?")
    office.ring("y/PO.json")
    key = pair_in_review(office, order)
    denied(office, 403)
    with pytest.raises(StateConflictError, match="another submission"):
        decide(office, key, "adopt", attachmentIds=there(office, order))

    assert office.receipt("x/PO.json")["state"] == "review"


def test_a_list_that_does_not_come_whole_holds_up_no_decision(office: Office) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    for n in range(3):
        office.partner.portal.upload(order, f"other-{n}.pdf", "TenderAttachment", b"%PDF-" + bytes(n))
    office.partner.configure(page_size=2, continuation="total_only")
    own = decide(office, key, "retry")
    settle_down(office, 2)

    assert (own.state, "not verified" in own.history[-1]) == (State.PENDING, True)
    assert office.receipt("x/PO.json")["state"] == "attached"
    assert office.posts() == 2


def test_a_list_that_fails_for_now_leaves_the_decision_for_later(office: Office) -> None:
    key = pair_in_review(office, office.order())
    fail(office, "GET attachments", times=-1, kind="status", status=503)
    for decision in ("retry", "adopt"):
        with pytest.raises(PartnerCenterError):
            decide(office, key, decision)

    assert office.receipt("x/PO.json")["state"] == "review"


@pytest.mark.parametrize("decision", ["adopt", "retry", "send-again"])
def test_what_was_given_up_can_be_decided_otherwise(office: Office, decision: str) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    decide(office, key, "give-up")
    given_up = office.receipt("x/PO.json")["state"]
    if decision == "adopt":
        office.partner.portal.upload(order, "PO.pdf", "POAttachment", PDF)
    decide(office, key, decision)
    settle_down(office, 2)

    assert (given_up, office.receipt("x/PO.json")["state"]) == ("rejected", "attached")
    assert office.attached(order) == ["PO.pdf"]


def test_what_was_given_up_tells_an_http_caller_not_to_come_again(office: Office) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    decide(office, key, "give-up")
    outcome = attach(office, order)
    problem = problem_of(http.refusal_of(outcome.record, outcome.submission))

    assert (problem["type"], problem["status"]) == (TYPE_PREFIX + "given-up", 409)
    assert problem["submission"] == key
    assert office.receipt("x/PO.json")["actor"] == "operator"
    assert office.posts() == 1


def test_the_problem_of_what_is_in_review_names_the_submission_to_decide(office: Office) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    outcome: Outcome = attach(office, order)
    with pytest.raises(NeedsReviewError) as caught:
        http.settled(outcome)

    assert problem_of(caught.value)["submission"] == key
