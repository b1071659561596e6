"""Ids, keys, file names and file contents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import InvalidInputError
from shared.validation.collecting import ViolationCollector
from shared.validation.files import document_faults, file_name
from shared.validation.ids import customer_id, idempotency_key, order_id

MANY = 1000


@pytest.mark.parametrize("joined", ["a,b", "a, b", "a,a", "a,"])
def test_two_keys_in_one_request_are_refused(joined: str) -> None:
    with pytest.raises(InvalidInputError, match="given twice, or holds a comma"):
        idempotency_key(joined)


def test_what_stands_outside_of_the_body_is_pointed_at_as_such() -> None:
    def check_all() -> None:
        with ViolationCollector() as faults:
            faults.check(lambda: customer_id("x"))
            faults.check(lambda: order_id("a/b"))
            faults.check(lambda: idempotency_key(None))
            faults.check(lambda: idempotency_key("", "query:key"))

    with pytest.raises(InvalidInputError) as caught:
        check_all()

    assert [v.pointer for v in caught.value.violations] == [
        "path:customerId",
        "path:orderId",
        "header:Idempotency-Key",
        "query:key",
    ]


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("=?utf-8?B?w5xiZXIucGRm?=", "Über.pdf"),
        ("=?utf-8?Q?=C3=9Cber=20x?= =?utf-8?Q?.pdf?=", "Über x.pdf"),
        ("=?iso-8859-1?Q?=DCber.pdf?=", "Über.pdf"),
        ("=?utf-8?B?w5xiZXI=?=.pdf", "Über.pdf"),
        ("x=?utf-8?Q?A?=y.pdf", "xAy.pdf"),
        ("a =? b.pdf", "a =? b.pdf"),
        ("=?no-such-charset?B?eA==?=.pdf", "=?no-such-charset?B?eA==?=.pdf"),
        ("=?utf-8?B?AAAAA?=.pdf", "=?utf-8?B?AAAAA?=.pdf"),
        ("=?utf-8?Q?=FF?=.pdf", "=?utf-8?Q?=FF?=.pdf"),
    ],
)
def test_a_file_name_in_encoded_words_is_decoded(sent: str, read: str) -> None:
    assert file_name(sent) == read


def test_a_name_that_is_no_pdf_is_shown_as_it_was_read() -> None:
    with pytest.raises(InvalidInputError, match=r"ends with .pdf \(it was read as Über.docx\)"):
        file_name("=?utf-8?B?w5xiZXIuZG9jeA==?=")


@pytest.mark.parametrize("encoded", ["=?utf-8?Q?a=0D=0Ab.pdf?=", "=?utf-8?Q?a=E2=80=AEfdp.pdf?="])
def test_what_encoded_words_hide_is_refused_all_the_same(encoded: str) -> None:
    with pytest.raises(InvalidInputError, match="must not contain"):
        file_name(encoded)


def test_a_customer_is_one_in_any_case() -> None:
    assert customer_id("C501C3C4-D776-40EF-9ECF-9CEFB59442C1") == "c501c3c4-d776-40ef-9ecf-9cefb59442c1"


@pytest.mark.parametrize(
    "value",
    [None, 5, "", "c501c3c4d77640ef9ecf9cefb59442c1", "{c501c3c4-d776-40ef-9ecf-9cefb59442c1}", "../orders",
     "c501c3c4-d776-40ef-9ecf-9cefb59442c1 ", "c501c3c4-d776-40ef-9ecf-9cefb59442g1",
     "c501c3c4-d776-40ef-9ecf-9cefb59442c1\n"],
)  # fmt: skip
def test_what_is_no_guid_is_no_customer(value: object) -> None:
    with pytest.raises(InvalidInputError) as caught:
        customer_id(value, "/x")

    assert [v.pointer for v in caught.value.violations] == ["/x"]


@pytest.mark.parametrize(
    "value", ["5cf72f146967", "3eddcac6-63b2-4c40-b0b6-f47e18301492", "Cs_jyTxub", "a", "x" * 128]
)
def test_order_ids_have_several_forms(value: str) -> None:
    assert order_id(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a%2Fb",
        "a b",
        "a?b",
        "a#b",
        "a\n",
        "a\x00",
        "é",
        "\u0661",
        "x" * 129,
        None,
        5,
    ],
)
def test_an_order_id_cannot_walk_the_url(value: object) -> None:
    with pytest.raises(InvalidInputError):
        order_id(value)


@pytest.mark.parametrize("value", [".", ".."])
def test_an_idempotency_key_can_travel_in_a_url(value: str) -> None:
    with pytest.raises(InvalidInputError, match="no URL can carry"):
        idempotency_key(value)


@pytest.mark.parametrize("value", ["a", '~!"%', "x" * 255])
def test_an_idempotency_key_is_visible_ascii(value: str) -> None:
    assert idempotency_key(value) == value


@pytest.mark.parametrize("value", ["", " ", "a b", "a\tb", "é", "a\x7f", "x" * 256])
def test_another_idempotency_key_is_refused(value: str) -> None:
    with pytest.raises(InvalidInputError, match="visible ASCII"):
        idempotency_key(value)


def test_a_missing_idempotency_key_is_told_why_it_is_needed() -> None:
    with pytest.raises(InvalidInputError, match="buying twice"):
        idempotency_key(None)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("PO.pdf", "PO.pdf"),
        ("C:\\fakepath\\PO 1.PDF", "PO 1.PDF"),
        ("a/b\\c/PO.pdf", "PO.pdf"),
        ("../../etc/PO.pdf", "PO.pdf"),
        ('Bestellung "Süd" (訂單).pdf', 'Bestellung "Süd" (訂單).pdf'),
        ("x" * 251 + ".pdf", "x" * 251 + ".pdf"),
    ],
)
def test_a_file_name_loses_its_path_and_nothing_else(sent: str, kept: str) -> None:
    assert file_name(sent) == kept


@pytest.mark.parametrize(
    "sent",
    ["", ".pdf", "PO", "PO.txt", "PO.pdf ", "PO.pdf/", "a\nb.pdf", "a\rb.pdf", "a\x00.pdf", "a\x85.pdf",
     "a\u2028.pdf", "x" * 252 + ".pdf", None, 5],
)  # fmt: skip
def test_an_unusable_file_name_is_refused(sent: object) -> None:
    with pytest.raises(InvalidInputError):
        file_name(sent)


def test_every_fault_of_a_file_name_is_named() -> None:
    with pytest.raises(InvalidInputError) as caught:
        file_name("\n" * 300, "/poFiles/0/fileName")

    assert len(caught.value.violations) == 3


@pytest.mark.parametrize("head", [b"%PDF-1.7", b"\xef\xbb\xbf%PDF-1.4", b"\n" * 1019 + b"%PDF-1.4"])
def test_a_pdf_says_so_near_its_start(head: bytes) -> None:
    assert document_faults("PO.pdf", len(head), head, MANY * 2) == []


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"<html>", b"%PD", b"\n" * 1020 + b"%PDF-1.4", b"%pdf-1.4"])
def test_what_does_not_say_so_is_no_pdf(head: bytes) -> None:
    assert [fault.split(":")[0] for fault in document_faults("PO.pdf", len(head), head, MANY * 2)] == [
        "PO.pdf is not a PDF"
    ]


def test_an_empty_file_is_empty() -> None:
    assert document_faults("PO.pdf", 0, b"", MANY) == ["PO.pdf is empty"]


def test_a_large_file_that_is_no_pdf_has_two_faults() -> None:
    assert len(document_faults("PO.pdf", MANY + 1, b"x", MANY)) == 2
    assert document_faults("PO.pdf", MANY, b"%PDF-", MANY) == []


def test_a_collector_names_a_violation_once() -> None:
    faults = ViolationCollector()
    for _ in range(2):
        faults.check(lambda: order_id("..", "/orderId"))

    with pytest.raises(InvalidInputError) as caught, faults:
        pass
    assert len(caught.value.violations) == 1


def test_a_collector_without_violations_raises_nothing() -> None:
    with ViolationCollector() as faults:
        assert faults.check(lambda: order_id("5cf72f146967")) == "5cf72f146967"


@given(st.text(max_size=300))
def test_names_and_ids_raise_nothing_but_violations(text: str) -> None:
    for check in (file_name, order_id, customer_id, idempotency_key):
        try:
            kept = check(text)
        except InvalidInputError:
            continue
        assert not set(kept) & set("/\\\r\n\x00") or check is idempotency_key
