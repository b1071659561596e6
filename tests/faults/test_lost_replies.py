"""Sent, and no answer that tells: Partner Center is asked, and only what is provably absent is sent again."""

from __future__ import annotations

import contextlib
import itertools
import json
import uuid
from typing import Any

import pytest

from local.fault_rules import Fault
from shared.core.errors import StorageError
from shared.core.ledger import State
from shared.validation.orders import order_request
from tests.faults.parts import DENIED, OTHER_PDF, World, once, place_body
from tests.services.conftest import CUSTOMER, PDF


def fail_post(world: World, what: str, times: int = 1, skip: int = 0, **fault: Any) -> None:
    world.partner.faults.add({"on": f"POST {what}", "times": times, "skip": skip, "do": fault})


def order_id(world: World, key: str) -> str:
    answer = world.place(key).submission.answer
    assert answer
    return str(json.loads(answer.body)["id"])


def unlistable(world: World, times: int = 3) -> None:
    """The list of attachments is had for the snapshot, and then fails for a while."""
    do = {"kind": "status", "status": 503}
    world.partner.faults.add({"on": "GET attachments", "skip": 1, "times": times, "do": do})


@pytest.mark.parametrize("honours", [True, False])
@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize("what", ["status", "hang"])
def test_a_drop_whose_reply_never_comes_is_attached_once(
    world: World, what: str, commit: bool, honours: bool
) -> None:
    world.partner.configure(honours_request_id=honours)
    order = world.order()
    path = world.drop_pair(order)
    hangs: dict[str, Any] = {"seconds": 0.2} if what == "hang" else {}
    fail_post(world, "attachment", kind=what, commit=commit, **hangs)
    world.ring(path)
    told_at_once = world.state()
    world.settle()

    assert told_at_once in ("attached", "retrying")
    assert world.sets(order) == 1
    assert world.state() == "attached"


@pytest.mark.parametrize("honours", [True, False])
@pytest.mark.parametrize("commit", [True, False])
def test_an_order_whose_reply_hangs_past_the_deadline_is_placed_once(
    world: World, commit: bool, honours: bool
) -> None:
    world.partner.configure(honours_request_id=honours, list_lag=600.0)
    fail_post(world, "order", kind="hang", seconds=2, commit=commit)
    request = order_request(place_body(), CUSTOMER)
    deadline = world.deadline_from_sending(0.5)
    first = world.faulty.orders.place(CUSTOMER, request, "flow-1", str(uuid.uuid4()), deadline)
    world.settle(5, 10, 10, 10)

    assert first.submission.state is State.UNKNOWN
    assert len(world.partner.state.orders) == 1
    assert world.place().submission.state is State.DONE


@pytest.mark.parametrize("kind", ["lose_reply", "truncate", "garbage"])
def test_what_was_attached_over_http_is_found_after_a_lost_reply(world: World, kind: str) -> None:
    order = world.order()
    fail_post(world, "attachment", kind=kind)

    assert world.attach(order).submission.state is State.DONE
    assert world.sets(order) == 1


def test_a_document_that_breaks_off_while_it_is_sent_is_no_lost_reply(world: World) -> None:
    order = world.order()
    large = PDF + bytes(600_000)
    path = world.drop_pair(order, content=large)
    world.storage.inject(Fault("cut_body", bytes=50_000), name="x/PO.pdf", times=9)
    world.ring(path, by=world.faulty)
    told = world.receipt(path)
    (own,) = world.submissions(order).values()
    world.heal()
    world.settle()

    assert told["state"] == "retrying"
    assert "PO.pdf" in told["detail"]
    assert own.first_silent is None, "nothing was sent whole, so there is nothing to ask for"
    assert world.sets(order) == 1
    assert world.state() == "attached"


def test_a_document_whose_connection_breaks_is_resumed_where_it_broke(world: World) -> None:
    order = world.order()
    path = world.drop_pair(order, content=PDF + bytes(600_000))
    world.storage.inject(Fault("cut_body", bytes=300_000), name="x/PO.pdf", times=2)
    world.ring(path, by=world.faulty)

    assert world.state() == "attached"
    assert world.partner.state.orders[order].attachments[0].size == len(PDF) + 600_000


