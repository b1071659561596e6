"""Whose turn it is: what waits says so, for as long as it waits, and only what is proved ends it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, StandardBlobTier

from local.fault_rules import Seen
from shared.bootstrap import build
from shared.clock import Deadline
from shared.core.errors import NotAppliedError, OrderFullError, StorageError, TokenError
from shared.core.ledger import MOST_SUBMISSIONS, Record, State, Submission
from shared.core.models import order_attachments_key
from shared.services.bell import Message
from shared.services.operation import Outcome
from shared.validation.orders import order_request
from shared.web.problem import response
from tests.services.conftest import CUSTOMER, PDF, MintedTokens, Office
from tests.services.steps import (
    NOT_DONE,
    Do,
    attach,
    behind_proxy,
    decide,
    delete,
    drop_pair,
    fail,
    overwrite,
    settle_down,
)

PAIR = "x/PO.json"
MFA: Do = {"kind": "status", "status": 401, "body": {"code": "900421", "description": "MFA is required."}}


def refused(status: int, code: str = "") -> Do:
    body = {"code": code, "description": "No."} if code else {"message": "No.", "statusCode": status}
    return {"kind": "status", "status": status, "body": body}


def told(office: Office, path: str = PAIR) -> dict[str, Any]:
    """What a receipt says of what comes next; it must say all of it."""
    receipt = office.receipt(path)
    assert receipt["state"] == "retrying"
    assert receipt["detail"]
    assert receipt["remedy"]
    assert datetime.fromisoformat(receipt["nextAttempt"]) > office.clock.now() - timedelta(seconds=5)
    return receipt


CAUSES: list[tuple[str, str, Do, str]] = [
    ("POST attachment", "operator", {"kind": "throttle", "retry_after": 600}, "Wait as long"),
    ("GET attachments", "operator", {"kind": "throttle", "retry_after": 600}, "Wait as long"),
    ("POST attachment", "operator", MFA, "multifactor"),
    ("GET attachments", "microsoft", NOT_DONE, "Wait and try again"),
    ("POST attachment", "nobody", NOT_DONE, "nothing to do"),
    ("POST attachment", "nobody", {"kind": "drop_part", "name": "POFiles"}, "nothing to do"),
    ("POST attachment", "operator", refused(403), "Check roles"),
    ("POST attachment", "caller", refused(404, "20000"), "check orderId"),
    ("POST attachment", "caller", refused(409, "800014"), "Wait"),
    ("POST attachment", "customer", refused(403, "800073"), "under review"),
]


@pytest.mark.parametrize(("on", "actor", "do", "remedy"), CAUSES)
def test_a_receipt_that_retries_says_whose_turn_it_is_and_what_to_do(
    office: Office, on: str, actor: str, do: Do, remedy: str
) -> None:
    order = office.order()
    fail(office, on, times=-1, **do)
    drop_pair(office, order)
    office.ring(PAIR)
    receipt = told(office)
    office.partner.faults.clear()

    assert receipt["actor"] == actor
    assert remedy in receipt["remedy"]


@pytest.mark.parametrize(("status", "code"), [(404, "800015"), (403, "900123"), (403, "800039")])
def test_what_only_the_reseller_can_mend_says_so(office: Office, status: int, code: str) -> None:
    fail(office, "POST attachment", **refused(status, code))
    drop_pair(office, office.order())
    office.ring(PAIR)
    receipt = office.receipt(PAIR)

    assert (receipt["state"], receipt["actor"]) == ("rejected", "reseller")
    assert receipt["remedy"]


class NoTokens(MintedTokens):
    def get(self, mode: object) -> str:
        raise TokenError("the secret has expired")


def test_a_drop_for_which_no_token_is_to_be_had_says_whose_turn_it_is(office: Office) -> None:
    order, clock = office.order(), office.clock
    drop_pair(office, order)
    by = build(office.env, tokens=NoTokens(), clock=clock.now, monotonic=clock.monotonic, sleep=clock.sleep)
    office.ring(PAIR, by=by)
    receipt = told(office)
    settle_down(office, 5)

    assert (receipt["actor"], "secret has expired" in receipt["detail"]) == ("operator", True)
    assert "identity.md" in receipt["remedy"]
    assert office.receipt(PAIR)["state"] == "attached"


def waiting(office: Office, order: str) -> str:
    """A drop that was throttled and is due now; the name of its record."""
    fail(office, "POST attachment", kind="throttle", retry_after=300)
    office.ring(drop_pair(office, order))
    office.clock.forward(minutes=6)
    return order_attachments_key(CUSTOMER, order)


def work(office: Office, key: str) -> None:
    """What the host does with the message of a record."""
    with suppress(StorageError):
        office.services.worker.work(Message("record", key).dump(), str(uuid.uuid4()))


@pytest.mark.parametrize(
    ("on", "do", "word"),
    [
        ("POST attachment", MFA, "multifactor"),
        ("GET attachments", NOT_DONE, "Wait and try again"),
        ("GET attachments", refused(403, "800073"), "under review"),
    ],
)
def test_a_drop_that_is_held_up_by_something_else_than_at_first_says_so(
    office: Office, on: str, do: Do, word: str
) -> None:
    order = office.order()
    key = waiting(office, order)
    before = office.receipt(PAIR)
    fail(office, on, times=-1, **do)
    work(office, key)
    after = told(office)
    settle_down(office, *[300] * 6)
    last = office.receipt(PAIR)
    office.partner.faults.clear()

    assert (word in before["remedy"], word in after["remedy"]) == (False, True)
    assert (last["state"], word in last["remedy"], "then look" in last["remedy"]) == ("review", True, True)
    decide(office, last["submission"], "retry")
    settle_down(office, 2)
    assert office.receipt(PAIR)["state"] == "attached"


@contextmanager
def leased(office: Office, container: str, name: str) -> Iterator[None]:
    with BlobServiceClient.from_connection_string(office.env["DocumentStorage"]) as client:
        lease = client.get_blob_client(office.env[container], name).acquire_lease()
        yield
        lease.break_lease(0)


def tier(office: Office, name: str, wanted: StandardBlobTier) -> None:
    with BlobServiceClient.from_connection_string(office.env["DocumentStorage"]) as client:
        client.get_blob_client(office.env["INCOMING_CONTAINER"], name).set_standard_blob_tier(wanted)


@pytest.mark.parametrize("name", ["x/PO.pdf", "x/PO.json"])
def test_a_drop_that_is_archived_while_it_waits_is_not_ended_and_goes_to_a_person_after_a_day(
    office: Office, name: str
) -> None:
    order = office.order()
    key = waiting(office, order)
    tier(office, name, StandardBlobTier.ARCHIVE)
    work(office, key)
    receipt = told(office)
    settle_down(office, *[300] * 6)
    last, states = office.receipt(PAIR), []
    for _ in range(4):
        settle_down(office, 10)
        states.append(office.receipt(PAIR)["state"])
    tier(office, name, StandardBlobTier.HOT)
    [own] = office.submissions(order).values()

    assert (receipt["actor"], "ehydrate" in receipt["remedy"]) == ("operator", True)
    assert (last["state"], "ehydrate" in last["remedy"]) == ("review", True)
    assert set(states) == {"review"}
    assert (own.state, office.posts()) == (State.REVIEW, 1)
    decide(office, last["submission"], "retry")
    settle_down(office, 2)
    assert office.receipt(PAIR)["state"] == "attached"


def test_a_lease_on_the_record_of_what_is_due_is_told_until_it_ends(office: Office) -> None:
    order = office.order()
    key = waiting(office, order)
    states = []
    with leased(office, "LEDGER_CONTAINER", f"{key}.json"):
        for hours in range(30):
            office.clock.forward(hours=1)
            work(office, key)
            office.services.worker.bury(Message("record", key).dump(), str(uuid.uuid4()))
            receipt = office.receipt(PAIR)
            states.append(receipt["state"])
            assert (receipt["actor"], "lease" in receipt["remedy"]) == ("operator", True), hours
    settle_down(office, 5)

    changes = [n for n in range(1, 30) if states[n] != states[n - 1]]
    assert (states[0], states[-1], len(changes)) == ("retrying", "review", 1)
    assert office.receipt(PAIR)["state"] == "attached"


def test_a_failed_message_about_a_record_is_not_kept_since_its_tag_rings_again(office: Office) -> None:
    key = order_attachments_key(CUSTOMER, office.order())
    office.services.ledger.check_format()
    overwrite(office, office.env["LEDGER_CONTAINER"], f"{key}.json", b'{"v": 3}')
    office.services.worker.bell.ring("drop", "nothing", office.clock.now())
    office.work()
    for _ in range(3):
        office.services.worker.bury(Message("record", key).dump(), str(uuid.uuid4()))

    assert office.waiting() == 0


def test_what_is_sent_by_another_while_its_drop_is_proved_gone_is_not_ended(office: Office) -> None:
    """The proof is part of the transition: it holds for the record that was read before it."""
    order = office.order()
    key = waiting(office, order)
    delete(office, "x/PO.pdf")
    looks: list[Seen] = []
    sent: list[Outcome] = []

    def on_its_way(seen: Seen) -> None:
        if seen.name == "x/PO.pdf":
            looks.append(seen)
            if len(looks) == 2:  # the first found that the drop is not whole
                sent.append(attach(office, order, by=office.another()))

    with behind_proxy(office) as (storage, slow):
        storage.decide = on_its_way
        slow.worker.work(Message("record", key).dump(), str(uuid.uuid4()))

    assert [outcome.submission.state for outcome in sent] == [State.DONE]
    assert [own.state for own in office.submissions(order).values()] == [State.DONE]
    assert office.attached(order) == ["PO.pdf"]


def test_an_operators_retry_keeps_the_request_id_of_the_silence_and_send_again_does_not(
    office: Office,
) -> None:
    for key, decision in (("a", "retry"), ("b", "send-again")):
        fail(office, "POST order", **NOT_DONE)
        fail(office, "GET orders", times=-1, **NOT_DONE)
        record = office.place(key=key).record.key
        settle_down(office, 25 * 60, 5)
        office.partner.faults.clear()
        decide(office, record, decision)
        settle_down(office, 2)
    one, one_again, two, two_again = office.request_ids("POST order")

    assert one == one_again
    assert two != two_again


def test_a_sending_that_our_own_deadline_stops_keeps_the_request_id(office: Office) -> None:
    fail(office, "POST order", **NOT_DONE)
    office.place()
    office.clock.forward(minutes=25)
    line = {"offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": 5, "termDuration": "P1Y"}
    request = order_request(json.dumps({"lineItems": [line], "billingCycle": "monthly"}).encode(), CUSTOMER)
    orders = office.services.orders
    late = orders.place(CUSTOMER, request, "flow-1", str(uuid.uuid4()), Deadline.after(0))
    settle_down(office, 30, 30)

    assert late.submission.open or isinstance(late.error, NotAppliedError)
    assert office.place().submission.state is State.DONE
    assert len(office.request_ids("POST order")) == 2
    assert len(set(office.request_ids("POST order"))) == 1


def test_an_order_with_all_the_submissions_that_it_may_have_takes_no_other_and_says_so(
    office: Office,
) -> None:
    order, now = office.order(), office.clock.now()
    known: dict[str, Any] = {"revision": "r", "request_id": "q", "correlation_id": "c"}
    known |= {"created": now, "changed": now, "since": now}
    digests = [f"{number:064x}" for number in range(MOST_SUBMISSIONS)]
    sent = {digest: Submission(digest=digest, state=State.DONE, **known) for digest in digests}
    key = order_attachments_key(CUSTOMER, order)
    record = Record(v=2, kind="attachments", key=key, customer_id=CUSTOMER, order_id=order, submissions=sent)
    office.services.ledger.claim(None, record, digests[0])
    drop_pair(office, order)
    office.ring("x/PO.json")

    with pytest.raises(OrderFullError) as caught:
        attach(office, order, PDF)

    assert response(caught.value).status_code == 409
    assert office.receipt("x/PO.json")["state"] == "rejected"
    assert office.posts() == 0
