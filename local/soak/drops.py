"""What is dropped, when, in which order, and what must come of it: decided by the seed alone.

Each function below is one way in which documents arrive; `KINDS` says how often.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from local.soak.papers import TENDER, Case, Paper, metadata, paper

_LAST = 0.85
"""Share of the campaign's seconds after which no drop begins any more."""


class Expect(StrEnum):
    """What must come of a drop."""

    ATTACHED = "attached"
    REJECTED = "rejected"
    EITHER = "either"
    """Its documents are taken away again: attached or not, but told either way."""


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


Step = Put | Delete | Post


@dataclass(frozen=True, slots=True)
class Drop:
    """One sidecar: `path` is the receipt's. `last` is what must be attached once in the end, `earlier` what
    may have been attached before it was overwritten."""

    path: str
    kind: str
    expects: Expect
    last: Case
    steps: tuple[Step, ...]
    earlier: tuple[Case, ...] = ()
    order_exists: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when a drop happens, and its own stream of random numbers."""

    rng: random.Random
    folder: str
    customer: str
    at: float

    def order(self) -> str:
        """Id of a new order."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def soon(self, most: float = 3.0) -> float:
        """A moment shortly after the drop's beginning; quite often the very beginning."""
        return self.at + (0.0 if self.rng.random() < 0.3 else self.rng.uniform(0, most))

    def puts(self, files: Mapping[str, bytes]) -> tuple[Put, ...]:
        """Write `files`, each at a moment of its own, so in any order."""
        return tuple(Put(self.soon(), f"{self.folder}/{name}", files[name]) for name in files)


def pair(p: Place) -> list[Drop]:
    """A document and its sidecar, by either of the two names."""
    case = _single(p)
    name = p.rng.choice(["PO.json", "PO.pdf.json"])
    files = {"PO.pdf": case.papers[0].content, name: case.sidecar(named=False)}
    return [Drop(f"{p.folder}/{name}", "pair", Expect.ATTACHED, case, p.puts(files))]


def documents_set(p: Place) -> list[Drop]:
    """Several documents, some of them tenders, and metadata.json."""
    case = _several(p)
    return [Drop(f"{p.folder}/metadata.json", "set", Expect.ATTACHED, case, p.puts(_files(case)))]


def overwritten(p: Place) -> list[Drop]:
    """A document of a drop is replaced by another version shortly after."""
    before = p.rng.choice([_single, _several])(p)
    newer = paper(p.rng, before.papers[0].name)
    after = replace(before, papers=(newer, *before.papers[1:]))
    late = Put(p.at + 3.05 + p.rng.uniform(0, 2), f"{p.folder}/{newer.name}", newer.content)
    path = f"{p.folder}/metadata.json"
    steps = (*p.puts(_files(before)), late)
    return [Drop(path, "overwritten", Expect.ATTACHED, after, steps, earlier=(before,))]


def corrected(p: Place) -> list[Drop]:
    """A sidecar that is no good, and its correction under the same name."""
    case = _single(p)
    files = {"PO.pdf": case.papers[0].content, "PO.json": _spoilt(p.rng, case)}
    mended = Put(p.at + 3.05 + p.rng.uniform(0, 4), f"{p.folder}/PO.json", case.sidecar(named=False))
    return [Drop(f"{p.folder}/PO.json", "corrected", Expect.ATTACHED, case, (*p.puts(files), mended))]


def rejected(p: Place) -> list[Drop]:
    """A drop that nobody can send."""
    case = _single(p)
    document, sidecar = case.papers[0].content, case.sidecar(named=False)
    match p.rng.choice(["sidecar", "empty", "no PDF"]):
        case "sidecar":
            sidecar = _spoilt(p.rng, case)
        case "empty":
            document = b""
        case _:
            document = b"This is a letter, not a PDF."
    steps = p.puts({"PO.pdf": document, "PO.json": sidecar})
    return [Drop(f"{p.folder}/PO.json", "rejected", Expect.REJECTED, case, steps)]


def no_such_order(p: Place) -> list[Drop]:
    """A drop for an order that Partner Center does not know."""
    case = _single(p)
    steps = p.puts({"PO.pdf": case.papers[0].content, "PO.json": case.sidecar(named=False)})
    path = f"{p.folder}/PO.json"
    return [Drop(path, "no such order", Expect.REJECTED, case, steps, order_exists=False)]


