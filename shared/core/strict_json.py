"""JSON from strangers: every fault with its place, digits as they were written, no surprise exception.

`loads` promises:
- UTF-8 with or without BOM is read; anything else, and anything that is not JSON (RFC 8259), raises
  InvalidInputError with line and column;
- a name that occurs twice in one object, NaN and Infinity, numbers and names of absurd length, lone
  surrogates and nesting beyond MAX_DEPTH are violations with their pointer (RFC 6901);
- no number becomes a float: a plain integer is an `int`, every other number a `Number` with its digits;
- camelCase and PascalCase are two spellings of one name: an object that holds both holds it twice.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from shared.core.errors import MAX_VIOLATIONS, InvalidInputError, Violation
from shared.core.json_faults import explain

MAX_DEPTH = 32
"""Objects and arrays within each other; the deepest document of the contract needs five."""
LARGE = 1024 * 1024
"""Bytes from which on a document is read in a way that spares memory; places of faults are then counted with
escapes for what is not ASCII."""
MAX_NUMBER = 64
"""Characters of one number."""
MAX_MEMBER_NAME = 128
"""Characters of one name in an object."""
MAX_VALUES = 20_000
"""Values in one document, so that a body of small values does not become a memory full of objects."""
MAX_MEMBERS = 100
"""Members of one object; the largest object of the contract has fifteen."""
_SAFE_INTEGER = 18
"""Longest integer, in characters, that becomes an `int`; the conversion costs the square of its length."""


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number that is no plain integer, or a very long one, with its digits as they were written."""

    text: str


Json: TypeAlias = "bool | int | str | Number | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class StrictJson:
    """A document that could be read, and what is wrong with it before anybody asks what it means."""

    value: Json
    violations: tuple[Violation, ...]
    """MAX_VIOLATIONS at most; `unnamed` counts the others."""
    unnamed: int = 0


MAX_POINTER = 512
"""Characters of a pointer; what is longer ends in an ellipsis."""


def join_pointer(pointer: str, token: str | int) -> str:
    """The JSON pointer of the member or element `token` of what `pointer` points at (RFC 6901, section 3)."""
    if len(pointer) >= MAX_POINTER:
        return pointer
    full = f"{pointer}/{str(token)[:MAX_POINTER].replace('~', '~0').replace('/', '~1')}"
    return full if len(full) <= MAX_POINTER else f"{full[: MAX_POINTER - 1]}…"


def camel(name: str) -> str:
    """`OfferId` -> `offerId`; a name in camelCase stays as it is."""
    return name[:1].lower() + name[1:]


def pascal(name: str) -> str:
    """`offerId` -> `OfferId`; a name in PascalCase stays as it is."""
    return name[:1].upper() + name[1:]


def loads(raw: bytes, max_bytes: int, pointer: str = "") -> StrictJson:
    """Read one JSON document; `pointer` is where it stands in the whole input.

    Raises InvalidInputError when it is too long or cannot be read at all. Faults inside of a readable
    document are returned with it, so that the caller can name them together with the faults of content.
    """
    if len(raw) > max_bytes:
        raise InvalidInputError([Violation(pointer, f"is longer than {max_bytes} bytes")])
    text = _text(raw, pointer)
    if sum(text.count(mark) for mark in ",[{") > MAX_VALUES:
        raise InvalidInputError([Violation(pointer, f"contains more than {MAX_VALUES} values")])
    try:
        tree = _DECODER.decode(text)
        del text
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise InvalidInputError([Violation(pointer, f"is not JSON: {explain(error)}; see {place}")]) from None
    except RecursionError:
        raise InvalidInputError([Violation(pointer, _TOO_DEEP)]) from None
    reading = _Reading()
    value = reading.value(tree, _At(pointer), 0)
    return StrictJson(value, tuple(reading.violations), reading.unnamed)


def dumps(value: object) -> str:
    """JSON without blanks. A Number or a Decimal becomes a JSON number with the digits that it has."""
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_scalar(str(name))}:{dumps(member)}' for name, member in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(dumps, value))}]"
    return _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, Number):
        return value.text
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


_TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels"


def _text(raw: bytes, pointer: str) -> str:
    encoding = json.detect_encoding(raw[:4])
    if not encoding.startswith("utf-8"):
        raise InvalidInputError([Violation(pointer, f"is {encoding.upper()[:6]}; JSON must be UTF-8")])
    if _has_long_text(raw):
        raise InvalidInputError([Violation(pointer, _TOO_LONG)])
    if len(raw) > LARGE and 0 < len(raw) - len(raw.translate(None, _HIGH)) < len(raw) / 4:
        raw = _escaped(raw, pointer)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(pointer, error.start) from None
    if not text or text.isspace():
        raise InvalidInputError([Violation(pointer, "is empty; a JSON document is required")])
    return text


