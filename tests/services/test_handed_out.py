"""The sweep hands out work and does none; nothing that is stuck, slow or too large holds up the rest."""

from __future__ import annotations

import itertools
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from local.fault_proxy import Proxy
from local.fault_rules import Fault, Seen
from shared.clock import Deadline
from shared.core.errors import StorageError
from shared.core.ledger import State
from shared.core.models import order_attachments_key
from shared.services.attachment_operation import LONGEST_DEADLINE, MOST_BYTES, seconds_for
from shared.services.bell import Message
from tests.services.conftest import CUSTOMER, PDF, Office, built
from tests.services.steps import NOT_DONE, behind_proxy, drop_pair, drop_set, fail, settle_down

OTHER_CUSTOMER = "d0d0d0d0-d776-40ef-9ecf-9cefb59442c1"
MIB = 1024 * 1024


def short_deadline() -> Deadline:
    """A minute of which each look at the clock takes a second."""
    return Deadline.after(60, map(float, itertools.count()).__next__)


def throttled(office: Office, order: str, stem: str = "x/PO", customer: str = CUSTOMER) -> str:
    """A pair that waits in the ledger to be sent again; the name of its record."""
    fail(office, "POST attachment", kind="throttle", retry_after=300)
    office.ring(drop_pair(office, order, stem, customerId=customer))
    office.partner.faults.clear()
    return order_attachments_key(customer, order)


def test_a_sweep_puts_one_message_for_each_thing_that_is_due_and_does_none_of_it(office: Office) -> None:
    fail(office, "POST order", **NOT_DONE)
    request = office.place().record.key
    record = throttled(office, office.order())
    office.drop("w/PO.json", office.sidecar(office.order()))
    office.ring("w/PO.json")
    office.clock.forward(minutes=40)
    drop_pair(office, office.order(), "z/PO")
    office.clock.forward(minutes=5)
    calls = len(office.partner.journal.entries())
    with behind_proxy(office) as (storage, sweeping):
        sweeping.sweep.run(str(uuid.uuid4()), office.deadline())
        written = [(seen.container, seen.name) for seen in storage.seen() if seen.writes]
    handed = Counter((message.kind, message.name) for message in map(Message.load, office.messages()))

    assert written == [(office.env["LEDGER_CONTAINER"], f"sweep/{office.env['INCOMING_CONTAINER']}.json")]
    assert len(office.partner.journal.entries()) == calls
    assert set(handed.values()) == {1}
    due = {("record", record), ("record", request), ("drop", "x/PO.json"), ("drop", "w/PO.json")}
    assert set(handed) == {*due, ("blob", "z/PO.json"), ("blob", "z/PO.pdf")}


def stuck(office: Office, numbers: range) -> None:
    """Records that are due and that nobody can move: a newer version wrote them."""
    office.services.ledger.check_format()
    put, ledger = office.services.drops.blobs.put, office.env["LEDGER_CONTAINER"]
    key, ago = order_attachments_key(CUSTOMER, "0"), office.clock.now() - timedelta(hours=1)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: put(ledger, f"{key}-{n}.json", b'{"v": 3}', match="*", due=ago), numbers))


def test_stuck_records_of_which_a_sweep_hands_out_only_some_hide_nothing_else_that_is_due(
    office: Office,
) -> None:
    """A sweep has time for 32 of them; what is due as well lies in their midst, or behind them."""
    stuck(office, range(50))
    fail(office, "POST order", **NOT_DONE)
    office.place()
    stuck(office, range(50, 100))
    office.drop("w/PO.json", office.sidecar(office.order()))
    office.ring("w/PO.json")
    office.lose_messages()
    office.clock.forward(minutes=40)
    handed: list[int] = []
    while len(handed) < 40 and not (office.posts("POST order") > 1 and waits_again(office, "w/PO.json")):
        office.services.sweep.run(str(uuid.uuid4()), short_deadline())
        handed.append(0)
        for text in office.messages():
            handed[-1] += 1
            with suppress(StorageError):
                office.services.worker.work(text, str(uuid.uuid4()))

    assert max(handed) < 100, "else nothing is shown"
    assert office.posts("POST order") == 2
    assert waits_again(office, "w/PO.json")


def waits_again(office: Office, path: str) -> bool:
    """Whether a drop that waits was looked at lately."""
    changed = datetime.fromisoformat(office.receipt(path)["changed"])
    return changed > office.clock.now() - timedelta(minutes=10)


def test_a_customer_whose_calls_hang_starves_no_other(office: Office) -> None:
    slow, quick = [], []
    for n in range(4):
        order = uuid.uuid4().hex[:12]
        office.partner.state.seed_order(OTHER_CUSTOMER, order, time.time())
        slow.append(order)
        throttled(office, order, f"slow/{n}", customer=OTHER_CUSTOMER)
    for n in range(4):
        quick.append(office.order())
        throttled(office, quick[-1], f"quick/{n}")
    office.clock.forward(minutes=8)
    hang = {"kind": "hang", "seconds": 8}
    office.partner.faults.add({"on": "any", "customer": OTHER_CUSTOMER, "times": -1, "do": hang})
    office.services.sweep.run(str(uuid.uuid4()), office.deadline())
    messages = sorted(office.messages(), key=lambda text: OTHER_CUSTOMER not in text)
    began = time.monotonic()
    with ThreadPoolExecutor(len(messages)) as pool:
        working = [pool.submit(office.services.worker.work, text, str(uuid.uuid4())) for text in messages]
        while not all(map(office.attached, quick)) and time.monotonic() - began < 7:
            time.sleep(0.05)
        in_time = time.monotonic() - began
        office.partner.reset()
    still_hung = [one for one in working if one.exception()]

    assert len(messages) >= 8
    assert in_time < 6, "they waited for those that hang"
    assert still_hung == []