@pytest.mark.parametrize("arrived", [0, 1])
def test_two_sets_with_the_same_names_and_sizes_are_not_taken_for_each_other(
    world: World, arrived: int
) -> None:
    """Both lose their replies, one of them arrives. Partner Center does not show whose it is, but when."""
    order = world.order()
    for n in range(2):
        fail_post(world, "attachment", kind="status", status=503, commit=n == arrived)
    unlistable(world)
    paths = [world.drop_pair(order, stem, content) for stem, content in (("x/PO", PDF), ("y/PO", OTHER_PDF))]
    world.ring(*paths)
    told = [world.receipt(path) for path in paths]
    world.settle(3, 3, 3, 5, 5, 10)

    assert [receipt["state"] for receipt in told] == ["retrying", "retrying"]
    assert "another submission for this order is in flight" in told[1]["detail"]
    assert [world.state(path) for path in paths] == ["attached", "attached"]
    contents = [a.content for a in world.partner.state.orders[order].attachments]
    assert sorted(contents, key=str) == sorted([PDF, OTHER_PDF], key=str)
    ids = [{a["attachmentId"] for a in world.receipt(path)["attachments"]} for path in paths]
    there = world.partner.state.orders[order].attachments
    assert ids == [{a.id for a in there if a.content == content} for content in (PDF, OTHER_PDF)]


def test_an_answer_that_lists_the_whole_order_does_not_hide_a_lost_one(world: World) -> None:
    world.partner.configure(reply_lists_all=True)
    order = world.order()
    fail_post(world, "attachment", kind="lose_reply")
    unlistable(world)
    world.ring(world.drop_pair(order, "x/PO", PDF))
    world.ring(world.drop_pair(order, "y/PO", OTHER_PDF + b"a little longer" * 200 + b"\n%%EOF\n"))
    assert [world.state(path) for path in ("x/PO.json", "y/PO.json")] == ["retrying", "retrying"]
    world.settle()

    assert world.sets(order) == 2
    assert [world.state(path) for path in ("x/PO.json", "y/PO.json")] == ["attached", "attached"]
    names = [[a["fileName"] for a in world.receipt(p)["attachments"]] for p in ("x/PO.json", "y/PO.json")]
    assert names == [["PO.pdf"], ["PO.pdf"]], "a receipt lists what is its own, whatever the answer lists"


@pytest.mark.parametrize("lists_all", [True, False])
def test_an_accepted_answer_that_does_not_show_it_ends_in_review_and_is_not_sent_again(
    world: World, lists_all: bool
) -> None:
    """Partner Center drops the document without a word; the answer lists the order's earlier versions."""
    world.partner.configure(reply_lists_all=lists_all)
    order = world.order()
    for version in range(2):
        world.ring(world.drop_pair(order, f"v{version}/PO", PDF[:-1] + str(version).encode()))
    fail_post(world, "attachment", kind="drop_part", name="POFiles")
    path = world.drop_pair(order, "v2/PO", OTHER_PDF)
    world.ring(path)
    told = world.receipt(path)
    world.settle()

    assert told["state"] == "retrying"
    assert "accepted" in told["detail"]
    assert world.state(path) == "review"
    assert world.posts() == 3


@pytest.mark.parametrize("lists_all", [True, False])
def test_a_document_that_is_listed_late_after_an_accepting_answer_is_waited_for(
    world: World, lists_all: bool
) -> None:
    world.partner.configure(upload_reply="empty", reply_lists_all=lists_all, attachment_lag=90)
    order = world.order()
    path = world.drop_pair(order)
    world.ring(path)
    told = world.state(path)
    world.settle()

    assert told == "retrying"
    assert world.state(path) == "attached"
    assert world.posts() == 1


def test_a_document_uploaded_by_hand_is_not_taken_for_ours(world: World) -> None:
    """The same name, kind and size; somebody put it there before the drop came."""
    order = world.order()
    by_hand = world.partner.portal.upload(order, "PO.pdf", "POAttachment", OTHER_PDF)
    fail_post(world, "attachment", kind="status", status=503)
    unlistable(world)
    path = world.drop_pair(order)
    world.ring(path)
    told = world.state(path)
    world.settle()

    assert told == "retrying"
    assert world.sets(order) == 1
    assert by_hand.id not in {a["attachmentId"] for a in world.receipt(path)["attachments"]}


