"""Two actors on one record, in every order in which their steps can fall: at most one effect, ever.

The rules are those of shared.ledger itself (`next_step`, `Record.to`, `Claim.record`); around them stands
a model of a few lines: a store that compares and swaps, a Partner Center, a clock of three moments. An
actor takes one step at a time: read, compare-and-swap, send, ask. Between any two steps the other may
step, either may die, and time may pass. Every state that can be reached is visited once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.core.ledger import Claim, Record, State, Step, next_step


def the_rule(record: Record, now: datetime) -> Step:
    """What somebody does who has the content and wants it."""
    return next_step(record, now, asked_again=True, can_send=True)


CLAIM = Claim("order", "key", "digest", {})
START = datetime(2030, 1, 1, tzinfo=UTC)
LEASE, SETTLE = timedelta(minutes=4), timedelta(minutes=2)
LATER = (timedelta(minutes=5), timedelta(minutes=3), timedelta(minutes=5))
"""Jumps of the clock: beyond a lease, beyond the time to settle, and once more."""
MOST_ATTEMPTS = 2


@dataclass(frozen=True)
class Actor:
    """`at` is the step it takes next; `seen` the record (and its version) that it acts upon."""

    name: str
    at: str = "read"
    seen: Record | None = None
    version: int = 0
    until: datetime = START
    found: bool = False


@dataclass(frozen=True)
class World:
    honours: bool
    actors: tuple[Actor, ...]
    record: Record | None = None
    version: int = 0
    jumps: int = 0
    done: int = 0
    """How often Partner Center carried it out."""
    ids: frozenset[str] = frozenset()
    """Each MS-RequestId that it carried out."""
    on_the_way: tuple[str, ...] = ()
    """Requests that nobody waits for any more, and that Partner Center may still carry out."""
    sent_since_proof: int = 0
    """Requests that may have had their effect since the last proof that there was none."""
    rule: Callable[[Record, datetime], Step] = the_rule
    log: tuple[str, ...] = ()

    @property
    def now(self) -> datetime:
        return START + sum(LATER[: self.jumps], timedelta())

    def says(self, actor: Actor, what: str, **changes: object) -> World:
        actors = tuple(actor if a.name == actor.name else a for a in self.actors)
        return replace(self, actors=actors, log=(*self.log, f"{actor.name}: {what}"), **changes)  # type: ignore[arg-type]


def carried_out(world: World, request_id: str) -> World:
    if world.honours and request_id in world.ids:
        return world
    return replace(world, done=world.done + 1, ids=world.ids | {request_id})


Move = Callable[["World", Actor], Iterator["World"]]


def swap(world: World, actor: Actor, after: Record, then: str) -> World:
    """Compare and swap; whoever loses reads again."""
    if world.version != actor.version:
        return world.says(replace(actor, at="read"), "lost the swap")
    version = world.version + 1
    actor = replace(actor, at=then, seen=after, version=version)
    return world.says(actor, f"{after.state}", record=after, version=version)


def steps(world: World, actor: Actor) -> Iterator[World]:
    """Every way in which the actor's next step can end."""
    yield world.says(replace(actor, at="dead"), "dies")
    yield from MOVES[actor.at](world, actor)


def _read(world: World, actor: Actor) -> Iterator[World]:
    actor = replace(actor, seen=world.record, version=world.version)
    if world.record is None:
        yield world.says(replace(actor, at="create"), "sees nothing")
        return
    step = world.rule(world.record, world.now)
    at = {Step.SEND: "claim", Step.RESOLVE: "silence", Step.WAIT: "read", Step.TELL: "end"}[step]
    if at != "read":
        yield world.says(replace(actor, at=at), f"sees {world.submission.state}, will {at}")


def _create(world: World, actor: Actor) -> Iterator[World]:
    yield swap(world, actor, CLAIM.record(world.now, actor.name, LEASE, "1", ""), "send")


def _claim(world: World, actor: Actor) -> Iterator[World]:
    record = actor.seen
    assert record
    if record.attempt < MOST_ATTEMPTS:
        kept = record.absent_after is not None
        request_id = record.request_id if kept else str(record.attempt + 1)
        yield swap(world, actor, record.claimed(world.now, actor.name, LEASE, request_id, CLAIM), "send")


def _send(world: World, actor: Actor) -> Iterator[World]:
    record = actor.seen
    assert record
    assert record.until
    if world.now >= record.until:
        # the deadline of a sender ends before its lease: it gives up before the last byte
        yield world.says(replace(actor, at="not sent"), "is too late to send")
        return
    sent = replace(world, sent_since_proof=world.sent_since_proof + 1)
    yield world.says(replace(actor, at="not sent"), "could not send")
    yield world.says(replace(actor, at="refused"), "is refused")
    yield carried_out(sent, record.request_id).says(replace(actor, at="done"), "has the answer")
    yield carried_out(sent, record.request_id).says(replace(actor, at="silence"), "has no answer, it is done")
    late = (*sent.on_the_way, record.request_id)
    yield replace(sent, on_the_way=late).says(replace(actor, at="silence"), "has no answer, it is on its way")
    yield sent.says(replace(actor, at="silence"), "has no answer, it is not done")


