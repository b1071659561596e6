"""What each path costs in requests, counted at storage and at Partner Center.

The counts are exact. docs/performance.md holds the same table, and the test reads it there. Whoever makes a
path dearer, or cheaper, changes both.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.core.errors import OrderBusyError
from shared.core.models import Document, DocumentSet, Metadata, Role, order_attachments_key
from shared.services.bell import Kind, Message
from shared.services.orders import order_key
from tests.performance.conftest import Counted
from tests.services.conftest import CUSTOMER, PDF
from tests.services.steps import check_out

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
OTHERS = [10, 300]
"""How many other drops lie in the container."""


@dataclass(frozen=True)
class Route:
    """One path: `walk` does what is named, and calls `begin` when counting starts. `reads` and `posts` are
    requests to Partner Center, `queue` those to the work queue, `requests` those to blobs."""

    name: str
    reads: int
    posts: int
    requests: str
    walk: Callable[[Counted], None]
    queue: int = 0

    @property
    def row(self) -> str:
        """The row of the table in docs/performance.md."""
        total = sum(int(part.split()[0]) for part in self.requests.split(", "))
        return f"| {self.name} | {total} | {self.queue} | {self.reads} | {self.posts} | {self.requests} |"


def pair(counted: Counted, sidecar: str = "x/PO.json", pdf: bytes = PDF, **more: object) -> None:
    """Drop both halves; ring for none."""
    ours = counted.office
    ours.drop("x/PO.pdf", pdf)
    ours.drop(sidecar, ours.sidecar(ours.order(), **more))


def both_events(counted: Counted, sidecar: str, *, document_first: bool) -> None:
    ours = counted.office
    drops: list[tuple[str, bytes | dict[str, object]]]
    drops = [("x/PO.pdf", PDF), (sidecar, ours.sidecar(ours.order()))]
    counted.begin()
    for path, content in drops if document_first else drops[::-1]:
        ours.drop(path, content)
        counted.ring(path)


def sidecar_last(counted: Counted) -> None:
    both_events(counted, "x/PO.json", document_first=True)


def sidecar_first(counted: Counted) -> None:
    both_events(counted, "x/PO.json", document_first=False)


def appended_last(counted: Counted) -> None:
    both_events(counted, "x/PO.pdf.json", document_first=True)


def appended_first(counted: Counted) -> None:
    both_events(counted, "x/PO.pdf.json", document_first=False)


def both_there(counted: Counted) -> None:
    pair(counted)
    counted.begin()
    counted.ring("x/PO.pdf", "x/PO.json")


def set_of_three(counted: Counted) -> None:
    ours = counted.office
    named = {"poFiles": ["one.pdf", "two.pdf"], "tenderFiles": ["t.pdf"]}
    counted.begin()
    for name in ("one.pdf", "two.pdf", "t.pdf"):
        ours.drop(f"s/{name}", PDF + name.encode())
        counted.ring(f"s/{name}")
    ours.drop("s/metadata.json", ours.sidecar(ours.order(), isPartOfTender=True, **named))
    counted.ring("s/metadata.json")


def large(counted: Counted) -> None:
    pair(counted, pdf=PDF + bytes(9_000_000))
    counted.begin()
    counted.ring("x/PO.json")


def sidecar_again(counted: Counted) -> None:
    pair(counted)
    counted.ring("x/PO.json")
    counted.begin()
    counted.ring("x/PO.json")


def document_again(counted: Counted) -> None:
    pair(counted)
    counted.ring("x/PO.json")
    counted.begin()
    counted.ring("x/PO.pdf")


def from_another_folder(counted: Counted) -> None:
    ours, order = counted.office, counted.office.order()
    for folder in ("x", "y"):
        ours.drop(f"{folder}/PO.pdf", PDF)
        ours.drop(f"{folder}/PO.json", ours.sidecar(order))
    counted.ring("x/PO.json")
    counted.begin()
    counted.ring("y/PO.json")


def orphan(counted: Counted) -> None:
    counted.office.drop("x/PO.pdf", PDF)
    counted.begin()
    counted.ring("x/PO.pdf")


def bad_sidecar(counted: Counted) -> None:
    counted.office.drop("x/PO.json", {"orderId": "of nobody"})
    counted.begin()
    counted.ring("x/PO.json")


def bad_sidecar_of_a_document(counted: Counted) -> None:
    counted.office.drop("x/PO.pdf", PDF)
    bad_sidecar(counted)


def bad_document(counted: Counted) -> None:
    pair(counted, pdf=b"not a PDF")
    counted.begin()
    counted.ring("x/PO.json")


def throttled(counted: Counted) -> None:
    pair(counted)
    counted.office.partner.faults.add({"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 2}})
    counted.begin()
    counted.ring("x/PO.json")


def reply_lost(counted: Counted) -> None:
    pair(counted)
    counted.office.partner.faults.add({"on": "POST attachment", "do": {"kind": "lose_reply"}})
    counted.begin()
    counted.ring("x/PO.json")


def documents(counted: Counted, order: str = "", price: str = "156.87") -> DocumentSet:
    pdf = Document(Role.PURCHASE_ORDER, "PO.pdf", len(PDF), "00" * 16, lambda: iter((PDF,)))
    metadata = Metadata(is_part_of_tender=False, customer_price=price, currency="CAD")
    return DocumentSet(CUSTOMER, order or counted.office.order(), metadata, (pdf,))


def post(counted: Counted, sent: DocumentSet) -> None:
    counted.services.attachments.attach(sent, str(uuid.uuid4()), counted.office.deadline())


def attach_over_http(counted: Counted) -> None:
    sent = documents(counted)
    counted.begin()
    post(counted, sent)


def attach_over_http_again(counted: Counted) -> None:
    sent = documents(counted)
    for _ in range(2):
        counted.begin()
        post(counted, sent)


def second_over_http(counted: Counted) -> None:
    sent = documents(counted)
    post(counted, sent)
    counted.begin()
    post(counted, documents(counted, sent.order_id, "157"))


def status_over_http(counted: Counted) -> None:
    sent = documents(counted)
    post(counted, sent)
    counted.begin()
    look(counted, sent)


def status_of_an_open_one(counted: Counted) -> None:
    sent = busy(counted)
    counted.begin()
    look(counted, sent)


def look(counted: Counted, sent: DocumentSet) -> None:
    counted.services.attachments.status(CUSTOMER, sent.order_id, sent.digest, counted.office.deadline())


def second_drop(counted: Counted) -> None:
    order = counted.office.order()
    post(counted, documents(counted, order))
    drop_last(counted, order)


def drop_last(counted: Counted, order: str) -> None:
    """Both events of a pair for that order, the sidecar's last."""
    ours = counted.office
    counted.begin()
    ours.drop("x/PO.pdf", PDF)
    counted.ring("x/PO.pdf")
    ours.drop("x/PO.json", ours.sidecar(order))
    counted.ring("x/PO.json")


