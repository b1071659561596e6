"""What a request for upload addresses may say, what its sidecar says then, and what is expected of files."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.core.errors import InvalidInputError
from shared.core.models import Role
from shared.core.uploads import ExpectedFile, UploadLimits, ends_waiting, folder_of, sidecar_of
from shared.validation.attachments import sidecar
from shared.validation.uploads import UploadRequest, upload_request

CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
LIMITS = UploadLimits(max_file=1000, max_files=3, most_bytes=2000)
PLAIN = {"customerPrice": "156.870", "currency": "CAD"}
MD5 = hashlib.md5(b"x", usedforsecurity=False)


def file(name: object = "PO.pdf", size: object = 500, **more: object) -> dict[str, object]:
    return {"fileName": name, "size": size, **more}


def asked(body: object, customer: str = CUSTOMER) -> UploadRequest:
    return upload_request(json.dumps(body).encode(), customer, "5cf72f146967", LIMITS)


def faults(**members: Any) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        asked({"metadata": PLAIN, "poFiles": [file()]} | members)
    return {v.pointer: v.detail for v in caught.value.violations}


@pytest.mark.parametrize(
    "md5", [MD5.hexdigest(), MD5.hexdigest().upper(), base64.b64encode(MD5.digest()).decode()]
)
def test_the_sidecar_of_an_upload_says_what_was_asked_for(md5: str) -> None:
    body = {
        "metadata": PLAIN | {"isPartOfTender": True, "fxRate": "1.5", "acceptIncompletePdf": True},
        "poFiles": [file(md5=md5), file("Part 2.pdf")],
        "TenderFiles": [file("Tender.pdf", 7, md5="")],
    }
    request = asked(body)
    read = sidecar(sidecar_of(request.customer_id, request.order_id, request.metadata, request.files))

    assert (read.customer_id, read.order_id, read.metadata) == (CUSTOMER, "5cf72f146967", request.metadata)
    assert read.metadata.customer_price == "156.870"
    assert (read.po_files, read.tender_files) == (("PO.pdf", "Part 2.pdf"), ("Tender.pdf",))
    assert read.expected == (
        ExpectedFile("PO.pdf", 500, MD5.hexdigest()),
        ExpectedFile("Part 2.pdf", 500),
        ExpectedFile("Tender.pdf", 7),
    )
    assert [f.role for f in request.files] == [Role.PURCHASE_ORDER, Role.PURCHASE_ORDER, Role.TENDER]


@pytest.mark.parametrize(
    ("members", "pointers"),
    [
        ({"poFiles": []}, {"/poFiles"}),
        ({"poFiles": None}, {"/poFiles"}),
        ({"poFiles": "PO.pdf"}, {"/poFiles"}),
        ({"poFiles": ["PO.pdf"]}, {"/poFiles/0"}),
        ({"poFiles": [file(size="500")]}, {"/poFiles/0/size"}),
        ({"poFiles": [file(size=0)]}, {"/poFiles/0/size"}),
        ({"poFiles": [file(size=1001)]}, {"/poFiles/0/size"}),
        ({"poFiles": [file(md5="abc")]}, {"/poFiles/0/md5"}),
        ({"poFiles": [file("~$PO.pdf")]}, {"/poFiles/0/fileName"}),
        ({"poFiles": [file("PO.txt")]}, {"/poFiles/0/fileName"}),
        ({"poFiles": [{"fileName": "PO.pdf", "sise": 5}]}, {"/poFiles/0/size", "/poFiles/0/sise"}),
        ({"poFiles": [file(), file()]}, {""}),
        ({"poFiles": [file(str(n) + ".pdf", 1) for n in range(4)]}, {""}),
        ({"poFiles": [file(str(n) + ".pdf", 1000) for n in range(3)]}, {""}),
        ({"tenderFiles": [file("T.pdf")]}, {"/metadata/isPartOfTender"}),
        ({"metadata": PLAIN | {"isPartOfTender": True}}, {"/metadata/isPartOfTender"}),
        ({"metadata": PLAIN | {"isPartOfTender": True}, "tenderFiles": ["T.pdf"]}, {"/tenderFiles/0"}),
        ({"metadata": "x", "other": 1}, {"/metadata", "/other"}),
        ({"metadata": {}}, {"/metadata/customerPrice", "/metadata/currency"}),
    ],
)  # fmt: skip
def test_every_fault_of_a_request_is_named(members: dict[str, Any], pointers: set[str]) -> None:
    assert set(faults(**members)) == pointers


def test_faults_of_the_path_are_told_with_those_of_the_body() -> None:
    with pytest.raises(InvalidInputError) as caught:
        asked({"metadata": PLAIN, "poFiles": [file(size=-1)]}, customer="x")

    assert {v.pointer for v in caught.value.violations} == {"path:customerId", "/poFiles/0/size"}


def test_a_path_before_a_name_is_dropped() -> None:
    request = asked({"metadata": PLAIN, "poFiles": [file("C:\\fakepath\\PO.pdf")]})

    assert request.files[0].expected.file_name == "PO.pdf"


@pytest.mark.parametrize(
    ("size", "md5", "said"),
    [(500, "aa", []), (500, "bb", ["MD5"]), (499, "aa", ["499 bytes; 500"]), (499, "bb", ["499 bytes; 500"])],
)
def test_a_file_that_is_another_than_was_announced_is_told(size: int, md5: str, said: list[str]) -> None:
    told = ExpectedFile("PO.pdf", 500, "aa").faults("PO.pdf", size, md5)

    assert [part in fault for part, fault in zip(said, told, strict=True)] == [True] * len(said)


def test_without_an_md5_the_size_is_all_that_counts() -> None:
    assert ExpectedFile("PO.pdf", 500).faults("PO.pdf", 500, "bb") == []


def test_an_upload_waits_for_a_day_and_any_other_drop_for_ever() -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)

    assert ends_waiting(folder_of(CUSTOMER, "5cf7", "u") + "metadata.json", now) == now + timedelta(days=1)
    assert ends_waiting("x/uploads/metadata.json", now) is None


def test_a_sidecar_may_say_of_its_own_what_is_expected_of_its_files() -> None:
    raw = {"customerId": CUSTOMER, "orderId": "5cf7", **PLAIN, "expected": [file(md5=MD5.hexdigest())]}

    assert sidecar(json.dumps(raw).encode()).expected == (ExpectedFile("PO.pdf", 500, MD5.hexdigest()),)
    with pytest.raises(InvalidInputError) as caught:
        sidecar(json.dumps(raw | {"expected": [{"size": 0}]}).encode())
    assert {v.pointer for v in caught.value.violations} == {"/expected/0/fileName", "/expected/0/size"}
    with pytest.raises(InvalidInputError, match="twice"):
        sidecar(json.dumps(raw | {"expected": [file(), file()]}).encode())


def test_a_request_whose_sidecar_nobody_could_read_is_refused() -> None:
    many = UploadLimits(max_file=1000, max_files=200, most_bytes=10**6)
    listed = [file(f"{n}{'x' * 240}.pdf", 1) for n in range(150)]
    raw = json.dumps({"metadata": PLAIN, "poFiles": listed}).encode()
    with pytest.raises(InvalidInputError, match="makes a sidecar of"):
        upload_request(raw, CUSTOMER, "5cf72f146967", many)
