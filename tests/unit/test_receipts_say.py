"""What a receipt says of a submission, and of a drop of which nothing was sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.core.conclusions import GIVE_UP
from shared.core.errors import NotAppliedError
from shared.core.ledger import LEDGER_FORMAT, Record, State, Submission
from shared.core.ledger_parts import PartnerIds, RecordedAnswer, Source
from shared.core.moments import http_date, iso_moment
from shared.core.receipt_parts import FileEntry, Receipt, ReceiptBody, ReceiptState
from shared.core.receipt_rules import (
    DECIDE,
    NOBODY,
    RETRIED,
    deferral,
    deferred_before,
    report,
    reports_on,
    since_of,
    state_of,
    supersedes,
    with_attached,
)

NOW = datetime(2027, 3, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SOURCE = Source(drop="a/PO.json", sidecar_etag="s1", files={"a/PO.pdf": "p1"})
FILES = (FileEntry(file_name="a/PO.pdf", kind="POAttachment", size=9, md5="md5", etag="p1"),)


def submission(state: State = State.DONE, **fields: Any) -> Submission:
    known: dict[str, Any] = {
        "digest": "d",
        "revision": "r",
        "request_id": "q",
        "correlation_id": "c",
        "created": NOW,
        "changed": NOW,
        "since": NOW,
        "sources": (SOURCE,),
        "detail": "why",
    }
    return Submission(**known | {"state": state} | fields)


def record(own: Submission) -> Record:
    blank = Record(v=LEDGER_FORMAT, kind="attachments", key="attachments/c/o", customer_id="c", order_id="o")
    return blank.put(own)


def said(own: Submission) -> dict[str, Any]:
    return report(record(own), own).to_json()


def receipt(state: ReceiptState = ReceiptState.ATTACHED, **body: Any) -> Receipt:
    return Receipt("a/PO.json", state, NOW, "s1", ReceiptBody(**body))


def test_what_is_attached_is_told_as_partner_center_told_it() -> None:
    items = [{"attachmentId": "1", "fileName": "PO.pdf"}]
    body = '{"items": [{"attachmentId": "1", "fileName": "PO.pdf"}]}'
    told = said(
        submission(answer=RecordedAnswer(status=201, body=body, ids=PartnerIds(request_id="m")), ids=("1",))
    )

    assert ([*told["attachments"]], told["submittedBy"], told["submission"]) == (
        items,
        "a/PO.json",
        "attachments/c/o/d",
    )
    assert told["partnerCenter"] == {"status": 201, "ids": {"requestId": "m"}}
    assert "verified" not in told
    assert "actor" not in told


@pytest.mark.parametrize("body", ["", "nothing", "[]", "{}", '{"items": []}'])
def test_where_the_answer_tells_nothing_the_ids_are_told(body: str) -> None:
    told = said(
        submission(answer=RecordedAnswer(status=201, body=body), ids=("1", "2"), verified=False, sources=())
    )

    assert [*told["attachments"]] == [{"attachmentId": "1"}, {"attachmentId": "2"}]
    assert (told["verified"], told["submittedBy"]) == (False, "http")
    assert [*said(submission(ids=("1",)))["attachments"]] == [{"attachmentId": "1"}]


@pytest.mark.parametrize(
    ("own", "actor", "remedy"),
    [
        (submission(State.REVIEW), "operator", DECIDE),
        (submission(State.REVIEW, remedy="Wait for it."), "operator", f"Wait for it; then {DECIDE}"),
        (submission(State.PENDING), NOBODY, RETRIED),
        (submission(State.REFUSED, actor="caller", remedy="mend it"), "caller", "mend it"),
    ],
)
def test_whose_turn_it_is_and_what_to_do_stand_in_every_receipt(
    own: Submission, actor: str, remedy: str
) -> None:
    told = said(own)

    assert (told["actor"], told["remedy"], "nextAttempt" in told) == (actor, remedy, False)


def test_the_next_attempt_is_told_while_there_is_one() -> None:
    due = NOW + HOUR

    assert said(submission(State.UNKNOWN, due=due))["nextAttempt"] == "2027-03-31T13:00:00+00:00"


@pytest.mark.parametrize(
    ("kept", "is_of_it"),
    [
        (receipt(submission="attachments/c/o/d"), True),
        (receipt(submission="attachments/c/o/other"), False),
        (receipt(files=FILES), True),
        (receipt(files=(FileEntry(file_name="a/PO.pdf", etag="p2"),)), False),
        (Receipt("b/PO.json", ReceiptState.WAITING, NOW, "s1", ReceiptBody()), False),
        (Receipt("a/PO.json", ReceiptState.WAITING, NOW, "s2", ReceiptBody()), False),
    ],
)
def test_a_receipt_is_of_a_submission_that_it_names_or_whose_versions_it_tells(
    kept: Receipt, is_of_it: bool
) -> None:
    assert reports_on(kept, record(submission()), submission()) is is_of_it


@pytest.mark.parametrize(
    ("kept", "own"),
    [
        (receipt(ReceiptState.REJECTED), submission(State.PENDING)),
        (receipt(ReceiptState.RETRYING), submission()),
        (receipt(ReceiptState.REJECTED, previous=[{"submission": "attachments/c/o/d"}]), submission()),
        (receipt(ReceiptState.REJECTED), submission(sources=())),
    ],
)
def test_a_rejected_receipt_tells_nothing_else_of_what_was_not_attached_or_is_told(
    kept: Receipt, own: Submission
) -> None:
    assert with_attached(kept, record(own), own) is None


def test_a_rejected_receipt_tells_what_was_attached_after_all() -> None:
    errors = [{"pointer": "/poFiles", "detail": "x"}]
    kept = receipt(ReceiptState.REJECTED, errors=errors)
    told = with_attached(kept, record(submission()), submission(ids=("1",)))

    assert told
    body = told.body.to_json()
    assert (told.state, [*body["errors"]]) == (ReceiptState.REJECTED, errors)
    assert [[*p["attachments"]] for p in body["previous"]] == [[{"attachmentId": "1"}]]


@pytest.mark.parametrize(
    ("lasted", "wait", "seconds"),
    [
        (timedelta(), None, 30),
        (timedelta(minutes=8), None, 120),
        (5 * HOUR, None, 900),
        (timedelta(), 0.0, 1),
        (5 * HOUR, 77.0, 77),
    ],
)
def test_what_cannot_be_sent_is_tried_again_ever_more_rarely(
    lasted: timedelta, wait: float | None, seconds: int
) -> None:
    error = NotAppliedError("no answer")
    kept, facts = receipt(files=FILES, attempts=1), ReceiptBody(correlation_id="c")
    state, body, due = deferral(kept, facts, error, wait, NOW - lasted, NOW)

    assert (state, due) == (ReceiptState.RETRYING, NOW + timedelta(seconds=seconds))
    assert (body.files, body.correlation_id, body.attempts) == (FILES, "c", None)
    assert (body.remedy, bool(body.next_attempt)) == (error.remedy or RETRIED, True)


def test_what_could_not_be_sent_for_a_day_is_a_persons() -> None:
    error = NotAppliedError("no answer")
    on_time = deferral(None, ReceiptBody(), error, None, NOW - GIVE_UP, NOW)[0]
    state, body, due = deferral(None, ReceiptBody(), error, None, NOW - GIVE_UP - HOUR, NOW)

    assert (on_time, state, due) == (ReceiptState.RETRYING, ReceiptState.REVIEW, None)
    assert (body.detail, body.next_attempt) == ("not sent within 24 hours: no answer", None)
    assert body.remedy == (error.remedy or DECIDE)


@pytest.mark.parametrize(
    ("kept", "goes_on"),
    [
        (None, False),
        (receipt(ReceiptState.RETRYING, since="2027-03-31T11:00:00+00:00"), True),
        (receipt(ReceiptState.RETRYING), False),
        (receipt(ReceiptState.REVIEW, since="2027-03-31T11:00:00+00:00"), True),
        (receipt(ReceiptState.REVIEW), False),
        (Receipt("a/PO.json", ReceiptState.REVIEW, NOW, "s2", ReceiptBody(since="x")), False),
    ],
)
def test_a_drop_that_cannot_be_sent_is_so_since_its_receipt_says_so(
    kept: Receipt | None, goes_on: bool
) -> None:
    assert deferred_before(kept, NOW, "s1") is goes_on


def test_the_first_receipt_needs_nothing_to_replace() -> None:
    assert supersedes(receipt(), None)


def test_of_two_sidecars_within_one_second_the_one_that_is_looked_at_now_is_the_newer() -> None:
    there = receipt(ReceiptState.REVIEW)

    assert supersedes(Receipt("a/PO.json", ReceiptState.WAITING, NOW, "s2", ReceiptBody()), there)


def test_since_when_is_read_or_is_now() -> None:
    assert since_of(receipt(since="2027-03-31T11:00:00+00:00"), NOW) == NOW - HOUR
    assert [since_of(kept, NOW) for kept in (None, receipt(), receipt(since="soon"))] == [NOW] * 3


@pytest.mark.parametrize(
    ("told", "moment"),
    [
        ("Wed, 31 Mar 2027 12:00:00 GMT", NOW),
        ("Wed, 31 Mar 2027 12:00:00 -0000", NOW),
        ("Wed, 31 Mar 2027 14:00:00 +0200", NOW),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_a_moment_in_a_header_is_read_or_is_none(told: str, moment: datetime | None) -> None:
    assert http_date(told) == moment


def test_a_moment_in_a_text_is_read_or_is_none() -> None:
    assert (iso_moment("2027-03-31T12:00:00+00:00"), iso_moment("noon")) == (NOW, None)


def test_an_order_request_is_named_by_its_key() -> None:
    own = submission()
    asked = Record(v=LEDGER_FORMAT, kind="order", key="orders/c/k", customer_id="c").put(own)

    assert (asked.name_of(own), record(own).name_of(own)) == ("orders/c/k", "attachments/c/o/d")


@pytest.mark.parametrize(
    ("state", "incomplete", "stands"),
    [
        (State.DONE, False, "attached"),
        (State.REFUSED, False, "rejected"),
        (State.REFUSED, True, "waiting"),
        (State.CLAIMED, False, "submitting"),
        (State.PENDING, False, "retrying"),
        (State.UNKNOWN, False, "retrying"),
        (State.ACCEPTED, False, "retrying"),
        (State.REVIEW, False, "review"),
    ],
)
def test_where_a_drop_stands(state: State, incomplete: bool, stands: str) -> None:
    assert state_of(submission(state, incomplete=incomplete)) == stands
