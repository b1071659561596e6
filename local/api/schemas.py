"""The schemas of bodies and answers, as OpenAPI 3.1 has them: most come from the application's models."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from local.api.fields import FIELDS
from shared.core.checkout_request import CheckoutRequest
from shared.core.ledger import Decision
from shared.core.order_request import OrderRequest
from shared.core.receipt_parts import ReceiptBody, ReceiptState
from shared.validation.attachments import MetadataShape
from shared.validation.consents import ConsentShape
from shared.validation.reviews import ReviewShape
from shared.validation.uploads import UploadShape

Schema = dict[str, Any]

_NAMES = {
    "OrderRequest": "Order",
    "CheckoutRequest": "Checkout",
    "UploadShape": "UploadRequest",
    "ReviewShape": "Decision",
    "ConsentShape": "ConsentRequest",
    "ReceiptBody": "Receipt",
    "MetadataShape": "Metadata",
    "ExpectedShape": "AnnouncedFile",
    "ReceiptViolation": "Violation",
}


def ref(name: str) -> Schema:
    """A reference to the schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def text(**more: Any) -> Schema:  # noqa: ANN401 - members of a JSON schema
    """A string."""
    return {"type": "string", **more}


def listed(items: Schema) -> Schema:
    """An array."""
    return {"type": "array", "items": items}


def of(required: tuple[str, ...] = (), *, closed: bool = False, **properties: Schema) -> Schema:
    """An object of these members."""
    members: Schema = {"type": "object", "properties": properties}
    if required:
        members["required"] = list(required)
    if closed:
        members["additionalProperties"] = False
    return members


_PLACED: dict[str, Schema] = {"id": text(), "status": text(), "lineItems": listed({"type": "object"})}
_CHECKED_OUT: dict[str, Schema] = {
    "cartId": text(),
    "orders": listed(ref("PlacedOrder")),
    "orderErrors": listed(ref("OrderError")),
    "lines": listed(ref("CheckedOutLine")),
    "remedy": text(),
}

