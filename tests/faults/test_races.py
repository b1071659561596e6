"""Many instances at once, each a process of its own, and everything is delivered to all of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from shared.core.ledger import State
from tests.faults.parts import World
from tests.faults.processes import Instance
from tests.services.conftest import PDF

PROCESSES = 4


def all_at_once(*what: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(what)) as pool:
        for done in [pool.submit(do) for do in what]:
            done.result()


def in_processes(world: World, jobs: Sequence[dict[str, object]]) -> None:
    with ExitStack() as running:
        instances = [running.enter_context(Instance()) for _ in jobs]
        for instance, job in zip(instances, jobs, strict=True):
            instance.begin(world.env, job)
        assert all(instance.end() for instance in instances)


@pytest.mark.parametrize("honours", [True, False])
def test_processes_that_all_get_all_events_attach_each_drop_once(world: World, honours: bool) -> None:
    world.partner.configure(honours_request_id=honours)
    orders = [world.order() for _ in range(6)]
    events = [
        name for n, order in enumerate(orders) for name in (world.drop_pair(order, f"x/{n}"), f"x/{n}.pdf")
    ]
    dice = random.Random(20)
    jobs: list[dict[str, object]] = [
        {"do": "ring", "paths": dice.sample(events * 2, len(events) * 2)} for _ in range(PROCESSES)
    ]
    in_processes(world, jobs)
    world.settle(5)

    assert [world.sets(order) for order in orders] == [1] * len(orders)
    assert {world.state(f"x/{n}.json") for n in range(len(orders))} == {"attached"}


def test_processes_that_all_ask_for_one_key_buy_once(world: World) -> None:
    in_processes(world, [{"do": "place", "key": "one"} for _ in range(PROCESSES)])

    assert len(world.partner.state.orders) == 1
    assert world.place("one").submission.state is State.DONE


def test_processes_that_sweep_at_once_find_each_lost_event_once(world: World) -> None:
    orders = [world.order() for _ in range(4)]
    for n, order in enumerate(orders):
        world.drop_pair(order, f"x/{n}")
    world.clock.forward(minutes=5)
    sweeps = [world.another().sweep for _ in range(PROCESSES)]
    all_at_once(
        *(lambda s=s: s.run("c0c0c0c0-0000-4000-8000-000000000000", world.deadline()) for s in sweeps)
    )

    assert [world.sets(order) for order in orders] == [1] * len(orders)


def test_http_and_a_drop_with_the_same_documents_attach_once(world: World) -> None:
    for n in range(5):
        order = world.order()
        path = world.drop_pair(order, f"x{n}/PO")
        other = world.another()
        all_at_once(
            lambda order=order, other=other: world.attach(order, by=other),  # type: ignore[misc]
            lambda path=path: world.ring(path),  # type: ignore[misc]
        )
        world.settle(5)

        assert world.sets(order) == 1
        assert world.attach(order).submission.state is State.DONE
        assert world.state(path) == "attached"


def test_both_halves_of_a_pair_written_and_rung_at_once_are_attached(world: World) -> None:
    for n in range(10):
        order = world.order()
        sidecar, document = f"x{n}/PO.pdf.json", f"x{n}/PO.pdf"

        def bring(path: str, content: bytes | dict[str, object]) -> None:
            world.drop(path, content)
            world.ring(path, by=world.another())

        all_at_once(
            lambda p=sidecar, order=order: bring(p, world.sidecar(order)),  # type: ignore[misc]
            lambda p=document: bring(p, PDF),  # type: ignore[misc]
        )

        assert world.sets(order) == 1
        assert world.state(sidecar) == "attached"


def test_the_files_of_a_set_written_and_rung_at_once_are_attached_in_one_request(world: World) -> None:
    for n in range(5):
        order = world.order()
        names = [f"{i}.pdf" for i in range(4)]
        content: dict[str, bytes | dict[str, object]] = {name: PDF + name.encode() for name in names}
        content["metadata.json"] = world.sidecar(order, poFiles=names)

        def bring(path: str, what: bytes | dict[str, object]) -> None:
            world.drop(path, what)
            world.ring(path, by=world.another())

        all_at_once(*(lambda p=f"s{n}/{p}", c=c: bring(p, c) for p, c in content.items()))

        assert world.sets(order) == 1
        assert len(world.attached(order)) == 4


@pytest.mark.parametrize("honours", [True, False])
def test_sweeps_that_resolve_the_same_silence_at_once_send_it_once_more(world: World, honours: bool) -> None:
    world.partner.configure(honours_request_id=honours)
    order = world.order()
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "status", "status": 503}})
    path = world.drop_pair(order)
    world.ring(path)
    world.clock.forward(minutes=5)
    sweeps = [world.another().sweep for _ in range(PROCESSES)]
    for _ in range(3):
        all_at_once(
            *(lambda s=s: s.run("c0c0c0c0-0000-4000-8000-000000000000", world.deadline()) for s in sweeps)
        )
        world.clock.forward(minutes=5)

    assert world.sets(order) == 1
    assert world.posts() == 2
    assert world.state(path) == "attached"
