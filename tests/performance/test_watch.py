"""What the watch of many orders costs: calls are counted at Partner Center, not times. DEEP=1 watches ten
thousand."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from local.simulator.state import PENDING
from shared.core.ledger import LEDGER_FORMAT, Record
from shared.core.models import order_attachments_key
from shared.core.watch import watch_tags
from shared.core.watched import WatchedOrder
from shared.services.bell import Message
from shared.services.watch import RATE
from shared.storage.blobs import stamp
from tests.services.conftest import CUSTOMER, Office, office, partner_center

__all__ = ["office", "partner_center"]

ORDERS = 10_000 if os.environ.get("DEEP") else 600
"""More than one sweep hands out."""
SWEEPS = ORDERS // (RATE * 5) + 2


def watch_many(ours: Office, number: int) -> None:
    """So many orders that have been due for a day, by requests of which no documents came."""
    then = ours.clock.now() - timedelta(days=2)

    def write(nth: int) -> None:
        order = f"order{nth}"
        ours.partner.state.seed_order(CUSTOMER, order, then.timestamp(), PENDING)
        watched = {order: WatchedOrder.begun(order, PENDING, then)}
        key = f"orders/{CUSTOMER}/{nth:064x}"
        record = Record(v=LEDGER_FORMAT, kind="order", key=key, customer_id=CUSTOMER, orders=watched)
        tags = {name: stamp(moment) for name, moment in watch_tags(record).items()}
        blobs, container = ours.services.drops.blobs, ours.env["LEDGER_CONTAINER"]
        blobs.put(container, f"{key}.json", record.dump(), match="*", tags=tags)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(number)))


def test_a_backlog_of_looks_is_worked_off_at_the_stated_rate_and_each_order_is_read_once(
    office: Office,
) -> None:
    ours = office
    ours.services.ledger.check_format()
    watch_many(ours, ORDERS)
    watch = ours.services.watch
    assert watch
    handed = list[str]()
    for _ in range(SWEEPS):
        due = {key for key, _ in ours.services.ledger.looks(ours.clock.now())}
        count = watch.hand_out(ours.deadline())
        assert count <= RATE * 5
        ours.lose_messages()  # they are visible later; who is looked at is told by the index
        oldest = sorted(due)[:count]
        handed += oldest
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: look(ours, key), oldest))
        ours.clock.forward(minutes=5)

    entries = ours.partner.journal.entries()
    assert len(handed) == len(set(handed)) == ORDERS
    assert Counter(entry.operation for entry in entries) == {"GET order": ORDERS}
    assert list(ours.services.ledger.looks(ours.clock.now())) == []


def look(ours: Office, key: str) -> None:
    ours.services.worker.work(Message("look", key).dump(), str(uuid.uuid4()))


def test_an_order_that_documents_were_attached_to_takes_two_calls_and_its_request_none(
    office: Office,
) -> None:
    ours = office
    ours.place(lineItems=[{"offerId": "DG7GMGF0D7FV:0001:DG7GMGF0D6M0", "quantity": 1}])
    (order,) = ours.partner.state.orders
    ours.drop("x/PO.pdf", b"%PDF-1.7\n%%EOF\n")
    ours.drop("x/PO.json", ours.sidecar(order))
    ours.ring("x/PO.json")
    ours.clock.forward(hours=26)
    before = len(ours.partner.journal.entries())
    for key in sorted(key for key, _ in ours.services.ledger.looks(ours.clock.now())):
        look(ours, key)

    seen = Counter(entry.operation for entry in ours.partner.journal.entries()[before:])
    assert seen == {"GET order": 1, "GET attachments": 1}
    assert order_attachments_key(CUSTOMER, order) in {
        key for key, _ in ours.services.ledger.looks(ours.clock.now() + timedelta(days=2))
    }
