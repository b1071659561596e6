"""Uploading purchase orders and tenders, and what is kept of them."""

from __future__ import annotations

import hashlib

import pytest

from tests.local.simulator.kit import (
    CUSTOMER,
    METADATA,
    PDF,
    REQUEST_ID,
    TENDER,
    Client,
    Files,
    attachment_path,
    head,
    part,
    pdf,
    raw,
    said,
    upload_body,
)

ORDERS = f"/v1/customers/{CUSTOMER}/orders"
FORM = "multipart/form-data; boundary=B"


def test_an_upload_gives_the_documented_collection_and_moves_the_order_on(client: Client) -> None:
    order = client.placed()
    files: Files = [
        ("POFiles", pdf("PO_Part1.pdf", 2_100_000)),
        ("pofiles", pdf("PO_Part2.pdf", 1024)),
        ("TENDERFILES", pdf("Tender.pdf", 1025)),
    ]
    answer = client.attach(order, files, TENDER)
    shown = answer.json()
    ids = [item.pop("attachmentId") for item in shown["items"]]
    assert answer.status_code == 201
    assert shown == {
        "totalCount": 3,
        "items": [
            {"fileName": "PO_Part1.pdf", "sizeInKB": 2051, "attachmentType": "POAttachment"},
            {"fileName": "PO_Part2.pdf", "sizeInKB": 1, "attachmentType": "POAttachment"},
            {"fileName": "Tender.pdf", "sizeInKB": 2, "attachmentType": "TenderAttachment"},
        ],
        "attributes": {"objectType": "Collection"},
    }
    assert all(len(item) == 14 and int(item, 16) >= 0 for item in ids)
    assert client.get(f"{ORDERS}/{order}").json()["status"] == "po_upload_complete"
    listed = client.get(f"{ORDERS}/{order}/attachments").json()
    assert [item["attachmentId"] for item in listed["items"]] == ids


