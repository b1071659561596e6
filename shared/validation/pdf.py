"""Is this a whole PDF? What its first and its last bytes say.

A file that is still arriving, or was cut off, would be a purchase order that nobody can read, and Partner
Center has no way to delete it. The rules are those that readers apply:
https://opensource.adobe.com/dc-acrobat-sdk-docs/pdfstandards/PDF32000_2008.pdf (7.5.2, 7.5.5, Annex F)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HEAD = 1024
"""Bytes at the start within which a PDF says that it is one, and that it is linearized."""
TAIL = 1024
"""Bytes before the last one that counts, within which the last `%%EOF` begins."""

_PADDING = b"\0\t\n\f\r \x1a"
"""What scanners and copy tools append: it does not count."""
_EOF = b"%%EOF"
_WINDOW = TAIL + len(_EOF)
_LINEARIZED = re.compile(rb"/Linearized\b.{0,512}?/L[ \r\n\t]+(\d{1,15})\b", re.DOTALL)
_REPLACED = "\ufffd".encode()


def head_fault(head: bytes) -> str:
    """What the first HEAD bytes (or more) say against a file, "" for nothing."""
    start = head.find(b"%PDF-", 0, HEAD)
    if start < 0:
        return f"is not a PDF: there is no %PDF- in its first {HEAD} bytes"
    _, *comment = re.split(rb"[\r\n]+", head[start:HEAD], maxsplit=2)
    if comment and comment[0].startswith(b"%") and _REPLACED * 2 in comment[0]:
        return "is damaged: it was read and written as text on its way; send its bytes as they are"
    return ""


class EndOfPdf:
    """Finds out from a file's pieces, in their order, whether its end is there; keeps about 1 KiB."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""
        self._padding = 0
        self._size = 0

    def add(self, piece: bytes | bytearray | memoryview) -> None:
        """Take the next piece."""
        self._size += len(piece)
        if len(self._head) < HEAD:
            self._head += bytes(piece[: HEAD - len(self._head)])
        counting = _counting(piece)
        if counting:
            between = b"\0" * min(self._padding, _WINDOW)
            last = bytes(piece[max(0, counting - _WINDOW) : counting])
            self._tail = (self._tail + between + last)[-_WINDOW:]
            self._padding = 0
        self._padding += len(piece) - counting

    @property
    def fault(self) -> str:
        """Why the pieces are not a whole PDF, "" when they are."""
        if _EOF not in self._tail:
            return "has no end (%%EOF): it is cut off, or still arriving"
        linearized = _LINEARIZED.search(self._head)
        said = int(linearized[1]) if linearized else 0
        if said > self._size:
            return f"has {self._size} bytes and says that it has {said}: it is cut off, or still arriving"
        return ""


def end_fault(pieces: Iterable[bytes | bytearray | memoryview]) -> str:
    """Why the pieces of a file are not a whole PDF, "" when they are."""
    end = EndOfPdf()
    for piece in pieces:
        end.add(piece)
    return end.fault


def _counting(piece: bytes | bytearray | memoryview) -> int:
    """How many bytes of a piece are left without the padding at its end."""
    end = len(piece)
    while end:
        start = max(0, end - _WINDOW)
        kept = bytes(piece[start:end]).rstrip(_PADDING)
        if kept:
            return start + len(kept)
        end = start
    return 0
