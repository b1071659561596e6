"""What an operator may decide, and how a decision is written."""

from __future__ import annotations

import json

import pytest

from shared.core.errors import InvalidInputError
from shared.core.ledger import Decision
from shared.validation.reviews import MOST_ORDERS, ReviewDecision, review_decision


def decided(**members: object) -> ReviewDecision:
    return review_decision(json.dumps({"by": "Ada"} | members).encode())


def faults(**members: object) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        decided(**members)
    return {v.pointer: v.detail for v in caught.value.violations}


@pytest.mark.parametrize("decision", Decision)
def test_every_decision_is_read(decision: Decision) -> None:
    assert decided(decision=decision) == ReviewDecision(decision, "Ada")


def test_what_is_adopted_may_be_named() -> None:
    assert decided(decision="adopt", orderId="5cf72f146967").order_ids == ("5cf72f146967",)
    assert decided(decision="adopt", orderIds=["5cf7", "a01b", "5CF7"]).order_ids == ("5CF7", "a01b")
    assert decided(decision="adopt", attachmentIds=["a", "b"]).attachment_ids == ("a", "b")


@pytest.mark.parametrize("decision", ["retry", "send-again", "give-up"])
def test_only_what_is_adopted_is_named(decision: str) -> None:
    wrong = faults(decision=decision, orderId="5cf72f146967", attachmentIds=["a"])
    wrong |= faults(decision=decision, orderIds=["5cf72f146967"])

    assert set(wrong) == {"/orderId", "/orderIds", "/attachmentIds"}
    assert set(wrong.values()) == {"is only for the decision adopt"}


def test_every_fault_of_a_decision_is_named() -> None:
    wrong = faults(decision="maybe", by="", orderId="../x")

    assert set(wrong) >= {"/by"}
    assert faults(decision="maybe")["/decision"] == "must be one of adopt, retry, send-again, give-up"
    assert "/orderId" in faults(decision="adopt", orderId="../x")


def test_orders_are_named_in_one_way_and_not_without_end() -> None:
    assert faults(decision="adopt", orderIds=["a", "../x"]).keys() == {"/orderIds/1"}
    assert faults(decision="adopt", orderIds=["a"] * (MOST_ORDERS + 1)).keys() == {"/orderIds"}
    both = faults(decision="adopt", orderId="a", orderIds=["b"])
    assert both == {"/orderIds": "names the orders: leave orderId out"}


def test_without_a_sign_in_who_decides_is_named() -> None:
    with pytest.raises(InvalidInputError) as caught:
        review_decision(b'{"decision": "retry"}')
    assert {v.pointer: v.detail for v in caught.value.violations} == {"/by": "is required"}


def test_who_is_signed_in_decides_and_nobody_else_is_named() -> None:
    assert (
        review_decision(b'{"decision": "retry"}', "ada@contoso.example (6f1e)").by
        == "ada@contoso.example (6f1e)"
    )
    with pytest.raises(InvalidInputError) as caught:
        review_decision(b'{"decision": "retry", "by": "Bob"}', "ada (6f1e)")
    assert [v.pointer for v in caught.value.violations] == ["/by"]