def busy(counted: Counted) -> DocumentSet:
    """Documents of which nobody knows yet what became: their order is busy."""
    ours, sent = counted.office, documents(counted)
    ours.partner.configure(attachment_lag=60.0)
    ours.partner.faults.add({"on": "POST attachment", "do": {"kind": "lose_reply"}})
    post(counted, sent)
    return sent


def http_behind(counted: Counted) -> None:
    sent = busy(counted)
    counted.office.clock.forward(minutes=1)
    look(counted, sent)  # and again in a minute, for which nobody waits
    counted.begin()
    with pytest.raises(OrderBusyError):
        post(counted, documents(counted, sent.order_id, "157"))


def drop_behind(counted: Counted) -> None:
    drop_last(counted, busy(counted).order_id)


def drop_still_behind(counted: Counted) -> None:
    drop_behind(counted)
    counted.begin()
    work(counted, "drop", "x/PO.json", behind=key_of(counted))


def drop_not_behind_any_more(counted: Counted) -> None:
    ours, sent = counted.office, busy(counted)
    drop_last(counted, sent.order_id)
    ours.partner.configure(attachment_lag=0.0)
    ours.clock.forward(minutes=5)
    look(counted, sent)
    counted.begin()
    work(counted, "drop", "x/PO.json", behind=key_of(counted))


