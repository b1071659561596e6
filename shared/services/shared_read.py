"""One call for all who ask the same of Partner Center at the same time.

1. Whoever can be answered from what is known waits for nobody; no lock is held over a call.
2. Of those who need to know more, one asks. The others wait for that call, each until its own deadline at
   the longest, and share what it brings: an answer or a failure.
3. A failure that may lie with the caller's token is shared with callers of that token alone. Whoever has
   waited PATIENCE for a call with another token asks too, while fewer than MOST_CALLS are asking.
4. A caller whose own time ends takes nobody with it: another one of those who wait asks.
5. Those who come soon after a failure share it too, so a service that is down is not asked once per order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.clock import Deadline
from shared.core.errors import AppError, NotAppliedError, RefusedError, ThrottledError, TokenError

_T = TypeVar("_T")

FAILED = 5.0
"""Seconds for which a failed call is not tried again: long enough to spare a service that is down one call
per order, short enough that one which is back is used at once."""

LONGEST_CALL = 30.0
"""Seconds that a call may take with all its attempts. Others wait for it, so a connection that was lost must
not cost them the whole of a submission's time (REQUEST_SECONDS)."""

PATIENCE = 2.0
"""Seconds for which a caller waits for a call that carries somebody else's token. Getting a signed-in user's
token may be what takes long; the list itself comes within a second."""

MOST_CALLS = 4
"""Calls for the same thing that are under way at most, however many users are impatient: a quarter of the
connections (MAX_CALLS_IN_FLIGHT), so that a call that hangs leaves room for orders."""


@dataclass(frozen=True, slots=True)
class _Known(Generic[_T]):
    """A value, and when the call for it began, in seconds of the monotonic clock."""

    value: _T
    asked_at: float


@dataclass(frozen=True, slots=True)
class _Failure:
    """How a call failed, whose token it carried, and when it ended."""

    error: AppError
    asker: object
    at: float

    def raise_for(self, asker: object) -> None:
        """Raise the error, unless it is about a token that `asker` does not use."""
        if asker is self.asker or not _is_personal(self.error):
            raise _copy(self.error)


@dataclass(eq=False, slots=True)
class _SharedCall:
    """A call that is under way; `failure` is how it ended, if it failed."""

    asker: object
    failure: _Failure | None = None


class SharedRead(Generic[_T]):
    """Something that Partner Center is asked for by one caller and told to all: the rules are above.

    A caller is known by its PartnerCenter: all that use the same one use the same token.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._known: _Known[_T] | None = None
        self._failure: _Failure | None = None
        self._under_way: list[_SharedCall] = []

    def get(
        self,
        asker: object,
        suffices: Callable[[_T, float], bool],
        ask: Callable[[Deadline], _T],
        deadline: Deadline,
    ) -> _T:
        """Return what is known, if it `suffices` at its age in seconds, else what a call brings.

        Raises what `ask` raises, whoever called it; NotAppliedError when the deadline ends before that.
        """
        with self._changed:
            known = self._await(asker, suffices, deadline)
            if known is not None:
                return known.value
            call = _SharedCall(asker)
            self._under_way.append(call)
        return self._ask(call, ask, deadline)

    def _await(
        self, asker: object, suffices: Callable[[_T, float], bool], deadline: Deadline
    ) -> _Known[_T] | None:
        """What is known or becomes known; None when it falls to the caller to ask. `_changed` is held."""
        before, impatient_at, joined = self._known, deadline.clock() + PATIENCE, None
        while True:
            known = self._known
            if known is not None and (
                known is not before or suffices(known.value, self._monotonic() - known.asked_at)
            ):
                return known
            if joined is not None and joined.failure is not None:
                joined.failure.raise_for(asker)
            patience = impatient_at - deadline.clock()
            joined = self._call_to_wait_for(asker, patient=patience > 0)
            if joined is None:
                self._raise_recent_failure(asker)
                deadline.check()
                return None
            left = deadline.remaining()
            if left <= 0:
                raise NotAppliedError(
                    "Deadline exceeded while waiting for another request's call to Partner Center."
                )
            self._changed.wait(min(left, patience) if patience > 0 else left)

    def _call_to_wait_for(self, asker: object, *, patient: bool) -> _SharedCall | None:
        own = next((call for call in self._under_way if call.asker is asker), None)
        if own is None and self._under_way and (patient or len(self._under_way) >= MOST_CALLS):
            return self._under_way[-1]
        return own

    def _raise_recent_failure(self, asker: object) -> None:
        if self._failure is not None and self._monotonic() - self._failure.at <= FAILED:
            self._failure.raise_for(asker)

    def _ask(self, call: _SharedCall, ask: Callable[[Deadline], _T], deadline: Deadline) -> _T:
        until = Deadline(min(deadline.at, deadline.clock() + LONGEST_CALL), deadline.clock)
        known, asked_at = None, self._monotonic()
        try:
            known = _Known(ask(until), asked_at)
            return known.value
        except AppError as error:
            if deadline.remaining() > 0:  # else it is this caller's time that was up, not the others'
                call.failure = _Failure(_copy(error), call.asker, self._monotonic())
            raise
        finally:
            with self._changed:
                self._end(call, known)

    def _end(self, call: _SharedCall, known: _Known[_T] | None) -> None:
        if known is not None and (self._known is None or self._known.asked_at <= known.asked_at):
            self._known, self._failure = known, None
        elif call.failure is not None and _is_remembered(call.failure.error):
            self._failure = call.failure
        self._under_way.remove(call)
        self._changed.notify_all()


def _is_personal(error: AppError) -> bool:
    """Whether the error may be one of the caller's token, and another caller may fare better."""
    if isinstance(error, RefusedError):
        return error.status in (401, 403)
    return isinstance(error, TokenError) or not isinstance(error, NotAppliedError)


def _is_remembered(error: AppError) -> bool:
    """Whether the failure is remembered here: tokens and rate limits have a memory of their own."""
    return isinstance(error, NotAppliedError | RefusedError) and not isinstance(
        error, TokenError | ThrottledError
    )


def _copy(error: AppError) -> AppError:
    """The error for one more caller: each has its own traceback, and none keeps the frames of another."""
    copy = type(error).__new__(type(error), *error.args)
    vars(copy).update(vars(error))
    return copy
