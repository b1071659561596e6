"""Cases that a first reading of the rules misses: copies, neighbours, odd data, clocks that differ."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from local.simulator.state import Attachment
from local.simulator.state import Submission as Received
from shared.bootstrap import build
from shared.clock import Deadline
from shared.core.errors import NotFoundError
from shared.core.ledger import State
from shared.services.operation import Outcome
from tests.services.conftest import CUSTOMER, PDF, MintedTokens, Office
from tests.services.steps import (
    NOT_DONE,
    attach,
    decide,
    delete,
    drop_pair,
    drop_set,
    fail,
    look,
    overwrite,
    set_in_review,
    settle_down,
)


def test_a_copy_in_review_follows_what_was_decided_for_the_original(office: Office) -> None:
    order = office.order()
    key = set_in_review(office, order)
    drop_set(office, order, "y")
    office.ring("y/metadata.json")
    before = office.receipt("y/metadata.json")["state"]
    decide(office, key, "give-up")
    settle_down(office, 25 * 60)

    assert (before, office.receipt("y/metadata.json")["state"]) == ("review", "rejected")


def test_what_was_refused_because_the_order_was_not_there_is_sent_when_asked_again(office: Office) -> None:
    for order in ("late-order-1", "late-order-2"):
        drop_pair(office, order, f"{order}/PO")
        office.ring(f"{order}/PO.json")
    settle_down(office, *[6] * 5)
    refused = office.receipt("late-order-1/PO.json")["state"]
    for order in ("late-order-1", "late-order-2"):
        office.partner.state.seed_order(CUSTOMER, order, time.time())
    posts = office.posts()
    office.ring("late-order-1/PO.json", "late-order-1/PO.pdf")
    settle_down(office, 60)
    unchanged = office.posts() - posts
    drop_pair(office, "late-order-1", "late-order-1/PO")
    office.ring("late-order-1/PO.json")

    assert refused == "rejected"
    assert unchanged == 0, "a redelivered event asks for nothing new"
    assert office.receipt("late-order-1/PO.json")["state"] == "attached"
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
    fail(office, "POST order", **NOT_DONE)
    key = office.place().record.key
    if odd == "order":
        lines = [{"lineItemNumber": "zero", "offerId": None, "quantity": {}}, "no line"]
        office.partner.portal.place_order(CUSTOMER, {"lineItems": lines})
    else:
        overwrite(office, office.env["LEDGER_CONTAINER"], f"orders/{CUSTOMER}/zz.json", b"{}")
    settle_down(office, *[480] * 4)

    stored = office.services.ledger.read(key)
    assert stored
    assert [own.state for own in stored.record.submissions.values()] == [State.REVIEW]
    assert office.posts("POST order") == 1


def test_an_odd_order_does_not_keep_ours_from_being_found(office: Office) -> None:
    fail(office, "POST order", kind="lose_reply")
    office.partner.portal.place_order(CUSTOMER, {"lineItems": "none", "creationDate": 7})

    assert office.place().submission.state is State.DONE


def test_the_same_attachment_id_in_two_orders_belongs_to_both(office: Office) -> None:
    orders = [office.order(), office.order()]
    for n, order in enumerate(orders):
        fail(office, "POST attachment", **NOT_DONE)
        drop_pair(office, order, f"x/P{n}")
        office.ring(f"x/P{n}.json")
        file = Attachment("00000000000001", f"P{n}.pdf", "POAttachment", "application/pdf", len(PDF), "")
        office.partner.state.orders[order].submissions.append(Received(0.0, "", "", "{}", (file,), ()))
    settle_down(office, 4)

    assert [office.receipt(f"x/P{n}.json")["state"] for n in range(2)] == ["attached", "attached"]
    assert office.posts() == 2


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
        look(office, key.rpartition("/")[2], "any")


@pytest.mark.parametrize("content", [b"{}", b"", b"[1]"])
def test_a_cursor_that_cannot_be_read_begins_the_walk_anew(office: Office, content: bytes) -> None:
    overwrite(
        office, office.env["LEDGER_CONTAINER"], f"sweep/{office.env['INCOMING_CONTAINER']}.json", content
    )
    drop_pair(office, office.order())
    office.clock.forward(minutes=6)
    office.sweep()

    assert office.receipt("x/PO.json")["state"] == "attached"


def test_a_walk_that_runs_out_of_time_goes_on_where_it_stopped(office: Office) -> None:
    for n in range(60):
        office.drop(f"a/{n:04}.pdf", PDF)
    order = office.order()
    drop_pair(office, order, "z/PO")
    office.clock.forward(hours=25)
    sweeps = 0
    while not office.attached(order) and sweeps < 60:
        each_look_takes_a_second = map(float, itertools.count()).__next__
        deadline = Deadline.after(25, each_look_takes_a_second)
        office.services.sweep.run(str(uuid.uuid4()), deadline)
        office.work()
        sweeps += 1
        office.clock.forward(minutes=5)

    assert sweeps > 1
    assert office.attached(order) == ["PO.pdf"]


def test_an_order_of_ours_that_their_clock_dates_later_is_not_taken_for_another(office: Office) -> None:
    first = office.place(key="a").submission.answer
    assert first
    ours = json.loads(first.body)["id"]
    office.clock.forward(seconds=150)
    ahead = datetime.now(UTC) + timedelta(seconds=40)
    office.partner.state.orders[ours].body["creationDate"] = ahead.isoformat()
    office.partner.faults.add({"on": "POST order", "do": {"kind": "status", "status": 500}})
    office.place(key="b")
    settle_down(office, 25, 25, 25)
    second = office.place(key="b").submission.answer

    assert second
    assert json.loads(second.body)["id"] != ours
