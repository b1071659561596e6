"""The steps of a campaign: what is put where and when, and what must come of it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from local.soak.documents import Case, Document

FaultRules = tuple[Mapping[str, object], ...]
"""Fault rules for the simulator (local/simulator/faults.py), for one customer."""


class Expect(StrEnum):
    """What must come of a drop."""

    ATTACHED = "attached"
    REJECTED = "rejected"
    CORRUPTED = "corrupted"
    """It becomes junk after it may have been attached: rejected, and what was attached stays visible."""
    UNSEEN = "unseen"
    """Partner Center does not know its order: it is tried again for 20 minutes."""
    EITHER = "either"
    """Its documents are taken away again: attached or not, the receipt must say which."""


@dataclass(frozen=True, slots=True)
class Put:
    """Write a blob into the container `at` seconds after the beginning."""

    at: float
    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a blob."""

    at: float
    name: str


@dataclass(frozen=True, slots=True)
class Post:
    """Send the documents over HTTP."""

    at: float
    case: Case


@dataclass(frozen=True, slots=True)
class Upload:
    """A person attaches a document in Partner Center's portal."""

    at: float
    order: str
    document: Document


@dataclass(frozen=True, slots=True)
class Appear:
    """An order that was not there yet is there from now on."""

    at: float
    customer: str
    order: str


Step = Put | Delete | Post | Upload | Appear


@dataclass(frozen=True, slots=True)
class Drop:
    """One sidecar: `path` is the receipt's. One of `cases` must be attached in the end, once; `earlier` are
    those that may have been attached before. `signals` is how often the sidecar is dropped: each version of
    it sends one set of documents at most."""

    path: str
    kind: str
    expects: Expect
    cases: tuple[Case, ...]
    steps: tuple[Step, ...]
    earlier: tuple[Case, ...] = ()
    signals: int = 1
    fault_rules: FaultRules = ()
    order_exists: bool = True
    """Whether the order is there from the beginning."""

    @property
    def order(self) -> str:
        """Id of the order that it is for."""
        return self.cases[0].order

    @property
    def customer(self) -> str:
        """Whose order that is."""
        return self.cases[0].customer

    @property
    def all_cases(self) -> tuple[Case, ...]:
        """All that may be attached from it."""
        return (*self.cases, *self.earlier)


@dataclass(frozen=True, slots=True)
class DropContext:
    """Where and when a drop happens, and its own stream of random numbers."""

    rng: random.Random
    folder: str
    customer: str
    at: float

    def guid(self) -> str:
        """A new id."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def soon(self, most: float = 3.0) -> float:
        """A moment shortly after the drop's beginning; quite often the very beginning."""
        return self.at + (0.0 if self.rng.random() < 0.3 else self.rng.uniform(0, most))

    def later(self, least: float, most: float) -> float:
        """A moment so many seconds after `soon`."""
        return self.at + 3.05 + self.rng.uniform(least, most)

    def puts(self, files: Mapping[str, bytes]) -> tuple[Put, ...]:
        """Write `files`, each at a moment of its own, so in any order."""
        return tuple(Put(self.soon(), f"{self.folder}/{name}", files[name]) for name in files)
