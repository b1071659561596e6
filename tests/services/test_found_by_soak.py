"""Situations that `make soak` came upon, each played again on its own."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from datetime import timedelta

from shared.core.ledger import Record, State, Submission
from shared.core.models import Document, DocumentSet, Metadata, Role, order_attachments_key
from shared.services.bell import Message
from shared.services.orders import order_key
from tests.services.conftest import CUSTOMER, PDF, Office
from tests.services.steps import drop_pair, lose, settle_down


def test_one_who_adopted_an_order_and_could_not_record_it_does_not_take_its_twins(office: Office) -> None:
    office.partner.configure(list_lag=1.0)
    office.partner.faults.add({"on": "POST order", "times": 2, "do": {"kind": "lose_reply"}})
    office.place(key="first")
    office.place(key="second")
    _, its_own = office.partner.state.orders
    assert office.services.ledger.adopt(its_own, order_key(CUSTOMER, "second"), "r")

    office.partner.configure(list_lag=0.0)
    office.clock.forward(minutes=21)
    second, first = (
        office.services.orders.status(CUSTOMER, key, office.deadline()) for key in ("second", "first")
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


def test_whoever_comes_upon_a_claim_has_it_looked_at_when_it_expires(office: Office) -> None:
    order, path, now = office.order(), "a/PO.json", office.clock.now()
    drop_pair(office, order, "a/PO")
    md5 = hashlib.md5(PDF, usedforsecurity=False).hexdigest()
    pdf = Document(Role.PURCHASE_ORDER, "PO.pdf", len(PDF), md5, lambda: iter([PDF]))
    digest = DocumentSet(CUSTOMER, order, Metadata(False, "156.87", "CAD"), (pdf,)).digest
    ids = {
        "request_id": str(uuid.uuid4()),
        "correlation_id": str(uuid.uuid4()),
        "revision": str(uuid.uuid4()),
    }
    times = {"created": now, "changed": now, "since": now, "due": now + timedelta(minutes=2)}
    claim = Submission(digest=digest, state=State.CLAIMED, base=(), **ids, **times)
    key = order_attachments_key(CUSTOMER, order)
    record = Record(v=2, kind="attachments", key=key, customer_id=CUSTOMER, order_id=order)
    office.services.ledger.claim(None, record.put(claim), digest)  # by a process that has died since

    office.ring(path)

    told = office.receipt(path)
    assert (told["state"], told["nextAttempt"]) == ("submitting", times["due"].isoformat(timespec="seconds"))
    assert office.waiting() == 1  # a message that is not visible before the claim expires
    office.clock.forward(minutes=3)
    office.services.worker.work(Message("record", key).dump(), str(uuid.uuid4()))
    settle_down(office, 4)
    assert office.receipt(path)["state"] == "attached"
    assert office.attached(order) == ["PO.pdf"]


def test_what_was_attached_is_told_by_the_receipt_of_a_drop_that_became_junk_meanwhile(
    office: Office,
) -> None:
    order, path = office.order(), "a/PO.json"
    office.partner.configure(attachment_lag=30.0)
    lose(office, done=True)
    drop_pair(office, order, "a/PO")
    office.ring(path)
    office.drop(path, {"orderId": "of nobody"})
    office.ring(path)
    before = office.receipt(path)
    office.partner.configure(attachment_lag=0.0)
    settle_down(office, 4)

    after = office.receipt(path)
    (attached,) = office.partner.state.orders[order].attachments
    assert (before["state"], before.get("previous")) == ("rejected", None)
    assert (after["state"], after["errors"]) == ("rejected", before["errors"])
    assert [a["attachmentId"] for a in after["previous"][0]["attachments"]] == [attached.id]


def test_an_order_that_is_listed_and_cannot_be_read_alone_is_known_from_the_list(office: Office) -> None:
    office.partner.configure(order_casing="pascal")
    own = office.place().submission

    (placed,) = office.partner.state.orders
    assert (own.state, own.ids) == (State.DONE, (placed,))
    assert own.answer
    assert (own.answer.status, json.loads(own.answer.body)["Id"]) == (201, placed)
