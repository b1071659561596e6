"""Every way in which the steps of two processes, Partner Center, storage and time can fall.

A world is what stands in storage and at Partner Center, how far each process has come, and how much may
still go wrong. From each world all worlds are reached that one step leads to: a process gets a reply to its
request, and which one; it dies; another is started; what was sent shows; a person uploads; time passes, to
the next moment at which anything comes due or expires. Worlds that are equal are visited once. In each the
promise is checked, also for the case that every process dies there and only a worker in good health goes
on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from shared.core.ledger import HOLDING, Record, State
from tests.property.processes import Process, Reply, Request, Shelf, Shown

BY_HAND = -1
"""The content that a person uploads."""

_MOST_CLOSING = 150
_ENDED = Request("")


class Task(NamedTuple):
    """What a process is started for; a `work` does whatever is due."""

    do: str
    content: int = 0


class Told(NamedTuple):
    """How a process ended: what was told to whoever asked, and the numbers of what that names."""

    what: str
    content: int = 0
    numbers: tuple[int, ...] = ()


class Thing(NamedTuple):
    """Something that Partner Center has. `late`: it showed later than the visibility delay; `overtaken`: a
    process that did not see it in its last list has sent the same content again."""

    number: int
    content: int
    posted: int
    request: str
    visible: bool = True
    late: bool = False
    overtaken: bool = False

    @property
    def residue(self) -> bool:
        """Whether no client could have known: the one exception to the promise."""
        return self.late and self.overtaken


class Budget(NamedTuple):
    """How often what can still happen."""

    times: int = 0
    """Moments that pass."""
    deaths: int = 0
    silences: int = 0
    """POSTs without an answer."""
    lags: int = 0
    """What is there and does not show yet."""
    lates: int = 0
    """What shows later than the visibility delay."""
    storage: int = 0
    """Reads and writes that fail, or whose answers are lost."""
    lists: int = 0
    """Lists, and carts, that cannot be had."""
    refusals: int = 0
    blanks: int = 0
    """Accepting answers that do not show what was accepted; it may have been dropped."""
    uploads: int = 0
    """By hand."""


class Actor(NamedTuple):
    """How far an actor has come: the node of its process (0: none runs), and the number of its task."""

    node: int = 0
    task: int = 0


class World(NamedTuple):
    now: int
    blobs: tuple[tuple[str, int], ...]
    things: tuple[Thing, ...]
    actors: tuple[Actor, ...]
    left: Budget

    def blob(self, name: str) -> int:
        return next((number for there, number in self.blobs if there == name), 0)

    def spent(self, what: str) -> World:
        return self._replace(left=self.left._replace(**{what: getattr(self.left, what) - 1}))

    def with_actor(self, n: int, actor: Actor) -> World:
        return self._replace(actors=(*self.actors[:n], actor, *self.actors[n + 1 :]))

    def with_thing(self, thing: Thing) -> World:
        things = self.things
        return self._replace(things=(*things[: thing.number], thing, *things[thing.number + 1 :]))

    def at(self, now: int, visibility: int) -> World:
        """The world later; what was sent so long ago shows, unless it is late."""
        things = tuple(
            t if t.late or t.posted + visibility > now else t._replace(visible=True) for t in self.things
        )
        return self._replace(now=now, things=things)


@dataclass(slots=True)
class Node:
    """A process after so many replies: what it asks next, or how it has ended. `seen` are the numbers in the
    last list that it got, `seen_at` when that was."""

    name: str
    task: Task
    began: int
    ahead: int
    replies: tuple[Reply, ...] = ()
    request: Request = _ENDED
    told: Told | None = None
    seen: tuple[int, ...] = ()
    seen_at: int = 0
    after: dict[Reply, int] = field(default_factory=dict)


class Entry(NamedTuple):
    """One submission as a record holds it; moments in seconds."""

    content: int
    state: State
    numbers: tuple[int, ...]
    base: frozenset[int] | None
    due: int | None
    moments: tuple[int, ...]
    request: str
    detail: str
    resting: bool
    """Whether it is only sent when somebody asks again, who was told that it was not."""


class Case(Protocol):
    """A kind of submission, and the services that are tried on it."""

    @property
    def visibility(self) -> int:
        """Seconds after which what was sent shows."""
        ...

    def perform(self, process: Process, task: Task, shelf: Shelf) -> Told: ...

    def alike(self, content: int) -> int:
        """The first of the contents that cannot be told apart at Partner Center."""
        ...

    def entries(self, record: Record) -> Sequence[Entry]: ...

    def faults(self, things: Sequence[Thing], entries: Sequence[Entry]) -> Iterator[str]:
        """What is wrong between Partner Center and the ledger, at whatever moment."""
        ...


class BrokenPromiseError(AssertionError):
    """The promise does not hold."""


Step = tuple[str, tuple[Reply, ...], World]


@dataclass(slots=True)
class Explorer:
    """Visits every world that can be reached from the first.

    `lists_all`: an accepting answer lists all that there is; `honours`: a request id that was seen before
    gets the first answer; `ahead`: by how many seconds the actors' clocks are fast.
    """

    case: Case
    tasks: tuple[tuple[Task, ...], ...]
    budget: Budget
    lists_all: bool = False
    honours: bool = False
    compares: bool = True
    """Whether storage writes over the version only that it is told."""
    ahead: tuple[int, ...] = (0, 0)
    before: tuple[Thing, ...] = ()
    """What Partner Center has from the beginning."""
    most: int = 1_000_000
    met: Counter[str] = field(default_factory=Counter)
    """What was seen to happen, so that a run that proves nothing is noticed."""
    _shelf: Shelf = field(default_factory=Shelf)
    _nodes: list[Node] = field(default_factory=lambda: [Node("", Task(""), 0, 0)])
    _roots: dict[tuple[str, Task, int], int] = field(default_factory=dict)
    _entries: dict[int, Sequence[Entry]] = field(default_factory=dict)
    _closed: set[tuple[object, ...]] = field(default_factory=set)
    _came: dict[World, tuple[World | None, str]] = field(default_factory=dict)
    _story: tuple[World | None, str] = (None, "")
    """The last step that was taken, and the world before it."""

    def explore(self) -> int:
        """Visit every world; how many there are. Raises BrokenPromiseError with the story of one in which the
        promise does not hold."""
        start = World(0, (), self.before, tuple(Actor() for _ in self.tasks), self.budget)
        self._came = {start: (None, "")}
        waiting = [start]
        while waiting:
            world = waiting.pop()
            for step, after in self._steps(world):
                if after not in self._came:
                    self._came[after] = self._story = (world, step)
                    self._check(after)
                    waiting.append(after)
            assert len(self._came) < self.most, f"more than {self.most} worlds"
        return len(self._came)

    # steps

    def _steps(self, world: World) -> Iterator[tuple[str, World]]:
        for n, actor in enumerate(world.actors):
            if actor.node:
                if world.left.deaths:
                    dead = world.with_actor(n, Actor(0, actor.task + 1)).spent("deaths")
                    yield f"{self._nodes[actor.node].name} dies", dead
                yield from self._next_of(world, n, actor.node)
            elif actor.task < len(self.tasks[n]):
                name, task = f"{'AB'[n]}{actor.task}", self.tasks[n][actor.task]
                root = self._root(name, task, world, self.ahead[n])
                for step, after in self._next_of(world, n, root):
                    yield f"{name} is to {task.do} {task.content}; {step}", after
        for thing in world.things:
            if not thing.visible:
                yield f"{thing.number} shows", world.with_thing(thing._replace(visible=True))
        if world.left.uploads:
            by_hand = Thing(len(world.things), BY_HAND, world.now, "")
            yield "a person uploads", world.with_thing(by_hand).spent("uploads")
        if world.left.times:
            yield from self._later(world)

    def _next_of(self, world: World, n: int, at: int) -> Iterator[tuple[str, World]]:
        name = self._nodes[at].name
        for step, replies, after in self._replies(world, at):
            child = self._after(at, replies, after)
            if replies[-1].failure == "condition" and not world.left.storage:
                # whether it reads at once or later makes no difference: the write would fail then, too
                read = Reply(world.now, world.blob(self._nodes[child].request.of[0]))
                child = self._after(child, (read,), after)
            self._story = (world, f"{name} {step}")
            yield f"{name} {step}", self._arrived(after, n, child)

    def _arrived(self, world: World, n: int, node: int) -> World:
        """The actor's process has come to a node; where it has ended, the actor begins its next task."""
        there, task = self._nodes[node], world.actors[n].task
        if there.told is None:
            return world.with_actor(n, Actor(node, task))
        self._judge(world, there)
        return world.with_actor(n, Actor(0, task + 1))

    def _later(self, world: World) -> Iterator[tuple[str, World]]:
        """Time passes, to the next moment that matters to anybody; what should show by then may be late."""
        moments = [t.posted + self.case.visibility for t in world.things if not t.visible and not t.late]
        for entry in self._all_entries(world):
            moments += entry.moments
        for actor in world.actors:
            if actor.node and self._nodes[actor.node].seen_at:
                moments.append(self._nodes[actor.node].seen_at + 31)
        now = min((m for m in moments if m > world.now), default=None)
        if now is None:
            return
        yield f"it is {now}", world.at(now, self.case.visibility).spent("times")
        for thing in world.things if world.left.lates else ():
            if not thing.visible and not thing.late and thing.posted + self.case.visibility <= now:
                late = world.with_thing(thing._replace(late=True)).spent("lates")
                yield (
                    f"it is {now}, {thing.number} is late",
                    late.at(now, self.case.visibility).spent("times"),
                )

    def _replies(self, world: World, at: int) -> Iterator[Step]:
        """Every way in which the request of a process can end."""
        node, now = self._nodes[at], world.now
        what, of = node.request
        if what == "get":
            yield f"reads {world.blob(of[0])}", (Reply(now, world.blob(of[0])),), world
            if world.left.storage:
                yield "cannot read", (Reply(now, failure="storage"),), world.spent("storage")
        elif what == "put":
            yield from _put(world, *of, compares=self.compares)
        elif what == "page":
            named = tuple((name, number) for name, number in world.blobs if name.startswith(of[0]))
            yield "lists blobs", (Reply(now, named),), world
        elif what == "list":
            yield from _list(world)
        elif what == "cart":
            ordered = any(thing.request == of[0] and thing.visible for thing in world.things)
            yield f"sees that {of[0]} is {'' if ordered else 'not '}ordered", (Reply(now, ordered),), world
            yield from _denied(world, "see the cart")
        elif what == "read":
            thing = next(thing for thing in world.things if str(thing.number) == of[0])
            yield f"reads {thing.number}", (Reply(now, _shown(thing)),), world
        elif what == "sleep":
            began = node.replies[-1].at if node.replies else node.began
            awake = world.at(max(now, began + of[0]), self.case.visibility)
            yield "has slept", (Reply(awake.now),), awake
        elif what == "closing":
            yield from self._closing(world, at)
        else:
            raise AssertionError(what)

    def _closing(self, world: World, at: int) -> Iterator[Step]:
        """The clocks are looked at, and the closing bytes follow at once."""
        looked = Reply(world.now)
        node = self._nodes[self._after(at, (looked,), world)]
        if node.request.what != "post":
            yield "is too late to send", (looked,), world
            return
        content, request = node.request.of
        for step, reply, after in self._post(world, node, content, request):
            yield step, (looked, reply), after

    def _post(
        self, world: World, node: Node, content: int, request: str
    ) -> Iterator[tuple[str, Reply, World]]:
        now, left = world.now, world.left
        same = [t for t in world.things if t.request == request] if self.honours else []
        there = world if same else self._overtaken(world, node, content)
        thing = same[0] if same else Thing(len(world.things), content, now, request)
        applied = there if same else there.with_thing(thing)
        hidden = (
            None if same or not left.lags else there.with_thing(thing._replace(visible=False)).spent("lags")
        )
        told = tuple(_shown(t) for t in applied.things if self.lists_all or t is thing)
        ways = [
            (f"posts {content} as {thing.number}", applied),
            *([("posts, hidden", hidden)] if hidden else []),
        ]
        for step, after in ways:
            yield step, Reply(now, told), after
            if left.silences:
                yield f"{step}, unanswered", Reply(now, failure="silent"), after.spent("silences")
            if left.blanks:
                blank = Reply(now, tuple(s for s in told if s.number != thing.number))
                yield f"{step}, not shown", blank, after.spent("blanks")
        if left.silences:
            yield "posts into the void", Reply(now, failure="silent"), world.spent("silences")
        if left.blanks:
            others = tuple(_shown(t) for t in world.things if self.lists_all)
            yield "is accepted and dropped", Reply(now, others), world.spent("blanks")
        if left.refusals:
            for failure in ("not sent", "refused"):
                yield f"posts, {failure}", Reply(now, failure=failure), world.spent("refusals")

    def _overtaken(self, world: World, node: Node, content: int) -> World:
        """Note what was sent before and did not show in the last list of a process that sends the same
        again."""
        for thing in world.things:
            if self._alike(thing.content, content) and thing.number not in node.seen:
                world = world.with_thing(thing._replace(overtaken=True))
        return world

    def _alike(self, one: int, other: int) -> bool:
        return one != BY_HAND and self.case.alike(one) == self.case.alike(other)

    # processes

    def _root(self, name: str, task: Task, world: World, ahead: int) -> int:
        key = (name, task, world.now)
        if key not in self._roots:
            self._roots[key] = self._keep(Node(name, task, world.now, ahead))
            self._live(self._roots[key], world)
        return self._roots[key]

    def _after(self, at: int, replies: Sequence[Reply], world: World) -> int:
        """Where replies lead that bring this world about."""
        for reply in replies:
            known = self._nodes[at].after.get(reply)
            at = known or self._grown(at, reply)
            if not known:
                self._live(at, world)
        return at

    def _grown(self, at: int, reply: Reply) -> int:
        """A new node, one reply after another."""
        node = self._nodes[at]
        seen, seen_at = node.seen, node.seen_at
        if node.request.what == "list" and not reply.failure:
            seen, seen_at = tuple(shown.number for shown in reply.value), reply.at
        replies = (*node.replies, reply)
        child = Node(node.name, node.task, node.began, node.ahead, replies, seen=seen, seen_at=seen_at)
        node.after[reply] = self._keep(child)
        return node.after[reply]

    def _keep(self, node: Node) -> int:
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _live(self, at: int, world: World) -> None:
        """Let a process live through its replies and on to its end, and keep each node on its way. What it
        gets in this world when nobody else does anything and nothing goes wrong is tried anyhow: so it lives
        once for each of its ends, and not once for each of its requests."""
        node = self._nodes[at]

        def decide(request: Request) -> Reply:
            nonlocal at, world
            self._nodes[at].request = request
            reply, world = self._usual(world, at)
            at = self._grown(at, reply)
            return reply

        process = Process(node.name, node.began, node.replies, decide, node.ahead)
        told = self.case.perform(process, node.task, self._shelf)
        self._nodes[at].told = told

    def _usual(self, world: World, at: int) -> tuple[Reply, World]:
        """The first of the ways in which the request of a process can end."""
        node = self._nodes[at]
        if node.request.what == "closing":
            return Reply(world.now), world
        if node.request.what == "post":
            _, reply, world = next(self._post(world, node, *node.request.of))
            return reply, world
        _, (reply,), world = next(self._replies(world, at))
        return reply, world

    # what must hold

    def _all_entries(self, world: World) -> list[Entry]:
        return [entry for name, number in world.blobs for entry in self._entries_of(name, number)]

    def _entries_of(self, name: str, number: int) -> Sequence[Entry]:
        if not name.startswith(("attachments/", "orders/")):
            return ()
        if number not in self._entries:
            self._entries[number] = self.case.entries(Record.load(self._shelf.contents[number]))
        return self._entries[number]

    def _judge(self, world: World, node: Node) -> None:
        """What a process has told, when it ended."""
        assert node.told
        what, name = node.told.what, node.name
        self.met[f"told {what}"] += 1
        if what == "done" and not any(t.number in node.told.numbers for t in world.things):
            self._fail(f"{name} told that it is done, and Partner Center has nothing")
        own = [e for e in self._all_entries(world) if e.request.startswith(f"{name}.")]
        open_again = [e for e in own if e.state in HOLDING or (e.state is State.PENDING and not e.resting)]
        if what.endswith("Error") and node.task.do == "ask" and open_again:
            self._fail(f"{name} told that nothing was done ({what}), and it may be done by itself")

    def _check(self, world: World) -> None:
        self._hold(world)
        story: list[str] = []
        for turn in range(_MOST_CLOSING):
            key = (world.now, world.blobs, world.things)
            if key in self._closed:
                return
            self._closed.add(key)
            due = min((e.due for e in self._all_entries(world) if e.due is not None), default=None)
            if due is None:
                self._hold_at_rest(world, story)
                return
            world = self._worked(world.at(max(world.now, due), self.case.visibility), f"W{turn}", story)
            self._hold(world, story)
        self._fail("a worker does not come to an end", story)

    def _worked(self, world: World, name: str, story: list[str]) -> World:
        """Every process has died; a worker in good health does what is due, and nothing goes wrong."""
        world = world._replace(left=Budget(), actors=())
        at = self._root(name, Task("work"), world, 0)
        while self._nodes[at].told is None:
            ((step, replies, world),) = self._replies(world, at)
            story.append(f"{world.now}: {name} {step}")
            at = self._after(at, replies, world)
        return world

    def _hold(self, world: World, story: Sequence[str] = ()) -> None:
        """What must contain at every moment."""
        entries, names = self._all_entries(world), world.blobs
        for name, number in names:
            if len([e for e in self._entries_of(name, number) if e.state in HOLDING]) > 1:
                self._fail("two submissions of an order are in flight", story)
        owned = [number for entry in entries for number in entry.numbers]
        if len(set(owned)) < len(owned):
            self._fail("something is owned by two submissions", story)
        for entry in entries:
            if entry.state in HOLDING | {State.PENDING} and entry.due is None and not entry.resting:
                self._fail(f"{entry.content} is {entry.state}, and nobody will come back to it", story)
        self.met["residue"] += any(thing.residue for thing in world.things)
        for fault in self.case.faults(world.things, entries):
            self._fail(fault, story)

    def _hold_at_rest(self, world: World, story: Sequence[str]) -> None:
        """Nothing is lost: what is final says what Partner Center shows, or that a person must look."""
        entries = self._all_entries(world)
        owned = {number for entry in entries for number in entry.numbers}
        for entry in entries:
            self.met[f"ends {entry.state}"] += 1
            there = any(
                self._alike(t.content, entry.content) and not t.late and t.number not in owned
                for t in world.things
            )
            if entry.state is State.REVIEW and not entry.detail:
                self._fail(f"{entry.content} is in review without a reason", story)
            if entry.state in (State.PENDING, State.REFUSED) and there:
                self._fail(f"{entry.content} is said not to be done, and it is there", story)
        unknown = {t.content for t in world.things if t.content != BY_HAND} - {e.content for e in entries}
        if unknown:
            self._fail(f"{unknown} is there, and no record knows of it", story)

    def _fail(self, what: str, story: Sequence[str] = ()) -> None:
        steps = list(reversed(story))
        at, step = self._story
        while at is not None:
            steps.append(step)
            at, step = self._came[at]
        raise BrokenPromiseError("\n".join([what, *reversed(steps)]))


