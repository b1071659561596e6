"""The JSON body of an attach request, as flows send it, and what is wrong with the others."""

from __future__ import annotations

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attach_po.body import read
from shared.core.errors import AppError, InvalidInputError
from shared.core.models import DocumentSet, Role
from shared.settings import Settings

CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
ORDER = "5cf72f146967"
LIMITS = Settings.read({}).limits
PDF = b"%PDF-1.7\r\n\x00\xff\r\n%%EOF"
PLAIN = {"customerPrice": "156.870", "currency": "CAD"}
TEXT = json.dumps(PLAIN)


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def json_file(content: object = None, name: object = "PO.pdf") -> dict[str, object]:
    return {"fileName": name, "content": b64(PDF) if content is None else content}


def json_body(**members: object) -> dict[str, object]:
    return {"metadata": PLAIN, "poFiles": [json_file()]} | members


def from_json(body: object, content_type: str = "application/json") -> DocumentSet:
    return read(content_type, json.dumps(body).encode(), LIMITS, CUSTOMER, ORDER)


def faults(body: dict[str, object]) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        from_json(body)
    return {v.pointer: v.detail for v in caught.value.violations}


@pytest.mark.parametrize(
    "content",
    [
        b64(PDF),
        {"$content-type": "application/pdf", "$content": b64(PDF)},
        {"$content": b64(PDF)},
        "\r\n ".join([b64(PDF)[:8], b64(PDF)[8:]]),
    ],
    ids=["string", "flow object", "flow object without type", "wrapped lines"],
)
def test_json_content_in_each_of_its_forms(content: object) -> None:
    body = json_body(poFiles=[json_file(content)])
    (document,) = from_json(body, "application/json; charset=utf-8").documents

    assert (document.role, document.file_name) == (Role.PURCHASE_ORDER, "PO.pdf")
    assert b"".join(document.open()) == PDF


def test_json_takes_pascal_case_and_null() -> None:
    body = {
        "Metadata": PLAIN,
        "PoFiles": [{"FileName": "PO.pdf", "Content": b64(PDF)}],
        "TenderFiles": None,
    }

    assert from_json(body) == from_json(json_body())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("data:application/pdf;base64," + b64(PDF), "data: URL"),
        (base64.urlsafe_b64encode(b"\xff\xff\xfe").decode(), "URL-safe"),
        (b64(PDF)[:-1], "not base64"),
        ("%PDF-1.7", "not base64"),
        ("JVBERi0=é", "not base64"),
        ("JVBERi0=JVBERi0=", "not base64"),
        (5, "must be base64"),
        ([b64(PDF)], "must be base64"),
        ({"content": b64(PDF)}, "must be base64"),
    ],
)
def test_json_content_of_another_kind_is_refused(content: object, said: str) -> None:
    assert said in faults(json_body(poFiles=[json_file(content)]))["/poFiles/0/content"]


def test_a_flow_object_without_content_is_pointed_into() -> None:
    file = {"fileName": "PO.pdf", "content": {"$content-type": "application/pdf"}}

    assert set(faults(json_body(poFiles=[file]))) == {"/poFiles/0/content/$content"}


@pytest.mark.parametrize(
    ("members", "pointers"),
    [
        ({"poFiles": []}, {"/poFiles"}),
        ({"poFiles": None}, {"/poFiles"}),
        ({"poFiles": "PO.pdf"}, {"/poFiles"}),
        ({"poFiles": [json_file(), 5]}, {"/poFiles/1", "/poFiles/1/content", "/poFiles/1/fileName"}),
        ({"poFiles": [json_file(""), json_file(b64(b"x"))]}, {"/poFiles/0", "/poFiles/1"}),
        ({"poFiles": [json_file("?", "a.txt")]}, {"/poFiles/0/content", "/poFiles/0/fileName"}),
        ({"poFiles": [json_file() | {"filename": "a"}]}, {"/poFiles/0/filename"}),
        ({"poFiles": [json_file(name=None)]}, {"/poFiles/0/fileName"}),
        ({"metadata": None}, {"/metadata"}),
        ({"metadata": "PO"}, {"/metadata"}),
        ({"metadata": {"currency": "EUR"}}, {"/metadata/customerPrice"}),
        ({"pofiles": [], "tenderFiles": 7}, {"/pofiles", "/tenderFiles"}),
        ({"tenderFiles": [json_file()]}, {"/metadata/isPartOfTender"}),
    ],
)  # fmt: skip
def test_every_fault_of_a_json_body_is_named(members: dict[str, object], pointers: set[str]) -> None:
    assert set(faults(json_body(**members))) == pointers


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b"\xff\xfe{\x00}\x00", b"--BOUNDARY--"])
def test_json_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        read("application/json", body, LIMITS, CUSTOMER, ORDER)


def test_no_violation_repeats_the_content() -> None:
    found = faults(json_body(poFiles=[json_file("s3cret!")], metadata={"currency": "s3cret!"}))

    assert "s3cret" not in str(found)


names = st.sampled_from(
    ["metadata", "poFiles", "tenderFiles", "fileName", "content", "$content", *PLAIN, "x"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just(b64(PDF)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(names, values, max_size=5))
def test_arbitrary_objects_raise_nothing_but_our_own_errors(body: dict[str, object]) -> None:
    with suppress(AppError):
        from_json(body)
