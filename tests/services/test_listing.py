"""What is open is found by its state, page by page, whoever wrote it down."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from shared.core.access import ANYBODY, Caller
from shared.core.errors import StateConflictError, StorageError
from shared.core.ledger import State
from shared.core.moments import LONG_AGO
from shared.core.receipt_parts import ReceiptState
from tests.services.conftest import CUSTOMER, PDF, Office
from tests.services.steps import decide, drop_pair, fail, lose, pair_in_review


def listed(office: Office, state: str, caller: Caller = ANYBODY, since: Any = LONG_AGO) -> list[Any]:
    """Every entry, through all pages."""
    found, after = list[Any](), ""
    while True:
        page, after = office.services.listing.page(ReceiptState(state), since, after, caller)
        found += page
        if not after:
            return found


def test_each_thing_is_listed_once_under_its_state_and_what_is_attached_under_none(office: Office) -> None:
    review = pair_in_review(office, office.order(), "r/PO")
    drop_pair(office, office.order(), "done/PO")
    office.ring("done/PO.json")
    office.drop("bad/PO.json", {"customerId": CUSTOMER})
    office.drop("waits/PO.json", office.sidecar(office.order()))
    office.ring("bad/PO.json", "waits/PO.json")
    fail(office, "POST order", kind="status", status=500, body={})
    office.place()

    found = {state: listed(office, state) for state in ("review", "rejected", "waiting", "retrying")}

    assert [entry.get("submission") for entry in found["review"]] == [review]
    assert [entry["drops"] for entry in found["review"]] == [["r/PO.json"]]
    assert [(entry["kind"], entry["drops"]) for entry in found["rejected"]] == [("drop", ["bad/PO.json"])]
    assert len(found["rejected"][0]["errors"]) > 1
    assert [list(entry["waitingFor"]) for entry in found["waiting"]] == [["PO.pdf"]]
    assert [entry["kind"] for entry in found["retrying"]] == ["order"]
    assert listed(office, "submitting") == []


def test_a_list_of_many_pages_names_each_entry(office: Office) -> None:
    names = [f"many/{number}.json" for number in range(103)]
    for name in names:
        office.drop(name, {"customerId": CUSTOMER})
    office.ring(*names)

    assert sorted(entry["drops"][0] for entry in listed(office, "rejected")) == sorted(names)


def test_what_changed_long_ago_is_left_out_when_only_the_latest_is_asked_for(office: Office) -> None:
    office.drop("old/PO.json", {})
    office.ring("old/PO.json")
    office.clock.ahead += timedelta(days=8)
    office.drop("new/PO.json", {})
    office.ring("new/PO.json")

    recent = listed(office, "rejected", since=office.clock.now() - timedelta(days=1))

    assert [entry["drops"] for entry in recent] == [["new/PO.json"]]


def test_a_bound_caller_sees_the_bound_customers_only(office: Office) -> None:
    pair_in_review(office, office.order())
    office.drop("bad/PO.json", {"customerId": "nobody's"})
    office.ring("bad/PO.json")

    assert len(listed(office, "review", Caller("ada", frozenset({CUSTOMER})))) == 1
    assert listed(office, "review", Caller("bob", frozenset({str(uuid.uuid4())}))) == []
    assert listed(office, "rejected", Caller("ada", frozenset({CUSTOMER}))) == []


def test_an_order_is_looked_up_with_all_that_was_sent_for_it(office: Office) -> None:
    order = office.order()
    for number in range(2):
        drop_pair(office, order, f"x/P{number}", PDF + b"%" * number)
        office.ring(f"x/P{number}.json")

    found = office.services.listing.of_order(CUSTOMER, order)

    assert [(entry["state"], entry["drops"]) for entry in found] == [
        ("attached", ["x/P1.json"]),
        ("attached", ["x/P0.json"]),
    ]
    assert office.services.listing.of_order(CUSTOMER, "unknown") == []


def test_what_is_tried_again_later_is_tried_at_once_when_a_person_says_so(office: Office) -> None:
    order = office.order()
    fail(office, "POST attachment", kind="throttle", retry_after=300)
    drop_pair(office, order)
    office.ring("x/PO.json")
    office.lose_messages()
    (own,) = office.submissions(order).values()
    assert own.due is not None
    assert own.due > office.clock.now()

    decide(office, f"attachments/{CUSTOMER}/{order}/{own.digest}", "retry")
    office.work(office.another())  # this one knows that it was throttled

    assert office.attached(order) == ["PO.pdf"]
    assert office.receipt("x/PO.json")["state"] == "attached"


def test_a_silence_that_is_looked_at_at_once_is_still_not_believed_absent_too_early(office: Office) -> None:
    order = office.order()
    lose(office, done=False, unseen=True)
    drop_pair(office, order)
    office.ring("x/PO.json")
    (own,) = office.submissions(order).values()
    assert own.state is State.UNKNOWN

    decide(office, f"attachments/{CUSTOMER}/{order}/{own.digest}", "retry")
    office.work()

    (after,) = office.submissions(order).values()
    assert after.state is State.UNKNOWN
    assert after.absent_after == own.absent_after
    assert office.posts() == 1


def test_a_drop_that_was_put_off_is_looked_at_at_once_when_a_person_says_so(office: Office) -> None:
    order = office.order()
    fail(office, "GET attachments", times=9, kind="status", status=503, body={})
    drop_pair(office, order)
    office.ring("x/PO.json")
    office.partner.faults.clear()
    assert office.receipt("x/PO.json")["state"] == "retrying"
    office.lose_messages()

    office.services.drops.look_again(office.services.drops.receipt_of("x/PO.pdf"))
    office.work()

    assert office.receipt("x/PO.json")["state"] == "attached"


def test_a_document_that_nobody_claims_is_no_drop_to_look_at(office: Office) -> None:
    office.drop("x/PO.pdf", PDF)
    office.clock.ahead += timedelta(days=2)
    office.sweep()
    receipt = office.services.drops.receipt_of("x/PO.pdf")

    with pytest.raises(StateConflictError, match="no sidecar"):
        office.services.drops.look_again(receipt)
    assert [entry["drops"] for entry in listed(office, "review")] == [[receipt.path]]


def test_a_review_whose_receipt_storage_kept_from_being_read_once_is_listed_once(office: Office) -> None:
    pair_in_review(office, office.order())
    office.services.drops.receipts.report_failure("x/PO.json", StorageError("not now"), "c")

    assert len(listed(office, "review")) == 1
