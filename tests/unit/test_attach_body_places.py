"""Which place of an attach request a fault is told under, and what is told once where it could be twice."""

from __future__ import annotations

import base64
import json

import pytest

from attach_po.body import read
from shared.core.errors import InvalidInputError
from shared.core.models import DocumentSet, Role
from shared.settings import Settings

LIMITS = Settings.read({}).limits
PDF = b"%PDF-1.7 order %%EOF"
PLAIN = {"customerPrice": "156.87", "currency": "CAD"}
TENDER = PLAIN | {"isPartOfTender": True}
Part = tuple[str, bytes]


def submission(content_type: str, body: bytes) -> DocumentSet:
    return read(content_type, body, LIMITS, "c501c3c4-d776-40ef-9ecf-9cefb59442c1", "5cf72f146967")


def from_form(*parts: Part) -> DocumentSet:
    head = (
        b"--B\r\nContent-Disposition: form-data; name=" + disposition.encode() + b"\r\n\r\n" + content
        for disposition, content in parts
    )
    return submission("multipart/form-data; boundary=B", b"\r\n".join([*head, b"--B--\r\n"]))


def from_json(**members: object) -> DocumentSet:
    return submission("application/json", json.dumps(members).encode())


def form_faults(*parts: Part) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInputError) as caught:
        from_form(*parts)
    return [(v.pointer, v.detail) for v in caught.value.violations]


def json_faults(**members: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInputError) as caught:
        from_json(**members)
    return [(v.pointer, v.detail) for v in caught.value.violations]


def described(metadata: dict[str, object] | dict[str, str], name: str = "metadata") -> Part:
    return name, json.dumps(metadata).encode()


def file(content: bytes = PDF, name: str = "PO.pdf") -> dict[str, str]:
    return {"fileName": name, "content": base64.b64encode(content).decode()}


NO_ORDER = "at least one purchase order is required"


def test_a_form_with_the_same_file_twice_names_the_second() -> None:
    po = ("pofiles; filename=PO.pdf", PDF)

    assert form_faults(described(PLAIN), po, ("pofiles; filename=b.pdf", PDF + b"2"), po) == [
        ("/pofiles/2", "is the same document as /pofiles/0")
    ]


def test_json_with_the_same_file_twice_names_each_after_the_first() -> None:
    assert json_faults(metadata=PLAIN, poFiles=[file(), file(), file()]) == [
        ("/poFiles/1", "is the same document as /poFiles/0"),
        ("/poFiles/2", "is the same document as /poFiles/0"),
    ]


@pytest.mark.parametrize("other", [file(name="PO2.pdf"), file(PDF + b"2")], ids=["name", "content"])
def test_files_that_differ_in_name_or_content_are_two_documents(other: dict[str, str]) -> None:
    assert len(from_json(metadata=PLAIN, poFiles=[file(), other]).documents) == 2


def test_one_file_as_purchase_order_and_as_tender_is_two_documents() -> None:
    sent = from_json(metadata=TENDER, poFiles=[file()], tenderFiles=[file()])

    assert [d.role for d in sent.documents] == [Role.PURCHASE_ORDER, Role.TENDER]


@pytest.mark.parametrize("name", ["pofiles", "POFiles", "PoFiles"])
def test_a_file_of_a_form_is_told_under_the_name_of_its_part(name: str) -> None:
    empty = (f"{name}; filename=PO.pdf", b"")

    assert form_faults(described(PLAIN), empty) == [(f"/{name}/0", "PO.pdf is empty")]


def test_metadata_of_a_form_is_told_under_the_name_of_its_part() -> None:
    po = ("pofiles; filename=PO.pdf", PDF)
    twice = [described(PLAIN, "Metadata")] * 2

    assert form_faults(described({"currency": "CAD"}, "MetaData"), po)[0][0] == "/MetaData/customerPrice"
    assert form_faults(*twice, po) == [("/Metadata", "must be given once; it is given 2 times")]


def test_purchase_orders_sent_as_text_are_told_under_one_name() -> None:
    assert form_faults(described(PLAIN), ("POFiles", PDF)) == [
        ("/POFiles", "must be sent as a file, with a file name"),
        ("/POFiles", NO_ORDER),
    ]


def test_an_empty_form_lacks_metadata_and_a_purchase_order() -> None:
    assert [pointer for pointer, _ in form_faults()] == ["/POFiles", "/metadata"]


def test_an_empty_file_input_is_told_under_its_own_name() -> None:
    assert form_faults(described(PLAIN), ('pofiles; filename=""', b"")) == [("/pofiles", NO_ORDER)]


@pytest.mark.parametrize("name", ["poFiles", "PoFiles", "POFiles"])
@pytest.mark.parametrize("tender", ["tenderFiles", "TenderFiles"])
def test_json_files_come_under_partner_centers_own_names_too(name: str, tender: str) -> None:
    sent = from_json(metadata=TENDER, **{name: [file()], tender: [file(name="T.pdf")]})

    assert [(d.role, d.file_name) for d in sent.documents] == [
        (Role.PURCHASE_ORDER, "PO.pdf"),
        (Role.TENDER, "T.pdf"),
    ]


@pytest.mark.parametrize("name", ["poFiles", "PoFiles", "POFiles"])
def test_a_json_list_without_purchase_orders_is_told_under_its_own_name(name: str) -> None:
    assert json_faults(metadata=PLAIN, **{name: []}) == [(f"/{name}", NO_ORDER)]


def test_json_purchase_orders_under_two_names_are_given_twice() -> None:
    assert json_faults(metadata=PLAIN, poFiles=[file()], POFiles=[file(PDF + b"2")]) == [
        ("/POFiles", "is given twice, in two spellings")
    ]


def test_json_without_anything_lacks_metadata_and_purchase_orders() -> None:
    assert json_faults() == [("/metadata", "is required"), ("/poFiles", "is required")]


def test_a_misspelt_member_is_not_missing_as_well() -> None:
    assert json_faults(METADATA=PLAIN, POfiles=[file()]) == [
        ("/METADATA", "is not a known field; did you mean metadata?"),
        ("/POfiles", "is not a known field; did you mean poFiles?"),
    ]


def test_json_files_that_are_no_array_are_told_once() -> None:
    assert json_faults(metadata=PLAIN, poFiles="PO.pdf", tenderFiles=7) == [
        ("/poFiles", "must be an array"),
        ("/tenderFiles", "must be an array"),
    ]
