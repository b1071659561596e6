"""The soak, small; that its seed decides everything; and that its check sees what must not be."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest

from local.simulator.behaviour import Behaviour, changed
from local.simulator.faults import parse_rule
from local.soak.campaign import run
from local.soak.causes import NOTHING_KNOWN, Causes, causes_of
from local.soak.checker import (
    DISAGREE,
    LOST,
    ONCE,
    REJECTED,
    RESIDUE,
    TWICE,
    UNEXPLAINED,
    UNSEEN,
    CheckResult,
    check,
)
from local.soak.drops import KINDS, all_drops
from local.soak.flows import DONE, REVIEW, ClientAnswer
from local.soak.observations import Observation, ObservedOrder, record_key
from local.soak.options import Options
from local.soak.orders import OrderCase, all_orders
from local.soak.partner import behaviour
from local.soak.steps import Drop, Expect, Post, Put, Upload

SMALL = Options(drops=5, orders=4, seconds=3, settle=240, hosts=2, kills=1, lose=0, seed=100)
"""It rests after some seconds; on a busy machine the kill can hit what comes back after two minutes only."""
RECEIPT, RECORD = (
    {"state": "attached", "attachments": [{"attachmentId": "a1"}]},
    {"state": "done", "ids": ["o1"]},
)


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
    drops = all_drops(5, 600, 60)
    names = [s.name for d in drops for s in d.steps if isinstance(s, Put)]
    again = {"overwritten": 1, "corrected": 1, "turned to junk": 1, "replaced": 2, "set replaced": 3}

    assert len({d.kind for d in drops}) == len(KINDS)
    assert any(isinstance(step, Post) for drop in drops for step in drop.steps)
    assert len(names) == len(set(names)) + sum(again.get(d.kind, 0) for d in drops)


def test_every_way_of_ordering_comes_up_and_no_two_requests_have_one_key() -> None:
    cases = all_orders(5, 400, 60)

    assert {c.kind for c in cases} == {
        *("plain", "reseller", "twins", "refused", "alike", "silent posts", "by hand", "changed")
    }
    assert len({c.key for c in cases}) == len(cases)
    assert len({(c.group, c.kind) for c in cases if c.kind == "alike"}) == sum(
        c.kind == "alike" for c in cases
    )


def test_the_simulator_takes_every_fault_and_every_make() -> None:
    for seed in range(60):
        for made in ("usual", "other", "mixed"):
            changed(Behaviour(), behaviour(Options(seed=seed, profile=made)))
    everything: list[Drop | OrderCase] = [*all_drops(6, 400, 60), *all_orders(6, 300, 60)]
    for one in everything:
        assert all(parse_rule(fault).customer == one.customer for fault in one.fault_rules)


@dataclasses.dataclass
class Scene:
    """One drop and one order that went well, for a test to break."""

    drop: Drop
    case: OrderCase
    receipt: dict[str, Any]
    record: dict[str, Any]
    orders: dict[str, ObservedOrder]
    answer: ClientAnswer
    documents: dict[str, Any] = dataclasses.field(default_factory=dict)
    """The ledger's submissions for the drop's order."""
    causes: Causes = NOTHING_KNOWN

    @property
    def observed(self) -> Observation:
        records = {
            record_key(self.case): {"submissions": {"x": self.record}},
            f"attachments/{self.drop.customer}/{self.drop.order}": {"submissions": self.documents},
        }
        return Observation({self.drop.path: self.receipt}, records, self.orders, {})

    def result(self) -> CheckResult:
        return check([self.drop], [self.case], lambda _: self.answer, self.observed, self.causes)

    def outcomes(self) -> list[str]:
        return [f.outcome for f in self.result().all]

    def attach(self, *submissions: tuple[str, set[str]]) -> None:
        """Have these, and no others, at the drop's order."""
        there = [(name, frozenset(ids)) for name, ids in submissions]
        self.orders[self.drop.order] = dataclasses.replace(self.orders[self.drop.order], submissions=there)

    @property
    def name(self) -> str:
        """By what the drop's documents are known."""
        return self.drop.cases[0].fingerprint


