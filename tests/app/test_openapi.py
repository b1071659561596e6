"""The OpenAPI document: it is valid, it is what the code says, and the running app keeps to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from local.api.__main__ import files
from local.api.openapi import document
from local.api.routes import ROUTES
from tests.app.conftest import ROOT, App
from tests.structure.test_architecture import FUNCTIONS

DOCUMENT = document()


def test_what_is_kept_is_what_the_models_and_tables_make() -> None:
    """Otherwise: make api."""
    assert {name: (ROOT / name).read_bytes() for name in files()} == files()


def test_it_is_valid() -> None:
    from openapi_spec_validator import validate  # it makes parsers for seconds when it is imported

    validate(DOCUMENT)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    found = set(references(DOCUMENT))
    for reference in found:
        node = DOCUMENT
        for token in reference.removeprefix("#/").split("/"):
            node = node[token]
    names = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}

    assert names <= found


def test_every_route_of_the_app_is_in_the_table() -> None:
    routes = {name: route.replace("*", "") for name, route in FUNCTIONS.items() if name != "preflight"}

    assert {route.function: route.path for route in ROUTES} == routes


def test_every_member_is_described_in_a_sentence() -> None:
    schemas: dict[str, Any] = DOCUMENT["components"]["schemas"]
    silent = [
        f"{name}.{member}"
        for name, schema in schemas.items()
        for member, told in schema.get("properties", {}).items()
        if name != "DocumentsForm"  # it says what Documents says
        if "$ref" not in told and not str(told.get("description", "")).endswith(".")
    ]

    assert silent == []


def test_the_app_serves_it_to_everybody(app: App) -> None:
    answer = app.http.get(f"{app.api}/openapi.json", headers={"x-functions-key": ""})

    assert answer.status_code == 200
    assert answer.json() == DOCUMENT


LEFT_OUT: Any = [
    negative_data_rejection,  # what the app takes beyond the document is said in docs/http.md
    positive_data_acceptance,  # a rule between two members, such as that of tenders, is no schema's
    unsupported_method,  # the Functions host answers 404
    not_a_server_error,  # 502 and 503 are answers too; 500 is looked for below
]

schema = schemathesis.openapi.from_dict(json.loads(json.dumps(DOCUMENT)))


@schema.parametrize()
@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_running_app_answers_as_it_says(case: schemathesis.Case[Any], running: App) -> None:
    key = running.stack.hosts[0]
    operator = "masterKey" in str(case.operation.definition.raw.get("security"))
    case.headers["x-functions-key"] = key.master_key if operator else key.key
    answer = case.call(base_url=running.api)

    assert answer.status_code != 500, answer.text
    case.validate_response(answer, excluded_checks=LEFT_OUT)
