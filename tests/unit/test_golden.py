"""What is frozen: records that were written once can be read for ever, and digests are made of the same.

A file under `golden/` is never changed. A test that fails here says that the ledgers of those who run the
application could no longer be read, or that what they attached or ordered once would be sent again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from shared.core.ledger import LEDGER_FORMAT, Record, State, Submission
from shared.core.ledger_parts import CartNote, OrderContent, PartnerIds, RecordedAnswer
from shared.core.models import Document, DocumentSet, Metadata, Role, order_attachments_key
from shared.core.order_request import OrderRequest
from shared.core.receipt_parts import RECEIPT_FORMAT, load_receipt

GOLDEN = Path(__file__).with_name("golden")
CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def unrecognized(value: object) -> list[str]:
    """Members that were only carried through."""
    if isinstance(value, BaseModel):
        return [*(value.model_extra or ()), *unrecognized(dict(value))]
    if isinstance(value, dict):
        value = tuple(value.values())
    return [name for one in value for name in unrecognized(one)] if isinstance(value, tuple) else []


@pytest.mark.parametrize("name", ["attachments-record.json", "order-record.json", "checkout-record.json"])
def test_a_record_that_was_written_once_is_read_and_written_as_it_was(name: str) -> None:
    record = Record.load(golden(name))

    assert record.v == LEDGER_FORMAT
    assert json.loads(record.dump()) == json.loads(golden(name))
    assert unrecognized(record) == []


def test_the_attachments_of_an_order_are_what_they_were() -> None:
    record = Record.load(golden("attachments-record.json"))
    states = {digest[0]: one.state for digest, one in record.submissions.items()}

    assert states == {
        "1": State.DONE,
        "2": State.REVIEW,
        "3": State.CLAIMED,
        "4": State.PENDING,
        "5": State.REFUSED,
        "6": State.DONE,
    }
    assert record.key == order_attachments_key(record.customer_id, record.order_id)
    assert record.due == record.submissions["3" * 64].due
    assert record.submissions["5" * 64].decidable
    found = record.submissions["1" * 64]
    assert [(d.kind, d.file_name, d.size) for d in found.documents] == [
        ("POAttachment", 'Bestellung "77" Büro.pdf', 1424384),
        ("TenderAttachment", "Angebot.pdf", 2311168),
    ]
    assert record.spent("po/PO_77.json", "0x8DC51A1", "4" * 64) == found


def test_an_order_request_is_what_it_was() -> None:
    (own,) = Record.load(golden("order-record.json")).submissions.values()
    assert own.order

    assert json.loads(own.order.body)["lineItems"][0]["quantity"] == 5
    assert (own.state, own.order.mode) == (State.UNKNOWN, "app+user")


def test_a_checkout_names_the_cart_that_it_named() -> None:
    (own,) = Record.load(golden("checkout-record.json")).submissions.values()
    assert own.order

    assert own.order.cart == CartNote(id="b4c8fdea-cbe4-4d17-9576-13fcacbf9605", groups=("0", "1"))
    assert CartNote() == CartNote(id="", groups=())


@pytest.mark.parametrize("number", range(len(json.loads(golden("receipts.json")))))
def test_a_receipt_that_was_written_once_is_read_and_written_as_it_was(number: int) -> None:
    document = json.loads(golden("receipts.json"))[number]
    receipt = load_receipt(document["drop"], json.dumps(document).encode(), "etag")

    assert document["v"] == RECEIPT_FORMAT
    assert json.loads(receipt.dump()) == document == receipt.document
    assert unrecognized(receipt.body) == []


def test_what_a_later_version_adds_to_a_receipt_is_carried_through() -> None:
    document = json.loads(golden("receipts.json"))[0] | {"later": {"x": 1}}

    assert json.loads(load_receipt("p", json.dumps(document).encode(), "e").dump())["later"] == {"x": 1}


def test_what_a_record_does_not_tell_means_what_it_meant() -> None:
    told = json.loads(golden("attachments-record.json"))["submissions"]["6" * 64]
    least = {
        name: told[name]
        for name in (
            "digest",
            "state",
            "revision",
            "requestId",
            "correlationId",
            "created",
            "changed",
            "since",
        )
    }
    own = Submission.model_validate_json(json.dumps(least))

    assert own.model_dump(exclude={*map(_field, least)}) == {
        "documents": (),
        "order": None,
        "sources": (),
        "attempt": 1,
        "deaths": 0,
        "due": None,
        "absent_after": None,
        "first_silent": None,
        "same_id": False,
        "silences": 0,
        "repeated": None,
        "base": None,
        "base_denied": "",
        "ids": (),
        "verified": True,
        "given_up": False,
        "incomplete": False,
        "answer": None,
        "detail": "",
        "actor": "",
        "remedy": "",
        "history": (),
    }


@pytest.mark.parametrize(
    ("part", "least", "meant"),
    [
        (OrderContent, {"mode": "app-only", "body": "{}"}, {"user": "", "customer_user": "", "cart": None}),
        (PartnerIds, {}, {"request_id": "", "correlation_id": "", "cv": "", "server_id": ""}),
        (
            RecordedAnswer,
            {"status": 201},
            {"body": "", "code": "", "description": "", "retryable": False, "ids": PartnerIds()},
        ),
        (
            Record,
            {"v": 2, "kind": "order", "key": "k", "customerId": "c"},
            {"order_id": "", "due": None, "submissions": {}, "orders": {}},
        ),
    ],
)
def test_what_a_part_of_a_record_does_not_tell_means_what_it_meant(
    part: type[BaseModel], least: dict[str, object], meant: dict[str, object]
) -> None:
    told = dict(part.model_validate_json(json.dumps(least)))

    assert {name: value for name, value in told.items() if name not in map(_field, least)} == meant


def _field(member: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in member)


# --- digests ------------------------------------------------------------------------------------------------


def document(role: Role, name: str, size: int, md5: str) -> Document:
    return Document(role, name, size, md5, lambda: iter(()))


PO = document(Role.PURCHASE_ORDER, "PO.pdf", 1424384, "0c5f3b6f2f1d4f0b8a0b6f1b3b3f9a10")
TENDER = document(Role.TENDER, "Angebot.pdf", 2311168, "f2a1b79f0b7b4c8b9d0e4f6a1c2b3d4e")
FULL = Metadata(True, "0156.8700", "CAD", "1.200", "https://onedrive.com/Übersicht")
BARE = Metadata(False, "100", "EUR")


@pytest.mark.parametrize(
    ("metadata", "documents", "canonical", "digest"),
    [
        (
            FULL,
            (TENDER, PO),
            '{"currency":"CAD","customerPrice":"156.87","documents":[["POAttachment",1424384,'
            '"0c5f3b6f2f1d4f0b8a0b6f1b3b3f9a10"],["TenderAttachment",2311168,'
            '"f2a1b79f0b7b4c8b9d0e4f6a1c2b3d4e"]],"fxRate":"1.2","isPartOfTender":true,'
            '"tenderLink":"https://onedrive.com/\\u00dcbersicht"}',
            "349601106084bde8f039f79303d62bbe59a9f550936e5c0349d469d6cbb522b3",
        ),
        (
            BARE,
            (PO,),
            '{"currency":"EUR","customerPrice":"100","documents":[["POAttachment",1424384,'
            '"0c5f3b6f2f1d4f0b8a0b6f1b3b3f9a10"]],"fxRate":null,"isPartOfTender":false,"tenderLink":null}',
            "ded37d6783036c100cfea060ddecc9e5289ea44b18f1ff6e3c8a14e4debc776d",
        ),
    ],
    ids=["in full", "as little as can be"],
)
def test_the_digest_of_documents_is_made_of_what_it_was_made_of(
    metadata: Metadata, documents: tuple[Document, ...], canonical: str, digest: str
) -> None:
    submission = DocumentSet(CUSTOMER, "5CF72F146967", metadata, documents)

    assert hashlib.sha256(canonical.encode()).hexdigest() == digest
    assert submission.digest == digest


ORDER: dict[str, Any] = {
    "lineItems": [
        {"lineItemNumber": 1, "offerId": "CFQ7TTC0LH2H:0001:CFQ7TTC0KXXX", "quantity": 1},
        {
            "lineItemNumber": 0,
            "offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P",
            "quantity": 5,
            "friendlyName": "Büro",
            "termDuration": "P1Y",
            "customTermEndDate": "2027-03-31T23:59:59Z",
            "promotionId": "39NFJQT20VBJ:0001:39NFJQT1X3KX",
            "provisioningContext": {"scope": "shared", "duration": "3Years"},
            "attestationAccepted": True,
            "renewsTo": {"termDuration": "P1M"},
            "partnerIdOnRecord": "4847383",
            "additionalPartnerIdsOnRecord": ["2", "1"],
        },
    ],
    "billingCycle": "OneTime",
    "currencyCode": "eur",
    "partnerOnRecordAttestationAccepted": False,
    "indirectResellerId": CUSTOMER.upper(),
}


@pytest.mark.parametrize(
    ("body", "canonical", "digest"),
    [
        (
            ORDER,
            '{"billingCycle":"one_time","currencyCode":"EUR",'
            '"indirectResellerId":"c501c3c4-d776-40ef-9ecf-9cefb59442c1","lineItems":['
            '{"additionalPartnerIdsOnRecord":["2","1"],"attestationAccepted":true,'
            '"customTermEndDate":"2027-03-31T23:59:59Z","friendlyName":"B\\u00fcro","lineItemNumber":0,'
            '"offerId":"CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P","partnerIdOnRecord":"4847383",'
            '"promotionId":"39NFJQT20VBJ:0001:39NFJQT1X3KX",'
            '"provisioningContext":{"duration":"3Years","scope":"shared"},"quantity":5,'
            '"renewsTo":{"termDuration":"P1M"},"termDuration":"P1Y"},'
            '{"lineItemNumber":1,"offerId":"CFQ7TTC0LH2H:0001:CFQ7TTC0KXXX","quantity":1}],'
            '"partnerOnRecordAttestationAccepted":false,'
            '"referenceCustomerId":"c501c3c4-d776-40ef-9ecf-9cefb59442c1"}',
            "0d87fb5b6481337851428eb5764af7ec0b94cf0c4e80306cd3712a98ed584aff",
        ),
        (
            {
                "lineItems": [
                    {"lineItemNumber": 0, "offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": 5}
                ]
            },
            '{"indirectResellerId":null,"lineItems":[{"lineItemNumber":0,'
            '"offerId":"CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P","quantity":5}],'
            '"referenceCustomerId":"c501c3c4-d776-40ef-9ecf-9cefb59442c1"}',
            "9ca1ec0ba073507c21436ebdd4082d6facc2fa422ac3ee6fced6232bf194b14b",
        ),
    ],
    ids=["in full", "as little as can be"],
)
def test_the_digest_of_an_order_is_made_of_what_it_was_made_of(
    body: dict[str, Any], canonical: str, digest: str
) -> None:
    assert hashlib.sha256(canonical.encode()).hexdigest() == digest
    assert OrderRequest.model_validate(body).digest(CUSTOMER.upper()) == digest


@pytest.mark.parametrize(
    ("order_id", "key"),
    [
        ("5CF72F146967", "5cf72f146967"),
        ("Cs_jyTxub", "Cs_jyTxub"),
        ("a.b/c d", "a%2Eb%2Fc%20d"),
    ],
)
def test_the_record_of_an_orders_attachments_is_called_what_it_was(order_id: str, key: str) -> None:
    assert order_attachments_key(CUSTOMER.upper(), order_id) == f"attachments/{CUSTOMER}/{key}"
