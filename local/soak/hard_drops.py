"""Ways in which documents arrive, and in which Partner Center and people meet them, at which earlier versions
of the application did something twice, lost something or reported it wrongly."""

from __future__ import annotations

from dataclasses import replace

from local.soak import fault_sequences
from local.soak.documents import PO, TENDER, Case, invalid_sidecar, metadata, new_document, several, single
from local.soak.steps import Appear, Drop, DropContext, Expect, Post, Put, Step, Upload

_BY_HAND_FIRST = 25.0
"""Seconds after the beginning from which a drop can rely on what a person did at the beginning."""


def silent_posts(p: DropContext) -> list[Drop]:
    """A drop whose first POSTs are silent, with a 429 or the like between them."""
    p = replace(p, customer=p.guid())
    case = p.rng.choice([single, several])(p.rng, p.customer, p.guid())
    path, faults = f"{p.folder}/metadata.json", fault_sequences.of_posts(p.rng, p.customer, "POST attachment")
    return [Drop(path, "silent posts", Expect.ATTACHED, (case,), p.puts(case.files()), fault_rules=faults)]


def list_denied(p: DropContext) -> list[Drop]:
    """What the order has already cannot be read; and the POST may be silent."""
    p = replace(p, customer=p.guid())
    case = several(p.rng, p.customer, p.guid())
    faults = fault_sequences.denied_list(p.customer)
    if p.rng.random() < 0.5:
        faults += fault_sequences.of_posts(p.rng, p.customer, "POST attachment", most=1)[:1]
    path = f"{p.folder}/metadata.json"
    return [Drop(path, "list denied", Expect.ATTACHED, (case,), p.puts(case.files()), fault_rules=faults)]


def part_lost(p: DropContext) -> list[Drop]:
    """Partner Center accepts a set and forgets its purchase orders, or its tenders."""
    p = replace(p, customer=p.guid())
    case = several(p.rng, p.customer, p.guid())
    path, faults = f"{p.folder}/metadata.json", fault_sequences.lost_part(p.rng, p.customer)
    return [Drop(path, "part lost", Expect.ATTACHED, (case,), p.puts(case.files()), fault_rules=faults)]


def prices(p: DropContext) -> list[Drop]:
    """The same document at three prices; one of the three may not arrive whole."""
    p = replace(p, customer=p.guid())
    first = single(p.rng, p.customer, p.guid())
    faults = (
        fault_sequences.lost_part(p.rng, p.customer, skip=p.rng.randrange(3)) if p.rng.random() < 0.6 else ()
    )
    faults += fault_sequences.of_posts(p.rng, p.customer, "POST attachment", most=1)
    drops = []
    for number in range(3):
        here = replace(p, folder=f"{p.folder} ({number})", at=p.at + number * p.rng.uniform(0, 4))
        case = replace(first, metadata=metadata(p.rng))
        steps = here.puts({"PO.pdf": case.documents[0].content, "PO.json": case.sidecar(named=False)})
        drop = Drop(f"{here.folder}/PO.json", "three prices", Expect.ATTACHED, (case,), steps)
        drops.append(replace(drop, fault_rules=() if number else faults))
    return drops


def roles_swapped(p: DropContext) -> list[Drop]:
    """Two sets of the same two files, each of them the purchase order of the one and the tender of the other,
    at once."""
    p = replace(p, customer=p.guid())
    one, two = new_document(p.rng, "A.pdf"), new_document(p.rng, "B.pdf", TENDER)
    first = Case(p.customer, p.guid(), metadata(p.rng, tender=True), (one, two))
    second = replace(first, documents=(replace(two, kind=PO), replace(one, kind=TENDER)))
    faults = fault_sequences.of_posts(p.rng, p.customer, "POST attachment", most=2)
    drops = []
    for number, case in enumerate((first, second)):
        here = replace(p, folder=f"{p.folder} ({number})")
        path, steps = f"{here.folder}/metadata.json", here.puts(case.files())
        drop = Drop(path, "roles swapped", Expect.ATTACHED, (case,), steps)
        drops.append(replace(drop, fault_rules=() if number else faults))
    return drops


def uploaded_before(p: DropContext) -> list[Drop]:
    """A person has attached the very same documents by hand before; and the first POSTs are silent."""
    p = replace(p, customer=p.guid(), at=max(p.at, _BY_HAND_FIRST))
    case = p.rng.choice([single, several])(p.rng, p.customer, p.guid())
    faults = fault_sequences.of_posts(p.rng, p.customer, "POST attachment", most=2)
    steps: tuple[Step, ...] = (*(Upload(0.0, case.order, x) for x in case.documents), *p.puts(case.files()))
    path = f"{p.folder}/metadata.json"
    return [Drop(path, "uploaded before", Expect.ATTACHED, (case,), steps, fault_rules=faults)]