def test_a_claim_outlives_a_deadline_that_is_made_from_the_size(office: Office) -> None:
    order = office.order()
    drop_set(office, order, files={"a.pdf": PDF + bytes(9 * MIB)}, tenders={})
    lease = claimed_for(office, order, "x/metadata.json")
    other = office.order()
    drop_pair(office, other, "y/PO")
    short = claimed_for(office, other, "y/PO.json")

    margin = timedelta(seconds=60)
    assert timedelta(seconds=60 + 9 - 5) < lease - margin < timedelta(seconds=60 + 10)
    assert timedelta(seconds=60 - 5) < short - margin < timedelta(seconds=60 + 1)


def claimed_for(office: Office, order: str, path: str) -> timedelta:
    """Ring, and see for how long the claim under which it is sent is good."""
    fail(office, "POST attachment", kind="delay", seconds=1.0)
    posts = office.posts()
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(office.ring, path)
        while office.posts() == posts:
            time.sleep(0.01)
        [own] = office.submissions(order).values()
        sending.result()
    assert own.state is State.CLAIMED
    assert own.due
    return own.due - own.changed


def test_the_largest_set_that_is_taken_has_the_longest_deadline() -> None:
    assert seconds_for(MOST_BYTES) == LONGEST_DEADLINE
    assert seconds_for(0) == 60.0


class Magnifying(Proxy):
    """Tells of documents that they are of 900 MiB, and breaks off when all is sent that there is."""

    def rewrite(self, seen: Seen, headers: dict[str, str], body: bytes | None) -> bytes | None:
        if seen.method == "GET" and seen.name.endswith(".pdf"):
            for header in [name for name in headers if name.lower() == "content-length"]:
                headers[header] = str(900 * MIB)
        return body


def test_a_set_that_no_deadline_can_carry_is_refused_at_once_with_a_sentence(office: Office) -> None:
    order = office.order()
    drop_set(office, order)
    direct = office.env["DocumentStorage"]
    with Magnifying(direct.partition("BlobEndpoint=")[2].partition(";")[0]) as storage:
        env = {**office.env, "DocumentStorage": storage.connection_string(direct), "MAX_FILE_MB": "1000"}
        office.ring("x/metadata.json", by=built(env, office.clock))
    receipt = office.receipt("x/metadata.json")

    assert (receipt["state"], receipt["actor"], office.posts()) == ("rejected", "caller", 0)
    [error] = receipt["errors"]
    assert f"total {2 * 900 * MIB} bytes" in error["detail"]
    assert str(MOST_BYTES) in error["detail"]


@pytest.mark.parametrize("kind", ["record", "drop", "blob"])
def test_a_message_that_fails_too_often_ends_in_a_receipt(office: Office, kind: str) -> None:
    order = office.order()
    name = throttled(office, order)
    office.clock.forward(minutes=8)
    message = Message(kind, name if kind == "record" else "x/PO.json").dump()  # type: ignore[arg-type]
    with behind_proxy(office) as (storage, blind):
        denied = Fault("status", status=403, code="Denied")
        storage.inject(denied, container=office.env["INCOMING_CONTAINER"], times=-1)
        for _ in range(5):
            with suppress(StorageError):
                blind.worker.work(message, str(uuid.uuid4()))
        blind.worker.bury(message, str(uuid.uuid4()))
        told = office.receipt("x/PO.json")
        for _ in range(30):
            office.clock.forward(hours=1)
            blind.worker.bury(message, str(uuid.uuid4()))
        last = office.receipt("x/PO.json")
    settle_down(office, 5, 5)

    assert (told["state"], "nextAttempt" in told) == ("retrying", True)
    assert told["actor"]
    assert told["remedy"]
    assert (last["state"], bool(last["remedy"])) == ("review", True)
    assert [own.state for own in office.submissions(order).values()] == [State.DONE], "nothing was ended"
    assert office.receipt("x/PO.json")["state"] == "attached"


def test_a_message_that_fails_by_a_fault_of_ours_ends_in_review(office: Office) -> None:
    """Somebody has damaged what the application notes for itself."""
    office.drop("x/metadata.json", office.sidecar(office.order(), poFiles=["a.pdf"]))
    office.ring("x/metadata.json")
    blobs, ledger = office.services.drops.blobs, office.env["LEDGER_CONTAINER"]
    [word] = blobs.page(ledger, "words/")[0]
    blobs.put(ledger, word.name, b"not JSON", match="*")
    office.services.worker.work(Message("drop", "x/metadata.json").dump(), "c0ffee")

    receipt = office.receipt("x/metadata.json")
    assert (receipt["state"], receipt["actor"], receipt["correlationId"]) == ("review", "operator", "c0ffee")
    assert receipt["remedy"]
