"""What came of everything: pure judgement of what was asked for against what can be seen.

Attached once    Partner Center has it once, and the receipt says so with the right ids.
Twice            Partner Center has a submission, or an order, more often than it was asked for.
Lost             it should be there, is not, and nobody is at it: no receipt, or one that says something else.
Disagree         a receipt, an answer or a record says something that Partner Center does not show.
In review        a person must look; the receipt says at what. Without a reason it counts as unexplained.
Open             its receipt or record names the next attempt.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.soak.drops import Drop, Expect, Post
from local.soak.flows import DONE, OPEN, REFUSED, REVIEW, Told, attach_asking
from local.soak.orders import OrderCase
from local.soak.world import World

ONCE, REJECTED, WITHDRAWN = "once", "rejected as expected", "withdrawn"
LOST, DISAGREE, UNEXPLAINED, TWICE = "lost", "disagree", "unexplained", "twice"
VIOLATIONS = (TWICE, LOST, DISAGREE, UNEXPLAINED)
_UNREST = (OPEN, LOST, DISAGREE)

Last = Callable[[str], Told]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked for, and what came of it."""

    what: str
    fate: str
    why: str = ""


@dataclass(slots=True)
class Verdict:
    """Findings about drops, documents sent over HTTP, and orders."""

    drops: list[Finding] = field(default_factory=list)
    posts: list[Finding] = field(default_factory=list)
    orders: list[Finding] = field(default_factory=list)

    @property
    def all(self) -> list[Finding]:
        """Everything."""
        return [*self.drops, *self.posts, *self.orders]

    def of(self, *fates: str) -> list[Finding]:
        """Everything of these fates."""
        return [f for f in self.all if f.fate in fates]

    @property
    def violations(self) -> list[Finding]:
        """What must not be."""
        return self.of(*VIOLATIONS)

    @property
    def restless(self) -> list[Finding]:
        """What may still change by itself."""
        return self.of(*_UNREST)


def judge(drops: Sequence[Drop], cases: Sequence[OrderCase], last: Last, world: World) -> Verdict:
    """Judge everything at one moment."""
    posts = [step for drop in drops for step in drop.steps if isinstance(step, Post)]
    return Verdict(
        drops=[*(_of_drop(drop, world) for drop in drops), *_attached_twice(drops, world)],
        posts=[_of_post(post, last, world) for post in posts],
        orders=[*(_of_order(case, last, world) for case in cases), *_placed_twice(cases, world)],
    )


def _of_drop(drop: Drop, world: World) -> Finding:
    receipt = world.receipts.get(drop.path)
    if receipt is None:
        return _found(drop, LOST, "there is no receipt")
    state, why = str(receipt["state"]), _why(receipt)
    if state == "review":
        return _found(drop, REVIEW if why else UNEXPLAINED, why)
    if state == "submitting" or (state == "retrying" and receipt.get("nextAttempt")):
        return _found(drop, OPEN, f"{state}: {why}")
    if drop.expects is Expect.EITHER:
        return _found(drop, WITHDRAWN)
    if drop.expects is Expect.REJECTED:
        return _found(drop, REJECTED if state == "rejected" else LOST, f"{state}: {why}")
    if state != "attached":
        return _found(drop, LOST, f"the receipt says {state}: {why}")
    return _of_attached(drop, receipt, world)


def _of_attached(drop: Drop, receipt: Mapping[str, Any], world: World) -> Finding:
    there = dict(world.orders[drop.last.order].submissions)
    told = frozenset(str(a["attachmentId"]) for a in receipt.get("attachments", ()))
    if drop.last.fingerprint not in there:
        return _found(drop, LOST, "the receipt says attached, Partner Center does not have it")
    if told != there[drop.last.fingerprint]:
        return _found(drop, DISAGREE, "the receipt names other attachments than Partner Center has")
    return _found(drop, ONCE)


