"""A look at an order meets other work on it, or its process dies: nothing is lost, and nothing is twice."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from local.fault_rules import Fault
from shared.core.ledger import Record, State
from shared.core.models import order_attachments_key
from shared.services.bell import Message
from tests.faults.parts import OTHER_PDF, World, once
from tests.faults.processes import Instance
from tests.services.conftest import CUSTOMER

NOBODY = "c0c0c0c0-0000-4000-8000-000000000000"
"""A correlation id."""


def record(world: World, order: str) -> Record:
    stored = world.services.ledger.read(order_attachments_key(CUSTOMER, order))
    assert stored is not None
    return stored.record


def look_message(order: str) -> str:
    return Message("look", order_attachments_key(CUSTOMER, order)).dump()


def attached(world: World) -> str:
    """An order with documents that is to be looked at."""
    world.make_containers()
    order = world.order()
    assert world.attach(order).submission.state is State.DONE
    world.clock.forward(minutes=21)
    return order


def told(world: World) -> list[str]:
    world.services.notices.run(world.deadline())
    return [json.loads(text)["event"] for text in world.take("NOTICE_QUEUE")]


def test_a_look_while_documents_are_on_their_way_keeps_neither_from_its_end(world: World) -> None:
    order = attached(world)
    message = look_message(order)
    once(world.line, lambda seen: seen.method == "POST", lambda: world.services.worker.work(message, NOBODY))

    assert world.attach(order, OTHER_PDF, by=world.faulty).submission.state is State.DONE

    assert [own.state for own in record(world, order).submissions.values()] == [State.DONE, State.DONE]
    assert world.sets(order) == 2
    assert record(world, order).orders[order].status == "", "what was seen before the documents is old"


def test_a_look_that_documents_overtake_is_dropped(world: World) -> None:
    order = attached(world)
    once(
        world.line,
        lambda seen: seen.method == "GET",
        lambda: world.attach(order, OTHER_PDF),
    )

    world.faulty.worker.work(look_message(order), NOBODY)

    watched = record(world, order).orders[order]
    assert (watched.status, watched.owed) == ("", ())
    assert watched.next
    assert watched.next > world.clock.now() + timedelta(minutes=19)
    assert [own.state for own in record(world, order).submissions.values()] == [State.DONE, State.DONE]


@pytest.mark.parametrize("after", [False, True])
def test_a_process_that_dies_at_any_write_of_a_look_is_followed_by_one_that_finds_and_tells_the_same(
    world: World, after: bool
) -> None:
    world.make_containers()
    path = world.drop_pair(world.order())
    world.ring(path)
    (order,) = world.partner.state.orders
    world.clock.forward(minutes=21)
    world.partner.portal.change_order(order, {"status": "po_review_rejected"})
    job = {"do": "work", "messages": [look_message(order)]}
    for container in ("RECEIPTS_CONTAINER", "LEDGER_CONTAINER"):
        world.heal()
        with Instance() as process:
            kill = Fault("kill", after=after, pid=process.pid)
            world.storage.inject(kill, method="PUT", container=world.env[container])
            process.begin(world.faulty_env, job, world.clock.ahead.total_seconds())
            assert not process.end()
    world.heal()
    world.clock.forward(minutes=5)
    world.services.worker.work(look_message(order), NOBODY)

    assert told(world) == ["order-status"]
    assert told(world) == []
    assert world.receipt(path)["order"]["status"] == "po_review_rejected"
    assert world.sets(order) == 1