def copied(p: Place) -> list[Drop]:
    """The same documents, dropped twice under different names."""
    case = _several(p)
    renamed = replace(case, papers=tuple(replace(x, name=f"copy of {x.name}") for x in case.papers))
    other = replace(p, folder=f"{p.folder} (2)")
    return [
        Drop(f"{p.folder}/metadata.json", "copy", Expect.ATTACHED, case, p.puts(_files(case))),
        Drop(f"{other.folder}/metadata.json", "copy", Expect.ATTACHED, case, other.puts(_files(renamed))),
    ]


def sent_as_well(p: Place) -> list[Drop]:
    """The same documents, dropped and sent over HTTP."""
    case = _several(p)
    steps: tuple[Step, ...] = (*p.puts(_files(case)), Post(p.soon(), case))
    return [Drop(f"{p.folder}/metadata.json", "sent as well", Expect.ATTACHED, case, steps)]


def shared(p: Place) -> list[Drop]:
    """One document, named by the sidecars of two orders."""
    first = _single(p)
    second = replace(first, order=p.order(), metadata=metadata(p.rng))
    document = p.puts({"PO.pdf": first.papers[0].content})
    drops = []
    for number, case in enumerate((first, second), 1):
        name = f"order {number}.json"
        steps = p.puts({name: case.sidecar(named=True)}) + (document if number == 1 else ())
        drops.append(Drop(f"{p.folder}/{name}", "shared file", Expect.ATTACHED, case, steps))
    return drops


def added(p: Place) -> list[Drop]:
    """Two submissions for one order whose documents have the same name."""
    first = _single(p)
    second = replace(first, metadata=metadata(p.rng), papers=(paper(p.rng, "PO.pdf"),))
    drops = []
    for case, folder in ((first, p.folder), (second, f"{p.folder} (2)")):
        here = replace(p, folder=folder)
        steps = here.puts({"PO.pdf": case.papers[0].content, "PO.json": case.sidecar(named=False)})
        drops.append(Drop(f"{folder}/PO.json", "two for one order", Expect.ATTACHED, case, steps))
    return drops


def withdrawn(p: Place) -> list[Drop]:
    """A document is deleted shortly after it was dropped; and a folder marker lies about."""
    case = _single(p)
    steps = p.puts({"PO.pdf": case.papers[0].content, "PO.json": case.sidecar(named=False), "marker": b""})
    gone = Delete(p.at + 3.05 + p.rng.uniform(0, 1), f"{p.folder}/PO.pdf")
    return [Drop(f"{p.folder}/PO.json", "withdrawn", Expect.EITHER, case, (*steps, gone))]


KINDS: Mapping[Callable[[Place], list[Drop]], int] = {
    pair: 30,
    documents_set: 20,
    overwritten: 10,
    corrected: 8,
    rejected: 6,
    no_such_order: 3,
    copied: 6,
    sent_as_well: 8,
    shared: 4,
    added: 4,
    withdrawn: 3,
}
"""How often each way is taken."""


def all_drops(seed: int, most: int, seconds: float) -> list[Drop]:
    """`most` drops within `seconds`."""
    rng = random.Random(f"{seed}/drops")
    customers = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(6)]
    found: list[Drop] = []
    for number in range(most):
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        at = rng.uniform(0, seconds * _LAST)
        own = random.Random(f"{seed}/drop {number}")
        found += kind(Place(own, f"in/{number:04}", rng.choice(customers), at))
        if len(found) >= most:
            break
    return found[:most]


def _single(p: Place) -> Case:
    return Case(p.customer, p.order(), metadata(p.rng), (paper(p.rng, "PO.pdf"),))


def _several(p: Place) -> Case:
    papers: Sequence[Paper] = [paper(p.rng, f"PO {n}.pdf") for n in range(p.rng.randrange(1, 4))]
    tenders = [paper(p.rng, f"Tender {n}.pdf", TENDER) for n in range(p.rng.randrange(0, 3))]
    return Case(p.customer, p.order(), metadata(p.rng, tender=bool(tenders)), (*papers, *tenders))


def _files(case: Case) -> dict[str, bytes]:
    return {**{p.name: p.content for p in case.papers}, "metadata.json": case.sidecar(named=True)}


def _spoilt(rng: random.Random, case: Case) -> bytes:
    said = json.loads(case.sidecar(named=False))
    match rng.choice(["price", "currency", "tender", "cut off"]):
        case "price":
            del said["customerPrice"]
        case "currency":
            said["currency"] = "EURO"
        case "tender":
            said["isPartOfTender"] = True
        case _:
            return json.dumps(said).encode()[:-9]
    return json.dumps(said).encode()
