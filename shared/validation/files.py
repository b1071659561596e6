"""Names and contents of the files that are to be attached."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.header import decode_header

from shared.core.errors import InvalidInputError, Violation
from shared.core.models import text_faults
from shared.validation.pdf import head_fault
from shared.validation.shapes import said_of

MAX_FILE_NAME = 255
"""Characters of a file name."""
MAX_ENCODED = 4096
"""Characters of a name in encoded words; a longer one is left as it is."""


def file_name(name: object, pointer: str = "/fileName") -> str:
    """The base name under which a file is sent on; some browsers send a path before it, which is dropped.

    Quotes, spaces and letters of any script are kept; a name in encoded words, as mail has them, is decoded.
    Raises InvalidInputError. https://www.rfc-editor.org/rfc/rfc2047
    """
    if not isinstance(name, str):
        raise InvalidInputError([Violation(pointer, "is required and must be a string")])
    base = re.split(r"[/\\]", _decoded(name))[-1]
    faults = list(_name_faults(base))
    if faults:
        raise InvalidInputError([Violation(pointer, said_of(base, fault)) for fault in faults])
    return base


def plain_name(text: str) -> str:
    """The name of a file in the sidecar's own folder; ValueError says why it is none."""
    if re.search(r"[/\\]", text):
        raise ValueError("must be the name of a file in the same folder, without / or \\")
    faults = _name_faults(text)
    if faults:
        raise ValueError("; ".join(faults))
    return text


def document_faults(name: str, size: int, head: bytes, max_file: int) -> list[str]:
    """What is wrong with a file of `size` bytes; `head` is its first 1,024 bytes, or more."""
    if size == 0:
        return [f"{name} is empty"]
    faults = []
    if size > max_file:
        faults.append(f"{name} has {size} bytes; at most {max_file} are allowed")
    damage = head_fault(head)
    return [*faults, f"{name} {damage}"] if damage else faults


def _name_faults(name: str) -> list[str]:
    faults = text_faults(name)
    if len(name) > MAX_FILE_NAME:
        faults.append(f"must have at most {MAX_FILE_NAME} characters")
    if not name.lower().endswith(".pdf") or len(name) == len(".pdf"):
        read = f" (it was read as {name[:100]})" if name and not faults else ""
        faults.append(f"must be a file name that ends with .pdf{read}")
    return faults


def _decoded(name: str) -> str:
    if len(name) > MAX_ENCODED or not re.search(r"=\?[^?\s]+\?[bBqQ]\?[^?]*\?=", name):
        return name
    try:
        words = decode_header(name)
        return "".join(w if isinstance(w, str) else w.decode(charset or "ascii") for w, charset in words)
    except (MessageError, ValueError, LookupError):
        return name
