"""Decisions where Partner Center will not say, and such as are taken back."""

from __future__ import annotations

from typing import Any

import pytest

from shared.core.errors import (
    NeedsReviewError,
    PartnerCenterError,
    StateConflictError,
)
from shared.core.ledger import State
from shared.core.models import order_attachments_key
from shared.services.operation import Outcome
from shared.web import responses
from shared.web.problem import TYPE_PREFIX, problem_of
from tests.services.conftest import CUSTOMER, PDF, Office
from tests.services.steps import (
    NOT_DONE,
    attach,
    decide,
    drop_pair,
    fail,
    pair_in_review,
    settle_down,
)


def there(office: Office, order: str) -> list[str]:
    return [file.id for file in office.partner.state.orders[order].attachments]


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
    assert own.history[-1].endswith("(by Ada)")
    assert "Ada" not in own.detail
    assert ("(not verified)" in own.history[-1]) == (decision != "send-again")
    assert office.receipt("x/PO.json")["state"] == "attached"
    assert office.posts() == (1 if decision == "adopt" else 2)


@pytest.mark.parametrize("kind", ["order", "attachment"])
def test_what_was_silent_for_a_day_and_can_never_be_asked_about_is_sent_again_on_a_persons_word(
    office: Office, kind: str
) -> None:
    denied(office, 403)
    fail(office, f"POST {kind}", **NOT_DONE)
    if kind == "order":
        key = office.place().record.key
    else:
        order = office.order()
        office.ring(drop_pair(office, order))
        [digest] = office.submissions(order)
        key = f"{order_attachments_key(CUSTOMER, order)}/{digest}"
    settle_down(office, 25 * 60, 5)
    before = office.posts(f"POST {kind}")
    own = decide(office, key, "retry")
    settle_down(office, 2, 25)

    assert (before, own.state) == (1, State.PENDING)
    assert "not verified" in own.history[-1]
    assert office.posts(f"POST {kind}") == 2


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
    problem = problem_of(responses.refusal_of(outcome.record, outcome.submission))

    assert (problem["type"], problem["status"]) == (TYPE_PREFIX + "given-up", 409)
    assert problem["submission"] == key
    assert office.receipt("x/PO.json")["actor"] == "operator"
    assert office.posts() == 1


def test_the_problem_of_what_is_in_review_names_the_submission_to_decide(office: Office) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    outcome: Outcome = attach(office, order)
    with pytest.raises(NeedsReviewError) as caught:
        responses.require_done(outcome)

    assert problem_of(caught.value)["submission"] == key
