"""What is dropped, when, in which order, and what must come of it: decided by the seed alone.

Each function below is one way in which documents arrive; `KINDS` says how often. Those at which earlier
versions of the application failed stand in local/soak/hard_drops.py.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace

from local.soak import hard_drops as hard
from local.soak.documents import invalid_sidecar, metadata, new_document, several, single
from local.soak.steps import Delete, Drop, DropContext, Expect, Post, Put, Step

_LAST = 0.85
"""Share of the campaign's seconds after which no drop begins any more."""


def pair(p: DropContext) -> list[Drop]:
    """A document and its sidecar, by either of the two names."""
    case = single(p.rng, p.customer, p.guid())
    name = p.rng.choice(["PO.json", "PO.pdf.json"])
    files = {"PO.pdf": case.documents[0].content, name: case.sidecar(named=False)}
    return [Drop(f"{p.folder}/{name}", "pair", Expect.ATTACHED, (case,), p.puts(files))]


def documents_set(p: DropContext) -> list[Drop]:
    """Several documents, some of them tenders, and metadata.json."""
    case = several(p.rng, p.customer, p.guid())
    return [Drop(f"{p.folder}/metadata.json", "set", Expect.ATTACHED, (case,), p.puts(case.files()))]


def overwritten(p: DropContext) -> list[Drop]:
    """A document is replaced by another version shortly after, and the sidecar is not dropped again: the one
    or the other is sent, and never both."""
    before_of = p.rng.choice([single, several])
    before = before_of(p.rng, p.customer, p.guid())
    newer = new_document(p.rng, before.documents[0].name)
    after = replace(before, documents=(newer, *before.documents[1:]))
    late = Put(p.later(0, 2), f"{p.folder}/{newer.name}", newer.content)
    path, steps = f"{p.folder}/metadata.json", (*p.puts(before.files()), late)
    return [Drop(path, "overwritten", Expect.ATTACHED, (before, after), steps)]


def corrected(p: DropContext) -> list[Drop]:
    """An invalid sidecar, and its correction under the same name."""
    case = single(p.rng, p.customer, p.guid())
    files = {"PO.pdf": case.documents[0].content, "PO.json": invalid_sidecar(p.rng, case)}
    mended = Put(p.later(0, 4), f"{p.folder}/PO.json", case.sidecar(named=False))
    steps = (*p.puts(files), mended)
    return [Drop(f"{p.folder}/PO.json", "corrected", Expect.ATTACHED, (case,), steps)]


def rejected(p: DropContext) -> list[Drop]:
    """A drop that cannot be sent."""
    case = single(p.rng, p.customer, p.guid())
    document, sidecar = case.documents[0].content, case.sidecar(named=False)
    match p.rng.choice(["sidecar", "empty", "no PDF"]):
        case "sidecar":
            sidecar = invalid_sidecar(p.rng, case)
        case "empty":
            document = b""
        case _:
            document = b"This is a letter, not a PDF."
    steps = p.puts({"PO.pdf": document, "PO.json": sidecar})
    return [Drop(f"{p.folder}/PO.json", "rejected", Expect.REJECTED, (case,), steps)]


def copied(p: DropContext) -> list[Drop]:
    """The same documents, dropped twice under different names."""
    case = several(p.rng, p.customer, p.guid())
    renamed = replace(case, documents=tuple(replace(x, name=f"copy of {x.name}") for x in case.documents))
    other = replace(p, folder=f"{p.folder} (2)")
    return [
        Drop(f"{p.folder}/metadata.json", "copy", Expect.ATTACHED, (case,), p.puts(case.files())),
        Drop(f"{other.folder}/metadata.json", "copy", Expect.ATTACHED, (case,), other.puts(renamed.files())),
    ]


def sent_as_well(p: DropContext) -> list[Drop]:
    """The same documents, dropped and sent over HTTP."""
    case = several(p.rng, p.customer, p.guid())
    steps: tuple[Step, ...] = (*p.puts(case.files()), Post(p.soon(), case))
    return [Drop(f"{p.folder}/metadata.json", "sent as well", Expect.ATTACHED, (case,), steps)]


def shared(p: DropContext) -> list[Drop]:
    """One document, named by the sidecars of two orders."""
    first = single(p.rng, p.customer, p.guid())
    second = replace(first, order=p.guid(), metadata=metadata(p.rng))
    document = p.puts({"PO.pdf": first.documents[0].content})
    drops = []
    for number, case in enumerate((first, second), 1):
        name = f"order {number}.json"
        steps = p.puts({name: case.sidecar(named=True)}) + (document if number == 1 else ())
        drops.append(Drop(f"{p.folder}/{name}", "shared file", Expect.ATTACHED, (case,), steps))
    return drops


def added(p: DropContext) -> list[Drop]:
    """Two submissions for one order whose documents have the same name."""
    first = single(p.rng, p.customer, p.guid())
    second = replace(first, metadata=metadata(p.rng), documents=(new_document(p.rng, "PO.pdf"),))
    drops = []
    for case, folder in ((first, p.folder), (second, f"{p.folder} (2)")):
        here = replace(p, folder=folder)
        steps = here.puts({"PO.pdf": case.documents[0].content, "PO.json": case.sidecar(named=False)})
        drops.append(Drop(f"{folder}/PO.json", "two for one order", Expect.ATTACHED, (case,), steps))
    return drops


def withdrawn(p: DropContext) -> list[Drop]:
    """A document is deleted shortly after it was dropped; and a folder marker lies about."""
    case = single(p.rng, p.customer, p.guid())
    steps = p.puts({"PO.pdf": case.documents[0].content, "PO.json": case.sidecar(named=False), "marker": b""})
    gone = Delete(p.later(0, 1), f"{p.folder}/PO.pdf")
    return [Drop(f"{p.folder}/PO.json", "withdrawn", Expect.EITHER, (case,), (*steps, gone))]


KINDS: Mapping[Callable[[DropContext], list[Drop]], int] = {
    pair: 20,
    documents_set: 14,
    overwritten: 6,
    corrected: 6,
    rejected: 5,
    copied: 4,
    sent_as_well: 6,
    shared: 3,
    added: 4,
    withdrawn: 3,
    hard.silent_posts: 12,
    hard.list_denied: 2,
    hard.part_lost: 4,
    hard.prices: 4,
    hard.roles_swapped: 3,
    hard.uploaded_before: 4,
    hard.uploaded_meanwhile: 4,
    hard.replaced: 6,
    hard.set_replaced: 5,
    hard.turned_to_junk: 5,
    hard.order_to_come: 3,
    hard.no_such_order: 1,
    hard.crowd: 2,
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
        found += kind(DropContext(own, f"in/{number:04}", rng.choice(customers), at))
        if len(found) >= most:
            break
    return found[:most]
