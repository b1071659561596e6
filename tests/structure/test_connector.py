"""The connector's files: valid, and by the rules that the service checks when they are imported.

The rules are those of https://learn.microsoft.com/en-us/connectors/custom-connectors/certification-swagger-validator-rules
as far as they concern what is used here. The service's own validator needs an account and was not run.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from local.api.connector import BRAND
from local.api.openapi import document
from tests.structure.test_docs import ROOT

CONNECTOR = ROOT / "connector"
DEFINITION: dict[str, Any] = json.loads((CONNECTOR / "apiDefinition.swagger.json").read_text())
PROPERTIES: dict[str, Any] = json.loads((CONNECTOR / "apiProperties.json").read_text())["properties"]
OPERATIONS = {o["operationId"]: (p, m, o) for p, ms in DEFINITION["paths"].items() for m, o in ms.items()}
EXTENSIONS = {
    "x-ms-summary",
    "x-ms-visibility",
    "x-ms-url-encoding",
    "x-ms-capabilities",
    "x-ms-connector-metadata",
}
FORMATS = {
    "int32", "int64", "float", "double", "byte", "binary", "date", "date-time", "password", "date-no-tz",
    "email", "html", "uri", "uuid",
}  # fmt: skip


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def test_the_definition_is_valid_and_offers_what_flows_need() -> None:
    from openapi_spec_validator import validate  # as in tests/app/test_openapi.py

    validate(DEFINITION)

    assert set(OPERATIONS) == {
        "CreateOrder",
        "CreateCheckout",
        "GetOrder",
        "GetOrderRequest",
        "AttachPurchaseOrder",
        "AttachDocuments",
        "GetAttachments",
        "GetDropReceipt",
        "RequestUpload",
        "GetHealth",
    }
    assert (CONNECTOR / "apiDefinition.swagger.json").stat().st_size < 1_000_000


def test_every_path_is_one_of_the_app_or_is_routed_to_one() -> None:
    real = {f"/api{path}" for path in document()["paths"]}
    (routed,) = [
        p for p in PROPERTIES["policyTemplateInstances"] if p["templateId"] == "routerequesttoendpoint"
    ]
    virtual = {path for path in DEFINITION["paths"] if path not in real}

    assert {OPERATIONS[o][0] for o in routed["parameters"]["x-ms-apimTemplate-operationName"]} == virtual
    assert routed["parameters"]["x-ms-apimTemplateParameter.newPath"] in real


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_keeps_the_rules(name: str) -> None:
    _, method, operation = OPERATIONS[name]
    parameters = operation["parameters"]
    places = [p["in"] for p in parameters]
    answers = {status: r for status, r in operation["responses"].items() if "schema" in r}

    assert re.fullmatch("[A-Z][A-Za-z0-9]+", name)
    assert re.fullmatch(r"[A-Z][A-Za-z0-9 ()]{1,78}[A-Za-z0-9)]", operation["summary"])
    assert operation["description"].endswith(".")
    assert operation["description"].rstrip(".") != operation["summary"]
    assert len(answers) == 1
    assert set(answers) <= {"200", "201"}
    assert "default" not in operation["responses"]
    assert not {"body", "formData"} <= set(places)
    assert method == "post" or not {"body", "formData"} & set(places)
    assert len({(p["in"], p["name"]) for p in parameters}) == len(parameters)
    assert not {p["name"].lower() for p in parameters} & {"authorization", "connectionid"}
    for parameter in parameters:
        if parameter["in"] == "body":
            continue
        assert parameter["x-ms-summary"].istitle() or re.search("ID|PDF", parameter["x-ms-summary"])
        assert parameter["description"].endswith(".")
        assert parameter["name"].isascii()
        assert (parameter["in"] == "path") == (parameter.get("x-ms-url-encoding") == "single")
        assert parameter["in"] != "path" or parameter["required"]


def test_schemas_hold_nothing_that_connectors_do_not_know() -> None:
    unknown = {"nullable", "oneOf", "anyOf", "const", "examples", "contentEncoding", "$defs"}
    for node in nodes(DEFINITION):
        assert not unknown & set(node)
        assert {key for key in node if key.startswith("x-")} <= EXTENSIONS
        assert not isinstance(node.get("format"), str) or node["format"] in FORMATS
        assert node.get("enum") != []
        assert node.get("required") != []
        assert "$ref" not in node or set(node) == {"$ref"}
        if isinstance(node.get("required"), list):
            assert set(node["required"]) <= set(node["properties"])
        for told in node.get("properties", {}).values() if "type" in node else ():
            assert "$ref" in told or told["x-ms-summary"], told


def test_the_info_can_be_published() -> None:
    info = DEFINITION["info"]

    assert len(info["title"]) <= 30
    assert not re.search("API|Connector|Power|Automate", info["title"])
    assert 30 <= len(info["description"]) <= 500
    assert set(info["contact"]) == {"name", "url", "email"}
    assert [m["propertyName"] for m in DEFINITION["x-ms-connector-metadata"]] == [
        "Website",
        "Privacy policy",
        "Categories",
    ]
    assert DEFINITION["x-ms-capabilities"]["testConnection"]["operationId"] in OPERATIONS
    assert list(DEFINITION)[:2] == ["swagger", "info"]


def test_a_connection_asks_for_host_and_key_and_hides_the_key() -> None:
    parameters = PROPERTIES["connectionParameters"]
    (host,) = [p for p in PROPERTIES["policyTemplateInstances"] if p["templateId"] == "dynamichosturl"]

    assert {name: p["type"] for name, p in parameters.items()} == {
        "host": "string",
        "api_key": "securestring",
    }
    assert parameters["api_key"]["uiDefinition"]["constraints"]["clearText"] is False
    assert {p["uiDefinition"]["constraints"]["required"] for p in parameters.values()} == {"true"}
    assert "connectionParameters('host')" in host["parameters"]["x-ms-apimTemplateParameter.urlTemplate"]
    assert set(DEFINITION["securityDefinitions"]) <= set(parameters)
    assert BRAND.lower() not in ("#007ee5", "#ffffff")


def test_the_icon_is_a_square_without_transparency() -> None:
    head = (CONNECTOR / "icon.png").read_bytes()[:33]
    width, height, depth, colours = struct.unpack(">IIBB", head[16:26])

    assert (width, height, depth, colours) == (230, 230, 8, 2)


def test_the_readme_names_every_operation_and_has_the_sections_that_are_asked_for() -> None:
    readme = (CONNECTOR / "readme.md").read_text()
    sections = re.findall("^## (.*)$", readme, re.MULTILINE)

    assert [o["summary"] for _, _, o in OPERATIONS.values() if o["summary"] not in readme] == []
    assert {"Publisher", "Prerequisites", "Supported Operations", "Obtaining Credentials"} <= set(sections)
    assert {"Known Issues and Limitations", "Deployment Instructions"} <= set(sections)