def test_what_came_is_kept_with_its_hash_and_the_metadata_byte_for_byte(client: Client) -> None:
    order = client.placed()
    small, large = pdf("s.pdf", 1000), pdf("l.pdf", 1_048_577)
    client.attach(order, [("POFiles", small), ("POFiles", large)])
    (submission,) = client.partner_center.state.orders[order].submissions
    assert submission.metadata == METADATA
    for kept, (_, content, _) in zip(submission.files, (small, large), strict=True):
        assert isinstance(content, bytes)
        assert (kept.size, kept.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert [item.content is not None for item in submission.files] == [True, False]
    download = client.get(f"{attachment_path(order)}/{submission.files[0].id}")
    assert (download.content, download.headers["Content-Type"]) == (small[1], "application/pdf")
    assert said(client.get(f"{attachment_path(order)}/{submission.files[1].id}")) == (404, "1000")


def test_the_same_upload_twice_attaches_twice(client: Client) -> None:
    order = client.placed()
    assert [client.attach(order).json()["totalCount"] for _ in range(2)] == [1, 1]
    assert client.get(f"{ORDERS}/{order}/attachments").json()["totalCount"] == 2
    assert len(client.partner_center.state.orders[order].submissions) == 2


def test_the_answer_lists_all_files_of_the_order_where_that_is_switched_on(client: Client) -> None:
    client.partner_center.configure(reply_lists_all=True)
    order = client.placed()
    assert [client.attach(order).json()["totalCount"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(("honours", "submissions"), [(True, 1), (False, 2)])
def test_a_repeated_request_id_attaches_once_only_where_it_is_honoured(
    client: Client, honours: bool, submissions: int
) -> None:
    client.partner_center.configure(honours_request_id=honours)
    order = client.placed()
    client.session.headers["MS-RequestId"] = REQUEST_ID
    ids = [client.attach(order).json()["items"][0]["attachmentId"] for _ in range(2)]
    assert len(client.partner_center.state.orders[order].submissions) == submissions == len(set(ids))
    committed = [entry.committed for entry in client.partner_center.journal.entries()[1:]]
    assert committed == [True, not honours]


@pytest.mark.parametrize(
    ("metadata", "files", "expected"),
    [
        ('{"currency": "CAD"}', None, (400, "900254")),
        ('{"customerPrice": "1"}', None, (400, "900254")),
        ('{"customerPrice": "1,5", "currency": "CAD"}', None, (400, "900254")),
        ('{"customerPrice": true, "currency": "CAD"}', None, (400, "900254")),
        ('{"customerPrice": "NaN", "currency": "CAD"}', None, (400, "900254")),
        ('{"customerPrice": "1", "currency": "dollars"}', None, (400, "900254")),
        ('{"customerPrice": "1", "currency": "CAD", "fxRate": "x"}', None, (400, "900254")),
        ('{"customerPrice": "1", "currency": "CAD", "tenderLink": "x"}', None, (400, "900254")),
        ('{"customerPrice": "1", "currency": "CAD", "tenderLink": "http://["}', None, (400, "900254")),
        ('{"customerPrice": "1", "currency": "CAD", "isPartOfTender": "true"}', None, (400, "900254")),
        (
            '{"customerPrice": "1", "currency": "CAD", "isPartOfTender": true, "isPartofTender": true}',
            None,
            (400, "900254"),
        ),
        ("{", None, (400, "900254")),
        ("[]", None, (400, "900254")),
        ("\ufeff" + METADATA, None, (400, "900254")),
        (METADATA, [], (400, "900252")),
        (METADATA, [("TenderFiles", PDF)], (400, "900252")),
        (TENDER, None, (400, "900253")),
        (TENDER, [("POFiles", PDF), ("Tender", PDF)], (400, "900253")),
        (METADATA, [("POFiles", ("a.pdf", b"x", "text/plain"))], (400, "800002")),
        (METADATA, [("POFiles", ("a.pdf", b"x", ""))], (400, "800002")),
        (METADATA, [("POFiles", ("a.pdf", b"x", "application/pdf; ="))], (400, "800002")),
        (METADATA, [("POFiles", (None, b"x", "application/pdf"))], (400, "800002")),
        (METADATA, [("metadata", (None, METADATA, "")), ("POFiles", PDF)], (400, "900254")),
    ],
)
def test_a_bad_upload_has_its_documented_error_and_attaches_nothing(
    client: Client, metadata: str, files: Files | None, expected: tuple[int, str]
) -> None:
    order = client.placed()
    assert said(client.attach(order, files, metadata)) == expected
    assert client.partner_center.state.orders[order].submissions == []
    assert client.partner_center.state.orders[order].status == "pending_po_upload"


@pytest.mark.parametrize(
    "metadata",
    [
        '{"CustomerPrice": 156.87, "CURRENCY": "cad", "IsPartofTender": false, "tenderLink": null}',
        '{"customerPrice": "1", "currency": "CAD", "isPartofTender": true, "tenderLink": "https://a/b"}',
    ],
)
def test_metadata_names_match_without_regard_to_case(client: Client, metadata: str) -> None:
    assert client.attach(client.placed(), metadata=metadata).status_code == 201


def test_metadata_without_a_type_counts_and_metadata_as_a_file_does_not(client: Client) -> None:
    order = client.placed()
    plain: Files = [("Metadata", (None, METADATA, "")), ("POFiles", PDF)]
    as_file: Files = [("metadata", ("m.json", METADATA, "application/json")), ("POFiles", PDF)]
    xml: Files = [("metadata", (None, METADATA, "text/xml")), ("POFiles", PDF)]
    answers = [client.call("POST", attachment_path(order), files=files) for files in (plain, as_file, xml)]
    assert answers[0].status_code == 201
    assert [said(answer) for answer in answers[1:]] == [(400, "900254")] * 2


def test_a_part_that_nothing_is_called_after_disappears_without_a_word(client: Client) -> None:
    order = client.placed()
    files: Files = [("POFiles", PDF), ("Tender", pdf("T.pdf"))]
    linked = TENDER[:-1] + ', "tenderLink": "https://tenders.example/7"}'
    assert client.attach(order, files, linked).json()["totalCount"] == 1
    assert client.partner_center.state.orders[order].submissions[0].dropped == ("Tender",)


def test_the_tender_part_is_called_as_the_option_says(client: Client) -> None:
    client.partner_center.configure(tender_part_names=["Tender"])
    answer = client.attach(client.placed(), [("POFiles", PDF), ("Tender", pdf("T.pdf"))], TENDER)
    kinds = [item["attachmentType"] for item in answer.json()["items"]]
    assert kinds == ["POAttachment", "TenderAttachment"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", upload_body()),
        ("multipart/mixed; boundary=B", upload_body()),
        ("multipart/form-data", upload_body()),
        ("multipart/form-data; boundary=", upload_body()),
        (FORM, upload_body()[:-6]),
        (FORM, b""),
    ],
)
def test_a_body_that_is_no_form_is_refused(client: Client, content_type: str, body: bytes) -> None:
    order = client.placed()
    assert said(client.attach_raw(order, body, content_type)) == (400, "800002")
    assert client.partner_center.state.orders[order].submissions == []


def test_an_unknown_order_gets_20000_and_the_connection_stays_usable(client: Client) -> None:
    assert said(client.attach("no-such-order")) == (404, "20000")
    client.placed()
    assert len({entry.connection for entry in client.partner_center.journal.entries()}) == 1


def test_a_body_of_unknown_length_gets_411(client: Client) -> None:
    order = client.placed()
    chunks = (chunk for chunk in [upload_body()])
    answer = client.call("POST", attachment_path(order), {"Content-Type": FORM}, data=chunks)
    assert answer.status_code == 411
    reply = raw(client.partner_center, head("POST", attachment_path(order), Content_Type=FORM))
    assert reply.startswith(b"HTTP/1.1 411 ")


def test_a_length_beside_chunks_is_not_believed(client: Client) -> None:
    lengths = {"Content_Length": "5", "Transfer_Encoding": "chunked"}
    reply = raw(client.partner_center, head("POST", attachment_path("x"), **lengths) + b"0\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 411 ")
    assert reply.count(b"HTTP/1.1") == 1


def test_a_content_length_that_is_no_number_gets_400(client: Client) -> None:
    reply = raw(client.partner_center, head("POST", attachment_path("x"), Content_Length="-1"))
    assert reply.startswith(b"HTTP/1.1 400 ")


def test_a_body_that_breaks_off_attaches_nothing_and_gets_no_answer(client: Client) -> None:
    order, body = client.placed(), upload_body()
    promise = head("POST", attachment_path(order), Content_Type=FORM, Content_Length=str(len(body)))
    assert raw(client.partner_center, promise, body[:-1]) == b""
    assert client.partner_center.state.orders[order].submissions == []
    broken = client.partner_center.journal.entries()[-1]
    assert (broken.status, broken.committed, broken.request_bytes) == (None, False, len(body) - 1)


def test_a_client_that_waits_for_100_continue_is_asked_to_go_on(client: Client) -> None:
    order, body = client.placed(), upload_body()
    wait = {"Content_Type": FORM, "Content_Length": str(len(body)), "Expect": "100-continue"}
    accepted = raw(client.partner_center, head("POST", attachment_path(order), **wait), body)
    refused = raw(client.partner_center, head("POST", attachment_path("none"), **wait))
    assert accepted.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 ")
    assert refused.startswith(b"HTTP/1.1 404 ")
    assert b"Connection: close" in refused


def test_a_file_name_keeps_its_quotes_and_letters(client: Client) -> None:
    body = (
        part("metadata", METADATA.encode())
        + part("POFiles", b"", 'Bestellung \\"Süd\\" 発注.pdf', "application/pdf")
        + b"--B--"
    )
    answer = client.attach_raw(client.placed(), body, FORM)
    assert answer.json()["items"][0] | {"attachmentId": ""} == {
        "attachmentId": "",
        "fileName": 'Bestellung "Süd" 発注.pdf',
        "sizeInKB": 0,
        "attachmentType": "POAttachment",
    }


def test_contents_beyond_what_is_kept_in_all_are_hashed_only(client: Client) -> None:
    client.partner_center.configure(keep_total=len(PDF[1]))
    order = client.placed()
    client.attach(order)
    client.attach(order)
    kept = [item.content is not None for item in client.partner_center.state.orders[order].attachments]
    assert kept == [True, False]
