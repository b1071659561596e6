"""What is in review is settled by a person, safely."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest

from local.simulator.state import Attachment, Submission
from shared import http
from shared.errors import InvalidInputError, NeedsReviewError
from shared.core.ledger import Record, State
from shared.problem import TYPE_PREFIX, problem_of
from shared.services.operation import Outcome
from shared.validation.reviews import ReviewDecision, review_decision
from tests.services.conftest import CUSTOMER, PDF, Office

OTHER = PDF + b"tender"


def settle(office: Office, key: str, decision: str, order: str = "") -> Record:
    asked: ReviewDecision = review_decision(
        json.dumps({"decision": decision, "by": "Ada", **({"orderId": order} if order else {})}).encode()
    )
    return office.services.settlement.settle(key, asked, str(uuid.uuid4()), office.deadline())


def drop_in_review(office: Office, order: str) -> str:
    """A drop of which Partner Center took one half; returns its ledger key."""
    dropped = {"kind": "drop_part", "name": "TenderFiles"}
    office.partner.faults.add({"on": "POST attachment", "do": dropped})
    metadata = office.sidecar(order, isPartOfTender=True, poFiles=["a.pdf"], tenderFiles=["t.pdf"])
    office.drop("x/a.pdf", PDF)
    office.drop("x/t.pdf", OTHER)
    office.drop("x/metadata.json", metadata)
    office.ring("x/metadata.json")
    assert office.receipt("x/metadata.json")["state"] == "review"
    return str(office.receipt("x/metadata.json")["submission"])


def test_what_is_given_up_is_never_sent_and_its_receipt_says_so(office: Office) -> None:
    order = office.order()
    key = drop_in_review(office, order)
    settle(office, key, "give-up")
    office.ring("x/metadata.json")
    office.clock.forward(hours=2)
    office.sweep()

    assert office.receipt("x/metadata.json")["state"] == "rejected"
    assert office.posts() == 1


def test_what_is_there_in_part_is_sent_again_by_the_sweep_only_on_that_very_word(office: Office) -> None:
    order = office.order()
    key = drop_in_review(office, order)
    for decision in ("retry", "adopt"):
        with pytest.raises(InvalidInputError, match=r"some of the documents, but not t\.pdf"):
            settle(office, key, decision)
    settle(office, key, "send-again")
    office.clock.forward(minutes=1)
    office.sweep()

    assert office.receipt("x/metadata.json")["state"] == "attached"
    assert sorted(office.attached(order)) == ["a.pdf", "a.pdf", "t.pdf"], "as the person decided"


def test_of_two_with_the_same_names_the_one_that_is_not_there_is_settled_first(office: Office) -> None:
    order = office.order()
    for arrives in (True, False):
        office.partner.faults.add(
            {"on": "POST attachment", "do": {"kind": "status", "status": 503, "commit": arrives}}
        )
    office.partner.faults.add({"on": "GET attachments", "times": 6, "do": {"kind": "status", "status": 503}})
    keys = []
    for stem, content in (("x/PO", PDF), ("y/PO", PDF[:-1] + b"?")):
        office.drop(f"{stem}.pdf", content)
        office.drop(f"{stem}.json", office.sidecar(order))
        office.ring(f"{stem}.json")
        keys.append(str(office.receipt(f"{stem}.json")["submission"]))
    for _ in range(3):
        office.clock.forward(minutes=3)
        office.sweep()
    there, absent = keys
    assert [office.receipt(f"{stem}/PO.json")["state"] for stem in "xy"] == ["review", "review"]

    with pytest.raises(InvalidInputError, match=absent):
        settle(office, there, "adopt")
    settle(office, absent, "send-again")
    office.clock.forward(minutes=1)
    office.sweep()
    settle(office, there, "adopt")

    assert [office.receipt(f"{stem}/PO.json")["state"] for stem in "xy"] == ["attached", "attached"]
    assert len(office.attached(order)) == 2


def test_a_retry_adopts_what_is_there_after_all(office: Office) -> None:
    order = office.order()
    key = drop_in_review(office, order)
    office.partner.state.orders[order].submissions.clear()
    record = office.services.sweep.ledger.read(key)
    assert record is not None
    files = tuple(
        Attachment(
            uuid.uuid4().hex[:14], d["fileName"], d["attachmentType"], "application/pdf", d["size"], ""
        )
        for d in record.record.request["documents"]
    )
    by_hand = Submission(0.0, "", "", "{}", files, ())  # somebody used the portal meanwhile
    office.partner.state.orders[order].submissions.append(by_hand)
    settled = settle(office, key, "retry")

    assert settled.state is State.DONE
    assert office.receipt("x/metadata.json")["state"] == "attached"
    assert office.posts() == 1


def test_only_what_is_in_review_can_be_settled(office: Office) -> None:
    outcome = office.place()
    with pytest.raises(InvalidInputError, match="done, not in review"):
        settle(office, outcome.record.key, "retry")


def test_an_order_is_adopted_by_its_id_and_belongs_to_one_request(office: Office) -> None:
    office.partner.faults.add({"on": "POST order", "times": 2, "do": {"kind": "status", "status": 500}})
    keys = [office.place(key=k).record.key for k in "ab"]
    for name in ("first", "second"):
        office.partner.state.seed_order(CUSTOMER, f"{name}-{uuid.uuid4().hex[:8]}", 0.0)
    office.partner.faults.add({"on": "GET orders", "times": -1, "do": {"kind": "status", "status": 503}})
    office.clock.forward(hours=30)
    office.sweep()
    first = next(iter(office.partner.state.orders))

    assert settle(office, keys[0], "adopt", first).state is State.DONE
    with pytest.raises(InvalidInputError, match="belongs to another"):
        settle(office, keys[1], "adopt", first)
    assert office.posts("POST order") == 2


def test_a_decision_that_is_none_is_named() -> None:
    with pytest.raises(InvalidInputError) as caught:
        review_decision(b'{"decision": "maybe", "orderId": "../x"}')

    assert {v.pointer for v in caught.value.violations} >= {"/by"}


def in_review_under_other_names(
    office: Office, order: str, *renamed: str, folder: str = "x", pdf: bytes = PDF
) -> str:
    """A drop whose reply was lost and that Partner Center lists in other words; returns its ledger key."""
    office.partner.faults.add({"on": "POST attachment", "do": {"kind": "lose_reply"}})
    office.partner.faults.add({"on": "GET attachments", "times": 3, "do": {"kind": "status", "status": 503}})
    office.drop(f"{folder}/a.pdf", pdf)
    office.drop(f"{folder}/t.pdf", OTHER)
    metadata = office.sidecar(order, isPartOfTender=True, poFiles=["a.pdf"], tenderFiles=["t.pdf"])
    office.drop(f"{folder}/metadata.json", metadata)
    office.ring(f"{folder}/metadata.json")
    sent = office.partner.state.orders[order].submissions.pop()
    files = tuple(
        replace(f, file_name="~" + f.file_name) if f.file_name in renamed else f for f in sent.files
    )
    office.partner.state.orders[order].submissions.append(replace(sent, files=files))
    office.clock.forward(minutes=3)
    office.sweep()
    assert office.receipt(f"{folder}/metadata.json")["state"] == "review"
    return str(office.receipt(f"{folder}/metadata.json")["submission"])


def test_a_name_that_is_escaped_on_the_wire_is_found_after_a_lost_reply(office: Office) -> None:
    order = office.order()
    office.partner.faults.add({"on": "POST attachment", "do": {"kind": "lose_reply"}})
    office.drop('x/a"b.pdf', PDF)
    office.drop('x/a"b.json', office.sidecar(order))
    office.ring('x/a"b.json')

    assert office.attached(order) == ["a%22b.pdf"]
    assert office.receipt('x/a"b.json')["state"] == "attached"


@pytest.mark.parametrize("renamed", [("a.pdf",), ("a.pdf", "t.pdf")])
def test_what_partner_center_has_under_other_names_is_adopted_on_a_persons_word(
    office: Office, renamed: tuple[str, ...]
) -> None:
    order = office.order()
    key = in_review_under_other_names(office, order, *renamed)
    with pytest.raises(InvalidInputError, match="adopt it"):
        settle(office, key, "retry")
    settle(office, key, "adopt")

    receipt = office.receipt("x/metadata.json")
    there = office.partner.state.orders[order].attachments
    assert receipt["state"] == "attached"
    assert {a["attachmentId"] for a in receipt["attachments"]} == {a.id for a in there}
    assert office.posts() == 1


def test_what_was_adopted_under_another_name_is_not_taken_for_the_next_submissions(office: Office) -> None:
    order = office.order()
    first = in_review_under_other_names(office, order, "a.pdf")
    settle(office, first, "adopt")
    second = in_review_under_other_names(office, order, "a.pdf", "t.pdf", folder="y", pdf=PDF[:-1] + b"?")
    settle(office, second, "adopt")

    adopted = [a["attachmentId"] for f in "xy" for a in office.receipt(f"{f}/metadata.json")["attachments"]]
    there = office.partner.state.orders[order].attachments
    assert sorted(adopted) == sorted(a.id for a in there)


@pytest.mark.parametrize(("lost", "state"), [(True, "retrying"), (False, "attached")])
def test_what_is_another_submissions_is_not_adopted_for_one_of_its_kind_and_size(
    office: Office, lost: bool, state: str
) -> None:
    order = office.order()
    key = in_review_under_other_names(office, order, "a.pdf", "t.pdf")
    if lost:
        unreadable = {"on": "GET attachments", "times": 3, "do": {"kind": "status", "status": 503}}
        office.partner.faults.add({"on": "POST attachment", "do": {"kind": "lose_reply"}})
        office.partner.faults.add(unreadable)
    office.drop("y/PO.pdf", PDF[:-1] + b"?")
    office.drop("y/PO.json", office.sidecar(order))
    office.ring("y/PO.json")
    assert office.receipt("y/PO.json")["state"] == state
    office.partner.state.orders[order].submissions.reverse()  # the other one is listed first
    settle(office, key, "adopt")

    adopted = {a["fileName"] for a in office.receipt("x/metadata.json")["attachments"]}
    assert adopted == {"~a.pdf", "~t.pdf"}


def test_an_order_that_cannot_be_told_for_certain_is_to_be_named(office: Office) -> None:
    office.partner.faults.add({"on": "POST order", "do": {"kind": "lose_reply"}})
    office.partner.faults.add({"on": "GET orders", "times": 3, "do": {"kind": "status", "status": 503}})
    key = office.place().record.key
    [order] = office.partner.state.orders.values()
    lines = order.body["lineItems"]
    assert isinstance(lines, list)
    office.partner.faults.add({"on": "GET orders", "times": 3, "do": {"kind": "status", "status": 503}})
    office.clock.forward(hours=25)
    office.sweep()
    for details in ({"termDuration": "P3Y"}, {"offerId": "quite:another:offer"}):
        order.body["lineItems"] = [{**lines[0], **details}]
        with pytest.raises(InvalidInputError, match="name it with orderId"):
            settle(office, key, "adopt")

    assert settle(office, key, "adopt", order.id).state is State.DONE


def test_what_was_given_up_is_the_operators_and_says_that_a_person_has_decided(office: Office) -> None:
    key = drop_in_review(office, office.order())
    record = settle(office, key, "give-up")
    receipt = office.receipt("x/metadata.json")
    problem = problem_of(http.refusal_of(record))

    assert (receipt["actor"], receipt["detail"]) == ("operator", "given up by Ada")
    assert (problem["type"], problem["status"]) == (TYPE_PREFIX + "given-up", 409)
    assert problem["submission"] == key


def test_the_problem_of_what_is_in_review_names_the_record_to_settle(office: Office) -> None:
    key = drop_in_review(office, office.order())
    stored = office.services.settlement.ledger.read(key)
    assert stored is not None
    with pytest.raises(NeedsReviewError) as caught:
        http.settled(Outcome(stored.record))

    assert problem_of(caught.value)["submission"] == key
