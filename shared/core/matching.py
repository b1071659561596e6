"""Is it ours? The two decisions on which "never twice" and "never lost" rest, as pure functions.

After a POST that got no answer Partner Center is asked what it has, and the difference to what it had before
is judged, that of documents in shared/core/matching_documents.py and that of orders in
shared/core/matching_orders.py:

- **ours**: what is there can be nothing but what was sent;
- **absent**: nothing is there that could be;
- **ambiguous**: everything else. A person decides; nothing is sent.

What cannot be read is never absent. Names, sizes and spellings may come back changed, because the documents
leave open how Partner Center returns them:
https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details
https://learn.microsoft.com/en-us/partner-center/developer/order-resources
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Ours:
    """It is there. `ids` name it, one for each document, or the order; `foreign` is what else is new. `exact`
    is False when a name or a size came back changed: then what is ours may still be on its way."""

    ids: tuple[str, ...]
    foreign: tuple[str, ...] = ()
    exact: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """Nothing is there that could be ours."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Something is there that is neither provably ours nor provably another's."""

    detail: str


Verdict = Ours | Absent | Ambiguous


_Left = TypeVar("_Left")
_Right = TypeVar("_Right")


def pairing(
    left: Sequence[_Left], right: Sequence[_Right], *fits: Callable[[_Left, _Right], bool]
) -> list[int] | None:
    """For each of `left` the index of another one of `right` that fits; None when there is no such pairing.
    What fits by the first of `fits` is tried first.

    Augmenting paths (Kuhn): documents and lines are few, and taking the first that fits can miss a pairing.
    """
    choices = [[n for fit in fits for n, other in enumerate(right) if fit(one, other)] for one in left]
    holder: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        for index in choices[one]:
            if index not in tried:
                tried.add(index)
                if index not in holder or place(holder[index], tried):
                    holder[index] = one
                    return True
        return False

    if not all(place(one, set()) for one in range(len(left))):
        return None
    paired = {one: index for index, one in holder.items()}
    return [paired[one] for one in range(len(left))]
