"""Metadata and sidecars: money as written, tender rules, every fault at its place."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import AppError, InvalidInputError
from shared.core.models import Metadata
from shared.validation.attachments import MAX_SIDECAR, Sidecar, metadata, named_files, sidecar
from shared.validation.currencies import CURRENCIES

CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
PLAIN = {"customerPrice": "156.87", "currency": "CAD"}
# https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details
# (the page leaves the link without quotes, which is no JSON)
DOCUMENTED = {
    "isPartofTender": True,
    "customerPrice": "156.87",
    "currency": "CAD",
    "fxRate": "1.2",
    "tenderLink": "https://onedrive.com/ishdruiwiojfdhajhgdfgjhgj",
}
SIDECAR = PLAIN | {"customerId": CUSTOMER.upper(), "orderId": "5cf72f146967"}


def read(members: object, tender_files: int = 0) -> Metadata:
    return metadata(json.dumps(members).encode(), tender_files=tender_files)


def faults(members: object, tender_files: int = 0) -> dict[str, str]:
    raw = members if isinstance(members, bytes) else json.dumps(members).encode()
    with pytest.raises(InvalidInputError) as caught:
        metadata(raw, tender_files=tender_files)
    return {v.pointer: v.detail for v in caught.value.violations}


def sidecar_faults(members: object) -> dict[str, str]:
    raw = members if isinstance(members, bytes) else json.dumps(members).encode()
    with pytest.raises(InvalidInputError) as caught:
        sidecar(raw)
    return {v.pointer: v.detail for v in caught.value.violations}


def test_the_documented_metadata_is_read() -> None:
    assert read(DOCUMENTED) == Metadata(
        True, "156.87", "CAD", "1.2", "https://onedrive.com/ishdruiwiojfdhajhgdfgjhgj"
    )


def test_the_documented_metadata_with_its_unquoted_link_is_told_where_it_breaks() -> None:
    assert "line 1 column" in faults(b'{"customerPrice":"1","currency":"CAD","tenderLink":https://e.com}')[""]


@pytest.mark.parametrize("name", ["isPartOfTender", "isPartofTender", "IsPartOfTender", "IsPartofTender"])
def test_the_tender_flag_has_four_spellings(name: str) -> None:
    assert read(PLAIN | {name: True}, tender_files=1).is_part_of_tender is True


def test_two_spellings_of_the_tender_flag_are_one_too_many() -> None:
    assert faults(PLAIN | {"isPartOfTender": False, "isPartofTender": False}) == {
        "/isPartofTender": "is given twice, in two spellings"
    }


@pytest.mark.parametrize("given", [{}, {"isPartOfTender": None, "fxRate": None, "tenderLink": None}])
def test_optional_metadata_may_be_absent_or_null(given: dict[str, None]) -> None:
    assert read(PLAIN | given) == Metadata(False, "156.87", "CAD")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("156.870", "156.870"),
        ('"156.870"', "156.870"),
        ("0.1", "0.1"),
        ("0", "0"),
        ("7", "7"),
        ("123456789012345.123456", "123456789012345.123456"),
    ],
)
def test_a_price_keeps_its_digits(written: str, kept: str) -> None:
    raw = f'{{"customerPrice": {written}, "currency": "EUR"}}'.encode()

    assert metadata(raw, tender_files=0).customer_price == kept


@pytest.mark.parametrize(
    "written",
    [
        '"NaN"', '"Infinity"', "1e2", '"1E2"', '"-1"', "-1", "-0", '"+1"', '"1,5"', '"1 000"', '"$5"',
        '" 1"', '"1\\n"', '".5"', '"5."', '"0x10"', '"1_000"', '"١٢"', "true", "[1]", "{}",
        "1234567890123456", "0.1234567890123", '"1.2.3"',
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["customerPrice", "fxRate"])
def test_what_is_no_plain_amount_is_refused(field: str, written: str) -> None:
    body = {"customerPrice": "1", "currency": "EUR", "fxRate": "1"} | {field: "@"}

    assert set(faults(json.dumps(body).replace('"@"', written).encode())) == {f"/{field}"}


def test_a_price_is_required() -> None:
    assert faults({"currency": "EUR"}) == {"/customerPrice": "is required"}
    assert set(faults({"currency": "EUR", "customerPrice": None})) == {"/customerPrice"}


def test_a_currency_is_sent_in_upper_case() -> None:
    assert read(PLAIN | {"currency": "cad"}).currency == "CAD"


@pytest.mark.parametrize(
    "code", ["XYZ", "EURO", "", "DEM", "HRK", "BGN", "XXX", "XAU", "u\u017fd", 978, None]
)
def test_a_currency_must_be_current(code: object) -> None:
    assert set(faults(PLAIN | {"currency": code})) == {"/currency"}


def test_the_list_of_currencies_has_the_codes_of_its_edition() -> None:
    assert len(CURRENCIES) == 165
    assert {"EUR", "USD", "XCG", "ZWG", "SLE", "VED"} <= CURRENCIES


@pytest.mark.parametrize(
    "link",
    ["http://e.com", "HTTPS://E.com/a?b=c#d", "https://e.com:8443/Übersicht", "https://[2001:db8::1]/x"],
)
def test_an_absolute_link_is_kept_as_written(link: str) -> None:
    assert read(PLAIN | {"isPartOfTender": True, "tenderLink": link}).tender_link == link


@pytest.mark.parametrize(
    "link",
    [
        "e.com", "/tender", "//e.com/x", "ftp://e.com", "javascript:alert(1)", "file:///etc/passwd",
        "https://", "https:///x", "https://e.com/a b", "https://e.com/a\nb", "https://e.com\t", "https://u:p@e.com",
        "https://user@e.com", "https://e.com\\x", "https://[::1", "https://e.com:99999",
        "https://e.com/" + "x" * 2048, 'https://e.com/"x', "\u2028https://e.com", 5,
    ],
)  # fmt: skip
def test_what_is_no_absolute_link_is_refused(link: object) -> None:
    assert set(faults(PLAIN | {"isPartOfTender": True, "tenderLink": link})) == {"/tenderLink"}


def test_a_refused_link_is_not_repeated() -> None:
    found = faults(PLAIN | {"isPartOfTender": True, "tenderLink": "https://me:hunter2@e.com"})

    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("part", "link", "files", "wrong"),
    [
        (True, None, 0, {"/isPartOfTender"}),
        (True, None, 1, set()),
        (True, "https://e.com", 0, set()),
        (True, "https://e.com", 2, set()),
        (False, None, 0, set()),
        (False, "https://e.com", 0, {"/tenderLink"}),
        (False, None, 1, {"/isPartOfTender"}),
        (False, "https://e.com", 1, {"/isPartOfTender", "/tenderLink"}),
        (None, "https://e.com", 0, {"/tenderLink"}),
        (None, None, 1, {"/isPartOfTender"}),
        ("true", None, 1, {"/isPartOfTender"}),
        (1, None, 0, {"/isPartOfTender"}),
    ],
)
def test_tender_flag_link_and_files_agree(part: object, link: object, files: int, wrong: set[str]) -> None:
    members = PLAIN | {"isPartOfTender": part, "tenderLink": link}

    if wrong:
        assert set(faults(members, files)) == wrong
    else:
        assert read(members, files).is_part_of_tender is part


def test_a_typo_is_found_and_everything_else_is_named_with_it() -> None:
    found = faults(b'{"customerprice": 1, "customerPrice": NaN, "currency": "XYZ", "isPartOfTender": true}')

    assert found["/customerprice"] == "is not a known field; did you mean customerPrice?"
    assert set(found) == {"/customerprice", "/customerPrice", "/currency", "/isPartOfTender"}


@pytest.mark.parametrize("members", [[], "x", 5, None])
def test_metadata_that_is_no_object_is_refused(members: object) -> None:
    assert faults(members) == {"": "must be a JSON object"}


def test_metadata_within_a_body_is_pointed_at_there() -> None:
    with pytest.raises(InvalidInputError) as caught:
        metadata(b'{"currency": "EUR"}', tender_files=0, pointer="/metadata")

    assert [v.pointer for v in caught.value.violations] == ["/metadata/customerPrice"]


def test_a_sidecar_gives_ids_metadata_and_names() -> None:
    names = {"poFiles": ["PO 1.pdf", "PO2.PDF"], "tenderFiles": ["訂單.pdf"], "isPartOfTender": True}
    raw = b"\xef\xbb\xbf" + json.dumps(SIDECAR | names).encode()

    assert sidecar(raw) == Sidecar(
        CUSTOMER, "5cf72f146967", Metadata(True, "156.87", "CAD"), ("PO 1.pdf", "PO2.PDF"), ("訂單.pdf",)
    )


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (
            {"poFiles": ["a.pdf", "b.pdf", "a.pdf"], "tenderFiles": ["t.pdf"]},
            (("a.pdf", "b.pdf"), ("t.pdf",)),
        ),
        ({"PoFiles": ["a.pdf", 7, "../up.pdf"], "customerPrice": "much"}, (("a.pdf",), ())),
        ({"poFiles": "a.pdf"}, ((), ())),
        ([], ((), ())),
        ("{", ((), ())),
    ],
)
def test_the_documents_that_a_faulty_sidecar_names(written: object, names: object) -> None:
    raw = written if isinstance(written, str) else json.dumps(written)

    assert named_files(raw.encode()) == names


def test_a_sidecar_of_a_pair_names_no_files() -> None:
    assert sidecar(json.dumps(SIDECAR).encode()).po_files == ()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".pdf",
        "a.txt",
        "a/b.pdf",
        "..\\b.pdf",
        "a\n.pdf",
        "a\x00.pdf",
        "x" * 252 + ".pdf",
        5,
        None,
    ],
)
@pytest.mark.parametrize("field", ["poFiles", "tenderFiles"])
def test_a_file_of_another_folder_or_kind_is_refused(field: str, name: object) -> None:
    members = SIDECAR | {"isPartOfTender": True, "tenderFiles": ["t.pdf"]} | {field: [name]}

    assert set(sidecar_faults(members)) == {f"/{field}/0"}


def test_a_file_is_named_once_in_both_lists_together() -> None:
    names = {"isPartOfTender": True, "poFiles": ["a.pdf", "a.pdf"], "tenderFiles": ["a.pdf", "b.pdf"]}

    assert set(sidecar_faults(SIDECAR | names)) == {"/poFiles/1", "/tenderFiles/0"}


def test_the_tender_rule_counts_the_files_of_the_sidecar() -> None:
    assert set(sidecar_faults(SIDECAR | {"tenderFiles": ["t.pdf"]})) == {"/isPartOfTender"}
    assert set(sidecar_faults(SIDECAR | {"isPartOfTender": True, "tenderFiles": []})) == {"/isPartOfTender"}


def test_every_fault_of_a_sidecar_is_named() -> None:
    found = sidecar_faults(
        {"customerId": "x", "orderId": "../x", "poFiles": "a.pdf", "currency": "x", "y": 1}
    )

    assert set(found) == {"/customerId", "/orderId", "/poFiles", "/currency", "/customerPrice", "/y"}


def test_a_sidecar_has_an_end() -> None:
    assert "longer" in sidecar_faults(b" " * (MAX_SIDECAR + 1))[""]


names = st.sampled_from([*SIDECAR, *DOCUMENTED, "poFiles", "tenderFiles", "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("a.pdf"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, values, max_size=9), st.integers(0, 2))
def test_arbitrary_objects_raise_nothing_but_our_own_errors(members: dict[str, object], files: int) -> None:
    raw = json.dumps(members).encode()
    for parse in (sidecar, lambda raw: metadata(raw, tender_files=files)):
        with suppress(AppError):
            parse(raw)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_raise_nothing_but_our_own_errors(raw: bytes) -> None:
    with pytest.raises(InvalidInputError):
        sidecar(raw)


@given(st.from_regex(r"[0-9]{1,15}(\.[0-9]{1,6})?", fullmatch=True), st.booleans())
def test_an_amount_goes_out_as_it_came_in(digits: str, as_number: bool) -> None:
    if as_number and digits[0] == "0" and digits[1:2] not in ("", "."):
        digits = "1" + digits[1:]
    written = digits if as_number else f'"{digits}"'
    kept = metadata(f'{{"customerPrice":{written},"currency":"EUR"}}'.encode(), tender_files=0)

    assert json.loads(kept.to_wire())["customerPrice"] == digits
