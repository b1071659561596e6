"""Orders are watched until their status is final: who must know is told, and nothing is changed."""

from __future__ import annotations

import json
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest

from local.fault_rules import Fault
from shared.bootstrap import Services
from shared.core.access import Caller
from shared.core.errors import OrderNotWaitingError, StorageError
from shared.core.ledger import State
from shared.core.models import order_attachments_key
from shared.core.moments import LONG_AGO
from shared.core.watch import with_order
from shared.core.watched import WatchedOrder
from shared.services.bell import Message
from shared.services.orders import order_key
from shared.services.watch import RATE
from shared.storage.ledger_store import VersionedRecord
from tests.services.conftest import CUSTOMER, PDF, Office, built
from tests.services.steps import attach, behind_proxy, drop_pair, fail

WAITING_PRODUCT = "DG7GMGF0D7FV:0001:DG7GMGF0D6M0"
"""A product whose orders wait for a purchase order (local/simulator/behaviour.py)."""


def place(office: Office, key: str = "flow-1", by: Services | None = None) -> None:
    """Place an order that waits for its purchase order."""
    office.place(key, by, lineItems=[{"offerId": WAITING_PRODUCT, "quantity": 1}])


def look(office: Office, by: Services | None = None) -> int:
    """Make the looks that are due, as the messages of a sweep have them made; how many."""
    services = by or office.services
    assert services.watch is not None
    due = [key for key, _ in office.services.ledger.looks(office.clock.now())]
    for key in due:
        services.worker.work(Message("look", key).dump(), str(uuid.uuid4()))
    return len(due)


def told(office: Office, by: Services | None = None) -> list[tuple[str, Any]]:
    """What a flow reads after people were told: `event` and `item` of each message."""
    (by or office.services).notices.run(office.deadline())
    found = [json.loads(text) for text in office.take("NOTICE_QUEUE")]
    return [(one["event"], one["item"]) for one in found]


def reads(office: Office, operation: str = "GET order") -> int:
    return sum(entry.operation == operation for entry in office.partner.journal.entries())


def becomes(office: Office, order: str, status: str) -> None:
    office.partner.portal.change_order(order, {"status": status})


def stored(office: Office, order: str) -> VersionedRecord:
    found = office.services.ledger.read(order_attachments_key(CUSTOMER, order))
    assert found is not None
    return found


def watched(office: Office, order: str) -> WatchedOrder:
    """The watch of an order that documents were attached to."""
    return stored(office, order).record.orders[order]


def requested(office: Office, key: str = "flow-1") -> tuple[str, WatchedOrder]:
    """The order that a request placed, and its watch."""
    found = office.services.ledger.read(order_key(CUSTOMER, key))
    assert found is not None
    ((order, watch),) = found.record.orders.items()
    return order, watch


def attached_pair(office: Office, stem: str = "x/PO") -> str:
    order = office.order()
    office.ring(drop_pair(office, order, stem))
    assert office.receipt(f"{stem}.json")["state"] == "attached"
    return order


def listed(office: Office, status: str, **more: Any) -> list[Any]:
    found, after = list[Any](), ""
    while True:
        page, after = office.services.listing.order_page(status, LONG_AGO, after, **more)
        found += page
        if not after:
            return found


def test_after_documents_were_attached_the_order_is_looked_at_soon_then_once_a_day_until_it_is_done(
    office: Office,
) -> None:
    order = attached_pair(office)
    office.clock.forward(minutes=19)
    assert look(office) == 0
    office.clock.forward(minutes=2)
    before = reads(office)
    assert look(office) == 1
    assert reads(office) == before + 1
    assert look(office) == 0
    assert office.receipt("x/PO.json")["order"]["status"] == "po_upload_complete"
    assert office.receipt("x/PO.json")["order"]["actor"] == "microsoft"
    for _ in range(3):
        office.clock.forward(hours=25)
        assert look(office) == 1
    becomes(office, order, "completed")
    office.clock.forward(hours=25)
    assert look(office) == 1

    assert office.receipt("x/PO.json")["order"]["status"] == "completed"
    assert office.receipt("x/PO.json")["state"] == "attached"
    assert watched(office, order).ended == "final"
    office.clock.forward(days=30)
    assert look(office) == 0
    assert reads(office) == before + 5
    assert told(office) == []


