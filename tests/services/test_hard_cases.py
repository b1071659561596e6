"""Cases that a first reading of the rules misses: copies, neighbours, odd data, clocks that differ."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from local.simulator.state import Attachment
from local.simulator.state import Submission as Received
from shared import http
from shared.errors import InvalidInputError, NeedsReviewError, NotFoundError
from shared.core.ledger import State
from shared.models import Document, Metadata, Role, Submission
from shared.partner_center.wire import Deadline
from shared.services.operation import Outcome
from shared.wiring import Services, build
from tests.services.conftest import CUSTOMER, PDF, MintedTokens, Office
from tests.services.test_settlement import drop_in_review, settle


def drop_pair(office: Office, order: str, stem: str = "x/PO", pdf: bytes = PDF, **more: object) -> None:
    office.drop(f"{stem}.pdf", pdf)
    office.drop(f"{stem}.json", office.sidecar(order, **more))


def attach(office: Office, order: str, by: Services | None = None) -> Outcome:
    """What drop_pair drops, as an HTTP caller sends it."""
    md5 = hashlib.md5(PDF, usedforsecurity=False).hexdigest()
    document = Document(Role.PURCHASE_ORDER, "PO.pdf", len(PDF), md5, lambda: iter([PDF]))
    metadata = Metadata(is_part_of_tender=False, customer_price="156.87", currency="CAD")
    submission = Submission(CUSTOMER, order, metadata, (document,))
    return (by or office.services).attachments.attach(submission, str(uuid.uuid4()), office.deadline())


def delete(office: Office, path: str) -> None:
    office.services.drops.blobs.send("DELETE", office.services.drops.incoming, path)


def overwrite(office: Office, container: str, name: str, content: bytes) -> None:
    office.services.drops.blobs.put(container, name, content, match="*")


def test_a_copy_in_review_follows_what_was_decided_for_the_original(office: Office) -> None:
    order = office.order()
    key = drop_in_review(office, order)
    office.drop("y/a.pdf", PDF)
    office.drop("y/t.pdf", PDF + b"tender")
    sidecar = office.sidecar(order, isPartOfTender=True, poFiles=["a.pdf"], tenderFiles=["t.pdf"])
    office.drop("y/metadata.json", sidecar)
    office.ring("y/metadata.json")
    before = office.receipt("y/metadata.json")["state"]
    settle(office, key, "give-up")
    office.clock.forward(hours=25)
    office.sweep()

    assert (before, office.receipt("y/metadata.json")["state"]) == ("review", "rejected")


def test_what_was_refused_because_the_order_was_not_visible_yet_is_sent_when_asked_again(
    office: Office,
) -> None:
    drop_pair(office, "late-order-1")
    office.ring("x/PO.json")
    refused = attach(office, "late-order-2")
    for order in ("late-order-1", "late-order-2"):
        office.partner.state.seed_order(CUSTOMER, order, time.time())
    office.ring("x/PO.json", "x/PO.pdf")
    unchanged = office.posts()
    time.sleep(1)  # storage tells times to the second
    drop_pair(office, "late-order-1")
    office.ring("x/PO.json")

    assert refused.submission.state is State.REFUSED
    assert unchanged == 2, "a redelivered event asks for nothing new"
    assert office.receipt("x/PO.json")["state"] == "attached"
    assert attach(office, "late-order-2").submission.state is State.DONE


@pytest.mark.parametrize("content", [b"{}", b"not json", b'{"state": "elsewhere", "inputs": {}}'])
def test_a_receipt_that_somebody_overwrote_gives_way_and_wedges_nothing(
    office: Office, content: bytes
) -> None:
    order = office.order()
    overwrite(office, office.env["RECEIPTS_CONTAINER"], "x/PO.json", content)
    drop_pair(office, order)
    office.clock.forward(minutes=6)
    counts = office.sweep()

    assert counts["failed"] == 0
    assert office.receipt("x/PO.json")["state"] == "attached"


def test_a_new_document_whose_sidecar_was_deleted_is_told_of_after_a_day(office: Office) -> None:
    drop_pair(office, office.order())
    office.ring("x/PO.json")
    office.clock.forward(minutes=6)
    office.sweep()
    delete(office, "x/PO.json")
    time.sleep(1.1)  # storage tells times to the second
    office.drop("x/PO.pdf", PDF + b"new")
    office.ring("x/PO.pdf")
    for _ in range(4):
        office.clock.forward(hours=10)
        office.sweep()

    assert office.receipt("x/PO.pdf.json")["state"] == "review"


def test_a_document_that_is_claimed_late_is_no_orphan_any_more(office: Office) -> None:
    office.drop("x/PO.pdf", PDF)
    office.ring("x/PO.pdf")
    office.clock.forward(hours=25)
    office.sweep()
    orphan = office.receipt("x/PO.pdf.json")["state"]
    office.drop("x/PO.json", office.sidecar(office.order()))
    office.ring("x/PO.json")

    assert orphan == "review"
    assert "x/PO.json" in office.receipt("x/PO.pdf.json")["detail"]
    assert office.receipt("x/PO.pdf.json")["state"] == "attached"


def test_one_file_in_both_roles_is_rejected(office: Office) -> None:
    drop_pair(office, office.order(), isPartOfTender=True, tenderFiles=["PO.pdf"])
    office.ring("x/PO.json")

    assert office.receipt("x/PO.json")["state"] == "rejected"
    assert office.posts() == 0


def test_a_sidecar_that_names_too_many_files_costs_no_more_than_the_limit(office: Office) -> None:
    names = [f"{n}.pdf" for n in range(500)]
    office.drop("x/metadata.json", office.sidecar(office.order(), poFiles=names))
    office.ring("x/metadata.json")
    words, _ = office.services.drops.blobs.page(office.env["LEDGER_CONTAINER"], "words/")

    assert office.receipt("x/metadata.json")["state"] == "rejected"
    assert len(words) <= office.services.settings.limits.max_files


def test_a_drop_whose_claim_an_http_caller_took_and_left_is_still_brought_forward(office: Office) -> None:
    order = office.order()
    drop_pair(office, order)
    office.partner.faults.add({"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 5}})
    other = office.another()
    taken: list[Outcome] = []

    def sleep(seconds: float) -> None:
        office.clock.forward(seconds=seconds)
        if not taken:
            longer = {"kind": "throttle", "retry_after": 600}
            office.partner.faults.add({"on": "POST attachment", "do": longer})
            taken.append(attach(office, order, by=other))

    clock = office.clock
    mine = build(office.env, tokens=MintedTokens(), clock=clock.now, monotonic=clock.monotonic, sleep=sleep)
    office.ring("x/PO.json", by=mine)
    for _ in range(3):
        office.clock.forward(hours=1)
        office.sweep()

    assert taken[0].submission.state is State.PENDING
    assert office.receipt("x/PO.json")["state"] == "attached"


@pytest.mark.parametrize("odd", ["order", "record"])
def test_data_that_cannot_be_understood_ends_in_review_and_not_in_a_loop(office: Office, odd: str) -> None:
    office.partner.configure(list_lag=1.0)
    office.partner.faults.add({"on": "POST order", "do": {"kind": "lose_reply"}})
    key = office.place().record.key
    office.partner.configure(list_lag=0.0)
    if odd == "order":
        line = {"lineItemNumber": "zero", "offerId": "x", "quantity": 1}
        office.partner.state.seed_order(CUSTOMER, "odd", time.time()).body["lineItems"] = [line]
    else:
        overwrite(office, office.env["LEDGER_CONTAINER"], f"orders/{CUSTOMER}/zz.json", b"{}")
    for _ in range(4):
        office.clock.forward(hours=8)
        office.sweep()

    stored = office.services.sweep.ledger.read(key)
    assert stored
    assert stored.submission.state is State.REVIEW
    assert office.posts("POST order") == 1


def test_the_same_attachment_id_in_two_orders_belongs_to_both(office: Office) -> None:
    orders = [office.order(), office.order()]
    for n, order in enumerate(orders):
        office.partner.faults.add({"on": "POST attachment", "do": {"kind": "status", "status": 503}})
        drop_pair(office, order, f"x/P{n}")
        file = Attachment("00000000000001", f"P{n}.pdf", "POAttachment", "application/pdf", len(PDF), "")
        office.partner.state.orders[order].submissions.append(Received(0.0, "", "", "{}", (file,), ()))
        office.ring(f"x/P{n}.json")

    assert [office.receipt(f"x/P{n}.json")["state"] for n in range(2)] == ["attached", "attached"]


@pytest.mark.parametrize("walk", ["../{ledger}/{name}", "x/../../{ledger}/{name}", "."])
def test_a_path_that_walks_out_of_the_receipts_finds_nothing(office: Office, walk: str) -> None:
    office.place()
    ledger = office.env["LEDGER_CONTAINER"]
    name = office.services.drops.blobs.page(ledger)[0][0].name
    with pytest.raises(NotFoundError):
        office.services.drops.receipt_of(walk.format(ledger=ledger, name=name))


def test_an_orders_record_is_no_submission_of_documents(office: Office) -> None:
    key = office.place().record.key
    with pytest.raises(NotFoundError):
        office.services.attachments.go_on(key, office.deadline())


def test_what_was_given_up_tells_an_http_caller_not_to_come_again(office: Office) -> None:
    key = drop_in_review(office, office.order())
    record = settle(office, key, "give-up")

    assert isinstance(http.refusal_of(record), NeedsReviewError)


@pytest.mark.parametrize("content", [b"{}", b"", b"[1]"])
def test_a_cursor_that_cannot_be_read_begins_the_walk_anew(office: Office, content: bytes) -> None:
    overwrite(
        office, office.env["LEDGER_CONTAINER"], f"sweep/{office.env['INCOMING_CONTAINER']}.json", content
    )
    drop_pair(office, office.order())
    office.clock.forward(minutes=6)
    office.sweep()

    assert office.receipt("x/PO.json")["state"] == "attached"


def test_an_order_that_was_answered_cannot_be_adopted_by_another_request(office: Office) -> None:
    first = office.place(key="a").submission.answer
    assert first
    office.partner.faults.add({"on": "POST order", "do": {"kind": "status", "status": 500}})
    office.partner.faults.add({"on": "GET orders", "times": -1, "do": {"kind": "status", "status": 503}})
    key = office.place(key="b").record.key
    office.clock.forward(hours=30)
    office.sweep()
    with pytest.raises(InvalidInputError, match="belongs to another"):
        settle(office, key, "adopt", json.loads(first["body"])["id"])


def test_a_walk_that_runs_out_of_time_goes_on_where_it_stopped(office: Office) -> None:
    for n in range(30):
        office.drop(f"a/{n:04}.pdf", PDF)
    order = office.order()
    drop_pair(office, order, "z/PO")
    office.clock.forward(hours=25)
    for _ in range(60):
        office.services.sweep.run(str(uuid.uuid4()), Deadline.after(0.4))
        if office.attached(order):
            break
        office.clock.forward(minutes=5)

    assert office.attached(order) == ["PO.pdf"]


def test_an_order_of_ours_that_their_clock_dates_later_is_not_taken_for_another(office: Office) -> None:
    first = office.place(key="a").submission.answer
    assert first
    ours = json.loads(first["body"])["id"]
    office.clock.forward(seconds=150)
    ahead = datetime.now(UTC) + timedelta(seconds=40)
    office.partner.state.orders[ours].body["creationDate"] = ahead.isoformat()
    office.partner.faults.add({"on": "POST order", "do": {"kind": "status", "status": 500}})
    office.place(key="b")
    for _ in range(3):
        office.clock.forward(minutes=21)
        office.sweep()
    second = office.place(key="b").submission.answer

    assert second
    assert json.loads(second["body"])["id"] != ours
