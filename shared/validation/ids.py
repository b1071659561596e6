"""Ids and keys that end up in URLs and blob names: only forms that cannot walk out of their segment.

What stands outside of the body is pointed at as `path:name`, `query:name` or `header:name`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from shared.core.errors import InvalidInputError, Violation
from shared.core.ids import DOT_SEGMENTS, GUID
from shared.validation.shapes import said_of


def guid(text: str) -> str:
    """A GUID in lower case; ValueError says why it is none."""
    if not GUID.fullmatch(text):
        raise ValueError("must be a GUID such as c501c3c4-d776-40ef-9ecf-9cefb59442c1")
    return text.lower()


def opaque_id(text: str) -> str:
    """An order id; it has several forms and is nobody's to interpret. ValueError says why it is none."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", text):
        raise ValueError("must be 1 to 128 letters, digits, hyphens or underscores")
    return text


def _visible(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,255}", text):
        raise ValueError("must be 1 to 255 visible ASCII characters without spaces")
    if text in DOT_SEGMENTS:
        raise ValueError("must not be . or .., which no URL can carry")
    return text


def _upn(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,256}", text):
        raise ValueError("must be at most 256 visible ASCII characters without spaces")
    return text


def customer_id(value: object, pointer: str = "path:customerId") -> str:
    """The customer's tenant id in lower case."""
    return _checked(guid, value, pointer)


def order_id(value: object, pointer: str = "path:orderId") -> str:
    """The order's id as it was given; its case may matter."""
    return _checked(opaque_id, value, pointer)


def idempotency_key(value: str | None, pointer: str = "header:Idempotency-Key") -> str:
    """The caller's Idempotency-Key as it was given."""
    if value is None:
        why = "is required: it is what keeps a repeated request from buying twice; send a new one per order"
        raise InvalidInputError([Violation(pointer, why)])
    if "," in value:
        why = "is given twice, or holds a comma: values of one name arrive joined by commas; send one key"
        raise InvalidInputError([Violation(pointer, why)])
    return _checked(_visible, value, pointer)


def customer_user(value: str | None, pointer: str = "header:x-ms-customeruser-upn") -> str:
    """The UPN of the customer's user as it was given; "" when there is none."""
    return _checked(_upn, value, pointer) if value else ""


def _checked(rule: Callable[[str], str], value: object, pointer: str) -> str:
    if not isinstance(value, str):
        raise InvalidInputError([Violation(pointer, "is required" if value is None else "must be a string")])
    try:
        return rule(value)
    except ValueError as error:
        raise InvalidInputError([Violation(pointer, said_of(value, str(error)))]) from None
