"""ASP.NET route templates: which function answers a path.

1. Segments are literals (compared without regard to case), `{x}`, `{x?}` (may be absent), `{*rest}` (the
   rest, slashes included), with constraints `{x:int}`; a literal and a parameter may share a segment.
2. When several templates fit, the more literal one wins, segment by segment from the left.
3. A verb that the winner does not take is left to the next template; with none left the answer is 404.
https://learn.microsoft.com/en-us/aspnet/core/fundamentals/routing#route-templates
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from local.host.config import HostError
from local.host.functions import Function, HttpTrigger

_CONSTRAINTS = {
    "int": r"[+-]?\d{1,10}",
    "long": r"[+-]?\d{1,19}",
    "alpha": r"[A-Za-z]+",
    "bool": r"(?i:true|false)",
    "guid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
}
_PARAMETER = re.compile(r"\{(\*{0,2})(\w+)((?::[^{}?]+)*)(\??)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """A compiled template; `rank` orders templates (smaller is tried first)."""

    pattern: re.Pattern[str]
    names: tuple[str, ...]
    rank: tuple[int, ...]
    methods: frozenset[str]
    function: Function


@dataclass(frozen=True, slots=True)
class Match:
    """The function to call and its route parameters; absent optional ones are left out."""

    function: Function
    params: dict[str, str]


class Router:
    """All HTTP routes of an app under its route prefix."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        routes = [_route(f, f.trigger, prefix) for f in functions if isinstance(f.trigger, HttpTrigger)]
        self._routes = sorted(routes, key=lambda route: route.rank)

    def match(self, method: str, path: str) -> Match | None:
        """Find the function for a decoded path."""
        for route in self._routes:
            found = route.pattern.fullmatch(path)
            if found and (not route.methods or method in route.methods):
                groups = zip(route.names, found.groups(), strict=True)
                return Match(route.function, {name: value for name, value in groups if value})
        return None


def _route(function: Function, trigger: HttpTrigger, prefix: str) -> Route:
    template = f"{prefix}/{trigger.route}".strip("/")
    pattern = ""
    names: list[str] = []
    rank: list[int] = []
    for segment in template.split("/"):
        text, digit = _segment(segment, names, function.name)
        pattern += text
        rank.append(digit)
    return Route(
        re.compile(pattern + "/?", re.IGNORECASE), tuple(names), tuple(rank), trigger.methods, function
    )


def _segment(segment: str, names: list[str], function: str) -> tuple[str, int]:
    """Regular expression of one segment (with its leading slash) and its digit in the rank."""
    whole = _PARAMETER.fullmatch(segment)
    if whole is None:
        pieces = [_piece(piece, names, function) for piece in re.split(r"(\{[^{}]*\})", segment) if piece]
        return "/" + "".join(pieces), 1 if "{" not in segment else 2
    names.append(whole[2])
    value = _constrained(whole[3], function)
    if whole[1]:
        return rf"(?:/({value or '.*'}))?", 4 if value else 5
    text = f"/({value or '[^/]+'})"
    return f"(?:{text})?" if whole[4] else text, 2 if value else 3


def _piece(piece: str, names: list[str], function: str) -> str:
    parameter = _PARAMETER.fullmatch(piece)
    if parameter is None:
        if "{" in piece or "}" in piece:
            raise HostError(f"function {function}: this host does not read the route piece {piece!r}")
        return re.escape(piece)
    names.append(parameter[2])
    return f"({_constrained(parameter[3], function) or '[^/]+?'})"


def _constrained(constraints: str, function: str) -> str:
    """The expression of a parameter's constraints, or an empty string when it has none."""
    given = [name for name in constraints.split(":") if name]
    unknown = [name for name in given if name not in _CONSTRAINTS]
    if unknown:
        raise HostError(f"function {function}: this host has no route constraint {unknown[0]!r}")
    return (
        "".join(f"(?={_CONSTRAINTS[name]}(?:/|$))" for name in given[1:]) + _CONSTRAINTS[given[0]]
        if given
        else ""
    )
