"""Situations that `make soak` came upon, each played again on its own."""

from __future__ import annotations

import json
import time

from shared.core.ledger import State
from shared.services.orders import order_key
from tests.services.conftest import CUSTOMER, PDF, Office
from tests.services.steps import drop_pair, lose, settle_down


def test_one_who_adopted_an_order_and_could_not_record_it_does_not_take_its_twins(office: Office) -> None:
    office.partner.configure(list_lag=1.0)
    office.partner.faults.add({"on": "POST order", "times": 2, "do": {"kind": "lose_reply"}})
    office.place(key="first")
    office.place(key="second")
    _, its_own = office.partner.state.orders
    assert office.services.ledger.adopt(its_own, order_key(CUSTOMER, "second"))

    office.partner.configure(list_lag=0.0)
    office.clock.forward(minutes=21)
    second, first = (
        office.services.orders.look(CUSTOMER, key, office.deadline()) for key in ("second", "first")
    )

    assert (first.submission.state, second.submission.state) == (State.DONE, State.DONE)
    assert second.submission.answer
    assert json.loads(second.submission.answer.body)["id"] == its_own


def test_a_lost_reply_about_an_order_that_does_not_exist_is_rejected_in_the_end(office: Office) -> None:
    lose(office, done=False)
    drop_pair(office, "no-such-order", "a/PO")
    office.ring("a/PO.json")
    first = office.receipt("a/PO.json")["state"]
    settle_down(office, *[6] * 6)

    assert (first, office.receipt("a/PO.json")["state"]) == ("retrying", "rejected")
    assert office.receipt("a/PO.json")["partnerCenter"]["code"] == "20000"


def test_a_document_that_is_overwritten_within_one_second_gets_the_receipt(office: Office) -> None:
    order = office.order()
    newer = PDF + b"% the second version"
    time.sleep(1.0 - time.time() % 1.0)  # storage tells times to the second: both versions shall share one
    for content in (PDF, newer):
        drop_pair(office, order, "a/PO", content)
        office.ring("a/PO.json")

    receipt = office.receipt("a/PO.json")
    newest = office.partner.state.orders[order].submissions[-1]
    assert len(office.attached(order)) == 2
    assert [a["attachmentId"] for a in receipt["attachments"]] == [f.id for f in newest.files]
    assert [f["size"] for f in receipt["files"]] == [len(newer)]
