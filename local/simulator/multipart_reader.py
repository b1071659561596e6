"""Reads a multipart/form-data body in constant memory, as strictly as RFC 2046 and RFC 7578 are written.

Written on its own, apart from the app's encoder, so that the two can disagree. Every part is hashed and
counted while it passes; content is kept up to a limit and dropped beyond it. What it refuses: a missing
final boundary, bare line feeds in headers, a part without a form-data name, text that is not UTF-8.
https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1  https://www.rfc-editor.org/rfc/rfc7578#section-4
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

HEADER_LIMIT = 16 * 1024
"""Most bytes of one part's headers."""
FIELD_LIMIT = 1024 * 1024
"""Most bytes of a part without a file name; such a part is always kept whole."""

_CRLF = b"\r\n"
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'\s*;\s*({_TOKEN})\s*=\s*("(?:[^"\\]|\\.)*"|{_TOKEN})\s*')


class MalformedMultipartError(ValueError):
    """The body or its Content-Type breaks the grammar; the message says where."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: size in bytes, SHA-256 in hex; `content` is None when it was larger than what is kept."""

    name: str
    filename: str | None
    content_type: str
    size: int
    sha256: str
    content: bytes | None = field(repr=False)


def boundary_of(content_type: str) -> str:
    """Return the boundary of a multipart/form-data Content-Type; raises MalformedMultipartError."""
    kind, parameters = header_value(content_type)
    if kind != "multipart/form-data":
        raise MalformedMultipartError("Content-Type is not multipart/form-data")
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise MalformedMultipartError("Content-Type has no valid boundary")
    return boundary


def header_value(text: str) -> tuple[str, dict[str, str]]:
    """Split `kind; name=value; name="value"` into the lower-case kind and its parameters."""
    kind, semicolon, _ = text.partition(";")
    parameters: dict[str, str] = {}
    at = len(kind)
    while semicolon and at < len(text):
        match = _PARAMETER.match(text, at)
        if not match:
            raise MalformedMultipartError("a header's parameters cannot be read")
        name, value = match[1].lower(), match[2]
        if name in parameters:
            raise MalformedMultipartError(f"the header parameter {name} is given twice")
        parameters[name] = re.sub(r'\\(["\\])', r"\1", value[1:-1]) if value.startswith('"') else value
        at = match.end()
    return kind.strip().lower(), parameters


def read_parts(chunks: Iterable[bytes], boundary: str, keep: int) -> list[Part]:
    """Read the whole body from `chunks` (of any size) and return its parts in order.

    `keep` is the largest file in bytes whose content is kept. Raises MalformedMultipartError.
    """
    reader = _Reader(boundary, keep)
    for chunk in chunks:
        reader.feed(chunk)
    return reader.finish()


class _Sink:
    """Takes the content of one part: hashes all of it, keeps it as long as it is small."""

    def __init__(self, headers: dict[str, str], keep: int) -> None:
        kind, parameters = header_value(headers.get("content-disposition", ""))
        if kind != "form-data" or not parameters.get("name"):
            raise MalformedMultipartError("a part has no form-data name")
        self.name = parameters["name"]
        self.filename = parameters.get("filename")
        self.content_type = headers.get("content-type", "")
        self.keep = FIELD_LIMIT if self.filename is None else keep
        self.size = 0
        self.hash = hashlib.sha256()
        self.kept: bytearray | None = bytearray()

    def take(self, data: memoryview) -> None:
        self.size += len(data)
        self.hash.update(data)
        if self.size > self.keep:
            if self.filename is None:
                raise MalformedMultipartError("a form field is too large")
            self.kept = None
        if self.kept is not None:
            self.kept += data

    def part(self) -> Part:
        content = None if self.kept is None else bytes(self.kept)
        return Part(self.name, self.filename, self.content_type, self.size, self.hash.hexdigest(), content)


class _At(Enum):
    PREAMBLE = auto()
    AFTER_DELIMITER = auto()
    HEADERS = auto()
    CONTENT = auto()
    EPILOGUE = auto()


class _Reader:
    def __init__(self, boundary: str, keep: int) -> None:
        self.delimiter = _CRLF + b"--" + boundary.encode("ascii")
        self.keep = keep
        # the first delimiter may open the body, where no line break stands before it
        self.data: bytes = _CRLF
        self.at = _At.PREAMBLE
        self.sink: _Sink | None = None
        self.parts: list[Part] = []

    def feed(self, chunk: bytes) -> None:
        self.data = self.data + chunk if self.data else chunk
        steps = {
            _At.PREAMBLE: self._content,
            _At.AFTER_DELIMITER: self._after_delimiter,
            _At.HEADERS: self._headers,
            _At.CONTENT: self._content,
            _At.EPILOGUE: self._epilogue,
        }
        while steps[self.at]():
            pass

    def finish(self) -> list[Part]:
        if self.at is not _At.EPILOGUE:
            raise MalformedMultipartError("the body ends before its final boundary")
        return self.parts

    def _content(self) -> bool:
        end = self.data.find(self.delimiter)
        safe = end if end >= 0 else max(0, len(self.data) - len(self.delimiter) + 1)
        if self.sink:
            self.sink.take(memoryview(self.data)[:safe])
        if end < 0:
            self.data = self.data[safe:]
            return False
        if self.sink:
            self.parts.append(self.sink.part())
            self.sink = None
        self._advance(end + len(self.delimiter), _At.AFTER_DELIMITER)
        return True

    def _after_delimiter(self) -> bool:
        if self.data.startswith(b"--"):
            self._advance(2, _At.EPILOGUE)
            return True
        end = self.data.find(_CRLF)
        if end < 0 and len(self.data) <= HEADER_LIMIT:
            return False
        if end < 0 or self.data[:end].strip(b" \t"):
            raise MalformedMultipartError("a boundary is followed by something else than a line break")
        self._advance(end + 2, _At.HEADERS)
        return True

    def _headers(self) -> bool:
        if self.data.startswith(_CRLF):
            raise MalformedMultipartError("a part has no headers")
        end = self.data.find(_CRLF + _CRLF)
        if end < 0 and len(self.data) <= HEADER_LIMIT:
            return False
        if not 0 <= end <= HEADER_LIMIT:
            raise MalformedMultipartError("a part's headers do not end")
        self.sink = _Sink(_parse_headers(self.data[:end]), self.keep)
        self._advance(end + 4, _At.CONTENT)
        return True

    def _epilogue(self) -> bool:
        self.data = b""
        return False

    def _advance(self, count: int, at: _At) -> None:
        self.data = self.data[count:]
        self.at = at


def _parse_headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in block.split(_CRLF):
        if b"\n" in line or b"\r" in line:
            raise MalformedMultipartError("a part's headers have a bare line break")
        try:
            name, colon, value = line.decode("utf-8").partition(":")
        except UnicodeDecodeError:
            raise MalformedMultipartError("a part's headers are not UTF-8") from None
        if not colon or not re.fullmatch(_TOKEN, name):
            raise MalformedMultipartError("a part has a line that is not a header")
        if name.lower() in headers:
            raise MalformedMultipartError(f"the part header {name} is given twice")
        headers[name.lower()] = value.strip()
    return headers
