"""A process is killed before and after each write to storage and around the POST; nothing is lost or twice.

The points are not listed by hand: a first run counts the writes (to storage and to Partner Center), then a
process is killed at each of them, once before it is carried out and once after.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from local.proxy_faults import Fault
from shared.core.ledger import State
from shared.errors import StorageError
from tests.faults.jobs import work
from tests.faults.parts import DENIED, Lines, World
from tests.faults.processes import Instance
from tests.services.conftest import PDF

SET = "set/metadata.json"


@dataclass(frozen=True)
class Scenario:
    """What an instance does, and how whoever waits for it goes on when it has died."""

    job: Callable[[World], dict[str, object]]
    again: Callable[[World, dict[str, object]], None]
    check: Callable[[World], None]


def _drop(world: World) -> dict[str, object]:
    order = world.order()
    metadata = world.sidecar(order, isPartOfTender=True, poFiles=["po.pdf"], tenderFiles=["offer.pdf"])
    for name, content in (("po.pdf", PDF), ("offer.pdf", PDF + b"offer"), ("metadata.json", metadata)):
        world.drop(f"set/{name}", content)
    return {"do": "ring", "paths": [SET], "order": order}


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


def _ask_again(world: World, job: dict[str, object]) -> None:
    work(world.services, job)


def _ask_till_it_is_done(world: World, job: dict[str, object]) -> None:
    for _ in range(8):
        work(world.services, job)
        world.clock.forward(minutes=4)


SCENARIOS = {
    "drop": Scenario(_drop, _ask_again, _check_drop),
    "attach": Scenario(
        lambda world: {"do": "attach", "order": world.order()}, _ask_till_it_is_done, _check_attach
    ),
    "place": Scenario(lambda world: {"do": "place", "key": "flow-1"}, _ask_till_it_is_done, _check_place),
}


def _writes(lines: Lines, scenario: Scenario) -> list[tuple[str, int]]:
    """Every write of an undisturbed run: which line it takes, and how many went before it there."""
    world = lines.new_world()
    world.make_containers()
    work(world.faulty, scenario.job(world))
    on = {"storage": world.storage, "line": world.line}
    return [(name, n) for name, proxy in on.items() for n in range(sum(s.writes for s in proxy.seen()))]


def _dies(world: World, job: dict[str, object], line: str, n: int, after: bool) -> bool:
    """Let a process do the job, and kill it at its n-th write there; False when it made fewer."""
    at = world.storage if line == "storage" else world.line
    with Instance() as process:
        at.order(Fault("kill", after=after, pid=process.pid), method="P*", skip=n)
        process.begin(world.faulty_env, job, world.clock.ahead.total_seconds())
        return not process.end()


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize(
    ("again", "honours"),
    [
        pytest.param(True, True, id="asked-again-of-a-server-that-honours-ids"),
        pytest.param(True, False, id="asked-again"),
        pytest.param(False, False, id="left-to-the-sweep"),
    ],
)
def test_killed_at_every_write(behind_proxies: Lines, name: str, again: bool, honours: bool) -> None:
    scenario = SCENARIOS[name]
    writes = _writes(behind_proxies, scenario)
    assert len(writes) >= 3
    for line, n in writes:
        for after in (False, True):
            world = behind_proxies.new_world()
            world.make_containers()
            world.partner.configure(honours_request_id=honours)
            job = scenario.job(world)
            assert _dies(world, job, line, n, after)
            world.heal()
            if again:
                scenario.again(world, job)
            world.settle()
            if not again and job["do"] != "ring":
                scenario.again(world, job)  # before the first write nobody was promised anything
            with _told(f"killed {'after' if after else 'before'} write {n} to {line}"):
                scenario.check(world)


def test_a_sweep_that_clears_up_is_killed_at_every_write(behind_proxies: Lines) -> None:
    """An instance died before the POST. The sweep that finds it provably absent dies while it sends again."""
    died = {"storage": True, "line": True}
    for n in itertools.count():
        for line, after in itertools.product([line for line, more in died.items() if more], (False, True)):
            world = behind_proxies.new_world()
            world.make_containers()
            job = SCENARIOS["drop"].job(world)
            world.line.order(Fault("cut"))
            world.storage.order(Fault("status", status=DENIED), method="PUT", container="ledger-*", skip=3)
            with contextlib.suppress(StorageError):
                work(world.faulty, job)
            world.heal()
            world.settle(5)
            world.clock.forward(minutes=6)
            died[line] = _dies(world, {"do": "sweep"}, line, n, after)
            world.heal()
            world.settle()
            with _told(f"sweep killed {'after' if after else 'before'} write {n} to {line}"):
                SCENARIOS["drop"].check(world)
        if not any(died.values()):
            break
    assert n > 3


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise AssertionError(where) from error