def test_placing_and_attaching_write_no_more_than_they_did(office: Office) -> None:
    with behind_proxy(office) as (storage, services):
        office.place(by=services)
        attach(office, office.order(), by=services)
        puts = [seen for seen in storage.seen() if seen.method == "PUT" and "restype" not in seen.query]

    assert len([seen for seen in puts if seen.name.startswith(("orders/", "attachments/"))]) == 4


def test_an_order_that_waits_for_its_purchase_order_is_told_after_three_and_after_eighty_days_exactly(
    office: Office,
) -> None:
    place(office)
    order, begun = requested(office)
    assert begun.status == "pending_po_upload"
    found = []
    while office.clock.now() < begun.began + timedelta(days=110):
        upcoming = requested(office)[1].next
        if upcoming is None:
            break
        office.clock.ahead += upcoming - office.clock.now()
        look(office)
        if requested(office)[1].owed:
            found += [(event, item, office.clock.now() - begun.placed) for event, item in told(office)]

    assert [event for event, _, _ in found] == ["order-waits", "order-waits"]
    assert [age.days for _, _, age in found] == [3, 80]
    assert all(age < timedelta(days=age.days, minutes=5) for _, _, age in found)
    item = found[1][1]
    assert (item["orderId"], item["order"]["status"], item["actor"]) == (order, "pending_po_upload", "caller")
    assert "90 days" in item["detail"]
    assert requested(office)[1].ended == "age"
    assert 95 <= reads(office) <= 104


def test_a_purchase_order_that_is_rejected_is_told_once_with_what_to_do(office: Office) -> None:
    order = attached_pair(office)
    office.clock.forward(minutes=21)
    look(office)
    becomes(office, order, "po_review_rejected")
    office.clock.forward(hours=26)
    look(office)

    ((event, item),) = told(office)

    assert (event, item["orderId"]) == ("order-status", order)
    assert item["order"] == {
        "status": "po_review_rejected",
        "since": item["order"]["since"],
        "looked": item["order"]["looked"],
        "actor": "caller",
        "nextAction": "place a new order: this one will not be processed",
    }
    assert item["remedy"] == "place a new order: this one will not be processed"
    office.clock.forward(days=3)
    assert look(office) == 0
    assert told(office) == []
    assert office.receipt("x/PO.json")["order"]["status"] == "po_review_rejected"


def test_what_the_queue_did_not_take_is_told_by_the_next_sweep_and_what_it_took_may_come_twice(
    office: Office,
) -> None:
    order = attached_pair(office)
    becomes(office, order, "cancelled")
    office.clock.forward(minutes=21)
    look(office)
    with behind_proxy(office) as (storage, faulty):
        # it is told, and not forgotten
        storage.inject(Fault("status", status=403), method="PUT", name="attachments/*", times=99)
        assert [event for event, _ in told(office, faulty)] == ["order-status"]
    assert [event for event, _ in told(office)] == ["order-status"]
    assert told(office) == []


def test_a_record_that_cannot_be_read_keeps_nobody_from_being_looked_at_or_told_of(office: Office) -> None:
    order = attached_pair(office)
    becomes(office, order, "cancelled")
    tags = {"look": "2020-01-01T00:00:00Z", "tell": "2020-01-01T00:00:00Z"}
    for name, raw in (("newer", b'{"v": 9}'), ("older", b'{"v": 1}')):
        blob = f"attachments/{CUSTOMER}/{name}.json"
        office.services.drops.blobs.put(office.env["LEDGER_CONTAINER"], blob, raw, match="*", tags=tags)
    office.clock.forward(minutes=21)

    assert look(office) == 3
    assert [event for event, _ in told(office)] == ["order-status"]


