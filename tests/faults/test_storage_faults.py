"""Storage fails, is slow, says no, or does what it was asked and then says that it did not."""

from __future__ import annotations

import uuid

import pytest

from local.fault_rules import Fault
from shared.core.errors import StorageError, StorageUnknownError
from shared.core.ledger import State
from tests.faults.parts import DENIED, World

BUSY = Fault("status", status=503, code="ServerBusy")
LOST = Fault("status", status=500, code="InternalError", after=True)
CUT, CUT_AFTER = Fault("cut"), Fault("cut", after=True)
SLOW = Fault("hang", seconds=0.3)
REFUSED = Fault("status", status=DENIED, code="AuthorizationPermissionMismatch")
DONE_BUT_REFUSED = Fault("status", status=DENIED, code="AuthorizationFailure", after=True)


@pytest.mark.parametrize("nth", range(3), ids=["claim", "outcome", "receipt"])
@pytest.mark.parametrize("fault", [BUSY, LOST, CUT, CUT_AFTER, SLOW], ids=lambda f: f"{f.kind}-{f.after}")
def test_a_write_that_fails_or_whose_reply_is_lost_is_made_good_at_once(
    world: World, fault: Fault, nth: int
) -> None:
    world.make_containers()
    order = world.order()
    path = world.drop_pair(order)
    world.storage.inject(fault, method="PUT", skip=nth)
    world.ring(path, by=world.faulty)

    assert [s.fault for s in world.storage.seen() if s.fault] == [fault.kind]
    assert world.sets(order) == 1
    assert world.state() == "attached"


@pytest.mark.parametrize("fault", [LOST, CUT_AFTER], ids=["5xx", "cut"])
def test_a_claim_that_was_won_and_reported_as_lost_is_ones_own(world: World, fault: Fault) -> None:
    """The client's second try is told that the record exists: it is the first try's."""
    world.make_containers()
    world.storage.inject(fault, method="PUT", name="orders/*")
    outcome = world.place(by=world.faulty)

    assert outcome.submission.state is State.DONE
    assert not outcome.replayed
    assert outcome.submission.attempt == 1


@pytest.mark.parametrize("fault", [LOST, CUT_AFTER], ids=["5xx", "cut"])
def test_whoever_may_have_left_a_claim_behind_is_not_told_that_nothing_was_done(
    world: World, fault: Fault
) -> None:
    """The claim is written, the answer lost, and what stands there cannot be read: a worker may go on with
    it."""
    world.make_containers()
    world.storage.inject(fault, method="PUT", name="orders/*")
    world.storage.inject(REFUSED, method="GET", name="orders/*")
    with pytest.raises(StorageUnknownError):
        world.place(by=world.faulty)
    posts = world.posts("POST order")
    world.settle(6, 25, 6)

    assert posts == 0
    assert len(world.partner.state.orders) == 1
    assert world.place().submission.state is State.DONE


@pytest.mark.parametrize("fault", [REFUSED, DONE_BUT_REFUSED], ids=["not-written", "written"])
def test_a_claim_that_cannot_be_recorded_sends_nothing(world: World, fault: Fault) -> None:
    world.make_containers()
    order = world.order()
    path = world.drop_pair(order)
    world.storage.inject(fault, method="PUT", container="ledger-*")
    with pytest.raises(StorageError) as raised:
        world.ring(path, by=world.faulty)
    posts = world.posts()
    world.ring(path)
    world.settle()

    assert "Data Owner" in raised.value.remedy
    assert posts == 0
    assert world.sets(order) == 1
    assert world.state() == "attached"


@pytest.mark.parametrize("honours", [True, False])
@pytest.mark.parametrize("fault", [REFUSED, DONE_BUT_REFUSED], ids=["not-written", "written"])
def test_an_outcome_that_cannot_be_recorded_is_found_again(world: World, fault: Fault, honours: bool) -> None:
    world.make_containers()
    world.partner.configure(honours_request_id=honours)
    order = world.order()
    path = world.drop_pair(order)
    world.storage.inject(fault, method="PUT", container="ledger-*", skip=1)
    world.ring(path, by=world.faulty)
    told = world.state()
    world.ring(path)
    world.settle()

    assert told == "attached", "the answer is in hand, whoever may not write it down"
    assert world.sets(order) == 1
    assert world.state() == "attached"


@pytest.mark.parametrize("fault", [REFUSED, DONE_BUT_REFUSED], ids=["not-written", "written"])
def test_a_receipt_that_cannot_be_written_is_written_by_the_next_to_look(world: World, fault: Fault) -> None:
    world.make_containers()
    order = world.order()
    path = world.drop_pair(order)
    world.storage.inject(fault, method="PUT", container="receipts-*")
    with pytest.raises(StorageError):
        world.ring(path, by=world.faulty)
    world.settle(5)

    assert world.sets(order) == 1
    assert world.state() == "attached"


@pytest.mark.parametrize("nth", range(3), ids=["sidecar", "document", "record"])
def test_reads_that_break_off_are_tried_again(world: World, nth: int) -> None:
    world.make_containers()
    order = world.order()
    path = world.drop_pair(order)
    world.ring(path)
    world.storage.inject(Fault("cut_body", bytes=10), method="GET", skip=nth)
    try:
        world.ring(path, by=world.faulty)
    except StorageError:
        world.ring(path, by=world.faulty)

    assert world.sets(order) == 1


def test_nothing_exists_yet(world: World) -> None:
    world.ring("x/PO.json", "x/PO.pdf")
    counts = world.sweep()
    order = world.order()
    assert world.place().submission.state is State.DONE
    world.ring(world.drop_pair(order))

    assert counts == {"records": 0, "drops": 0, "looks": 0, "listed": 0, "blobs": 0, "failed": 0}
    assert world.state() == "attached"


def test_a_sweep_that_storage_stops_is_made_good_by_the_next(world: World) -> None:
    world.make_containers()
    order = world.order()
    world.drop_pair(order)
    world.clock.forward(minutes=5)
    for query in ({"comp": "blobs"}, {"comp": "list"}):
        world.storage.inject(REFUSED, query=query)
        with pytest.raises(StorageError):
            world.faulty.sweep.run(str(uuid.uuid4()), world.deadline())
    assert world.sets(order) == 0
    world.sweep()

    assert world.sets(order) == 1


def test_no_fault_of_storage_tells_its_key(world: World) -> None:
    world.storage.inject(REFUSED, times=-1)
    with pytest.raises(StorageError) as raised:
        world.place(by=world.faulty)

    key = world.env["DocumentStorage"].partition("AccountKey=")[2].partition(";")[0]
    assert key
    assert key not in repr(raised.value)
