"""The bodies that flows send, as they come over the wire: each file under golden/flows is one.

https://learn.microsoft.com/en-us/azure/connectors/connectors-native-http#content-with-multipartform-data-type
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from attach_po.body import read
from shared.core.errors import InvalidInputError, UnsupportedMediaTypeError
from shared.core.models import Role
from shared.settings import Settings
from tests.unit.test_attach_body_json import PDF, PLAIN, b64, from_json, json_body, json_file

FLOWS = Path(__file__).with_name("golden") / "flows"
LIMITS = Settings.read({}).limits
ORDER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\nPO 77\n%%EOF\n"
TENDER = b"%PDF-1.4\nTender\n%%EOF\n"
FORM = "multipart/form-data; boundary=a7f1c3"


@pytest.mark.parametrize("file", sorted(FLOWS.iterdir()), ids=lambda file: file.name)
def test_what_flows_send_is_taken_as_it_was_meant(file: Path) -> None:
    content_type = FORM if file.suffix == ".form" else "application/json"
    name = 'PO "77".pdf' if "quotes.form" in file.name else "PO 77.pdf"
    found = read(content_type, file.read_bytes(), LIMITS, "c501c3c4-d776-40ef-9ecf-9cefb59442c1", "5cf7")
    files = [(d.role, d.file_name, b"".join(d.open())) for d in found.documents]

    assert files == [(Role.PURCHASE_ORDER, name, ORDER), (Role.TENDER, "Tender.pdf", TENDER)]
    assert (found.metadata.customer_price, found.metadata.currency) == ("156.870", "CAD")
    assert found.metadata.is_part_of_tender


def faults(body: object) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        from_json(body)
    return {v.pointer: v.detail for v in caught.value.violations}


def multipart(*parts: object) -> dict[str, object]:
    return {"$content-type": "multipart/form-data", "$multipart": list(parts)}


def part(disposition: object, body: object) -> dict[str, object]:
    return {"headers": {"Content-Disposition": disposition}, "body": body}


ORDER_PART = part('form-data; name="pofiles"; filename="PO.pdf"', {"$content": b64(PDF)})
METADATA_PART = part('form-data; name="metadata"', json.dumps(PLAIN))


def test_faults_of_a_multipart_object_are_told_at_its_parts() -> None:
    assert set(faults(multipart(5, {"headers": [], "body": ""}, part(None, ""), part("x", 5)))) == {
        "/$multipart/0",
        "/$multipart/1",
        "/$multipart/2/headers/Content-Disposition",
        "/$multipart/3/body",
    }
    assert set(faults(multipart(METADATA_PART, part("form-data; name=pofiles", {"$content": "?"})))) == {
        "/$multipart/1/body/$content"
    }
    assert set(faults(multipart(*[METADATA_PART] * 31))) == {"/$multipart"}


def test_a_multipart_object_says_what_a_form_would_say() -> None:
    assert set(faults(multipart(METADATA_PART))) == {"/POFiles"}
    assert set(faults(multipart(ORDER_PART))) == {"/metadata"}
    assert set(faults(multipart(METADATA_PART, ORDER_PART, part("form-data; name=other", "")))) == {"/other"}
    assert set(faults({"$multipart": {}})) == {"/$multipart"}
    assert set(faults(multipart(METADATA_PART, part("form-data; name=pofiles", "text")))) == {"/pofiles"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"$content": b64(b"{}")}, "/$content-type"),
        ({"$content-type": "application/json", "$content": "?"}, "/$content"),
        ({"$content-type": "application/json", "$content": b64(b"{")}, ""),
        ({"$content-type": "multipart/form-data", "$content": b64(b"--B")}, ""),
    ],
)
def test_a_wrapped_body_that_cannot_be_read_is_told(body: object, pointer: str) -> None:
    assert set(faults(body)) == {pointer}


def test_a_wrapped_body_of_another_type_is_415_and_a_body_is_unwrapped_once() -> None:
    with pytest.raises(UnsupportedMediaTypeError, match=r"\$content-type"):
        from_json({"$content-type": "application/pdf", "$content": b64(PDF)})
    once = {"$content-type": "application/json", "$content": b64(json.dumps(json_body()).encode())}
    twice = {"$content-type": "application/json", "$content": b64(json.dumps(once).encode())}

    assert from_json(once) == from_json(json_body())
    assert "/$content" in faults(twice)


def test_an_attachment_of_a_mail_that_holds_no_file_is_told() -> None:
    item = {"@odata.type": "#microsoft.graph.itemAttachment", "name": "mail.pdf", "size": 7}
    found = faults(json_body(poFiles=[item]))

    assert set(found) == {"/poFiles/0/content", "/poFiles/0/@odata.type", "/poFiles/0/size"}


def test_a_file_has_one_name_and_one_content() -> None:
    assert set(faults(json_body(poFiles=[json_file() | {"name": "PO.pdf"}]))) == {"/poFiles/0/name"}
    assert set(faults(json_body(poFiles=[json_file() | {"contentBytes": b64(PDF)}]))) == {
        "/poFiles/0/contentBytes"
    }


def test_metadata_as_text_is_checked_like_any_other() -> None:
    assert set(faults(json_body(metadata='{"currency": "EUR"}'))) == {"/metadata/customerPrice"}
    assert set(faults(json_body(metadata="{'currency'"))) == {"/metadata"}
    assert set(faults(json_body(metadata=" " * 70_000))) == {"/metadata"}


def test_content_is_decoded_once() -> None:
    again = base64.b64encode(b64(PDF).encode()).decode()

    assert "PDF" in faults(json_body(poFiles=[json_file(again)]))["/poFiles/0"]


def test_nothing_beside_the_parts_is_passed_over() -> None:
    body = {**multipart(METADATA_PART, ORDER_PART), "poFiles": [json_file()]}
    more = multipart(METADATA_PART, {**ORDER_PART, "file": b64(PDF)})

    assert set(faults(body)) == {"/poFiles"}
    assert set(faults(more)) == {"/$multipart/1/file"}


def test_a_content_type_of_any_length_costs_nothing() -> None:
    long = {"$content-type": "multipart/form-data" + ";" * 500_000, "$content": b64(PDF)}

    assert set(faults(long)) == {"/$content-type"}


def test_a_wrapped_body_that_is_given_twice_is_told() -> None:
    once = json.dumps(b64(json.dumps(json_body()).encode()))
    raw = f'{{"$content-type": "application/json", "$content": {once}, "$content": {once}}}'
    with pytest.raises(InvalidInputError) as caught:
        read("application/json", raw.encode(), LIMITS, "c501c3c4-d776-40ef-9ecf-9cefb59442c1", "5cf7")

    assert [v.pointer for v in caught.value.violations] == ["/$content"]
