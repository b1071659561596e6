"""What only a person can end in storage: archived blobs, leases, records of a newer version; odd listings."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from azure.storage.blob import BlobServiceClient, StandardBlobTier

from local.fault_rules import Fault
from shared.core.errors import NewerRecordError, StorageError
from shared.core.ledger import State
from shared.core.models import order_attachments_key
from shared.services.orders import order_key
from tests.services.conftest import CUSTOMER, PDF, Office
from tests.services.steps import (
    NOT_DONE,
    attach,
    behind_proxy,
    decide,
    drop_pair,
    fail,
    overwrite,
    pair_in_review,
    settle_down,
)

PAIR = "x/PO.json"


@contextmanager
def account(office: Office) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(office.env["DocumentStorage"]) as client:
        yield client


def tier(office: Office, name: str, wanted: StandardBlobTier) -> None:
    with account(office) as client:
        blob = client.get_blob_client(office.env["INCOMING_CONTAINER"], name)
        blob.set_standard_blob_tier(wanted)


@contextmanager
def leased(office: Office, container: str, name: str) -> Iterator[None]:
    with account(office) as client:
        lease = client.get_blob_client(office.env[container], name).acquire_lease()
        yield
        lease.break_lease(0)


def ring(office: Office, *paths: str) -> None:
    """Events, and what the host does when they fail too often."""
    for path in paths:
        try:
            office.ring(path)
        except StorageError:
            office.services.drops.process_or_report(path, str(uuid.uuid4()))


def told(office: Office, path: str = PAIR) -> tuple[str, str, str]:
    receipt = office.receipt(path)
    return receipt["state"], receipt["actor"], receipt["remedy"]


@pytest.mark.parametrize("name", ["x/PO.pdf", "x/PO.json"])
def test_an_archived_blob_is_told_with_what_to_do_and_ends_with_a_person(office: Office, name: str) -> None:
    order = office.order()
    drop_pair(office, order)
    tier(office, name, StandardBlobTier.ARCHIVE)
    ring(office, name)
    state, actor, remedy = told(office)
    assert (state, actor, "ehydrate" in remedy) == ("retrying", "operator", True)
    assert office.receipt(PAIR)["nextAttempt"]
    settle_down(office, *[300] * 6)
    state, actor, remedy = told(office)
    assert (state, actor, "ehydrate" in remedy) == ("review", "operator", True)
    assert office.posts() == 0

    tier(office, name, StandardBlobTier.HOT)
    ring(office, name)

    assert office.receipt(PAIR)["state"] == "attached"


def test_an_archived_document_holds_up_no_other_drop(office: Office) -> None:
    orders = [office.order() for _ in range(3)]
    for n, order in enumerate(orders):
        drop_pair(office, order, f"x/{n}")
    tier(office, "x/1.pdf", StandardBlobTier.ARCHIVE)
    settle_down(office, 5, 5)

    assert [office.receipt(f"x/{n}.json")["state"] for n in range(3)] == ["attached", "retrying", "attached"]


def test_a_lease_on_the_record_of_an_order_is_told_with_what_to_do(office: Office) -> None:
    order = office.order()
    drop_pair(office, order)
    office.ring(PAIR)
    record = f"{order_attachments_key(CUSTOMER, order)}.json"
    with leased(office, "LEDGER_CONTAINER", record):
        drop_pair(office, order, "y/PO", PDF + b"other")
        ring(office, "y/PO.json")
        state, actor, remedy = told(office, "y/PO.json")
        posts = office.posts()
        settle_down(office, *[300] * 6)
        last = told(office, "y/PO.json")

    assert (state, actor, "lease" in remedy, posts) == ("retrying", "operator", True, 1)
    assert last == ("review", "operator", remedy)
    ring(office, "y/PO.json")
    assert office.receipt("y/PO.json")["state"] == "attached"


def test_a_lease_on_a_receipt_loses_and_doubles_nothing(office: Office) -> None:
    order = office.order()
    office.drop(PAIR, office.sidecar(order))
    office.ring(PAIR)
    with leased(office, "RECEIPTS_CONTAINER", PAIR):
        office.drop("x/PO.pdf", PDF)
        with pytest.raises(StorageError):
            office.ring("x/PO.pdf")
        attached = office.attached(order)
    settle_down(office, 20)

    assert attached == ["PO.pdf"]
    assert (office.receipt(PAIR)["state"], office.posts()) == ("attached", 1)


def newer(office: Office, key: str) -> bytes:
    office.services.ledger.check_format()
    content = json.dumps({"v": 3, "kind": "something else", "due": "2020-01-01T00:00:00Z"}).encode()
    overwrite(office, office.env["LEDGER_CONTAINER"], f"{key}.json", content)
    return content


def content_of(office: Office, key: str) -> bytes:
    blob = office.services.drops.blobs.get(office.env["LEDGER_CONTAINER"], f"{key}.json")
    assert blob
    return blob.content


def test_a_record_of_a_newer_version_is_not_touched_and_told(office: Office) -> None:
    order = office.order()
    key = order_attachments_key(CUSTOMER, order)
    there = newer(office, key)
    drop_pair(office, order)
    ring(office, PAIR)
    state, actor, remedy = told(office)
    with pytest.raises(NewerRecordError):
        attach(office, order, PDF + b"other")
    settle_down(office, *[300] * 6)

    assert (state, actor, "newer" in office.receipt(PAIR)["detail"]) == ("retrying", "operator", True)
    assert "deploy" in remedy
    assert told(office) == ("review", "operator", remedy)
    assert (content_of(office, key), office.posts()) == (there, 0)


def test_an_order_whose_record_a_newer_version_wrote_is_not_placed(office: Office) -> None:
    there = newer(office, order_key(CUSTOMER, "flow-1"))
    with pytest.raises(NewerRecordError):
        office.place()
    settle_down(office, 60)

    assert content_of(office, order_key(CUSTOMER, "flow-1")) == there
    assert office.posts("POST order") == 0


def test_a_neighbour_of_a_newer_version_proves_nothing_and_leads_to_a_person(office: Office) -> None:
    fail(office, "POST order", **NOT_DONE)
    outcome = office.place()
    newer(office, f"orders/{CUSTOMER}/{'0' * 64}")
    settle_down(office, 25, *[300] * 6)
    stored = office.services.ledger.read(outcome.record.key)

    assert stored
    assert [own.state for own in stored.record.submissions.values()] == [State.REVIEW]
    assert office.posts("POST order") == 1


def test_a_ledger_of_another_format_is_refused_with_a_sentence_in_the_receipt(office: Office) -> None:
    overwrite(office, office.env["LEDGER_CONTAINER"], "format.json", b'{"format": 1}')
    drop_pair(office, office.order())
    ring(office, PAIR)

    receipt = office.receipt(PAIR)
    assert (receipt["state"], receipt["actor"]) == ("retrying", "operator")
    assert "format 1" in receipt["detail"]
    assert office.posts() == 0


def test_a_marker_that_storage_does_not_take_any_more_begins_the_walk_anew(office: Office) -> None:
    order = office.order()
    drop_pair(office, order)
    cursor = {"marker": "of old", "after": "x/PO.json", "started": "2026-01-01T00:00:00+00:00"}
    cursor["changedSince"] = cursor["started"]
    name = f"sweep/{office.env['INCOMING_CONTAINER']}.json"
    overwrite(office, office.env["LEDGER_CONTAINER"], name, json.dumps(cursor).encode())
    with behind_proxy(office) as (storage, walker):
        storage.inject(
            Fault("status", status=400, code="InvalidQueryParameterValue"), query={"marker": "of old"}
        )
        office.clock.forward(minutes=5)
        office.sweep(by=walker)
        refused = [seen.query.get("marker") for seen in storage.seen() if seen.fault]

    assert refused == ["of old"]
    assert office.attached(order) == ["PO.pdf"]


def test_one_blob_that_cannot_be_looked_at_does_not_restart_the_walk(office: Office) -> None:
    orders = [office.order() for _ in range(3)]
    for n, order in enumerate(orders):
        drop_pair(office, order, f"x/{n}")
    with behind_proxy(office) as (storage, walker):
        denied = Fault("status", status=403, code="Denied")
        storage.inject(denied, method="GET", container=office.env["RECEIPTS_CONTAINER"], name="x/1.json")
        office.clock.forward(minutes=5)
        counts = walker.sweep.run(str(uuid.uuid4()), office.deadline())
        again = walker.sweep.run(str(uuid.uuid4()), office.deadline())
    office.work()

    assert counts["failed"] == 1
    assert (again["failed"], again["listed"]) == (0, 6)
    assert [office.attached(order) for order in orders] == [["0.pdf"], ["1.pdf"], ["2.pdf"]]


def test_what_is_blocked_can_still_be_decided(office: Office) -> None:
    key = pair_in_review(office, office.order())
    tier(office, "x/PO.pdf", StandardBlobTier.ARCHIVE)
    decide(office, key, "give-up")

    assert office.receipt(PAIR)["state"] == "rejected"
