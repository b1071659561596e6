"""Make one call to Partner Center happen once: the ledger's rules, carried out.

`Executor.run` is the one way to send anything that must not be sent twice. It writes the claim, has it sent
(shared/services/sending.py), and sends again within reason; what it finds recorded already it answers,
resolves or leaves, as `shared.core.ledger.next_action` says. The submission's `state` is the outcome; raised
is only what kept it from being recorded, and what kept it from being begun.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.clock import Clock, Deadline
from shared.core.conclusions import concluded, presumed_dead
from shared.core.errors import (
    AppError,
    KeyReusedError,
    NotAppliedError,
    NotConfiguredError,
    OrderBusyError,
    OrderFullError,
    OrderNotWaitingError,
    PartnerCenterError,
    StorageError,
    StorageUnknownError,
    Violation,
)
from shared.core.ledger import HOLDING, MOST_SUBMISSIONS, Action, Record, State, Submission, next_action
from shared.partner_center.wire import RequestIds
from shared.services.operation import Failure, Operation, Outcome, Snapshot, try_reconcile
from shared.services.sending import Sending
from shared.storage.ledger_store import ConflictError, LedgerStore, VersionedRecord

SNAPSHOT_AGE = timedelta(seconds=30)
"""An older snapshot is taken again before anything is sent."""

_BUSY_PATIENCE = 10.0
_BUSY_PAUSE = 1.0
_MOST_STEPS = 24


@dataclass(frozen=True, slots=True)
class Executor:
    """The engine. A claim outlives its holder's deadline by `margin`: the most that clocks may differ."""

    ledger: LedgerStore
    clock: Clock
    sleep: Callable[[float], None]
    new_id: Callable[[], str]
    margin: timedelta

    def run(
        self, op: Operation, correlation_id: str, deadline: Deadline, stored: VersionedRecord | None = None
    ) -> Outcome:
        """Make it happen, or say what became of it. `stored` is the record, if it was read just now.

        Raises KeyReusedError, OrderBusyError (another submission of the order is in flight), LookupError
        (there is no such submission, and no content to make one), PartnerCenterError and NotConfiguredError
        (what the order had before could not be read): in all these cases nothing was recorded or sent. Raises
        StorageUnknownError when a claim may stand that nobody knows the end of, StorageError when none does.
        """
        sending = Sending(self.ledger, self.clock, self.new_id, self.margin, op, deadline)
        return _Run(self, op, correlation_id, deadline, sending, stored).outcome()

    def resolve(
        self, op: Operation, stored: VersionedRecord, digest: str, deadline: Deadline
    ) -> VersionedRecord:
        """Rule 5: ask Partner Center about a submission in flight, and leave its state only by what is
        proved.

        Raises ConflictError when somebody else changed the record meanwhile, StorageError.
        """
        own, asked = stored.own(digest), self.clock()
        view = presumed_dead(own, op.visibility) if own.state is State.CLAIMED else own
        finding = try_reconcile(op, stored.record, view, deadline)
        after = concluded(view, finding, op.visibility, asked, self.clock(), self.new_id())
        return self.ledger.swap(stored, after)