def scene_of(kind: str) -> Scene:
    drop = next(d for d in all_drops(1, 300, 60) if d.kind == kind)
    case = next(c for c in all_orders(1, 40, 60) if c.kind == "plain" and not c.through_cart)
    ids = frozenset({"a1"})
    waiting = ObservedOrder(drop.order, drop.customer, "", [(drop.cases[0].fingerprint, ids)], placed=False)
    placed = ObservedOrder("o1", case.customer, case.group, [])
    orders = {waiting.id: waiting, placed.id: placed}
    return Scene(drop, case, dict(RECEIPT), dict(RECORD), orders, ClientAnswer(DONE, 201, "o1"))


@pytest.fixture
def scene() -> Scene:
    return scene_of("pair")


def test_what_went_well_is_once(scene: Scene) -> None:
    assert scene.outcomes() == [ONCE, ONCE]
    assert scene.result().violations == scene.result().unsettled == []


def test_documents_that_are_there_two_times_are_twice(scene: Scene) -> None:
    scene.attach((scene.name, {"a1"}), (scene.name, {"a2"}))

    assert scene.outcomes() == [ONCE, TWICE, ONCE]


def test_an_order_that_is_there_two_times_is_twice(scene: Scene) -> None:
    scene.orders["o2"] = dataclasses.replace(scene.orders["o1"], id="o2")

    assert scene.outcomes() == [ONCE, ONCE, TWICE]


@pytest.mark.parametrize(
    ("ids", "answered", "outcomes"),
    [
        (["o1", "o2"], "o1 o2", [ONCE, ONCE]),
        (["o1"], "o1", [ONCE, ONCE, LOST]),
        (["o1", "o2"], "o1", [ONCE, DISAGREE]),
        (["o1", "o3"], "o1 o3", [ONCE, DISAGREE, LOST]),
    ],
    ids=["both", "one is in no record", "the client got one", "one is not there"],
)
def test_a_checkout_of_two_lines_may_become_two_orders_that_its_record_names(
    scene: Scene, ids: list[str], answered: str, outcomes: list[str]
) -> None:
    two = next(c for c in all_orders(1, 99, 60) if c.through_cart and len(c.groups) == 2)
    scene.case = dataclasses.replace(two, kind="plain")
    scene.orders |= {
        f"o{n + 1}": ObservedOrder(f"o{n + 1}", "", name, []) for n, name in enumerate(two.groups)
    }
    scene.record, scene.answer = {"state": "done", "ids": ids}, ClientAnswer(DONE, 201, answered)

    assert scene.outcomes() == outcomes


def test_a_cart_that_was_bought_two_times_is_twice(scene: Scene) -> None:
    scene.case = dataclasses.replace(scene.case, through_cart=True)
    scene.orders["o2"] = dataclasses.replace(scene.orders["o1"], id="o2")

    assert TWICE in scene.outcomes()


def test_requests_are_made_by_both_ways_and_twins_by_either() -> None:
    cases = all_orders(5, 400, 60)
    twins = [c for c in cases if c.kind == "twins"]

    assert 0.4 < sum(c.through_cart for c in cases) / len(cases) < 0.6
    assert any(a.through_cart != b.through_cart for a, b in itertools.pairwise(twins) if a.group == b.group)


def test_an_order_that_a_person_placed_is_none_of_those_that_were_asked_for(scene: Scene) -> None:
    scene.orders["o2"] = dataclasses.replace(scene.orders["o1"], id="o2", placed=False)
    assert scene.outcomes() == [ONCE, ONCE]

    scene.record["ids"], scene.answer = ["o2"], ClientAnswer(DONE, 201, "o2")
    assert scene.outcomes() == [ONCE, DISAGREE]


