"""Make one call to Partner Center happen once: the ledger's rules, carried out.

`Submissions.run` is the one place that sends anything that must not be sent twice. It writes the claim,
sends, and records what came of it; what it finds recorded already it answers, resolves or leaves, as
`shared.ledger.next_step` says. The record's `state` is the outcome; only what storage itself fails to do
is raised.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.errors import (
    KeyReusedError,
    NotConfiguredError,
    NotSentError,
    OutcomeUnknownError,
    PartnerCenterError,
    RefusedError,
    SourceFailedError,
    StorageError,
    SupportIds,
    ThrottledError,
    TokenError,
    TokenRejectedError,
)
from shared.ledger import Record, State, Step, next_step
from shared.partner_center.wire import Answer, Deadline, RequestIds
from shared.services.effect import Effect, Failure, Found, Outcome, Unclear, kept_answer, refusal
from shared.storage.blobs import Clock
from shared.storage.ledger import LedgerStore, MovedError, Stored

log = logging.getLogger(__name__)

GIVE_UP = timedelta(hours=24)
"""After this long without success a submission is a person's to look at; nothing is retried for ever."""

PATIENCE = 30.0
"""Most seconds that one invocation waits by itself between attempts; longer waits are the sweep's."""

REFUSED_FOR_NOW = 600.0
"""Seconds until the sweep tries again what a refusal that passes by itself kept back; then twice as long."""

_MOST_STEPS = 12


class _AnothersError(NotSentError):
    """An answer came, and what it tells of is another request's."""


_ANSWERED = (RefusedError, _AnothersError)
"""After these the MS-RequestId is new (rule 6)."""


