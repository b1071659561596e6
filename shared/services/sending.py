"""Send under a claim, and record what came of it.

What is known to be done or not done is recorded as such; what is not known is asked about at once, since
often only the reply was lost. What could not be recorded is never reported otherwise than it is: the
claim stays, and expires.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from shared.clock import Clock, Deadline
from shared.core.conclusions import GIVE_UP, LONGEST_WAIT, Found, Unproved, concluded, hours, silent
from shared.core.errors import (
    IncompleteDocumentError,
    NotAppliedError,
    NotConfiguredError,
    NotVisibleYetError,
    OutcomeUnknownError,
    RefusedError,
    SourceFailedError,
    StorageError,
    StorageUnknownError,
    ThrottledError,
    TokenError,
    TokenRejectedError,
)
from shared.core.ledger import State, Submission
from shared.partner_center.wire import Answer
from shared.services.operation import (
    Failure,
    ForeignAnswerError,
    Operation,
    recorded_ids,
    recorded_refusal,
    try_reconcile,
)
from shared.storage.ledger_store import ConflictError, LedgerStore, VersionedRecord

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0
"""Most seconds that one invocation waits by itself between attempts; longer waits are the worker's."""

REFUSED_FOR_NOW = 600.0
"""Seconds until what a passing refusal kept back is tried again; then twice as long."""

APPEARS_WITHIN = timedelta(minutes=20)
"""A new order can be unknown to Partner Center for up to 15 minutes; so long "no such order" is no refusal.
https://learn.microsoft.com/en-us/partner-center/developer/get-all-of-a-customer-s-orders"""


class Attempt(NamedTuple):
    """What one sending came to: `wait` is set when it is worth another in this invocation."""

    stored: VersionedRecord
    error: Failure | None = None
    wait: float | None = None


