"""What is read of Partner Center's answers, and how a collection is written again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.core.moments import LONGEST_RETRY_AFTER, retry_after
from shared.core.receipt_parts import ReceiptBody, ReceiptState, load_receipt
from shared.core.resources import (
    Attachment,
    attachments_in,
    collection_text,
    items_of,
    named_attachments_text,
    named_order_text,
)

NOW = datetime(2027, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("item", "kept"),
    [
        (
            {"AttachmentId": "1", "filename": "PO.pdf", "SizeInKB": Decimal("1.5"), "attachmentType": "x"},
            {"attachmentId": "1", "fileName": "PO.pdf", "sizeInKB": Decimal("1.5"), "attachmentType": "x"},
        ),
        ({"attachmentId": "1", "links": {"self": "/a"}, "fileName": None}, {"attachmentId": "1"}),
        ({"attachmentId": "1", "fileName": "n" * 2000}, {"attachmentId": "1", "fileName": "n" * 1024}),
    ],
    ids=["in any case", "what is not documented stays out", "a long text is cut"],
)
def test_of_an_attachment_the_documented_members_are_kept(item: Any, kept: dict[str, Any]) -> None:
    assert Attachment.documented(item).model_dump(by_alias=True, exclude_defaults=True) == kept


def test_a_collection_is_written_as_partner_center_writes_one_and_read_again() -> None:
    some = (Attachment(attachment_id="1", size_in_kb=Decimal("1.5")), Attachment(attachment_id="2"))
    text = collection_text(some)

    assert json.loads(text) == {
        "totalCount": 2,
        "items": [{"attachmentId": "1", "sizeInKB": 1.5}, {"attachmentId": "2"}],
        "attributes": {"objectType": "Collection"},
    }
    assert [one.attachment_id for one in attachments_in(text)] == ["1", "2"]


def test_what_a_person_named_is_kept_by_its_id_alone() -> None:
    assert json.loads(named_order_text("o1")) == {"id": "o1"}
    assert [one.attachment_id for one in attachments_in(named_attachments_text(["1", "2"]))] == ["1", "2"]


@pytest.mark.parametrize("value", [None, [], {}, {"items": None}, {"items": {"a": 1}}])
def test_what_is_no_collection_has_no_items(value: object) -> None:
    assert items_of(value) == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("57", 57),
        ("1.5", 1.5),
        ("-5", -5),
        ("99999", LONGEST_RETRY_AFTER),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Wed, 31 Mar 2027 12:01:30 GMT", 90),
        ("Wed, 31 Mar 2027 11:59:00 GMT", -60),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"state": "done", "inputs": {"newest": "2027-03-31T12:00:00+00:00", "sidecarETag": "e"}}',
        b'{"state": "waiting", "inputs": {"newest": "soon", "sidecarETag": "e"}}',
        b'{"state": "waiting", "files": 1, "inputs": {"newest": "2027-03-31T12:00:00", "sidecarETag": "e"}}',
    ],
)
def test_what_is_no_receipt_gives_way_to_anything(raw: bytes) -> None:
    there = load_receipt("a/PO.json", raw, "v1")

    assert (there.state, there.body, there.etag) == (ReceiptState.WAITING, ReceiptBody(), "v1")
    assert (there.seen.year, there.document) == (1, {})
