"""What came of everything: compares what was asked for with what was observed, and does no I/O.

Attached once    Partner Center has it once over the API, and the receipt says so with the right ids.
Twice            a submission, or an order, is there more often than it was asked for.
Lost             it should be there, is not, and nobody is at it: no receipt, or one that says something else.
Disagree         a receipt, an answer or a record says something that Partner Center does not show.
In review        a person must look; the receipt says at what. It counts as unexplained without a reason, and
                 without anything that went wrong at Partner Center or was done there by hand.
Open             its receipt or record names the next attempt.
Residue          there twice, where Partner Center's lists were late for longer than the application believes:
                 what no client can help.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.soak.causes import NOTHING_KNOWN, Causes
from local.soak.flows import DONE, OPEN, REFUSED, REVIEW, ClientAnswer, attach_request, joined
from local.soak.observations import Observation, ObservedOrder, submission_of
from local.soak.orders import OrderCase
from local.soak.steps import Drop, Expect, Post

ONCE, REJECTED, WITHDRAWN, UNSEEN = "once", "rejected as expected", "withdrawn", "waits for its order"
RESIDUE = "residue"
LOST, DISAGREE, UNEXPLAINED, TWICE = "lost", "disagree", "unexplained", "twice"
VIOLATIONS = (TWICE, LOST, DISAGREE, UNEXPLAINED)
_UNSETTLED = (OPEN, LOST, DISAGREE)

Last = Callable[[str], ClientAnswer]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked for, and what came of it."""

    what: str
    outcome: str
    why: str = ""


@dataclass(slots=True)
class CheckResult:
    """Findings about drops, documents sent over HTTP, and orders."""

    drops: list[Finding] = field(default_factory=list)
    posts: list[Finding] = field(default_factory=list)
    orders: list[Finding] = field(default_factory=list)

    @property
    def all(self) -> list[Finding]:
        """Everything."""
        return [*self.drops, *self.posts, *self.orders]

    def of(self, *outcomes: str) -> list[Finding]:
        """Everything of these outcomes."""
        return [f for f in self.all if f.outcome in outcomes]

    @property
    def violations(self) -> list[Finding]:
        """What must not be."""
        return self.of(*VIOLATIONS)

    @property
    def unsettled(self) -> list[Finding]:
        """What may still change by itself."""
        return self.of(*_UNSETTLED)


def check(
    drops: Sequence[Drop],
    cases: Sequence[OrderCase],
    last: Last,
    observed: Observation,
    causes: Causes = NOTHING_KNOWN,
) -> CheckResult:
    """Check everything at one moment. Without `causes` every review with a reason counts as explained."""
    return Checker(drops, cases, last, observed, causes).result()


