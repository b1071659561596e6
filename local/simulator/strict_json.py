"""JSON as Partner Center reads it: strict text, names without regard to case.

The documents publish two casings of the same names (PascalCase requests, camelCase responses), so names
match without regard to case; a name given twice, in whatever casing, is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal


class StrictJsonError(ValueError):
    """The text is not the JSON object that is expected; the message says why."""


def read_object(data: bytes) -> dict[str, object]:
    """Read one JSON object: UTF-8 without BOM, no NaN, no name twice, numbers with a point as Decimal."""
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=Decimal,
            parse_constant=_no_constant,
        )
    except StrictJsonError:
        raise
    except (ValueError, RecursionError):
        raise StrictJsonError("The text is not valid JSON.") from None
    if not isinstance(value, dict):
        raise StrictJsonError("A JSON object is expected.")
    return value


def canonical(value: dict[str, object], names: Iterable[str], *, known_only: bool) -> dict[str, object]:
    """Return `value` under the spelling of `names`, without nulls.

    A name that is not among `names` is left out, or refused when `known_only`.
    """
    spelling = {name.lower(): name for name in names}
    result: dict[str, object] = {}
    seen: set[str] = set()
    for given, item in value.items():
        if given.lower() in seen:
            raise StrictJsonError(f"{given} is given twice.")
        seen.add(given.lower())
        name = spelling.get(given.lower())
        if name is None and known_only:
            raise StrictJsonError(f"{given} is not a known property.")
        if name is not None and item is not None:
            result[name] = item
    return result


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise StrictJsonError("A name is given twice.")
    return result


def _no_constant(text: str) -> object:
    raise StrictJsonError(f"{text} is not JSON.")
