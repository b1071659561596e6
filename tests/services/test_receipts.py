"""What receipts tell: of which look, by which record, and for which names."""

from __future__ import annotations

import http.client
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from local.azurite.launcher import ACCOUNT, KEY, Azurite
from local.proxy_faults import Fault
from local.storage_proxy import Proxy
from shared.core.drops import Receipt, ReceiptState, supersedes
from shared.validation.reviews import review_decision
from tests.services.conftest import PDF, Clock, Office, built

GIVE_UP = review_decision(b'{"decision": "give-up", "by": "Ada"}')


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
    assert office.services.drops.receipt_of(document)["state"] == "attached"
    office.drop(document, PDF + b"% a second version")
    office.ring(document)
    assert len(office.attached(order)) == 2

    office.clock.forward(hours=26)
    office.sweep()

    assert office.services.drops.receipts.store.read(f"{document}.json") is None


def test_what_a_late_look_at_the_record_saw_does_not_hide_where_it_stands_now(office: Office) -> None:
    receipts, now = office.services.drops.receipts, office.clock.now()

    def told(state: ReceiptState, minutes: float) -> bool:
        step = now + timedelta(minutes=minutes)
        return receipts.write(Receipt("x/a.json", state, now, "etag", {"submission": "s"}, step=step))

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


def test_a_receipt_after_a_settlement_holds_nothing_of_what_was_said_before(office: Office) -> None:
    order = office.order()
    office.partner.faults.add({"on": "POST attachment", "do": {"kind": "drop_part", "name": "POFiles"}})
    office.drop("x/PO.pdf", PDF)
    office.drop("x/PO.json", office.sidecar(order))
    office.ring("x/PO.json")
    before = office.receipt("x/PO.json")
    assert (before["state"], "partnerCenter" in before) == ("review", True)

    office.services.settlement.settle(before["submission"], GIVE_UP, "c", office.deadline())

    after = office.receipt("x/PO.json")
    assert (after["state"], after["orderId"], after["files"]) == ("rejected", order, before["files"])
    assert "partnerCenter" not in after
    assert after["changed"] >= before["changed"]


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
    office.partner.faults.add({"on": "POST attachment", "do": {"kind": "lose_reply"}})
    office.partner.faults.add({"on": "GET attachments", "times": 3, "do": {"kind": "status", "status": 503}})
    office.drop("x/PO.pdf", PDF)
    office.drop("x/PO.json", office.sidecar(order))
    office.ring("x/PO.json")
    assert office.receipt("x/PO.json")["state"] == "retrying"
    office.drop("x/PO.json", office.sidecar(order, currency="xx"))
    office.ring("x/PO.json")
    rejected = office.receipt("x/PO.json")
    for _ in range(2):
        office.clock.forward(minutes=10)
        office.sweep()

    for receipt in (rejected, office.receipt("x/PO.json")):
        assert (receipt["state"], receipt["errors"][0]["pointer"]) == ("rejected", "/currency")


def test_a_settlement_of_an_older_sidecar_leaves_what_the_newer_one_waits_for(office: Office) -> None:
    order = office.order()
    office.partner.faults.add({"on": "POST attachment", "do": {"kind": "drop_part", "name": "POFiles"}})
    office.drop("x/PO.pdf", PDF)
    office.drop("x/PO.json", office.sidecar(order))
    office.ring("x/PO.json")
    older = office.receipt("x/PO.json")["submission"]
    office.drop("x/PO.json", office.sidecar(order, tenderFiles=["t.pdf"], isPartOfTender=True))
    office.ring("x/PO.json")

    office.services.settlement.settle(older, GIVE_UP, "c", office.deadline())

    assert office.receipt("x/PO.json")["waitingFor"] == ["t.pdf"]


def test_a_settlement_by_an_instance_whose_clock_is_behind_reaches_the_receipt(office: Office) -> None:
    fast = built(office.env, Clock(timedelta(seconds=40)))
    office.partner.faults.add({"on": "POST attachment", "do": {"kind": "drop_part", "name": "POFiles"}})
    office.drop("x/PO.pdf", PDF)
    office.drop("x/PO.json", office.sidecar(office.order()))
    office.ring("x/PO.json", by=fast)
    submission = office.receipt("x/PO.json")["submission"]

    office.services.settlement.settle(submission, GIVE_UP, "c", office.deadline())

    assert office.receipt("x/PO.json")["state"] == "rejected"


def test_what_was_told_as_attached_is_not_taken_back(office: Office) -> None:
    now = office.clock.now()
    later = now + timedelta(minutes=5)

    def told(state: ReceiptState, step: datetime) -> Receipt:
        return Receipt("x/a.json", state, now, "etag", {"submission": "s"}, step=step)

    assert not supersedes(told(ReceiptState.RETRYING, later), told(ReceiptState.ATTACHED, now))
    assert supersedes(told(ReceiptState.ATTACHED, later), told(ReceiptState.ATTACHED, now))


def test_a_drop_whose_newest_file_was_deleted_before_it_was_sent_waits_again(office: Office) -> None:
    now = office.clock.now()
    older = now - timedelta(minutes=5)
    waits = Receipt("x/a.json", ReceiptState.WAITING, older, "etag", {})
    begun = Receipt("x/a.json", ReceiptState.SUBMITTING, now, "etag", {})

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


def test_a_storage_fault_of_a_later_look_keeps_what_the_receipt_is_about(office: Office) -> None:
    """The daily look at a drop in review fails, and its sidecar is deleted: its record still tells of it."""
    office.partner.faults.add({"on": "POST attachment", "do": {"kind": "drop_part", "name": "POFiles"}})
    office.drop("x/PO.pdf", PDF)
    office.drop("x/PO.json", office.sidecar(office.order()))
    office.ring("x/PO.json")
    before = office.receipt("x/PO.json")
    with Proxy(office.env["DocumentStorage"].partition("BlobEndpoint=")[2].partition(";")[0]) as storage:
        storage.order(
            Fault("status", status=403, code="Denied"),
            name="x/PO.json",
            container=office.env["INCOMING_CONTAINER"],
        )
        env = {**office.env, "DocumentStorage": storage.connection_string(office.env["DocumentStorage"])}
        built(env, office.clock).drops.rescue("x/PO.json", "c", office.deadline())
    assert office.receipt("x/PO.json")["state"] == "retrying"
    office.services.drops.blobs.send("DELETE", office.services.drops.incoming, "x/PO.json")
    office.clock.forward(hours=26)
    office.sweep()

    after = office.receipt("x/PO.json")
    assert (after["state"], after["submission"]) == ("review", before["submission"])