@dataclass(frozen=True, slots=True)
class Checker:
    """What is checked, and against what."""

    drops: Sequence[Drop]
    cases: Sequence[OrderCase]
    last: Last
    observed: Observation
    causes: Causes

    def result(self) -> CheckResult:
        """All findings."""
        posts = [step for drop in self.drops for step in drop.steps if isinstance(step, Post)]
        return CheckResult(
            drops=[*(self._drop(drop) for drop in self.drops), *self._orders_with_documents()],
            posts=[self._post(post) for post in posts],
            orders=[
                *(self._order(case) for case in self.cases),
                *self._placed(),
                *self._shared(),
                *self._ownerless(),
            ],
        )

    def _drop(self, drop: Drop) -> Finding:
        receipt = self.observed.receipts.get(drop.path)
        if receipt is None:
            return _found(drop, LOST, "there is no receipt")
        state, why = str(receipt["state"]), _why(receipt)
        if state == "review":
            return self._review(f"{drop.path} ({drop.kind})", why, self.causes.of_order(drop.order))
        waits = state == "submitting" or (state == "retrying" and receipt.get("nextAttempt"))
        if drop.expects is Expect.UNSEEN:
            return _found(drop, UNSEEN if waits else LOST, f"{state}: {why}")
        if waits:
            return _found(drop, OPEN, f"{state}: {why}")
        if drop.expects is Expect.EITHER:
            return _found(drop, WITHDRAWN)
        if drop.expects is Expect.CORRUPTED:
            return self._corrupted(drop, receipt)
        if drop.expects is Expect.REJECTED:
            return _found(drop, REJECTED if state == "rejected" else LOST, f"{state}: {why}")
        if state != "attached":
            return _found(drop, LOST, f"the receipt says {state}: {why}")
        return self._attached(drop, receipt)

    def _attached(self, drop: Drop, receipt: Mapping[str, Any]) -> Finding:
        order = self.observed.orders[drop.order]
        there = set[frozenset[str]]().union(*(order.ids_of(c.fingerprint) for c in drop.cases))
        if not there:
            return _found(drop, LOST, "the receipt says attached, Partner Center does not have it")
        if receipt.get("verified") is not False and _ids(receipt) not in there:
            return _found(drop, DISAGREE, "the receipt names other attachments than Partner Center has")
        return _found(drop, ONCE)

    def _corrupted(self, drop: Drop, receipt: Mapping[str, Any]) -> Finding:
        """The receipt must keep what was attached before the drop became junk, beside the faults of the junk,
        once the ledger says that it is attached."""
        shown = {_ids(summary) for summary in (receipt, *receipt.get("previous", ()))}
        record = self.observed.records.get(f"attachments/{drop.customer}/{drop.order}", {})
        for own in record.get("submissions", {}).values():
            if own["state"] == "done" and frozenset(own["ids"]) not in shown:
                return _found(drop, DISAGREE, "what was attached before is not visible in the receipt")
        if receipt["state"] != "rejected":
            return _found(drop, LOST, f"the receipt says {receipt['state']}")
        return _found(drop, REJECTED)

    def _orders_with_documents(self) -> Iterable[Finding]:
        """What is there twice, or that nobody sent, or nobody signalled; and records that say something
        else."""
        allowed: dict[str, set[str]] = defaultdict(set)
        for drop in self.drops:
            cases = (*drop.all_cases, *(s.case for s in drop.steps if isinstance(s, Post)))
            if drop.expects is not Expect.REJECTED:
                allowed[drop.order] |= {c.fingerprint for c in cases}
        for order in self.observed.orders.values():
            what, counts = f"order {order.id}", Counter(name for name, _ in order.submissions)
            for name, count in counts.items():
                if count > 1:
                    yield self._doubled(what, f"submission {name} is there {count} times", order.id)
                if name not in allowed[order.id]:
                    yield Finding(what, DISAGREE, f"nobody sent submission {name}")
            yield from self._records(what, order)
        yield from (found for drop in self.drops for found in self._signals(drop))

    def _signals(self, drop: Drop) -> Iterable[Finding]:
        order = self.observed.orders.get(drop.order)
        there = {name for name, _ in order.submissions} if order else set()
        sent = len(there & {c.fingerprint for c in drop.all_cases})
        if sent > drop.signals:
            why = f"{sent} sets of documents were sent, and the sidecar was dropped {drop.signals} times"
            yield Finding(f"order {drop.order}", TWICE, f"{drop.path}: {why}")

    def _records(self, what: str, order: ObservedOrder) -> Iterable[Finding]:
        """The ledger says of no submission that it is done whose documents are not there, or another's."""
        record = self.observed.records.get(f"attachments/{order.customer}/{order.id}", {})
        there, owned = {ids for _, ids in order.submissions}, Counter[str]()
        for own in record.get("submissions", {}).values():
            if own["state"] == "done":
                owned.update(own.get("ids", ()))
                if own.get("verified", True) and frozenset(own.get("ids", ())) not in there:
                    yield Finding(what, DISAGREE, "the ledger names attachments that nobody sent")
        if any(count > 1 for count in owned.values()):
            yield Finding(what, DISAGREE, "two submissions of the ledger own one attachment")

    def _post(self, post: Post) -> Finding:
        request, order = attach_request(post.case), self.observed.orders[post.case.order]
        answer, there = self.last(request.name), order.ids_of(post.case.fingerprint)
        what = f"over HTTP: {request.name}"
        if answer.state == REVIEW:
            return self._review(what, answer.detail, self.causes.of_order(order.id))
        if answer.state == REFUSED:
            return Finding(what, LOST, f"refused with {answer.status}: {answer.detail}")
        if answer.state != DONE:
            return Finding(what, OPEN, f"no final answer yet: {answer.status} {answer.detail}")
        if not there:
            return Finding(what, LOST, "answered 201, and not there")
        if answer.attachments not in there:
            return Finding(what, DISAGREE, "answered with other attachments")
        return Finding(what, ONCE)

    def _order(self, case: OrderCase) -> Finding:
        answer = self.last(case.key)
        if not case.placed:
            fine = answer.state == REFUSED
            return Finding(
                case.key, REJECTED if fine else OPEN if answer.state == OPEN else DISAGREE, answer.detail
            )
        own = submission_of(case, self.observed)
        if own is None:
            return Finding(case.key, LOST, f"no record; the client got {answer.status} {answer.detail}")
        state, why = str(own["state"]), str(own.get("detail", ""))
        if state == "review":
            return self._review(case.key, why, self.causes.of_customer(case.customer))
        if state != "done":
            waits = state in ("claimed", "unknown", "accepted", "pending")
            return Finding(case.key, OPEN if waits else LOST, f"{state}: {why}")
        return self._done(case, answer, own["ids"])

    def _done(self, case: OrderCase, answer: ClientAnswer, ids: Sequence[str]) -> Finding:
        order_id = joined(ids)
        orders = [self.observed.orders.get(name) for name in ids]
        if any(order is None or order.group not in case.groups or not order.placed for order in orders):
            return Finding(case.key, DISAGREE, f"the record names order {order_id}, which is not this one")
        if answer.state == OPEN:
            return Finding(
                case.key, OPEN, f"placed, and the client has not heard: {answer.status} {answer.detail}"
            )
        if answer.state != DONE or answer.order_id != order_id:
            return Finding(
                case.key, DISAGREE, f"placed, and the client got {answer.status} {answer.order_id}"
            )
        return Finding(case.key, ONCE)

    def _placed(self) -> Iterable[Finding]:
        asked = Counter(group for case in self.cases if case.placed for group in case.groups)
        there = Counter(order.group for order in self.observed.orders.values() if order.placed)
        for group, count in there.items():
            if count > asked[group]:
                why = f"asked for {asked[group]} times, placed {count} times"
                yield self._doubled(group, why, *(c.key for c in self.cases if group in c.groups))

    def _shared(self) -> Iterable[Finding]:
        owners: dict[str, list[str]] = defaultdict(list)
        for case in self.cases:
            for order_id in self._owned(case):
                owners[order_id].append(case.key)
        for order_id, keys in owners.items():
            if len(keys) > 1:
                yield Finding(" and ".join(keys), LOST, f"share order {order_id}")

    def _ownerless(self) -> Iterable[Finding]:
        """Each order of a checkout is in its record: what one of its groups became must not be forgotten."""
        bought = {group for case in self.cases if case.through_cart for group in case.groups}
        bought -= {group for case in self.cases if not self._owned(case) for group in case.groups}
        owned = {order_id for case in self.cases for order_id in self._owned(case)}
        for order in self.observed.orders.values():
            if order.placed and order.group in bought and order.id not in owned:
                yield Finding(order.group, LOST, f"order {order.id} is in no record")

    def _owned(self, case: OrderCase) -> Sequence[str]:
        own = submission_of(case, self.observed)
        return own["ids"] if own and own["state"] == "done" else ()

    def _review(self, what: str, why: str, causes: str) -> Finding:
        if not why or not causes:
            return Finding(what, UNEXPLAINED, f"{why or 'no reason'}; {causes or 'nothing went wrong there'}")
        return Finding(what, REVIEW, f"{why} [{causes}]")

    def _doubled(self, what: str, why: str, *names: str) -> Finding:
        return Finding(what, RESIDUE if self.causes.excuses(names) else TWICE, why)


def _ids(receipt: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(str(a["attachmentId"]) for a in receipt.get("attachments", ()))


def _why(receipt: Mapping[str, Any]) -> str:
    faults = "; ".join(str(v["detail"]) for v in receipt.get("errors", ()))
    return faults or str(receipt.get("detail") or "") or ", ".join(receipt.get("waitingFor", ()))


def _found(drop: Drop, outcome: str, why: str = "") -> Finding:
    return Finding(f"{drop.path} ({drop.kind})", outcome, why)
