"""Situations that `make soak` came upon, each played again on its own."""

from __future__ import annotations

import json
import time

from shared.core.ledger import State
from shared.services.orders import order_key
from tests.services.conftest import CUSTOMER, PDF, Office


def test_one_who_adopted_an_order_and_could_not_record_it_does_not_take_its_twins(office: Office) -> None:
    office.partner.configure(list_lag=1.0)
    office.partner.faults.add({"on": "POST order", "times": 2, "do": {"kind": "lose_reply"}})
    office.place(key="first")
    office.place(key="second")
    _, its_own = office.partner.state.orders
    assert office.services.orders.submissions.ledger.adopt(its_own, order_key(CUSTOMER, "second"))

    office.partner.configure(list_lag=0.0)
    office.clock.forward(minutes=21)
    second, first = (
        office.services.orders.look(CUSTOMER, [key], office.deadline()) for key in ("second", "first")
    )

    assert (first.submission.state, second.submission.state) == (State.DONE, State.DONE)
    assert second.submission.answer
    assert json.loads(second.submission.answer.body)["id"] == its_own


def test_a_lost_reply_about_an_order_that_does_not_exist_is_rejected_in_the_end(office: Office) -> None:
    office.partner.faults.add({"on": "POST attachment", "do": {"kind": "status", "status": 503}})
    office.drop("a/PO.pdf", PDF)
    office.drop("a/PO.json", office.sidecar("no-such-order"))
    office.ring("a/PO.json")
    first = office.receipt("a/PO.json")["state"]
    for _ in range(2):
        office.clock.forward(minutes=3)
        office.sweep()

    assert (first, office.receipt("a/PO.json")["state"]) == ("retrying", "rejected")


def test_a_document_that_is_overwritten_within_one_second_gets_the_receipt(office: Office) -> None:
    order = office.order()
    office.drop("a/PO.json", office.sidecar(order))
    time.sleep(1.0 - time.time() % 1.0)  # storage tells times to the second: both versions shall share one
    for content in (PDF, PDF + b"% the second version"):
        office.drop("a/PO.pdf", content)
        office.ring("a/PO.pdf")

    receipt = office.receipt("a/PO.json")
    newest = office.partner.state.orders[order].submissions[-1]
    assert len(office.attached(order)) == 2
    assert [a["attachmentId"] for a in receipt["attachments"]] == [f.id for f in newest.files]