def _put(world: World, name: str, number: int, over: int, *, compares: bool) -> Iterator[Step]:
    there, now = world.blob(name), world.now
    if there != over and compares:
        yield "is told that it moved", (Reply(now, failure="condition"),), world
        return
    written = world._replace(blobs=tuple(sorted({**dict(world.blobs), name: number}.items())))
    yield f"writes {number}", (Reply(now),), written
    if world.left.storage:
        less, written = world.spent("storage"), written.spent("storage")
        yield "cannot write", (Reply(now, failure="storage"),), less
        yield "cannot write, it seems", (Reply(now, failure="storage unknown"),), less
        yield f"writes {number} unanswered", (Reply(now, failure="storage unknown"),), written
        yield f"writes {number} and is told that it moved", (Reply(now, failure="condition"),), written


def _list(world: World) -> Iterator[Step]:
    visible = tuple(_shown(thing) for thing in world.things if thing.visible)
    yield f"lists {[s.number for s in visible]}", (Reply(world.now, visible),), world
    yield from _denied(world, "list")


def _denied(world: World, what: str) -> Iterator[Step]:
    for failure in ("not sent", "denied") if world.left.lists else ():
        yield f"cannot {what} ({failure})", (Reply(world.now, failure=failure),), world.spent("lists")


def _shown(thing: Thing) -> Shown:
    return Shown(thing.number, thing.content, thing.posted)
