"""The ledger's rules: which step may follow which, what one who holds a record does, what a record keeps."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.core.ids import segment
from shared.core.ledger import (
    EDGES,
    HOLDING,
    LEDGER_FORMAT,
    MOST_SUBMISSIONS,
    OPEN,
    SENT,
    Action,
    Record,
    RecordError,
    State,
    Submission,
    next_action,
)
from shared.core.ledger_parts import (
    DocumentFacts,
    OrderContent,
    PartnerIds,
    RecordedAnswer,
    Repeated,
    Source,
    merged,
)

NOW = datetime(2027, 3, 31, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
KEPT = 20
"""So many final submissions stay whole."""


def submission(state: State = State.PENDING, digest: str = "d", **fields: Any) -> Submission:
    known = {
        "revision": "r1",
        "request_id": "q1",
        "correlation_id": "c1",
        "created": NOW - 3 * MINUTE,
        "changed": NOW - 2 * MINUTE,
        "since": NOW - 3 * MINUTE,
    }
    return Submission(digest=digest, state=state, **(known | fields))


def record(*submissions: Submission, **fields: Any) -> Record:
    known = {"kind": "attachments", "key": "attachments/c/o", "customer_id": "c", "order_id": "o"}
    return Record(v=2, submissions={s.digest: s for s in submissions}, **(known | fields))


# --- steps --------------------------------------------------------------------------------------------------

STEPS = """
             claimed  unknown  accepted  pending  done  refused  review
