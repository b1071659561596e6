"""What is said of a document before it comes: in a request for upload addresses, and in a sidecar."""

from __future__ import annotations

import base64
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from shared.core.models import StrictModel
from shared.core.uploads import ExpectedFile


def md5_hex(text: str) -> str:
    """An MD5 in lower-case hex, from hex or from base64 as the header Content-MD5 has it; ValueError says why
    it is none. https://www.rfc-editor.org/rfc/rfc1864"""
    if re.fullmatch("[0-9a-fA-F]{32}", text):
        return text.lower()
    if re.fullmatch("[A-Za-z0-9+/]{22}==", text):
        return base64.b64decode(text).hex()
    raise ValueError("must be an MD5: 32 hexadecimal digits, or 24 characters of base64 as in Content-MD5")


class ExpectedShape(StrictModel):
    """Name, size and MD5 of a document."""

    file_name: str
    size: Annotated[int, Field(ge=1)]
    md5: Annotated[str, AfterValidator(md5_hex)] | None = None

    def value(self) -> ExpectedFile:
        """As a value."""
        return ExpectedFile(self.file_name, self.size, self.md5 or "")
