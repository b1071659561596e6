"""Both bodies of an attach request, as several clients send them, and what is wrong with the others."""

from __future__ import annotations

import base64
import gc
import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from attach_po.body import read
from attach_po.uploads import PIECE
from shared.core.errors import AppError, InvalidInputError, TooLargeError, UnsupportedMediaTypeError
from shared.core.models import DocumentSet, Metadata, Role
from shared.settings import Settings

CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
ORDER = "5cf72f146967"
LIMITS = Settings.read({}).limits
SMALL = replace(LIMITS, max_file=1000, max_files=3, max_body=5000)
PDF = b"%PDF-1.7\r\n\x00\xff--BOUNDARY\r\n%%EOF"
TENDER = b"%PDF-1.4 tender %%EOF"
PLAIN = {"customerPrice": "156.870", "currency": "CAD"}
TEXT = json.dumps(PLAIN)
FORM = "multipart/form-data; boundary=BOUNDARY"
Parts = list[tuple[str, Any]]


def from_client(parts: Parts, limits: Any = LIMITS) -> DocumentSet:
    """What arrives when the HTTP library `requests` sends `parts`."""
    sent = requests.Request("POST", "http://localhost/", files=parts).prepare()
    assert isinstance(sent.body, bytes)
    return read(sent.headers["Content-Type"], sent.body, limits, CUSTOMER, ORDER)


def by_hand(*parts: tuple[str, bytes], end: bytes = b"--BOUNDARY--\r\n") -> bytes:
    head = (
        b"--BOUNDARY\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + content
        for disposition, content in parts
    )
    return b"\r\n".join([*head, end])


META = ('name="metadata"', TEXT.encode())
PO = ('name="pofiles"; filename="PO.pdf"', PDF)


def from_json(content: bytes = PDF, limits: Any = LIMITS) -> DocumentSet:
    """What arrives when a flow sends one purchase order."""
    file = {"fileName": "PO.pdf", "content": base64.b64encode(content).decode()}
    body = json.dumps({"metadata": PLAIN, "poFiles": [file]}).encode()
    return read("application/json", body, limits, CUSTOMER, ORDER)


def faults(body: bytes, content_type: str = FORM, limits: Any = LIMITS) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        read(content_type, body, limits, CUSTOMER, ORDER)
    return {v.pointer: v.detail for v in caught.value.violations}


def contents(submission: DocumentSet) -> list[tuple[Role, str, bytes]]:
    return [(d.role, d.file_name, b"".join(d.open())) for d in submission.documents]


def test_a_form_with_several_files_and_a_tender_is_read() -> None:
    submission = from_client(
        [
            ("metadata", (None, json.dumps(PLAIN | {"isPartofTender": True}))),
            ("pofiles", ("PO_Part1.pdf", PDF, "application/pdf")),
            ("pofiles", ("PO_Part2.pdf", PDF + b"2", "application/pdf")),
            ("tenderfiles", ("Tender.pdf", TENDER, "application/pdf")),
        ]
    )

    assert (submission.customer_id, submission.order_id) == (CUSTOMER, ORDER)
    assert submission.metadata == Metadata(True, "156.870", "CAD")
    assert contents(submission) == [
        (Role.PURCHASE_ORDER, "PO_Part1.pdf", PDF),
        (Role.PURCHASE_ORDER, "PO_Part2.pdf", PDF + b"2"),
        (Role.TENDER, "Tender.pdf", TENDER),
    ]


def test_both_bodies_mean_the_same_submission() -> None:
    form = read(FORM, by_hand(META, PO), LIMITS, CUSTOMER, ORDER)

    assert form == from_json()
    assert form.digest == from_json().digest


def test_a_document_knows_its_size_and_md5_and_can_be_read_again() -> None:
    large = b"%PDF-" + bytes(range(256)) * 4096 + b"%%EOF"
    (document,) = from_client([("metadata", (None, TEXT)), ("pofiles", ("PO.pdf", large))]).documents
    gc.collect()

    pieces = list(document.open())
    assert {memoryview(piece).nbytes for piece in pieces[:-1]} == {PIECE}
    assert b"".join(pieces) == b"".join(document.open()) == large
    assert document.size == len(large)
    assert document.md5 == hashlib.md5(large).hexdigest()


@pytest.mark.parametrize("name", ["metadata", "Metadata", "METADATA"])
@pytest.mark.parametrize(("po", "tender"), [("pofiles", "tenderfiles"), ("POFiles", "Tender")])
def test_part_names_have_no_case(name: str, po: str, tender: str) -> None:
    metadata = json.dumps(PLAIN | {"isPartOfTender": True})
    submission = from_client([(name, (None, metadata)), (po, ("a.pdf", PDF)), (tender, ("b.pdf", TENDER))])

    assert [d.role for d in submission.documents] == [Role.PURCHASE_ORDER, Role.TENDER]


