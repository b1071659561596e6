"""Many instances at once, each a process of its own, and everything is delivered to all of them."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest

from shared.core.errors import KeyReusedError
from shared.core.ledger import State
from shared.services.operation import Outcome
from tests.faults.parts import World, once
from tests.faults.processes import Instance
from tests.services.conftest import PDF

PROCESSES = 4
CORRELATION = "c0c0c0c0-0000-4000-8000-000000000000"


def all_at_once(*what: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(what)) as pool:
        for done in [pool.submit(do) for do in what]:
            done.result()


def test_an_instance_that_finds_the_ledger_just_begun_by_another_goes_on(world: World) -> None:
    """The other writes its first record between our look for the marker and our look for records."""
    once(world.storage, lambda seen: seen.query.get("comp") == "list", lambda: world.place("a"))

    assert world.place("b", by=world.faulty).submission.state is State.DONE
    assert len(world.partner.state.orders) == 2


def sweep_at_once(world: World) -> None:
    """Several instances sweep, as where a timer fires twice."""
    sweeps = [world.another().sweep for _ in range(PROCESSES)]
    all_at_once(*(partial(sweep.run, CORRELATION, world.deadline()) for sweep in sweeps))


def work_at_once(world: World, messages: Sequence[str]) -> None:
    """Every message is delivered to all of several workers at once."""
    workers = [world.another().worker for _ in range(PROCESSES)]
    for message in messages:
        all_at_once(*(partial(worker.work, message, CORRELATION) for worker in workers))


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


def test_processes_that_all_check_out_under_one_key_buy_once(world: World) -> None:
    in_processes(world, [{"do": "check out", "key": "one"} for _ in range(PROCESSES)])

    assert len(world.partner.state.orders) == 2, "one order for each group of lines"
    assert world.buy("one").submission.state is State.DONE
    carts = world.partner.state.carts.values()
    assert [cart.checkouts for cart in carts if cart.checkouts] == [1], "carts that lost the race are left"


def test_an_order_and_a_checkout_under_one_key_at_once_buy_one_of_them(world: World) -> None:
    for n in range(5):
        before = len(world.partner.state.orders)
        told: list[str] = []

        def ask(how: Callable[[], Outcome], told: list[str] = told) -> None:
            try:
                told.append(how().submission.state)
            except KeyReusedError:
                told.append("reused")

        ways = (world.place, world.buy)
        all_at_once(*(partial(ask, partial(way, f"key-{n}", by=world.another())) for way in ways))

        assert sorted(told) == ["done", "reused"]
        assert len(world.partner.state.orders) - before in (1, 2)


def test_a_caller_and_a_worker_that_resolve_one_checkout_at_once_buy_once(world: World) -> None:
    for n, commit in enumerate((True, False) * 2):
        before, key = len(world.partner.state.orders), f"key-{n}"
        silent = {"kind": "status", "status": 503, "commit": commit}
        world.partner.faults.add({"on": "POST checkout", "times": 3, "do": silent})
        world.partner.faults.add({"on": "GET cart", "times": 3, "do": {"kind": "status", "status": 503}})
        assert world.buy(key).submission.state is State.UNKNOWN
        world.clock.forward(minutes=3)
        sweep_at_once(world)
        all_at_once(
            partial(world.buy, key, by=world.another()), partial(work_at_once, world, list(world.messages()))
        )

        assert world.buy(key).submission.state is State.DONE
        assert len(world.partner.state.orders) - before == 2


@pytest.mark.parametrize("ordered", [False, True], ids=["before it is ordered", "before that is recorded"])
def test_a_claim_that_expires_while_its_checkout_is_under_way_buys_once(world: World, ordered: bool) -> None:
    """Another instance takes the holder for dead and goes on, with the same cart."""

    def meanwhile() -> None:
        world.clock.forward(minutes=6)
        world.settle(1, 5)

    if ordered:
        once(world.storage, lambda seen: seen.writes and bool(world.partner.state.orders), meanwhile)
    else:
        once(world.line, lambda seen: seen.path.endswith("/checkout"), meanwhile)
    first = world.buy(by=world.faulty)

    assert first.submission.state is State.DONE
    assert world.buy().submission.state is State.DONE
    assert len(world.partner.state.orders) == 2
    assert len([c for c in world.partner.state.carts.values() if c.checkouts]) == 1


def test_sweeps_and_workers_that_run_at_once_find_each_lost_event_once(world: World) -> None:
    orders = [world.order() for _ in range(4)]
    for n, order in enumerate(orders):
        world.drop_pair(order, f"x/{n}")
    world.clock.forward(minutes=5)
    sweep_at_once(world)
    messages = list(world.messages())
    work_at_once(world, messages)

    assert len(messages) > len(orders), "several sweeps have handed out the same"
    assert [world.sets(order) for order in orders] == [1] * len(orders)
    assert {world.state(f"x/{n}.json") for n in range(len(orders))} == {"attached"}


def test_processes_that_are_killed_and_replaced_while_they_work_off_the_same_messages(world: World) -> None:
    orders = [world.order() for _ in range(4)]
    for n, order in enumerate(orders):
        world.drop_pair(order, f"x/{n}", content=PDF + bytes(400_000))
    world.clock.forward(minutes=5)
    sweep_at_once(world)
    job: dict[str, object] = {"do": "work", "messages": list(world.messages())}
    dice = random.Random(21)
    with ExitStack() as running:
        instances = [running.enter_context(Instance()) for _ in range(PROCESSES)]
        for instance in instances:
            instance.begin(world.env, job, world.clock.ahead.total_seconds())
        for instance in dice.sample(instances, 2):
            time.sleep(dice.uniform(0.05, 0.3))
            os.kill(instance.pid, signal.SIGKILL)
        for instance in instances:
            instance.end()
    world.settle()

    assert [world.sets(order) for order in orders] == [1] * len(orders)
    assert {world.state(f"x/{n}.json") for n in range(len(orders))} == {"attached"}


def test_http_and_a_drop_with_the_same_documents_attach_once(world: World) -> None:
    for n in range(5):
        order = world.order()
        path = world.drop_pair(order, f"x{n}/PO")
        other = world.another()
        all_at_once(
            lambda order=order, other=other: world.attach(order, by=other),  # type: ignore[misc]
            lambda path=path: world.ring(path),  # type: ignore[misc]
        )
        world.settle(6)

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
def test_workers_that_resolve_the_same_silence_at_once_send_it_once_more(world: World, honours: bool) -> None:
    world.partner.configure(honours_request_id=honours)
    order = world.order()
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "status", "status": 503}})
    path = world.drop_pair(order)
    world.ring(path)
    for _ in range(3):
        world.clock.forward(minutes=5)
        sweep_at_once(world)
        work_at_once(world, list(world.messages()))

    assert world.sets(order) == 1
    assert world.posts() == 2
    assert world.state(path) == "attached"