def retry(counted: Counted) -> None:
    pair(counted)
    throttle = {"kind": "throttle", "retry_after": 600}
    counted.office.partner.faults.add({"on": "POST attachment", "do": throttle})
    counted.ring("x/PO.json")
    counted.office.clock.forward(minutes=11)
    counted.begin()
    work(counted, "record", key_of(counted))


def unknown_found(counted: Counted) -> None:
    ours = counted.office
    pair(counted)
    ours.partner.configure(attachment_lag=3600.0)
    ours.partner.faults.add({"on": "POST attachment", "do": {"kind": "lose_reply"}})
    counted.ring("x/PO.json")
    ours.partner.configure(attachment_lag=0.0)
    ours.clock.forward(minutes=5)
    counted.begin()
    work(counted, "record", key_of(counted))


def look_at_documents(counted: Counted) -> None:
    sent = documents(counted)
    post(counted, sent)
    counted.office.clock.forward(minutes=21)
    counted.begin()
    work(counted, "look", sent.record_key)


def look_at_an_order(counted: Counted) -> None:
    counted.office.place(lineItems=[{"offerId": "DG7GMGF0D7FV:0001:DG7GMGF0D6M0", "quantity": 1}])
    counted.office.clock.forward(hours=26)
    counted.begin()
    work(counted, "look", order_key(CUSTOMER, "flow-1"))


def nothing_due(counted: Counted) -> None:
    retry(counted)
    counted.begin()
    work(counted, "record", key_of(counted))


def key_of(counted: Counted) -> str:
    """The record of the order that was worked on last."""
    orders = list(counted.office.partner.state.orders.values())
    return order_attachments_key(CUSTOMER, orders[-1].id)


def work(counted: Counted, kind: Kind, name: str, behind: str = "") -> None:
    """What the host does with a message that it took from the queue, which is not counted."""
    counted.services.worker.work(Message(kind, name, behind).dump(), str(uuid.uuid4()))


def create(counted: Counted) -> None:
    counted.begin()
    counted.office.place(by=counted.services)


def create_again(counted: Counted) -> None:
    counted.office.place(by=counted.services)
    counted.begin()
    counted.office.place(by=counted.services)


def through_a_cart(counted: Counted) -> None:
    counted.begin()
    check_out(counted.office, by=counted.services)


def through_a_cart_again(counted: Counted) -> None:
    check_out(counted.office, by=counted.services)
    counted.begin()
    check_out(counted.office, by=counted.services)


def receipt_of_a_sidecar(counted: Counted) -> None:
    sidecar_last(counted)
    counted.begin()
    counted.services.drops.receipt_of("x/PO.json")


def receipt_of_a_document(counted: Counted) -> None:
    sidecar_last(counted)
    counted.begin()
    counted.services.drops.receipt_of("x/PO.pdf")


