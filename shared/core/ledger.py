"""The ledger: what is known of every call to Partner Center that must happen once.

One record for each order of Partner Center holds the attachment submissions of that order; one record for
each Idempotency-Key holds one order request. A submission is named by the digest of its content.

The rules
1. No record, no call. A claim is written, create-only or by compare-and-swap, before the first byte goes out,
   with the MS-RequestId that will be sent and a moment of expiry that outlives the sender's deadline.
2. One submission of an order is in flight at a time: `claimed`, `unknown` and `accepted` hold the order.
3. Before its first POST a submission keeps the ids that the order has already (its `base`). The base stays
   while any POST of it was silent, so that whatever came of that POST is the difference.
4. After the call the claim becomes `done` when the answer proves it, `accepted` when it was accepted and the
   answer does not show it, `refused` or `pending` when it is known that nothing was done, else `unknown`.
   A claim that expired is unknown.
5. Unknown is left by proof only: `done` when it is there, `pending` when it is proved absent, `review` when
   what is there is neither provably ours nor provably another's. `accepted` is never sent again by itself.
6. `done` is final. `review`, and what a person gave up, is left by a person's decision only. `refused` may be
   sent again by whoever asks again; if something came of an earlier silence meanwhile, it is unknown.
7. The MS-RequestId belongs to the silence: it stays until the service behind the gateway answers.
8. Every change is a compare-and-swap and carries a revision of its own, so that an actor recognises its own
   write even when storage's answer to it was lost.

`EDGES` is rules 4 to 6, and `Submission.to` lets nothing else happen; `next_action` says what one who holds a
record does. Pure: no clock, no storage, no network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from shared.core.ledger_parts import (
    DocumentFacts,
    Moment,
    OrderContent,
    RecordedAnswer,
    Repeated,
    Source,
    StoredModel,
)
from shared.core.watched import WatchedOrder

LEDGER_FORMAT: Literal[2] = 2
"""Version of the records. What a submission's digest is made of is part of it."""

KEPT_WHOLE = 20
"""So many final submissions of an order keep what they were; older ones keep state, ids and signals."""

MOST_SUBMISSIONS = 1000
"""A record that holds more than this takes no other submission."""

RESTED = timedelta(hours=1)
"""What nobody tried for so long begins a new run of attempts when it is asked for again."""

_HISTORY = 20


class State(StrEnum):
    """Where a submission stands."""

    CLAIMED = "claimed"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"
    REVIEW = "review"


class Decision(StrEnum):
    """What a person decides about a submission in review."""

    ADOPT = "adopt"
    RETRY = "retry"
    SEND_AGAIN = "send-again"
    GIVE_UP = "give-up"


EDGES: Mapping[State, frozenset[State]] = {
    State.CLAIMED: frozenset(State) - {State.CLAIMED},
    State.UNKNOWN: frozenset({State.UNKNOWN, State.DONE, State.PENDING, State.REVIEW}),
    State.ACCEPTED: frozenset({State.ACCEPTED, State.DONE, State.REVIEW}),
    State.PENDING: frozenset({State.PENDING, State.CLAIMED, State.UNKNOWN, State.REFUSED, State.REVIEW}),
    State.REFUSED: frozenset({State.CLAIMED, State.UNKNOWN, State.DONE, State.PENDING, State.REFUSED}),
    State.REVIEW: frozenset({State.DONE, State.PENDING, State.REFUSED}),
    State.DONE: frozenset(),
}

HOLDING = frozenset({State.CLAIMED, State.UNKNOWN, State.ACCEPTED})
"""States that keep the other submissions of an order waiting."""
SENT = HOLDING | {State.REVIEW, State.DONE}
"""States of which a POST was made that may have had its effect."""
OPEN = HOLDING | {State.PENDING}
"""States in which something remains to be done without a person."""