@dataclass(slots=True)
class Sending:
    """The attempts that one invocation makes of a submission."""

    ledger: LedgerStore
    clock: Clock
    new_id: Callable[[], str]
    margin: timedelta
    op: Operation
    deadline: Deadline
    waited: float = 0.0
    token_replayed: bool = False

    def attempt(self, stored: VersionedRecord) -> Attempt:
        """Send once under the claim in `stored`, and record what came of it.

        Raises StorageUnknownError when it could not be recorded that nothing was done, ConflictError when the
        claim was taken for dead meanwhile.
        """
        own = stored.own(self.op.digest)
        try:
            answer = self.op.send(own, self.deadline, lambda: self._check(own))
            found = self.op.accepted(stored.record, own, answer)
        except OutcomeUnknownError as error:
            return Attempt(self._silence(stored, error))
        except ForeignAnswerError as error:
            return self._pending(stored, NotAppliedError(str(error)), 1.0, definitive=True)
        except IncompleteDocumentError as error:
            turn = {"actor": error.actor, "remedy": error.remedy, "incomplete": True}
            after = self._to(own, State.REFUSED, str(error), **turn)
            return Attempt(self._record(stored, after), error)
        except (NotAppliedError, ThrottledError, TokenRejectedError, NotConfiguredError) as error:
            return self._pending(stored, error, self._wait(error, own.attempt), definitive=False)
        except RefusedError as error:
            return self._refused(stored, error)
        if found is None:
            return Attempt(self._accepted(stored, answer))
        return Attempt(self._note(stored, self._to(own, State.DONE, "accepted", **found.changes())))

    def _check(self, own: Submission) -> None:
        """The closing bytes stay back when the claim is about to expire, whatever the monotonic clock says:
        the process may have been frozen."""
        if own.due is None or self.clock() > own.due - self.margin:
            raise NotAppliedError("The claim was about to expire before the request was fully sent.")

    def _to(self, own: Submission, state: State, detail: str, **changes: Any) -> Submission:  # noqa: ANN401
        return own.to(state, self.clock(), self.new_id(), detail, **changes)

    def _accepted(self, stored: VersionedRecord, answer: Answer) -> VersionedRecord:
        """A 2xx that does not show that all of it is there. Never sent again by itself: Partner Center is
        asked, now and once its list can be believed."""
        own, later = stored.own(self.op.digest), self.clock() + self.op.visibility
        after = self._to(
            own,
            State.ACCEPTED,
            "accepted, but the answer does not list all of it",
            due=later,
            absent_after=later,
            answer=recorded_ids(answer),
        )
        try:
            finding = try_reconcile(self.op, stored.record, after, self.deadline)
        except StorageError:
            log.exception("Partner Center's answer about %s could not be judged", stored.record.key)
        else:
            if isinstance(finding, Found):
                after = self._to(
                    own, State.DONE, "accepted, and found at Partner Center", **finding.changes()
                )
        return self._note(stored, after)

    def _silence(self, stored: VersionedRecord, error: OutcomeUnknownError) -> VersionedRecord:
        """The request was sent, and its outcome is unknown. Usually only the reply was lost, so Partner
        Center is asked at once. Where the result cannot be recorded, the claim stays, and expires."""
        own, visibility = stored.own(self.op.digest), self.op.visibility
        view = silent(own, error, self.clock(), visibility)
        for _ in range(3):
            try:
                asked = self.clock()
                finding = try_reconcile(self.op, stored.record, view, self.deadline)
                if isinstance(finding, Unproved):
                    finding = Unproved(f"{error} {finding.detail}")
                after = concluded(view, finding, visibility, asked, self.clock(), self.new_id())
                return self.ledger.swap(stored, after)
            except ConflictError as moved:
                # others of the order changed: judge again, since they may own now what was found
                stored = moved.unless_changed(own)
            except StorageError:
                log.exception(
                    "Partner Center did not answer, and this could not be recorded: %s", stored.record.key
                )
                return stored
        return stored

    def _refused(self, stored: VersionedRecord, error: RefusedError) -> Attempt:
        own = stored.own(self.op.digest)
        age = self.clock() - own.since
        # the service behind the gateway answered (definitive): the MS-RequestId of a silence is used up
        if self.op.may_appear(error) and age < APPEARS_WITHIN:
            wait = min(max(30.0, age.total_seconds() / 2), 300.0)
            return self._pending(stored, NotVisibleYetError(str(error)), wait, definitive=True)
        if self._retries(own) and error.passes:
            later = min(REFUSED_FOR_NOW * 2 ** min(own.attempt - 1, 8), LONGEST_WAIT.total_seconds())
            return self._pending(stored, error, later, definitive=error.from_service)
        after = self._to(
            own,
            State.REFUSED,
            str(error),
            answer=recorded_refusal(error),
            actor=error.actor,
            remedy=error.remedy,
            same_id=own.same_id and not error.from_service,
        )
        return Attempt(self._record(stored, after), error)

    def _pending(
        self, stored: VersionedRecord, error: Failure, wait: float | None, *, definitive: bool
    ) -> Attempt:
        """Nothing was done. Whether this invocation tries again is decided before it is written down."""
        own, now = stored.own(self.op.digest), self.clock()
        if now - own.since > GIVE_UP:
            detail = f"not sent within {hours(GIVE_UP)}: {error}"
            review = self._to(own, State.REVIEW, detail, remedy=error.remedy)
            return Attempt(self._record(stored, review), error)
        # half of what is left: the attempt after the wait needs time of its own
        stays = wait is not None and self.waited + wait <= min(LONGEST_PAUSE, self.deadline.remaining() / 2)
        due = now + timedelta(seconds=60.0 if wait is None else wait)
        after = self._to(
            own,
            State.PENDING,
            str(error),
            due=due if self._retries(own) else None,
            actor=error.actor,
            remedy=error.remedy,
            **({"same_id": False, "repeated": None} if definitive else {}),
        )
        stored = self._record(stored, after, ring=not stays)
        if not stays or wait is None:
            return Attempt(stored, error)
        self.waited += wait
        return Attempt(stored, error, wait)

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

    def _note(self, stored: VersionedRecord, after: Submission) -> VersionedRecord:
        """Record that Partner Center took it, and say so even when storage does not take that: the answer is
        in hand, and who is told of a fault would send again what was done. The claim that stays behind
        expires, and asking Partner Center finds the same."""
        try:
            return self.ledger.advance(stored, after)
        except ConflictError:
            raise
        except StorageError:
            log.exception("Partner Center answered, but this could not be recorded: %s", stored.record.key)
            return VersionedRecord(stored.record.put(after), stored.etag)

    def _record(self, stored: VersionedRecord, after: Submission, *, ring: bool = True) -> VersionedRecord:
        """Record that nothing was done. Where storage does not take that, the claim stands, and may be sent
        when it has expired: whoever asked is told that it is open, and not that nothing was done."""
        try:
            return self.ledger.advance(stored, after, ring=ring)
        except ConflictError:
            raise
        except StorageError as error:
            detail = f"the outcome could not be recorded: {error}"
            raise StorageUnknownError.because_of(error, detail) from error
