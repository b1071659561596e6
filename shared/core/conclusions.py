"""The next state of a submission whose POST got no conclusive answer, after Partner Center was asked.

The second half of the rules in shared/core/ledger.py (4, 5 and 7). Whether what is there is ours has been
judged before, by shared/core/matching.py. Pure: no clock, no storage, no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.core.errors import OutcomeUnknownError
from shared.core.ledger import State, Submission
from shared.core.ledger_parts import PartnerIds, RecordedAnswer, Repeated
from shared.core.matching import Absent, Ambiguous

GIVE_UP = timedelta(hours=24)
"""After this long without success a submission goes to review; nothing is retried for ever."""

LONGEST_WAIT = timedelta(hours=6)
"""Repeated silence makes the waits grow, up to this."""

MOST_DEATHS = 3
"""After so many expired claims a submission goes to review: it may be what kills the worker."""

SAME_ANSWER = 3
"""So often Partner Center may give the same answer to one MS-RequestId before another id is right."""


@dataclass(frozen=True, slots=True)
class Found:
    """It is at Partner Center: `ids` name it there. `verified` is False when that rests on counts alone."""

    answer: RecordedAnswer
    ids: tuple[str, ...]
    verified: bool = True

    def changes(self) -> dict[str, Any]:
        """What a submission that is done keeps of it."""
        return {"answer": self.answer, "ids": self.ids, "verified": self.verified}


@dataclass(frozen=True, slots=True)
class Unproved:
    """What Partner Center shows proves nothing yet: its list is old or incomplete, or another is under
    way. `passes`: it waits for another open request, so asking later can prove it."""

    detail: str
    passes: bool = False


Reconciliation = Found | Absent | Ambiguous | Unproved
"""What a look at Partner Center proves of a submission."""

_Step = tuple[State, str, dict[str, Any]]
"""A state, why, and what changes besides."""


def presumed_dead(own: Submission, visibility: timedelta) -> Submission:
    """A claim that expired: its holder may have sent it, up to the last moment of the claim."""
    assert own.due
    return own.model_copy(
        update={**_one_more_silence(own), "deaths": own.deaths + 1, "absent_after": own.due + visibility}
    )


def silent(own: Submission, error: OutcomeUnknownError, now: datetime, visibility: timedelta) -> Submission:
    """A claim whose POST got no conclusive answer. Waits grow with each silence."""
    before, repeated = own.repeated, None
    if error.answer:
        repeated = Repeated(answer=error.answer, times=1, first=now)
        if before is not None and before.answer == error.answer and own.same_id:
            repeated = before.model_copy(update={"times": before.times + 1})
    grown = min(visibility * 2 ** min(own.silences, 16), max(visibility, LONGEST_WAIT))
    answer = RecordedAnswer(status=error.status, ids=PartnerIds.of(error.ids))
    return own.model_copy(
        update={
            **_one_more_silence(own),
            "repeated": repeated,
            "absent_after": now + grown,
            "answer": answer,
        }
    )


def _one_more_silence(own: Submission) -> dict[str, Any]:
    first = own.first_silent or own.changed
    return {"silences": own.silences + 1, "first_silent": first, "same_id": True}


def concluded(
    view: Submission,
    finding: Reconciliation,
    visibility: timedelta,
    asked: datetime,
    now: datetime,
    revision: str,
) -> Submission:
    """The submission after a look at Partner Center. `view` is what is recorded of it, with what is known
    since: that it was silent, or its holder is dead; `asked` is the moment before the look."""
    state, detail, changes = _conclusion(view, finding, visibility, asked, now)
    return view.to(state, now, revision, detail, **{"answer": view.answer, **changes})


def _conclusion(
    view: Submission, finding: Reconciliation, visibility: timedelta, asked: datetime, now: datetime
) -> _Step:
    if isinstance(finding, Found):
        left = view.silences if view.state is State.ACCEPTED else max(view.silences - 1, 0)
        return State.DONE, "found at Partner Center", {**finding.changes(), "silences": left}
    detail = "not at Partner Center" if isinstance(finding, Absent) else finding.detail
    absent_after = view.absent_after or asked
    if view.deaths >= MOST_DEATHS:
        return State.REVIEW, f"the worker stopped {view.deaths} times while sending this; {detail}", {}
    if isinstance(finding, Unproved) or asked < absent_after:
        return _later(view, detail, absent_after, asked, now)
    if isinstance(finding, Ambiguous):
        return State.REVIEW, detail, {}
    if view.state is State.ACCEPTED:
        return State.REVIEW, "Partner Center accepted it but does not list it", {}
    return _absent(view, visibility, now)


def _later(view: Submission, detail: str, absent_after: datetime, asked: datetime, now: datetime) -> _Step:
    """Ask again: the longer it lasts the more rarely, and when absence begins to count."""
    if now - view.since > GIVE_UP:
        return State.REVIEW, f"not resolved within {hours(GIVE_UP)}: {detail}", {}
    age = max((now - view.created).total_seconds(), 5.0)
    due = now + timedelta(seconds=min(age, 900.0))
    if asked < absent_after < due:
        due = max(absent_after, now)
    state = State.ACCEPTED if view.state is State.ACCEPTED else State.UNKNOWN
    return state, detail, {"due": due, "absent_after": absent_after}


def _absent(view: Submission, visibility: timedelta, now: datetime) -> _Step:
    """It is proved absent: it may be sent again, with the same MS-RequestId as long as that makes sense."""
    again, changes = view.repeated, dict[str, Any]()
    if again is not None and again.times >= SAME_ANSWER and now - again.first > visibility:
        if again.answer.startswith(("3", "4")):
            detail = f"Partner Center answered {again.answer} {again.times} times, and it is not there"
            return State.REVIEW, detail, {}
        changes = {"same_id": False, "repeated": None}
    if not view.sent_by_worker:
        return State.PENDING, "proved absent at Partner Center; send it again", changes
    return State.PENDING, "proved absent at Partner Center", {**changes, "due": now}


def hours(span: timedelta) -> str:
    """A span of time in words."""
    return f"{span.total_seconds() / 3600:g} hours"
