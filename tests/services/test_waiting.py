"""What waits says whose turn it is and when it goes on; no look does harm, and messages are doorbells."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from local.fault_rules import Fault
from shared.core.errors import NotAppliedError, OrderBusyError, StorageError
from shared.core.ledger import State
from shared.services.bell import Message
from tests.services.conftest import PDF, Office
from tests.services.steps import (
    TENDER,
    attach,
    behind_proxy,
    delete,
    drop_pair,
    drop_set,
    fail,
    look,
    lose,
    settle_down,
)

PAIR = "x/PO.json"
THROTTLED: dict[str, Any] = {"kind": "throttle", "retry_after": 600}


def waiting(office: Office, order: str) -> str:
    """A drop that was throttled and is due now; the digest of its submission."""
    fail(office, "POST attachment", **THROTTLED)
    drop_pair(office, order)
    office.ring(PAIR)
    office.clock.forward(seconds=700)
    [digest] = office.submissions(order)
    return digest


def told(office: Office, path: str = PAIR) -> dict[str, Any]:
    """What a receipt says of what comes next; it must say all of it."""
    receipt = office.receipt(path)
    assert receipt["state"] == "retrying"
    assert receipt["actor"]
    assert receipt["remedy"]
    assert datetime.fromisoformat(receipt["nextAttempt"]) > office.clock.now() - timedelta(seconds=5)
    return receipt


@pytest.mark.parametrize("looks", [1, 5])
def test_a_look_at_a_drop_that_is_due_does_not_end_it(office: Office, looks: int) -> None:
    order = office.order()
    digest = waiting(office, order)
    seen = [look(office, order, digest).submission.state for _ in range(looks)]
    receipt = office.receipt(PAIR)["state"]
    office.sweep()

    assert (set(seen), receipt) == ({State.PENDING}, "retrying")
    assert office.receipt(PAIR)["state"] == "attached"
    assert office.attached(order) == ["PO.pdf"]


def test_a_look_finds_out_what_is_due_of_what_was_silent_and_ends_nothing(office: Office) -> None:
    order = office.order()
    lose(office, done=False, unseen=True)
    drop_pair(office, order)
    office.ring(PAIR)
    [digest] = office.submissions(order)
    office.clock.forward(minutes=4)
    seen = look(office, order, digest).submission
    settle_down(office, 2)

    assert (seen.state, seen.due is not None) == (State.PENDING, True)
    assert office.receipt(PAIR)["state"] == "attached"


@pytest.mark.parametrize("container", ["INCOMING_CONTAINER", "RECEIPTS_CONTAINER"])
def test_work_while_storage_cannot_be_read_does_not_end_a_drop(office: Office, container: str) -> None:
    order = office.order()
    digest = waiting(office, order)
    with behind_proxy(office) as (storage, blind):
        storage.inject(Fault("status", status=403, code="Denied"), container=office.env[container], times=-1)
        key = office.receipt(PAIR)["submission"].rpartition("/")[0]
        for message in (Message("record", key), Message("drop", PAIR)):
            try:
                blind.worker.work(message.dump(), str(uuid.uuid4()))
            except StorageError:
                blind.worker.bury(message.dump(), str(uuid.uuid4()))
    between = office.submissions(order)[digest].state
    settle_down(office, 20, 20)

    assert between in (State.PENDING, State.DONE)
    assert office.receipt(PAIR)["state"] == "attached"
    assert office.attached(order) == ["PO.pdf"]


@pytest.mark.parametrize("gone", ["x/PO.pdf", "x/PO.json"])
def test_a_drop_whose_documents_are_proved_gone_is_ended_by_the_worker(office: Office, gone: str) -> None:
    order = office.order()
    digest = waiting(office, order)
    delete(office, gone)
    settle_down(office, 2, 60)

    own = office.submissions(order)[digest]
    assert (own.state, "replaced or deleted" in own.detail) == (State.REFUSED, True)
    assert office.posts() == 1
    drop_pair(office, order)
    office.ring(PAIR)
    assert office.receipt(PAIR)["state"] == "attached"


def test_a_drop_that_waits_behind_another_says_so_and_goes_on_when_that_has_ended(office: Office) -> None:
    order = office.order()
    lose(office, unseen=True)
    drop_pair(office, order)
    office.ring(PAIR)
    drop_pair(office, order, "y/PO", PDF + b"other")
    office.ring("y/PO.json")
    receipt = told(office, "y/PO.json")
    posts = office.posts()
    settle_down(office, 4, 3)

    assert "another submission for this order is in flight" in receipt["detail"]
    assert posts == 1
    assert [office.receipt(f"{folder}/PO.json")["state"] for folder in "xy"] == ["attached", "attached"]


def test_an_http_caller_behind_another_is_told_to_come_again_and_nothing_is_recorded(office: Office) -> None:
    order = office.order()
    fail(office, "POST attachment", kind="lose_reply")
    fail(office, "GET attachments", times=-1, skip=1, kind="status", status=503)
    first = attach(office, order)
    with pytest.raises(OrderBusyError) as caught:
        attach(office, order, PDF + b"other")
    same = attach(office, order)
    recorded = list(office.submissions(order))
    office.partner.faults.clear()
    settle_down(office, 4)

    assert 5 <= caught.value.retry_after <= 60
    assert (first.submission.state, same.submission.state) == (State.UNKNOWN, State.UNKNOWN)
    assert recorded == [first.submission.digest]
    assert attach(office, order, PDF + b"other").submission.state is State.DONE


@pytest.mark.parametrize("lists_too", [True, False])
def test_a_drop_that_is_held_up_by_mfa_says_whose_turn_it_is(office: Office, lists_too: bool) -> None:
    order = office.order()
    mfa: dict[str, Any] = {
        "kind": "status",
        "status": 401,
        "body": {"code": "900421", "description": "MFA is required."},
    }
    for on in ("POST attachment", *(["GET attachments"] if lists_too else [])):
        fail(office, on, times=-1, **mfa)
    drop_pair(office, order)
    office.ring(PAIR)
    receipt = told(office)
    office.partner.faults.clear()
    settle_down(office, 20, 20)

    assert receipt["actor"] == "operator"
    assert "multifactor" in receipt["remedy"]
    assert office.receipt(PAIR)["state"] == "attached"


def test_every_violation_is_told_at_once_those_of_the_documents_included(office: Office) -> None:
    office.drop("x/a.pdf", b"no pdf")
    office.drop("x/t.pdf", b"")
    sidecar = office.sidecar("../..", poFiles=["a.pdf"], tenderFiles=["t.pdf"], currency="xx")
    office.drop("x/metadata.json", {**sidecar, "customerPrice": "much"})
    office.ring("x/metadata.json")
    office.drop("y/PO.pdf", b"no pdf")
    office.drop("y/PO.json", b'{"customerId": ')
    office.ring("y/PO.json")

    said = [str(office.receipt(path)["errors"]) for path in ("x/metadata.json", "y/PO.json")]
    for word in ("/orderId", "/currency", "/customerPrice", "a.pdf is not a PDF", "t.pdf is empty"):
        assert word in said[0]
    assert "PO.pdf is not a PDF" in said[1]
    assert len(office.receipt("y/PO.json")["errors"]) >= 2


def test_the_sweep_hands_out_and_does_nothing_itself(office: Office) -> None:
    orders = [office.order() for _ in range(3)]
    for n, order in enumerate(orders):
        drop_pair(office, order, f"x/{n}")
    office.clock.forward(minutes=5)
    counts = office.services.sweep.run(str(uuid.uuid4()), office.deadline())
    before = [office.attached(order) for order in orders]
    office.work()

    assert (counts["blobs"], before) == (6, [[], [], []])
    assert [office.attached(order) for order in orders] == [["0.pdf"], ["1.pdf"], ["2.pdf"]]


def test_what_is_due_soon_rings_by_itself_and_what_is_due_late_is_left_to_the_sweep(office: Office) -> None:
    fail(office, "POST attachment", kind="throttle", retry_after=600)
    drop_pair(office, office.order())
    office.ring(PAIR)
    soon = office.waiting()
    fail(office, "POST attachment", kind="throttle", retry_after=3000)
    other = office.order()
    office.clock.forward(hours=1)
    drop_pair(office, other, "y/PO")
    office.ring("y/PO.json")

    assert (soon, office.waiting()) == (1, 1)
    settle_down(office, 60)
    assert office.receipt("y/PO.json")["state"] == "attached"


def test_messages_that_are_lost_late_doubled_or_nonsense_do_no_harm(office: Office) -> None:
    order = office.order()
    waiting(office, order)
    key = office.receipt(PAIR)["submission"].rpartition("/")[0]
    sent = [
        Message("record", key),
        Message("drop", PAIR),
        Message("blob", "x/PO.pdf"),
        Message("record", "attachments/of/nobody"),
        Message("record", "orders/of/nobody"),
        Message("drop", "nothing/here.json"),
        Message("drop", PAIR, behind=key, tries=90),
    ]
    for text in [*(message.dump() for message in sent), "", "{}", '{"kind": "other", "name": "x"}'] * 3:
        office.services.worker.work(text, str(uuid.uuid4()))
        office.services.worker.bury(text, str(uuid.uuid4()))

    assert office.attached(order) == ["PO.pdf"]
    assert office.receipt(PAIR)["state"] == "attached"


def test_nothing_is_begun_with_too_little_time_left_to_end(office: Office) -> None:
    order = office.order()
    with pytest.raises(NotAppliedError, match="Not enough time"):
        attach(office, order, seconds=4.0)

    assert (office.posts(), office.submissions(order)) == (0, {})


def test_a_large_set_tells_that_it_is_being_sent(office: Office) -> None:
    order = office.order()
    fail(office, "POST attachment", kind="delay", seconds=2.0)
    drop_set(office, order, files={"a.pdf": PDF + bytes(9 * 1024 * 1024)}, tenders={"t.pdf": TENDER})
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(office.ring, "x/metadata.json")
        while office.posts() == 0:
            time.sleep(0.01)
        under_way = office.receipt("x/metadata.json")["state"]
        sending.result()

    assert (under_way, office.receipt("x/metadata.json")["state"]) == ("submitting", "attached")
