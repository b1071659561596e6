"""Reads Bicep without its compiler: pycep's tree, and the words that a template uses without declaring them.

pycep drops quotation marks: in its tree an unquoted string, or a name that nobody declared, looks like a
string. `undeclared` reads the text itself for that reason.
https://learn.microsoft.com/en-us/azure/azure-resource-manager/bicep/file
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pycep import BicepParser

INFRA = Path(__file__).parents[2] / "infra"
TEMPLATES = sorted(path.name for path in INFRA.glob("*.bicep"))

_STATEMENTS = {"param", "var", "resource", "module", "output", "targetScope"}
_WORDS = {"existing", "for", "in", "if", "true", "false", "null", "string", "int", "bool", "object", "array"}
_FUNCTIONS = {
    "concat", "empty", "environment", "filter", "guid", "items", "listKeys", "loadJsonContent",
    "loadTextContent", "map", "split", "subscription", "subscriptionResourceId", "tenant", "toLower",
    "toObject", "trim", "union", "uniqueString", "allowed", "description", "minLength", "maxLength",
    "minValue", "maxValue",
}  # fmt: skip
_TOKEN = re.compile(
    r"//[^\n]*|(?P<word>[A-Za-z_]\w*)|(?P<number>\d+)|(?P<sign>=>|\.\?|[^\w\s'])|(?P<line>\n)|\s"
)


@functools.cache
def tree(name: str) -> dict[str, Any]:
    """pycep's tree of a template. Raises what pycep raises where the syntax is wrong."""
    return dict(BicepParser().parse(text=(INFRA / name).read_text(encoding="utf-8")))


def body(resource: dict[str, Any]) -> dict[str, Any]:
    """What a resource is made of, with a loop or a condition around it or without."""
    config: dict[str, Any] = resource["config"]
    return config["config"] if {"config", "condition"} <= set(config) else config


def tokens(text: str) -> Iterator[str]:
    """Words, signs and ends of lines, those within `${}` of strings included; a string itself is `''`."""
    at = 0
    while at < len(text):
        if text[at] == "'":
            end, inner = _string(text, at + 1)
            yield "''"
            for expression in inner:
                yield from ("(", *tokens(expression), ")")
            at = end
            continue
        found = _TOKEN.match(text, at)
        assert found, text[at : at + 20]
        if found.lastgroup:
            yield found[0]
        at = found.end()


def undeclared(text: str) -> list[str]:
    """Words that stand where a value stands and are neither declared nor known functions."""
    found = ["\n", *tokens(text), "\n"]
    named = {
        found[n + 1] for n, token in enumerate(found[:-1]) if token in _STATEMENTS and found[n - 1] == "\n"
    }
    named |= {found[n + 1] for n, token in enumerate(found[:-1]) if token == "for"}
    named |= {found[n - 1] for n, token in enumerate(found) if token == "=>"}
    return [
        word
        for before, word, after in zip(found, found[1:], found[2:], strict=False)
        if re.match("[A-Za-z_]", word)
        and before not in (".", ".?")
        and not (after == ":" and before in ("{", "\n", ","))
        and not (before == "\n" and word in _STATEMENTS)
        and word not in _WORDS | (_FUNCTIONS if after == "(" else named)
    ]


def _string(text: str, at: int) -> tuple[int, list[str]]:
    """Where a string that begins at `at` ends, and the expressions within it."""
    inner = []
    while text[at] != "'":
        if text[at] == "\\":
            at += 2
        elif text.startswith("${", at):
            end = _closing(text, at + 2)
            inner.append(text[at + 2 : end])
            at = end + 1
        else:
            assert text[at] != "\n", "a string without its end"
            at += 1
    return at + 1, inner


def _closing(text: str, at: int) -> int:
    depth = 1
    while True:
        if text[at] == "'":
            at = _string(text, at + 1)[0]
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return at
        at += 1