@pytest.mark.parametrize(
    "part",
    [
        (None, TEXT),
        (None, TEXT, "application/json"),
        (None, TEXT, "text/plain; charset=utf-8"),
        ("metadata.json", TEXT, "application/json"),
        (None, b"\xef\xbb\xbf" + TEXT.encode()),
    ],
    ids=["field", "JSON field", "text field", "file", "BOM"],
)
def test_metadata_comes_as_field_or_file(part: tuple[Any, ...]) -> None:
    assert from_client([("metadata", part), ("pofiles", ("a.pdf", PDF))]).metadata.customer_price == "156.870"


def test_a_file_input_that_a_browser_left_empty_is_no_file() -> None:
    empty = ('name="tenderfiles"; filename=""\r\nContent-Type: application/octet-stream', b"")

    assert len(read(FORM, by_hand(META, PO, empty), LIMITS, CUSTOMER, ORDER).documents) == 1


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('filename="C:\\fakepath\\PO.pdf"', "PO.pdf"),
        ('filename="C:\\\\fakepath\\\\PO.pdf"', "PO.pdf"),
        ('filename="a/b/PO.pdf"', "PO.pdf"),
        ('filename="say %22PO%22.pdf"', 'say "PO".pdf'),
        ('filename="say \\"PO\\".pdf"', 'say "PO".pdf'),
        ('filename="訂單 Größe.pdf"', "訂單 Größe.pdf"),
        ("filename=PO.pdf", "PO.pdf"),
        ("filename=\"x.pdf\"; filename*=UTF-8''%E8%A8%82%E5%96%AE.pdf", "訂單.pdf"),
    ],
)
def test_a_file_name_is_read_as_its_sender_meant_it(disposition: str, name: str) -> None:
    body = by_hand(META, (f'name="pofiles"; {disposition}', PDF))

    assert read(FORM, body, LIMITS, CUSTOMER, ORDER).documents[0].file_name == name


@pytest.mark.parametrize("name", ["a%0D%0Ab.pdf", "a%0Ab.pdf", "PO.docx", "", "x" * 300 + ".pdf"])
def test_a_file_name_that_cannot_be_sent_on_is_refused(name: str) -> None:
    assert "/pofiles/0" in faults(by_hand(META, (f'name="pofiles"; filename="{name}"', PDF)))


NO_BOUNDARY = ["", "; boundary=", '; boundary=""', "; boundary=ü", "; boundary=" + "x" * 300]


@pytest.mark.parametrize("boundary", NO_BOUNDARY)
def test_a_form_without_a_usable_boundary_says_so(boundary: str) -> None:
    assert "without a boundary" in faults(by_hand(META, PO), "multipart/form-data" + boundary)[""]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--OTHER\r\n\r\n--OTHER--\r\n",
        by_hand(META, PO, end=b""),
        by_hand(META, PO)[:-20],
        b"--BOUNDARY\r\nno headers",
        b"--BOUNDARY\r\nX: y\r\n\r\ntext\r\n--BOUNDARY--\r\n",
    ],
    ids=["empty", "other boundary", "cut after a part", "cut", "no headers", "no disposition"],
)
def test_a_form_that_is_not_whole_is_refused(body: bytes) -> None:
    assert "not complete" in faults(body)[""]


def test_a_part_header_that_is_not_utf_8_says_how_to_mend_the_form() -> None:
    body = b'--BOUNDARY\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n--BOUNDARY--\r\n'

    assert "accept-charset" in faults(body)[""]


def test_metadata_given_twice_is_refused() -> None:
    assert faults(by_hand(META, META, PO)) == {"/metadata": "must be given once; it is given 2 times"}


def test_an_unknown_part_is_named() -> None:
    found = faults(by_hand(META, PO, ('name="purchaseorder"; filename="b.pdf"', PDF), ("nothing=x", b"")))

    assert set(found) == {"/purchaseorder", ""}


def test_every_fault_of_a_form_is_named() -> None:
    body = by_hand(
        ('name="metadata"', b'{"customerprice": 1, "currency": "XYZ", "isPartOfTender": false}'),
        ('name="pofiles"; filename="a.pdf"', b""),
        ('name="pofiles"; filename="b.txt"', b"no pdf"),
        ('name="tenderfiles"; filename="t.pdf"', PDF),
        ('name="other"', b""),
    )
    with pytest.raises(InvalidInputError) as caught:
        read(FORM, body, LIMITS, "me", "a/b")

    assert {v.pointer for v in caught.value.violations} == {
        "path:customerId", "path:orderId", "/metadata/customerprice", "/metadata/currency",
        "/metadata/isPartOfTender", "/pofiles/0", "/pofiles/1", "/other",
    }  # fmt: skip


@pytest.mark.parametrize("metadata", [b"", b"{", b"\xff", '{"a":1}'.encode("utf-16"), b"[1]", b" " * 70_000])
def test_metadata_that_cannot_be_read_is_pointed_at(metadata: bytes) -> None:
    assert set(faults(by_hand(('name="metadata"', metadata), PO))) == {"/metadata"}