@dataclass(frozen=True, slots=True)
class Submissions:
    """The engine. `lease` must exceed the time a sender may take: it is the request's deadline and more."""

    ledger: LedgerStore
    clock: Clock
    sleep: Callable[[float], None]
    new_id: Callable[[], str]
    lease: timedelta

    def run(self, effect: Effect, correlation_id: str, deadline: Deadline) -> Outcome:
        """Make it happen, or tell what became of it.

        Raises KeyReusedError when the key stands for something else, StorageError when nothing can be
        recorded (and so nothing was sent, or the claim in the record tells that something may have been).
        """
        claim = effect.claim
        if effect.can_send:
            first = claim.record(self.clock(), self.new_id(), self.lease, self.new_id(), correlation_id)
            try:
                return self._send(effect, self.ledger.create(first), deadline)
            except MovedError as moved:
                stored: Stored | None = moved.current
        else:
            stored = self.ledger.read(claim.key)
            if stored is None:
                raise LookupError(claim.key)
        assert stored is not None
        if stored.record.digest != claim.digest:
            raise KeyReusedError(
                "this Idempotency-Key was used for another body; use a new key for a new order"
            )
        return self._continue(effect, stored, deadline)

    def _continue(self, effect: Effect, stored: Stored, deadline: Deadline) -> Outcome:
        """Go on from a record that was there before."""
        for _ in range(_MOST_STEPS):
            record = stored.record
            step = next_step(
                record, self.clock(), asked_again=effect.asks_again(record), can_send=effect.can_send
            )
            try:
                if step is Step.RESOLVE:
                    stored = self._resolve(effect, stored, deadline)
                elif step is Step.SEND and effect.can_send:
                    stored = self._take(effect, stored)
                    return self._send(effect, stored, deadline)
                elif step is Step.SEND:
                    stored = self._orphan(stored)
                else:
                    return Outcome(stored.record, replayed=True)
            except MovedError as moved:
                stored = moved.current
        return Outcome(stored.record, replayed=True)

    def _take(self, effect: Effect, stored: Stored) -> Stored:
        record = stored.record
        kept = record.state is State.READY and record.absent_after is not None
        request_id = record.request_id if kept else self.new_id()
        after = record.claimed(self.clock(), self.new_id(), self.lease, request_id, effect.claim)
        return self.ledger.advance(stored, after)

    def _orphan(self, stored: Stored) -> Stored:
        """Something is due to be sent, and its content was replaced or deleted. Nothing of it was done."""
        why = "the documents were replaced or deleted before they could be sent"
        answer = {"actor": "caller", "retryable": True, "remedy": "drop the documents again"}
        return self._to(stored, State.REFUSED, why, answer=answer)

    def _send(self, effect: Effect, stored: Stored, deadline: Deadline) -> Outcome:
        """Send under the claim in `stored`; wait and try again within reason; record what came of it."""
        waited, token_replayed = 0.0, False
        while True:
            record = stored.record
            ids = RequestIds(record.request_id, record.correlation_id)
            try:
                answer = effect.send(ids, deadline)
                self._check_own(effect, record, answer)
            except OutcomeUnknownError as error:
                return self._look_at_once(effect, stored, error, deadline)
            except (NotSentError, ThrottledError, TokenRejectedError, NotConfiguredError) as error:
                wait = self._wait(error, record.attempt, retried=token_replayed)
                stored = self._ready(effect, stored, error, wait)
                if wait is None or waited + wait > min(PATIENCE, deadline.remaining() / 2):
                    return Outcome(stored.record, error=error)
                token_replayed = token_replayed or isinstance(error, TokenRejectedError)
                self.sleep(wait)
                waited += wait
                try:
                    stored = self._take(effect, stored)
                except MovedError as moved:
                    return Outcome(moved.current.record, replayed=True)
            except RefusedError as error:
                if effect.resumes and error.passes:
                    later = min(REFUSED_FOR_NOW * 2 ** (record.attempt - 1), 6 * 3600.0)
                    return Outcome(self._ready(effect, stored, error, later).record, error=error)
                return Outcome(
                    self._noted(stored, State.REFUSED, str(error), answer=refusal(error)), error=error
                )
            else:
                return self._done(stored, answer, effect.doubt(answer))

    def _check_own(self, effect: Effect, record: Record, answer: Answer) -> None:
        """A MS-RequestId that is sent again may be answered with what the first sending did. When another
        record has adopted that meanwhile, as the twin that it is, this call has done nothing of its own."""
        if record.attempt > 1 and not all(self.ledger.adopt(own, record.key) for own in effect.owns(answer)):
            raise _AnothersError("Partner Center answered with what belongs to another request.")

    @staticmethod
    def _wait(error: Failure, attempt: int, *, retried: bool) -> float | None:
        """Seconds until another attempt makes sense; None when something must change first."""
        if isinstance(error, ThrottledError):
            return error.retry_after
        if isinstance(error, TokenRejectedError):
            return None if retried else 0.0
        if isinstance(error, SourceFailedError):
            return None  # whoever has the documents looks again first
        if isinstance(error, NotConfiguredError) or (isinstance(error, TokenError) and not error.retryable):
            return None
        return float(min(2 ** (attempt - 1), 300))

    def _done(self, stored: Stored, answer: Answer, doubt: str) -> Outcome:
        state = State.REVIEW if doubt else State.DONE
        return Outcome(self._noted(stored, state, doubt or "accepted", answer=kept_answer(answer)))

    def _noted(self, stored: Stored, state: State, why: str, **changes: Any) -> Record:  # noqa: ANN401
        """Record what Partner Center answered, and return the record even when storage does not take it:
        the answer is in hand, and who is told of a fault would send again what was done. The claim that
        stays behind expires, and asking Partner Center finds the same."""
        after = stored.record.to(state, self.clock(), self.new_id(), why, **changes)
        try:
            return self.ledger.advance(stored, after).record
        except MovedError:
            raise
        except StorageError:
            log.exception("answered by Partner Center, and not recorded: %s", stored.record.key)
            return after

    def _ready(self, effect: Effect, stored: Stored, error: Failure, wait: float | None) -> Stored:
        now = self.clock()
        if now - stored.record.trying_since > GIVE_UP:
            return self._to(stored, State.REVIEW, f"gave up after {GIVE_UP}: {error}")
        until = now + timedelta(seconds=max(wait, 1.0) if wait is not None else 60)
        return self._to(
            stored,
            State.READY,
            str(error),
            until=until if effect.resumes else None,
            absent_after=None if isinstance(error, _ANSWERED) else stored.record.absent_after,
        )

    def _unknown(self, effect: Effect, stored: Stored, why: str, ids: SupportIds) -> Stored:
        now = self.clock()
        told = {"ids": ids.told()} if ids.request_id or ids.correlation_id else None
        return self._to(stored, State.UNKNOWN, why, until=now, absent_after=now + effect.settle, answer=told)

    def _look_at_once(
        self, effect: Effect, stored: Stored, error: OutcomeUnknownError, deadline: Deadline
    ) -> Outcome:
        """Nobody likes to wait for the sweep: often the reply alone was lost, and asking shows it. When
        storage takes no record of it, the claim stays, and means the same once it has expired."""
        try:
            stored = self._unknown(effect, stored, str(error), error.ids)
            stored = self._resolve(effect, stored, deadline)
        except MovedError as moved:
            return Outcome(moved.current.record, replayed=True)
        except StorageError:
            log.exception("no answer from Partner Center, and not recorded: %s", stored.record.key)
        return Outcome(stored.record)

    def _resolve(self, effect: Effect, stored: Stored, deadline: Deadline) -> Stored:
        """Rule 4: ask, and leave `unknown` only by what the answer shows."""
        if stored.record.state is State.CLAIMED:
            why = "the claim expired: its holder did not live to record what came of the call"
            stored = self._unknown(effect, stored, why, SupportIds())
        record, now = stored.record, self.clock()
        assert record.absent_after is not None
        try:
            finding = effect.find(record, deadline)
        except (PartnerCenterError, NotConfiguredError) as error:
            return self._ask_later(stored, f"Partner Center could not be asked: {error}", record.absent_after)
        except StorageError:
            raise
        except Exception as error:  # an odd answer, an unreadable neighbour: it ends in review, not in a loop
            log.exception("the answer about %s cannot be understood", record.key)
            why = f"what Partner Center or the ledger says cannot be understood ({type(error).__name__})"
            return self._ask_later(stored, why, record.absent_after)
        if isinstance(finding, Found):
            if all(self.ledger.adopt(owned, record.key) for owned in finding.owns):
                answer = kept_answer(finding.answer)
                return self._to(stored, State.DONE, "found at Partner Center", answer=answer)
            return self._ask_later(stored, "what was found belongs to another request", record.absent_after)
        why = finding.why if isinstance(finding, Unclear) else ""
        if now < record.absent_after:  # what is being stored may show bit by bit
            return self._ask_later(stored, why or "not at Partner Center yet", record.absent_after)
        if why:
            return self._to(stored, State.REVIEW, why, answer=record.answer)
        return self._to(
            stored,
            State.READY,
            "provably not at Partner Center",
            until=now,
            absent_after=record.absent_after,
        )

    def _ask_later(self, stored: Stored, why: str, absent_after: datetime) -> Stored:
        record, now = stored.record, self.clock()
        if now - record.trying_since > GIVE_UP:
            return self._to(stored, State.REVIEW, f"gave up after {GIVE_UP}: {why}", answer=record.answer)
        age = max((now - record.created).total_seconds(), 5.0)
        until = now + timedelta(seconds=min(age, 900.0))
        if now < absent_after < until:
            until = absent_after
        return self._to(
            stored, State.UNKNOWN, why, until=until, absent_after=absent_after, answer=record.answer
        )

    def _to(self, stored: Stored, state: State, why: str, **changes: Any) -> Stored:  # noqa: ANN401
        after = stored.record.to(state, self.clock(), self.new_id(), why, **changes)
        return self.ledger.advance(stored, after)
