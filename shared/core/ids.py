"""What ids look like, wherever they come from."""

from __future__ import annotations

import re

GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

DOT_SEGMENTS = (".", "..")
"""Segments of a path that are resolved on the way, encoded or not, and so lead elsewhere.
https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4"""


def has_dot_segment(path: str) -> bool:
    """Whether the URL of that path would be resolved to another one on its way."""
    return any(part in DOT_SEGMENTS for part in path.split("/"))


def segment(order_id: str) -> str:
    """An order id as records are named: GUIDs and hexadecimal ids are one whatever their case."""
    alike = re.fullmatch("[0-9a-fA-F]+", order_id) or GUID.fullmatch(order_id)
    return order_id.lower() if alike else order_id


def customer_in(name: str) -> str:
    """The customer of a record or a submission of that name; "" when it is none."""
    return next(iter(name.split("/")[1:]), "")
