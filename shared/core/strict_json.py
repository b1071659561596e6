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

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from shared.core.errors import InvalidInputError, Violation

MAX_DEPTH = 32
"""Objects and arrays within each other; the deepest document of the contract needs five."""
MAX_NUMBER = 64
"""Characters of one number."""
MAX_MEMBER_NAME = 128
"""Characters of one name in an object."""
MAX_VALUES = 50_000
"""Values in one document, so that a body of small values does not become a memory full of objects."""
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


def join_pointer(pointer: str, token: str | int) -> str:
    """The JSON pointer of the member or element `token` of what `pointer` points at (RFC 6901, section 3)."""
    return f"{pointer}/{str(token).replace('~', '~0').replace('/', '~1')}"


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
        raise InvalidInputError([Violation(pointer, f"holds more than {MAX_VALUES} values")])
    try:
        tree = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise InvalidInputError([Violation(pointer, f"is not JSON: {error.msg} at {place}")]) from None
    except RecursionError:
        raise InvalidInputError([Violation(pointer, _TOO_DEEP)]) from None
    violations: list[Violation] = []
    value = _Reading(violations).value(tree, pointer, 0)
    return StrictJson(value, tuple(violations))


_TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels"


def _text(raw: bytes, pointer: str) -> str:
    encoding = json.detect_encoding(raw)
    if not encoding.startswith("utf-8"):
        raise InvalidInputError([Violation(pointer, f"is {encoding.upper()[:6]}; JSON must be UTF-8")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError([Violation(pointer, f"is not UTF-8 from byte {error.start} on")]) from None
    if not text or text.isspace():
        raise InvalidInputError([Violation(pointer, "is empty; a JSON document is required")])
    return text


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


class _Reading:
    """Turns the decoder's raw tree into plain values and notes every fault on the way."""

    def __init__(self, violations: list[Violation]) -> None:
        self.violations = violations

    def fault(self, pointer: str, detail: str) -> None:
        self.violations.append(Violation(pointer, detail))

    def value(self, node: object, pointer: str, depth: int) -> Json:
        if isinstance(node, list):
            return self.container(node, pointer, depth)
        if isinstance(node, str):
            return self.string(node, pointer)
        if isinstance(node, _Constant):
            self.fault(pointer, f"{node.text} is not a JSON value")
            return Number(node.text)
        if isinstance(node, Number) and len(node.text) > MAX_NUMBER:
            self.fault(pointer, f"is a number of more than {MAX_NUMBER} characters")
        assert node is None or isinstance(node, bool | int | Number)
        return node

    def container(self, node: list[object], pointer: str, depth: int) -> Json:
        if depth == MAX_DEPTH:
            self.fault(pointer, _TOO_DEEP)
            return None
        if isinstance(node, _Members):
            return dict(self.members(node, pointer, depth))
        return [self.value(item, join_pointer(pointer, i), depth + 1) for i, item in enumerate(node)]

    def members(self, node: _Members, pointer: str, depth: int) -> Iterator[tuple[str, Json]]:
        spelled: dict[str, str] = {}
        for written, item in node:
            if len(written) > MAX_MEMBER_NAME:
                self.fault(pointer, f"holds a name of more than {MAX_MEMBER_NAME} characters")
                continue
            name = self.string(written, pointer)
            before = spelled.get(camel(name))
            if before is not None:
                both = "" if before == name else f": as {before} and as {name}"
                self.fault(join_pointer(pointer, name), f"is given twice{both}")
                continue
            spelled[camel(name)] = name
            yield name, self.value(item, join_pointer(pointer, name), depth + 1)

    def string(self, text: str, pointer: str) -> str:
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fault(pointer, "holds half of a surrogate pair, which is no character")
            return text.encode("utf-8", "replace").decode()
        return text