def test_documents_in_review_are_not_taken_for_those_of_another_drop(world: World) -> None:
    order = world.order()
    fail_post(world, "attachment", kind="drop_part", name="TenderFiles")
    metadata = world.sidecar(order, isPartOfTender=True, poFiles=["PO.pdf"], tenderFiles=["t.pdf"])
    for name, content in (("PO.pdf", PDF), ("t.pdf", PDF + b"t"), ("metadata.json", metadata)):
        world.drop(f"set/{name}", content)
    world.ring("set/metadata.json")
    world.settle(5)
    assert world.state("set/metadata.json") == "review"
    fail_post(world, "attachment", kind="status", status=503)
    world.ring(world.drop_pair(order, "y/PO", OTHER_PDF))
    world.settle()

    assert world.sets(order) == 2
    assert world.state("y/PO.json") == "attached"


def test_a_part_of_the_documents_that_shows_late_is_waited_for(world: World) -> None:
    """Partner Center may list file by file what it was sent in one request."""
    world.partner.configure(attachment_lag=60, attachments_appear="one_by_one")
    order = world.order()
    metadata = world.sidecar(order, isPartOfTender=True, poFiles=["a.pdf"], tenderFiles=["t.pdf"])
    for name, content in (("a.pdf", PDF), ("t.pdf", OTHER_PDF), ("metadata.json", metadata)):
        world.drop(f"set/{name}", content)
    fail_post(world, "attachment", kind="lose_reply")
    world.ring("set/metadata.json")
    world.clock.forward(seconds=40)
    (record,) = world.services.ledger.due(world.clock.now())
    world.work_on("record", record)
    told = world.receipt("set/metadata.json")
    world.settle()

    assert told["state"] == "retrying"
    assert "nothing that matches t.pdf" in told["detail"]
    assert world.state("set/metadata.json") == "attached"
    assert world.sets(order) == 1


def test_the_record_holds_the_names_that_were_sent_last(world: World) -> None:
    order = world.order()
    fail_post(world, "attachment", kind="throttle", retry_after=900)
    world.attach(order)
    world.clock.forward(minutes=20)
    fail_post(world, "attachment", kind="lose_reply")
    world.ring(world.drop_pair(order, "x/other name"))

    assert world.state("x/other name.json") == "attached"
    assert world.attached(order) == ["other name.pdf"]


@pytest.mark.parametrize("honours", [True, False])
@pytest.mark.parametrize("swapped", [True, False])
def test_two_keys_with_equal_lines_of_which_one_was_lost_buy_two(
    world: World, honours: bool, swapped: bool
) -> None:
    """One of them adopts the order that is there, whichever asks first; the other is sent again."""
    world.partner.configure(honours_request_id=honours, list_lag=600.0)
    fail_post(world, "order", kind="status", status=500, commit=not swapped)
    fail_post(world, "order", kind="status", status=500, commit=swapped)
    assert [world.place(key).submission.state for key in ("a", "b")] == [State.UNKNOWN] * 2
    world.clock.forward(minutes=40)
    for key in ("a", "b"):
        world.place(key)
    world.settle(5, 5, 30)

    assert len({order_id(world, key) for key in ("a", "b")}) == 2
    assert len(world.partner.state.orders) == 2


def test_two_keys_with_equal_lines_that_are_resolved_at_once_adopt_one_each(world: World) -> None:
    """An instance dies after it adopted an order and before it noted so; another resolves the twin."""
    world.partner.configure(list_lag=600.0)
    fail_post(world, "order", times=2, kind="status", status=500, commit=True)
    for key in ("a", "b"):
        world.place(key)
    world.clock.forward(minutes=40)
    world.storage.inject(Fault("status", status=DENIED), method="PUT", name="orders/*", skip=1, times=9)
    with contextlib.suppress(StorageError):
        world.place("a", by=world.faulty)
    world.heal()
    world.place("b")
    world.settle(5, 5, 30)

    assert len({order_id(world, key) for key in ("a", "b")}) == 2
    assert len(world.partner.state.orders) == 2


def test_an_order_whose_answer_is_just_being_recorded_is_not_adopted_by_its_twin(world: World) -> None:
    world.make_containers()
    fail_post(world, "order", kind="status", status=500)
    world.place("b")
    world.clock.forward(minutes=5)
    writes = itertools.count()
    once(
        world.storage,
        lambda seen: seen.writes and seen.name.startswith("orders/") and next(writes) == 1,
        lambda: world.place("b"),
    )
    world.place("a", by=world.faulty)
    world.settle(20, 20, 20)

    assert len({order_id(world, key) for key in ("a", "b")}) == 2
    assert len(world.partner.state.orders) == 2