def test_an_order_whose_id_fits_no_path_is_not_asked_for_and_ends_no_worker(office: Office) -> None:
    place(office)
    found = office.services.ledger.read(order_key(CUSTOMER, "flow-1"))
    assert found
    late = WatchedOrder.begun("..", "pending", office.clock.now() - timedelta(days=2))
    office.services.ledger.note(found, found.record.model_copy(update={"orders": {"..": late}}))
    assert look(office) == 1

    _, after = requested(office)
    assert after.next
    assert after.next > office.clock.now() + timedelta(hours=23)
    assert reads(office) == 0


def test_when_storage_fails_at_any_step_of_a_look_the_next_one_finds_the_same(office: Office) -> None:
    order = attached_pair(office)
    office.clock.forward(minutes=21)
    look(office)
    becomes(office, order, "po_review_rejected")
    office.clock.forward(hours=26)
    key = order_attachments_key(CUSTOMER, order)
    with behind_proxy(office) as (storage, faulty):
        faulty.ledger.check_format()
        storage.clear()
        assert faulty.watch
        steps = 0
        for step in range(20):
            storage.clear()
            storage.inject(Fault("status", status=403), skip=step, times=99)
            try:
                faulty.watch.look(key, str(uuid.uuid4()))
            except StorageError:
                steps += 1
            if watched(office, order).ended:
                break
    assert steps >= 4
    look(office)

    assert [event for event, _ in told(office)] == ["order-status"]
    assert office.receipt("x/PO.json")["order"]["status"] == "po_review_rejected"


def test_a_look_whose_own_write_was_not_answered_is_not_made_again(office: Office) -> None:
    order = attached_pair(office)
    office.clock.forward(minutes=21)
    with behind_proxy(office) as (storage, faulty):
        faulty.ledger.check_format()
        storage.inject(Fault("cut", after=True), method="PUT", container=office.env["LEDGER_CONTAINER"])
        before = reads(office)
        look(office, faulty)

    assert watched(office, order).status == "po_upload_complete"
    assert reads(office) == before + 1


def test_a_look_that_is_throttled_comes_an_hour_later_and_the_others_wait_meanwhile(office: Office) -> None:
    orders = [attached_pair(office, f"x/{number}") for number in range(2)]
    office.clock.forward(minutes=21)
    fail(office, "GET order", kind="throttle", retry_after=120)
    before = reads(office)
    assert look(office) == 2

    assert reads(office) == before + 1
    (later,) = [
        one.next for one in (watched(office, order) for order in orders) if not one.is_due(office.clock.now())
    ]
    assert later is not None
    assert later - office.clock.now() > timedelta(minutes=59)
    office.clock.forward(minutes=3)
    assert look(office) == 1
    office.clock.forward(minutes=58)
    assert look(office) == 1
    assert {watched(office, order).status for order in orders} == {"po_upload_complete"}


def test_an_order_that_is_gone_is_told_once_and_still_looked_at_each_day(office: Office) -> None:
    place(office)
    order, _ = requested(office)
    gone = office.partner.state.orders.pop(order)
    for _ in range(2):
        office.clock.forward(hours=26)
        assert look(office) == 1

    ((event, item),) = told(office)

    assert (event, item["orderId"], item["actor"]) == ("drift", order, "operator")
    assert "does not show this order" in item["detail"]
    office.partner.state.orders[order] = gone
    office.clock.forward(hours=10)
    look(office)
    assert requested(office)[1].drift == "Partner Center does not show this order any more"
    office.clock.forward(hours=16)
    look(office)
    assert requested(office)[1].drift == ""
    assert [event for event, _ in told(office)] == ["order-waits"]


