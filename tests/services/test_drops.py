"""Drops: what is dropped, in whatever order, is attached once, and a receipt tells."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.services.conftest import PDF, Office
from tests.services.steps import drop_pair, settle_down

OTHER = PDF + b"another"


@pytest.mark.parametrize("sidecar", ["a/b/PO_77.json", "a/b/PO_77.pdf.json", "PO_77.json"])
@pytest.mark.parametrize("document_first", [True, False])
def test_a_pair_is_attached_whichever_half_comes_first(
    office: Office, sidecar: str, document_first: bool
) -> None:
    order = office.order()
    document = sidecar.replace(".pdf.json", ".json").replace(".json", ".pdf")
    halves: list[tuple[str, bytes | dict[str, object]]] = [(document, PDF), (sidecar, office.sidecar(order))]
    for path, content in halves if document_first else reversed(halves):
        office.drop(path, content)
        office.ring(path)

    assert office.attached(order) == ["PO_77.pdf"]
    receipt = office.receipt(sidecar)
    assert receipt["state"] == "attached"
    assert receipt["attachments"][0]["fileName"] == "PO_77.pdf"
    assert receipt["orderId"] == order


@pytest.mark.parametrize(
    "arrival", [*itertools.permutations(["one.pdf", "two.pdf", "t.pdf", "metadata.json"])]
)
def test_a_set_is_attached_in_one_request_in_every_order_of_arrival(
    office: Office, arrival: tuple[str, ...]
) -> None:
    order = office.order()
    metadata = office.sidecar(
        order, isPartofTender=True, poFiles=["one.pdf", "two.pdf"], tenderFiles=["t.pdf"]
    )
    for name in arrival:
        office.drop(f"set/{name}", metadata if name == "metadata.json" else PDF + name.encode())
        office.ring(f"set/{name}")

    assert office.posts() == 1
    assert sorted(office.attached(order)) == ["one.pdf", "t.pdf", "two.pdf"]
    assert office.receipt("set/metadata.json")["state"] == "attached"


def test_a_tender_that_a_pairs_sidecar_names_wakes_it_when_it_comes_last(office: Office) -> None:
    order = office.order()
    for path, content in (
        ("x/PO.pdf", PDF),
        ("x/PO.json", office.sidecar(order, isPartOfTender=True, tenderFiles=["offer.pdf"])),
        ("x/offer.pdf", OTHER),
    ):
        office.drop(path, content)
        office.ring(path)

    assert sorted(office.attached(order)) == ["PO.pdf", "offer.pdf"]


def test_a_lone_sidecar_waits_and_says_for_what(office: Office) -> None:
    office.drop("x/PO.json", office.sidecar(office.order()))
    office.ring("x/PO.json")

    receipt = office.receipt("x/PO.json")
    assert (receipt["state"], receipt["waitingFor"]) == ("waiting", ["PO.pdf"])
    assert receipt["since"]


def test_the_same_event_many_times_attaches_once(office: Office) -> None:
    order = office.order()
    office.drop("x/PO.pdf", PDF)
    office.drop("x/PO.json", office.sidecar(order))
    office.ring(*["x/PO.pdf", "x/PO.json"] * 5)

    assert office.posts() == 1
    assert office.receipt("x/PO.json")["state"] == "attached"


def test_many_instances_that_get_all_events_at_once_attach_once(office: Office) -> None:
    order = office.order()
    office.drop("x/PO.pdf", PDF)
    office.drop("x/PO.json", office.sidecar(order))
    instances = [office.another() for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda s: office.ring("x/PO.pdf", "x/PO.json", by=s), instances * 3))

    assert office.posts() == 1
    assert office.receipt("x/PO.json")["state"] == "attached"


def test_the_same_documents_under_another_name_are_not_attached_again(office: Office) -> None:
    order = office.order()
    for stem in ("x/PO", "y/copy of PO"):
        office.drop(f"{stem}.pdf", PDF)
        office.drop(f"{stem}.json", office.sidecar(order))
        office.ring(f"{stem}.json")

    assert office.posts() == 1
    assert office.receipt("y/copy of PO.json")["state"] == "attached"


def test_a_file_that_two_sidecars_share_goes_to_both_orders(office: Office) -> None:
    orders = [office.order(), office.order()]
    for n, order in enumerate(orders):
        office.drop(f"x/s{n}.json", office.sidecar(order, poFiles=["shared.pdf"]))
        office.ring(f"x/s{n}.json")
    office.drop("x/shared.pdf", PDF)
    office.ring("x/shared.pdf")

    assert [office.attached(order) for order in orders] == [["shared.pdf"], ["shared.pdf"]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"no pdf at all", "PDF"),
    ],
)
def test_a_document_that_is_none_is_rejected_and_heals_when_dropped_again(
    office: Office, content: bytes, said: str
) -> None:
    order = office.order()
    office.drop("x/PO.pdf", content)
    office.drop("x/PO.json", office.sidecar(order))
    office.ring("x/PO.json")
    rejected = office.receipt("x/PO.json")
    office.drop("x/PO.pdf", PDF)
    office.ring("x/PO.pdf")

    assert rejected["state"] == "rejected"
    assert said in str(rejected["errors"])
    assert office.receipt("x/PO.json")["state"] == "attached"
    assert office.posts() == 1


def test_a_bad_sidecar_names_every_violation_and_heals_when_dropped_again(office: Office) -> None:
    order = office.order()
    office.drop("x/PO.pdf", PDF)
    office.drop("x/PO.json", {"customerId": "no", "orderId": "../..", "customerprice": 1, "currency": "XXQ"})
    office.ring("x/PO.json")
    rejected = office.receipt("x/PO.json")
    office.drop("x/PO.json", office.sidecar(order))
    office.ring("x/PO.json")

    assert rejected["state"] == "rejected"
    pointers = {v["pointer"] for v in rejected["errors"]}
    assert pointers == {"/customerId", "/orderId", "/customerprice", "/currency"}
    assert office.attached(order) == ["PO.pdf"]


def test_a_missed_event_is_found_by_the_sweep_once(office: Office) -> None:
    order = office.order()
    office.drop("x/PO.pdf", PDF)
    office.drop("x/PO.json", office.sidecar(order))
    office.clock.forward(minutes=6)
    first, second = office.sweep(), office.sweep()

    assert office.attached(order) == ["PO.pdf"]
    assert first["blobs"] >= 1
    assert second["blobs"] == 0


def test_a_document_that_nobody_claims_gets_a_receipt_after_a_day(office: Office) -> None:
    office.drop("x/lonely.pdf", PDF)
    office.ring("x/lonely.pdf")
    office.clock.forward(minutes=10)
    office.sweep()
    assert office.services.drops.receipts.store.read("x/lonely.pdf.json") is None
    office.clock.forward(hours=25)
    office.sweep()

    assert office.receipt("x/lonely.pdf.json")["state"] == "review"


def test_a_drop_that_still_waits_when_its_sidecar_is_deleted_is_rejected(office: Office) -> None:
    office.drop("x/PO.json", office.sidecar(office.order()))
    office.ring("x/PO.json")
    office.services.drops.blobs.send("DELETE", office.services.drops.incoming, "x/PO.json")
    office.clock.forward(hours=1)
    office.sweep()

    assert office.receipt("x/PO.json")["state"] == "rejected"
    assert office.sweep()["drops"] == 0


@pytest.mark.parametrize(
    ("document", "sidecar"),
    [("x/PO_77.PDF", "x/PO_77.json"), ("x/PO.pdf.pdf", "x/PO.pdf.json"), ("x/PO.Pdf", "x/PO.Pdf.json")],
)
@pytest.mark.parametrize("document_last", [True, False])
def test_a_document_keeps_the_name_that_its_blob_has(
    office: Office, document: str, sidecar: str, document_last: bool
) -> None:
    order = office.order()
    for path in (sidecar, document) if document_last else (document, sidecar):
        office.drop(path, PDF if path == document else office.sidecar(order))
        office.ring(path)

    name = document.rpartition("/")[2]
    receipt = office.receipt(sidecar)
    assert receipt["state"] == "attached"
    assert [file["fileName"] for file in receipt["files"]] == [name]
    assert [a.file_name for a in office.partner.state.orders[order].attachments] == [name]


def test_what_programs_leave_beside_files_is_left_alone(office: Office) -> None:
    order = office.order()
    litter = ["x/._PO.pdf", "x/~$PO.pdf", "x/.DS_Store", "x/Thumbs.db", "x/._PO.json"]
    for name in litter:
        office.drop(name, b"\x00\x05\x16\x07")
    drop_pair(office, order)
    office.ring("x/PO.json", *litter)
    settle_down(office, 60 * 25, 10)

    assert office.receipt("x/PO.json")["state"] == "attached"
    assert not any(office.services.drops.receipts.store.read(f"{name}.json") for name in litter)
    assert office.services.drops.receipts.store.read("x/._PO.json") is None
