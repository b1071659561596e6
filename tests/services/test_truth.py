"""Whoever is told that nothing was done is told the truth, also where storage says nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from local.fault_proxy import Proxy
from local.fault_rules import Fault
from shared.core.errors import PartnerCenterError, StorageError, StorageUnknownError
from shared.core.ledger import State
from shared.services.operation import Outcome
from tests.services.conftest import PDF, Office
from tests.services.steps import (
    NOT_DONE,
    REFUSED,
    UNREADABLE,
    attach,
    behind_proxy,
    drop_pair,
    fail,
    look,
    settle_down,
)

DENIED = Fault("status", status=403, code="Denied")
"""Storage did not do it, and is not asked again."""
LOST = Fault("status", status=500, code="InternalError", after=True)
"""Storage did it, and says that it does not know."""


def break_ledger(office: Office, storage: Proxy, fault: Fault, method: str, **which: Any) -> None:
    """Have requests about records suffer."""
    container = office.env["LEDGER_CONTAINER"]
    for names in ("orders/*", "attachments/*"):
        storage.inject(fault, method=method, container=container, name=names, **which)


def placed(office: Office) -> int:
    return len(office.partner.state.orders)


def close(office: Office, kind: str) -> Callable[..., Any]:
    """How one of both kinds is asked for, for the order of an office that has one."""
    if kind == "order":
        return lambda by=None: office.place(by=by)
    order = office.order()
    return lambda by=None: attach(office, order, by=by)


@pytest.mark.parametrize("kind", ["order", "attachments"])
def test_a_claim_whose_answer_is_lost_and_that_stands_there_is_gone_on_with(
    office: Office, kind: str
) -> None:
    ask = close(office, kind)
    with behind_proxy(office) as (storage, faulty):
        break_ledger(office, storage, LOST, "PUT")
        outcome: Outcome = ask(by=faulty)

    assert outcome.submission.state is State.DONE
    assert office.posts(f"POST {kind.removesuffix('s')}") == 1


@pytest.mark.parametrize("times", [1, -1])
def test_an_order_whose_claim_nobody_knows_of_is_not_told_as_not_done(office: Office, times: int) -> None:
    with behind_proxy(office) as (storage, faulty):
        break_ledger(office, storage, LOST, "PUT", times=times)
        break_ledger(office, storage, DENIED, "GET", times=-1)
        with pytest.raises(StorageUnknownError):
            office.place(by=faulty)
    before = placed(office)
    settle_down(office, 10, 25, 25)

    assert before == 0
    assert placed(office) == 1, "the claim stood there, and whoever asked was told so"
    assert office.place().replayed


@pytest.mark.parametrize("times", [1, -1])
def test_documents_whose_claim_nobody_knows_of_are_not_told_as_not_done_and_not_sent_without_their_sender(
    office: Office, times: int
) -> None:
    order = office.order()
    with behind_proxy(office) as (storage, faulty):
        break_ledger(office, storage, LOST, "PUT", times=times)
        break_ledger(office, storage, DENIED, "GET", times=-1)
        with pytest.raises(StorageUnknownError):
            attach(office, order, by=faulty)
    settle_down(office, 10, 25)
    [digest] = office.submissions(order)

    assert look(office, order, digest).submission.state is State.PENDING
    assert office.posts() == 0
    assert attach(office, order).submission.state is State.DONE


@pytest.mark.parametrize("kind", ["order", "attachments"])
def test_what_storage_refused_to_record_was_not_sent_and_never_is(office: Office, kind: str) -> None:
    ask = close(office, kind)
    with behind_proxy(office) as (storage, faulty):
        break_ledger(office, storage, DENIED, "PUT", times=-1)
        with pytest.raises(StorageError) as caught:
            ask(by=faulty)
    settle_down(office, 10, 25, 25, 300)

    assert not isinstance(caught.value, StorageUnknownError)
    assert office.posts(f"POST {kind.removesuffix('s')}") == 0


@pytest.mark.parametrize("kind", ["order", "attachments"])
@pytest.mark.parametrize("fault", [DENIED, LOST])
def test_an_answer_in_hand_is_told_though_storage_does_not_take_it(
    office: Office, kind: str, fault: Fault
) -> None:
    ask = close(office, kind)
    with behind_proxy(office) as (storage, faulty):
        break_ledger(office, storage, fault, "PUT", skip=1)
        outcome: Outcome = ask(by=faulty)
    settle_down(office, 10, 25, 25)
    again: Outcome = ask()

    assert [o.submission.state for o in (outcome, again)] == [State.DONE, State.DONE]
    assert office.posts(f"POST {kind.removesuffix('s')}") == 1


@pytest.mark.parametrize("kind", ["order", "attachments"])
@pytest.mark.parametrize("answer", [REFUSED, {"kind": "throttle", "retry_after": 900}])
def test_a_refusal_that_storage_does_not_take_is_not_told_as_the_end(
    office: Office, kind: str, answer: dict[str, Any]
) -> None:
    ask = close(office, kind)
    fail(office, f"POST {kind.removesuffix('s')}", **answer)
    with behind_proxy(office) as (storage, faulty):
        break_ledger(office, storage, DENIED, "PUT", skip=1, times=-1)
        with pytest.raises(StorageUnknownError):
            ask(by=faulty)
    settle_down(office, 10, 25, 25)
    again: Outcome = ask()

    assert again.submission.state is State.DONE
    assert office.posts(f"POST {kind.removesuffix('s')}") == 2


@pytest.mark.parametrize("kind", ["order", "attachments"])
def test_a_silence_that_storage_does_not_take_is_told_as_open_and_found_out_later(
    office: Office, kind: str
) -> None:
    ask = close(office, kind)
    fail(office, f"POST {kind.removesuffix('s')}", **NOT_DONE)
    with behind_proxy(office) as (storage, faulty):
        break_ledger(office, storage, DENIED, "PUT", skip=1, times=-1)
        outcome: Outcome = ask(by=faulty)
    settle_down(office, 10, 25, 25)
    again: Outcome = ask()

    assert outcome.submission.open
    assert again.submission.state is State.DONE
    assert office.posts(f"POST {kind.removesuffix('s')}") == 2


def test_one_who_asks_again_about_what_is_open_is_not_told_that_nothing_is_done(office: Office) -> None:
    fail(office, "POST order", **NOT_DONE)
    office.place()
    office.clock.forward(minutes=25)
    with behind_proxy(office) as (storage, faulty):
        break_ledger(office, storage, DENIED, "PUT", times=-1)
        with pytest.raises(StorageUnknownError):
            office.place(by=faulty)
    settle_down(office, 5)

    assert (placed(office), office.posts("POST order")) == (1, 2)


@pytest.mark.parametrize("kind", ["order", "attachments"])
def test_what_was_answered_with_not_sent_is_sent_by_nobody_but_its_sender(office: Office, kind: str) -> None:
    ask = close(office, kind)
    fail(office, f"POST {kind.removesuffix('s')}", times=-1, kind="throttle", retry_after=900)
    outcome: Outcome = ask()
    office.partner.faults.clear()
    settle_down(office, 30, 60, 26 * 60)

    assert outcome.submission.state is State.PENDING
    assert isinstance(outcome.error, PartnerCenterError)
    assert office.posts(f"POST {kind.removesuffix('s')}") == 1
    assert ask().submission.state is State.DONE


def test_one_who_sends_what_lies_in_a_drop_that_will_send_it_is_told_that_it_is_open(office: Office) -> None:
    order = office.order()
    fail(office, "POST attachment", kind="throttle", retry_after=900)
    path = drop_pair(office, order, pdf=PDF)
    office.ring(path)
    office.clock.forward(minutes=16)
    fail(office, "GET attachments", times=-1, **UNREADABLE)
    asked = attach(office, order)
    office.partner.faults.clear()
    settle_down(office, 5, 60)

    assert asked.submission.state is State.PENDING
    assert asked.submission.due is not None, "told as open"
    assert look(office, order, asked.submission.digest).submission.state is State.DONE
    assert office.receipt(path)["state"] == "attached"


def test_one_who_asks_again_while_resellers_cannot_be_looked_up_is_told_what_became_of_the_order(
    office: Office,
) -> None:
    reseller = next(iter(office.partner.state.resellers)).id
    fail(office, "POST order", **NOT_DONE)
    office.place(indirectResellerId=reseller)
    fail(office, "GET relationships", times=-1, kind="status", status=500)
    again = office.place(by=office.another(), indirectResellerId=reseller)
    with pytest.raises(PartnerCenterError):
        office.place(by=office.another(), key="flow-2", indirectResellerId=reseller)

    assert again.submission.state is State.UNKNOWN


@pytest.mark.parametrize("fault", [DENIED, LOST])
@pytest.mark.parametrize("which", ["first", "second"])
def test_a_drop_whose_record_storage_does_not_take_is_attached_once_in_the_end(
    office: Office, fault: Fault, which: str
) -> None:
    order = office.order()
    drop_pair(office, order, pdf=PDF)
    with behind_proxy(office) as (storage, faulty):
        break_ledger(office, storage, fault, "PUT", skip=0 if which == "first" else 1)
        if fault is DENIED:
            break_ledger(office, storage, DENIED, "GET", times=-1)
        try:
            office.ring("x/PO.json", by=faulty)
        except StorageError:
            faulty.drops.process_or_report("x/PO.json", str(uuid.uuid4()))
    settle_down(office, *[10] * 4)

    assert office.receipt("x/PO.json")["state"] == "attached"
    assert (office.attached(order), office.posts()) == (["PO.pdf"], 1)
