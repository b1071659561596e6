"""The values: what goes on the wire, and when two of them are the same."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.core.models import Document, DocumentSet, Metadata, Role, order_attachments_key
from shared.core.order_request import OrderRequest
from shared.validation.orders import order_request

CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
METADATA = Metadata(True, "156.870", "CAD", "1.2", "https://onedrive.com/x")


def document(name: str = "PO.pdf", content: bytes = b"%PDF-1", role: Role = Role.PURCHASE_ORDER) -> Document:
    def read() -> Iterator[bytes]:
        yield content

    return Document(role, name, len(content), hashlib.md5(content).hexdigest(), read)


def submission(*documents: Document, metadata: Metadata = METADATA) -> DocumentSet:
    return DocumentSet(CUSTOMER, "5cf72f146967", metadata, documents or (document(),))


def order(**members: Any) -> OrderRequest:
    line = {"offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": 5}
    return order_request(json.dumps({"lineItems": [line]} | members).encode(), CUSTOMER)


def test_metadata_goes_out_with_the_digits_that_came_in() -> None:
    assert METADATA.to_wire() == (
        b'{"isPartOfTender":true,"customerPrice":"156.870","currency":"CAD",'
        b'"fxRate":"1.2","tenderLink":"https://onedrive.com/x"}'
    )


def test_metadata_leaves_out_what_was_not_given() -> None:
    assert (
        Metadata(False, "0", "EUR").to_wire()
        == b'{"isPartOfTender":false,"customerPrice":"0","currency":"EUR"}'
    )


def test_metadata_is_utf8() -> None:
    assert "Übersicht".encode() in Metadata(True, "1", "EUR", None, "https://e.eu/Übersicht").to_wire()


def test_a_document_shows_nothing_of_its_content() -> None:
    shown = repr(document(content=b"%PDF-secret"))

    assert "secret" not in shown
    assert "open" not in shown


def test_a_document_is_the_same_however_it_is_opened() -> None:
    assert document() == document()
    assert document() != document(content=b"%PDF-2")


def test_a_document_can_be_read_again() -> None:
    po = document()

    assert b"".join(po.open()) == b"".join(po.open()) == b"%PDF-1"


@pytest.mark.parametrize(
    "other",
    [
        submission(document("Another name.pdf")),
        submission(metadata=dataclasses.replace(METADATA, customer_price="156.87")),
        submission(metadata=dataclasses.replace(METADATA, customer_price="0156.8700")),
        submission(metadata=dataclasses.replace(METADATA, fx_rate="1.20")),
    ],
    ids=["other name", "fewer zeros", "more zeros", "rate with a zero"],
)
def test_the_same_said_differently_is_the_same_submission(other: DocumentSet) -> None:
    assert other.digest == submission().digest


def test_the_order_of_the_files_does_not_count() -> None:
    first, second = document(content=b"%PDF-1"), document(content=b"%PDF-2")

    assert submission(first, second).digest == submission(second, first).digest


@pytest.mark.parametrize(
    "other",
    [
        submission(document(content=b"%PDF-2")),
        submission(document(role=Role.TENDER)),
        submission(document(), document()),
        submission(metadata=dataclasses.replace(METADATA, customer_price="156.88")),
        submission(metadata=dataclasses.replace(METADATA, currency="USD")),
        submission(metadata=dataclasses.replace(METADATA, fx_rate=None)),
        submission(metadata=dataclasses.replace(METADATA, tender_link=None)),
        submission(metadata=dataclasses.replace(METADATA, is_part_of_tender=False)),
    ],
    ids=["content", "role", "twice", "price", "currency", "rate", "link", "flag"],
)
def test_anything_else_said_is_another_submission(other: DocumentSet) -> None:
    assert other.digest != submission().digest


def test_the_record_of_an_orders_attachments_is_named_after_customer_and_order() -> None:
    assert order_attachments_key(CUSTOMER.upper(), "5cf72f146967") == f"attachments/{CUSTOMER}/5cf72f146967"


@pytest.mark.parametrize("order_id", ["5CF72F146967", "DB2E705F-B82A-4024-A3D5-D88E12F2DB35"])
def test_guids_and_hexadecimal_order_ids_meet_in_one_record_whatever_their_case(order_id: str) -> None:
    key = order_attachments_key(CUSTOMER, order_id)

    assert key == order_attachments_key(CUSTOMER, order_id.lower()) == key.lower()


def test_the_case_of_any_other_order_id_may_matter() -> None:
    keys = {order_attachments_key(CUSTOMER, order_id) for order_id in ("Order-1", "order-1", "ORDER-1")}

    assert len(keys) == 3


@pytest.mark.parametrize("order_id", ["..", ".", "a/../b", "a\\b", "a b", "ü%"])
def test_an_order_id_stays_one_path_segment_of_the_key(order_id: str) -> None:
    segments = order_attachments_key(CUSTOMER, order_id).split("/")

    assert len(segments) == 3
    assert not set(segments[2]) & set("./\\ ü")


def test_a_set_of_documents_belongs_to_the_record_of_its_order() -> None:
    documents = DocumentSet(CUSTOMER, "5CF72F146967", Metadata(False, "1", "CAD"), ())

    assert documents.record_key == order_attachments_key(CUSTOMER, "5cf72f146967")


def test_an_order_goes_out_without_what_was_not_given() -> None:
    assert json.loads(order().to_wire(CUSTOMER.upper(), None)) == {
        "referenceCustomerId": CUSTOMER,
        "lineItems": [
            {"lineItemNumber": 0, "offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": 5},
        ],
    }


def test_every_field_of_an_order_goes_out_under_its_own_name() -> None:
    line = {
        "lineItemNumber": 0,
        "offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P",
        "quantity": 5,
        "friendlyName": "Büro 訂單",
        "termDuration": "P1Y",
        "customTermEndDate": "2027-03-31T23:59:59Z",
        "promotionId": "39NFJQT20VBJ:0001:39NFJQT1X3KX",
        "provisioningContext": {"Scope": "shared", "duration": "3Years"},
        "attestationAccepted": True,
        "renewsTo": {"termDuration": "P1M"},
        "partnerIdOnRecord": "4847383",
        "additionalPartnerIdsOnRecord": ["1", "2"],
    }
    members = {
        "billingCycle": "one_time",
        "currencyCode": "EUR",
        "partnerOnRecordAttestationAccepted": False,
    }
    sent = order(lineItems=[line], **members).to_wire(CUSTOMER, None)

    assert json.loads(sent) == {"referenceCustomerId": CUSTOMER, "lineItems": [line], **members}
    assert "Büro 訂單".encode() in sent


def test_the_reseller_is_written_on_every_line_and_its_tenant_id_on_none() -> None:
    line = {"offerId": "a", "quantity": 1}
    body = order(lineItems=[line, line], indirectResellerId=CUSTOMER).to_wire(CUSTOMER, "4847383")

    assert [sent["partnerIdOnRecord"] for sent in json.loads(body)["lineItems"]] == ["4847383"] * 2
    assert b"indirectResellerId" not in body


@pytest.mark.parametrize(
    ("members", "needed"),
    [
        ({}, False),
        ({"indirectResellerId": CUSTOMER}, True),
        ({"lineItems": [{"offerId": "a", "quantity": 1, "partnerIdOnRecord": "4847383"}]}, True),
    ],
    ids=["direct", "reseller's tenant", "reseller's partner id"],
)
def test_app_and_user_is_needed_where_a_reseller_is_involved(members: dict[str, Any], needed: bool) -> None:
    assert order(**members).needs_app_user is needed


@pytest.mark.parametrize(
    "members",
    [
        {"BillingCycle": "Annual"},
        {"billingCycle": "annual", "referenceCustomerId": CUSTOMER.upper()},
        {"billingCycle": "ANNUAL", "id": None, "attributes": {"objectType": "Order"}},
    ],
)
def test_the_same_order_spelled_differently_has_the_same_digest(members: dict[str, Any]) -> None:
    assert order(**members).digest(CUSTOMER) == order(billingCycle="annual").digest(CUSTOMER.upper())


@pytest.mark.parametrize(
    "members",
    [
        {"billingCycle": "monthly"},
        {"indirectResellerId": CUSTOMER},
        {"lineItems": [{"offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": 6}]},
    ],
)
def test_another_order_has_another_digest(members: dict[str, Any]) -> None:
    assert order(**members).digest(CUSTOMER) != order().digest(CUSTOMER)


def test_another_customers_order_has_another_digest() -> None:
    assert order().digest(CUSTOMER) != order().digest(CUSTOMER[:-1] + "2")


def test_lines_in_another_sequence_with_the_same_numbers_are_the_same_order() -> None:
    one = {"offerId": "a", "quantity": 1, "lineItemNumber": 0}
    two = {"offerId": "b", "quantity": 1, "lineItemNumber": 1}

    assert order(lineItems=[one, two]).digest(CUSTOMER) == order(lineItems=[two, one]).digest(CUSTOMER)


def test_an_order_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        order().billing_cycle = "annual"  # type: ignore[misc]  # what is forbidden is what is tried