CUT = b"%PDF-1.7\n1 0 obj"
DAMAGED = "%PDF-1.7\n%\ufffd\ufffd\ufffd\ufffd\n%%EOF".encode()


def test_a_document_that_is_cut_off_is_refused() -> None:
    wrong = "a.pdf has no end (%%EOF): it is cut off, or still arriving"
    accept = 'send the whole file, or say in the metadata that it is whole: "acceptIncompletePdf": true'

    assert faults(by_hand(META, ("name=pofiles; filename=a.pdf", CUT))) == {
        "/pofiles/0": f"{wrong}; {accept}"
    }


def test_a_document_without_an_end_is_sent_when_somebody_says_that_it_is_whole() -> None:
    po = ("name=pofiles; filename=a.pdf", CUT)
    said = ('name="metadata"', b'{"customerPrice": "1", "currency": "CAD", "acceptIncompletePdf": true}')
    found = read(FORM, by_hand(said, po), LIMITS, CUSTOMER, ORDER)

    assert [d.size for d in found.documents] == [len(CUT)]
    assert b"ncomplete" not in found.metadata.to_wire()
    lenient = replace(LIMITS, require_pdf_end=False)
    assert read(FORM, by_hand(META, po), lenient, CUSTOMER, ORDER).documents


def test_a_document_that_went_through_a_text_conversion_is_refused() -> None:
    wrong = faults(by_hand(META, ("name=pofiles; filename=a.pdf", DAMAGED)))["/pofiles/0"]

    assert wrong.startswith("a.pdf is damaged: it was read and written as text on its way")


def test_no_more_files_than_allowed() -> None:
    assert "at most 3" in faults(by_hand(META, *[PO] * 4), limits=SMALL)[""]
    assert "parts" in faults(by_hand(META, *[PO] * 40), limits=SMALL)[""]


def test_no_larger_file_than_allowed() -> None:
    large = b"%PDF-" + b"x" * 996
    with pytest.raises(TooLargeError, match=r"^/pofiles/0 has 1001 bytes; a file may have 1000"):
        read(FORM, by_hand(META, ("name=pofiles; filename=a.pdf", large)), SMALL, CUSTOMER, ORDER)
    with pytest.raises(TooLargeError, match=r"^/poFiles/0 has 1001 bytes"):
        from_json(large, SMALL)


@pytest.mark.parametrize("content_type", [FORM, "application/json", "text/plain", None])
def test_a_body_beyond_the_limit_is_not_looked_at(content_type: str | None) -> None:
    with pytest.raises(TooLargeError, match="5001"):
        read(content_type, b"x" * 5001, SMALL, CUSTOMER, ORDER)


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/pdf", "multipart/mixed; boundary=x", ";;", "json"]
)
def test_another_content_type_is_told_which_are_read(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match=r"multipart/form-data or application/json"):
        read(content_type, by_hand(META, PO), LIMITS, CUSTOMER, ORDER)


@pytest.mark.parametrize(
    "content_type",
    ["Multipart/Form-Data;boundary=BOUNDARY", 'multipart/form-data; x=y; boundary="BOUNDARY"'],
)
def test_a_content_type_may_be_written_in_several_ways(content_type: str) -> None:
    assert read(content_type, by_hand(META, PO), LIMITS, CUSTOMER, ORDER).documents


@given(
    st.binary(max_size=300), st.sampled_from([FORM, "application/json", "text/plain", "multipart/form-data"])
)
def test_arbitrary_bytes_raise_nothing_but_our_own_errors(body: bytes, content_type: str) -> None:
    with pytest.raises(AppError):
        read(content_type, body, LIMITS, CUSTOMER, ORDER)


@given(st.text(max_size=60))
def test_arbitrary_content_types_raise_nothing_but_our_own_errors(content_type: str) -> None:
    with pytest.raises(AppError):
        read(content_type, by_hand(META), LIMITS, CUSTOMER, ORDER)


crumbs = st.sampled_from(
    [b"--BOUNDARY", b"--BOUNDARY--", b"\r\n", b"\n", b"\r", b"\r\n\r\n", PDF, TEXT.encode(), b" ", b":", b'"',
     b"Content-Disposition: form-data; ", b'name="metadata"', b'name="pofiles"; filename="a.pdf"', b"\xff"]
)  # fmt: skip


@given(st.lists(crumbs, max_size=25))
def test_forms_in_crumbs_raise_nothing_but_our_own_errors(pieces: list[bytes]) -> None:
    with suppress(AppError):
        read(FORM, b"".join(pieces), LIMITS, CUSTOMER, ORDER)


@given(st.binary(max_size=200))
def test_a_file_comes_out_of_both_bodies_as_it_went_in(tail: bytes) -> None:
    content = b"%PDF-" + tail + b"%%EOF"
    form = from_client([("metadata", (None, TEXT)), ("pofiles", ("PO.pdf", content))])

    assert contents(form) == contents(from_json(content))
    assert contents(form)[0][2] == content