def test_what_lists_that_deceive_lead_to_is_residue_where_a_post_was_silent(scene: Scene) -> None:
    scene.attach((scene.name, {"a1"}), (scene.name, {"a2"}))
    scene.orders["o2"] = dataclasses.replace(scene.orders["o1"], id="o2")
    scene.record["firstSilent"] = "2026-11-27T10:00:00Z"

    for silent, outcomes in (
        ({}, [ONCE, TWICE, ONCE, RESIDUE]),
        ({"firstSilent": "2026-11-27T10:00:00Z"}, [ONCE, RESIDUE, ONCE, RESIDUE]),
    ):
        scene.documents = {"y": {"state": "done", "ids": ["a1"], **silent}}
        scene.causes = causes_of(
            [], [scene.drop], [scene.case], scene.observed, "lists are late", deceived=True
        )
        assert scene.outcomes() == outcomes
        scene.causes = causes_of([], [scene.drop], [scene.case], scene.observed, "", deceived=False)
        assert scene.outcomes() == [ONCE, TWICE, ONCE, TWICE]


@pytest.mark.parametrize("state", ["rejected", "waiting"])
def test_a_sound_drop_that_is_not_attached_is_lost(scene: Scene, state: str) -> None:
    scene.receipt = {"state": state}

    assert scene.outcomes() == [LOST, ONCE]


def test_a_receipt_that_says_attached_when_nothing_is_there_is_lost(scene: Scene) -> None:
    scene.attach()

    assert scene.outcomes() == [LOST, ONCE]


def test_a_receipt_or_an_answer_that_names_something_else_disagrees(scene: Scene) -> None:
    scene.receipt["attachments"] = [{"attachmentId": "b7"}]
    scene.answer = ClientAnswer(DONE, 201, "o7")

    assert scene.outcomes() == [DISAGREE, DISAGREE]


def test_documents_that_nobody_sent_disagree(scene: Scene) -> None:
    scene.attach((scene.name, {"a1"}), ("another fingerprint", {"a2"}))

    assert scene.outcomes() == [ONCE, DISAGREE, ONCE]


def test_a_ledger_that_names_what_is_not_there_or_one_thing_twice_disagrees(scene: Scene) -> None:
    scene.documents = {"x": {"state": "done", "ids": ["a7"]}}
    assert scene.outcomes() == [ONCE, DISAGREE, ONCE]

    scene.documents = {name: {"state": "done", "ids": ["a1"]} for name in ("x", "y")}
    assert scene.outcomes() == [ONCE, DISAGREE, ONCE]


def test_of_a_document_that_was_replaced_without_a_signal_only_one_version_is_sent() -> None:
    scene = scene_of("overwritten")
    before, after = (case.fingerprint for case in scene.drop.cases)

    scene.attach((after, {"a1"}))
    assert scene.outcomes() == [ONCE, ONCE]
    scene.attach((before, {"a1"}), (after, {"a2"}))
    assert scene.outcomes() == [ONCE, TWICE, ONCE]


def test_of_a_set_that_was_replaced_piece_by_piece_no_more_is_sent_than_was_signalled() -> None:
    scene = scene_of("set replaced")
    (after,), (before, mixed) = scene.drop.cases, scene.drop.earlier
    earlier = ((before.fingerprint, {"a2"}), (mixed.fingerprint, {"a3"}))

    for one in earlier:
        scene.attach((after.fingerprint, {"a1"}), one)
        assert scene.outcomes() == [ONCE, ONCE]
    scene.attach((after.fingerprint, {"a1"}), *earlier)
    assert scene.outcomes() == [ONCE, TWICE, ONCE]
    scene.attach(*earlier)
    assert scene.outcomes() == [LOST, ONCE]


