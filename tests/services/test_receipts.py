"""What receipts tell: of which look, by which record, and for which names."""

from __future__ import annotations

import http.client
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from local.azurite.launcher import ACCOUNT, KEY, Azurite
from local.fault_rules import Fault
from shared.core.ledger import State
from shared.core.receipt_parts import Receipt, ReceiptBody, ReceiptState
from shared.core.receipt_rules import supersedes
from tests.services.conftest import PDF, Clock, Office, built
from tests.services.steps import (
    UNREADABLE,
    behind_proxy,
    decide,
    delete,
    drop_pair,
    fail,
    lose,
    pair_in_review,
    settle_down,
)


@pytest.mark.parametrize(
    ("sidecar", "document"), [("x/u.JSON", "x/u.pdf"), ("x/U.Json", "x/U.PDF"), ("x/u.pdf.JSON", "x/u.pdf")]
)
def test_a_pair_whose_sidecar_is_spelt_in_capitals_is_a_pair_like_any(
    office: Office, sidecar: str, document: str
) -> None:
    order = office.order()
    office.drop(document, PDF)
    office.drop(sidecar, office.sidecar(order))
    office.ring(document, sidecar)
    assert office.services.drops.receipt_of(document).state == "attached"
    office.drop(document, PDF + b"% a second version")
    office.ring(document)
    assert len(office.receipt(sidecar)["newer"]["files"]) == 1
    assert len(office.attached(order)) == 1, "the sidecar is the signal"
    office.drop(sidecar, office.sidecar(order))
    office.ring(sidecar)
    assert len(office.attached(order)) == 2

    office.clock.forward(hours=26)
    office.sweep()

    assert office.services.drops.receipts.store.read(f"{document}.json") is None


def test_what_a_late_look_at_the_record_saw_does_not_hide_where_it_stands_now(office: Office) -> None:
    store, now = office.services.drops.receipts.store, office.clock.now()

    def told(state: ReceiptState, minutes: float) -> bool:
        step = now + timedelta(minutes=minutes)
        return store.write(Receipt("x/a.json", state, now, "etag", ReceiptBody(submission="s"), step=step))

    assert told(ReceiptState.REVIEW, 1)
    assert not told(ReceiptState.SUBMITTING, 0)
    assert office.receipt("x/a.json")["state"] == "review"
    assert told(ReceiptState.RETRYING, 2)
    assert not told(ReceiptState.REVIEW, 1)
    assert told(ReceiptState.ATTACHED, 3)
    assert not told(ReceiptState.RETRYING, 2)
    assert office.receipt("x/a.json")["state"] == "attached"


def test_a_document_whose_name_no_receipt_can_bear_does_not_hold_up_the_sweep(
    office: Office, azurite: Azurite
) -> None:
    office.drop("x/folder.txt", b"")
    names = ["a/%2E/b.pdf", f"{'n' * 1017}.pdf"]
    for name in names:
        put_raw(azurite, office.services.drops.incoming, name)
    office.sweep()
    office.clock.forward(hours=26)

    assert [office.sweep()["failed"] for _ in range(2)] == [0, 0]


def put_raw(azurite: Azurite, container: str, name: str) -> None:
    """Write a blob under a path that clients would resolve to another."""
    allowed = ContainerSasPermissions(create=True, write=True)
    signature = generate_container_sas(ACCOUNT, container, KEY, permission=allowed, expiry="2099-01-01")
    url = urlsplit(azurite.blob_endpoint)
    connection = http.client.HTTPConnection(url.netloc)
    headers = {"x-ms-blob-type": "BlockBlob", "Content-Length": str(len(PDF))}
    connection.request("PUT", f"{url.path}/{container}/{name}?{signature}", PDF, headers)
    assert connection.getresponse().status == 201
    connection.close()


def test_a_receipt_after_a_decision_holds_nothing_of_what_was_said_before(office: Office) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    before = office.receipt("x/PO.json")
    assert before["partnerCenter"]["status"] == 201

    decide(office, key, "give-up")

    after = office.receipt("x/PO.json")
    assert (after["state"], after["orderId"], after["files"]) == ("rejected", order, before["files"])
    assert (after["actor"], after["detail"]) == ("operator", "abandoned by an operator")
    assert "partnerCenter" not in after
    assert after["changed"] >= before["changed"]


@pytest.mark.parametrize("status", [500, 409])
def test_what_no_answer_tells_bears_the_ids_that_microsofts_support_asks_for(
    office: Office, status: int
) -> None:
    fail(office, "POST attachment", kind="status", status=status, body={"code": "999999"})
    fail(office, "GET attachments", times=-1, skip=1, **UNREADABLE)
    drop_pair(office, office.order())
    office.ring("x/PO.json")
    told = office.receipt("x/PO.json")
    settle_down(office, *[300] * 6)
    review = office.receipt("x/PO.json")

    assert (told["state"], review["state"]) == ("retrying", "review")
    [sent] = office.request_ids("POST attachment")
    for receipt in (told, review):
        assert receipt["partnerCenter"]["status"] == status
        assert receipt["partnerCenter"]["ids"]["requestId"] == sent
        assert receipt["partnerCenter"]["ids"]["cv"]


