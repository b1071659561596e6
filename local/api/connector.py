"""The Power Platform connector: a projection of the document to OpenAPI 2.0, the one that they take.

https://learn.microsoft.com/en-us/connectors/custom-connectors/openapi-extensions
https://learn.microsoft.com/en-us/connectors/custom-connectors/connection-parameters
"""

from __future__ import annotations

import json
from typing import Any

from local.api.fields import FIELDS
from local.api.openapi import VERSION, document
from local.api.routes import CUSTOMER, JSON, ORDER, ROUTES, Parameter, Route

_OPERATIONS = (
    "CreateOrder",
    "CreateCheckout",
    "GetOrder",
    "GetOrderRequest",
    "AttachDocuments",
    "GetAttachments",
    "RequestUpload",
    "GetDropReceipt",
    "GetHealth",
)
_HEALTH = "GetHealth"
_FORM = "AttachPurchaseOrder"
_FORM_PATH = "/api/customers/{customerId}/orders/{orderId}/purchase-orders"
"""Two operations of one path and method cannot stand in a definition: a policy routes this one.
https://learn.microsoft.com/en-us/connectors/custom-connectors/policy-templates/routerequesttoendpoint/routerequesttoendpoint"""
_FORM_ROUTE = "/api/customers/{customerId}/orders/{orderId}/attachments"
_FORMATS = {"date-time", "uri", "byte"}
"""Those that the definition's schema knows, of ours."""
_KEPT = ("type", "enum", "pattern", "minimum", "maximum", "minItems", "maxItems", "maxLength", "required")
BRAND = "#2F5496"


def definition() -> dict[str, Any]:
    """`apiDefinition.swagger.json`."""
    schemas = document()["components"]["schemas"]
    paths: dict[str, Any] = {}
    used: dict[str, Any] = {}
    for route in sorted(
        (route for route in ROUTES if route.operation in _OPERATIONS),
        key=lambda route: _OPERATIONS.index(route.operation),
    ):
        paths.setdefault(f"/api/{route.path}", {})[route.method] = _operation(route)
    paths[_FORM_PATH] = {"post": _form()}
    waiting = _references(paths)
    while waiting:
        name = waiting.pop()
        if name not in used:
            used[name] = _schema(schemas[name])
            waiting |= _references(used[name])
    return {
        "swagger": "2.0",
        "info": {
            "title": "CSP Orders and Documents",
            "description": "Creates orders at Partner Center for the customers of a cloud solution provider,"
            " and attaches purchase orders and tenders to them. Nothing is ordered or attached twice.",
            "version": VERSION,
            "contact": {
                "name": "Operations",
                "url": "https://contoso.example/support",
                "email": "operations@contoso.example",
            },
        },
        "host": "contoso.azurewebsites.net",
        "basePath": "/",
        "schemes": ["https"],
        "consumes": [JSON],
        "produces": [JSON],
        "paths": paths,
        "definitions": dict(sorted(used.items())),
        "parameters": {},
        "responses": {},
        "securityDefinitions": {"api_key": {"type": "apiKey", "in": "header", "name": "x-functions-key"}},
        "security": [{"api_key": []}],
        "tags": [],
        "x-ms-connector-metadata": [
            {"propertyName": "Website", "propertyValue": "https://contoso.example"},
            {"propertyName": "Privacy policy", "propertyValue": "https://contoso.example/privacy"},
            {"propertyName": "Categories", "propertyValue": "Commerce;IT Operations"},
        ],
        "x-ms-capabilities": {"testConnection": {"operationId": _HEALTH, "parameters": {}}},
    }


def properties() -> dict[str, Any]:
    """`apiProperties.json`: each connection asks for the address of the app and a function key."""
    return {
        "properties": {
            "connectionParameters": {
                "host": _asked("string", "Function App Host", "Such as contoso.azurewebsites.net.", 1),
                "api_key": _asked("securestring", "Function Key", "A function key of the app.", 2),
            },
            "iconBrandColor": BRAND,
            "capabilities": [],
            "policyTemplateInstances": [
                {
                    "templateId": "dynamichosturl",
                    "title": "Call the function app of the connection",
                    "parameters": {
                        "x-ms-apimTemplateParameter.urlTemplate": "https://@connectionParameters('host')"
                    },
                },
                {
                    "templateId": "routerequesttoendpoint",
                    "title": "Send the form to the attachments of the order",
                    "parameters": {
                        "x-ms-apimTemplateParameter.newPath": _FORM_ROUTE,
                        "x-ms-apimTemplateParameter.httpMethod": "@Request.OriginalHTTPMethod",
                        "x-ms-apimTemplate-operationName": [_FORM],
                    },
                },
            ],
        }
    }


