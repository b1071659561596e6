"""Make one call to Partner Center happen once: the ledger's rules, carried out.

`Executor.run` is the one place that sends anything that must not be sent twice. It writes the claim, sends,
and records what came of it; what it finds recorded already it answers, resolves or leaves, as
`shared.core.ledger.next_action` says. The submission's `state` is the outcome; raised is only what kept it
from being recorded, and what kept it from being begun.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from shared.core.ledger import (
    MOST_SUBMISSIONS,
    Action,
    Record,
    Repeated,
    State,
    Submission,
    next_action,
)
from shared.core.ledger import Answer as KeptAnswer
from shared.core.matching import Absent, Ambiguous
from shared.errors import (
    AppError,
    BlobBlockedError,
    InvalidInputError,
    KeyReusedError,
    NotConfiguredError,
    NotSentError,
    NotVisibleYetError,
    OrderBusyError,
    OutcomeUnknownError,
    PartnerCenterError,
    RefusedError,
    SourceFailedError,
    StorageError,
    StorageUnknownError,
    ThrottledError,
    TokenError,
    TokenRejectedError,
    Violation,
)
from shared.partner_center.wire import Deadline, RequestIds
from shared.services.operation import (
    Failure,
    ForeignAnswerError,
    Found,
    Operation,
    Outcome,
    Reconciliation,
    Snapshot,
    Unproved,
    kept_refusal,
    partner_ids,
)
from shared.storage.blobs import Clock
from shared.storage.ledger import LedgerStore, MovedError, Stored

log = logging.getLogger(__name__)

GIVE_UP = timedelta(hours=24)
"""After this long without success a submission is a person's to look at; nothing is retried for ever."""

PATIENCE = 30.0
"""Most seconds that one invocation waits by itself between attempts; longer waits are the worker's."""

REFUSED_FOR_NOW = 600.0
"""Seconds until what a passing refusal kept back is tried again; then twice as long."""

LONGEST_WAIT = timedelta(hours=6)
"""Repeated silence makes the waits grow, up to this."""

APPEARS_WITHIN = timedelta(minutes=20)
"""A new order can be unknown to Partner Center for up to 15 minutes; so long "no such order" is no refusal.
https://learn.microsoft.com/en-us/partner-center/developer/get-all-of-a-customer-s-orders"""

SNAPSHOT_AGE = timedelta(seconds=30)
"""An older snapshot is taken again before anything is sent."""

MOST_DEATHS = 3
"""So many claims of one submission may expire before a person looks: it may be what kills the worker."""

SAME_ANSWER = 3
"""So often Partner Center may give the same answer to one MS-RequestId before another id is right."""

_BUSY_PATIENCE = 10.0
_BUSY_PAUSE = 1.0
_MOST_STEPS = 24


