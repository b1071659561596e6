"""The OpenAPI 3.1 document. https://spec.openapis.org/oas/v3.1.0"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from local.api.routes import FORM, ROUTES, Parameter, Route
from local.api.schemas import Schema, listed, of, ref, schemas, text
from shared.web.problem import PROBLEMS, TYPE_PREFIX

VERSION = "2.0"
"""Of the interface."""

_HEADERS: dict[str, tuple[str, Schema]] = {
    "x-correlation-id": ("The ID to find this by in logs.", text()),
    "Location": ("Where it is, or where its outcome can be asked for without a key.", text(format="uri")),
    "Retry-After": ("Seconds to wait before asking again.", {"type": "integer"}),
    "Idempotency-Replayed": ("Whether this is the answer of an earlier request.", text(enum=["true"])),
    "X-Order-Status": ("The status of the order.", text()),
    "X-Next-Step": ("What the status of the order asks for.", text()),
}


def document() -> dict[str, Any]:
    """The whole of it."""
    found = schemas()
    pdf = text(contentMediaType="application/pdf")
    found["DocumentsForm"] = of(
        ("metadata", "pofiles"), metadata=ref("Metadata"), pofiles=listed(pdf), tenderfiles=listed(pdf)
    ) | {"description": "The same as a form. Names of parts are compared without regard to case."}
    found["OpenApi"] = {"type": "object", "description": "This document."}
    found["Problem"]["properties"]["type"]["enum"] = [TYPE_PREFIX + p.slug for p in PROBLEMS]
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(f"/{route.path}", {})[route.method] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Partner Center orders and purchase orders",
            "version": VERSION,
            "summary": "Creates orders at Partner Center, and attaches purchase orders and tenders to them.",
            "description": "Names are camelCase here; PascalCase is taken too. An optional member that is an"
            " empty text counts as absent. docs/http.md says the rest.",
            "license": {"name": "Proprietary"},
        },
        "servers": [{"url": "/api"}],
        "security": [{"functionKey": []}, {"signIn": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
                "signIn": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Where the app takes signed-in callers instead of keys: an access token"
                    " for the app, with an app role.",
                },
                "masterKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-functions-key",
                    "description": "The master key of the app.",
                },
            },
            "headers": {
                name: {"description": told, "schema": schema} for name, (told, schema) in _HEADERS.items()
            },
            "responses": {
                "Problem": {
                    "description": "It was not done; the body says why, and what to do.",
                    "headers": _headers("x-correlation-id", "Retry-After"),
                    "content": {"application/problem+json": {"schema": ref("Problem")}},
                },
                "Unknown": {
                    "description": "It is not known who calls. The Functions host answers a wrong key itself,"
                    " without a body; a missing sign-in is answered with a problem.",
                },
            },
            "schemas": found,
        },
    }


def dumped(made: dict[str, Any]) -> str:
    """As it is kept in the repository and served."""
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "description": route.description,
    }
    if route.parameters:
        operation["parameters"] = [_parameter(parameter) for parameter in route.parameters]
    if route.bodies:
        content = {kind: _media(kind, schema) for kind, schema in route.bodies}
        operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = {
        str(status): _answer(route, status, schema) for status, schema in route.answers
    } | {str(status): {"$ref": "#/components/responses/Problem"} for status in sorted(set(route.problems))}
    if route.anonymous:
        operation["security"] = []
    else:
        operation["responses"]["401"] = {"$ref": "#/components/responses/Unknown"}
        operation["responses"]["403"] = {"$ref": "#/components/responses/Problem"}
    if route.operator:
        operation["security"] = [{"masterKey": []}, {"signIn": []}]
    operation["responses"] = dict(sorted(operation["responses"].items()))
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.description,
        "schema": text(**({"pattern": parameter.pattern} if parameter.pattern else {})),
    }
    if parameter.example:
        made["example"] = parameter.example
    return made


def _media(kind: str, schema: str) -> dict[str, Any]:
    made: dict[str, Any] = {"schema": ref(schema)}
    if kind == FORM:
        pdf = {"contentType": "application/pdf"}
        made["encoding"] = {
            "metadata": {"contentType": "application/json"},
            "pofiles": pdf,
            "tenderfiles": pdf,
        }
    return made


_REPLAYED = ("create_order", "create_checkout", "get_order_request", "attach_po")


def _answer(route: Route, status: int, schema: str) -> dict[str, Any]:
    names = ["x-correlation-id"]
    if status == HTTPStatus.ACCEPTED:
        names += ["Location", "Retry-After"]
    elif route.places:
        names.append("Location")
    elif route.function == "get_order":
        names += ["X-Order-Status", "X-Next-Step"]
    if status == HTTPStatus.CREATED and route.function in ("create_order", "create_checkout"):
        names += ["X-Order-Status", "X-Next-Step"]
    if status < HTTPStatus.ACCEPTED and route.function in _REPLAYED:
        names.append("Idempotency-Replayed")
    return {
        "description": HTTPStatus(status).phrase + ".",
        "headers": _headers(*names),
        "content": {"application/json": {"schema": ref(schema)}},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
