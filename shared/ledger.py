"""The ledger: what is known of every call to Partner Center that must happen once.

The rules
1. No record, no call. The record is written, create-only, before the first byte goes out, and it holds the
   MS-RequestId that will be sent.
2. Only the actor whose claim stands in the record may send, and only until the claim expires.
3. After the call the claim becomes `done` or `refused` when the answer tells, `ready` when it is known that
   nothing happened, and `unknown` when no answer tells. A claim that expired is unknown.
4. Unknown is left only by asking Partner Center: `done` when it is there, `ready` (with the same
   MS-RequestId) when it is provably absent, `review` when it cannot be told.
5. `done` is final. `refused` may be tried again where the remedy lay outside the request. `ready` becomes
   `refused` when the content is gone. `review` is left by a person's hand only.
6. The MS-RequestId stays the same after silence and is new after any answer.
7. Every change is a compare-and-swap and carries a revision of its own, so that an actor recognises its own
   write even when storage's answer to it was lost.

The table below is rule 3 to 5; `Record.to` lets nothing else happen; `next_step` says what one who
holds a record does. Pure: no clock, no storage, no network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a call stands."""

    CLAIMED = "claimed"
    READY = "ready"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    REVIEW = "review"


EDGES: Mapping[State, frozenset[State]] = {
    State.CLAIMED: frozenset({State.DONE, State.REFUSED, State.READY, State.UNKNOWN, State.REVIEW}),
    State.READY: frozenset({State.CLAIMED, State.REFUSED, State.REVIEW}),
    State.UNKNOWN: frozenset({State.DONE, State.READY, State.UNKNOWN, State.REVIEW}),
    State.REFUSED: frozenset({State.CLAIMED}),
    State.REVIEW: frozenset({State.DONE, State.READY, State.REFUSED}),
    State.DONE: frozenset(),
}

_HISTORY = 20


class Step(StrEnum):
    """What the holder of a record does next."""

    SEND = "take the claim and send"
    RESOLVE = "ask Partner Center what became of it"
    WAIT = "leave it: somebody is at it, or its time has not come"
    TELL = "answer with what the record says"


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger knows of one call. All moments are UTC.

    `request` says in plain data what the call is, enough to recognise it at Partner Center; `until` is the
    expiry of a claim, or the next attempt of what is ready or unknown (None: only when asked again);
    `absent_after` is the moment from which "not found at Partner Center" counts as "not there".
    """

    kind: str
    key: str
    digest: str
    request: Mapping[str, Any]
    source: Mapping[str, Any]
    state: State
    request_id: str
    correlation_id: str
    revision: str
    created: datetime
    changed: datetime
    attempt: int = 1
    until: datetime | None = None
    absent_after: datetime | None = None
    why: str = ""
    answer: Mapping[str, Any] | None = None
    history: tuple[str, ...] = ()
    since: datetime | None = None

    @property
    def trying_since(self) -> datetime:
        """When the present run of attempts began: with the record, or when somebody asked again."""
        return self.since or self.created

    def to(self, state: State, now: datetime, revision: str, why: str, **changes: Any) -> Record:  # noqa: ANN401
        """The record after one step along EDGES; ValueError for any other, and nothing is changed."""
        if state not in EDGES[self.state]:
            raise ValueError(f"{self.key}: {self.state} does not become {state}")
        line = f"{now.isoformat(timespec='seconds')} {self.state} -> {state}: {why}"
        fresh: dict[str, Any] = {"until": None, "absent_after": None, "answer": None, **changes}
        if self.until is None:  # it rested, and somebody asked again
            fresh["since"] = now
        return replace(
            self,
            state=state,
            changed=max(now, self.changed + timedelta(microseconds=1)),  # clocks differ; steps have an order
            revision=revision,
            why=why,
            history=(*self.history, line)[-_HISTORY:],
            **fresh,
        )

    def claimed(
        self, now: datetime, revision: str, lease: timedelta, request_id: str, claim: Claim
    ) -> Record:
        """Take the claim for another attempt; `claim` says what is sent this time, and from where."""
        return self.to(
            State.CLAIMED,
            now,
            revision,
            f"attempt {self.attempt + 1}",
            until=now + lease,
            attempt=self.attempt + 1,
            request_id=request_id,
            request=claim.request,
            source=claim.source,
            absent_after=self.absent_after,  # set after mere silence: then the MS-RequestId is kept
        )

    @property
    def open(self) -> bool:
        """Whether something remains to be done without a person."""
        return self.state in (State.CLAIMED, State.READY, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a new record starts from."""

    kind: str
    key: str
    digest: str
    request: Mapping[str, Any]
    source: Mapping[str, Any] = field(default_factory=dict)

    def record(
        self, now: datetime, revision: str, lease: timedelta, request_id: str, correlation_id: str
    ) -> Record:
        """The first record of a call: claimed, by the one who writes it."""
        return Record(
            kind=self.kind,
            key=self.key,
            digest=self.digest,
            request=self.request,
            source=self.source,
            state=State.CLAIMED,
            request_id=request_id,
            correlation_id=correlation_id,
            revision=revision,
            created=now,
            changed=now,
            until=now + lease,
        )


def next_step(record: Record, now: datetime, *, asked_again: bool, can_send: bool) -> Step:
    """What to do with a record that is already there.

    `asked_again`: somebody wants anew what was refused, and it may succeed now, as opposed to an event or a
    sweep that only passes by. `can_send`: the one who asks has the content at hand.
    """
    due = record.until is not None and record.until <= now
    match record.state:
        case State.CLAIMED | State.UNKNOWN:
            return Step.RESOLVE if due else Step.WAIT
        case State.READY:
            return Step.SEND if due or (record.until is None and can_send) else Step.WAIT
        case State.REFUSED if asked_again and can_send:
            return Step.SEND
        case _:
            return Step.TELL


def dump(record: Record) -> bytes:
    """A record as the JSON that the ledger keeps."""
    fields = {name: getattr(record, name) for name in Record.__slots__}
    return json.dumps(fields, default=_plain, ensure_ascii=False, indent=1).encode()


def load(raw: bytes) -> Record:
    """The record in a ledger blob; ValueError when it is none."""
    data = json.loads(raw)
    for name in ("created", "changed", "until", "absent_after", "since"):
        data[name] = datetime.fromisoformat(data[name]).astimezone(UTC) if data.get(name) else None
    data["state"] = State(data["state"])
    data["history"] = tuple(data["history"])
    return Record(**data)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