_OWN: dict[str, Schema] = {
    "Documents": of(
        ("metadata", "poFiles"),
        closed=True,
        metadata=ref("Metadata"),
        poFiles=listed(ref("File")),
        tenderFiles=listed(ref("File")),
    ),
    "File": of(("fileName", "content"), closed=True, fileName=text(), content=text()),
    "Upload": of(
        ("uploadId", "expires", "files", "drop", "receipt"),
        uploadId=text(),
        expires=text(),
        files=listed(ref("UploadAddress")),
        drop=text(),
        receipt=text(),
        correlationId=text(),
    ),
    "UploadAddress": of(
        ("fileName", "method", "url", "headers"),
        fileName=text(),
        kind=text(),
        size={"type": "integer"},
        method=text(),
        url=text(),
        headers={"type": "object", "additionalProperties": text()},
    ),
    "PlacedOrder": {**of(("id",)), "properties": _PLACED},
    "CheckedOut": {**of(("cartId", "orders", "orderErrors", "lines")), "properties": _CHECKED_OUT},
    "OrderOutcome": {**of(), "properties": _PLACED | _CHECKED_OUT},
    "CheckedOutLine": of(
        ("line", "catalogItemId"),
        line={"type": "integer"},
        catalogItemId=text(),
        orderId=text(),
        error=ref("OrderError"),
    ),
    "OrderError": of(
        ("orderGroupId", "code", "description"), orderGroupId=text(), code=text(), description=text()
    ),
    "Attachments": of(("items",), totalCount={"type": "integer"}, items=listed(ref("Attachment"))),
    "Accepted": of(
        ("status", "detail", "location"), status=text(), detail=text(), location=text(), correlationId=text()
    ),
    "Outcome": {"type": "object", "description": "The answer that the request would have got."},
    "Review": of(
        ("submission", "state"),
        submission=text(),
        state=text(),
        detail=text(),
        attempts={"type": "integer"},
        correlationId=text(),
        history=listed({"type": "object"}),
    ),
    "Submissions": of(("items",), items=listed(ref("OpenWork")), next=text(format="uri")),
    "OpenWork": of(
        ("kind", "state"),
        kind=text(enum=["order", "attachments", "drop"]),
        state=text(enum=[*ReceiptState, "placed"]),
        submission=text(),
        order=ref("OrderNow"),
        drops=listed(text()),
        customerId=text(),
        orderId=text(),
        detail=text(),
        actor=text(),
        remedy=text(),
        errors=listed(ref("Violation")),
        waitingFor=listed(text()),
        since=text(),
        changed=text(),
        nextAttempt=text(),
        attempts={"type": "integer"},
        correlationId=text(),
        documents=listed(text()),
        decisions=listed(text(enum=list(Decision))),
    ),
    "Consent": of(
        ("state",),
        state=text(enum=["pending", "stored"]),
        consent=text(),
        verificationUri=text(),
        userCode=text(),
        message=text(),
        expires=text(),
        retryAfter={"type": "integer"},
        user=text(),
        mfa={"type": "boolean"},
        doctor=ref("Diagnosis"),
    ),
    "Diagnosis": of(("ok", "checks"), ok={"type": "boolean"}, checks=listed(ref("Check"))),
    "Check": of(("name", "detail"), name=text(), ok={"type": "boolean"}, detail=text(), remedy=text()),
    "DropRetry": of(("drop", "detail"), drop=text(), detail=text()),
    "Health": of(
        ("status",),
        status=text(enum=["ok", "misconfigured", "broken"]),
        settings={"type": "object", "additionalProperties": text()},
    ),
    "Problem": of(
        ("type", "title", "status", "detail", "correlationId", "retryable"),
        type=text(),
        title=text(),
        status={"type": "integer"},
        detail=text(),
        correlationId=text(),
        retryable={"type": "boolean"},
        actor=text(),
        remedy=text(),
        errors=listed(ref("Violation")),
        partnerCenter=ref("PartnerCenterAnswer"),
    ),
}


def schemas() -> dict[str, Schema]:
    """Every schema, by its name, in alphabetical order."""
    _, made = models_json_schema(
        [
            (OrderRequest, "validation"),
            (CheckoutRequest, "validation"),
            (MetadataShape, "validation"),
            (UploadShape, "validation"),
            (ReviewShape, "validation"),
            (ConsentShape, "validation"),
            (ReceiptBody, "serialization"),
        ],
        ref_template="#/components/schemas/{model}",
    )
    found = {_NAMES.get(name, name): _plain(schema) for name, schema in made["$defs"].items()}
    found["UploadRequest"]["properties"]["metadata"] = ref("Metadata")
    found["Receipt"]["properties"] = {
        "v": {"type": "integer"},
        "drop": text(),
        "state": text(enum=list(ReceiptState)),
        **found["Receipt"]["properties"],
    }
    found["Receipt"]["required"] = ["drop", "state"]
    found |= _OWN
    for name, schema in found.items():
        _describe(name, schema)
    return dict(sorted(found.items()))


def _plain(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """A schema of pydantic without titles, nulls and defaults, and with our names."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return ref(_NAMES.get(name, name))
    kept = {
        key: {name: _plain(schema) for name, schema in value.items()}
        if key == "properties"
        else _plain(value)
        for key, value in node.items()
        if key not in ("title", "default", "anyOf") and not (key == "additionalProperties" and value is True)
    }
    choices = [choice for choice in node.get("anyOf", ()) if choice != {"type": "null"}]
    return {**kept, **_plain(choices[0])} if choices else kept


def _describe(name: str, schema: Schema) -> None:
    for member, told in schema.get("properties", {}).items():
        field = FIELDS[member]
        if "$ref" not in told:
            told |= {"description": field.description, **field.schema}
        if "example" in told:
            told["examples"] = [told.pop("example")]
    schema.setdefault("description", f"{name}.")