def dumped(made: dict[str, Any]) -> str:
    """As it is kept in the repository."""
    return json.dumps(made, indent=4, ensure_ascii=True) + "\n"


def _asked(kind: str, title: str, what: str, place: int) -> dict[str, Any]:
    shown = {
        "displayName": title,
        "description": what,
        "tooltip": what,
        # https://github.com/microsoft/PowerPlatformConnectors: `required` is a text there
        "constraints": {"tabIndex": place, "clearText": kind == "string", "required": "true"},
    }
    return {"type": kind, "uiDefinition": shown}


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "description": route.description,
        "parameters": [_parameter(parameter) for parameter in route.parameters],
    }
    if route.operation == _HEALTH:
        operation["x-ms-visibility"] = "internal"
    for kind, schema in route.bodies:
        if kind == JSON:
            body = {"name": "body", "in": "body", "required": True, "schema": _ref(schema)}
            operation["parameters"].append(body)
    (status, answer), *others = route.answers
    operation["responses"] = _responses(status, answer, [*(s for s, _ in others), *route.problems])
    return operation


def _form() -> dict[str, Any]:
    def field(name: str, kind: str, title: str, description: str, *, required: bool) -> dict[str, Any]:
        return {
            "name": name,
            "in": "formData",
            "required": required,
            "type": kind,
            "x-ms-summary": title,
            "description": description,
        }

    metadata = 'JSON text, such as {"customerPrice": "156.87", "currency": "CAD"}.'
    tender = field("tenderfiles", "file", "Tender", "The PDF of the tender.", required=False)
    return {
        "operationId": _FORM,
        "summary": "Attach a purchase order",
        "description": "Attaches one purchase order, and one tender if there is any, to the order.",
        "consumes": ["multipart/form-data"],
        "parameters": [
            _parameter(CUSTOMER),
            _parameter(ORDER),
            field("metadata", "string", "Metadata", metadata, required=True),
            field("pofiles", "file", "Purchase Order", "The PDF of the purchase order.", required=True),
            tender | {"x-ms-visibility": "advanced"},
        ],
        "responses": _responses(201, "Attachments", [202, 400, 404, 409, 413, 422, 424, 500, 502, 503]),
    }


def _responses(status: int, schema: str, others: list[int]) -> dict[str, Any]:
    told = {202: "The outcome is not known yet.", 503: "Nothing was done. Try again later."}
    found: dict[str, Any] = {
        str(other): {"description": told.get(other, "Nothing was done.")} for other in set(others)
    }
    found[str(status)] = {"description": "Done.", "schema": _ref(schema)}
    return dict(sorted(found.items()))


def _parameter(parameter: Parameter) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "type": "string",
        "x-ms-summary": parameter.title,
        "description": parameter.description,
    }
    if parameter.where == "path":
        made["x-ms-url-encoding"] = "single"
    if not parameter.required:
        made["x-ms-visibility"] = "advanced"
    return made


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/definitions/{name}"}


def _references(node: Any) -> set[str]:  # noqa: ANN401 - any JSON
    if isinstance(node, list):
        return set().union(*map(_references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"].rpartition("/")[2]} if "$ref" in node else set()
    return own.union(*map(_references, node.values()))


def _schema(node: dict[str, Any], name: str = "") -> dict[str, Any]:
    """A schema of 3.1 as 2.0 has it."""
    if "$ref" in node:
        return _ref(node["$ref"].rpartition("/")[2])
    made = {key: node[key] for key in _KEPT if key in node}
    if "exclusiveMinimum" in node:
        made |= {"minimum": node["exclusiveMinimum"], "exclusiveMinimum": True}
    if form := _format(node):
        made["format"] = form
    if name:
        made |= {"x-ms-summary": FIELDS[name].title, "description": FIELDS[name].description}
    if "items" in node:
        made["items"] = _schema(node["items"])
    if isinstance(node.get("additionalProperties"), dict):
        made["additionalProperties"] = _schema(node["additionalProperties"])
    if "properties" in node:
        made["properties"] = {member: _schema(told, member) for member, told in node["properties"].items()}
    return made


def _format(node: dict[str, Any]) -> str:
    if "contentEncoding" in node:
        return "byte"
    if node.get("format") in _FORMATS:
        return str(node["format"])
    return {"integer": "int32", "number": "double"}.get(str(node.get("type")), "")
