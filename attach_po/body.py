"""The body of an attach request, in whatever form, becomes a DocumentSet; nothing unchecked gets past it.

`multipart/form-data` is what browsers and curl send, `application/json` with base64 is what flows can send.
Parts and fields of unknown name are refused by name, because a document that is dropped in silence is lost.
"""

from __future__ import annotations

from werkzeug.http import parse_options_header

from attach_po.flow_json import read_json, wrapped
from attach_po.form import read_multipart
from attach_po.uploads import Form, documents
from shared.core.errors import TooLargeError, UnsupportedMediaTypeError
from shared.core.models import DocumentSet
from shared.core.strict_json import loads
from shared.settings import Limits
from shared.validation import ids
from shared.validation.collecting import ViolationCollector


def read(
    content_type: str | None, body: bytes, limits: Limits, customer_id: str, order_id: str
) -> DocumentSet:
    """The submission in `body` for the ids of the path.

    Raises TooLargeError (body, or a file of it), UnsupportedMediaTypeError, and InvalidInputError with every
    violation of path and body. Documents are views of memory that `body` was read into.
    """
    if len(body) > limits.max_body:
        raise TooLargeError(f"The body has {len(body)} bytes; at most {limits.max_body} are allowed.")
    with ViolationCollector() as faults:
        customer = faults.check(lambda: ids.customer_id(customer_id))
        order = faults.check(lambda: ids.order_id(order_id))
        form = _form(content_type, body, limits, faults)
        whole = limits.require_pdf_end and not (form.metadata and form.metadata.accepts_incomplete_pdf)
        found = documents(form.uploads, limits, faults, whole=whole)
    assert customer is not None
    assert order is not None
    assert form.metadata is not None
    return DocumentSet(customer, order, form.metadata, found)


def _form(content_type: str | None, body: bytes, limits: Limits, faults: ViolationCollector) -> Form:
    kind, options = _kind(content_type, "Content-Type")
    if kind == "multipart/form-data":
        return read_multipart(body, options, limits, faults)
    document = loads(body, limits.max_body)
    faults.add_final(document)
    inner = wrapped(document.value)
    if inner:
        del document  # the base64 of the whole body
        kind, options = _kind(inner[0], "$content-type")
        if kind == "multipart/form-data":
            return read_multipart(inner[1], options, limits, faults)
        document = loads(inner[1], limits.max_body)
        faults.add_final(document)
    return read_json(document.value, limits, faults)


def _kind(content_type: str | None, where: str) -> tuple[str, dict[str, str]]:
    """The media type, one of the two, and its parameters. Raises UnsupportedMediaTypeError."""
    media_type, options = parse_options_header(content_type)
    kind = media_type.lower()
    if kind.endswith("+json"):
        kind = "application/json"
    if kind not in ("multipart/form-data", "application/json"):
        raise UnsupportedMediaTypeError(f"The {where} must be multipart/form-data or application/json.")
    return kind, options
