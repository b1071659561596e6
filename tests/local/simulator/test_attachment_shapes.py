"""The shapes in which attachments can be told: in their list, and in the answer to an upload."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from tests.local.simulator.kit import METADATA, Client, Clock, Files, orders_path, part, pdf

ONE: Files = [("POFiles", pdf("PO.pdf", 2560))]
TWO: Files = [("POFiles", pdf("1.pdf")), ("POFiles", pdf("2.pdf"))]
ITEM = ["attachmentId", "fileName", "sizeInKB", "attachmentType"]
PASCAL_ITEM = ["AttachmentId", "FileName", "SizeInKB", "AttachmentType"]
DOCUMENTED = ["totalCount", "items", "attributes"]
PASCAL = ["TotalCount", "Items", "Attributes"]


def both(client: Client, files: Files = ONE) -> list[dict[str, Any]]:
    """What the upload answers, and the list after it."""
    order = client.placed()
    told = client.attach(order, files)
    return [told.json(), client.get(f"{orders_path()}/{order}/attachments").json()]


@pytest.mark.parametrize(
    ("casing", "outside", "inside", "object_type"),
    [
        ("documented", DOCUMENTED, ITEM, "objectType"),
        ("pascal", PASCAL, PASCAL_ITEM, "ObjectType"),
        ("pascal_items", DOCUMENTED, PASCAL_ITEM, "objectType"),
    ],
)
def test_members_are_in_the_letter_case_of_the_switch(
    client: Client, casing: str, outside: list[str], inside: list[str], object_type: str
) -> None:
    client.partner_center.configure(attachment_casing=casing)
    for told in both(client):
        assert list(told) == outside
        assert list(told[outside[1]][0]) == inside
        assert list(told[outside[2]]) == [object_type]


@pytest.mark.parametrize("missing", ITEM)
def test_entries_lack_the_members_that_are_left_out(client: Client, missing: str) -> None:
    client.partner_center.configure(attachment_omits=[missing])
    for told in both(client):
        assert list(told["items"][0]) == [name for name in ITEM if name != missing]


@pytest.mark.parametrize("missing", ["totalCount", "attributes"])
def test_a_list_lacks_the_members_that_are_left_out(client: Client, missing: str) -> None:
    client.partner_center.configure(list_omits=[missing])
    for told in [*both(client), client.get(orders_path()).json()]:
        assert list(told) == [name for name in DOCUMENTED if name != missing]


@pytest.mark.parametrize(("null", "empty"), [(False, []), (True, None)])
def test_the_items_of_an_empty_list_are_a_list_or_null(client: Client, null: bool, empty: object) -> None:
    client.partner_center.configure(null_when_empty=null)
    assert client.get(orders_path()).json()["items"] == empty
    order = client.placed()
    assert client.get(f"{orders_path()}/{order}/attachments").json()["items"] == empty
    assert all(told["items"] for told in both(client))


@pytest.mark.parametrize(
    ("form", "listed"),
    [
        ("wire", "B %22Süd%22 発.PDF"),
        ("sent", 'B "Süd" 発.PDF'),
        ("percent", "B%20%22S%C3%BCd%22%20%E7%99%BA.PDF"),
        ("lower", "b %22süd%22 発.pdf"),
        ("nfd", unicodedata.normalize("NFD", "B %22Süd%22 発.PDF")),
        ("mojibake", "B %22SÃ¼d%22 ç\x99º.PDF"),
        ("empty", ""),
    ],
)
def test_a_name_is_listed_as_the_option_says(client: Client, form: str, listed: str) -> None:
    client.partner_center.configure(listed_names=form)
    order = client.placed()
    body = part("metadata", METADATA.encode()) + part(
        "POFiles", b"x", "B %22Süd%22 発.PDF", "application/pdf"
    )
    told = client.attach_raw(order, body + b"--B--\r\n", "multipart/form-data; boundary=B").json()
    assert [told["items"][0]["fileName"], client.attached(order)[0]["fileName"]] == [listed] * 2
    (kept,) = client.partner_center.state.orders[order].attachments
    assert kept.file_name == "B %22Süd%22 発.PDF"


@pytest.mark.parametrize(
    ("unit", "listed"),
    [("kib_up", 3), ("kib_down", 2), ("kb_up", 3), ("kb_down", 2), ("bytes", 2560), ("text", "2.5")],
)
def test_a_size_is_listed_in_the_unit_of_the_switch(client: Client, unit: str, listed: object) -> None:
    client.partner_center.configure(listed_sizes=unit)
    assert [told["items"][0]["sizeInKB"] for told in both(client)] == [listed] * 2


@pytest.mark.parametrize(("unit", "listed"), [("kib_up", 2), ("kib_down", 1), ("kb_up", 3), ("kb_down", 2)])
def test_kilobytes_are_of_1024_or_of_1000_bytes(client: Client, unit: str, listed: int) -> None:
    client.partner_center.configure(listed_sizes=unit)
    assert both(client, [("POFiles", pdf("PO.pdf", 2047))])[0]["items"][0]["sizeInKB"] == listed


@pytest.mark.parametrize(
    ("behaviour", "second"),
    [
        ({}, ["1.pdf", "2.pdf"]),
        ({"reply_lists_all": True}, ["PO.pdf", "1.pdf", "2.pdf"]),
        ({"upload_reply": "empty"}, []),
        ({"upload_reply": "empty", "reply_lists_all": True}, []),
    ],
)
def test_an_upload_is_answered_with_its_files_with_all_or_with_none(
    client: Client, behaviour: dict[str, Any], second: list[str]
) -> None:
    client.partner_center.configure(**behaviour)
    order = client.placed()
    client.attach(order, ONE)
    told = client.attach(order, TWO).json()
    assert [item["fileName"] for item in told["items"]] == second
    assert told["totalCount"] == len(second)
    assert len(client.attached(order)) == 3


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_upload_can_be_answered_without_a_body_and_with_another_status(
    client: Client, status: int
) -> None:
    client.partner_center.configure(upload_reply="no_body", upload_status=status)
    order = client.placed()
    answer = client.attach(order)
    assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (status, b"", "0")
    assert client.partner_center.journal.entries()[-1].committed
    client.partner_center.configure(upload_reply="files")
    answer = client.attach(order)
    assert (answer.status_code, len(answer.json()["items"])) == (status, 1)
    assert len(client.attached(order)) == 2


def test_a_file_is_listed_once_its_lag_has_passed_and_can_be_had_before(client: Client, clock: Clock) -> None:
    order = client.placed()
    client.partner_center.configure(attachment_lag=60, reply_lists_all=True)
    told = client.attach(order, TWO).json()
    assert [item["fileName"] for item in told["items"]] == ["1.pdf", "2.pdf"]
    assert client.attached(order) == []
    assert client.get(f"{orders_path()}/{order}/attachment/{told['items'][0]['attachmentId']}").ok
    assert client.attach(order, ONE).json()["totalCount"] == 1
    clock.ahead += 61
    assert [item["fileName"] for item in client.attached(order)] == ["1.pdf", "2.pdf", "PO.pdf"]


def test_the_files_of_one_upload_can_appear_one_after_the_other(client: Client, clock: Clock) -> None:
    client.partner_center.configure(attachment_lag=60, attachments_appear="one_by_one")
    order, seen = client.placed(), []
    client.attach(order, TWO)
    for _ in range(3):
        seen.append([item["fileName"] for item in client.attached(order)])
        clock.ahead += 31
    assert seen == [[], ["1.pdf"], ["1.pdf", "2.pdf"]]