def test_receipts_that_tell_of_no_record_bear_the_correlation_id_of_the_look(office: Office) -> None:
    office.drop("x/PO.json", office.sidecar(office.order()))
    office.drop("y/PO.json", {"orderId": "of nobody"})
    office.ring("x/PO.json", "y/PO.json")

    told = {
        office.receipt(path)["state"]: office.receipt(path)["correlationId"]
        for path in ("x/PO.json", "y/PO.json")
    }

    assert set(told) == {"waiting", "rejected"}
    assert all(told.values())


def test_what_an_older_record_comes_to_does_not_hide_what_a_newer_sidecar_lacks(office: Office) -> None:
    order = office.order()
    lose(office, unseen=True)
    drop_pair(office, order)
    office.ring("x/PO.json")
    assert office.receipt("x/PO.json")["state"] == "retrying"
    office.drop("x/PO.json", office.sidecar(order, currency="xx"))
    office.ring("x/PO.json")
    rejected = office.receipt("x/PO.json")
    settle_down(office, 10, 10)

    assert [own.state for own in office.submissions(order).values()] == [State.DONE]
    for receipt in (rejected, office.receipt("x/PO.json")):
        assert (receipt["state"], receipt["errors"][0]["pointer"]) == ("rejected", "/currency")


def test_a_decision_about_an_older_sidecar_leaves_what_the_newer_one_waits_for(office: Office) -> None:
    order = office.order()
    older = pair_in_review(office, order)
    office.drop("x/PO.json", office.sidecar(order, tenderFiles=["t.pdf"], isPartOfTender=True))
    office.ring("x/PO.json")

    decide(office, older, "give-up")

    assert office.receipt("x/PO.json")["waitingFor"] == ["t.pdf"]


def test_a_decision_by_an_instance_whose_clock_is_behind_reaches_the_receipt(office: Office) -> None:
    ahead = Clock(timedelta(minutes=5))
    key = pair_in_review(replace(office, clock=ahead, services=built(office.env, ahead)), office.order())

    decide(office, key, "give-up")

    assert office.receipt("x/PO.json")["state"] == "rejected"


def test_what_was_told_as_attached_is_not_taken_back(office: Office) -> None:
    now = office.clock.now()
    later = now + timedelta(minutes=5)

    def told(state: ReceiptState, step: datetime) -> Receipt:
        return Receipt("x/a.json", state, now, "etag", ReceiptBody(submission="s"), step=step)

    assert not supersedes(told(ReceiptState.RETRYING, later), told(ReceiptState.ATTACHED, now))
    assert supersedes(told(ReceiptState.ATTACHED, later), told(ReceiptState.ATTACHED, now))


def test_a_drop_whose_newest_file_was_deleted_before_it_was_sent_waits_again(office: Office) -> None:
    now = office.clock.now()
    older = now - timedelta(minutes=5)
    waits = Receipt("x/a.json", ReceiptState.WAITING, older, "etag", ReceiptBody())
    begun = Receipt("x/a.json", ReceiptState.SUBMITTING, now, "etag", ReceiptBody())

    assert supersedes(waits, begun)
    assert not supersedes(waits, replace(begun, step=now))


def test_a_sidecar_of_the_longest_name_is_found_without_its_event(office: Office) -> None:
    order = office.order()
    folder = "/".join(["n" * 200] * 5)
    sidecar = f"{folder}/{'s' * (1024 - len(folder) - 6)}.json"
    office.drop(f"{folder}/PO.pdf", PDF)
    office.drop(sidecar, office.sidecar(order, poFiles=["PO.pdf"]))
    office.clock.forward(minutes=5)
    office.sweep()

    assert office.attached(order) == ["PO.pdf"]


def test_a_storage_fault_of_a_later_look_takes_nothing_from_the_person(office: Office) -> None:
    """The daily look at a drop in review fails, and its sidecar is deleted: its record still tells of it."""
    pair_in_review(office, office.order())
    before = office.receipt("x/PO.json")
    with behind_proxy(office) as (storage, faulty):
        incoming = office.env["INCOMING_CONTAINER"]
        storage.inject(Fault("status", status=403, code="Denied"), name="x/PO.json", container=incoming)
        faulty.drops.process_or_report("x/PO.json", "c")
    assert office.receipt("x/PO.json") | {"changed": before["changed"]} == before
    delete(office, "x/PO.json")
    settle_down(office, 26 * 60)

    after = office.receipt("x/PO.json")
    assert (after["state"], after["submission"]) == ("review", before["submission"])
