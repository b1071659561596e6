"""What strict_json reads, and how it refuses the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import InvalidInputError
from shared.core.strict_json import (
    LARGE,
    MAX_DEPTH,
    MAX_POINTER,
    Json,
    Number,
    camel,
    join_pointer,
    loads,
    pascal,
)

LIMIT = 1_000_000


def unreadable(raw: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(InvalidInputError) as caught:
        loads(raw, limit, "/here")
    (violation,) = caught.value.violations
    assert violation.pointer == "/here"
    return violation.detail


def faults(raw: bytes) -> list[tuple[str, str]]:
    return [(v.pointer, v.detail) for v in loads(raw, LIMIT).violations]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["no BOM", "BOM"])
def test_utf8_is_read_with_and_without_bom(bom: bytes) -> None:
    read = loads(bom + '{"name": "Bestellung 訂單"}'.encode(), LIMIT)

    assert read.value == {"name": "Bestellung 訂單"}
    assert read.violations == ()


def test_numbers_keep_the_digits_that_were_written() -> None:
    read = loads(b"[5, 156.870, 1E2, -0, 1234567890123456789012, 0.10]", LIMIT)

    assert read.value == [
        5,
        Number("156.870"),
        Number("1E2"),
        Number("-0"),
        Number("1234567890123456789012"),
        Number("0.10"),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_other_encodings_are_named(encoding: str) -> None:
    assert f"is {encoding.upper()[:6]}" in unreadable('{"a": 1}'.encode(encoding))


def test_invalid_utf8_is_told_with_its_place() -> None:
    assert unreadable(b'{"a": "\xff"}') == "is not UTF-8 from byte 7 on"


@pytest.mark.parametrize("raw", [b"", b" \r\n", b"\xef\xbb\xbf"])
def test_an_empty_document_says_so(raw: bytes) -> None:
    assert "is empty" in unreadable(raw)


def test_a_syntax_error_has_line_and_column() -> None:
    assert unreadable(b'{\n "a": https://example.com\n}').endswith("line 2 column 7")


def test_trailing_garbage_is_refused_with_its_place() -> None:
    assert unreadable(b'{"a": 1} {"b": 2}') == (
        "is not JSON: something follows after its end; send one document; see line 1 column 10"
    )


def test_a_document_beyond_the_limit_is_not_parsed() -> None:
    assert unreadable(b'"abcdef"', 4) == "is longer than 4 bytes"


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 20_000])
def test_deep_nesting_is_a_violation(depth: int) -> None:
    assert "deeper" in next(detail for _, detail in _any_fault(b"[" * depth + b"]" * depth))


def test_nesting_up_to_the_limit_is_read() -> None:
    assert faults(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) == []


def test_a_body_full_of_small_values_is_refused_before_it_is_parsed() -> None:
    assert "values" in unreadable(b"[" + b"0," * 60_000 + b"0]")


def test_a_base64_document_is_no_body_full_of_values() -> None:
    assert faults(json.dumps({"content": "QUJD" * 200_000}).encode()) == []


def test_a_name_given_twice_is_pointed_at() -> None:
    assert faults(b'{"a": [{"x/y": 1, "x/y": 2}]}') == [("/a/0/x~1y", "is given twice")]


def test_both_spellings_of_a_name_are_the_same_name() -> None:
    assert faults(b'{"Quantity": 1, "quantity": 2}') == [
        ("/quantity", "is given twice: as Quantity and as quantity")
    ]


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_are_no_json_are_pointed_at(constant: str) -> None:
    assert faults(f'{{"price": {constant}}}'.encode()) == [("/price", f"{constant} is not a JSON value")]


def test_every_fault_is_named_not_only_the_first() -> None:
    assert [p for p, _ in faults(b'{"a": NaN, "b": 1, "b": 2, "c": "\\ud800"}')] == ["/a", "/b", "/c"]


@pytest.mark.parametrize("digits", ["1" * 5000, "0." + "1" * 5000, "-" + "9" * 70])
def test_an_over_long_number_is_a_violation(digits: str) -> None:
    assert faults(f'{{"n": {digits}}}'.encode()) == [("/n", "is a number of more than 64 characters")]


def test_an_over_long_name_is_a_violation_without_repeating_it() -> None:
    assert faults(json.dumps({"n" * 500: 1}).encode()) == [
        ("", "contains a name of more than 128 characters")
    ]


def test_half_a_surrogate_pair_cannot_reach_anything_that_encodes() -> None:
    read = loads(b'{"\\udc00": "\\ud800"}', LIMIT)

    assert len(read.violations) == 2
    assert json.dumps(read.value, ensure_ascii=False).encode()


def test_pointer_tokens_are_escaped() -> None:
    assert join_pointer("/a", "b~c/d") == "/a/b~0c~1d"
    assert join_pointer("", 0) == "/0"


def test_camel_and_pascal_change_the_first_letter_only() -> None:
    assert camel("MPNId") == "mPNId"
    assert pascal("offerId") == "OfferId"
    assert camel("") == ""


def _any_fault(raw: bytes) -> list[tuple[str, str]]:
    try:
        return faults(raw)
    except InvalidInputError as error:
        return [(v.pointer, v.detail) for v in error.violations]


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_else(raw: bytes) -> None:
    _any_fault(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17) + 1, 10**17) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8).filter(lambda k: camel(k) == k), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_what_json_writes_is_read_back(value: Json) -> None:
    read = loads(json.dumps(value).encode(), LIMIT)

    assert read.violations == ()
    assert read.value == value


# --- documents of many megabytes ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["PO.pdf", "Übersee.pdf", "採購訂單.pdf", "PO 😀.pdf", "\\u00e9\\n.pdf"])
def test_a_large_document_is_read_as_a_small_one(name: str) -> None:
    small = f'{{"fileName": "{name}", "content": ""}}'.encode()
    large = small.replace(b'""', b'"' + b"JVBE" * (LARGE // 4) + b'"')

    value = loads(large, 2 * LARGE).value
    assert isinstance(value, dict)
    assert value | {"content": ""} == loads(small, LARGE).value
    assert value["content"] == "JVBE" * (LARGE // 4)


def test_a_long_text_is_base64_or_nothing() -> None:
    long = b"JVBE" * (LARGE // 4) + b"\\u002B\\/\\n"

    assert loads(b'["' + long + b'"]', 2 * LARGE).violations == ()
    for odd in ("é".encode(), "😀".encode(), b"\\u00e9", b"\\ud83d\\ude00", b"\xe9"):
        for document in (b'["' + long + odd + b'"]', b'"' + long + odd, b'["' + odd + long + b'", ""]'):
            assert "only base64 can be that long" in unreadable(document, 2 * LARGE)


def test_a_large_document_that_is_not_utf_8_is_told_where() -> None:
    raw = b'["' + b"x" * (LARGE - 2) + b'","' + "é".encode() * 5000 + b"\xe9" + b'"]'

    assert unreadable(raw, 2 * LARGE) == f"is not UTF-8 from byte {LARGE + 10_003} on"
    assert (
        unreadable(raw.replace("é".encode(), b"e"), 2 * LARGE) == f"is not UTF-8 from byte {LARGE + 5003} on"
    )


def test_a_large_document_may_begin_with_a_byte_order_mark() -> None:
    raw = b"\xef\xbb\xbf" + b'["' + b"x" * LARGE + '", "é"]'.encode()

    assert loads(raw, 2 * LARGE).value == ["x" * LARGE, "é"]
    broken = raw.replace("é".encode(), b"\xe9")
    assert unreadable(broken, 2 * LARGE) == f"is not UTF-8 from byte {broken.index(0xE9)} on"


def test_a_large_document_of_another_script_is_read() -> None:
    raw = json.dumps(["採購訂單" * 100] * 1000, ensure_ascii=False).encode()

    assert len(raw) > LARGE
    assert loads(raw, 2 * LARGE).value == ["採購訂單" * 100] * 1000


def test_a_pointer_has_an_end() -> None:
    name = "~" * 126 + "😀"
    raw = (f'{{"{name}":' * 30 + "[NaN]" + "}" * 30).encode()

    (violation,) = loads(raw, LARGE).violations
    assert len(violation.pointer) == MAX_POINTER
    assert violation.pointer.endswith("…")


def test_the_faults_beyond_the_first_hundred_are_counted() -> None:
    document = loads(b"[" + b",".join([b"NaN"] * 250) + b"]", LIMIT)

    assert (len(document.violations), document.unnamed) == (100, 150)
