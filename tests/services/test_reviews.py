"""What is in review is decided by a person, safely."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from local.fault_rules import Fault
from shared.core.errors import (
    DecisionWaitsError,
    InvalidInputError,
    NotFoundError,
    StateConflictError,
)
from shared.core.ledger import State
from shared.validation.reviews import review_decision
from shared.web.problem import problem_of, response
from tests.services.conftest import PDF, Office
from tests.services.steps import (
    TENDER,
    attach,
    behind_proxy,
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


def test_who_decided_is_not_told_that_nothing_was_done_when_only_the_receipt_could_not_be_written(
    office: Office,
) -> None:
    key = pair_in_review(office, office.order())
    with behind_proxy(office) as (storage, faulty):
        storage.inject(Fault("status", status=403, code="Denied"), container=office.env["RECEIPTS_CONTAINER"])
        asked = review_decision(b'{"decision": "give-up", "by": "Ada"}')
        own = faulty.reviews.decide(key, asked, str(uuid.uuid4()), office.deadline())[1]

    assert own.state is State.REFUSED
    assert office.receipt("x/PO.json")["state"] == "review"
    settle_down(office, 24 * 60 + 5)
    assert office.receipt("x/PO.json")["state"] == "rejected", "the receipt follows within a day"


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
    assert [office.receipt(f"{folder}/PO.json")["state"] for folder in "xy"] == ["review", "review"]
    [only] = there(office, order)
    decide(office, office.receipt("y/PO.json")["submission"], "adopt", attachmentIds=[only])
    with pytest.raises(StateConflictError):
        decide(office, key, "adopt")


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
    with pytest.raises(StateConflictError, match="nothing matches"):
        decide(office, key, "adopt")

    assert adopted(office, "y/PO.json") == there(office, order)