@pytest.mark.parametrize("twice", [False, True])
def test_documents_that_are_gone_or_there_twice_are_told_and_nothing_is_changed(
    office: Office, twice: bool
) -> None:
    order = attached_pair(office)
    there = office.partner.state.orders[order]
    if twice:
        office.partner.portal.upload(order, "PO.pdf", "POAttachment", PDF)
    else:
        there.submissions.clear()
    before, posts = office.attached(order), office.posts()
    for _ in range(2):
        office.clock.forward(hours=26)
        look(office)

    found = told(office)

    assert [event for event, _ in found] == ["drift"]
    assert ("shows twice" if twice else "not show any more") in found[0][1]["detail"]
    assert (office.attached(order), office.posts()) == (before, posts)
    assert [own.state for own in stored(office, order).record.submissions.values()] == [State.DONE]


def test_documents_that_a_person_adds_or_that_are_sent_again_on_purpose_are_no_drift(office: Office) -> None:
    order = attached_pair(office)
    office.partner.portal.upload(order, "Annex.pdf", "TenderAttachment", PDF + b"annex")
    office.ring(drop_pair(office, order, "x/corrected", customerPrice="157"))
    office.clock.forward(hours=26)
    look(office)

    assert office.attached(order).count("PO.pdf") == 1
    assert office.attached(order).count("corrected.pdf") == 1
    assert told(office) == []


def test_an_order_that_documents_were_attached_to_is_watched_once_and_listed_once(office: Office) -> None:
    place(office)
    order, _ = requested(office)
    assert [entry["kind"] for entry in listed(office, "pending_po_upload")] == ["order"]
    assert office.services.watch
    attach(office, order)
    assert listed(office, "pending_po_upload") == []
    becomes(office, order, "pending_po_upload")
    office.clock.forward(hours=26)
    before = reads(office)
    look(office)

    assert reads(office) == before + 1
    assert requested(office)[1].ended == "documents"
    (entry,) = listed(office, "pending_po_upload")
    assert (entry["kind"], entry["orderId"]) == ("attachments", order)
    found = office.services.ledger.read(order_key(CUSTOMER, "flow-1"))
    assert found
    told_of = office.services.watch.told_of(found.record)
    assert told_of
    assert told_of.status == "pending_po_upload"


def test_orders_that_wait_are_listed_page_by_page_for_whom_they_are_for(office: Office) -> None:
    for number in range(53):
        place(office, f"flow-{number}")
    # Azurite makes pages before it leaves out what does not have the tag
    blobs, tag = office.services.drops.blobs, {"order-pending_po_upload": "2090-01-01T00:00:00Z"}
    blobs.put(office.env["LEDGER_CONTAINER"], "format.json", b'{"format": 2}', match="*", tags=tag)
    blobs.put(office.env["LEDGER_CONTAINER"], "orders/none.json", b"damaged", match="*", tags=tag)

    found = listed(office, "pending_po_upload")

    assert len({entry["orderId"] for entry in found}) == 53
    assert found[0]["order"]["nextAction"].startswith("attach the customer's purchase order")
    assert (found[0]["state"], found[0]["actor"]) == ("placed", "caller")
    assert listed(office, "completed") == []
    assert listed(office, "pending_po_upload", caller=Caller("bob", frozenset({str(uuid.uuid4())}))) == []


@pytest.mark.parametrize("status", ["completed", "cancelled", "po_review_rejected", "error"])
def test_documents_for_an_order_whose_status_is_final_are_refused_before_anything_is_recorded(
    office: Office, status: str
) -> None:
    order = office.order(status)
    with pytest.raises(OrderNotWaitingError, match=status):
        attach(office, order)
    office.ring(drop_pair(office, order))

    receipt = office.receipt("x/PO.json")
    assert (receipt["state"], receipt["actor"]) == ("rejected", "caller")
    assert status in receipt["errors"][0]["detail"]
    assert (office.posts(), office.submissions(order)) == (0, {})
    becomes(office, order, "pending_po_upload")
    office.drop("x/PO.json", office.sidecar(order))
    office.ring("x/PO.json")
    assert office.receipt("x/PO.json")["state"] == "attached"


