"""Numbers, names and documents as flows and sheets make them: told what is wrong and how to write it."""

from __future__ import annotations

import json

import pytest

from shared.core.errors import InvalidInputError
from shared.core.order_request import LineItem, OrderRequest
from shared.core.strict_json import loads
from shared.validation.attachments import metadata, sidecar
from shared.validation.files import file_name
from shared.validation.hints import meant_name
from shared.validation.ids import customer_id
from shared.validation.orders import order_request
from tests.unit.test_validation_orders import CUSTOMER, LINE, faults

PLAIN: dict[str, object] = {"customerPrice": "156.87", "currency": "CAD"}
# https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details
DOCUMENTED = b"""{
    "isPartofTender": true,
    "customerPrice": "156.87",
    "currency": "CAD",
    "fxRate": "1.2",
    "tenderLink": https://onedrive.com/ishdruiwiojfdhajhgdfgjhgj
}"""


def said(members: dict[str, object]) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        metadata(json.dumps(members).encode(), tender_files=0)
    return {v.pointer: v.detail for v in caught.value.violations}


def unreadable(raw: bytes) -> str:
    with pytest.raises(InvalidInputError) as caught:
        loads(raw, 10_000)
    (violation,) = caught.value.violations
    return violation.detail


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("156,87", "has a decimal comma; write 156.87"),
        ("1.234,56", "has thousands separators and a decimal comma; write 1234.56"),
        ("1 234,56", "has thousands separators and a decimal comma; write 1234.56"),
        ("1\u202f234,56", "has thousands separators and a decimal comma; write 1234.56"),
        ("1,234.56", "has thousands separators; write 1234.56"),
        ("1'234.50", "has thousands separators; write 1234.50"),
        ("1.234.567", "has thousands separators; write 1234567"),
        ("1,234", "has a comma, which can mean two things; write 1234 or 1.234"),
        ("€156.87", "has a currency, which belongs in currency; write 156.87"),
        ("156.87 EUR", "has a currency, which belongs in currency; write 156.87"),
        ("US$ 156.87", "has a currency, which belongs in currency; write 156.87"),
        ("156,87 €", "has a currency, which belongs in currency, a decimal comma; write 156.87"),
        (" 156.87\n", "has spaces around it; write 156.87"),
    ],
)
def test_an_amount_of_a_sheet_is_told_what_to_write(written: str, told: str) -> None:
    assert said(PLAIN | {"customerPrice": written}) == {"/customerPrice": told}


@pytest.mark.parametrize(
    "written", ["12 percent", "0x10", "1,2,3", "1.2.3", "12,3456789", "", "1" * 99 + ","]
)
def test_what_cannot_be_guessed_is_told_the_rule(written: str) -> None:
    assert "must be plain digits such as 156.87" in said(PLAIN | {"customerPrice": written})["/customerPrice"]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (DOCUMENTED, "a link has no quotes; write it in double quotes; see line 6 column 19"),
        (b'{"a": 156,87}', "a number has a comma or a space in it; write it with a point"),
        (b'{"a": 1.234,56, "b": 1}', "a number has a comma or a space in it"),
        (b'{"a": 1 234}', "a number has a comma or a space in it"),
        ('{"a": €156.87}'.encode(), "a number has a currency beside it"),
        (b'{"a": 156.87 EUR}', "a number has a currency beside it"),
        (b'{"a": $5}', "a number has a currency beside it"),
        (b'{"a": 007}', "a number begins with a zero"),
        (b'{"a": +5}', "a number has a plus sign"),
        (b'{"a": .5}', "a number begins with the point"),
        (b'{"a": 1, // price\n "b": 2}', "it has a comment"),
        (b'{"a": 1 /* price */}', "it has a comment"),
        (b'# price\n{"a": 1}', "it has a comment"),
        (b'{"a": 1,}', "a comma stands before a closing bracket; leave it out"),
        (b'{"a": [1, 2, ]}', "a comma stands before a closing bracket; leave it out"),
        (b"{'a': 1}", "it has single quotes"),
        ("{“a”: 1}".encode(), "it has typographic quotes"),
        (b'{"a": True}', "true, false and null are written in lower case"),
        (b'{"a": None}', "true, false and null are written in lower case"),
        (b'{"a": tomorrow}', "a text without quotes"),
        (b"{a: 1}", "the name of a member is missing or has no quotes"),
        (b'{"a" 1}', "the colon after the name of a member is missing"),
        (b'{"a": 1 "b": 2}', "the comma between two members or values is missing"),
        (b'{"a": "x}', "a text has no closing double quote"),
        (b'{"a": "x\ny"}', "a text has a line break or a tab in it"),
        (b'{"a": "C:\\po"}', "a text has a single backslash in it; write it twice"),
        (b'{"a": 1', "it breaks off"),
        (b'{"a": ', "it breaks off"),
    ],
)
def test_what_is_not_json_is_told_in_the_callers_words(raw: bytes, told: str) -> None:
    found = unreadable(raw)

    assert found.startswith("is not JSON: ")
    assert told in found
    assert "see line" in found
    assert not {"Expecting", "delimiter", "Illegal", "Extra"} & set(found.split())


