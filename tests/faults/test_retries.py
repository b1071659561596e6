"""What cannot be done now is done later, for a day; what never can be is told, and left to a person."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from local.fault_rules import Fault
from shared.core.errors import StorageError
from shared.core.ledger import State
from shared.core.models import order_attachments_key
from shared.services.bell import Message
from shared.web import responses
from tests.faults.parts import DENIED, World
from tests.services.conftest import CUSTOMER, PDF

CORRELATION = "c0c0c0c0-0000-4000-8000-000000000000"


def test_a_sidecar_corrected_after_partner_center_refused_it_is_sent(world: World) -> None:
    path = world.drop_pair("no-such-order")
    world.ring(path)
    early = world.receipt(path)
    world.settle(10, 10, 10)
    rejected = world.state()
    world.clock.forward(days=3)
    order = world.order()
    world.drop(path, world.sidecar(order))
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 600}})
    world.ring(path)
    told = world.state()
    world.settle()

    assert early["state"] == "retrying", "an order that was placed just now is unknown for some minutes"
    assert "check orderId" in early["remedy"]
    assert (rejected, told) == ("rejected", "retrying")
    assert world.state() == "attached"


def test_a_drop_for_an_order_that_was_placed_just_now_is_attached_when_it_shows(world: World) -> None:
    world.partner.configure(order_visible_after=900)
    order = world.order()
    path = world.drop_pair(order)
    world.ring(path)
    told = world.state()
    world.settle(5, 5, 5, 5)

    assert told == "retrying"
    assert world.state() == "attached"
    assert world.sets(order) == 1


def test_the_same_drop_again_after_days_is_tried_for_as_long_as_the_first_time(world: World) -> None:
    """The app lacked a permission; now it has it, and Partner Center throttles for a while."""
    order = world.order()
    path = world.drop_pair(order)
    no_role = {"kind": "status", "status": 403, "body": {"code": "900150", "description": "No role."}}
    world.partner.faults.add({"on": "POST attachment", "do": no_role})
    world.ring(path)
    assert world.state() == "rejected"
    world.clock.forward(days=3)
    world.drop_pair(order)
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 600}})
    world.ring(path)

    assert world.state() == "retrying"
    world.settle()
    assert world.state() == "attached"


def test_documents_that_cannot_be_read_for_a_while_are_not_given_up(world: World) -> None:
    order = world.order()
    path = world.drop_pair(order, content=PDF + bytes(2_000_000))
    world.storage.tells_md5 = False
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 600}})
    world.ring(path)
    world.clock.forward(minutes=20)
    world.storage.inject(Fault("cut_body", bytes=300_000), name="x/PO.pdf", times=-1)
    world.sweep(by=world.faulty)
    told = world.state()
    world.heal()
    world.settle()

    assert told == "retrying"
    assert world.state() == "attached"
    assert world.sets(order) == 1


def test_an_event_that_always_fails_ends_in_a_receipt(world: World) -> None:
    """What a sidecar depends on is noted in a blob that somebody has damaged: no time cures that."""
    order = world.order()
    world.drop("set/metadata.json", world.sidecar(order, poFiles=["po.pdf"]))
    world.ring("set/metadata.json")
    ledger = world.env["LEDGER_CONTAINER"]
    (word,) = world.services.drops.blobs.page(ledger, "words/")[0]
    world.services.drops.blobs.put(ledger, word.name, b"not JSON", match="*")
    world.drop("set/po.pdf", PDF)
    for blob in ("set/po.pdf", "set/metadata.json"):
        with pytest.raises(ValueError, match="Expecting value"):
            world.ring(blob)
    world.services.drops.process_or_report("set/metadata.json", CORRELATION)

    receipt = world.receipt("set/metadata.json")
    assert receipt["state"] == "review"
    assert receipt["correlationId"] == CORRELATION
    assert world.sets(order) == 0


def test_a_damaged_record_is_the_operators_to_mend_and_nothing_is_sent(world: World) -> None:
    order = world.order()
    path = world.drop_pair(order)
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 60}})
    world.ring(path)
    ledger = world.env["LEDGER_CONTAINER"]
    (record,) = world.services.drops.blobs.page(ledger, "attachments/")[0]
    whole = world.services.drops.blobs.get(ledger, record.name)
    world.services.drops.blobs.put(ledger, record.name, b"not a record", match="*")
    world.ring(path)
    told = world.receipt(path)
    posts = world.posts()
    assert whole
    world.services.drops.blobs.put(ledger, record.name, whole.content, match="*")
    world.settle()

    assert (told["state"], told["actor"]) == ("retrying", "operator")
    assert posts == 1
    assert world.state() == "attached"


def test_a_poisoned_event_whose_cause_has_passed_is_simply_done(world: World) -> None:
    order = world.order()
    path = world.drop_pair(order)
    world.storage.inject(Fault("status", status=DENIED), container="ledger-*", times=-1)
    for _ in range(5):
        with pytest.raises(StorageError):
            world.ring(path, by=world.faulty)
    world.faulty.drops.process_or_report(path, CORRELATION)
    told = world.state()
    world.heal()
    world.settle(20)

    assert told == "retrying"
    assert world.sets(order) == 1
    assert world.state() == "attached"


def test_throttling_is_told_and_a_message_that_comes_when_it_is_over_sends(world: World) -> None:
    """No sweep is needed: what was left on the queue comes at the moment that the receipt tells."""
    world.make_containers()
    order = world.order()
    path = world.drop_pair(order)
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 31}})
    world.ring(path, by=world.faulty)
    told = world.receipt(path)
    delays = [int(seen.query["visibilitytimeout"]) for seen in world.queues.seen()]
    world.clock.forward(seconds=delays[0])
    (record,) = world.services.ledger.due(world.clock.now())
    world.work_on("record", record)

    assert told["state"] == "retrying"
    next_attempt = datetime.fromisoformat(told["nextAttempt"])
    assert timedelta(seconds=25) < next_attempt - datetime.fromisoformat(told["changed"])
    assert delays == [32]
    assert world.state() == "attached"


def test_a_drop_stays_due_when_the_same_documents_over_http_could_not_be_sent_either(world: World) -> None:
    order = world.order()
    path = world.drop_pair(order)
    throttle = {"kind": "throttle", "retry_after": 300}
    world.partner.faults.add({"on": "POST attachment", "times": 2, "do": throttle})
    world.ring(path)
    world.clock.forward(minutes=6)
    outcome = world.attach(order)
    world.clock.forward(minutes=6)
    (record,) = world.services.ledger.due(world.clock.now())
    world.work_on("record", record)

    assert outcome.submission.state is State.PENDING
    assert responses.require_done(outcome) is None, (
        "its caller is told that it is under way: it lies in a drop"
    )
    assert world.state() == "attached"
    assert world.sets(order) == 1


def test_a_drop_behind_a_busy_order_waits_for_it_by_messages_and_is_sent_then(world: World) -> None:
    order = world.order()
    silent = {"kind": "status", "status": 503, "commit": True}
    world.partner.faults.add({"on": "POST attachment", "do": silent})
    do = {"kind": "status", "status": 503}
    world.partner.faults.add({"on": "GET attachments", "skip": 1, "times": 3, "do": do})
    first = world.drop_pair(order, "x/PO")
    world.ring(first)
    second = world.drop_pair(order, "y/PO", PDF + b"another")
    world.ring(second, by=world.faulty)
    told = world.receipt(second)
    behind = order_attachments_key(CUSTOMER, order)
    waits = Message("drop", second, behind).dump()
    world.services.worker.work(waits, CORRELATION)
    posts = world.posts()
    world.heal()
    world.clock.forward(minutes=3)
    world.work_on("record", behind)
    world.services.worker.work(waits, CORRELATION)

    assert told["state"] == "retrying"
    assert "another submission for this order" in told["detail"]
    assert posts == 1, "it is still busy"
    assert [world.state(path) for path in (first, second)] == ["attached", "attached"]
    assert world.sets(order) == 2


def test_what_is_throttled_for_a_day_is_a_persons_to_look_at(world: World) -> None:
    world.partner.configure(throttled={str(world.sidecar("")["customerId"]): 3600})
    order = world.order()
    path = world.drop_pair(order)
    world.ring(path)
    early = world.state()
    for _ in range(26):
        world.settle(60)

    assert early == "retrying"
    assert world.state() == "review"
    assert "not sent within 24 hours" in world.receipt(path)["detail"]
    assert world.sets(order) == 0