claimed         -        x        x         x      x       x        x
unknown         -        x        -         x      x       -        x
accepted        -        -        x         -      x       -        x
pending         x        x        -         x      -       x        x
refused         x        x        -         x      x       x        -
review          -        -        -         x      x       x        -
done            -        -        -         -      -       -        -
"""
"""Rules 4 to 6: what a submission may become (across) from where it stands (down)."""


def steps() -> Iterator[tuple[State, State, bool]]:
    header, *rows = STEPS.strip().splitlines()
    for row in rows:
        source, *marks = row.split()
        for target, mark in zip(header.split(), marks, strict=True):
            yield State(source), State(target), mark == "x"


@pytest.mark.parametrize(("source", "target", "allowed"), [*steps()])
def test_a_submission_takes_the_steps_of_the_rules_and_no_others(
    source: State, target: State, allowed: bool
) -> None:
    before = submission(source)
    kept = before.model_copy(deep=True)
    if allowed:
        assert before.to(target, NOW, "r2", "why").state is target
    else:
        with pytest.raises(ValueError, match=f"d: {source} does not become {target}"):
            before.to(target, NOW, "r2", "why")
    assert before == kept


def test_every_step_is_in_the_table() -> None:
    assert {*steps()} == {(s, t, t in EDGES[s]) for s, t in itertools.product(State, repeat=2)}


@pytest.mark.parametrize(
    ("state", "holds", "is_open", "was_sent", "decidable"),
    [
        (State.CLAIMED, True, True, True, False),
        (State.UNKNOWN, True, True, True, False),
        (State.ACCEPTED, True, True, True, False),
        (State.PENDING, False, True, False, False),
        (State.REVIEW, False, False, True, True),
        (State.REFUSED, False, False, False, False),
        (State.DONE, False, False, True, False),
    ],
)
def test_what_a_state_means(
    state: State, holds: bool, is_open: bool, was_sent: bool, decidable: bool
) -> None:
    one = submission(state)

    assert (state in HOLDING, one.open, state in SENT, one.decidable) == (
        holds,
        is_open,
        was_sent,
        decidable,
    )
    assert one.open is (state in OPEN)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("silent", [True, False])
def test_what_may_turn_up_without_an_id_that_is_known(state: State, silent: bool) -> None:
    one = submission(state, silences=int(silent))

    believed_absent = silent and state in (State.PENDING, State.REFUSED, State.DONE)
    assert one.may_turn_up is (state is State.REVIEW or believed_absent)


def test_what_a_person_gave_up_can_be_decided_again() -> None:
    assert submission(State.REFUSED, given_up=True).decidable
    assert not submission(State.PENDING, given_up=True).decidable


def test_a_step_tells_what_happened_and_leaves_nothing_of_the_one_before() -> None:
    before = submission(
        State.CLAIMED,
        due=NOW,
        absent_after=NOW,
        answer=RecordedAnswer(status=500),
        detail="attempt 1",
        actor="operator",
        remedy="look",
        given_up=True,
        history=("first",),
    )

    after = before.to(State.PENDING, NOW, "r2", "not sent")

    assert after == before.model_copy(
        update={
            "state": State.PENDING,
            "revision": "r2",
            "changed": NOW,
            "due": None,
            "absent_after": None,
            "answer": None,
            "detail": "not sent",
            "actor": "",
            "remedy": "",
            "given_up": False,
            "history": ("first", "2027-03-31T12:00:00+00:00 claimed -> pending: not sent"),
        }
    )


def test_a_step_sets_what_it_is_told_to() -> None:
    after = submission().to(State.CLAIMED, NOW, "r2", "attempt 2", due=NOW + MINUTE, attempt=2)

    assert (after.due, after.attempt, after.base) == (NOW + MINUTE, 2, None)


def test_what_is_known_of_a_silence_stays_over_a_step() -> None:
    known: dict[str, Any] = {
        "documents": (DocumentFacts(kind="POAttachment", file_name="PO.pdf", size=1, md5="0"),),
        "sources": (Source(drop="PO.json", sidecar_etag="e", files={}),),
        "deaths": 1,
        "first_silent": NOW,
        "same_id": True,
        "silences": 2,
        "repeated": Repeated(answer="500", times=2, first=NOW),
        "base": ("1",),
        "base_denied": "403",
        "ids": ("2",),
        "verified": False,
    }
    before = submission(State.UNKNOWN, **known)

    after = before.to(State.PENDING, NOW, "r2", "absent")

    assert {name: getattr(after, name) for name in known} == known
    assert after.request_id == before.request_id
    assert after.created == before.created


def test_steps_have_an_order_whatever_the_clocks_say() -> None:
    before = submission(State.UNKNOWN, changed=NOW)

    after = before.to(State.UNKNOWN, NOW - MINUTE + timedelta(microseconds=7), "r2", "not yet")

    assert after.changed == NOW + timedelta(microseconds=1)
    assert after.history == ("2027-03-31T11:59:00+00:00 unknown -> unknown: not yet",)


def test_a_submission_begins_with_its_first_attempt_and_no_misfortune() -> None:
    one = Submission(
        digest="d",
        state=State.CLAIMED,
        revision="r",
        request_id="q",
        correlation_id="c",
        created=NOW,
        changed=NOW,
        since=NOW,
    )

    assert (one.attempt, one.deaths, one.silences, one.same_id, one.base) == (1, 0, 0, False, None)


def test_an_order_takes_a_thousand_submissions_and_records_are_of_format_two() -> None:
    assert (MOST_SUBMISSIONS, LEDGER_FORMAT) == (1000, 2)


def test_the_last_twenty_steps_are_kept() -> None:
    one = submission(State.UNKNOWN)
    for n in range(25):
        one = one.to(State.UNKNOWN, NOW + n * SECOND, f"r{n}", str(n))

    assert [line.rpartition(" ")[2] for line in one.history] == [str(n) for n in range(5, 25)]


@pytest.mark.parametrize(
    ("says", "before", "begins"),
    [
        ("what is in flight goes on", submission(State.UNKNOWN, due=NOW), False),
        ("what waits for its moment goes on", submission(State.PENDING, due=NOW), False),
        (
            "however long that was",
            submission(State.PENDING, due=NOW, changed=NOW - HOUR - SECOND),
            False,
        ),
        ("what rests goes on when it is asked for soon", submission(changed=NOW - HOUR), False),
        ("what rested for long begins anew", submission(changed=NOW - HOUR - SECOND), True),
        ("what was refused begins anew", submission(State.REFUSED), True),
        ("what a person decided on begins anew", submission(State.REVIEW), True),
    ],
)
def test_a_run_of_attempts(says: str, before: Submission, begins: bool) -> None:
    after = before.to(State.PENDING, NOW, "r2", "again")

    assert after.since == (NOW if begins else before.since)


# --- what one who holds a record does -----------------------------------------------------------------------

PAST, FUTURE = NOW - SECOND, NOW + SECOND
OWN, OTHER = "own", "other"
REFUSED, DONE = submission(State.REFUSED, OWN), submission(State.DONE, OWN)


@pytest.mark.parametrize(
    ("says", "there", "retry_refused", "can_send", "action"),
    [
        ("there is none: it is sent", (), False, True, Action.SEND),
        ("there is none, and no content", (), False, False, Action.WAIT),
        ("it is done", (DONE,), True, True, Action.REPLAY),
        ("it is done, no content", (DONE,), False, False, Action.REPLAY),
        ("it is in review", (submission(State.REVIEW, OWN),), True, True, Action.REPLAY),
        ("it was refused, and nobody asks again", (REFUSED,), False, True, Action.REPLAY),
        ("it was refused, and somebody asks again", (REFUSED,), True, True, Action.SEND),
        ("it was refused, and who asks again has no content", (REFUSED,), True, False, Action.WAIT),
        ("it is being sent", (submission(State.CLAIMED, OWN, due=FUTURE),), False, True, Action.WAIT),
        ("its claim expired", (submission(State.CLAIMED, OWN, due=PAST),), False, True, Action.RESOLVE),
        ("its claim expires now", (submission(State.CLAIMED, OWN, due=NOW),), False, True, Action.RESOLVE),
        ("it is unknown, not due", (submission(State.UNKNOWN, OWN, due=FUTURE),), False, True, Action.WAIT),
        ("it is unknown, due", (submission(State.UNKNOWN, OWN, due=PAST),), False, False, Action.RESOLVE),
        ("it is unknown, without a moment", (submission(State.UNKNOWN, OWN),), True, True, Action.WAIT),
        ("it is accepted, not due", (submission(State.ACCEPTED, OWN, due=FUTURE),), True, True, Action.WAIT),
        ("it is accepted, due", (submission(State.ACCEPTED, OWN, due=PAST),), True, True, Action.RESOLVE),
        ("it is pending, not due", (submission(State.PENDING, OWN, due=FUTURE),), True, True, Action.WAIT),
        ("it is pending, due now", (submission(State.PENDING, OWN, due=NOW),), False, True, Action.SEND),
        ("it is pending until asked for", (submission(State.PENDING, OWN),), False, True, Action.SEND),
        ("it is pending, no content", (submission(State.PENDING, OWN, due=PAST),), True, False, Action.WAIT),
        ("another is being sent", (submission(State.CLAIMED, OTHER, due=FUTURE),), True, True, Action.BUSY),
        (
            "another's claim expired",
            (submission(State.CLAIMED, OTHER, due=PAST),),
            True,
            True,
            Action.RESOLVE,
        ),
        ("another is unknown", (submission(State.UNKNOWN, OTHER, due=FUTURE),), True, True, Action.BUSY),
        ("another is accepted", (submission(State.ACCEPTED, OTHER, due=FUTURE),), True, False, Action.BUSY),
        ("another is pending", (submission(State.PENDING, OTHER, due=FUTURE),), False, True, Action.SEND),
        ("another is in review", (submission(State.REVIEW, OTHER),), False, True, Action.SEND),
        ("another was refused", (submission(State.REFUSED, OTHER),), False, True, Action.SEND),
        ("another is done", (submission(State.DONE, OTHER),), False, True, Action.SEND),
        (
            "it is pending, and another is being sent",
            (submission(State.PENDING, OWN, due=PAST), submission(State.CLAIMED, OTHER, due=FUTURE)),
            False,
            True,
            Action.BUSY,
        ),
        (
            "it was refused, somebody asks again, and another is unknown and due",
            (REFUSED, submission(State.UNKNOWN, OTHER, due=PAST)),
            True,
            True,
            Action.RESOLVE,
        ),
        (
            "it is done, and another is unknown and due",
            (DONE, submission(State.UNKNOWN, OTHER, due=PAST)),
            True,
            True,
            Action.REPLAY,
        ),
    ],
)
def test_what_is_done_about_a_submission(
    says: str, there: tuple[Submission, ...], retry_refused: bool, can_send: bool, action: Action
) -> None:
    done = next_action(record(*there), OWN, NOW, retry_refused=retry_refused, can_send=can_send)

    assert done is action


# --- a record of many ---------------------------------------------------------------------------------------


def test_the_one_in_flight_holds_the_record() -> None:
    holder = submission(State.ACCEPTED, "b")

    assert record(submission(digest="a"), holder, submission(State.DONE, "c")).holder() is holder
    assert record(submission(digest="a"), submission(State.REVIEW, "c")).holder() is None


def test_the_others_own_their_ids() -> None:
    some = record(
        submission(State.DONE, "a", ids=("1", "2")),
        submission(State.DONE, "b", ids=("3",)),
        submission(State.DONE, "c", ids=("4",)),
    )

    assert some.ids_of_others("b") == {"1", "2", "4"}
    assert some.ids_of_others("x") == {"1", "2", "3", "4"}
    assert [s.digest for s in some.others("b")] == ["a", "c"]


def test_a_record_is_due_when_the_first_of_its_open_submissions_is() -> None:
    some = record(
        submission(State.PENDING, "a", due=NOW + 3 * SECOND),
        submission(State.PENDING, "b"),
        submission(State.REFUSED, "c", due=NOW),
    )

    assert some.put(submission(State.CLAIMED, "d", due=NOW + 2 * SECOND)).due == NOW + 2 * SECOND
    assert some.put(submission(State.DONE, "d", due=NOW)).due == NOW + 3 * SECOND
    assert some.put(submission(State.PENDING, "a")).due is None


def test_putting_a_submission_replaces_it_and_leaves_the_rest() -> None:
    a, b = submission(digest="a"), submission(digest="b")
    before = record(a, b)

    after = before.put(submission(State.DONE, "a"))

    assert (after.submissions["a"].state, after.submissions["b"]) == (State.DONE, b)
    assert before.submissions["a"] is a


FACTS: dict[str, Any] = {
    "documents": (DocumentFacts(kind="POAttachment", file_name="PO.pdf", size=1, md5="0"),),
    "sources": (Source(drop="PO.json", sidecar_etag="e", files={"PO.pdf": "f"}),),
    "base": ("0",),
    "ids": ("1", "2"),
    "answer": RecordedAnswer(status=201, body="{}"),
    "history": ("once",),
    "repeated": Repeated(answer="500", times=2, first=NOW),
    "detail": "accepted",
}


def test_of_old_final_submissions_a_record_keeps_who_owns_what_and_which_signals_are_spent() -> None:
    some = record()
    for n in range(KEPT + 3):
        some = some.put(submission(State.DONE, f"d{n}", changed=NOW + n * SECOND, **FACTS))

    *old, oldest_whole = [some.submissions[f"d{n}"] for n in range(3)]
    whole = submission(State.DONE, "d2", changed=NOW + 2 * SECOND, **FACTS)
    assert oldest_whole == whole
    for n, one in enumerate(old):
        gone: dict[str, Any] = {
            "documents": (),
            "base": None,
            "answer": None,
            "history": (),
            "repeated": None,
        }
        unlike = {"digest": f"d{n}", "changed": NOW + n * SECOND}
        assert one == whole.model_copy(update=gone | unlike)


@pytest.mark.parametrize(
    "keeps",
    [
        submission(State.PENDING, "old", changed=NOW - MINUTE, **FACTS),
        submission(State.UNKNOWN, "old", changed=NOW - MINUTE, **FACTS),
        submission(State.REVIEW, "old", changed=NOW - MINUTE, **FACTS),
        submission(State.REFUSED, "old", changed=NOW - MINUTE, given_up=True, **FACTS),
    ],
    ids=["pending", "unknown", "review", "given up"],
)
def test_what_is_open_or_a_persons_to_decide_is_kept_whole_however_old(keeps: Submission) -> None:
    some = record(keeps)
    for n in range(KEPT + 3):
        some = some.put(submission(State.DONE, f"d{n}", changed=NOW + n * SECOND, **FACTS))

    assert some.submissions["old"] == keeps


def sent_from(state: State, digest: str, etag: str, at: int = 0, drop: str = "PO.json") -> Submission:
    source = Source(drop=drop, sidecar_etag=etag, files={})
    return submission(state, digest, changed=NOW + at * SECOND, sources=(source,))


@pytest.mark.parametrize(
    ("says", "there", "spent", "before"),
    [
        ("nothing was sent from it", (), None, None),
        ("it was sent under this version", (sent_from(State.DONE, "a", "e1"),), "a", "a"),
        ("it was sent under another version", (sent_from(State.DONE, "a", "e0"),), None, "a"),
        ("another drop was", (sent_from(State.DONE, "a", "e1", drop="x/PO.json"),), None, None),
        ("it is being sent", (sent_from(State.CLAIMED, "a", "e1"),), "a", "a"),
        ("it is unknown", (sent_from(State.UNKNOWN, "a", "e1"),), "a", "a"),
        ("it was accepted", (sent_from(State.ACCEPTED, "a", "e1"),), "a", "a"),
        ("it is in review", (sent_from(State.REVIEW, "a", "e1"),), "a", "a"),
        ("it waits to be sent", (sent_from(State.PENDING, "a", "e1"),), None, None),
        ("it was refused", (sent_from(State.REFUSED, "a", "e1"),), None, None),
        ("it is the one that is asked about", (sent_from(State.DONE, "own", "e1"),), None, None),
        (
            "of several the last one tells",
            (
                sent_from(State.DONE, "a", "e1", 1),
                sent_from(State.DONE, "b", "e1", 3),
                sent_from(State.DONE, "c", "e1", 2),
            ),
            "b",
            "b",
        ),
    ],
)
def test_which_signals_are_spent(
    says: str, there: tuple[Submission, ...], spent: str | None, before: str | None
) -> None:
    some = record(*there)
    by_version, by_drop = some.spent("PO.json", "e1", "own"), some.sent_before("PO.json", "own")

    assert (by_version and by_version.digest, by_drop and by_drop.digest) == (spent, before)


def test_a_submission_has_each_drop_once_in_its_last_version() -> None:
    a, b = Source(drop="a", sidecar_etag="1", files={}), Source(drop="b", sidecar_etag="1", files={})
    newer = Source(drop="a", sidecar_etag="2", files={"x": "y"})

    assert merged((a, b), newer) == (b, newer)
    assert merged((a, b), None) == (a, b)
    assert merged([a], b) == (a, b)


def test_a_submission_has_its_last_ten_drops() -> None:
    many: tuple[Source, ...] = ()
    for n in range(12):
        many = merged(many, Source(drop=str(n), sidecar_etag="1", files={}))

    assert [source.drop for source in many] == [str(n) for n in range(2, 12)]


@pytest.mark.parametrize(
    ("order_id", "name"),
    [
        ("5CF72F146967", "5cf72f146967"),
        ("C501C3C4-D776-40EF-9ECF-9CEFB59442C1", "c501c3c4-d776-40ef-9ecf-9cefb59442c1"),
        ("Cs_jyTxub", "Cs_jyTxub"),
        ("ABCDEFG", "ABCDEFG"),
        ("C501C3C4-D776", "C501C3C4-D776"),
        ("C501C3C4-D776-40EF-9ECF-9CEFB59442C1-AB", "C501C3C4-D776-40EF-9ECF-9CEFB59442C1-AB"),
        ("ABC\n", "ABC\n"),
    ],
)
def test_an_order_id_is_one_whatever_its_case_where_case_means_nothing(order_id: str, name: str) -> None:
    assert segment(order_id) == name


# --- in storage ---------------------------------------------------------------------------------------------


def test_what_is_not_known_is_not_written() -> None:
    assert json.loads(record(submission(State.DONE)).dump()) == {
        "v": 2,
        "kind": "attachments",
        "key": "attachments/c/o",
        "customerId": "c",
        "orderId": "o",
        "submissions": {
            "d": {
                "digest": "d",
                "state": "done",
                "revision": "r1",
                "requestId": "q1",
                "correlationId": "c1",
                "created": "2027-03-31T11:57:00Z",
                "changed": "2027-03-31T11:58:00Z",
                "since": "2027-03-31T11:57:00Z",
            }
        },
    }


@pytest.mark.parametrize(
    ("says", "raw", "version", "faults"),
    [
        ("a newer version's", b'{"v": 3, "kind": "attachments", "key": "k", "customerId": "c"}', 3, 1),
        ("the first edition's", b'{"v":1}', 1, 4),
        ("without a version", b"{}", 0, 4),
        ("a version that is no number", b'{"v": "two", "kind": "order", "key": "", "customerId": ""}', 0, 1),
        ("no JSON", b"\xff", 0, 1),
        ("cut off", b'{"v": 2, "kind": "attach', 2, 1),
        ("nothing", b"", 0, 1),
        ("of another kind", b'{"v": 2, "kind": "cart", "key": "k", "customerId": "c"}', 2, 1),
        ("a version far behind", b'{"x": "' + b"x" * 5000 + b'", "v": 3}', 0, 4),
    ],
)
def test_a_record_that_cannot_be_read_tells_its_version(
    says: str, raw: bytes, version: int, faults: int
) -> None:
    with pytest.raises(RecordError) as caught:
        Record.load(raw)

    assert caught.value.version == version
    told = f"a record of format {version or 'unknown'} with {faults} faults for this version"
    assert str(caught.value) == told
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("state", ["sent", "DONE", "", None])
def test_a_record_with_a_state_that_nobody_knows_cannot_be_read(state: object) -> None:
    raw = json.loads(record(submission()).dump())
    raw["submissions"]["d"]["state"] = state

    with pytest.raises(RecordError, match="format 2 with 1 faults"):
        Record.load(json.dumps(raw).encode())


def test_a_moment_needs_a_zone_and_is_kept_as_utc() -> None:
    there = datetime(2027, 3, 31, 14, tzinfo=timezone(timedelta(hours=2)))

    assert submission(due=there).due == NOW
    assert (
        json.loads(record(submission(due=there)).dump())["submissions"]["d"]["due"] == "2027-03-31T12:00:00Z"
    )
    with pytest.raises(ValidationError, match="a moment needs a zone"):
        submission(due=there.replace(tzinfo=None))


def test_a_submission_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        submission().state = State.DONE  # type: ignore[misc]  # what is forbidden is what is tried


def test_what_is_wrong_with_a_record_is_told_without_what_is_in_it() -> None:
    with pytest.raises(ValidationError) as caught:
        submission(due="secret")

    assert "secret" not in str(caught.value)


def test_a_field_of_the_wrong_type_is_not_written() -> None:
    odd = submission(State.UNKNOWN).to(State.DONE, NOW, "r2", "found", ids=["1"])

    with pytest.raises(ValueError, match="Expected `tuple"):
        record(odd).dump()


# --- what holds for all of them -----------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8"), max_size=8)
moments = st.integers(-(10**15), 10**15).map(lambda n: NOW + timedelta(microseconds=n))
answers = st.builds(
    RecordedAnswer,
    status=st.integers(100, 599),
    body=texts,
    code=texts,
    description=texts,
    retryable=st.booleans(),
    ids=st.builds(PartnerIds, request_id=texts, correlation_id=texts, cv=texts, server_id=texts),
)
sources = st.builds(Source, drop=texts, sidecar_etag=texts, files=st.dictionaries(texts, texts, max_size=2))
documents = st.builds(DocumentFacts, kind=texts, file_name=texts, size=st.integers(0), md5=texts)


def tuples(some: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(some, max_size=2).map(tuple)


def maybe(some: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), some)


submissions = st.builds(
    Submission,
    digest=texts,
    state=st.sampled_from(State),
    revision=texts,
    request_id=texts,
    correlation_id=texts,
    created=moments,
    changed=moments,
    since=moments,
    documents=tuples(documents),
    order=maybe(st.builds(OrderContent, mode=texts, body=texts, user=texts, customer_user=texts)),
    sources=tuples(sources),
    attempt=st.integers(1),
    deaths=st.integers(0),
    due=maybe(moments),
    absent_after=maybe(moments),
    first_silent=maybe(moments),
    same_id=st.booleans(),
    silences=st.integers(0),
    repeated=maybe(st.builds(Repeated, answer=texts, times=st.integers(0), first=moments)),
    base=maybe(tuples(texts)),
    base_denied=texts,
    ids=tuples(texts),
    verified=st.booleans(),
    given_up=st.booleans(),
    answer=maybe(answers),
    detail=texts,
    actor=texts,
    remedy=texts,
    history=tuples(texts),
)
records = st.builds(
    lambda kind, key, customer, order, due, some: Record(
        v=2,
        kind=kind,
        key=key,
        customer_id=customer,
        order_id=order,
        due=due,
        submissions={s.digest: s for s in some},
    ),
    st.sampled_from(["attachments", "order"]),
    texts,
    texts,
    texts,
    maybe(moments),
    st.lists(submissions, max_size=2),
)
brief = st.builds(
    submission,
    st.sampled_from(State),
    st.sampled_from("abcde"),
    due=maybe(moments),
    changed=moments,
    history=st.just(("once",) * 20),
)
ANY = settings(deadline=None)


@ANY
@given(records)
def test_a_record_comes_back_from_storage_as_it_was(some: Record) -> None:
    raw = some.dump()

    assert Record.load(raw) == some
    assert Record.load(raw).dump() == raw


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), texts),
    lambda some: st.one_of(st.lists(some, max_size=2), st.dictionaries(texts, some, max_size=2)),
    max_leaves=4,
)
NEWER = st.sampled_from(["newer", "state2", "open", "put", "due_by", "dump", "decidable", "ID", "é"])


def grown(draw: st.DrawFn, raw: Any) -> Any:
    """Every object of a record with members that a later version added; maps by name stay what they are."""
    if isinstance(raw, list):
        return [grown(draw, one) for one in raw]
    if not isinstance(raw, dict):
        return raw
    maps = ("files", "submissions")
    inner = {
        name: {key: grown(draw, one) for key, one in value.items()} if name in maps else grown(draw, value)
        for name, value in raw.items()
    }
    return inner | draw(st.dictionaries(NEWER, values, min_size=1, max_size=2))


@st.composite
def of_a_later_version(draw: st.DrawFn) -> Any:
    return grown(draw, json.loads(draw(records).dump()))


@ANY
@given(of_a_later_version())
def test_members_that_a_later_version_added_are_carried_through_wherever_they_stand(raw: Any) -> None:
    assert json.loads(Record.load(json.dumps(raw).encode()).dump()) == raw


@ANY
@given(of_a_later_version(), st.sampled_from(State))
def test_they_are_carried_through_a_step_of_a_submission_as_well(raw: Any, state: State) -> None:
    before = Record.load(json.dumps(raw).encode())
    for digest, own in before.submissions.items():
        if state in EDGES[own.state]:
            after = Record.load(before.put(own.to(state, NOW, "r2", "why")).dump())
            assert after.model_extra == before.model_extra
            assert after.submissions[digest].model_extra == own.model_extra
            assert after.submissions[digest].sources == own.sources


@ANY
@given(st.lists(brief), brief)
def test_a_record_is_due_with_the_first_of_what_is_open(some: list[Submission], one: Submission) -> None:
    after = record(*some).put(one)

    assert after.submissions[one.digest] == one
    assert after.due == min((s.due for s in after.submissions.values() if s.open and s.due), default=None)


@ANY
@given(st.lists(st.tuples(st.sampled_from(State), st.booleans(), st.integers(0, 9)), max_size=50))
def test_growth_takes_nothing_that_anybody_needs(states: list[tuple[State, bool, int]]) -> None:
    many = [
        submission(state, str(n), given_up=given_up, changed=NOW + at * SECOND, **FACTS)
        for n, (state, given_up, at) in enumerate(states)
    ]
    after = record(*many).put(submission(digest="the newest of all"))

    shrunk = [one for one in many if after.submissions[one.digest] != one]
    for one in many:
        kept = after.submissions[one.digest]
        assert (kept.state, kept.ids, kept.sources, kept.changed) == (
            one.state,
            one.ids,
            one.sources,
            one.changed,
        )
        assert not (one in shrunk and (one.open or one.decidable))
    final = [one for one in many if not (one.open or one.decidable)]
    assert all(sum(other.changed >= one.changed for other in final) > KEPT for one in shrunk)
    assert sum(bool(after.submissions[one.digest].documents) for one in final) <= KEPT


@st.composite
def held(draw: st.DrawFn) -> Record:
    """A record in which at most one submission is in flight, as rule 2 wants it."""
    some = draw(st.lists(brief, max_size=4, unique_by=lambda s: s.digest))
    first = next((s for s in some if s.state in HOLDING), None)
    return record(*[s for s in some if s.state not in HOLDING or s is first])


@ANY
@given(held(), st.sampled_from("ax"), moments, st.booleans(), st.booleans())
def test_nothing_is_sent_without_content_nor_while_another_is_in_flight(
    some: Record, digest: str, now: datetime, retry_refused: bool, can_send: bool
) -> None:
    for asked in (*some.submissions, digest):
        action = next_action(some, asked, now, retry_refused=retry_refused, can_send=can_send)
        own, holder = some.submissions.get(asked), some.holder()

        assert action in Action
        assert (action is Action.REPLAY) is bool(
            own
            and (
                own.state in (State.DONE, State.REVIEW) or (own.state is State.REFUSED and not retry_refused)
            )
        )
        if action is Action.SEND:
            assert can_send
            assert holder is None
            assert own is None or State.CLAIMED in EDGES[own.state]
            assert own is None or own.state is not State.PENDING or own.due is None or own.due <= now
        if action is Action.RESOLVE:
            assert holder is not None
            assert holder.due is not None
            assert holder.due <= now
        if action is Action.BUSY:
            assert holder is not None
            assert holder is not own


@ANY
@given(brief, st.sampled_from(State), moments, texts)
def test_every_step_moves_on_in_time_under_a_revision_of_its_own(
    before: Submission, state: State, now: datetime, revision: str
) -> None:
    if state in EDGES[before.state]:
        after = before.to(state, now, revision, "why")
        assert after.changed > before.changed
        assert after.changed >= now
        assert (after.revision, after.state) == (revision, state)
        assert len(after.history) <= 20
    else:
        with pytest.raises(ValueError, match="does not become"):
            before.to(state, now, revision, "why")
