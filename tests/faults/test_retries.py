"""What cannot be done now is done later, for a day; what never can be is told, and left to a person."""

from __future__ import annotations

import uuid

import pytest

from local.proxy_faults import Fault
from shared.errors import StorageError
from tests.faults.parts import DENIED, World
from tests.services.conftest import PDF


def test_a_sidecar_corrected_after_partner_center_refused_it_is_sent(world: World) -> None:
    path = world.drop_pair("no-such-order")
    world.ring(path)
    rejected = world.state()
    world.clock.forward(days=3)
    order = world.order()
    world.drop(path, world.sidecar(order))
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 600}})
    world.ring(path)
    told = world.state()
    world.settle()

    assert (rejected, told) == ("rejected", "retrying")
    assert world.state() == "attached"


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
    world.storage.order(Fault("cut_body", bytes=300_000), name="x/PO.pdf", times=-1)
    world.faulty.sweep.run(str(uuid.uuid4()), world.deadline())
    told = world.state()
    world.heal()
    world.settle()

    assert told == "retrying"
    assert world.state() == "attached"
    assert world.sets(order) == 1


def test_an_event_that_always_fails_ends_in_a_receipt(world: World) -> None:
    """The ledger's record is damaged: no time cures that, so the poison queue's message ends in `review`."""
    order = world.order()
    path = world.drop_pair(order)
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 60}})
    world.ring(path)
    ledger = world.env["LEDGER_CONTAINER"]
    (record,) = world.services.drops.blobs.page(ledger, "attachments/")[0]
    world.services.drops.blobs.put(ledger, record.name, b"not a record", match="*")
    with pytest.raises(ValueError, match="Expecting value"):
        world.ring(path)
    world.services.drops.rescue(path, "c0c0c0c0-0000-4000-8000-000000000000", world.deadline())

    receipt = world.receipt(path)
    assert receipt["state"] == "review"
    assert receipt["correlationId"] == "c0c0c0c0-0000-4000-8000-000000000000"
    assert world.sets(order) == 0


def test_a_poisoned_event_whose_cause_has_passed_is_simply_done(world: World) -> None:
    order = world.order()
    path = world.drop_pair(order)
    world.storage.order(Fault("status", status=DENIED), container="ledger-*", times=-1)
    for _ in range(5):
        with pytest.raises(StorageError):
            world.ring(path, by=world.faulty)
    world.faulty.drops.rescue(path, str(uuid.uuid4()), world.deadline())
    told = world.state()
    world.heal()
    world.settle(20)

    assert told == "retrying"
    assert world.sets(order) == 1
    assert world.state() == "attached"


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
    assert "gave up" in world.receipt(path)["detail"]
    assert world.sets(order) == 0
