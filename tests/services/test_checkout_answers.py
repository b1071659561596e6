"""Odd answers to the calls of a checkout: nothing is bought twice, and nobody is told an untruth."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from shared.auth.mode import Mode, TokenSource
from shared.core.errors import (
    NotConfiguredError,
    NothingOrderedError,
    RefusedError,
)
from shared.core.ledger import State
from shared.web.responses import require_done
from tests.services.conftest import MintedTokens, Office
from tests.services.steps import (
    DONE_SILENTLY,
    LICENCES,
    NOT_DONE,
    OTHERS,
    REFUSED,
    check_out,
    fail,
    settle_down,
)

DAYS = (1, 5, 15, 26 * 60)
"""Minutes until nothing is left to do by itself."""


def placed(office: Office) -> int:
    return len(office.partner.state.orders)


def answered(office: Office, on: str, body: object, status: int = 201, times: int = 1, **more: Any) -> None:
    fail(office, on, times, kind="status", status=status, body=body, **more)


def failure(group: str) -> dict[str, Any]:
    return {"orderGroupId": group, "code": "800066", "description": "Too many."}


DEEP = '{"orders": [{"id": "x", "links": ' + "[" * 700 + "]" * 700 + "}]}"
ODD: dict[str, object] = {
    "nothing": "",
    "a text": "done",
    "HTML": "<html>201 Created</html>",
    "a list": [],
    "an empty object": {},
    "no orders": {"orders": [], "orderErrors": []},
    "no list": {"orders": {"id": "x"}},
    "orders that are texts": {"orders": ["x"]},
    "an order without an id": {"orders": [{"status": "pending"}]},
    "an order whose id is a list": {"orders": [{"id": ["x"]}]},
    "two kinds of orders": {"orders": [], "Orders": [{"id": "x"}], "orderErrors": [failure("0")]},
    "thousands of digits": '{"orders": [{"id": "x", "total": ' + "9" * 5000 + "}]}",
    "a broken text": '{"orders": [{"id": "x',
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("times", [1, -1], ids=["once", "for ever"])
def test_an_answer_that_tells_no_order_is_asked_about_and_never_taken_for_a_refusal(
    office: Office, odd: object, times: int
) -> None:
    answered(office, "POST checkout", odd, times=times, commit=True)
    first = check_out(office)
    assert first.submission.state in (State.DONE, State.ACCEPTED, State.UNKNOWN)
    settle_down(office, *(DAYS if times < 0 else DAYS[:3]))
    own = check_out(office).submission

    assert own.state is (State.REVIEW if times < 0 else State.DONE), own.detail
    assert placed(office) == 1


def test_an_order_that_is_nested_deeply_is_done_and_named(office: Office) -> None:
    answered(office, "POST checkout", DEEP)
    own = check_out(office).submission

    assert (own.state, own.ids) == (State.DONE, ("x",))


@pytest.mark.parametrize("left", [[], [failure("1")]], ids=["no error", "the other's error"])
def test_after_a_silence_an_answer_that_leaves_a_group_out_is_no_refusal(
    office: Office, left: list[Any]
) -> None:
    """The call that was silent ordered one group; a repeat tells of the others alone."""
    office.partner.configure(checkout_failures={"CFQ7TTC0LFLS": 800066}, partial_cart="active")
    fail(office, "POST checkout", **DONE_SILENTLY)
    answered(office, "POST checkout", {"orders": [], "orderErrors": left}, times=-1)
    states = [check_out(office, LICENCES, OTHERS).submission.state]
    settle_down(office, *DAYS)
    own = check_out(office, LICENCES, OTHERS).submission

    assert states == [State.UNKNOWN]
    assert own.state is State.REVIEW, own.detail
    assert placed(office) == 1


def test_after_a_silence_an_answer_that_names_each_group_as_failed_is_a_refusal(office: Office) -> None:
    office.partner.configure(checkout_failures={"CFQ7TTC0LFLS": 800066, "CFQ7TTC0LH0Z": 800066})
    fail(office, "POST checkout", **DONE_SILENTLY)
    with pytest.raises(NothingOrderedError):
        require_done(check_out(office, LICENCES, OTHERS))
    assert placed(office) == 0


@pytest.mark.parametrize("silent_before", [False, True])
def test_a_refusal_of_a_cart_that_was_ordered_all_the_same_is_found_out(
    office: Office, silent_before: bool
) -> None:
    if silent_before:
        fail(office, "POST checkout", times=3, **NOT_DONE)
        fail(office, "GET cart", times=3, **NOT_DONE)
        assert check_out(office).submission.state is State.UNKNOWN
        office.clock.forward(minutes=2)
    fail(office, "POST checkout", **REFUSED, commit=True)
    own = check_out(office).submission

    assert own.state is State.DONE, own.detail
    assert placed(office) == 1


def test_a_refusal_after_a_silence_is_none_while_the_cart_cannot_be_read(office: Office) -> None:
    fail(office, "POST checkout", times=3, **NOT_DONE)
    first = check_out(office)
    office.clock.forward(minutes=2)
    fail(office, "POST checkout", **REFUSED)
    fail(office, "GET cart", skip=1, times=6, **NOT_DONE)
    second = check_out(office)
    settle_down(office, 1, 5)

    assert [first.submission.state, second.submission.state] == [State.UNKNOWN] * 2
    assert check_out(office).submission.state is State.DONE
    assert placed(office) == 1


def test_after_a_silence_a_conflict_is_no_refusal(office: Office) -> None:
    """It may be with the call that was silent."""
    fail(office, "POST checkout", times=3, **NOT_DONE)
    assert check_out(office).submission.state is State.UNKNOWN
    office.clock.forward(minutes=2)
    conflict = {"code": "800082", "description": "Being processed."}
    answered(office, "POST checkout", conflict, status=409)
    own = check_out(office).submission

    assert own.state is State.DONE, own.detail


def test_without_a_silence_a_conflict_is_a_refusal_that_is_kept(office: Office) -> None:
    answered(office, "POST checkout", {"code": "900112", "description": "Upgrade first."}, status=409)
    with pytest.raises(RefusedError):
        require_done(check_out(office))
    assert placed(office) == 0


def test_nothing_of_a_purchase_reaches_the_log(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fail(office, "POST checkout", kind="garbage")
    answered(office, "POST checkout", DEEP.replace("{", '{"note": "hidden words", ', 1), times=2)
    check_out(office, LICENCES | {"friendlyName": "hidden words"})
    settle_down(office, 1, 2)

    assert "hidden words" not in caplog.text
    assert "Bearer" not in caplog.text


@pytest.mark.parametrize("told", [1, 2], ids=["one error", "two errors of one group"])
def test_nothing_was_ordered_only_when_every_group_is_told(office: Office, told: int) -> None:
    answered(office, "POST checkout", {"orders": [], "orderErrors": [failure("0")] * told})
    own = check_out(office, LICENCES, OTHERS).submission
    assert own.state is not State.REFUSED
    settle_down(office, *DAYS)
    assert check_out(office, LICENCES, OTHERS).submission.state in (State.DONE, State.REVIEW)


def test_what_was_silent_and_is_refused_then_is_not_told_as_refused_when_part_of_it_was_bought(
    office: Office,
) -> None:
    office.partner.configure(partial_cart="active", checkout_failures={"CFQ7TTC0LFLS": 800066})
    fail(office, "POST checkout", times=3, **DONE_SILENTLY)
    answered(office, "POST checkout", {"code": "900121", "description": "Credit line."}, status=403, times=-1)
    for _ in range(2):
        own = check_out(office, LICENCES, OTHERS).submission
        assert own.state is State.UNKNOWN, own.detail
        settle_down(office, 1, 1)
    settle_down(office, *DAYS)
    own = check_out(office, LICENCES, OTHERS).submission
    assert (own.state, placed(office)) == (State.REVIEW, 1)
    assert "900121" in " ".join(own.history)


class LosesItsSettings:
    """Tokens, until the settings go: after so many."""

    def __init__(self, tokens: TokenSource, after: int) -> None:
        self.tokens, self.left = tokens, after

    def configured(self, mode: Mode) -> bool:
        return True

    def get(self, mode: Mode) -> str:
        self.left -= 1
        if self.left < 0:
            raise NotConfiguredError("the vault is gone", ["KEY_VAULT_URL"])
        return self.tokens.get(mode)

    def reject(self, mode: Mode, token: str) -> None:
        raise AssertionError(mode)


def test_settings_that_go_after_a_silence_do_not_make_it_forgotten(office: Office) -> None:
    fail(office, "POST checkout", **DONE_SILENTLY)
    orders = office.services.orders
    partner = orders.partner.with_tokens(LosesItsSettings(MintedTokens(), 2))
    services = replace(office.services, orders=replace(orders, partner=partner))
    own = check_out(office, by=services).submission
    assert own.state is State.UNKNOWN
    assert own.first_silent is not None
    settle_down(office, 1, 1)
    assert (check_out(office).submission.state, placed(office)) == (State.DONE, 1)
