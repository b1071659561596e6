"""A process is killed before and after each write to storage and around the POST; nothing is lost or twice.

The points are not listed by hand: a first run counts the writes (to blobs, to the queue, to Partner Center),
then a process is killed at each of them, once before it is carried out and once after. What it was doing is
done again, as whoever waits for it does (an event or a message is delivered again, a flow asks again), or is
left to the sweep and its workers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from local.fault_rules import Fault
from shared.core.ledger import State
from shared.core.models import order_attachments_key
from shared.services.bell import Message
from tests.faults.jobs import work
from tests.faults.parts import Lines, World
from tests.faults.processes import Instance
from tests.services.conftest import CUSTOMER, PDF

SET = "set/metadata.json"

LONG_ENOUGH = (6, 25, 6)
"""Minutes between sweeps: a claim expires, absence counts, a spare one."""

Job = dict[str, object]


@dataclass(frozen=True)
class Scenario:
    """What an instance does, and how whoever waits for it goes on when it has died. `promised`: somebody
    must do it, although nobody asks again."""

    job: Callable[[World], Job]
    again: Callable[[World, Job], None]
    check: Callable[[World], None]
    promised: bool = True


def _drop(world: World) -> Job:
    order = world.order()
    metadata = world.sidecar(order, isPartOfTender=True, poFiles=["po.pdf"], tenderFiles=["offer.pdf"])
    for name, content in (("po.pdf", PDF), ("offer.pdf", PDF + b"offer"), ("metadata.json", metadata)):
        world.drop(f"set/{name}", content)
    return {"do": "ring", "paths": [SET], "order": order}


def _lost_event(world: World) -> Job:
    """A worker gets the message of a sweep that has found a drop whose event never came."""
    _drop(world)
    world.clock.forward(minutes=5)
    return _handed_out(world)


def _throttled(world: World) -> Job:
    """A worker gets the message of a drop that was throttled."""
    job = _drop(world)
    world.partner.faults.add({"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 300}})
    work(world.services, job)
    assert world.state(SET) == "retrying"
    world.clock.forward(minutes=6)
    return {"do": "work", "messages": [_record(world)]}


def _silent(arrived: bool) -> Callable[[World], Job]:
    """A worker gets the message of a drop whose POST got no answer, once absence counts."""

    def job(world: World) -> Job:
        ring = _drop(world)
        fault = {"kind": "status", "status": 503, "commit": arrived}
        world.partner.faults.add({"on": "POST attachment", "do": fault})
        deaf = {"kind": "status", "status": 503}
        world.partner.faults.add({"on": "GET attachments", "skip": 1, "times": 3, "do": deaf})
        work(world.services, ring)
        assert world.state(SET) == "retrying"
        world.partner.faults.clear()
        world.clock.forward(minutes=3)
        return {"do": "work", "messages": [_record(world), Message("drop", SET).dump()]}

    return job


def _left_behind(world: World) -> Job:
    """A worker gets the message of a claim whose holder was killed before it sent anything."""
    job = _drop(world)
    with Instance() as process:
        world.line.inject(Fault("kill", pid=process.pid), method="POST")
        process.begin(world.faulty_env, job)
        assert not process.end()
    world.heal()
    world.clock.forward(minutes=6)
    return _handed_out(world)


def _unanswered_order(world: World) -> Job:
    """A worker gets the message of an order whose POST got no answer and whose caller was told 202."""
    world.partner.faults.add({"on": "POST order", "do": {"kind": "status", "status": 500}})
    assert world.place("flow-1").submission.state is State.UNKNOWN
    world.clock.forward(minutes=30)
    return _handed_out(world)


def _unanswered_checkout(world: World) -> Job:
    """A worker gets the message of a checkout that got no answer and whose caller was told 202."""
    world.partner.faults.add({"on": "POST checkout", "times": 3, "do": {"kind": "status", "status": 500}})
    world.partner.faults.add({"on": "GET cart", "times": 3, "do": {"kind": "status", "status": 500}})
    assert world.buy().submission.state is State.UNKNOWN
    world.clock.forward(minutes=5)
    return _handed_out(world)


def _record(world: World) -> str:
    (order,) = world.partner.state.orders
    return Message("record", order_attachments_key(CUSTOMER, order)).dump()


def _handed_out(world: World) -> Job:
    world.services.sweep.run("c0c0c0c0-0000-4000-8000-000000000000", world.deadline())
    messages = list(world.messages())
    assert messages
    return {"do": "work", "messages": messages}


def _check_drop(world: World) -> None:
    (order,) = world.partner.state.orders
    assert world.sets(order) == 1
    assert sorted(world.attached(order)) == ["offer.pdf", "po.pdf"]
    receipt = world.receipt(SET)
    assert receipt["state"] == "attached"
    assert len(receipt["attachments"]) == 2


def _check_attach(world: World) -> None:
    (order,) = world.partner.state.orders
    assert world.sets(order) == 1
    assert world.attach(order).submission.state is State.DONE


def _check_place(world: World) -> None:
    assert len(world.partner.state.orders) == 1
    assert world.place("flow-1").submission.state is State.DONE


def _check_buy(world: World) -> None:
    assert len(world.partner.state.orders) == 2, "one order for each group of lines"
    own = world.buy().submission
    assert (own.state, set(own.ids)) == (State.DONE, set(world.partner.state.orders))


def _once_more(world: World, job: Job) -> None:
    work(world.services, job)


def _till_it_is_done(world: World, job: Job) -> None:
    for _ in range(8):
        work(world.services, job)
        world.clock.forward(minutes=4)


SCENARIOS = {
    "event": Scenario(_drop, _once_more, _check_drop),
    "attach": Scenario(
        lambda world: {"do": "attach", "order": world.order()},
        _till_it_is_done,
        _check_attach,
        promised=False,
    ),
    "place": Scenario(
        lambda world: {"do": "place", "key": "flow-1"}, _till_it_is_done, _check_place, promised=False
    ),
    "checkout": Scenario(
        lambda world: {"do": "check out", "key": "flow-1"}, _till_it_is_done, _check_buy, promised=False
    ),
    "message-of-a-lost-event": Scenario(_lost_event, _once_more, _check_drop),
    "message-of-a-throttled-drop": Scenario(_throttled, _once_more, _check_drop),
    "message-of-a-silence-that-arrived": Scenario(_silent(True), _once_more, _check_drop),
    "message-of-a-silence-that-did-not": Scenario(_silent(False), _once_more, _check_drop),
    "message-of-a-claim-left-behind": Scenario(_left_behind, _once_more, _check_drop),
    "message-of-an-unanswered-order": Scenario(_unanswered_order, _once_more, _check_place),
    "message-of-an-unanswered-checkout": Scenario(_unanswered_checkout, _once_more, _check_buy),
}


def _new_world(lines: Lines, honours: bool) -> World:
    world = lines.new_world()
    world.make_containers()
    world.partner.configure(honours_request_id=honours)
    return world


def _writes(lines: Lines, scenario: Scenario) -> list[tuple[str, int]]:
    """Every write of an undisturbed run: which line it takes, and how many went before it there."""
    world = _new_world(lines, honours=False)
    job = scenario.job(world)
    work(world.faulty, job)
    counts = {name: sum(seen.writes for seen in proxy.seen()) for name, proxy in world.proxies.items()}
    return [(name, n) for name, writes in counts.items() for n in range(writes)]


def _dies(world: World, job: Job, line: str, n: int, after: bool) -> bool:
    """Let a process do the job, and kill it at its n-th write there; False when it made fewer."""
    with Instance() as process:
        fault = Fault("kill", after=after, pid=process.pid)
        world.proxies[line].inject(fault, method="P*", skip=n)
        process.begin(world.faulty_env, job, world.clock.ahead.total_seconds())
        return not process.end()


AGAIN, AGAIN_AND_HONOURED, LEFT = (True, False), (True, True), (False, False)
"""Whether it is done again or left to the sweep, and whether Partner Center honours the MS-RequestId."""

CASES = {
    **dict.fromkeys(("event", "attach", "place"), (AGAIN, AGAIN_AND_HONOURED, LEFT)),
    "checkout": (AGAIN, LEFT),
    "message-of-a-lost-event": (LEFT,),
    "message-of-a-throttled-drop": (AGAIN,),
    "message-of-a-silence-that-arrived": (LEFT,),
    "message-of-a-silence-that-did-not": (AGAIN,),
    "message-of-a-claim-left-behind": (LEFT,),
    "message-of-an-unanswered-order": (AGAIN,),
    "message-of-an-unanswered-checkout": (AGAIN_AND_HONOURED,),
}


@pytest.mark.parametrize(
    ("name", "again", "honours"),
    [
        pytest.param(name, *how, id=f"{name}-{'again' if how[0] else 'left'}{'-honoured' * how[1]}")
        for name, hows in CASES.items()
        for how in hows
    ],
)
def test_killed_at_every_write(behind_proxies: Lines, name: str, again: bool, honours: bool) -> None:
    scenario = SCENARIOS[name]
    writes = _writes(behind_proxies, scenario)
    assert len(writes) >= 2
    for line, n in writes:
        for after in (False, True):
            world = _new_world(behind_proxies, honours)
            job = scenario.job(world)
            assert _dies(world, job, line, n, after)
            world.heal()
            if again:
                scenario.again(world, job)
            world.settle(*LONG_ENOUGH)
            if not again and not scenario.promised:
                scenario.again(world, job)  # before the first write nobody was promised anything
            with _told(f"killed {'after' if after else 'before'} write {n} to {line}"):
                scenario.check(world)


def test_a_sweep_that_is_killed_at_every_write_hands_out_all_the_same(behind_proxies: Lines) -> None:
    """Of two drops one is due, and the event of the other never came."""

    def job(world: World) -> Job:
        _throttled(world)
        world.drop_pair(world.order())
        world.clock.forward(minutes=5)
        return {"do": "sweep"}

    writes = _writes(behind_proxies, Scenario(job, _once_more, _check_drop))
    assert {line for line, _ in writes} == {"storage", "queues"}
    for line, n in writes:
        for after in (False, True):
            world = _new_world(behind_proxies, honours=False)
            assert _dies(world, job(world), line, n, after)
            world.heal()
            world.settle(*LONG_ENOUGH)
            with _told(f"sweep killed {'after' if after else 'before'} write {n} to {line}"):
                assert [world.state(path) for path in (SET, "x/PO.json")] == ["attached", "attached"]
                assert [world.sets(order) for order in world.partner.state.orders] == [1, 1]


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise AssertionError(where) from error
