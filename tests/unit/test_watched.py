"""What a look makes of the watch of an order, and what a record's watch begins with."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest

from shared.core.errors import OrderNotWaitingError
from shared.core.ledger import LEDGER_FORMAT, Record, State, Submission
from shared.core.ledger_parts import RecordedAnswer
from shared.core.listing import entry_of, entry_of_order, entry_of_owed, orders_in
from shared.core.moments import LONG_AGO
from shared.core.receipt_rules import report
from shared.core.resources import ListedAttachment
from shared.core.watch import (
    documents_drift,
    due_order,
    placed_by,
    status_of,
    watch_tags,
    watching,
    with_order,
)
from shared.core.watched import LAG, LATER, LONGEST, WatchedOrder
from shared.storage.blobs import MOST_TAGS

NOW = datetime(2026, 11, 28, 8, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def begun(status: str = "") -> WatchedOrder:
    return WatchedOrder.begun("o", status, NOW)


def after(days: float, status: str, watched: WatchedOrder, placed: datetime | None = None) -> WatchedOrder:
    return watched.seen("o", status, placed, NOW + timedelta(days=days))


def owed(watched: WatchedOrder) -> list[str]:
    return [one.event for one in watched.owed]


def test_the_first_look_comes_soon_where_the_status_is_not_known_else_after_a_day() -> None:
    assert begun().next == NOW + LAG
    later = begun("pending").next
    assert later is not None
    assert DAY <= later - NOW < DAY + HOUR


def test_the_looks_at_many_orders_spread_over_an_hour() -> None:
    looks = {WatchedOrder.begun(str(number), "pending", NOW).next for number in range(100)}

    assert len(looks) > 90


@pytest.mark.parametrize("status", ["completed", "cancelled", "po_review_rejected", "error"])
def test_an_order_whose_status_is_final_from_the_beginning_is_not_looked_at_and_not_told(status: str) -> None:
    assert (begun(status).next, begun(status).ended, owed(begun(status))) == (None, "final", [])


@pytest.mark.parametrize(
    ("before", "then", "said"),
    [
        ("pending_po_upload", "po_review_rejected", ["order-status"]),
        ("po_upload_complete", "cancelled", ["order-status"]),
        ("", "error", ["order-status"]),
        ("pending", "partial_success", ["order-status"]),
        ("po_upload_complete", "pending_po_upload", ["order-status"]),
        ("", "pending_po_upload", []),
        ("pending_po_upload", "po_upload_complete", []),
        ("po_upload_complete", "completed", []),
        ("pending", "brand_new", []),
        ("partial_success", "partial_success", []),
    ],
)
def test_a_change_is_told_when_it_concerns_a_person(before: str, then: str, said: list[str]) -> None:
    assert owed(after(1, then, begun(before))) == said


def test_since_when_an_order_is_in_its_status_stays_until_it_changes() -> None:
    first = after(1, "pending", begun())
    assert first.since == first.looked == NOW + DAY
    assert after(2, "pending", first).since == NOW + DAY
    assert after(3, "completed", first).since == NOW + 3 * DAY


def test_each_reminder_is_owed_once_at_its_moment_and_the_last_alone_when_both_are_late() -> None:
    watched, waits = begun("pending_po_upload"), "pending_po_upload"
    assert owed(after(3 - 1e-6, waits, watched)) == []
    third = after(3, waits, watched)
    assert owed(third) == ["order-waits"]
    assert owed(after(4, waits, third)) == ["order-waits"]
    assert owed(after(80, waits, third)) == ["order-waits", "order-waits"]
    assert [one.detail for one in after(85, waits, watched).owed] == [
        "the order has waited for its purchase order for 85 days; a savings plan whose purchase order is not"
        " approved within 90 days of the order is rejected for good"
    ]
    assert after(2.5, waits, watched).next == NOW + timedelta(days=3)


def test_the_age_of_an_order_that_was_placed_elsewhere_counts_from_the_date_that_it_tells() -> None:
    old = after(0.1, "pending_po_upload", begun(), placed=NOW - timedelta(days=79))
    assert owed(old) == ["order-waits"]
    assert old.next == NOW + DAY
    late = after(0.1, "pending", begun(), placed=NOW + timedelta(days=5))
    assert late.placed == NOW


def test_the_watch_ends_after_a_hundred_days_and_not_before() -> None:
    last = after(99.9, "pending", begun())
    assert last.next == NOW + LONGEST
    assert (after(100, "pending", last).next, after(100, "pending", last).ended) == (None, "age")


def test_documents_begin_the_watch_anew_and_what_was_known_of_the_status_is_not_true_any_more() -> None:
    ended = after(100, "pending_po_upload", after(3, "pending_po_upload", begun()))
    again = ended.again("o", NOW + 101 * DAY)

    assert (again.status, again.since, again.ended, again.reminded) == ("", None, "", 2)
    assert again.next == NOW + 101 * DAY + LAG
    assert again.began == NOW + 101 * DAY
    assert after(1, "pending", begun()).again("o", NOW + 2 * DAY).began == NOW


def test_a_look_that_failed_changes_nothing_and_comes_again_not_sooner_than_an_hour() -> None:
    known = after(1, "pending", begun())
    for wait in (timedelta(), timedelta(hours=2)):
        failed = known.failed(NOW + 2 * DAY, wait)
        assert failed.next == NOW + 2 * DAY + max(wait, LATER)
        assert failed.model_copy(update={"next": known.next}) == known


def test_looks_that_fail_for_a_hundred_days_end() -> None:
    failed = begun().failed(NOW + LONGEST - HOUR)
    assert failed.next == NOW + LONGEST
    assert (failed.failed(NOW + LONGEST).next, failed.failed(NOW + LONGEST).ended) == (None, "age")


def test_an_order_that_partner_center_does_not_know_yet_is_looked_at_again_and_nobody_is_told() -> None:
    young = begun("pending").missing("o", NOW + LAG / 2)

    assert (young.next, owed(young), young.drift) == (NOW + LAG, [], "")


def test_an_order_that_is_gone_is_told_once_and_again_when_it_goes_again() -> None:
    gone = begun("pending").missing("o", NOW + DAY)
    assert owed(gone) == ["drift"]
    assert owed(gone.missing("o", NOW + 2 * DAY)) == ["drift"]
    back = after(3, "pending", gone)
    assert (back.drift, owed(back)) == ("", ["drift"])
    assert owed(back.missing("o", NOW + 4 * DAY)) == ["drift", "drift"]


def test_what_was_told_is_not_owed_any_more_and_what_came_since_is() -> None:
    first = after(1, "cancelled", begun("pending"))
    more = first.owing("drift", "something", NOW + 2 * DAY)

    assert [one.detail for one in more.told(first.owed).owed] == ["something"]


def submission(state: State = State.DONE, digest: str = "1" * 64, **more: Any) -> Submission:
    moments = {"created": NOW, "changed": NOW, "since": NOW}
    names = {"revision": "r", "request_id": "q", "correlation_id": "c"}
    return Submission(digest=digest, state=state, **moments, **names, **more)


def record(kind: Literal["attachments", "order"], *submissions: Submission) -> Record:
    order_id = "o" if kind == "attachments" else ""
    blank = Record(v=LEDGER_FORMAT, kind=kind, key="k", customer_id="c", order_id=order_id)
    for one in submissions:
        blank = blank.put(one)
    return blank


def answered(body: object, *ids: str) -> Submission:
    return submission(ids=ids, answer=RecordedAnswer(status=201, body=json.dumps(body)))


@pytest.mark.parametrize(
    ("body", "ids", "placed"),
    [
        ({"id": "a", "status": "pending_po_upload"}, ["a"], {"a": "pending_po_upload"}),
        ({"Id": "a", "Status": "PendingPoUpload"}, ["a"], {"a": "pending_po_upload"}),
        ({"id": "a"}, ["a"], {"a": ""}),
        ({"id": "a", "status": 7}, ["a"], {"a": ""}),
        (
            {
                "cartId": "x",
                "orders": [{"id": "a", "status": "completed"}, {"id": "b"}, 7],
                "orderErrors": [],
            },
            ["a", "b"],
            {"a": "completed", "b": ""},
        ),
        ({"orders": 7}, ["a"], {"a": ""}),
        ([], ["a"], {"a": ""}),
    ],
)
def test_the_orders_of_an_answer_and_their_statuses(
    body: object, ids: list[str], placed: dict[str, str]
) -> None:
    assert placed_by(answered(body, *ids)) == placed


def test_an_answer_that_is_no_json_or_is_not_there_tells_no_status() -> None:
    assert placed_by(submission(ids=("a",), answer=RecordedAnswer(status=201, body="<html>"))) == {"a": ""}
    assert placed_by(submission(ids=("a",))) == {"a": ""}


@pytest.mark.parametrize("state", [state for state in State if state is not State.DONE])
def test_what_is_not_done_watches_nothing(state: State) -> None:
    assert watching(record("attachments"), submission(state)).orders == {}


def test_a_checkout_watches_each_of_its_orders_and_the_one_that_is_due_first_is_looked_at_first() -> None:
    done = answered({"orders": [{"id": "a", "status": "pending"}, {"id": "b"}]}, "a", "b")
    watched = watching(record("order", done), done)

    assert set(watched.orders) == {"a", "b"}
    assert due_order(watched, NOW) == ""
    assert due_order(watched, NOW + LAG) == "b"
    assert due_order(watched, NOW + 2 * DAY) == "b"
    assert set(watch_tags(watched)) == {"look", "order-pending"}


def test_of_many_statuses_the_one_that_waits_for_documents_comes_first() -> None:
    names = ("pending", "suspended", "pending_po_upload")
    done = answered({"orders": [{"id": name, "status": name} for name in names]}, *names)
    tags = list(watch_tags(watching(record("order", done), done)))

    assert tags == ["look", "order-pending_po_upload", "order-pending", "order-suspended"]


@pytest.mark.parametrize("told", [{}, {"status": None}, {"Status": "Unknown"}, {"status": ""}])
def test_a_status_that_says_nothing_is_none(told: dict[str, object]) -> None:
    assert status_of(told) == ""


def test_an_order_that_is_completed_or_not_looked_at_any_more_is_in_no_list() -> None:
    one = record("attachments")
    for status, days, tags in (
        ("completed", 1.0, set()),
        ("pending", 1.0, {"look", "order-pending"}),
        ("pending", 100.0, set()),
        ("po_review_rejected", 1.0, {"tell", "order-po_review_rejected"}),
    ):
        assert set(watch_tags(with_order(one, "o", after(days, status, begun())))) == tags
    assert watch_tags(with_order(one, "o", begun("pending").handed_over())) == {}


def test_a_record_of_documents_has_room_for_all_its_index_tags() -> None:
    waits = after(4, "pending_po_upload", begun("pending"))

    assert len(watch_tags(with_order(record("attachments"), "o", waits))) == 3
    assert MOST_TAGS >= 1 + 4 + 3, "due, the states that can be listed, and these"


def entry(number: int, name: str = "PO.pdf", size: int = 2) -> ListedAttachment:
    return ListedAttachment(f"a{number}", "poattachment", name, Decimal(size))


LATE = NOW + DAY


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ([entry(1)], ""),
        ([], "Partner Center does not show any more: a1"),
        ([entry(1), entry(2)], "Partner Center shows twice: a2"),
        ([entry(1), entry(2, name="Annex.pdf")], ""),
        ([entry(1), entry(2, name="X.pdf"), entry(3, name="X.pdf")], "Partner Center shows twice: a2, a3"),
        ([entry(0), entry(1)], ""),
        (
            [entry(2), entry(3)],
            "Partner Center does not show any more: a1; Partner Center shows twice: a2, a3",
        ),
    ],
)
def test_what_of_the_documents_is_gone_or_there_twice(listed: list[ListedAttachment], told: str) -> None:
    assert documents_drift(record("attachments", submission(ids=("a1",), base=("a0",))), listed, LATE) == told


def test_what_was_attached_just_now_is_not_missed() -> None:
    assert documents_drift(record("attachments", submission(ids=("a1",))), [], NOW + LAG / 2) == ""


@pytest.mark.parametrize(
    "more",
    [
        submission(State.UNKNOWN, "2" * 64, base=("a1",)),
        submission(State.REVIEW, "2" * 64, base=("a1",)),
        submission(State.REFUSED, "2" * 64, base=("a1",), silences=1),
    ],
)
def test_nothing_is_twice_while_another_submission_may_be_there(more: Submission) -> None:
    both = record("attachments", submission(ids=("a1",), base=()), more)

    assert documents_drift(both, [entry(1), entry(2)], LATE) == ""


def test_nothing_is_twice_where_nobody_knows_what_the_order_had_before() -> None:
    assert documents_drift(record("attachments", submission(ids=("a1",))), [entry(1), entry(2)], LATE) == ""


def test_documents_are_watched_from_the_first_on_and_anew_from_each_further_one() -> None:
    done = submission(ids=("a1",))
    first = watching(record("attachments", done), done)
    assert first.orders == {"o": begun()}
    known = with_order(first, "o", after(1, "po_upload_complete", begun()))
    again = watching(known, done.model_copy(update={"changed": NOW + 2 * DAY}))
    assert (again.orders["o"].status, again.orders["o"].next) == ("", NOW + 2 * DAY + LAG)
    assert first.orders["o"].is_due(NOW + LAG)
    assert not first.orders["o"].is_due(NOW)


def test_a_status_is_known_for_a_day_after_somebody_looked() -> None:
    seen = after(1, "pending", begun())
    assert seen.is_known(NOW + 2 * DAY)
    assert not seen.is_known(NOW + 2 * DAY + HOUR)
    assert not begun("pending").is_known(NOW)
    assert not begun().is_known(NOW)


def test_a_list_tells_each_order_of_a_record_that_is_in_a_status() -> None:
    done = answered(
        {"orders": [{"id": "a", "status": "pending"}, {"id": "b", "status": "brand_new"}]}, "a", "b"
    )
    both = watching(record("order", done), done)

    assert [order for order, _ in orders_in(both, "pending", LONG_AGO)] == ["a"]
    assert list(orders_in(both, "pending", NOW + DAY)) == []
    entry = entry_of_order(both, "a", both.orders["a"])
    assert (entry["kind"], entry["state"], entry["orderId"]) == ("order", "placed", "a")
    assert (entry["actor"], entry["order"]["status"]) == ("microsoft", "pending")
    assert entry_of(both, done)["order"]["status"] == "pending"
    unknown = entry_of_order(both, "b", both.orders["b"])
    assert unknown["order"] == {"status": "brand_new", "since": "2026-11-28T08:00:00+00:00"}
    assert "actor" not in unknown


def test_a_list_and_a_receipt_tell_documents_and_the_status_of_their_order() -> None:
    done = submission(ids=("a1",))
    bare = record("attachments", done)
    known = with_order(bare, "o", after(1, "cancelled", begun("pending")))
    entry = entry_of_order(known, "o", known.orders["o"])

    assert (entry["state"], entry["submission"]) == ("attached", f"k/{done.digest}")
    told = report(known, done).order
    assert told
    assert (told.status, told.actor, told.looked) == ("cancelled", "nobody", "2026-11-29T08:00:00+00:00")
    assert report(bare, done).order is None
    assert report(with_order(bare, "o", begun()), done).order is None
    assert "submission" not in entry_of_order(record("attachments"), "o", known.orders["o"])


def test_what_is_owed_is_told_with_its_own_sentence_whether_the_status_is_known_or_not() -> None:
    known = after(1, "cancelled", begun("pending"))
    gone = begun().missing("o", NOW + DAY)
    of_known = entry_of_owed(record("attachments"), "o", known, known.owed[0])
    of_gone = entry_of_owed(record("attachments"), "o", gone, gone.owed[0])

    assert of_known["detail"] == "the order's status is now cancelled"
    assert of_known["order"]["status"] == "cancelled"
    assert (of_gone["orderId"], of_gone["customerId"], of_gone["actor"]) == ("o", "c", "operator")
    assert "order" not in of_gone


def test_documents_that_no_order_waits_for_are_the_callers_matter_with_what_to_do() -> None:
    error = OrderNotWaitingError("error", "order again: it was not fulfilled")

    assert (error.actor, error.remedy) == ("caller", "order again: it was not fulfilled")
    assert "error" in str(error)