_TOO_LONG = f"contains a text of more than {LARGE} bytes that is not ASCII; only base64 can be that long"
_ESCAPE = "\\u0000"
_WIDE_ESCAPE = re.compile(rb"\\u(?!00[0-7])(?=.{4})", re.DOTALL)
_HIGH = bytes(range(128, 256))


def _has_long_text(raw: bytes) -> bool:
    """Whether more than LARGE bytes between two quotes hold a letter beyond ASCII: it would make a text of
    many megabytes four times as large. Some write the + of base64 as an escape, so that is none."""
    at = 0
    while at + LARGE < len(raw):
        last = raw.rfind(b'"', at, at + LARGE)
        if last >= 0:
            at = last + 1
            continue
        end = raw.find(b'"', at + LARGE)
        end = len(raw) if end < 0 else end
        if any(
            _is_wide(raw[start : min(start + LARGE, end)]) for start in range(at, end, LARGE - len(_ESCAPE))
        ):
            return True
        at = end + 1
    return False


def _is_wide(piece: bytes) -> bool:
    return not piece.isascii() or (b"\\u" in piece and _WIDE_ESCAPE.search(piece) is not None)


def _escaped(raw: bytes, pointer: str) -> bytes:
    """The same document in ASCII: a few letters beyond it would make all of a large text two or four times as
    large in memory."""

    content = raw.removeprefix(codecs.BOM_UTF8)
    before = len(raw) - len(content)

    def escape(found: re.Match[bytes]) -> bytes:
        try:
            return json.dumps(found[0].decode())[1:-1].encode()
        except UnicodeDecodeError as error:
            raise _not_utf8(pointer, before + found.start() + error.start) from None

    return re.sub(rb"[\x80-\xff]{1,4096}(?![\x80-\xbf])", escape, content)


def _not_utf8(pointer: str, at: int) -> InvalidInputError:
    return InvalidInputError([Violation(pointer, f"is not UTF-8 from byte {at} on")])


class _Members(list[tuple[str, object]]):
    """An object as it was written: a dict would have dropped the first of two members of one name."""


@dataclass(frozen=True, slots=True)
class _Constant:
    text: str


def _integer(text: str) -> int | Number:
    # "-0" is kept as written too: it is a minus sign that an int would lose
    return int(text) if len(text) <= _SAFE_INTEGER and text != "-0" else Number(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Members, parse_float=Number, parse_int=_integer, parse_constant=_Constant
)


class _At(NamedTuple):
    """Where a value stands; the pointer is written only where there is a fault."""

    token: str | int
    above: _At | None = None

    def pointer(self) -> str:
        tokens: list[str | int] = []
        here: _At = self
        while here.above is not None:
            tokens.append(here.token)
            here = here.above
        pointer = str(here.token)
        for token in reversed(tokens):
            pointer = join_pointer(pointer, token)
        return pointer


class _Reading:
    """Turns the decoder's raw tree into plain values and notes every fault on the way."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.unnamed = 0

    def fault(self, at: _At, detail: str) -> None:
        if len(self.violations) < MAX_VIOLATIONS:
            self.violations.append(Violation(at.pointer(), detail))
        else:
            self.unnamed += 1

    def value(self, node: object, at: _At, depth: int) -> Json:
        if isinstance(node, list):
            return self.container(node, at, depth)
        if isinstance(node, str):
            return self.string(node, at)
        if isinstance(node, _Constant):
            self.fault(at, f"{node.text} is not a JSON value")
            return Number(node.text)
        if isinstance(node, Number) and len(node.text) > MAX_NUMBER:
            self.fault(at, f"is a number of more than {MAX_NUMBER} characters")
        assert node is None or isinstance(node, bool | int | Number)
        return node

    def container(self, node: list[object], at: _At, depth: int) -> Json:
        if depth == MAX_DEPTH:
            self.fault(at, _TOO_DEEP)
            return None
        if isinstance(node, _Members):
            return dict(self.members(node, at, depth))
        return [self.value(item, _At(i, at), depth + 1) for i, item in enumerate(node)]

    def members(self, node: _Members, at: _At, depth: int) -> Iterator[tuple[str, Json]]:
        spelled: dict[str, str] = {}
        if len(node) > MAX_MEMBERS:
            self.fault(at, f"contains {len(node)} members; at most {MAX_MEMBERS} are read")
        for written, item in node[:MAX_MEMBERS]:
            if len(written) > MAX_MEMBER_NAME:
                self.fault(at, f"contains a name of more than {MAX_MEMBER_NAME} characters")
                continue
            name = self.string(written, at)
            before = spelled.get(camel(name))
            if before is not None:
                both = "" if before == name else f": as {before} and as {name}"
                self.fault(_At(name, at), f"is given twice{both}")
                continue
            spelled[camel(name)] = name
            yield name, self.value(item, _At(name, at), depth + 1)

    def string(self, text: str, at: _At) -> str:
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fault(at, "contains an unpaired surrogate")
            return text.encode("utf-8", "replace").decode()
        return text