def _attached_twice(drops: Sequence[Drop], world: World) -> Iterable[Finding]:
    allowed: dict[str, set[str]] = defaultdict(set)
    for drop in drops:
        if drop.expects is not Expect.REJECTED:
            allowed[drop.last.order] |= {c.fingerprint for c in (drop.last, *drop.earlier)}
    for order in world.orders.values():
        counts = Counter(name for name, _ in order.submissions)
        for name, count in counts.items():
            if count > 1:
                yield Finding(f"order {order.id}", TWICE, f"submission {name} is there {count} times")
            if name not in allowed[order.id]:
                yield Finding(f"order {order.id}", DISAGREE, f"nobody sent submission {name}")


def _of_post(post: Post, last: Last, world: World) -> Finding:
    asking, order = attach_asking(post.case), world.orders[post.case.order]
    told, there = last(asking.name), post.case.fingerprint in dict(order.submissions)
    what = f"over HTTP: {asking.name}"
    if told.state == REVIEW:
        return Finding(what, REVIEW if told.detail else UNEXPLAINED, told.detail)
    if told.state == DONE:
        return Finding(what, ONCE if there else LOST, "" if there else "answered 201, and not there")
    if told.state == REFUSED:
        return Finding(what, LOST, f"refused with {told.status}: {told.detail}")
    return Finding(what, OPEN, "no final answer yet")


def _of_order(case: OrderCase, last: Last, world: World) -> Finding:
    told = last(case.key)
    record = world.records.get(record_key(case))
    if not case.placed:
        fine = told.state == REFUSED
        return Finding(case.key, REJECTED if fine else OPEN if told.state == OPEN else DISAGREE, told.detail)
    if record is None:
        return Finding(case.key, LOST, f"there is no record; the client was told {told.status} {told.detail}")
    state, why = str(record["state"]), str(record["why"])
    if state == "review":
        return Finding(case.key, REVIEW if why else UNEXPLAINED, why)
    if state in ("claimed", "unknown", "ready"):
        return Finding(case.key, OPEN, f"{state}: {why}")
    if state != "done":
        return Finding(case.key, LOST, f"{state}: {why}")
    return _of_placed(case, told, str(json.loads(record["answer"]["body"])["id"]), world)


def _of_placed(case: OrderCase, told: Told, order_id: str, world: World) -> Finding:
    order = world.orders.get(order_id)
    if order is None or order.group != case.group:
        return Finding(case.key, DISAGREE, f"the record names order {order_id}, which is not this one")
    if told.state == OPEN:
        return Finding(case.key, OPEN, f"placed, and the client has not heard: {told.status} {told.detail}")
    if told.state != DONE or told.order_id != order_id:
        return Finding(case.key, DISAGREE, f"placed, and the client was told {told.status} {told.order_id}")
    return Finding(case.key, ONCE)


def _placed_twice(cases: Sequence[OrderCase], world: World) -> Iterable[Finding]:
    asked = Counter(case.group for case in cases if case.placed)
    there = Counter(order.group for order in world.orders.values() if order.group)
    for group, count in there.items():
        if count > asked[group]:
            yield Finding(group, TWICE, f"asked for {asked[group]} times, placed {count} times")
    owners: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        record = world.records.get(record_key(case))
        if record and record["state"] == "done":
            owners[json.loads(record["answer"]["body"])["id"]].append(case.key)
    for order_id, keys in owners.items():
        if len(keys) > 1:
            yield Finding(" and ".join(keys), LOST, f"share order {order_id}")


def record_key(case: OrderCase) -> str:
    """Name of an order request's record in the ledger."""
    return f"orders/{case.customer}/{hashlib.sha256(case.key.encode()).hexdigest()}"


def _why(receipt: Mapping[str, Any]) -> str:
    violations = "; ".join(str(v["detail"]) for v in receipt.get("violations", ()))
    return str(receipt.get("why") or violations or ", ".join(receipt.get("waitingFor", ())))


def _found(drop: Drop, fate: str, why: str = "") -> Finding:
    return Finding(f"{drop.path} ({drop.kind})", fate, why)
