"""What is new at an order is ours, and nothing else is: neighbours, other submissions, people by hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.core.ledger import State
from tests.services.conftest import PDF, Office
from tests.services.steps import (
    TENDER,
    Do,
    attach,
    decide,
    drop_pair,
    drop_set,
    fail,
    lose,
    pair_in_review,
    set_in_review,
    settle_down,
)

SET = "x/metadata.json"


def ids(office: Office, path: str = "x/PO.json") -> list[str]:
    """The ids that a receipt lists."""
    return sorted(str(a["attachmentId"]) for a in office.receipt(path)["attachments"])


def state(office: Office, path: str = "x/PO.json") -> str:
    return str(office.receipt(path)["state"])


def sent(office: Office, order: str) -> list[list[str]]:
    """The ids of each upload that came over the API."""
    return [sorted(f.id for f in u.files) for u in office.partner.state.orders[order].submissions]


NOT_NOW: Do = {"kind": "status", "status": 403, "body": {"code": "800073", "description": "Under review."}}
"""A refusal that passes by itself."""


def by_hand(office: Office, order: str, name: str = "PO.pdf", pdf: bytes = PDF) -> str:
    return office.partner.portal.upload(order, name, "POAttachment", pdf).id


@pytest.mark.parametrize("done", [True, False])
def test_a_document_alike_that_a_person_uploaded_before_is_not_taken_for_ours(
    office: Office, done: bool
) -> None:
    order = office.order()
    theirs = by_hand(office, order)
    lose(office, done=done, unseen=True)
    drop_pair(office, order)
    office.ring("x/PO.json")
    settle_down(office, 4)

    [ours] = sent(office, order)
    assert state(office) == "attached"
    assert ids(office) == ours != [theirs]
    assert office.posts() == (1 if done else 2)


def test_a_document_alike_that_a_person_uploads_within_the_silence_is_for_a_person_to_tell(
    office: Office,
) -> None:
    order = office.order()
    lose(office, unseen=True)
    drop_pair(office, order)
    office.ring("x/PO.json")
    by_hand(office, order)
    settle_down(office, 4, 60)

    assert (state(office), office.posts()) == ("review", 1)
    assert "2 new attachments" in office.receipt("x/PO.json")["detail"]


@pytest.mark.parametrize(("done", "expected"), [(True, "attached"), (False, "review")])
def test_another_document_that_a_person_uploads_within_the_silence_is_not_ours(
    office: Office, done: bool, expected: str
) -> None:
    order = office.order()
    lose(office, done=done, unseen=True)
    drop_pair(office, order)
    office.ring("x/PO.json")
    theirs = by_hand(office, order, "other.pdf", PDF * 3)
    settle_down(office, 4, 60)

    assert (state(office), office.posts()) == (expected, 1)
    if done:
        assert ids(office) == sent(office, order)[0]
        assert theirs not in ids(office)


@pytest.mark.parametrize("lists_all", [True, False])
def test_receipts_list_what_is_theirs_and_not_the_whole_order(office: Office, lists_all: bool) -> None:
    order = office.order()
    office.partner.configure(reply_lists_all=lists_all)
    by_hand(office, order)
    for n in range(3):
        drop_pair(office, order, f"x/{n}/PO", PDF[:-1] + b"%d" % n)
        office.ring(f"x/{n}/PO.json")

    assert [ids(office, f"x/{n}/PO.json") for n in range(3)] == sent(office, order)
    assert [own.state for own in office.submissions(order).values()] == [State.DONE] * 3


@pytest.mark.parametrize("lists_all", [True, False])
def test_a_part_that_was_dropped_does_not_hide_among_the_documents_of_earlier_submissions(
    office: Office, lists_all: bool
) -> None:
    order = office.order()
    office.partner.configure(reply_lists_all=lists_all)
    drop_set(office, order)
    office.ring(SET)
    fail(office, "POST attachment", kind="drop_part", name="TenderFiles")
    drop_set(office, order, "y", {"a.pdf": PDF[:-1] + b"?"}, {"t.pdf": TENDER[:-1] + b"?"})
    office.ring("y/metadata.json")
    told = state(office, "y/metadata.json")
    settle_down(office, 4, 60)

    assert (state(office, SET), told, state(office, "y/metadata.json")) == ("attached", "retrying", "review")
    assert office.posts() == 2


@pytest.mark.parametrize("what", ["version", "price"])
@pytest.mark.parametrize("lists_all", [True, False])
def test_the_third_of_three_that_look_alike_is_not_told_as_attached_when_it_never_arrived(
    office: Office, what: str, lists_all: bool
) -> None:
    order = office.order()
    office.partner.configure(reply_lists_all=lists_all)
    for n in range(3):
        if n == 2:
            fail(office, "POST attachment", kind="drop_part", name="POFiles")
        pdf = PDF[:-1] + b"%d" % n if what == "version" else PDF
        drop_pair(office, order, "x/PO", pdf, customerPrice=f"{n + 1 if what == 'price' else 1}.50")
        office.ring("x/PO.json")
    settle_down(office, 4)

    receipt = office.receipt("x/PO.json")
    assert (receipt["state"], office.posts()) == ("review", 3)
    assert len(receipt["previous"]) == 2
    assert sorted(own.state for own in office.submissions(order).values()) == ["done", "done", "review"]


@pytest.mark.parametrize("done", [True, False])
def test_two_sets_of_the_same_files_in_other_order_by_two_instances_at_once_are_one_each(
    office: Office, done: bool
) -> None:
    order = office.order()
    one, two = {"a.pdf": PDF, "b.pdf": PDF[:-1] + b"b"}, {"b.pdf": PDF[:-1] + b"b", "a.pdf": PDF}
    paths = [
        drop_set(office, order, "x", one, {}, customerPrice="1.00"),
        drop_set(office, order, "y", two, {}, customerPrice="2.00"),
    ]
    for _ in paths:
        lose(office, done=done, unseen=True)
    instances = [office.services, office.another()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: office.ring(paths[n], by=instances[n]), range(2)))
    settle_down(office, *[4] * 5)

    assert [state(office, path) for path in paths] == ["attached", "attached"]
    assert sorted(ids(office, path) for path in paths) == sorted(sent(office, order))
    assert len(sent(office, order)) == 2


def test_the_same_set_in_other_order_is_the_same_submission(office: Office) -> None:
    order = office.order()
    files = {"a.pdf": PDF, "b.pdf": PDF[:-1] + b"b"}
    drop_set(office, order, "x", files, {})
    drop_set(office, order, "y", dict(reversed(files.items())), {})
    office.ring(SET, "y/metadata.json")

    assert office.posts() == 1
    assert ids(office, SET) == ids(office, "y/metadata.json")


def test_two_with_the_same_names_of_which_one_was_silent_are_told_apart_without_a_person(
    office: Office,
) -> None:
    order = office.order()
    lose(office, unseen=True)
    for stem, pdf in (("x/PO", PDF), ("y/PO", PDF[:-1] + b"?")):
        drop_pair(office, order, stem, pdf)
        office.ring(f"{stem}.json")
    told = [state(office, f"{stem}/PO.json") for stem in "xy"]
    settle_down(office, 4, 4)

    assert told == ["retrying", "retrying"]
    assert [ids(office, f"{stem}/PO.json") for stem in "xy"] == sent(office, order)
    assert office.posts() == 2


def test_what_was_silent_and_is_sent_again_goes_before_what_looks_like_it(office: Office) -> None:
    order = office.order()
    lose(office, done=False, unseen=True)
    drop_pair(office, order)
    office.ring("x/PO.json")
    office.clock.forward(minutes=3)
    fail(office, "POST attachment", **NOT_NOW)
    office.sweep()
    drop_pair(office, order, "y/PO", PDF[:-1] + b"?")
    drop_pair(office, order, "z/other", PDF + bytes(9_000))
    office.ring("y/PO.json", "z/other.json")
    told = office.receipt("y/PO.json")
    attached = state(office, "z/other.json")
    settle_down(office, 21, 2, 2)

    assert attached == "attached", "what does not look like it waits for nobody"
    assert (told["state"], told["remedy"]) == (
        "retrying",
        "nothing to do: it will be sent when the other submission for this order has ended",
    )
    assert "another submission for this order got no answer and goes first" in told["detail"]
    assert [state(office, f"{folder}/PO.json") for folder in "xy"] == ["attached", "attached"]
    other, first, second = sent(office, order)
    assert (ids(office, "x/PO.json"), ids(office, "y/PO.json")) == (first, second)
    assert ids(office, "z/other.json") == other


def test_two_that_were_silent_do_not_wait_for_each_other(office: Office) -> None:
    order = office.order()
    lose(office, done=False)
    attach(office, order)
    settle_down(office, 4)
    lose(office, done=False)
    drop_pair(office, order, "y/PO", PDF[:-1] + b"?")
    office.ring("y/PO.json")
    fail(office, "POST attachment", times=2, **NOT_NOW)
    settle_down(office, 4)
    drop_pair(office, order)
    office.ring("x/PO.json")
    told = [state(office, f"{folder}/PO.json") for folder in "xy"]
    settle_down(office, 21, 2, 2)

    assert told == ["retrying", "retrying"]
    assert [ids(office, f"{folder}/PO.json") for folder in "xy"] == sent(office, order)


def test_what_shows_too_late_is_not_taken_for_what_looks_like_it_and_was_silent_too(office: Office) -> None:
    """The first came over HTTP: nobody can send it again before the second goes."""
    order = office.order()
    office.partner.configure(attachment_lag=600.0)
    lose(office)
    first = attach(office, order)
    settle_down(office, 4)
    lose(office, done=False)
    drop_pair(office, order, "y/PO", PDF[:-1] + b"?")
    office.ring("y/PO.json")
    office.partner.configure(attachment_lag=0.0)
    settle_down(office, 4, 4)

    assert office.submissions(order)[first.submission.digest].state is State.PENDING
    assert state(office, "y/PO.json") == "review"
    assert "may be those of another submission" in office.receipt("y/PO.json")["detail"]


def test_what_a_review_explains_sends_nobody_else_to_review(office: Office) -> None:
    """A person uploads the document that is missing, while another submission is found to be absent."""
    order = office.order()
    set_in_review(office, order)
    lose(office, done=False, unseen=True)
    drop_pair(office, order, "y/PO", PDF + b"quite another")
    office.ring("y/PO.json")
    missing = office.partner.portal.upload(order, "t.pdf", "TenderAttachment", TENDER).id
    settle_down(office, 4)

    assert (state(office, "y/PO.json"), state(office, SET)) == ("attached", "review")
    assert ids(office, "y/PO.json") == sent(office, order)[-1]
    assert missing not in ids(office, "y/PO.json")


def test_one_in_review_holds_up_nobody_and_keeps_what_may_be_its_own(office: Office) -> None:
    order = office.order()
    key = pair_in_review(office, order)
    drop_pair(office, order, "y/PO", PDF[:-1] + b"?")
    office.ring("y/PO.json")
    late = by_hand(office, order)
    decide(office, key, "adopt")

    assert state(office, "y/PO.json") == "attached"
    assert ids(office, "x/PO.json") == [late]


def test_two_of_which_nothing_could_be_listed_share_no_document(office: Office) -> None:
    order = office.order()
    fail(office, "GET attachments", times=-1, kind="status", status=403, body={"code": "1", "message": ""})
    fail(office, "POST attachment", kind="lose_reply")
    for stem, pdf in (("x/PO", PDF), ("y/PO", PDF[:-1] + b"?")):
        drop_pair(office, order, stem, pdf)
        office.ring(f"{stem}.json")
    settle_down(office, *[300] * 6)
    told = [state(office, f"{stem}/PO.json") for stem in "xy"]
    office.partner.faults.clear()
    decide(office, office.receipt("x/PO.json")["submission"], "adopt")

    assert told == ["review", "attached"]
    assert [ids(office, f"{stem}/PO.json") for stem in "xy"] == sent(office, order)


def test_an_answer_of_whose_list_nothing_was_known_before_says_that_it_is_not_verified(
    office: Office,
) -> None:
    order = office.order()
    fail(office, "GET attachments", times=-1, kind="status", status=404, body="")
    drop_pair(office, order)
    office.ring("x/PO.json")

    receipt = office.receipt("x/PO.json")
    assert (receipt["state"], receipt["verified"]) == ("attached", False)
    assert ids(office) == sent(office, order)[0]


def test_an_order_id_is_one_whatever_its_case(office: Office) -> None:
    order = office.order()
    lower = attach(office, order)
    upper = attach(office, order.upper())

    assert (lower.submission.state, upper.replayed) == (State.DONE, True)
    assert office.posts() == 1


def test_orders_whose_ids_are_no_numbers_are_two_when_their_case_differs(office: Office) -> None:
    office.partner.state.seed_order("c501c3c4-d776-40ef-9ecf-9cefb59442c1", "Order-X", 0.0)
    office.partner.state.seed_order("c501c3c4-d776-40ef-9ecf-9cefb59442c1", "order-x", 0.0)
    outcomes = [attach(office, "Order-X"), attach(office, "order-x")]

    assert [o.replayed for o in outcomes] == [False, False]
    assert [office.attached(order) for order in ("Order-X", "order-x")] == [["PO.pdf"], ["PO.pdf"]]