class _Attempt(NamedTuple):
    """What one sending came to: `wait` is set when it is worth another in this invocation."""

    stored: Stored
    error: Failure | None = None
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Executor:
    """The engine. A claim outlives its holder's deadline by `margin`: the most that clocks may differ."""

    ledger: LedgerStore
    clock: Clock
    sleep: Callable[[float], None]
    new_id: Callable[[], str]
    margin: timedelta

    def run(
        self, op: Operation, correlation_id: str, deadline: Deadline, stored: Stored | None = None
    ) -> Outcome:
        """Make it happen, or say what became of it. `stored` is the record, if it was read just now.

        Raises KeyReusedError, OrderBusyError (another submission of the order is in flight), LookupError
        (there is no such submission, and no content to make one), PartnerCenterError and NotConfiguredError
        (what the order had before could not be read): in all these cases nothing was recorded or sent. Raises
        StorageUnknownError when a claim may stand that nobody knows the end of, StorageError when none does.
        """
        return _Run(self, op, correlation_id, deadline, stored).outcome()

    def resolve(self, op: Operation, stored: Stored, digest: str, deadline: Deadline) -> Stored:
        """Rule 5: ask Partner Center about a submission in flight, and leave its state only by what is
        proved.

        Raises MovedError when somebody else changed the record meanwhile, StorageError.
        """
        own = stored.own(digest)
        view = _presumed_dead(own, op.visibility) if own.state is State.CLAIMED else own
        after = self.concluded(view, own, self.ask(op, stored.record, view, deadline), op.visibility)
        return self.ledger.swap(stored, after)

    def ask(self, op: Operation, record: Record, view: Submission, deadline: Deadline) -> Reconciliation:
        """What Partner Center shows of a submission; Unproved when it cannot be asked or understood."""
        try:
            return op.reconcile(record, view, deadline)
        except (PartnerCenterError, NotConfiguredError) as error:
            return Unproved(f"Partner Center could not be asked: {error}")
        except BlobBlockedError as error:  # a record that cannot be read may own what is there
            return Unproved(str(error))
        except StorageError:
            raise
        except Exception as error:  # an odd answer, an unreadable neighbour: it ends in review, not in a loop
            log.exception("what Partner Center shows of %s cannot be understood", record.key)
            return Unproved(f"what Partner Center shows cannot be understood ({type(error).__name__})")

    def concluded(
        self, view: Submission, own: Submission, finding: Reconciliation, visibility: timedelta
    ) -> Submission:
        """The submission after a look at Partner Center. `view` is `own` with what is known since."""
        now = self.clock()
        carried = {name: getattr(view, name) for name in _SILENCE}

        def to(state: State, detail: str, **changes: Any) -> Submission:  # noqa: ANN401
            return own.to(state, now, self.new_id(), detail, **(carried | changes))

        if isinstance(finding, Found):
            ours: dict[str, Any] = {
                "answer": finding.answer,
                "ids": finding.ids,
                "verified": finding.verified,
            }
            return to(State.DONE, "found at Partner Center", **ours)
        detail = "not at Partner Center" if isinstance(finding, Absent) else finding.detail
        absent_after = view.absent_after or now
        if view.deaths >= MOST_DEATHS:
            return to(State.REVIEW, f"the worker stopped {view.deaths} times while it sent this; {detail}")
        if isinstance(finding, Unproved) or now < absent_after:
            return self._later(own, to, detail, absent_after)
        if isinstance(finding, Ambiguous):
            return to(State.REVIEW, detail)
        if own.state is State.ACCEPTED:
            return to(State.REVIEW, "Partner Center accepted it and does not show it")
        return self._absent(view, to, now, visibility)

    def _later(
        self, own: Submission, to: Callable[..., Submission], detail: str, absent_after: datetime
    ) -> Submission:
        """Ask again: the longer it lasts the more rarely, and when absence begins to count."""
        now = self.clock()
        if now - own.since > GIVE_UP:
            return to(State.REVIEW, f"not resolved within {_hours(GIVE_UP)}: {detail}")
        age = max((now - own.created).total_seconds(), 5.0)
        due = now + timedelta(seconds=min(age, 900.0))
        if now < absent_after < due:
            due = absent_after
        state = State.ACCEPTED if own.state is State.ACCEPTED else State.UNKNOWN
        return to(state, detail, due=due, absent_after=absent_after)

    def _absent(
        self, view: Submission, to: Callable[..., Submission], now: datetime, visibility: timedelta
    ) -> Submission:
        """It is proved absent: it may be sent again, with the same MS-RequestId as long as that makes
        sense."""
        again = view.repeated
        stuck = again is not None and again.times >= SAME_ANSWER and now - again.first > visibility
        if stuck and again is not None and again.answer.startswith(("3", "4")):
            return to(
                State.REVIEW,
                f"Partner Center answered {again.answer} {again.times} times, and it is not there",
            )
        auto = bool(view.sources) or (view.order is not None and not view.order.user)
        changes: dict[str, Any] = {"same_id": False, "repeated": None} if stuck else {}
        waits = "" if auto else "; send it again"
        return to(
            State.PENDING, f"proved absent at Partner Center{waits}", due=now if auto else None, **changes
        )


_SILENCE = ("first_silent", "same_id", "silences", "repeated", "deaths", "answer")
"""What is known of a silence, and stays with the submission; of an answer that tells nothing its ids."""


