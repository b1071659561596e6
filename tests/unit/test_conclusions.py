"""What a submission becomes after silence and a look at Partner Center: the table, row by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.core.conclusions import (
    GIVE_UP,
    LONGEST_WAIT,
    MOST_DEATHS,
    SAME_ANSWER,
    Found,
    Reconciliation,
    Unproved,
    concluded,
    presumed_dead,
    silent,
)
from shared.core.errors import OutcomeUnknownError, SupportIds
from shared.core.ledger import State, Submission
from shared.core.ledger_parts import OrderContent, RecordedAnswer, Repeated, Source
from shared.core.matching import Absent, Ambiguous

NOW = datetime(2027, 3, 31, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
VISIBILITY = 2 * MINUTE
DROP = (Source(drop="a/PO.json", sidecar_etag="s", files={"a/PO.pdf": "p"}),)
KEPT = RecordedAnswer(status=500)
LOOKS: list[Reconciliation] = [Absent(), Ambiguous("two fit"), Unproved("it is old")]


def submission(state: State = State.UNKNOWN, **fields: Any) -> Submission:
    known: dict[str, Any] = {
        "digest": "d",
        "revision": "r1",
        "request_id": "q1",
        "correlation_id": "c1",
        "created": NOW - 5 * MINUTE,
        "changed": NOW - 4 * MINUTE,
        "since": NOW - 5 * MINUTE,
        "first_silent": NOW - 4 * MINUTE,
        "absent_after": NOW - MINUTE,
        "due": NOW,
        "same_id": True,
        "silences": 1,
        "answer": KEPT,
        "sources": DROP,
    }
    return Submission(**known | {"state": state} | fields)


def after(finding: Reconciliation, *, asked: datetime = NOW, **fields: Any) -> Submission:
    return concluded(submission(**fields), finding, VISIBILITY, asked, NOW, "r2")


@pytest.mark.parametrize("state", [State.CLAIMED, State.UNKNOWN, State.ACCEPTED])
@pytest.mark.parametrize("absent_after", [NOW - MINUTE, NOW + MINUTE, None])
def test_what_is_found_is_done_whenever_it_is_found(state: State, absent_after: datetime | None) -> None:
    answer = RecordedAnswer(status=201, body="{}")
    own = after(Found(answer, ("a",), verified=False), state=state, absent_after=absent_after)

    assert (own.state, own.answer, own.ids, own.verified) == (State.DONE, answer, ("a",), False)
    assert (own.revision, own.due, own.absent_after) == ("r2", None, None)


@pytest.mark.parametrize(
    ("state", "silences", "left"),
    [(State.UNKNOWN, 1, 0), (State.UNKNOWN, 3, 2), (State.UNKNOWN, 0, 0), (State.ACCEPTED, 1, 1)],
)
def test_what_is_found_accounts_for_one_silence_unless_it_was_accepted(
    state: State, silences: int, left: int
) -> None:
    assert after(Found(KEPT, ("a",)), state=state, silences=silences).silences == left


@pytest.mark.parametrize("finding", LOOKS)
@pytest.mark.parametrize(
    ("state", "becomes"),
    [
        (State.CLAIMED, State.UNKNOWN),
        (State.UNKNOWN, State.UNKNOWN),
        (State.ACCEPTED, State.ACCEPTED),
    ],
)
def test_before_absence_counts_nothing_is_concluded(
    finding: Reconciliation, state: State, becomes: State
) -> None:
    own = after(finding, state=state, absent_after=NOW + MINUTE)

    assert (own.state, own.due, own.absent_after) == (becomes, NOW + MINUTE, NOW + MINUTE)
    assert (own.same_id, own.silences, own.answer) == (True, 1, KEPT)


@pytest.mark.parametrize("finding", [Absent(), Ambiguous("two fit")])
def test_absence_counts_from_the_moment_before_the_look_however_long_that_took(
    finding: Reconciliation,
) -> None:
    own = after(finding, asked=NOW - 2 * MINUTE, absent_after=NOW - MINUTE)

    assert (own.state, own.due) == (State.UNKNOWN, NOW), "asked about again at once"


@pytest.mark.parametrize(("age", "wait"), [(0.0, 5.0), (60.0, 60.0), (7200.0, 900.0)])
def test_what_is_not_proved_is_asked_about_ever_more_rarely(age: float, wait: float) -> None:
    own = after(Unproved("it is old"), created=NOW - timedelta(seconds=age), absent_after=None)

    assert (own.state, own.detail, own.due) == (State.UNKNOWN, "it is old", NOW + timedelta(seconds=wait))


def test_what_is_not_proved_within_a_day_is_a_persons() -> None:
    on_time, late = (
        after(Unproved("it is old"), since=NOW - GIVE_UP - later) for later in (timedelta(), MINUTE)
    )

    assert (on_time.state, late.state) == (State.UNKNOWN, State.REVIEW)
    assert late.detail == "not resolved within 24 hours: it is old"


def test_from_then_on_what_is_ambiguous_is_a_persons_and_what_was_accepted_is_never_sent_again() -> None:
    ambiguous, accepted = after(Ambiguous("two fit"), absent_after=NOW), after(Absent(), state=State.ACCEPTED)

    assert (ambiguous.state, ambiguous.detail) == (State.REVIEW, "two fit")
    assert (accepted.state, accepted.due) == (State.REVIEW, None)


@pytest.mark.parametrize(
    ("content", "by_itself"),
    [
        ({"sources": DROP}, True),
        ({"sources": ()}, False),
        ({"sources": (), "order": OrderContent(mode="app", body="{}")}, True),
        ({"sources": (), "order": OrderContent(mode="app+user", body="{}", user="u")}, False),
    ],
)
def test_what_is_absent_is_sent_again_under_the_same_id_by_whoever_holds_it(
    content: dict[str, Any], by_itself: bool
) -> None:
    own = after(Absent(), **content)

    assert (own.state, own.due) == (State.PENDING, NOW if by_itself else None)
    assert own.detail.endswith("send it again") is not by_itself
    assert (own.same_id, own.request_id) == (True, "q1")


@pytest.mark.parametrize("finding", LOOKS)
@pytest.mark.parametrize("absent_after", [NOW - MINUTE, NOW + MINUTE])
def test_what_kills_its_worker_again_and_again_is_a_persons(
    finding: Reconciliation, absent_after: datetime
) -> None:
    once_less = after(finding, absent_after=absent_after, deaths=MOST_DEATHS - 1)
    own = after(finding, absent_after=absent_after, deaths=MOST_DEATHS)

    assert "stopped" not in once_less.detail
    assert (own.state, "stopped 3 times" in own.detail) == (State.REVIEW, True)


@pytest.mark.parametrize(
    ("answer", "times", "lasted", "becomes", "same_id"),
    [
        ("500/", SAME_ANSWER, 3 * MINUTE, State.PENDING, False),
        ("500/", SAME_ANSWER - 1, 3 * MINUTE, State.PENDING, True),
        ("500/", SAME_ANSWER, VISIBILITY, State.PENDING, True),
        ("409/800060", SAME_ANSWER, 3 * MINUTE, State.REVIEW, True),
        ("302/", SAME_ANSWER, 3 * MINUTE, State.REVIEW, True),
        ("409/800060", SAME_ANSWER - 1, 3 * MINUTE, State.PENDING, True),
    ],
)
def test_the_same_answer_again_and_again_to_what_is_absent_ends_the_id_or_goes_to_a_person(
    answer: str, times: int, lasted: timedelta, becomes: State, same_id: bool
) -> None:
    repeated = Repeated(answer=answer, times=times, first=NOW - lasted)
    own = after(Absent(), repeated=repeated)

    assert (own.state, own.same_id) == (becomes, same_id)
    assert own.repeated == (repeated if same_id else None)


# --- silence ------------------------------------------------------------------------------------------------


def test_of_a_claim_that_expired_the_post_may_have_been_made_at_its_last_moment() -> None:
    claim = submission(State.CLAIMED, first_silent=None, deaths=1, silences=0, same_id=False)
    view = presumed_dead(claim, VISIBILITY)

    assert (view.deaths, view.silences, view.same_id) == (2, 1, True)
    assert (view.first_silent, view.absent_after) == (claim.changed, NOW + VISIBILITY)
    earlier = presumed_dead(claim.model_copy(update={"first_silent": NOW - HOUR}), VISIBILITY)
    assert earlier.first_silent == NOW - HOUR, "the search for it begins at the first silence"


@pytest.mark.parametrize(("silences", "grown"), [(0, 1), (1, 2), (5, 32), (99, LONGEST_WAIT / VISIBILITY)])
def test_waits_grow_with_each_silence_up_to_a_limit(silences: int, grown: float) -> None:
    error = OutcomeUnknownError("?", SupportIds("q", "c", "v", "s"), status=504)
    view = silent(submission(State.CLAIMED, silences=silences), error, NOW, VISIBILITY)

    assert (view.silences, view.absent_after) == (silences + 1, NOW + grown * VISIBILITY)
    assert view.answer
    assert (view.answer.status, view.answer.ids.server_id) == (504, "s")


def test_a_visibility_that_is_longer_than_the_longest_wait_is_kept_to() -> None:
    view = silent(submission(State.CLAIMED), OutcomeUnknownError("?"), NOW, 2 * LONGEST_WAIT)

    assert view.absent_after == NOW + 2 * LONGEST_WAIT


@pytest.mark.parametrize(
    ("before", "same_id", "status", "times"),
    [
        (None, False, 500, 1),
        ("500/", True, 500, 3),
        ("500/", True, 502, 1),
        ("500/", False, 500, 1),
        ("500/", True, 0, None),
    ],
)
def test_the_same_answer_is_counted_as_long_as_it_answers_the_same_id(
    before: str | None, same_id: bool, status: int, times: int | None
) -> None:
    first = NOW - HOUR
    repeated = Repeated(answer=before, times=2, first=first) if before else None
    claim = submission(State.CLAIMED, same_id=same_id, repeated=repeated)
    view = silent(claim, OutcomeUnknownError("?", status=status), NOW, VISIBILITY)

    assert (view.repeated.times if view.repeated else None) == times
    assert view.repeated is None or view.repeated.first == (first if times == 3 else NOW)