def test_junk_over_an_attached_drop_leaves_in_the_receipt_what_was_attached() -> None:
    scene = scene_of("turned to junk")
    assert scene.drop.expects is Expect.CORRUPTED
    scene.receipt = {"state": "rejected", "errors": [{"detail": "x"}]}
    scene.documents = {"y": {"state": "accepted"}}
    assert scene.outcomes() == [REJECTED, ONCE]

    scene.documents = {"y": {"state": "done", "ids": ["a1"]}}
    assert scene.outcomes() == [DISAGREE, ONCE]
    scene.receipt["previous"] = [{"attachments": [{"attachmentId": "a1"}]}]
    assert scene.outcomes() == [REJECTED, ONCE]


def test_a_drop_for_an_order_that_is_not_there_waits_for_it() -> None:
    scene = scene_of("no such order")
    del scene.orders[scene.drop.order]
    scene.receipt = {"state": "retrying", "nextAttempt": "2026-11-27T10:00:00Z", "detail": "404"}

    assert scene.outcomes() == [UNSEEN, ONCE]


@pytest.mark.parametrize(("detail", "outcome"), [("it cannot be answer", REVIEW), ("", UNEXPLAINED)])
def test_a_review_needs_its_reason(scene: Scene, detail: str, outcome: str) -> None:
    scene.receipt = {"state": "review", "detail": detail}
    scene.record = {"state": "review", "detail": detail}

    assert scene.outcomes() == [outcome, outcome]


def test_a_review_needs_something_that_went_wrong(scene: Scene) -> None:
    scene.receipt = {"state": "review", "detail": "it cannot be answer"}
    scene.record = {"state": "review", "detail": "it cannot be answer"}
    attach, place = (
        {"operation": f"POST {what}", "path": path, "customer": customer, "fault": "lose_reply"}
        for what, path, customer in (
            ("attachment", f"/v1/customers/c/orders/{scene.drop.order}/attachment", scene.drop.customer),
            ("order", "/v1/customers/c/orders", scene.case.customer.upper()),
        )
    )
    for journal, outcomes in (
        ([], [UNEXPLAINED, UNEXPLAINED]),
        ([attach], [REVIEW, UNEXPLAINED]),
        ([place], [UNEXPLAINED, REVIEW]),
        ([attach | {"fault": "delay"}, place | {"fault": ""}], [UNEXPLAINED, UNEXPLAINED]),
    ):
        scene.causes = causes_of(journal, [scene.drop], [scene.case], scene.observed, "", deceived=False)
        assert scene.outcomes() == outcomes


def test_what_a_person_did_in_the_portal_explains_a_review(scene: Scene) -> None:
    scene.receipt = {"state": "review", "detail": "the order has 1 new attachments"}
    order = scene.orders[scene.drop.order]
    for by_hand, outcome in ((0, UNEXPLAINED), (1, REVIEW)):
        scene.orders[order.id] = dataclasses.replace(order, by_hand=by_hand)
        scene.causes = causes_of([], [scene.drop], [scene.case], scene.observed, "", deceived=False)
        assert scene.outcomes() == [outcome, ONCE]


def test_two_keys_that_share_one_order_have_lost_one(scene: Scene) -> None:
    twin = dataclasses.replace(scene.case, key="twin")
    observed = scene.observed
    records = {**observed.records, record_key(twin): observed.records[record_key(scene.case)]}
    observed = dataclasses.replace(observed, records=records)
    result = check([scene.drop], [scene.case, twin], lambda _: scene.answer, observed)

    assert [f.outcome for f in result.orders] == [ONCE, ONCE, LOST]


def test_documents_of_a_person_are_uploaded_before_the_drop_that_must_not_take_them_for_its_own() -> None:
    drops = [d for d in all_drops(7, 400, 60) if d.kind == "uploaded before"]

    assert drops
    for drop in drops:
        uploaded = [s.at for s in drop.steps if isinstance(s, Upload)]
        assert max(uploaded) + 20 < min(s.at for s in drop.steps if isinstance(s, Put))
