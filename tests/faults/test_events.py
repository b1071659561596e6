"""Events are doorbells: doubled, late, out of order or lost, and blobs that change or go meanwhile."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from local.fault_rules import Fault
from shared.core.errors import StorageError
from shared.services.bell import Message
from shared.services.worker import BURIED_FOR
from tests.faults.parts import DENIED, OTHER_PDF, World, once
from tests.services.conftest import PDF

CORRELATION = "c0c0c0c0-0000-4000-8000-000000000000"
NEVER_A_DROP = ["x/", "x/y/", "x/folder", "", "x/readme.txt"]


def test_all_events_lost_are_made_good_by_one_sweep(world: World) -> None:
    orders = [world.order() for _ in range(3)]
    for n, order in enumerate(orders):
        world.drop_pair(order, f"x/{n}")
    world.settle(5)

    assert [world.sets(order) for order in orders] == [1, 1, 1]


def test_events_that_come_days_late_change_nothing(world: World) -> None:
    order = world.order()
    path = world.drop_pair(order)
    world.settle(5)
    told = world.receipt(path)
    world.clock.forward(days=3)
    world.ring(path, "x/PO.pdf", path)

    assert world.sets(order) == 1
    assert world.receipt(path) == told


def test_folder_markers_and_other_files_are_nobodys_drop(world: World) -> None:
    for name in filter(None, NEVER_A_DROP):
        world.drop(name, b"")
    world.ring(*NEVER_A_DROP)
    world.settle(5, 60 * 25, 5)

    receipts, _ = world.services.drops.blobs.page(world.env["RECEIPTS_CONTAINER"])
    assert receipts == []


@pytest.mark.parametrize("empty", ["x/PO.pdf", "x/PO.json"])
def test_a_blob_of_zero_bytes_is_rejected_by_name_until_it_has_content(world: World, empty: str) -> None:
    order = world.order()
    path = world.drop_pair(order)
    world.drop(empty, b"")
    world.ring(path)
    rejected = world.state()
    world.clock.forward(seconds=2)
    world.drop_pair(order)
    world.ring(empty)

    assert rejected == "rejected"
    assert world.state() == "attached"
    assert world.sets(order) == 1


def drop_later(world: World, path: str, content: bytes | dict[str, object]) -> None:
    world.clock.forward(seconds=2)
    world.drop(path, content)


@pytest.mark.parametrize("blocks", [True, False], ids=["uploaded-in-blocks", "uploaded-whole"])
def test_a_document_overwritten_between_decision_and_read_is_sent_as_it_is_now(
    world: World, blocks: bool
) -> None:
    """The connection breaks as well, so that the rest is asked for: the new version has one to give."""
    order = world.order()
    old, new = PDF + bytes(600_000), PDF + b"1" * 600_000 + b"\n%%EOF\n"
    path = world.drop_pair(order, content=old)
    world.storage.tells_md5 = not blocks
    once(
        world.storage,
        lambda seen: seen.writes and seen.name.startswith("attachments/"),
        lambda: drop_later(world, "x/PO.pdf", new),
    )
    world.storage.inject(Fault("cut_body", bytes=300_000), name="x/PO.pdf")
    world.ring(path, by=world.faulty)
    world.ring("x/PO.pdf")
    world.settle()

    assert {a.content for a in world.partner.state.orders[order].attachments} <= {old, new}
    assert world.partner.state.orders[order].attachments[-1].content == new
    assert world.state() == "attached"


def test_a_document_that_comes_just_before_word_is_left_for_it_is_found_by_the_second_look(
    world: World,
) -> None:
    order = world.order()
    world.drop("set/metadata.json", world.sidecar(order, poFiles=["po.pdf"]))

    def bring() -> None:
        world.drop("set/po.pdf", PDF)
        world.ring("set/po.pdf")

    once(world.storage, lambda seen: seen.writes and seen.name.startswith("words/"), bring)
    world.ring("set/metadata.json", by=world.faulty)

    assert world.sets(order) == 1
    assert world.state("set/metadata.json") == "attached"


def test_a_sidecar_overwritten_while_its_documents_are_sent_is_a_drop_of_its_own(world: World) -> None:
    first, second = world.order(), world.order()
    path = world.drop_pair(first)
    once(world.line, lambda seen: seen.writes, lambda: drop_later(world, path, world.sidecar(second)))
    world.ring(path, by=world.faulty)
    world.ring(path)

    assert (world.sets(first), world.sets(second)) == (1, 1)
    assert world.receipt(path)["orderId"] == second


@pytest.mark.parametrize("sidecar", ["x/PO.json", "x/PO.pdf.json"])
def test_a_document_replaced_after_it_was_attached_goes_out_when_the_sidecar_is_dropped_again(
    world: World, sidecar: str
) -> None:
    order = world.order()
    world.drop("x/PO.pdf", PDF)
    world.drop(sidecar, world.sidecar(order))
    world.ring(sidecar)
    drop_later(world, "x/PO.pdf", OTHER_PDF)
    world.ring("x/PO.pdf")
    world.settle(5)
    waits = world.receipt(sidecar)
    before = world.sets(order)
    drop_later(world, sidecar, world.sidecar(order))
    world.ring(sidecar)
    world.settle(5)

    assert (waits["state"], before) == ("attached", 1)
    assert [f["fileName"] for f in waits["newer"]["files"]] == ["PO.pdf"]
    assert "again" in waits["newer"]["remedy"]
    assert world.sets(order) == 2
    receipt = world.receipt(sidecar)
    assert receipt["state"] == "attached"
    assert "newer" not in receipt
    assert [p["attachments"] for p in receipt["previous"]] == [waits["attachments"]]


def test_a_set_of_which_two_files_are_replaced_one_after_the_other_is_never_attached_mixed(
    world: World,
) -> None:
    """The sidecar comes last, and is what sends: no mixture of old and new files goes out before it."""
    order = world.order()
    metadata = world.sidecar(order, isPartOfTender=True, poFiles=["po.pdf"], tenderFiles=["t.pdf"])
    for version in range(2):
        for name in ("po.pdf", "t.pdf"):
            drop_later(world, f"set/{name}", PDF + f"{name} {version}".encode())
            world.ring(f"set/{name}")
        drop_later(world, "set/metadata.json", metadata)
        world.ring("set/metadata.json")
    world.settle(5)

    sets = [{a.content for a in s.files} for s in world.partner.state.orders[order].submissions]
    assert sets == [{PDF + f"{name} {v}".encode() for name in ("po.pdf", "t.pdf")} for v in range(2)]


def test_a_sidecar_under_which_nothing_was_sent_yet_is_not_spent(world: World) -> None:
    """Copy tools write the sidecar first, and where it lay before, it looks at the old document."""
    order = world.order()
    path = world.drop_pair(order)
    world.ring(path)
    drop_later(world, path, world.sidecar(order))
    world.ring(path)
    drop_later(world, "x/PO.pdf", OTHER_PDF)
    world.ring("x/PO.pdf")

    assert world.sets(order) == 2
    assert world.state(path) == "attached"


@pytest.mark.parametrize("gone", ["x/PO.pdf", "x/PO.json"])
def test_a_blob_that_is_deleted_while_the_drop_is_throttled_is_told(world: World, gone: str) -> None:
    order = world.order()
    path = world.drop_pair(order)
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 600}})
    world.ring(path)
    world.delete(gone)
    world.settle(5, 10, 20)

    assert world.sets(order) == 0
    assert world.state() in ("waiting", "rejected")
    again = world.drop_pair(order)
    world.clock.forward(minutes=20)
    world.ring(again)
    assert world.state() == "attached"
    assert world.sets(order) == 1


def test_a_blob_that_is_deleted_after_the_reply_was_lost_is_still_found_attached(world: World) -> None:
    order = world.order()
    path = world.drop_pair(order)
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "lose_reply"}})
    do = {"kind": "status", "status": 503}
    world.partner.faults.add({"on": "GET attachments", "skip": 1, "times": 3, "do": do})
    world.ring(path)
    assert world.state() == "retrying"
    for name in (path, "x/PO.pdf"):
        world.delete(name)
    world.settle()

    assert world.sets(order) == 1
    assert world.state() == "attached"


def test_a_set_whose_newest_file_is_deleted_tells_that_it_waits_for_it(world: World) -> None:
    order = world.order()
    metadata = world.sidecar(order, isPartOfTender=True, poFiles=["po.pdf"], tenderFiles=["t.pdf"])
    world.drop("set/metadata.json", metadata)
    world.clock.forward(minutes=1)
    world.drop("set/t.pdf", PDF)
    world.ring("set/t.pdf", "set/metadata.json")
    before = world.receipt("set/metadata.json")["waitingFor"]
    world.delete("set/t.pdf")
    world.settle(20)

    assert before == ["po.pdf"]
    assert world.receipt("set/metadata.json")["waitingFor"] == ["po.pdf", "t.pdf"]
    assert world.sweep()["drops"] == 0, "it was looked at just now"


@pytest.mark.parametrize("container", ["incoming-*", "*"], ids=["it-can-be-told", "it-cannot"])
def test_a_lost_event_whose_visit_fails_is_visited_again(world: World, container: str) -> None:
    """The walk passes the drop while storage fails, and the messages that it leaves fail too often."""
    world.make_containers()
    order = world.order()
    path = world.drop_pair(order)
    world.clock.forward(minutes=30)
    world.storage.inject(Fault("status", status=DENIED), container=container, name="x/*", times=-1)
    counts = world.faulty.sweep.run(CORRELATION, world.deadline())
    world.queues.clear()
    messages = [Message.load(text) for text in world.messages()]
    for message in messages:
        fail_too_often(world, message)
    later = [int(seen.query["visibilitytimeout"]) for seen in world.queues.seen()]
    world.heal()
    for message in messages if min(later) == BURIED_FOR else ():
        world.services.worker.work(replace(message, tries=1).dump(), CORRELATION)
    world.settle(5, 15)

    assert counts["failed"] == (2 if container == "*" else 0)
    assert world.sets(order) == 1
    assert world.state(path) == "attached"


def fail_too_often(world: World, message: Message) -> None:
    """As the host delivers it: five times, and then from the poison queue."""
    for _ in range(5):
        with suppress(StorageError):
            world.faulty.worker.work(message.dump(), CORRELATION)
    world.faulty.worker.bury(message.dump(), CORRELATION)
