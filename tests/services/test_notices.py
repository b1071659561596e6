"""People are told on a queue of what is theirs: each thing at least once, and seldom twice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from local.fault_rules import Fault
from shared.bootstrap import Services
from tests.services.conftest import CUSTOMER, PDF, Office
from tests.services.steps import behind_proxy, decide, drop_pair, fail, pair_in_review


def told(office: Office, by: Services | None = None) -> list[Any]:
    """What a flow reads after a sweep has told people: `event` and `item` of each message."""
    (by or office.services).notices.run(office.deadline())
    return read(office)


def read(office: Office) -> list[Any]:
    found = [json.loads(text) for text in office.take("NOTICE_QUEUE")]
    return [(one["event"], one.get("item", {})) for one in found]


def events(office: Office) -> list[str]:
    return sorted(event for event, _ in told(office))


def test_what_comes_into_review_or_is_rejected_is_told_once_with_reason_and_remedy(
    office: Office,
) -> None:
    key = pair_in_review(office, office.order(), "r/PO")
    office.drop("bad/Ü & <PO>.json", {"customerId": CUSTOMER})
    office.ring("bad/Ü & <PO>.json")

    (rejected, of_rejected), (review, of_review) = sorted(told(office), key=lambda one: str(one[0]))

    assert (review, of_review["submission"], of_review["decisions"][0]) == ("review", key, "adopt")
    assert of_review["remedy"]
    assert (rejected, of_rejected["drops"]) == ("rejected", ["bad/Ü & <PO>.json"])
    assert {fault["pointer"] for fault in of_rejected["errors"]} >= {"/orderId", "/currency"}
    assert told(office) == []
    office.clock.ahead += timedelta(hours=2)
    assert told(office, office.another()) == []


def test_what_is_rejected_again_is_told_again(office: Office) -> None:
    for _ in range(2):
        office.drop("bad/PO.json", {"customerId": CUSTOMER})
        office.ring("bad/PO.json")
        assert events(office) == ["rejected"]
        office.clock.ahead += timedelta(minutes=5)


def test_what_a_person_gave_up_is_not_told_to_people(office: Office) -> None:
    key = pair_in_review(office, office.order())
    assert events(office) == ["review"]
    office.clock.ahead += timedelta(minutes=5)
    decide(office, key, "give-up")
    assert told(office) == []


def test_what_waits_is_told_once_it_has_waited_too_long_however_often_looked_at(
    office: Office,
) -> None:
    office.drop("waits/PO.json", office.sidecar(office.order()))
    office.ring("waits/PO.json")
    for _ in range(5):
        assert told(office) == []
        office.clock.ahead += timedelta(hours=5)
        office.ring("waits/PO.json")
    (event, item) = told(office)[0]
    assert (event, list(item["waitingFor"])) == ("waiting", ["PO.pdf"])
    office.clock.ahead += timedelta(hours=5)
    assert told(office) == []


def test_a_retry_that_lasts_is_told(office: Office) -> None:
    fail(office, "GET attachments", times=99, kind="status", status=503, body={})
    drop_pair(office, office.order())
    office.ring("x/PO.json")
    office.clock.ahead += timedelta(hours=23)
    assert told(office) == []
    office.clock.ahead += timedelta(hours=1, minutes=1)
    assert events(office) == ["retrying"]


def test_when_the_queue_does_not_take_it_the_next_sweep_tells_it(office: Office) -> None:
    pair_in_review(office, office.order())
    with behind_proxy(office) as (storage, faulty):
        storage.inject(Fault("status", status=503), container=office.env["LEDGER_CONTAINER"], times=99)
        assert faulty.notices.run(office.deadline()) == 0
    assert events(office) == ["review"]


def test_a_progress_that_cannot_be_read_begins_anew_and_loses_nothing(office: Office) -> None:
    pair_in_review(office, office.order())
    assert events(office) == ["review"]
    for damaged in (b"[7]", b'{"told": {"x": 7}}'):
        office.services.drops.blobs.put(office.env["LEDGER_CONTAINER"], "notices.json", damaged, match="*")
        assert events(office) == ["review"]
        assert told(office) == []


def test_of_a_flood_each_sweep_tells_some_until_all_are_told_once(office: Office) -> None:
    few = replace(office.services, notices=replace(office.services.notices, most=3))
    names = [f"bad/{number}.json" for number in range(8)]
    for name in names:
        office.drop(name, {})
    office.ring(*names)
    found = []
    for much in (3, 3, 2, 0):
        some = told(office, few)
        office.clock.ahead += timedelta(hours=1)
        assert len(some) == much
        found += [item["drops"][0] for _, item in some]
    assert sorted(found) == names


def test_a_sweep_logs_how_much_is_open_and_how_old_the_oldest_is(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    pair_in_review(office, office.order())
    office.drop("waits/PO.json", office.sidecar(office.order()))
    office.ring("waits/PO.json")
    office.clock.ahead += timedelta(hours=2)
    with caplog.at_level("INFO", "audit"):
        told(office)

    lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "audit"]
    found = {line["state"]: line for line in lines if "state" in line and line["event"] == "open work"}
    assert {state: line["count"] for state, line in found.items()} == {
        "waiting": 1, "submitting": 0, "retrying": 0, "review": 1,
    }  # fmt: skip
    assert 7200 <= found["review"]["oldestSeconds"] < 7300
    assert found["retrying"]["oldestSeconds"] == 0


def test_an_older_wait_is_told_although_a_younger_one_of_its_order_hides_it_in_the_index(
    office: Office,
) -> None:
    order = office.order()
    for hours, stem in ((0, "old/PO"), (6, "young/PO")):
        office.clock.ahead += timedelta(hours=hours)
        fail(office, "POST attachment", kind="throttle", retry_after=3000)
        drop_pair(office, order, stem, PDF + stem.encode())
        office.ring(f"{stem}.json")
    soon = replace(office.services, notices=replace(office.services.notices, too_long=timedelta(hours=7)))
    office.clock.ahead += timedelta(hours=1, minutes=5)

    found = {tuple(item["drops"]) for _, item in told(office, soon)}

    assert found == {("old/PO.json",)}


def test_a_record_that_cannot_be_read_keeps_nobody_from_being_told_of_the_others(office: Office) -> None:
    pair_in_review(office, office.order())
    blobs, ledger = office.services.drops.blobs, office.env["LEDGER_CONTAINER"]
    name = "attachments/c501c3c4-d776-40ef-9ecf-9cefb59442c1/damaged.json"
    blobs.put(ledger, name, b'{"v": 2, "nonsense": 1}', match="*", tags={"in-review": "2090-01-01T00:00:00Z"})

    assert events(office) == ["review"]


def test_what_one_sweep_has_told_the_next_one_does_not_tell(office: Office) -> None:
    for number in range(3):
        office.drop(f"bad/{number}.json", {})
        office.ring(f"bad/{number}.json")
    one = replace(office.services.notices, most=1)
    assert one.run(office.deadline()) == 1
    assert len(told(office)) == 3