class Submission(StoredModel):
    """One thing that must happen once. All moments are UTC.

    `due` is the expiry of a claim, or the next attempt of what is open (None: only when asked again);
    `absent_after` is the moment from which "not found" counts as "not there"; `first_silent` the moment
    before the first POST that got no answer. `base` holds the ids that the order had before the first POST,
    None when they could not be read (`base_denied` says why). `ids` are what Partner Center calls what is
    ours.
    """

    digest: str
    state: State
    revision: str
    request_id: str
    correlation_id: str
    created: Moment
    changed: Moment
    since: Moment
    """When the present run of attempts began: with the record, or when somebody asked again."""
    documents: tuple[DocumentFacts, ...] = ()
    order: OrderContent | None = None
    sources: tuple[Source, ...] = ()
    attempt: int = 1
    deaths: int = 0
    due: Moment | None = None
    absent_after: Moment | None = None
    first_silent: Moment | None = None
    same_id: bool = False
    """Whether the next POST repeats the MS-RequestId (rule 7)."""
    silences: int = 0
    """POSTs that got no answer, and of which nothing was found."""
    repeated: Repeated | None = None
    base: tuple[str, ...] | None = None
    base_denied: str = ""
    ids: tuple[str, ...] = ()
    verified: bool = True
    """False when an outcome rests on a person's word or on counts alone."""
    given_up: bool = False
    incomplete: bool = False
    """Whether it was not sent because a document had no end."""
    answer: RecordedAnswer | None = None
    detail: str = ""
    actor: str = ""
    remedy: str = ""
    history: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether something remains to be done without a person."""
        return self.state in OPEN

    def is_due(self, now: datetime) -> bool:
        """Whether the moment has come to do that."""
        return self.open and self.due is not None and self.due <= now

    @property
    def decidable(self) -> bool:
        """Whether it waits for a person's decision, or a person's decision can be taken back."""
        return self.state is State.REVIEW or (self.state is State.REFUSED and self.given_up)

    @property
    def may_turn_up(self) -> bool:
        """Whether something may show that came of it and that no id is known of: it is in review, or one of
        its POSTs was silent and is believed absent."""
        believed = (State.PENDING, State.REFUSED, State.DONE)
        return self.state is State.REVIEW or (self.state in believed and self.silences > 0)

    @property
    def sent_by_worker(self) -> bool:
        """Whether its content lies where the worker finds it: in a drop, or in the record and not bound to a
        signed-in user. Other content is gone with the request that brought it."""
        return bool(self.sources) or (self.order is not None and not self.order.user)

    def to(
        self,
        state: State,
        now: datetime,
        revision: str,
        detail: str,
        by: str = "",
        **changes: Any,  # noqa: ANN401
    ) -> Submission:
        """The submission after one step along EDGES; ValueError for any other, and nothing is changed. `by`
        is who decided: the history keeps it, and callers are not told."""
        if state not in EDGES[self.state]:
            raise ValueError(f"{self.digest}: {self.state} does not become {state}")
        decided = f" (by {by})" if by else ""
        line = f"{now.isoformat(timespec='seconds')} {self.state} -> {state}: {detail}{decided}"
        step: dict[str, Any] = {
            "state": state,
            "revision": revision,
            "changed": max(
                now, self.changed + timedelta(microseconds=1)
            ),  # clocks differ; steps have an order
            "detail": detail,
            "history": (*self.history, line)[-_HISTORY:],
            "due": None,
            "absent_after": None,
            "answer": None,
            "actor": "",
            "remedy": "",
            "given_up": False,
            "incomplete": False,
        }
        rested = self.due is None and (self.state is not State.PENDING or now - self.changed > RESTED)
        if rested:  # and somebody asked again
            step["since"] = now
        return self.model_copy(update=step | changes)

    def shrunk(self) -> Submission:
        """What is kept of an old one that is final: who owns what, and which signals are spent."""
        return self.model_copy(
            update={"documents": (), "answer": None, "base": None, "history": (), "repeated": None}
        )


class Record(StoredModel):
    """What the ledger keeps under one name: the submissions of an order, or one order request."""

    v: Literal[2]
    kind: Literal["attachments", "order"]
    key: str
    customer_id: str
    order_id: str = ""
    due: Moment | None = None
    submissions: Mapping[str, Submission] = Field(default_factory=dict)
    orders: Mapping[str, WatchedOrder] = Field(default_factory=dict)
    """The orders at Partner Center that are watched from here, by their ids (shared/core/watch.py)."""

    def name_of(self, submission: Submission) -> str:
        """How a submission is named to the outside."""
        return self.key if self.kind == "order" else f"{self.key}/{submission.digest}"

    def holder(self) -> Submission | None:
        """The submission that is in flight, if there is one (rule 2)."""
        return next((s for s in self.submissions.values() if s.state in HOLDING), None)

    def others(self, digest: str) -> list[Submission]:
        """The submissions but for one."""
        return [s for s in self.submissions.values() if s.digest != digest]

    def ids_of_others(self, digest: str) -> frozenset[str]:
        """Ids at Partner Center that belong to other submissions of this record."""
        return frozenset(i for s in self.others(digest) for i in s.ids)

    def put(self, submission: Submission) -> Record:
        """The record with one submission replaced or added. Old ones shrink, but for those that are open, or
        that a person decides on."""
        rest = self.others(submission.digest)
        final = [s for s in rest if not (s.open or s.decidable)]
        final.sort(key=lambda s: s.changed, reverse=True)
        shrunk = {s.digest: s.shrunk() for s in final[KEPT_WHOLE:]}
        kept = {s.digest: shrunk.get(s.digest, s) for s in rest} | {submission.digest: submission}
        due = min((s.due for s in kept.values() if s.open and s.due), default=None)
        return self.model_copy(update={"submissions": kept, "due": due})

    def spent(self, drop: str, sidecar_etag: str, digest: str) -> Submission | None:
        """The other submission that was sent under this version of a drop's sidecar: it is spent."""
        return self._sent_from(digest, drop, sidecar_etag)

    def sent_before(self, drop: str, digest: str) -> Submission | None:
        """Another submission that was sent from this drop, under whichever version of its sidecar."""
        return self._sent_from(digest, drop, None)

    def _sent_from(self, digest: str, drop: str, sidecar_etag: str | None) -> Submission | None:
        found = (
            other
            for other in sorted(self.others(digest), key=lambda s: s.changed, reverse=True)
            if other.state in SENT
            for source in other.sources
            if source.drop == drop and sidecar_etag in (None, source.sidecar_etag)
        )
        return next(found, None)

    def dump(self) -> bytes:
        """The record as the JSON that the ledger keeps."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True, indent=1, warnings="error").encode()

    @classmethod
    def load(cls, raw: bytes) -> Self:
        """The record in a ledger blob. Raises RecordError when it is none of this version."""
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            raise RecordError(_version(raw), error.error_count()) from None


class RecordError(ValueError):
    """A record in the ledger cannot be read: `version` is its format, 0 when it names none."""

    def __init__(self, version: int, faults: int) -> None:
        self.version = version
        super().__init__(f"a record of format {version or 'unknown'} with {faults} faults for this version")


def _version(raw: bytes) -> int:
    found = re.search(rb'"v":\s*(\d{1,6})\b', raw[:4096])
    return int(found[1]) if found else 0


class Action(StrEnum):
    """What the holder of a record does next."""

    SEND = "take the claim and send"
    RESOLVE = "ask Partner Center what became of the one in flight"
    WAIT = "leave it: it is under way, or its time has not come"
    BUSY = "leave it: another submission of the order is in flight"
    REPLAY = "answer with what the record says"


def next_action(record: Record, digest: str, now: datetime, *, retry_refused: bool, can_send: bool) -> Action:
    """What to do about the submission `digest` of a record that is already there.

    `retry_refused`: whoever asks wants what was refused to be sent again. `can_send`: whoever asks has the
    content at hand; without it nobody ends a submission or sends it.
    """
    own, holder = record.submissions.get(digest), record.holder()
    if own and (
        own.state in (State.DONE, State.REVIEW) or (own.state is State.REFUSED and not retry_refused)
    ):
        return Action.REPLAY
    if holder and holder.is_due(now):
        return Action.RESOLVE
    if holder:
        return Action.WAIT if holder is own else Action.BUSY
    if not can_send:
        return Action.WAIT
    waits = own is not None and own.state is State.PENDING and own.due is not None and not own.is_due(now)
    return Action.WAIT if waits else Action.SEND
