"""Documents that callers upload themselves: the addresses, and what becomes of the drop."""

from __future__ import annotations

import hashlib
import json
import urllib.parse
import uuid

import pytest
import requests

from shared.core.errors import NotConfiguredError
from shared.core.uploads import UploadLimits
from shared.services.attachment_operation import MOST_BYTES
from shared.services.uploads import Upload
from shared.storage.upload_urls import HEADERS
from shared.validation.uploads import upload_request
from tests.services.conftest import CUSTOMER, PDF, Office, built
from tests.services.steps import settle_down
from tests.services.test_signal import versions

LIMITS = UploadLimits(max_file=1 << 20, max_files=20, most_bytes=MOST_BYTES)
MD5 = hashlib.md5(PDF, usedforsecurity=False).hexdigest()


def prepare(
    office: Office, order: str, *, md5: str = "", size: int = len(PDF), tender: bool = False
) -> Upload:
    body = {
        "metadata": {"customerPrice": "156.87", "currency": "CAD", "isPartOfTender": tender},
        "poFiles": [{"fileName": "PO #1.pdf", "size": len(PDF), "md5": md5}],
    }
    if tender:
        body["tenderFiles"] = [{"fileName": "Tender.pdf", "size": len(PDF) + 2}]
    request = upload_request(json.dumps(body).encode(), CUSTOMER, order, LIMITS)
    return office.services.uploads.prepare(request, str(uuid.uuid4()))


def put(url: str, content: bytes = PDF, method: str = "PUT") -> int:
    return requests.request(method, url, data=content, headers=HEADERS, timeout=10).status_code


def arrived(office: Office, upload: Upload) -> dict[str, object]:
    """The events of all documents come; the receipt then."""
    folder = upload.sidecar.rpartition("/")[0]
    office.ring(*(f"{folder}/{file.expected.file_name}" for file, _ in upload.files))
    return office.receipt(upload.sidecar)


def test_documents_that_were_uploaded_are_attached_once_all_are_there(office: Office) -> None:
    order = office.order()
    upload = prepare(office, order, md5=MD5, tender=True)
    waits = office.receipt(upload.sidecar)
    (_, first), (_, second) = upload.files
    put(first)
    half = arrived(office, upload)
    put(second, PDF + b"\n\n")
    whole = arrived(office, upload)

    assert (waits["state"], waits["waitingFor"]) == ("waiting", ["PO #1.pdf", "Tender.pdf"])
    assert (half["state"], half["waitingFor"]) == ("waiting", ["Tender.pdf"])
    assert whole["state"] == "attached"
    assert sorted(office.attached(order)) == ["PO #1.pdf", "Tender.pdf"]


def test_an_address_creates_one_blob_once_and_does_nothing_else(office: Office) -> None:
    upload = prepare(office, office.order())
    ((_, url),) = upload.files
    other = url.replace("PO%20%231", "other")
    blocks = f"{url}&comp=block&blockid=QQ%3D%3D"

    assert [put(url, method=method) for method in ("GET", "HEAD", "DELETE")] == [403] * 3
    assert put(other) == 403
    assert put(blocks) == 403
    assert put(url) == 201
    assert put(url, PDF + b"other") in (403, 409)
    assert put(url, method="GET") == 403


def test_an_address_cannot_be_used_after_a_quarter_of_an_hour(office: Office) -> None:
    office.clock.forward(minutes=-21)
    upload = prepare(office, office.order())
    ((_, url),) = upload.files

    assert put(url) == 403
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["sp"] == ["c"]


@pytest.mark.parametrize(
    ("content", "said"), [(PDF[:-8] + b"x\n%%EOF\n", "MD5"), (PDF + b"\n", f"{len(PDF)} were announced")]
)
def test_a_document_that_is_another_than_was_announced_is_rejected(
    office: Office, content: bytes, said: str
) -> None:
    order = office.order()
    upload = prepare(office, order, md5=MD5)
    put(upload.files[0][1], content)
    receipt = arrived(office, upload)

    assert (receipt["state"], receipt["actor"], office.posts()) == ("rejected", "caller", 0)
    assert said in json.dumps(receipt["errors"])