def uploaded_meanwhile(p: DropContext) -> list[Drop]:
    """A person attaches another document while the set is sent."""
    p = replace(p, customer=p.guid())
    case = several(p.rng, p.customer, p.guid())
    faults = fault_sequences.of_posts(p.rng, p.customer, "POST attachment", most=2)
    other = new_document(p.rng, "Delivery note of somebody else.pdf", p.rng.choice([PO, TENDER]))
    steps: tuple[Step, ...] = (*p.puts(case.files()), Upload(p.soon(5.0), case.order, other))
    path = f"{p.folder}/metadata.json"
    return [Drop(path, "uploaded meanwhile", Expect.ATTACHED, (case,), steps, fault_rules=faults)]


def replaced(p: DropContext) -> list[Drop]:
    """A document is replaced, and a little later its sidecar is dropped again: the new one is sent."""
    before = single(p.rng, p.customer, p.guid())
    after = replace(before, documents=(new_document(p.rng, "PO.pdf"),))
    at = p.later(0, 6)
    late = (
        Put(at, f"{p.folder}/PO.pdf", after.documents[0].content),
        Put(at + p.rng.uniform(0.5, 4), f"{p.folder}/PO.json", after.sidecar(named=False)),
    )
    files = {"PO.pdf": before.documents[0].content, "PO.json": before.sidecar(named=False)}
    steps = (*p.puts(files), *late)
    return [Drop(f"{p.folder}/PO.json", "replaced", Expect.ATTACHED, (after,), steps, (before,), signals=2)]


def set_replaced(p: DropContext) -> list[Drop]:
    """Two documents of a set are replaced, one after the other, and then metadata.json is dropped again."""
    documents = (new_document(p.rng, "one.pdf"), new_document(p.rng, "two.pdf"))
    before = Case(p.customer, p.guid(), metadata(p.rng), documents)
    mixed = replace(before, documents=(new_document(p.rng, "one.pdf"), documents[1]))
    after = replace(before, documents=(mixed.documents[0], new_document(p.rng, "two.pdf")))
    at = p.later(0, 6)
    late = (
        Put(at, f"{p.folder}/one.pdf", after.documents[0].content),
        Put(at + p.rng.uniform(1, 4), f"{p.folder}/two.pdf", after.documents[1].content),
        Put(at + p.rng.uniform(5, 8), f"{p.folder}/metadata.json", after.sidecar(named=True)),
    )
    steps, path = (*p.puts(before.files()), *late), f"{p.folder}/metadata.json"
    return [Drop(path, "set replaced", Expect.ATTACHED, (after,), steps, (before, mixed), signals=2)]


def turned_to_junk(p: DropContext) -> list[Drop]:
    """Junk is dropped over a sidecar whose documents may have been attached by then."""
    case = single(p.rng, p.customer, p.guid())
    files = {"PO.pdf": case.documents[0].content, "PO.json": case.sidecar(named=False)}
    junk = Put(p.later(4, 14), f"{p.folder}/PO.json", invalid_sidecar(p.rng, case))
    return [Drop(f"{p.folder}/PO.json", "turned to junk", Expect.CORRUPTED, (case,), (*p.puts(files), junk))]


def order_to_come(p: DropContext) -> list[Drop]:
    """A flow orders and drops at once: the order shows up a little later."""
    case = single(p.rng, p.customer, p.guid())
    files = {"PO.pdf": case.documents[0].content, "PO.json": case.sidecar(named=False)}
    steps: tuple[Step, ...] = (*p.puts(files), Appear(p.later(1, 8), case.customer, case.order))
    return [Drop(f"{p.folder}/PO.json", "order to come", Expect.ATTACHED, (case,), steps, order_exists=False)]


def no_such_order(p: DropContext) -> list[Drop]:
    """A drop for an order that Partner Center does not know."""
    case = single(p.rng, p.customer, p.guid())
    steps = p.puts({"PO.pdf": case.documents[0].content, "PO.json": case.sidecar(named=False)})
    path = f"{p.folder}/PO.json"
    return [Drop(path, "no such order", Expect.UNSEEN, (case,), steps, order_exists=False)]


def crowd(p: DropContext) -> list[Drop]:
    """Two drops and two HTTP requests for one order at once, each with documents of its own."""
    p = replace(p, customer=p.guid())
    first = several(p.rng, p.customer, p.guid())
    others = [several(p.rng, p.customer, first.order) for _ in range(3)]
    faults = fault_sequences.of_posts(p.rng, p.customer, "POST attachment", most=2)
    posts: tuple[Step, ...] = tuple(Post(p.soon(), case) for case in others[1:])
    drops = []
    for number, case in enumerate((first, others[0])):
        here = replace(p, folder=f"{p.folder} ({number})")
        steps: tuple[Step, ...] = (*here.puts(case.files()), *(() if number else posts))
        drop = Drop(f"{here.folder}/metadata.json", "crowd", Expect.ATTACHED, (case,), steps)
        drops.append(replace(drop, fault_rules=() if number else faults))
    return drops