@dataclass(slots=True)
class _Run:
    """One run of an operation."""

    executor: Executor
    op: Operation
    correlation_id: str
    deadline: Deadline
    stored: Stored | None = None
    snapshot: Snapshot | None = None
    deferral: Failure | None = None
    waited: float = 0.0
    busy: float = 0.0
    token_replayed: bool = False
    looked: bool = False
    """Whether Partner Center was asked just now about what is to be sent again, and it is not there."""

    def outcome(self) -> Outcome:
        """Go on until there is one. What cannot be sent now, and will be later without being asked for again,
        is open: that nothing is done would not be true."""
        try:
            return self._go_on()
        except StorageError:
            raise
        except AppError:
            own = self._own()
            if self.op.source is not None or own is None or not own.open or own.due is None:
                raise
            assert self.stored
            return Outcome(self.stored.record, own, replayed=True)

    def _go_on(self) -> Outcome:
        self._begin()
        for _ in range(_MOST_STEPS):
            try:
                outcome = self._step()
            except MovedError as moved:
                if moved.current is None:
                    raise
                self.stored, self.looked = moved.current, False
                self.executor.sleep(random.uniform(0.0, 0.1))  # noqa: S311 - only to part those who collide
                continue
            except StorageUnknownError:
                raise
            except StorageError as error:
                if self._is_open():  # it may be sent by whoever works next: that nothing is done is not true
                    raise StorageUnknownError(str(error)) from error
                raise
            if outcome is not None:
                return outcome
        raise OrderBusyError("too many submissions of this order come together; nothing was sent", 5)

    def _is_open(self) -> bool:
        """Whether the submission was there before and is not at its end, as far as storage says."""
        with suppress(StorageError, NotConfiguredError):
            self.stored = self.stored or self.executor.ledger.read(self.op.blank.key)
        own = self._own()
        return own is not None and own.open

    def _own(self) -> Submission | None:
        return self.stored.record.submissions.get(self.op.digest) if self.stored else None

    def _begin(self) -> None:
        if self.op.can_send:
            try:
                self.snapshot = self._take_snapshot()
            except (PartnerCenterError, NotConfiguredError) as error:
                self.deferral = error
        if self.snapshot is None and self.stored is None:
            self.stored = self.executor.ledger.read(self.op.blank.key)

    def _step(self) -> Outcome | None:
        op, record = self.op, self.stored.record if self.stored else self.op.blank
        own = record.submissions.get(op.digest)
        if record.kind == "order" and record.submissions and own is None:
            raise KeyReusedError(
                "this Idempotency-Key was used for another body; use a new key for a new order"
            )
        if own is None and not op.can_send:
            raise LookupError(op.digest)
        again = own is not None and op.asks_again(own)
        action = next_action(
            record, op.digest, self.executor.clock(), asked_again=again, can_send=op.can_send
        )
        if action is Action.RESOLVE:
            holder = record.holder()
            assert self.stored
            assert holder
            self.snapshot = None  # what is seen now is newer, also where it cannot be recorded
            self.stored = self.executor.resolve(op, self.stored, holder.digest, self.deadline)
            self.looked = holder is own
            return None
        if action is Action.SEND:
            return self._send(record, own)
        if own is None or (action is Action.BUSY and op.can_send):
            self._wait_for(record)
            return None
        return Outcome(record, own, replayed=True)

    def _wait_for(self, record: Record) -> None:
        """Another submission is in flight: a drop comes again later, an HTTP request waits a little."""
        holder, now = record.holder(), self.executor.clock()
        assert holder
        left = (holder.due - now).total_seconds() if holder.due else 0.0
        patience = min(_BUSY_PATIENCE, self.deadline.remaining() / 4)
        # a claim can end at any moment, what is unknown or accepted moves when it is due
        pause = max(_BUSY_PAUSE, self.busy if holder.state is State.CLAIMED else left)
        if self.op.source is not None or self.busy + pause > patience:
            raise OrderBusyError(
                "another submission of this order is in flight; nothing of this one was sent",
                max(5, min(60, int(left) + 1)),
            )
        self.executor.sleep(pause)
        self.busy += pause
        self.stored = self.executor.ledger.read(record.key)

    def _send(self, record: Record, own: Submission | None) -> Outcome | None:
        op = self.op
        spent = op.superseded_by(record)
        if spent is not None:
            return Outcome(record, spent, replayed=True, superseded=True)
        if self.deferral is not None:
            raise self.deferral
        if own is None and len(record.submissions) >= MOST_SUBMISSIONS:
            raise InvalidInputError(
                [Violation("", f"this order has {MOST_SUBMISSIONS} submissions already; no more are taken")]
            )
        if self.deadline.remaining() < op.seconds_needed:
            raise NotSentError("Too little time is left to send these documents; nothing was sent.")
        if own is not None and own.first_silent is not None:
            # its base stays; the look that proves it absent comes right before the claim
            if not self.looked and _unexplained(own, record, self._fresh_snapshot(record)):
                self._look_again(own)
                return None
            snapshot = None
        else:
            snapshot = self._fresh_snapshot(record)
        claim = self._claim(record, own, snapshot)
        self.stored = self.executor.ledger.claim(self.stored, record.put(claim), op.digest)
        return self._attempted(self._attempt(self.stored))

    def _fresh_snapshot(self, record: Record) -> Snapshot:
        """A snapshot that is young, and not older than what was sent for the order meanwhile: what the ids of
        others do not tell, such as those of one that went to review, is in it."""
        taken = self.snapshot.taken if self.snapshot else None
        told = (s for s in record.submissions.values() if s.digest != self.op.digest or s.first_silent)
        changed = max((s.changed for s in told), default=None)
        late = taken and (self.executor.clock() - taken > SNAPSHOT_AGE or (changed and changed >= taken))
        if self.snapshot is None or late:
            self.snapshot = self._take_snapshot()
        return self.snapshot

    def _take_snapshot(self) -> Snapshot:
        return self.op.take_snapshot(RequestIds(self.executor.new_id(), self.correlation_id), self.deadline)

    def _look_again(self, own: Submission) -> None:
        """Something is new since the silence: it is asked about before anything is sent again."""
        assert self.stored
        now = self.executor.clock()
        after = own.to(
            State.UNKNOWN,
            now,
            self.executor.new_id(),
            "the order has attachments that nobody accounts for",
            due=now,
            absent_after=now,
        )
        self.stored = self.executor.ledger.swap(self.stored, after)
        self.snapshot = None

    def _claim(self, record: Record, own: Submission | None, snapshot: Snapshot | None) -> Submission:
        now, new_id = self.executor.clock(), self.executor.new_id
        lease = timedelta(seconds=self.deadline.remaining()) + self.executor.margin
        changes: dict[str, Any] = {"due": now + lease, "correlation_id": self.correlation_id}
        if snapshot is not None:
            everything = {i for s in record.submissions.values() for i in s.ids}
            known = snapshot.ids is not None
            changes["base"] = tuple(sorted({*(snapshot.ids or ()), *everything})) if known else None
            changes["base_denied"] = snapshot.denied
        if own is None:
            first = Submission(
                digest=self.op.digest,
                state=State.CLAIMED,
                revision=new_id(),
                request_id=new_id(),
                created=now,
                changed=now,
                since=now,
                **changes,
            )
            return self.op.describe(first)
        request_id = own.request_id if own.same_id else new_id()
        attempt = own.attempt + 1
        again = own.to(
            State.CLAIMED,
            now,
            new_id(),
            f"attempt {attempt}",
            attempt=attempt,
            request_id=request_id,
            **changes,
        )
        return self.op.describe(again)

    def _attempted(self, attempt: _Attempt) -> Outcome | None:
        """Wait and try once more within reason, or tell."""
        self.stored = attempt.stored
        if attempt.wait is not None:
            self.executor.sleep(attempt.wait)
            self.waited, self.looked = self.waited + attempt.wait, False
            return None
        own = attempt.stored.own(self.op.digest)
        return Outcome(attempt.stored.record, own, error=attempt.error)

    def _attempt(self, stored: Stored) -> _Attempt:
        """Send once under the claim in `stored`, and record what came of it."""
        own = stored.own(self.op.digest)
        try:
            answer = self.op.send(own, self.deadline)
            found = self.op.accepted(stored.record, own, answer)
        except OutcomeUnknownError as error:
            return _Attempt(self._silence(stored, error))
        except ForeignAnswerError as error:
            foreign = NotSentError(str(error))
            return self._pending(stored, foreign, 1.0, definitive=True)
        except (NotSentError, ThrottledError, TokenRejectedError, NotConfiguredError) as error:
            return self._pending(stored, error, self._wait(error, own.attempt), definitive=False)
        except RefusedError as error:
            return self._refused(stored, error)
        if found is None:
            return _Attempt(self._accepted(stored, kept_ids(answer.status, answer.ids)))
        ours: dict[str, Any] = {"answer": found.answer, "ids": found.ids, "verified": found.verified}
        return _Attempt(self._note(stored, State.DONE, "accepted", **ours))

    def _refused(self, stored: Stored, error: RefusedError) -> _Attempt:
        own, now = stored.own(self.op.digest), self.executor.clock()
        if self.op.may_appear(error) and now - own.since < APPEARS_WITHIN:
            wait = min(max(30.0, (now - own.since).total_seconds() / 2), 300.0)
            return self._pending(stored, NotVisibleYetError(str(error)), wait, definitive=True)
        if self._retries(own) and error.passes:
            later = min(REFUSED_FOR_NOW * 2 ** min(own.attempt - 1, 8), LONGEST_WAIT.total_seconds())
            return self._pending(stored, error, later, definitive=error.from_service)
        after = own.to(
            State.REFUSED,
            now,
            self.executor.new_id(),
            str(error),
            answer=kept_refusal(error),
            actor=error.advice.actor,
            remedy=error.advice.remedy,
            same_id=own.same_id and not error.from_service,
        )
        return _Attempt(self._record(stored, after), error)

    def _retries(self, own: Submission) -> bool:
        """Whether the worker sends it later by itself: also where this time somebody else asked for what
        lies in a drop."""
        return self.op.auto_retry or bool(own.sources)

    def _wait(self, error: Failure, attempt: int) -> float | None:
        """Seconds until another attempt makes sense; None when something must change first."""
        if isinstance(error, ThrottledError):
            return error.retry_after
        if isinstance(error, TokenRejectedError):
            replayed, self.token_replayed = self.token_replayed, True
            return None if replayed else 0.0
        if isinstance(error, SourceFailedError):
            return None  # whoever has the documents looks again first
        if isinstance(error, NotConfiguredError) or (isinstance(error, TokenError) and not error.retryable):
            return None
        return float(min(2 ** min(attempt - 1, 9), 300))

    def _pending(self, stored: Stored, error: Failure, wait: float | None, *, definitive: bool) -> _Attempt:
        """Nothing was done. Whether this invocation tries again is decided before it is written down."""
        own, now = stored.own(self.op.digest), self.executor.clock()
        if now - own.since > GIVE_UP:
            detail = f"not sent within {_hours(GIVE_UP)}: {error}"
            review = own.to(State.REVIEW, now, self.executor.new_id(), detail)
            return _Attempt(self._record(stored, review), error)
        stays = wait is not None and self.waited + wait <= min(PATIENCE, self.deadline.remaining() / 2)
        due = now + timedelta(seconds=60.0 if wait is None else wait)
        after = own.to(
            State.PENDING,
            now,
            self.executor.new_id(),
            str(error),
            due=due if self._retries(own) else None,
            actor=error.actor,
            remedy=error.remedy,
            **({"same_id": False, "repeated": None} if definitive else {}),
        )
        stored = self._record(stored, after, ring=not stays)
        return _Attempt(stored, error, wait if stays else None)

    def _accepted(self, stored: Stored, answer: KeptAnswer) -> Stored:
        """A 2xx that does not show that all of it is there. Never sent again by itself: Partner Center is
        asked, now and once its list can be believed."""
        own, now = stored.own(self.op.digest), self.executor.clock()
        later = now + self.op.visibility
        detail = "accepted; the answer does not show all of it"
        waits: dict[str, Any] = {"due": later, "absent_after": later, "answer": answer}
        try:
            view = own.to(State.ACCEPTED, now, self.executor.new_id(), detail, **waits)
            finding = self.executor.ask(self.op, stored.record, view, self.deadline)
            if isinstance(finding, Found):
                ours: dict[str, Any] = {"answer": finding.answer, "ids": finding.ids}
                return self._note(stored, State.DONE, "accepted, and found at Partner Center", **ours)
        except MovedError:
            raise
        except StorageError:
            log.exception("what Partner Center shows of %s could not be judged", stored.record.key)
        return self._note(stored, State.ACCEPTED, detail, **waits)

    def _silence(self, stored: Stored, error: OutcomeUnknownError) -> Stored:
        """The request was sent, and no answer says what became of it. Often only the reply was lost, so
        Partner Center is asked at once. What storage does not take, the claim says once it has expired."""
        view = _silent(stored.own(self.op.digest), error, self.executor.clock(), self.op.visibility)
        for _ in range(3):
            own = stored.own(self.op.digest)
            try:
                finding = self.executor.ask(self.op, stored.record, view, self.deadline)
                after = self.executor.concluded(view, own, finding, self.op.visibility)
                if isinstance(finding, Unproved):
                    after = after.model_copy(update={"detail": f"{error} {finding.detail}"})
                return self.executor.ledger.swap(stored, after)
            except MovedError as moved:
                stored = moved.unless_changed(own)
            except StorageError:
                log.exception("no answer from Partner Center, and not recorded: %s", stored.record.key)
                return stored
        return stored

    def _note(self, stored: Stored, state: State, detail: str, **changes: Any) -> Stored:  # noqa: ANN401
        """Record that Partner Center took it, and say so even when storage does not take that: the answer is
        in hand, and who is told of a fault would send again what was done. The claim that stays behind
        expires, and asking Partner Center finds the same."""
        own = stored.own(self.op.digest)
        after = own.to(state, self.executor.clock(), self.executor.new_id(), detail, **changes)
        try:
            return self.executor.ledger.advance(stored, after)
        except MovedError:
            raise
        except StorageError:
            log.exception("answered by Partner Center, and not recorded: %s", stored.record.key)
            return Stored(stored.record.put(after), stored.etag)

    def _record(self, stored: Stored, after: Submission, *, ring: bool = True) -> Stored:
        """Record that nothing was done. Where storage does not take that, the claim stands, and may be sent
        when it has expired: whoever asked is told that it is open, and not that nothing was done."""
        try:
            return self.executor.ledger.advance(stored, after, ring=ring)
        except MovedError:
            raise
        except StorageError as error:
            raise StorageUnknownError(f"what became of it could not be recorded: {error}") from error


