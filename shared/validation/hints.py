"""Which field was meant by a name that is none: a slip of the pen, or a shorter name of the same thing.

A name of another meaning is never proposed, however alike the letters are: `orderId` is no `offerId`, and
`customerId` no `customerPrice`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

_ALIKE = 0.8
"""How alike two words are that differ by a slip; the first letter is the same, too."""
_ALIKE_WHOLE = 0.9
"""The same for whole names, where the case does not tell their words apart."""
_SHORTEST = 3
"""Letters of a word that can be told to have a slip in it."""
_SAID_OF_MANY = frozenset({"id", "number", "date", "name", "code", "duration"})
"""Words that alone say nothing of which field is meant."""
_IDLE_ENDS = (["id"], ["code"], ["on", "record"])
"""Words at the end of a name that add nothing to its meaning."""


def meant_name(written: str, known: Sequence[str]) -> str:
    """The one of the `known` names (camelCase) that `written` stands for; "" when none or several may be."""
    same = [name for name in known if _letters(name) == _letters(written)]
    if same:
        return same[0]
    for rule in (_is_slip, _is_short):
        meant = [name for name in known if rule(_words(written), _words(name))]
        if meant:
            return meant[0] if len(meant) == 1 else ""
    return ""


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name[:100])]


def _is_slip(written: list[str], known: list[str]) -> bool:
    if len(written) == 1 != len(known):
        return _alike(written[0], "".join(known), _ALIKE_WHOLE)
    pairs = zip(written, known, strict=False)
    return len(written) == len(known) and all(_alike(*pair, _ALIKE) for pair in pairs)


def _alike(one: str, other: str, least: float) -> bool:
    if one == other:
        return True
    comparable = one[:1] == other[:1] and min(len(one), len(other)) >= _SHORTEST
    return comparable and SequenceMatcher(None, one, other).ratio() >= least


def _is_short(written: list[str], known: list[str]) -> bool:
    if not written or (len(written) == 1 and written[0] in _SAID_OF_MANY):
        return False
    if known[-len(written) :] == written:
        return True
    return any(known == [*written, *end] or written == [*known, *end] for end in _IDLE_ENDS)
