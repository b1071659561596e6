"""Documents that are still arriving, or were cut off: nothing of them is sent, and nothing is lost."""

from __future__ import annotations

import pytest
from azure.storage.blob import BlobServiceClient

from shared.core.ledger import State
from shared.services.drops import SLOW
from tests.services.conftest import PDF, Office
from tests.services.steps import UNREADABLE, drop_pair, drop_set, fail, settle_down

PAIR = "x/PO.json"
LARGE = PDF[:-6] + b"0123456789abcdef" * 60_000
"""More than is read before a claim, without the last line."""
HUGE = LARGE + b"0123456789abcdef" * (SLOW // 16)
END = b"\n%%EOF\n"


def append(office: Office, name: str, piece: bytes, *, new: bool = False) -> None:
    service = BlobServiceClient.from_connection_string(office.env["DocumentStorage"])
    blob = service.get_blob_client(office.services.drops.incoming, name)
    if new:
        blob.create_append_blob()
    blob.append_block(piece)


def waits(office: Office, path: str = PAIR, name: str = "PO.pdf") -> None:
    receipt = office.receipt(path)
    assert (receipt["state"], receipt["actor"]) == ("waiting", "caller")
    assert receipt["detail"] == f"{name} has no end (%%EOF): it is cut off, or still arriving"
    assert '"acceptIncompletePdf": true' in receipt["remedy"]


@pytest.mark.parametrize(
    "content", [PDF[: len(PDF) // 3], LARGE, HUGE], ids=["small", "large", "so large that it says submitting"]
)
def test_a_pair_whose_document_is_cut_off_waits_and_is_sent_when_the_whole_of_it_arrives(
    office: Office, content: bytes
) -> None:
    order = office.order()
    drop_pair(office, order, pdf=content)
    office.ring(PAIR)
    waits(office)
    assert office.partner.state.orders[order].attachments == []
    office.ring(PAIR, "x/PO.pdf")
    settle_down(office, 4, 30)
    waits(office)
    assert office.posts() <= 1, "what is known to have no end is not begun again"
    office.drop("x/PO.pdf", content + END)
    office.ring("x/PO.pdf")

    assert office.receipt(PAIR)["state"] == "attached"
    kept = None if content is HUGE else content + END  # the simulator keeps no large contents
    there = [(a.size, a.content) for a in office.partner.state.orders[order].attachments]
    assert there == [(len(content + END), kept)]


def test_a_blob_that_grows_by_appending_is_sent_once_it_is_whole(office: Office) -> None:
    order = office.order()
    office.drop(PAIR, office.sidecar(order))
    append(office, "x/PO.pdf", PDF[:4000], new=True)
    office.ring("x/PO.pdf", PAIR)
    waits(office)
    append(office, "x/PO.pdf", PDF[4000:-6])
    office.ring("x/PO.pdf")
    waits(office)
    append(office, "x/PO.pdf", PDF[-6:])
    office.ring("x/PO.pdf")

    assert office.receipt(PAIR)["state"] == "attached"
    assert office.posts() == 1


@pytest.mark.parametrize("content", [PDF[:4000], LARGE], ids=["small", "large"])
def test_a_person_may_say_that_a_document_without_an_end_is_whole(office: Office, content: bytes) -> None:
    order = office.order()
    drop_pair(office, order, pdf=content)
    office.ring(PAIR)
    waits(office)
    office.drop(PAIR, office.sidecar(order, acceptIncompletePdf=True))
    office.ring(PAIR)

    assert office.receipt(PAIR)["state"] == "attached"
    assert [a.content for a in office.partner.state.orders[order].attachments] == [content]


@pytest.mark.parametrize("content", [PDF[:4000], LARGE], ids=["small", "large"])
def test_the_sweep_finds_the_end_of_a_document_whose_event_was_lost(office: Office, content: bytes) -> None:
    order = office.order()
    drop_pair(office, order, pdf=content)
    office.ring(PAIR)
    waits(office)
    office.drop("x/PO.pdf", content + END)
    settle_down(office, 15, 15)

    assert office.receipt(PAIR)["state"] == "attached"
    assert [a.content for a in office.partner.state.orders[order].attachments] == [content + END]


@pytest.mark.parametrize("content", [PDF[:4000], LARGE], ids=["small", "large"])
def test_what_is_said_of_a_document_bears_the_name_of_its_blob(office: Office, content: bytes) -> None:
    office.drop("x/PO.PDF", content)
    office.drop(PAIR, office.sidecar(office.order()))
    office.ring(PAIR)

    waits(office, name="PO.PDF")


@pytest.mark.parametrize("content", [PDF[:4000], LARGE, HUGE], ids=["small", "large", "huge"])
def test_what_was_retried_for_another_reason_and_has_no_end_says_so(office: Office, content: bytes) -> None:
    order = office.order()
    fail(office, "GET attachments", times=3, **UNREADABLE)
    drop_pair(office, order, pdf=content)
    office.ring(PAIR)
    first = office.receipt(PAIR)["state"]
    settle_down(office, 3, 3)
    waits(office)
    assert first == ("waiting" if len(content) == 4000 else "retrying")
    assert "nextAttempt" not in office.receipt(PAIR)


def test_a_drop_that_is_sent_in_the_end_says_so_after_it_waited_and_was_retried(office: Office) -> None:
    order = office.order()
    drop_pair(office, order, pdf=HUGE)
    office.ring(PAIR)
    waits(office)
    fail(office, "POST attachment", kind="throttle", retry_after=300)
    office.drop("x/PO.pdf", HUGE + END)
    office.ring("x/PO.pdf")
    second = office.receipt(PAIR)["state"]
    settle_down(office, 6, 3)

    assert (second, office.receipt(PAIR)["state"]) == ("retrying", "attached")


def test_a_set_of_which_one_document_is_cut_off_waits_as_a_whole(office: Office) -> None:
    order = office.order()
    path = drop_set(office, order, files={"a.pdf": PDF, "b.pdf": LARGE})
    office.ring(path)
    receipt = office.receipt(path)
    office.drop("x/b.pdf", LARGE + END)
    office.ring("x/b.pdf")

    assert (receipt["state"], receipt["detail"][:5]) == ("waiting", "b.pdf")
    assert office.receipt(path)["state"] == "attached"
    assert len(office.partner.state.orders[order].submissions) == 1


def test_a_missing_and_an_unfinished_document_are_both_named(office: Office) -> None:
    order = office.order()
    sidecar = office.sidecar(order, poFiles=["a.pdf", "b.pdf"])
    office.drop("x/metadata.json", sidecar)
    office.drop("x/a.pdf", PDF[:4000])
    office.ring("x/metadata.json")
    receipt = office.receipt("x/metadata.json")

    assert receipt["waitingFor"] == ["b.pdf"]
    assert receipt["detail"].startswith("a.pdf has no end")
    assert "upload the missing files" in receipt["remedy"]
    assert "upload the whole file again" in receipt["remedy"]


def test_what_was_begun_and_had_no_end_leaves_nothing_open(office: Office) -> None:
    order = office.order()
    drop_pair(office, order, pdf=LARGE)
    office.ring(PAIR)
    (own,) = office.submissions(order).values()

    assert (own.state, own.incomplete, own.due) == (State.REFUSED, True, None)
    assert office.partner.state.orders[order].submissions == []