ROUTES = [
    Route(
        "pair, sidecar last, both events together",
        2,
        1,
        "3 GET incoming, 1 GET ledger, 2 PUT ledger, 1 PUT receipts",
        sidecar_last,
    ),
    Route(
        "pair, sidecar first, both events together",
        2,
        1,
        "5 GET incoming, 2 PUT ledger, 2 PUT receipts",
        sidecar_first,
    ),
    Route(
        "pair, both there before the first of two events",
        3,
        1,
        "4 GET incoming, 1 GET ledger, 2 PUT ledger, 1 GET receipts, 1 PUT receipts",
        both_there,
    ),
    Route(
        "pair with PO.pdf.json last, both events",
        2,
        1,
        "3 GET incoming, 1 GET ledger, 2 PUT ledger, 1 PUT receipts",
        appended_last,
    ),
    Route(
        "pair with PO.pdf.json first, both events",
        2,
        1,
        "9 GET incoming, 1 GET ledger, 3 PUT ledger, 2 PUT receipts",
        appended_first,
    ),
    Route(
        "set of three files, metadata.json last, four events",
        2,
        1,
        "7 GET incoming, 3 GET ledger, 5 PUT ledger, 1 PUT receipts",
        set_of_three,
    ),
    Route(
        "sidecar's event, 8 MiB or more to send",
        2,
        1,
        "2 GET incoming, 2 PUT ledger, 1 GET receipts, 2 PUT receipts",
        large,
    ),
    Route(
        "sidecar's event again, after it was attached",
        1,
        0,
        "2 GET incoming, 1 GET ledger, 1 GET receipts",
        sidecar_again,
    ),
    Route(
        "document's event again, after it was attached",
        1,
        0,
        "2 GET incoming, 1 GET ledger, 1 GET receipts",
        document_again,
    ),
    Route(
        "same documents, attached before from another folder",
        1,
        0,
        "2 GET incoming, 1 GET ledger, 1 GET receipts, 1 PUT receipts",
        from_another_folder,
    ),
    Route(
        "second submission of an order, both events of a pair",
        2,
        1,
        "3 GET incoming, 2 GET ledger, 2 PUT ledger, 1 PUT receipts",
        second_drop,
    ),
    Route("document's event, no sidecar yet", 0, 0, "1 GET incoming, 1 GET ledger", orphan),
    Route(
        "sidecar's event, sidecar rejected, document there",
        0,
        0,
        "2 GET incoming, 1 GET receipts, 1 PUT receipts",
        bad_sidecar_of_a_document,
    ),
    Route(
        "sidecar's event, sidecar rejected, no document yet",
        0,
        0,
        "3 GET incoming, 1 GET receipts, 1 PUT receipts",
        bad_sidecar,
    ),
    Route(
        "sidecar's event, document rejected",
        0,
        0,
        "2 GET incoming, 1 GET receipts, 1 PUT receipts",
        bad_document,
    ),
    Route(
        "sidecar's event, throttled once, then attached",
        2,
        2,
        "3 GET incoming, 4 PUT ledger, 1 PUT receipts",
        throttled,
    ),
    Route(
        "sidecar's event, reply lost, found by asking",
        3,
        1,
        "2 GET incoming, 2 PUT ledger, 1 PUT receipts",
        reply_lost,
    ),
    Route(
        "both events of a pair whose order is busy",
        2,
        0,
        "3 GET incoming, 2 GET ledger, 1 PUT ledger, 1 PUT receipts",
        drop_behind,
        queue=1,
    ),
    Route("... its message, the order is still busy", 0, 0, "1 GET ledger", drop_still_behind, queue=1),
    Route(
        "... its message, the order is free",
        2,
        1,
        "2 GET incoming, 1 GET ledger, 2 PUT ledger, 1 GET receipts, 1 PUT receipts",
        drop_not_behind_any_more,
    ),
    Route(
        "message of a record, a retry is due, attached",
        1,
        1,
        "2 GET incoming, 2 GET ledger, 2 PUT ledger, 1 GET receipts, 1 PUT receipts",
        retry,
    ),
    Route(
        "message of a record, an unknown outcome is due, found by asking",
        1,
        0,
        "1 GET ledger, 1 PUT ledger, 1 GET receipts, 1 PUT receipts",
        unknown_found,
    ),
    Route(
        "message of a look, documents were attached", 2, 0, "1 GET ledger, 1 PUT ledger", look_at_documents
    ),
    Route("message of a look, an order was placed", 1, 0, "2 GET ledger, 1 PUT ledger", look_at_an_order),
    Route("message of a record, nothing is due", 0, 0, "1 GET ledger", nothing_due),
    Route("HTTP attach", 2, 1, "2 PUT ledger", attach_over_http),
    Route("HTTP attach again (replayed)", 1, 0, "1 GET ledger", attach_over_http_again),
    Route("HTTP attach, second submission of an order", 2, 1, "1 GET ledger, 2 PUT ledger", second_over_http),
    Route("HTTP attach, the order is busy", 2, 0, "1 GET ledger, 1 PUT ledger", http_behind),
    Route("GET attachments?submission=, done", 0, 0, "1 GET ledger", status_over_http),
    Route("GET attachments?submission=, not due yet", 0, 0, "1 GET ledger", status_of_an_open_one),
    Route("HTTP create order", 0, 1, "2 PUT ledger", create),
    Route("HTTP create order again (replayed)", 0, 0, "1 GET ledger, 1 PUT ledger", create_again),
    Route("HTTP checkout", 0, 2, "1 GET ledger, 2 PUT ledger", through_a_cart),
    Route("HTTP checkout again (replayed)", 0, 0, "1 GET ledger", through_a_cart_again),
    Route("GET drops, by the sidecar's path", 0, 0, "1 GET receipts", receipt_of_a_sidecar),
    Route("GET drops, by the document's path", 0, 0, "1 GET ledger, 1 GET receipts", receipt_of_a_document),
]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_path_costs_what_the_table_says(counted: Counted, route: Route) -> None:
    route.walk(counted)

    seen = (counted.requests(), counted.queued(), counted.asked(), counted.posted())
    assert seen == (route.requests, route.queue, route.reads, route.posts)