def test_spaces_around_a_text_are_told() -> None:
    spaced = "has spaces around it; write it without them"

    assert said(PLAIN | {"currency": "EUR "}) == {"/currency": spaced}
    assert faults({"lineItems": [LINE | {"offerId": " A"}], "currencyCode": " EUR"}) == {
        "/lineItems/0/offerId": spaced,
        "/currencyCode": spaced,
    }
    with pytest.raises(InvalidInputError, match=spaced):
        customer_id(f" {CUSTOMER}")
    with pytest.raises(InvalidInputError, match=spaced):
        file_name("PO.pdf ")


def test_spaces_around_the_name_of_a_member_are_told() -> None:
    found = said(PLAIN | {" fxRate ": "1"})

    assert found == {"/ fxRate ": "is not a known field: its name has spaces around it; write fxRate"}


def test_an_optional_member_that_is_empty_is_absent() -> None:
    empty = {"fxRate": "", "tenderLink": "", "isPartOfTender": "", "acceptIncompletePdf": ""}
    ids = {"customerId": CUSTOMER, "orderId": "5cf72f146967", "poFiles": "", "TenderFiles": ""}

    plain = metadata(json.dumps(PLAIN).encode(), tender_files=0)
    assert metadata(json.dumps(PLAIN | empty).encode(), tender_files=0) == plain
    assert sidecar(json.dumps(PLAIN | empty | ids).encode()).metadata == plain


def test_an_optional_member_of_an_order_that_is_empty_is_absent() -> None:
    optional = [n for n, f in LineItem.model_fields.items() if not f.is_required()]
    line = LINE | {str(LineItem.model_fields[n].serialization_alias): "" for n in optional}
    head = [n for n, f in OrderRequest.model_fields.items() if not f.is_required()]
    body = {str(OrderRequest.model_fields[n].serialization_alias): "" for n in head} | {
        "id": "",
        "attributes": "",
    }
    sent = order_request(json.dumps({"lineItems": [line]} | body).encode(), CUSTOMER)

    assert sent == order_request(json.dumps({"lineItems": [LINE]}).encode(), CUSTOMER)


@pytest.mark.parametrize("required", ["customerPrice", "currency"])
def test_a_required_member_that_is_empty_is_refused(required: str) -> None:
    assert set(said(PLAIN | {required: ""})) == {f"/{required}"}


METADATA = ("isPartOfTender", "customerPrice", "currency", "fxRate", "tenderLink", "acceptIncompletePdf")
SIDECAR = (*METADATA, "customerId", "orderId", "poFiles", "tenderFiles")
ORDER_LINE = (
    "offerId",
    "quantity",
    "lineItemNumber",
    "termDuration",
    "customTermEndDate",
    "partnerIdOnRecord",
)


@pytest.mark.parametrize(
    ("written", "known", "meant"),
    [
        ("price", METADATA, "customerPrice"),
        ("Price", METADATA, "customerPrice"),
        ("customer_price", METADATA, "customerPrice"),
        ("customerprise", METADATA, "customerPrice"),
        ("currencyCode", METADATA, "currency"),
        ("tenderLnk", METADATA, "tenderLink"),
        ("rate", METADATA, "fxRate"),
        ("poFile", SIDECAR, "poFiles"),
        ("ORDERID", SIDECAR, "orderId"),
        ("partnerId", ORDER_LINE, "partnerIdOnRecord"),
        ("Quantty", ORDER_LINE, "quantity"),
        ("offer", ORDER_LINE, "offerId"),
        ("customerId", METADATA, ""),
        ("customerName", METADATA, ""),
        ("fxDate", METADATA, ""),
        ("tenderFiles", METADATA, ""),
        ("files", SIDECAR, ""),
        ("id", SIDECAR, ""),
        ("orderId", ORDER_LINE, ""),
        ("number", ORDER_LINE, ""),
        ("", METADATA, ""),
    ],
)
def test_a_hint_is_a_name_of_the_same_meaning_or_none(
    written: str, known: tuple[str, ...], meant: str
) -> None:
    assert meant_name(written, known) == meant
