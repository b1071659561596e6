"""Exchange rates as they are quoted, and the names under which members are given."""

from __future__ import annotations

import json

import pytest

from shared.core.errors import InvalidInputError
from shared.validation.attachments import metadata, sidecar

PLAIN = {"customerPrice": "156.87", "currency": "CAD"}
IDS = {"customerId": "c501c3c4-d776-40ef-9ecf-9cefb59442c1", "orderId": "5cf72f146967"}


def faults(members: str) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        metadata(members.encode(), tender_files=0)
    return {v.pointer: v.detail for v in caught.value.violations}


def rated(written: str) -> str:
    """Metadata with `written` as the exchange rate."""
    return json.dumps(PLAIN | {"fxRate": "@"}).replace('"@"', written)


@pytest.mark.parametrize("rate", ["0.00006123", "0.0000394", "1.08345678", "0.000000000001", "25400"])
@pytest.mark.parametrize("quote", ["", '"'], ids=["number", "string"])
def test_a_rate_keeps_its_digits(rate: str, quote: str) -> None:
    assert metadata(rated(quote + rate + quote).encode(), tender_files=0).fx_rate == rate


@pytest.mark.parametrize("rate", ["0.1234567890123", "6.123e-05", '"6.123E-05"'])
def test_a_rate_beyond_the_limits_is_told_them(rate: str) -> None:
    said = faults(rated(rate))["/fxRate"]

    assert "at most 15 before and 12 after the point, without sign, exponent" in said


@pytest.mark.parametrize("rate", ['"0"', '"0.000"', "0", "0.000000000000"])
def test_a_rate_of_nothing_is_refused(rate: str) -> None:
    assert faults(rated(rate)) == {"/fxRate": "must be greater than 0"}


def test_a_price_has_six_decimals() -> None:
    said = faults('{"customerPrice": 0.1234567, "currency": "EUR"}')["/customerPrice"]

    assert "such as 156.87: at most 15 before and 6 after" in said


@pytest.mark.parametrize("written", ["ispartoftender", "ISPARTOFTENDER", "isPartOftender"])
def test_a_misspelt_tender_flag_is_told_the_documented_spelling(written: str) -> None:
    found = faults(json.dumps(PLAIN | {written: True}))

    assert found == {f"/{written}": "is not a known field; did you mean isPartOfTender?"}


def test_a_required_member_in_another_case_is_not_missing_as_well() -> None:
    assert faults('{"customerprice": 1, "CURRENCY": "EUR"}') == {
        "/customerprice": "is not a known field; did you mean customerPrice?",
        "/CURRENCY": "is not a known field; did you mean currency?",
    }


def test_a_required_member_is_missing_beside_an_unknown_one() -> None:
    assert set(faults('{"price": 1, "currency": "EUR"}')) == {"/price", "/customerPrice"}


@pytest.mark.parametrize("name", ["poFiles", "PoFiles", "POFiles"])
def test_a_sidecar_names_its_files_under_partner_centers_own_name_too(name: str) -> None:
    assert sidecar(json.dumps(PLAIN | IDS | {name: ["a.pdf"]}).encode()).po_files == ("a.pdf",)


def test_a_file_named_twice_is_found_under_partner_centers_own_name() -> None:
    with pytest.raises(InvalidInputError) as caught:
        sidecar(json.dumps(PLAIN | IDS | {"POFiles": ["a.pdf", "a.pdf"]}).encode())

    assert [(v.pointer, v.detail) for v in caught.value.violations] == [("/POFiles/1", "is named twice")]
