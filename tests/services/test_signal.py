"""The sidecar is the signal to send: what changes after it was used waits until it is dropped again."""

from __future__ import annotations

import time

import pytest

from shared.core.ledger import State
from tests.services.conftest import PDF, Office
from tests.services.steps import (
    REFUSED,
    TENDER,
    attach,
    delete,
    drop_pair,
    drop_set,
    fail,
    lose,
    pair_in_review,
    settle_down,
)

SET, PAIR = "x/metadata.json", "x/PO.json"
NEWER = PDF[:-1] + b"2"


def state(office: Office, path: str = PAIR) -> str:
    return str(office.receipt(path)["state"])


def versions(office: Office, order: str) -> list[bytes | None]:
    """The content of every file that was attached, oldest first."""
    return [file.content for file in office.partner.state.orders[order].attachments]


def next_second() -> None:
    """Storage tells times to the second."""
    time.sleep(1.05 - time.time() % 1.0)


def replace(office: Office, path: str, content: bytes) -> None:
    next_second()
    office.drop(path, content)
    office.ring(path)


def test_a_replaced_document_of_a_pair_waits_for_the_sidecar_and_the_receipt_says_so(office: Office) -> None:
    order = office.order()
    drop_pair(office, order)
    office.ring(PAIR)
    replace(office, "x/PO.pdf", NEWER)
    told, waits = office.receipt(PAIR), versions(office, order)
    settle_down(office, 10, 26 * 60)
    later = versions(office, order)
    drop_pair(office, order, pdf=NEWER)
    office.ring(PAIR)

    assert waits == later == [PDF]
    assert told["state"] == "attached"
    assert [f["size"] for f in told["files"]] == [len(PDF)]
    assert [(f["fileName"], f["etag"] != "") for f in told["newer"]["files"]] == [("PO.pdf", True)]
    assert "PO.json" in told["newer"]["remedy"]
    assert versions(office, order) == [PDF, NEWER]
    receipt = office.receipt(PAIR)
    assert (receipt["state"], "newer" in receipt, len(receipt["previous"])) == ("attached", False, 1)


def test_of_a_set_whose_documents_are_replaced_one_by_one_no_mixture_is_sent(office: Office) -> None:
    order = office.order()
    drop_set(office, order)
    office.ring(SET)
    replace(office, "x/a.pdf", NEWER)
    first = office.receipt(SET)
    replace(office, "x/t.pdf", TENDER[:-1] + b"2")
    second, mixed = office.receipt(SET), office.posts()
    next_second()
    office.drop(SET, office.sidecar(order, isPartOfTender=True, poFiles=["a.pdf"], tenderFiles=["t.pdf"]))
    office.ring(SET)

    assert [f["fileName"] for f in first["newer"]["files"]] == ["a.pdf"]
    assert sorted(f["fileName"] for f in second["newer"]["files"]) == ["a.pdf", "t.pdf"]
    assert (first["state"], second["state"], mixed) == ("attached", "attached", 1)
    assert (office.posts(), state(office, SET)) == (2, "attached")
    assert versions(office, order) == [PDF, TENDER, NEWER, TENDER[:-1] + b"2"]


def test_a_set_whose_sidecar_is_copied_before_its_documents_waits_for_the_sidecar(office: Office) -> None:
    order = office.order()
    drop_set(office, order)
    office.ring(SET)
    next_second()
    office.drop(SET, office.sidecar(order, isPartOfTender=True, poFiles=["a.pdf"], tenderFiles=["t.pdf"]))
    office.ring(SET)
    replace(office, "x/a.pdf", NEWER)
    replace(office, "x/t.pdf", TENDER[:-1] + b"2")

    receipt = office.receipt(SET)
    assert office.posts() == 1
    assert (receipt["state"], len(receipt["newer"]["files"])) == ("attached", 2)


def test_a_pair_whose_sidecar_is_copied_before_its_document_is_sent_when_the_document_comes(
    office: Office,
) -> None:
    order = office.order()
    drop_pair(office, order)
    office.ring(PAIR)
    office.drop(PAIR, office.sidecar(order))
    office.ring(PAIR)
    replayed = office.posts()
    replace(office, "x/PO.pdf", NEWER)

    assert replayed == 1, "a look that sends nothing does not spend the sidecar"
    assert versions(office, order) == [PDF, NEWER]