@dataclass(slots=True)
class _Run:
    """One run of an operation."""

    executor: Executor
    op: Operation
    correlation_id: str
    deadline: Deadline
    sending: Sending
    stored: VersionedRecord | None = None
    snapshot: Snapshot | None = None
    deferral: Failure | None = None
    busy: float = 0.0
    """Seconds that were waited for another submission of the order."""
    wanted: bool = False
    """Whether Partner Center is known to have a use for it."""
    proved_absent: bool = False
    """Whether Partner Center was asked just now about what is to be sent again, and it is not there."""

    def outcome(self) -> Outcome:
        """Go on until there is one. What cannot be sent now, and will be later without being asked for again,
        is open: that nothing is done would not be true."""
        try:
            return self._run_steps()
        except StorageError:
            raise
        except AppError as error:
            own = self._own()
            if self.op.source is not None or own is None or not own.open or own.due is None:
                raise
            assert self.stored
            return Outcome(self.stored.record, own, replayed=True, error=error.with_traceback(None))

    def _run_steps(self) -> Outcome:
        self._begin()
        for _ in range(_MOST_STEPS):
            try:
                outcome = self._step()
            except ConflictError as moved:
                if moved.current is None:
                    raise
                self.stored, self.proved_absent = moved.current, False
                self.executor.sleep(random.uniform(0.0, 0.1))  # noqa: S311 - only to part those who collide
                continue
            except StorageUnknownError:
                raise
            except StorageError as error:
                if self._is_open():  # it may be sent by whoever works next: that nothing is done is not true
                    raise StorageUnknownError.because_of(error, str(error)) from error
                raise
            if outcome is not None:
                return outcome
        raise OrderBusyError("too many submissions for this order arrived at once; this one was not sent", 5)

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
                self.deferral = error.with_traceback(None)  # or its frames would keep the documents
        if self.snapshot is None and self.stored is None:
            self.stored = self.executor.ledger.read(self.op.blank.key)

    def _step(self) -> Outcome | None:
        op, record = self.op, self.stored.record if self.stored else self.op.blank
        own = record.submissions.get(op.digest)
        if record.kind == "order" and record.submissions and own is None:
            raise KeyReusedError(
                "this Idempotency-Key was already used with a different body; use a new key for a new order"
            )
        if own is None and not op.can_send:
            raise LookupError(op.digest)
        again = own is not None and op.retries_refused(own)
        action = next_action(
            record, op.digest, self.executor.clock(), retry_refused=again, can_send=op.can_send
        )
        if action is Action.RESOLVE:
            holder = record.holder()
            assert self.stored
            assert holder
            self.snapshot = None  # what is seen now is newer, also where it cannot be recorded
            self.stored = self.executor.resolve(op, self.stored, holder.digest, self.deadline)
            self.proved_absent = holder is own
            return None
        first = None
        if action is Action.SEND:
            # what was silent goes before what resembles it: its late traces would be taken for the other's
            first = op.goes_first(record)
            if first is None:
                return self._send(record, own)
        elif own is None or (action is Action.BUSY and op.can_send):
            first = record.holder()
        if first is not None:
            self._wait_for(record, first)
            return None
        assert own
        return Outcome(record, own, replayed=True)

    def _wait_for(self, record: Record, first: Submission) -> None:
        """Another submission is in flight, or goes first: a drop comes again later, an HTTP request waits a
        little."""
        now = self.executor.clock()
        left = (first.due - now).total_seconds() if first.due else 0.0
        patience = min(_BUSY_PATIENCE, self.deadline.remaining() / 4)
        # a claim can end at any moment, what is unknown or accepted moves when it is due
        pause = max(_BUSY_PAUSE, self.busy if first.state is State.CLAIMED else left)
        if self.op.source is not None or self.busy + pause > patience:
            why = "is in flight" if first.state in HOLDING else "got no answer and goes first"
            raise OrderBusyError(
                f"another submission for this order {why}; this one was not sent",
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
            raise OrderFullError(
                [Violation("", f"this order has {MOST_SUBMISSIONS} submissions already, the maximum")]
            )
        if not self._is_wanted(record, own):
            return None
        if self.deadline.remaining() < op.seconds_needed:
            raise NotAppliedError("Not enough time is left to send these documents; nothing was sent.")
        if own is not None and own.first_silent is not None:
            # its base stays; the look that proves it absent comes right before the claim
            if not self.proved_absent and _unexplained(own, record, self._fresh_snapshot(record)):
                self._reconcile_first(own)
                return None
            snapshot = None
        else:
            snapshot = self._fresh_snapshot(record)
        claim = self._claim(record, own, snapshot)
        self.stored = self.executor.ledger.claim(self.stored, record.put(claim), op.digest)
        self.stored, error, wait = self.sending.attempt(self.stored)
        if error is not None:
            error.__traceback__ = None  # as above
        if wait is not None:
            self.executor.sleep(wait)
            self.proved_absent = False
            return None
        return Outcome(self.stored.record, self.stored.own(op.digest), error=error)

    def _fresh_snapshot(self, record: Record) -> Snapshot:
        """A snapshot that is young, and not older than what was sent for the order meanwhile: what the ids of
        others do not tell, such as those of one that went to review, is in it."""
        taken = self.snapshot.taken if self.snapshot else None
        relevant = (s for s in record.submissions.values() if s.digest != self.op.digest or s.first_silent)
        changed = max((s.changed for s in relevant), default=None)
        late = taken and (self.executor.clock() - taken > SNAPSHOT_AGE or (changed and changed >= taken))
        if self.snapshot is None or late:
            self.snapshot = self._take_snapshot()
        return self.snapshot

    def _take_snapshot(self) -> Snapshot:
        return self.op.take_snapshot(self._ids(), self.deadline)

    def _is_wanted(self, record: Record, own: Submission | None) -> bool:
        """Ask, once, before the first POST, whether Partner Center has a use for it. False when there is a
        record that was not read yet: what stands there comes first. Raises OrderNotWaitingError."""
        sent = own is not None and (own.state is not State.REFUSED or own.first_silent is not None)
        if sent or self.wanted or not self.op.asks_first:
            return True
        empty = self.snapshot is not None and self.snapshot.ids == ()
        if not empty and self._finds_record():  # whose documents are there has a record
            return False
        try:
            self.op.check_wanted(record, self._ids(), self.deadline)
        except OrderNotWaitingError:
            if self._finds_record():
                return False
            raise
        self.wanted = True
        return True

    def _finds_record(self) -> bool:
        """Whether there is a record that was not read yet."""
        if self.stored is None:
            self.stored = self.executor.ledger.read(self.op.blank.key)
            return self.stored is not None
        return False

    def _ids(self) -> RequestIds:
        return RequestIds(self.executor.new_id(), self.correlation_id)

    def _reconcile_first(self, own: Submission) -> None:
        """Something may be new since the silence: it is asked about before anything is sent again."""
        assert self.stored
        now = self.executor.clock()
        after = own.to(
            State.UNKNOWN,
            now,
            self.executor.new_id(),
            "checking Partner Center before it is sent again",
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
            # a list can lag behind the ledger: what is recorded is older than this POST all the same
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
            return self.op.describe(first, self.deadline)
        # after silence the id stays: the POST that was silent may have been carried out under it (rule 7)
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
        return self.op.describe(again, self.deadline)


def _unexplained(own: Submission, record: Record, snapshot: Snapshot) -> bool:
    """Whether a snapshot before a re-send shows something that nobody accounts for, or shows nothing."""
    if snapshot.ids is None:
        return True
    return not set(snapshot.ids) <= {*(own.base or ()), *record.ids_of_others(own.digest)}
