"""One call that must happen once, as the executor sees it, and what it can come to."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.clock import Deadline
from shared.core.conclusions import Found, Reconciliation, Unproved
from shared.core.errors import (
    AppError,
    BlobBlockedError,
    NotConfiguredError,
    NothingOrderedError,
    PartnerCenterError,
    RefusedError,
    StorageError,
)
from shared.core.ledger import Record, Submission
from shared.core.ledger_parts import PartnerIds, RecordedAnswer, Source
from shared.partner_center.wire import Answer, RequestIds

log = logging.getLogger(__name__)

Failure = PartnerCenterError | NotConfiguredError


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an order had before a POST: the ids of its attachments, None when they cannot be read."""

    taken: datetime
    ids: tuple[str, ...] | None = ()
    denied: str = ""


class Operation(Protocol):
    """One call that must happen once."""

    @property
    def blank(self) -> Record:
        """The record as it is before anything was claimed in it."""
        ...

    @property
    def digest(self) -> str:
        """Name of the submission in its record."""
        ...

    @property
    def source(self) -> Source | None:
        """The drop that the content lies in; None when it came over HTTP."""
        ...

    @property
    def visibility(self) -> timedelta:
        """How long after silence "not found" still does not mean "not there"."""
        ...

    @property
    def can_send(self) -> bool:
        """Whether the content is at hand; without it Partner Center can only be asked."""
        ...

    @property
    def auto_retry(self) -> bool:
        """Whether the worker may send it later by itself, nobody having been told that it failed."""
        ...

    @property
    def seconds_needed(self) -> float:
        """How long a POST of it may take; with less time left it is not begun."""
        ...

    def describe(self, claim: Submission, deadline: Deadline) -> Submission:
        """Put what is sent into a claim that is about to be written. Raises WrongUserError when whoever asks
        may not send it again, and what keeps it from being sent at all: then nothing is recorded."""
        ...

    def retries_refused(self, submission: Submission) -> bool:
        """Whether this wants anew what was refused, rather than passing by."""
        ...

    def may_appear(self, error: RefusedError) -> bool:
        """Whether what was refused as unknown may only be too new to be seen."""
        ...

    def take_snapshot(self, ids: RequestIds, deadline: Deadline) -> Snapshot:
        """Read what is there before the POST. Raises PartnerCenterError for what passes by itself."""
        ...

    @property
    def asks_first(self) -> bool:
        """Whether `check_wanted` is asked before the first POST."""
        ...

    def check_wanted(self, record: Record, ids: RequestIds, deadline: Deadline) -> None:
        """Raises OrderNotWaitingError when Partner Center has no use for it. What cannot be found out keeps
        nothing from being sent."""
        ...

    def superseded_by(self, record: Record) -> Submission | None:
        """The submission that was sent under the same signal: then this one waits for a new signal."""
        ...

    def goes_first(self, record: Record) -> Submission | None:
        """Another submission of the record that must be sent again before this one is sent."""
        ...

    def send(self, submission: Submission, deadline: Deadline, check: Callable[[], None]) -> Answer:
        """Make the call, once. `check` runs before each piece of the body leaves, and raises NotAppliedError
        when it must not leave any more. Raises PartnerCenterError."""
        ...

    def accepted(self, record: Record, submission: Submission, answer: Answer) -> Found | None:
        """What an accepting answer proves; None when it does not show that all of it is there.

        Raises ForeignAnswerError when the answer is another submission's.
        """
        ...

    def reconcile(self, record: Record, submission: Submission, deadline: Deadline) -> Reconciliation:
        """Ask Partner Center what became of a submission. Raises PartnerCenterError."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of a submission after `run`. `replayed`: it was there before, and nothing was sent now;
    `error`: why it was not sent; `superseded`: it was not sent, since its signal was spent by that one."""

    record: Record
    submission: Submission
    replayed: bool = False
    error: AppError | None = None
    superseded: bool = False


class ForeignAnswerError(AppError):
    """An answer came, and what it tells of is another submission's: this one has done nothing."""


def recorded_answer(answer: Answer) -> RecordedAnswer:
    """An answer as the record keeps it: the body as text, so that no digit of it changes."""
    body = answer.body.decode("utf-8-sig", "replace")
    return RecordedAnswer(status=answer.status, body=body, ids=PartnerIds.of(answer.ids))


def recorded_refusal(error: RefusedError) -> RecordedAnswer:
    """A refusal as the record keeps it."""
    return RecordedAnswer(
        status=error.status,
        body=error.body if isinstance(error, NothingOrderedError) else "",
        code=error.code,
        description=error.description,
        retryable=error.passes or error.advice.actor != "caller",
        ids=PartnerIds.of(error.ids),
    )


def recorded_ids(answer: Answer) -> RecordedAnswer:
    """An answer without its body, for what is open."""
    return RecordedAnswer(status=answer.status, ids=PartnerIds.of(answer.ids))


def try_reconcile(op: Operation, record: Record, view: Submission, deadline: Deadline) -> Reconciliation:
    """What Partner Center shows of a submission; Unproved when it cannot be asked or understood.

    Raises StorageError.
    """
    try:
        return op.reconcile(record, view, deadline)
    except (PartnerCenterError, NotConfiguredError) as error:
        return Unproved(f"Partner Center could not be asked: {error}")
    except BlobBlockedError as error:  # a record that cannot be read may own what is there
        return Unproved(str(error))
    except StorageError:
        raise
    except Exception as error:  # an odd answer, an unreadable neighbour: it ends in review, not in a loop
        log.exception("Partner Center's answer about %s could not be interpreted", record.key)
        return Unproved(f"Partner Center's answer could not be interpreted ({type(error).__name__})")