@pytest.mark.parametrize("done", [True, False])
def test_a_document_that_is_replaced_while_it_is_not_known_what_became_of_the_first(
    office: Office, done: bool
) -> None:
    order = office.order()
    lose(office, done=done, unseen=True)
    drop_pair(office, order)
    office.ring(PAIR)
    replace(office, "x/PO.pdf", NEWER)
    told = office.receipt(PAIR)
    settle_down(office, 4, 4, 4)

    assert (told["state"], office.receipt(PAIR)["state"]) == ("retrying", "attached")
    assert versions(office, order) == [PDF if done else NEWER], "a sidecar sends one set"
    assert ("newer" in office.receipt(PAIR)) == done


def test_a_document_that_is_replaced_while_the_first_is_in_review_waits_for_the_sidecar(
    office: Office,
) -> None:
    order = office.order()
    pair_in_review(office, order)
    replace(office, "x/PO.pdf", NEWER)
    told = office.receipt(PAIR)
    drop_pair(office, order, pdf=NEWER)
    office.ring(PAIR)

    assert (told["state"], "newer" in told) == ("review", True)
    assert versions(office, order) == [NEWER]
    assert state(office) == "attached"


def test_a_sidecar_of_which_nothing_was_sent_is_not_spent(office: Office) -> None:
    order = office.order()
    fail(office, "POST attachment", **REFUSED)
    drop_pair(office, order)
    office.ring(PAIR)
    refused = state(office)
    replace(office, "x/PO.pdf", b"junk")
    junk = state(office)
    replace(office, "x/PO.pdf", NEWER)

    assert (refused, junk, state(office)) == ("rejected", "rejected", "attached")
    assert versions(office, order) == [NEWER]


def test_a_document_that_is_put_back_is_what_was_attached(office: Office) -> None:
    order = office.order()
    drop_pair(office, order)
    office.ring(PAIR)
    replace(office, "x/PO.pdf", NEWER)
    waits = "newer" in office.receipt(PAIR)
    replace(office, "x/PO.pdf", PDF)

    assert (waits, "newer" in office.receipt(PAIR)) == (True, False)
    assert (state(office), office.posts()) == ("attached", 1)


def test_what_an_http_caller_attaches_spends_no_sidecar(office: Office) -> None:
    order = office.order()
    attach(office, order)
    drop_pair(office, order, pdf=NEWER)
    office.ring(PAIR)

    assert (state(office), versions(office, order)) == ("attached", [PDF, NEWER])


@pytest.mark.parametrize("junk", [b"", b"no pdf"])
def test_what_was_attached_stays_visible_when_junk_is_dropped_over_it(office: Office, junk: bytes) -> None:
    order = office.order()
    drop_pair(office, order)
    office.ring(PAIR)
    attached = office.receipt(PAIR)
    replace(office, "x/PO.pdf", junk)
    rejected = office.receipt(PAIR)
    settle_down(office, 10)

    assert rejected["state"] == state(office) == "rejected"
    [previous] = rejected["previous"]
    assert previous["attachments"] == attached["attachments"]
    assert previous["files"] == attached["files"]


def test_what_was_attached_stays_visible_through_whatever_follows(office: Office) -> None:
    order = office.order()
    drop_pair(office, order)
    office.ring(PAIR)
    first = office.receipt(PAIR)["attachments"]
    office.drop(PAIR, {"orderId": 5})
    office.ring(PAIR)
    rejected = office.receipt(PAIR)
    delete(office, "x/PO.pdf")
    next_second()
    office.drop(PAIR, office.sidecar(order))
    office.ring(PAIR)
    waiting = office.receipt(PAIR)
    office.drop("x/PO.pdf", NEWER)
    fail(office, "GET attachments", times=3, kind="status", status=503)
    office.ring("x/PO.pdf")
    retrying = office.receipt(PAIR)
    settle_down(office, 5)

    seen = [rejected, waiting, retrying, office.receipt(PAIR)]
    assert [r["state"] for r in seen] == ["rejected", "waiting", "retrying", "attached"]
    assert [[p["attachments"] for p in r["previous"]] for r in seen] == [[first]] * 4
    assert [own.state for own in office.submissions(order).values()] == [State.DONE] * 2
