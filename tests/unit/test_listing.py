"""What a list of open work shows of a submission and of a drop."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.core.access import ANYBODY, Caller
from shared.core.errors import InvalidInputError
from shared.core.ids import customer_in
from shared.core.ledger import LEDGER_FORMAT, Record, State, Submission
from shared.core.ledger_parts import DocumentFacts, OrderContent, Source
from shared.core.listing import (
    LISTED,
    can_be_hurried,
    entry_of,
    entry_of_drop,
    receipt_since,
    state_in,
    states_in,
    tag_of,
)
from shared.core.receipt_parts import (
    FileEntry,
    Receipt,
    ReceiptBody,
    ReceiptState,
    ReceiptViolation,
    VersionedReceipt,
)
from shared.services.listing import Listing

NOW = datetime(2027, 3, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = "attachments/c501/5cf7"
SOURCE = Source(drop="a/PO.json", sidecar_etag="s1", files={"a/PO.pdf": "p1"})
ORDER = OrderContent(mode="app", body="{}")


def submission(state: State, digest: str = "d", **fields: Any) -> Submission:
    known: dict[str, Any] = {"revision": "r", "request_id": "q", "correlation_id": "c", "detail": "why"}
    moments = {"created": NOW, "changed": NOW, "since": NOW - HOUR}
    return Submission(**known | moments | {"digest": digest, "state": state} | fields)


def record(*own: Submission, kind: Any = "attachments") -> Record:
    found = {one.digest: one for one in own}
    order = "5cf7" if kind == "attachments" else ""
    return Record(v=LEDGER_FORMAT, kind=kind, key=KEY, customer_id="c501", order_id=order, submissions=found)


def test_a_record_is_found_under_each_state_that_something_in_it_is_in() -> None:
    two = submission(State.PENDING, "b", changed=NOW + HOUR), submission(State.UNKNOWN, "a")
    found = states_in(record(*two, submission(State.REVIEW), submission(State.DONE, "x")))

    assert found == {ReceiptState.RETRYING: NOW - HOUR, ReceiptState.REVIEW: NOW}
    assert ReceiptState.ATTACHED not in LISTED
    assert tag_of(ReceiptState.REVIEW) == "in-review"


def test_a_receipt_that_tells_what_the_ledger_tells_is_not_found() -> None:
    receipt = Receipt("a/PO.json", ReceiptState.REVIEW, NOW, "s1", ReceiptBody())
    mirror = Receipt("a/PO.json", ReceiptState.REVIEW, NOW, "s1", ReceiptBody(), mirrors=True)
    attached = Receipt("a/PO.json", ReceiptState.ATTACHED, NOW, "s1", ReceiptBody())

    assert [state_in(one) for one in (receipt, mirror, attached)] == [ReceiptState.REVIEW, None, None]


def test_a_document_without_its_end_is_told_by_the_receipt_and_not_for_ever_by_its_record() -> None:
    own = submission(State.REFUSED, incomplete=True)
    mirror = Receipt("a/PO.json", ReceiptState.WAITING, NOW, "s1", ReceiptBody(), mirrors=True)

    assert states_in(record(own, submission(State.DONE, "whole"))) == {}
    assert state_in(mirror) is ReceiptState.WAITING


def test_what_waits_is_as_old_as_its_waiting_and_what_ended_as_its_end() -> None:
    body = ReceiptBody(since="2027-03-30T12:00:00+00:00", changed="2027-03-31T11:00:00+00:00")

    def moment(state: ReceiptState, told: ReceiptBody = body) -> datetime:
        return receipt_since(Receipt("a/PO.json", state, NOW, "s1", told))

    assert moment(ReceiptState.WAITING) == NOW - 24 * HOUR
    assert moment(ReceiptState.REVIEW) == NOW - HOUR
    assert moment(ReceiptState.REVIEW, ReceiptBody()) == NOW


def test_a_bound_reader_is_not_shown_what_was_attached_before_for_another_customer() -> None:
    mine, other = "c501c3c4-d776-40ef-9ecf-9cefb59442c1", "d0000000-0000-4000-8000-000000000002"
    previous = [{"submission": f"attachments/{one}/5cf7/d", "files": []} for one in (mine, other)]
    document = {"drop": "a/PO.json", "previous": previous}
    receipt = VersionedReceipt(
        "a/PO.json", ReceiptState.ATTACHED, NOW, "s1", ReceiptBody(), document=document
    )

    assert receipt.shown_to(Caller("ada", frozenset({mine})))["previous"] == previous[:1]
    assert receipt.shown_to(ANYBODY) == document
    assert replace(receipt, document={"drop": "a/PO.json"}).shown_to(ANYBODY) == {"drop": "a/PO.json"}


def test_a_review_shows_its_reason_its_documents_and_what_a_person_may_decide() -> None:
    facts = DocumentFacts(kind="POAttachment", file_name="PO.pdf", size=9, md5="m")
    own = submission(State.REVIEW, sources=(SOURCE,), documents=(facts,), attempt=3)

    entry = entry_of(record(own), own)

    assert entry == {
        "kind": "attachments",
        "state": "review",
        "submission": f"{KEY}/d",
        "drops": ["a/PO.json"],
        "customerId": "c501",
        "orderId": "5cf7",
        "detail": "why",
        "actor": "operator",
        "remedy": entry["remedy"],
        "since": "2027-03-31T11:00:00+00:00",
        "changed": "2027-03-31T12:00:00+00:00",
        "attempts": 3,
        "correlationId": "c",
        "documents": ["PO.pdf"],
        "decisions": ["adopt", "retry", "send-again", "give-up"],
    }


def test_what_is_tried_again_shows_when_and_can_be_tried_now() -> None:
    own = submission(State.PENDING, sources=(SOURCE,), due=NOW + HOUR)
    entry = entry_of(record(own), own)

    assert entry["nextAttempt"] == "2027-03-31T13:00:00+00:00"
    assert entry["decisions"] == ["retry"]


def test_what_only_its_sender_can_send_again_says_so() -> None:
    own = submission(State.PENDING)
    entry = entry_of(record(own), own)

    assert entry["actor"] == "caller"
    assert entry["remedy"].startswith("send the request again: nothing was done")
    assert "decisions" not in entry


def test_an_order_request_shows_the_order_that_came_of_it() -> None:
    own = submission(State.DONE, order=ORDER, ids=("5cf72f146967",))
    assert entry_of(record(own, kind="order"), own)["orderId"] == "5cf72f146967"


@pytest.mark.parametrize(
    ("own", "can"),
    [
        (submission(State.PENDING), False),
        (submission(State.PENDING, order=ORDER), False),
        (submission(State.PENDING, order=ORDER, due=NOW), True),
        (submission(State.UNKNOWN, due=NOW), True),
        (submission(State.ACCEPTED, due=NOW), True),
        (submission(State.CLAIMED, sources=(SOURCE,), due=NOW), False),
        (submission(State.REVIEW, sources=(SOURCE,)), False),
        (submission(State.DONE), False),
    ],
)
def test_what_the_app_goes_on_with_by_itself_can_be_hurried(own: Submission, can: bool) -> None:
    assert can_be_hurried(own) is can


def test_a_rejected_drop_shows_every_fault() -> None:
    fault = ReceiptViolation(pointer="/currency", detail="is required")
    file = FileEntry(file_name="PO.pdf", etag="p1")
    body = ReceiptBody(actor="caller", errors=(fault,), files=(file,), waiting_for=("b.pdf",))
    entry = entry_of_drop(Receipt("a/PO.json", ReceiptState.REJECTED, NOW, "s1", body))

    assert json.loads(json.dumps(entry)) == {
        "kind": "drop",
        "state": "rejected",
        "drops": ["a/PO.json"],
        "documents": ["PO.pdf"],
        "actor": "caller",
        "errors": [{"pointer": "/currency", "detail": "is required"}],
        "waitingFor": ["b.pdf"],
    }


def test_a_name_tells_its_customer() -> None:
    assert customer_in(f"{KEY}/d") == "c501"
    assert customer_in("nonsense") == ""


@pytest.mark.parametrize("unclaimed", [True, False])
def test_a_document_without_a_sidecar_is_told_from_a_drop(unclaimed: bool) -> None:
    body = ReceiptBody(files=(FileEntry(file_name="PO.pdf", etag="p1"),))
    assert (
        Receipt("a/PO.pdf", ReceiptState.REVIEW, NOW, "" if unclaimed else "s", body).unclaimed is unclaimed
    )


@pytest.mark.parametrize(
    "after",
    [
        "x",
        "%",
        "é",
        *(base64.b64encode(raw).decode() for raw in (b"[]", b'["blobs", ""]', b'["records", 7]')),
    ],
)
def test_a_place_that_no_list_named_is_refused(after: str) -> None:
    listing = Listing(None, None)  # type: ignore[arg-type]  # neither is asked
    with pytest.raises(InvalidInputError) as caught:
        listing.page(ReceiptState.REVIEW, NOW, after, ANYBODY)
    assert caught.value.violations[0].pointer == "query:after"
