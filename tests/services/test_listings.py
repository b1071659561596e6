"""However Partner Center lists attachments, what is there is found or for a person, and never sent twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.services.conftest import PDF, Office
from tests.services.steps import TENDER, drop_pair, drop_set, fail, lose, settle_down

SET = "x/metadata.json"
NAMES = {"Bestellung Müller №5.pdf": PDF, 'A "quoted" 100%.pdf': PDF + b"some more"}
"""Names that come back in other letters, in files of which each is a fraction of a kilobyte off."""

SHAPES: list[dict[str, Any]] = [
    *({"listed_names": how} for how in ("wire", "sent", "percent", "lower", "nfd", "mojibake", "empty")),
    *({"listed_sizes": how} for how in ("kib_up", "kib_down", "kb_up", "kb_down", "bytes", "text")),
    *({"attachment_casing": how} for how in ("pascal", "pascal_items")),
    *({"attachment_omits": [member]} for member in ("fileName", "sizeInKB")),
    {"listed_names": "mojibake", "listed_sizes": "bytes"},
    {"listed_names": "nfd", "listed_sizes": "kb_down", "attachment_casing": "pascal_items"},
    {"list_order": "newest"},
    {"list_order": "shuffled", "reply_lists_all": True},
    {"total_counts": "page"},
    {"null_when_empty": True},
    {"profile": "other"},
]
UNREADABLE: list[dict[str, Any]] = [
    {"attachment_omits": ["attachmentId"]},
    {"attachment_omits": ["attachmentType"]},
    {"attachment_omits": ["fileName", "sizeInKB"]},
    {"attachment_omits": ["attachmentId", "fileName", "sizeInKB", "attachmentType"]},
]


def prepared(office: Office, shape: dict[str, Any], *, earlier: bool) -> str:
    """An order, at a Partner Center of that shape, that may have a document already."""
    order = office.order()
    if earlier:
        office.partner.portal.upload(order, "earlier.pdf", "POAttachment", PDF)
    office.partner.configure(**shape)
    return order


def state(office: Office, path: str = SET) -> str:
    return str(office.receipt(path)["state"])


@pytest.mark.parametrize("earlier", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_was_answered_is_attached_however_it_is_listed(
    office: Office, shape: dict[str, Any], earlier: bool
) -> None:
    order = prepared(office, shape, earlier=earlier)
    drop_set(office, order, files=NAMES)
    office.ring(SET)

    assert (state(office), office.posts()) == ("attached", 1)
    [sent] = office.partner.state.orders[order].submissions
    assert {a["attachmentId"] for a in office.receipt(SET)["attachments"]} == {f.id for f in sent.files}


@pytest.mark.parametrize("earlier", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_was_not_answered_is_found_however_it_is_listed(
    office: Office, shape: dict[str, Any], earlier: bool
) -> None:
    order = prepared(office, shape, earlier=earlier)
    lose(office, unseen=True)
    drop_set(office, order, files=NAMES)
    office.ring(SET)
    settle_down(office, 4)

    assert (state(office), office.posts()) == ("attached", 1)
    [sent] = office.partner.state.orders[order].submissions
    assert {a["attachmentId"] for a in office.receipt(SET)["attachments"]} == {f.id for f in sent.files}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_did_not_arrive_is_sent_again_however_the_rest_is_listed(
    office: Office, shape: dict[str, Any]
) -> None:
    order = prepared(office, {**shape, "repeats_first_error": False}, earlier=True)
    lose(office, done=False, unseen=True)
    drop_set(office, order, files=NAMES)
    office.ring(SET)
    settle_down(office, 4)

    assert (state(office), office.posts()) == ("attached", 2)
    assert len(office.partner.state.orders[order].submissions) == 1


@pytest.mark.parametrize("shape", UNREADABLE, ids=str)
@pytest.mark.parametrize("lost", [True, False])
def test_what_cannot_be_read_is_for_a_person_and_not_absent(
    office: Office, shape: dict[str, Any], lost: bool
) -> None:
    order = prepared(office, shape, earlier=True)
    if lost:
        lose(office)
    drop_set(office, order, files=NAMES)
    office.ring(SET)
    settle_down(office, 4, *[300] * 6)

    assert office.posts() == 1
    assert state(office) in (("review",) if lost else ("review", "attached"))


@pytest.mark.parametrize("shape", UNREADABLE[:1] + UNREADABLE[3:], ids=str)
def test_what_may_be_hidden_in_an_unreadable_list_is_not_sent_again(
    office: Office, shape: dict[str, Any]
) -> None:
    order = prepared(office, shape, earlier=True)
    lose(office, done=False)
    drop_set(office, order)
    office.ring(SET)
    settle_down(office, 4, *[300] * 6)

    assert (state(office), office.posts()) == ("review", 1)


def test_documents_that_appear_one_by_one_are_waited_for(office: Office) -> None:
    order = office.order()
    lose(office, unseen=True)
    drop_set(office, order)
    office.ring(SET)
    uploads = office.partner.state.orders[order].submissions
    office.partner.configure(attachment_lag=200.0, attachments_appear="one_by_one")
    uploads[0] = replace(uploads[0], at=uploads[0].at - 120)
    settle_down(office, 1.75)
    half = office.receipt(SET)
    office.partner.configure(attachment_lag=0.0)
    settle_down(office, 4)

    assert (half["state"], half["detail"]) == (
        "retrying",
        "Partner Center has some of the documents, but nothing that matches t.pdf",
    )
    assert (state(office), office.posts()) == ("attached", 1)


@pytest.mark.parametrize(
    ("way", "whole"),
    [
        ("links_next", True),
        ("body_token", True),
        ("header", True),
        ("next_link", False),
        ("odata_next_link", False),
        ("skip_token", False),
        ("total_only", False),
    ],
)
@pytest.mark.parametrize("done", [True, False])
def test_a_list_in_pages_is_read_to_its_end_or_proves_nothing(
    office: Office, way: str, whole: bool, done: bool
) -> None:
    order = office.order()
    for n in range(5):
        office.partner.portal.upload(order, f"{n}.pdf", "POAttachment", PDF + bytes(n))
    office.partner.configure(page_size=2, continuation=way)
    lose(office, done=done)
    drop_set(office, order)
    office.ring(SET)
    settle_down(office, 4, *[300] * 6)

    assert state(office) == ("attached" if whole else "review")
    assert office.posts() == (2 if whole and not done else 1)


@pytest.mark.parametrize("omitted", ["totalCount", "attributes"])
def test_a_list_that_does_not_say_how_much_it_is_proves_nothing_absent(office: Office, omitted: str) -> None:
    order = office.order()
    office.partner.configure(list_omits=[omitted])
    lose(office, done=False)
    drop_set(office, order)
    office.ring(SET)
    settle_down(office, 4, *[300] * 6)

    told = omitted != "totalCount"
    assert (state(office), office.posts()) == (("attached", 2) if told else ("review", 1))


def test_a_list_that_is_older_than_what_is_known_of_the_order_proves_nothing(office: Office) -> None:
    order = office.order()
    drop_pair(office, order)
    office.ring("x/PO.json")
    [known] = office.partner.state.orders[order].submissions
    lose(office, done=False, unseen=True)
    drop_set(office, order, "y")
    office.ring("y/metadata.json")
    office.partner.state.orders[order].submissions.clear()
    settle_down(office, 4)
    posts, told = office.posts(), office.receipt("y/metadata.json")
    office.partner.state.orders[order].submissions.append(known)
    settle_down(office, 10)

    assert (posts, told["state"], "is stale" in told["detail"]) == (2, "retrying", True)
    assert (state(office, "y/metadata.json"), office.posts()) == ("attached", 3)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 501])
def test_a_list_that_is_refused_lets_the_documents_go_and_silence_then_ends_with_a_person(
    office: Office, status: int
) -> None:
    order = office.order()
    denied = {"code": "20002", "description": "No relationship."}
    fail(office, "GET attachments", times=-1, kind="status", status=status, body=denied)
    lose(office, done=False)
    drop_set(office, order)
    office.ring(SET)
    posts = office.posts()
    settle_down(office, 4, *[300] * 6)

    assert (posts, office.posts(), state(office)) == (1, 1, "review")


@pytest.mark.parametrize(
    "passing",
    [
        {"kind": "status", "status": 503},
        {"kind": "throttle", "retry_after": 90},
        {"kind": "refuse"},
        {"kind": "truncate"},
        {"kind": "garbage"},
    ],
    ids=str,
)
def test_a_list_that_fails_for_a_passing_reason_keeps_the_documents_waiting(
    office: Office, passing: dict[str, Any]
) -> None:
    order = office.order()
    fail(office, "GET attachments", times=3, **passing)
    drop_set(office, order, tenders={"t.pdf": TENDER})
    office.ring(SET)
    told, posts = office.receipt(SET), office.posts()
    office.partner.faults.clear()
    settle_down(office, 5)

    assert (told["state"], posts) == ("retrying", 0)
    assert told["actor"] in ("nobody", "operator", "microsoft")
    assert told["remedy"]
    assert told["nextAttempt"]
    assert (state(office), office.posts()) == ("attached", 1)