def test_the_page_tells_what_is_counted_here() -> None:
    page = PAGE.read_text()

    assert [route.row for route in ROUTES if route.row not in page] == []


@pytest.mark.parametrize("others", OTHERS)
def test_a_drop_costs_the_same_however_full_the_container_is(counted: Counted, others: int) -> None:
    for number in range(others):
        counted.office.drop(f"x/PO_{number}.pdf", PDF)

    sidecar_last(counted)

    assert counted.requests() == ROUTES[0].requests


def test_a_sweep_does_not_read_what_was_done_before(counted: Counted) -> None:
    for number in range(40):
        attached_pair(counted, f"old/{number}")
    for _ in range(2):
        counted.office.clock.forward(hours=1)
        counted.office.sweep()
    for key, _ in list(counted.services.ledger.looks(counted.office.clock.now())):
        work(counted, "look", key)

    counted.begin()
    sweep(counted)

    assert counted.requests() == IDLE_SWEEP


def test_a_sweep_reads_one_receipt_for_each_new_blob_of_a_pair(counted: Counted) -> None:
    counted.office.sweep()
    for number in range(39):
        attached_pair(counted, f"new/{number}")
    counted.office.clock.forward(minutes=5)

    counted.begin()
    sweep(counted)

    # 39 here, and the pair that made the containers
    assert counted.requests() == f"{IDLE_SWEEP}, 80 GET receipts"


def test_a_sweep_reads_four_small_blobs_for_each_new_file_of_a_set(counted: Counted) -> None:
    counted.office.sweep()
    set_of_three(counted)
    counted.office.clock.forward(minutes=5)

    counted.begin()
    sweep(counted)

    # for each file the receipts of its own name, which are not there, the word that was left, the receipt of
    # whoever left it; the sidecar's receipt; and those of the pair that made the containers
    cost = IDLE_SWEEP.replace("1 GET ledger", "4 GET ledger")
    assert counted.requests() == f"{cost}, {3 * 3 + 1 + 2} GET receipts"


def test_a_sweep_hands_out_what_is_overdue_by_one_message_each_and_reads_none_of_it(counted: Counted) -> None:
    ours = counted.office
    for number in range(20):
        ours.drop(f"w/{number}.json", ours.sidecar(ours.order()))
        ours.ring(f"w/{number}.json")
    for _ in range(2):
        ours.clock.forward(hours=1)
        ours.sweep()
    ours.clock.forward(hours=3)

    counted.begin()
    sweep(counted)

    assert counted.requests() == IDLE_SWEEP
    assert counted.queued() == 20 + 1  # before every 32 a look at how full the queue is


IDLE_SWEEP = "1 LIST incoming, 2 FIND ledger, 1 GET ledger, 1 PUT ledger, 1 FIND receipts"


def attached_pair(counted: Counted, stem: str, pdf: bytes = PDF) -> None:
    ours = counted.office
    ours.drop(f"{stem}.pdf", pdf)
    counted.ring(f"{stem}.pdf")
    ours.drop(f"{stem}.json", ours.sidecar(ours.order()))
    counted.ring(f"{stem}.json")


def sweep(counted: Counted) -> None:
    counted.services.sweep.run(str(uuid.uuid4()), counted.office.deadline())


def test_connections_are_kept_and_used_again(counted: Counted) -> None:
    counted.begin()
    for number in range(20):
        attached_pair(counted, f"many/{number}", PDF + bytes(600_000))

    entries = counted.office.partner.journal.entries()
    attachments = [e for e in entries if e.operation == "POST attachment"][-20:]
    assert len(attachments) == 20
    assert len({e.connection for e in attachments}) == 1
    assert len(counted.threads) == 2  # one holds the open document while the other writes the claim