def kept_ids(status: int, ids: Any) -> KeptAnswer:  # noqa: ANN401 - SupportIds
    """An answer without its body, for what is open."""
    return KeptAnswer(status=status, ids=partner_ids(ids))


def _presumed_dead(own: Submission, visibility: timedelta) -> Submission:
    """A claim that expired: its holder may have sent it, up to the last moment of the claim."""
    assert own.due
    return own.model_copy(
        update={
            "deaths": own.deaths + 1,
            "silences": own.silences + 1,
            "first_silent": own.first_silent or own.changed,
            "same_id": True,
            "absent_after": own.due + visibility,
        }
    )


def _silent(own: Submission, error: OutcomeUnknownError, now: datetime, visibility: timedelta) -> Submission:
    """A claim whose POST got no answer that tells. Waits grow with each silence."""
    before, repeated = own.repeated, None
    if error.answer:
        same = before is not None and before.answer == error.answer and own.same_id
        repeated = Repeated(
            answer=error.answer,
            times=before.times + 1 if same and before else 1,
            first=before.first if same and before else now,
        )
    grown = min(visibility * 2 ** min(own.silences, 16), max(visibility, LONGEST_WAIT))
    return own.model_copy(
        update={
            "silences": own.silences + 1,
            "first_silent": own.first_silent or own.changed,
            "same_id": True,
            "repeated": repeated,
            "absent_after": now + grown,
            "answer": kept_ids(error.status, error.ids),
        }
    )


def _unexplained(own: Submission, record: Record, snapshot: Snapshot) -> bool:
    """Whether a snapshot before a re-send shows something that nobody accounts for, or shows nothing."""
    if snapshot.ids is None:
        return True
    return not set(snapshot.ids) <= {*(own.base or ()), *record.ids_of_others(own.digest)}


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:g} hours"
