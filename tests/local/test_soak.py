"""The soak, small; that its seed decides everything; and that its judge sees what must not be."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from local.soak.campaign import run
from local.soak.drops import Drop, Expect, Post, Put, all_drops
from local.soak.flows import DONE, REVIEW, Told
from local.soak.options import Options
from local.soak.orders import OrderCase, all_orders
from local.soak.verdict import DISAGREE, LOST, ONCE, TWICE, UNEXPLAINED, Verdict, judge, record_key
from local.soak.world import Placed, World

SMALL = Options(drops=5, orders=4, seconds=3, settle=240, hosts=2, kills=1, lose=0, seed=100)
"""It rests after some seconds; on a busy machine the kill can hit what comes back after two minutes only."""


def test_a_small_campaign_with_a_kill_loses_nothing_and_does_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(SMALL, tmp_path / "soak")

    shown = capsys.readouterr().out
    assert code == 0, shown
    assert "hosts                 2, kills 1" in shown
    assert SMALL.command in shown


def test_the_same_seed_decides_the_same_work_and_another_seed_another() -> None:
    first, again, other = (all_drops(seed, 40, 60) for seed in (1, 1, 2))

    assert first == again != other
    assert all_orders(1, 40, 60) == all_orders(1, 40, 60) != all_orders(2, 40, 60)
    assert len(first) == len(all_orders(1, 40, 60)) == 40


def test_every_way_of_dropping_comes_up_and_nothing_is_written_twice_by_accident() -> None:
    drops = all_drops(5, 400, 60)
    names = [s.name for d in drops if d.kind != "overwritten" for s in d.steps if isinstance(s, Put)]

    assert {d.kind for d in drops} >= {"pair", "set", "overwritten", "corrected", "copy", "withdrawn"}
    assert any(isinstance(step, Post) for drop in drops for step in drop.steps)
    corrected = sum(d.kind == "corrected" for d in drops)
    assert len(names) == len(set(names)) + corrected


@dataclasses.dataclass
class Scene:
    """One drop and one order that went well, for a test to spoil."""

    drop: Drop
    case: OrderCase
    receipt: dict[str, Any]
    record: dict[str, Any]
    orders: dict[str, Placed]
    told: Told

    def verdict(self) -> Verdict:
        world = World({self.drop.path: self.receipt}, {record_key(self.case): self.record}, self.orders, {})
        return judge([self.drop], [self.case], lambda _: self.told, world)

    def fates(self) -> list[str]:
        return [f.fate for f in self.verdict().all]


@pytest.fixture
def scene() -> Scene:
    drop = next(d for d in all_drops(1, 40, 60) if d.kind == "pair" and d.expects is Expect.ATTACHED)
    case = next(c for c in all_orders(1, 40, 60) if c.kind == "plain")
    waiting = Placed(drop.last.order, drop.last.customer, "", [(drop.last.fingerprint, frozenset({"a1"}))])
    placed = Placed("o1", case.customer, case.group, [])
    return Scene(
        drop,
        case,
        receipt={"state": "attached", "attachments": [{"attachmentId": "a1"}]},
        record={"state": "done", "why": "accepted", "answer": {"body": json.dumps({"id": "o1"})}},
        orders={waiting.id: waiting, placed.id: placed},
        told=Told(DONE, 201, "o1"),
    )


def test_what_went_well_is_once(scene: Scene) -> None:
    assert scene.fates() == [ONCE, ONCE]
    assert scene.verdict().violations == scene.verdict().restless == []


def test_documents_that_are_there_two_times_are_twice(scene: Scene) -> None:
    order = scene.orders[scene.drop.last.order]
    again = (scene.drop.last.fingerprint, frozenset({"a2"}))
    scene.orders[order.id] = dataclasses.replace(order, submissions=[*order.submissions, again])

    assert TWICE in scene.fates()


def test_an_order_that_is_there_two_times_is_twice(scene: Scene) -> None:
    scene.orders["o2"] = dataclasses.replace(scene.orders["o1"], id="o2")

    assert scene.fates() == [ONCE, ONCE, TWICE]


@pytest.mark.parametrize("state", ["rejected", "waiting"])
def test_a_sound_drop_that_is_not_attached_is_lost(scene: Scene, state: str) -> None:
    scene.receipt = {"state": state}

    assert scene.fates() == [LOST, ONCE]


def test_a_receipt_that_says_attached_when_nothing_is_there_is_lost(scene: Scene) -> None:
    order = scene.orders[scene.drop.last.order]
    scene.orders[order.id] = dataclasses.replace(order, submissions=[])

    assert scene.fates() == [LOST, ONCE]


def test_a_receipt_or_an_answer_that_names_something_else_disagrees(scene: Scene) -> None:
    scene.receipt["attachments"] = [{"attachmentId": "b7"}]
    scene.told = Told(DONE, 201, "o7")

    assert scene.fates() == [DISAGREE, DISAGREE]


def test_documents_that_nobody_sent_disagree(scene: Scene) -> None:
    order = scene.orders[scene.drop.last.order]
    mixed = ("another fingerprint", frozenset({"a2"}))
    scene.orders[order.id] = dataclasses.replace(order, submissions=[*order.submissions, mixed])

    assert scene.fates() == [ONCE, DISAGREE, ONCE]


@pytest.mark.parametrize(("why", "fate"), [("it cannot be told", REVIEW), ("", UNEXPLAINED)])
def test_a_review_needs_its_reason(scene: Scene, why: str, fate: str) -> None:
    scene.receipt = {"state": "review", "why": why}
    scene.record = {"state": "review", "why": why}

    assert scene.fates() == [fate, fate]


def test_two_keys_that_share_one_order_have_lost_one(scene: Scene) -> None:
    twin = dataclasses.replace(scene.case, key="twin")
    records = {record_key(scene.case): scene.record, record_key(twin): scene.record}
    world = World({scene.drop.path: scene.receipt}, records, scene.orders, {})
    verdict = judge([scene.drop], [scene.case, twin], lambda _: scene.told, world)

    assert [f.fate for f in verdict.orders] == [ONCE, ONCE, LOST]