@pytest.mark.parametrize("status", ["pending_po_upload", "po_upload_complete", "unknown", "partial_success"])
def test_documents_for_any_other_order_go_out(office: Office, status: str) -> None:
    assert attach(office, office.order(status)).submission.state is State.DONE


def test_when_the_status_cannot_be_read_documents_go_out(office: Office) -> None:
    fail(office, "GET order", times=9, kind="status", status=503, body={})

    assert attach(office, office.order("completed")).submission.state is State.DONE


def test_a_status_that_the_watch_saw_within_a_day_is_not_read_again(office: Office) -> None:
    order = attached_pair(office)
    office.clock.forward(minutes=21)
    look(office)
    before = reads(office)
    office.ring(drop_pair(office, order, "x/second", customerPrice="157"))
    assert office.receipt("x/second.json")["state"] == "attached"

    assert reads(office) == before


def test_what_was_attached_is_still_told_when_its_order_is_done(office: Office) -> None:
    order = attached_pair(office)
    becomes(office, order, "completed")
    office.ring("x/PO.json")
    before = reads(office)

    assert office.receipt("x/PO.json")["state"] == "attached"
    assert reads(office) == before


def test_off_means_that_no_order_is_read_watched_or_told(office: Office) -> None:
    off = built({**office.env, "WATCH_ORDERS": "false"}, office.clock)
    order = office.order("completed")
    drop_pair(office, order)
    office.ring("x/PO.json", by=off)
    place(office, by=off)
    office.clock.forward(days=4)
    off.sweep.run("c", office.deadline())
    office.work(off)

    assert reads(office) == 0
    assert (off.watch, stored(office, order).record.orders) == (None, {})
    assert list(office.services.ledger.looks(office.clock.now())) == []
    assert told(office, off) == []
    assert "order" not in office.receipt("x/PO.json")


def test_a_sweep_hands_out_looks_at_the_stated_rate_the_longest_overdue_first(office: Office) -> None:
    services = office.services
    now = office.clock.now()
    for number in range(12):
        place(office, f"flow-{number}")
    for key, _ in list(services.ledger.looks(now + timedelta(days=9))):
        found = services.ledger.read(key)
        assert found
        ((order, one),) = found.record.orders.items()
        late = one.model_copy(update={"next": now - timedelta(minutes=len(order))})
        services.ledger.note(found, with_order(found.record, order, late))
    assert services.watch
    assert services.watch.hand_out(office.deadline()) == 12
    first = office.waiting()
    assert services.watch.hand_out(office.deadline()) == 12  # they are due until somebody looks
    raw = services.drops.blobs.get(office.env["LEDGER_CONTAINER"], "watch.json")
    assert raw
    until = json.loads(raw.content)["until"]

    assert first == 12
    reserved = (WatchedOrder.model_validate({"began": until, "placed": until}).began - now).total_seconds()
    assert 24 * 0.6 <= reserved <= 24 * 0.6 + 60
    time.sleep(0.1)
    assert len(list(office.messages())) < 12, "they do not come in a burst"


def test_the_rate_is_not_exceeded_however_often_sweeps_run(office: Office) -> None:
    for number in range(40):
        place(office, f"flow-{number}")
    office.clock.forward(hours=26)
    assert office.services.watch
    begun = time.monotonic()
    handed = sum(office.services.watch.hand_out(office.deadline()) for _ in range(20))

    minutes = 5 + (time.monotonic() - begun) / 60
    assert 500 <= handed <= RATE * minutes + 1


def test_a_sweep_logs_how_many_orders_are_in_each_status(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    place(office)
    with caplog.at_level("INFO"):
        told(office)

    lines = [json.loads(r.message) for r in caplog.records if r.message.startswith('{"event": "open work"')]
    counts = {line["orderStatus"]: line["count"] for line in lines if "orderStatus" in line}
    assert counts["pending_po_upload"] == 1
    assert counts["po_upload_complete"] == 0