def _record(state: State) -> Move:
    def move(world: World, actor: Actor) -> Iterator[World]:
        assert actor.seen
        until = world.now if state is State.PENDING else None
        answer = {"retryable": True} if state is State.REFUSED else None
        after = actor.seen.to(state, world.now, actor.name, "", until=until, answer=answer)
        yield swap(world, actor, after, "end" if state is not State.PENDING else "read")

    return move


def _silence(world: World, actor: Actor) -> Iterator[World]:
    record = actor.seen
    assert record
    if record.state is State.UNKNOWN:
        yield world.says(replace(actor, at="ask"), "asks")
        return
    known_from = world.now + SETTLE
    after = record.to(State.UNKNOWN, world.now, actor.name, "", until=world.now, absent_after=known_from)
    yield swap(world, actor, after, "ask")


def _ask(world: World, actor: Actor) -> Iterator[World]:
    """The moment is taken before the question, as the services do."""
    found = world.done > 0
    yield world.says(replace(actor, at="conclude", until=world.now, found=found), f"finds it: {found}")


def _conclude(world: World, actor: Actor) -> Iterator[World]:
    record = actor.seen
    assert record
    assert record.absent_after
    if actor.found:
        yield swap(world, actor, record.to(State.DONE, world.now, actor.name, ""), "end")
    elif actor.until < record.absent_after:
        later = record.to(
            State.UNKNOWN,
            world.now,
            actor.name,
            "",
            until=record.absent_after,
            absent_after=record.absent_after,
        )
        yield swap(world, actor, later, "read")
    else:
        ready = record.to(
            State.PENDING, world.now, actor.name, "", until=world.now, absent_after=record.absent_after
        )
        after = swap(world, actor, ready, "read")
        yield replace(after, sent_since_proof=0) if after.version > world.version else after


MOVES: dict[str, Move] = {
    "read": _read,
    "create": _create,
    "claim": _claim,
    "send": _send,
    "not sent": _record(State.PENDING),
    "refused": _record(State.REFUSED),
    "done": _record(State.DONE),
    "silence": _silence,
    "ask": _ask,
    "conclude": _conclude,
}


def successors(world: World) -> Iterator[World]:
    for actor in world.actors:
        if actor.at not in ("dead", "end"):
            yield from steps(world, actor)
    for request_id in world.on_the_way:
        rest = tuple(r for r in world.on_the_way if r != request_id)
        late = carried_out(world, request_id)
        yield replace(late, on_the_way=rest, log=(*world.log, "carried out late"))
    if world.jumps < len(LATER):
        # every jump is longer than the time to settle: what is on its way arrives before it, or never
        yield replace(world, jumps=world.jumps + 1, on_the_way=(), log=(*world.log, "time passes"))


def essence(world: World) -> tuple[object, ...]:
    """What makes two worlds different: neither names, nor versions beyond fresh or stale, nor the log."""

    def of(record: Record | None) -> object:
        r = record
        return r and (r.state, r.request_id, r.until, r.absent_after, r.attempt)

    actors = [(a.at, of(a.seen), a.version == world.version, a.until, a.found) for a in world.actors]
    facts = (world.jumps, world.done, world.ids, world.on_the_way, world.sent_since_proof)
    return (frozenset(Counter(actors).items()), of(world.record), facts)


def explore(start: World) -> int:
    """Visit every world that can be reached, and check each; how many there are."""
    waiting, known = [start], {essence(start)}
    while waiting:
        world = waiting.pop()
        story = "\n".join(world.log)
        assert world.done <= 1, f"done twice:\n{story}"
        assert world.sent_since_proof <= 1, f"sent twice without a proof that it is not there:\n{story}"
        record = world.record
        assert record is None or not record.open or record.until, f"no sweep would find it:\n{story}"
        for after in successors(world):
            if (what := essence(after)) not in known:
                known.add(what)
                waiting.append(after)
    return len(known)


@pytest.mark.parametrize("honours", [True, False])
def test_no_interleaving_of_two_actors_does_it_twice(honours: bool) -> None:
    assert explore(World(honours, (Actor("A"), Actor("B")))) > 10_000


def hasty(record: Record, now: datetime) -> Step:
    """Takes silence for a failure."""
    return Step.SEND if record.state is State.UNKNOWN else the_rule(record, now)


def impatient(record: Record, now: datetime) -> Step:
    """Resolves a claim that has not expired."""
    return Step.RESOLVE if record.state is State.CLAIMED else the_rule(record, now)


def greedy(record: Record, now: datetime) -> Step:
    """Does not care for another's claim."""
    return Step.SEND if record.state is State.CLAIMED else the_rule(record, now)


@pytest.mark.parametrize("rule", [hasty, impatient, greedy])
def test_the_model_notices_rules_that_are_wrong(rule: Callable[[Record, datetime], Step]) -> None:
    with pytest.raises((AssertionError, ValueError)):
        explore(World(False, (Actor("A"), Actor("B")), rule=rule))
