"""What the review of a purchase order makes of the order while time passes."""

from __future__ import annotations

import pytest

from tests.local.simulator.kit import Client, Clock, orders_path, sim


def status(client: Client, order: str) -> str:
    return str(client.get(f"{orders_path()}/{order}").json()["status"])


def test_an_order_with_documents_waits_for_ever_unless_a_review_is_asked_for(
    client: Client, clock: Clock
) -> None:
    order = client.placed()
    client.attach(order)
    clock.ahead += 500
    assert status(client, order) == "po_upload_complete"


def test_a_review_that_approves_moves_an_order_on_step_by_step(client: Client, clock: Clock) -> None:
    client.partner_center.configure(po_review="approves", po_review_seconds=60)
    order, idle = client.placed(), client.placed()
    client.attach(order)
    etags, statuses = [], []
    for _ in range(3):
        shown = client.get(f"{orders_path()}/{order}").json()
        etags.append(shown["attributes"]["etag"])
        statuses.append(shown["status"])
        clock.ahead += 60
    assert statuses == ["po_upload_complete", "pending", "completed"]
    assert len(set(etags)) == 3
    assert status(client, idle) == "pending_po_upload"


def test_a_review_that_rejects_ends_with_that_until_other_documents_come(
    client: Client, clock: Clock
) -> None:
    client.partner_center.configure(po_review="rejects", po_review_seconds=60)
    order = client.placed()
    client.attach(order)
    clock.ahead += 200
    assert status(client, order) == "po_review_rejected"
    client.attach(order)
    assert status(client, order) == "po_upload_complete"


def test_a_review_goes_by_the_last_upload_and_sees_those_by_hand(client: Client, clock: Clock) -> None:
    client.partner_center.configure(po_review="approves", po_review_seconds=60)
    order = client.placed()
    client.attach(order)
    clock.ahead += 50
    client.partner_center.portal.upload(order, "Scan.pdf", "POAttachment", b"%PDF-1.7")
    clock.ahead += 50
    assert status(client, order) == "po_upload_complete"
    clock.ahead += 10
    assert status(client, order) == "pending"


@pytest.mark.parametrize("look", ["/state", ""])
def test_whoever_looks_at_the_simulator_itself_late_finds_the_end_of_the_review(
    client: Client, clock: Clock, look: str
) -> None:
    client.partner_center.configure(po_review="approves", po_review_seconds=60)
    orders = [client.placed() for _ in range(3)]
    for order in orders:
        client.attach(order)
    clock.ahead += 120
    shown = sim(client, "GET", look).text
    assert "po_upload_complete" not in shown
    assert shown.count("completed") >= 3


def test_a_list_shows_what_the_review_has_come_to(client: Client, clock: Clock) -> None:
    client.partner_center.configure(po_review="rejects")
    client.attach(client.placed())
    assert client.get(orders_path()).json()["items"][0]["status"] == "po_review_rejected"


@pytest.mark.parametrize("final", ["cancelled", "completed", "error"])
def test_a_review_leaves_alone_what_a_person_has_decided(client: Client, clock: Clock, final: str) -> None:
    client.partner_center.configure(po_review="approves", po_review_seconds=60)
    order = client.placed()
    client.attach(order)
    client.partner_center.portal.change_order(order, {"status": final})
    clock.ahead += 500
    assert status(client, order) == final
