"""What the tests of the services do again and again: drop, attach, lose, decide."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from local.fault_proxy import Proxy
from shared.bootstrap import Services
from shared.clock import Deadline
from shared.core.ledger import Submission
from shared.core.models import Document, DocumentSet, Metadata, Role
from shared.services.operation import Outcome
from shared.validation.checkouts import checkout_request
from shared.validation.reviews import review_decision
from tests.services.conftest import CUSTOMER, PDF, Office, built

TENDER = PDF + b"tender"

LICENCES: dict[str, Any] = {
    "catalogItemId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P",
    "quantity": 5,
    "billingCycle": "monthly",
    "termDuration": "P1Y",
}
OTHERS: dict[str, Any] = {**LICENCES, "catalogItemId": "CFQ7TTC0LFLS:0002:CFQ7TTC0KDLJ", "quantity": 2}

Do = dict[str, Any]
"""What a fault rule does (local/simulator/faults.py)."""

REFUSED: Do = {"kind": "status", "status": 400, "body": {"code": 900254, "description": "No such currency."}}
"""A refusal that only the service behind the gateway gives."""
NOT_DONE: Do = {"kind": "status", "status": 503}
"""Silence after which nothing is there."""
DONE_SILENTLY: Do = {"kind": "lose_reply"}
"""Silence after which everything is there."""
UNREADABLE: Do = {"kind": "status", "status": 503}
"""The list cannot be had just now; a read is tried three times."""


def drop_pair(office: Office, order: str, stem: str = "x/PO", pdf: bytes = PDF, **more: object) -> str:
    """Drop a document and its sidecar, without their events; the sidecar's path."""
    office.drop(f"{stem}.pdf", pdf)
    office.drop(f"{stem}.json", office.sidecar(order, **more))
    return f"{stem}.json"


def drop_set(
    office: Office,
    order: str,
    folder: str = "x",
    files: Mapping[str, bytes] | None = None,
    tenders: Mapping[str, bytes] | None = None,
    **more: object,
) -> str:
    """Drop a set, without its events; the sidecar's path."""
    given, offers = files or {"a.pdf": PDF}, tenders if tenders is not None else {"t.pdf": TENDER}
    for name, content in {**given, **offers}.items():
        office.drop(f"{folder}/{name}", content)
    said = office.sidecar(
        order, isPartOfTender=bool(offers), poFiles=list(given), tenderFiles=list(offers), **more
    )
    office.drop(f"{folder}/metadata.json", said)
    return f"{folder}/metadata.json"


def attach(
    office: Office, order: str, pdf: bytes = PDF, by: Services | None = None, seconds: float = 60.0
) -> Outcome:
    """What drop_pair drops, as an HTTP caller sends it who waits for so long."""
    md5 = hashlib.md5(pdf, usedforsecurity=False).hexdigest()
    document = Document(Role.PURCHASE_ORDER, "PO.pdf", len(pdf), md5, lambda: iter([pdf]))
    metadata = Metadata(is_part_of_tender=False, customer_price="156.87", currency="CAD")
    content = DocumentSet(CUSTOMER, order, metadata, (document,))
    deadline = Deadline.after(seconds)
    return (by or office.services).attachments.attach(content, str(uuid.uuid4()), deadline)


def look(office: Office, order: str, digest: str) -> Outcome:
    """What an HTTP caller is told who asks what became of a submission."""
    return office.services.attachments.status(CUSTOMER, order, digest, office.deadline())


def check_out(
    office: Office, *lines: dict[str, Any], key: str = "flow-1", by: Services | None = None, **more: object
) -> Outcome:
    """Ask for a checkout as the HTTP function does."""
    raw = json.dumps({"lineItems": lines or (LICENCES,), **more}).encode()
    orders = (by or office.services).orders
    request = checkout_request(raw)
    return orders.check_out(CUSTOMER, request, key, str(uuid.uuid4()), office.deadline())


def delete(office: Office, path: str) -> None:
    office.services.drops.blobs.send("DELETE", office.services.drops.incoming, path)


def overwrite(office: Office, container: str, name: str, content: bytes) -> None:
    office.services.drops.blobs.put(container, name, content, match="*")


def settle_down(office: Office, *minutes: float) -> None:
    """Let time pass, and hand out and do what is due after each step."""
    for step in minutes:
        office.clock.forward(minutes=step)
        office.sweep()


def decide(office: Office, key: str, decision: str, **more: object) -> Submission:
    """What an operator decides about a submission."""
    asked = review_decision(json.dumps({"decision": decision, "by": "Ada", **more}).encode())
    return office.services.reviews.decide(key, asked, str(uuid.uuid4()), office.deadline())[1]


def set_in_review(office: Office, order: str, folder: str = "x") -> str:
    """A set of which Partner Center accepted one half and lost the other; the key of its submission."""
    office.partner.faults.add({"on": "POST attachment", "do": {"kind": "drop_part", "name": "TenderFiles"}})
    path = drop_set(office, order, folder)
    office.ring(path)
    settle_down(office, 4)
    assert office.receipt(path)["state"] == "review"
    return str(office.receipt(path)["submission"])


def pair_in_review(office: Office, order: str, stem: str = "x/PO") -> str:
    """A pair that Partner Center accepted and lost; the key of its submission."""
    office.partner.faults.add({"on": "POST attachment", "do": {"kind": "drop_part", "name": "POFiles"}})
    path = drop_pair(office, order, stem)
    office.ring(path)
    settle_down(office, 4)
    assert office.receipt(path)["state"] == "review"
    return str(office.receipt(path)["submission"])


def fail(office: Office, on: str, times: int = 1, skip: int = 0, **do: Any) -> None:
    """Have Partner Center do something else with so many of the next requests of a kind."""
    office.partner.faults.add({"on": on, "times": times, "skip": skip, "do": do})


def lose(office: Office, *, done: bool = True, unseen: bool = False) -> None:
    """Have the next documents be sent and not answered; `unseen`: nor can they be looked for at once."""
    office.partner.faults.add({"on": "POST attachment", "do": DONE_SILENTLY if done else NOT_DONE})
    if unseen:  # the first list is what the order has before
        office.partner.faults.add({"on": "GET attachments", "skip": 1, "times": 3, "do": UNREADABLE})


@contextmanager
def behind_proxy(office: Office) -> Iterator[tuple[Proxy, Services]]:
    """An instance whose line to the blobs can be made to fail, and that line."""
    direct = office.env["DocumentStorage"]
    with Proxy(direct.partition("BlobEndpoint=")[2].partition(";")[0]) as storage:
        env = {**office.env, "DocumentStorage": storage.connection_string(direct)}
        yield storage, built(env, office.clock)
