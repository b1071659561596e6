"""What ids look like, wherever they come from."""

from __future__ import annotations

import re

GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def segment(order_id: str) -> str:
    """An order id as records are named: GUIDs and hexadecimal ids are one whatever their case."""
    alike = re.fullmatch("[0-9a-fA-F]+", order_id) or GUID.fullmatch(order_id)
    return order_id.lower() if alike else order_id