def test_an_upload_that_is_not_complete_within_a_day_is_rejected(office: Office) -> None:
    upload = prepare(office, office.order(), tender=True)
    put(upload.files[0][1])
    arrived(office, upload)
    office.clock.forward(hours=23)
    office.sweep()
    before = office.receipt(upload.sidecar)["state"]
    office.clock.forward(hours=1, minutes=5)
    office.sweep()
    receipt = office.receipt(upload.sidecar)

    assert before == "waiting"
    assert (receipt["state"], office.posts()) == ("rejected", 0)
    assert "Tender.pdf did not come" in json.dumps(receipt["errors"])


def test_an_upload_whose_events_were_lost_is_found_by_the_sweep(office: Office) -> None:
    order = office.order()
    upload = prepare(office, order)
    put(upload.files[0][1])
    settle_down(office, 20)

    assert office.receipt(upload.sidecar)["state"] == "attached"
    assert versions(office, order) == [PDF]


def test_an_upload_that_was_asked_for_and_sent_twice_is_attached_once(office: Office) -> None:
    order = office.order()
    for _ in range(2):
        upload = prepare(office, order)
        put(upload.files[0][1])
        assert arrived(office, upload)["state"] == "attached"

    assert versions(office, order) == [PDF]


def test_a_connection_that_cannot_sign_says_so_and_writes_nothing(office: Office) -> None:
    account = office.env["DocumentStorage"]
    endpoint = next(part for part in account.split(";") if part.startswith("BlobEndpoint="))
    queues = next(part for part in account.split(";") if part.startswith("QueueEndpoint="))
    env = {**office.env, "DocumentStorage": f"{endpoint};{queues};SharedAccessSignature=sv=2023&sig=x"}
    office.services = built(env, office.clock)

    with pytest.raises(NotConfiguredError, match="account's key"):
        prepare(office, "5cf7")


@pytest.mark.parametrize("size", [len(PDF), 600_000, 9_000_000])
def test_a_document_without_its_end_is_rejected_because_nothing_more_can_come(
    office: Office, size: int
) -> None:
    cut = PDF[:-7] + b"x" * (size - len(PDF) + 7)
    body = {
        "metadata": {"customerPrice": "156.87", "currency": "CAD"},
        "poFiles": [{"fileName": "PO.pdf", "size": len(cut)}],
    }
    large = UploadLimits(max_file=10_000_000, max_files=20, most_bytes=MOST_BYTES)
    request = upload_request(json.dumps(body).encode(), CUSTOMER, office.order(), large)
    upload = office.services.uploads.prepare(request, str(uuid.uuid4()))
    put(upload.files[0][1], cut)
    receipt = arrived(office, upload)

    assert (receipt["state"], receipt["actor"]) == ("rejected", "caller")
    assert "has no end" in json.dumps(receipt["errors"]) or "%%EOF" in json.dumps(receipt["errors"])
    assert "new upload" in str(receipt["remedy"])


def test_what_is_expected_of_a_file_that_is_none_of_the_drops_is_told(office: Office) -> None:
    order = office.order()
    office.drop("x/PO.PDF", PDF)
    office.drop("x/PO.json", office.sidecar(order, expected=[{"fileName": "PO.PDF", "size": 7}]))
    office.drop("y/PO.json", office.sidecar(order, expected=[{"fileName": "other.pdf", "size": 7}]))
    office.ring("x/PO.json", "y/PO.json")

    assert "7 were announced" in json.dumps(office.receipt("x/PO.json")["errors"])
    assert "other.pdf" in json.dumps(office.receipt("y/PO.json")["errors"])
