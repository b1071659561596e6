"""Looking resellers up: one call for all who wait, nobody held by a call that he does not need."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from local.simulator.partner_center import PartnerCenterSimulator
from shared.clock import Deadline
from shared.core.errors import (
    NotAppliedError,
    PartnerCenterError,
    RefusedError,
    ResellerError,
    ThrottledError,
    TokenError,
)
from shared.services.resellers import RECENT
from shared.services.shared_read import FAILED, LONGEST_CALL, MOST_CALLS, SharedRead
from tests.services.conftest import CUSTOMER, MintedTokens
from tests.services.desk import (
    CHECK,
    FOR_EVER,
    KNOWN,
    LIFETIME,
    UNKNOWN,
    Desk,
    Gate,
    at_desk,
    new_ids,
)


@pytest.fixture
def desk(partner_center: PartnerCenterSimulator) -> Iterator[Desk]:
    with at_desk(partner_center) as sitting:
        yield sitting


def test_of_many_who_need_the_list_one_asks_and_all_are_answered(desk: Desk) -> None:
    desk.fault({"kind": "delay", "seconds": 0.5})
    desk.fault({"kind": "delay", "seconds": 0.5}, on=CHECK)
    asked = [desk.begin() for _ in range(30)]

    assert {a.result(10) for a in asked} == {KNOWN.mpn_id}
    assert (desk.calls(), desk.calls(CHECK)) == (1, 1)


def test_what_a_call_brings_is_good_for_all_who_waited_however_long_it_took(desk: Desk) -> None:
    desk.fault({"kind": "delay", "seconds": 0.5})
    asked = [desk.begin(reseller) for reseller in (KNOWN.id, UNKNOWN) * 5]
    desk.until_called(1)
    time.sleep(0.1)  # until the others wait
    desk.clock.forward(seconds=LIFETIME + 1)

    for known, unknown in zip(asked[::2], asked[1::2], strict=True):
        assert known.result(10) == KNOWN.mpn_id
        assert isinstance(unknown.exception(10), ResellerError)
    assert desk.calls() == 1


def test_a_call_that_hangs_holds_nobody_who_can_be_answered(desk: Desk) -> None:
    desk.ask()
    desk.clock.forward(seconds=RECENT + 1)
    desk.fault(FOR_EVER)
    stuck = desk.begin(UNKNOWN, seconds=3)
    desk.until_called(2)

    assert {desk.begin().result(10) for _ in range(20)} == {KNOWN.mpn_id}
    assert not stuck.done()
    with pytest.raises(NotAppliedError):
        stuck.result(10)
    assert desk.calls() == 2


def test_who_waits_for_anothers_call_leaves_when_his_own_time_is_up(desk: Desk) -> None:
    desk.fault({"kind": "delay", "seconds": 2})
    asking = desk.begin()
    desk.until_called(1)
    waiting = [desk.begin(seconds=0.3) for _ in range(5)]

    for each in waiting:
        with pytest.raises(NotAppliedError):
            each.result(10)
    assert not asking.done()
    assert asking.result(10) == KNOWN.mpn_id
    assert desk.calls() == 1


def test_when_the_time_of_the_one_who_asks_is_up_another_asks_for_the_rest(desk: Desk) -> None:
    desk.fault(FOR_EVER)
    asking = desk.begin(seconds=1)
    desk.until_called(1)
    waiting = [desk.begin() for _ in range(10)]

    with pytest.raises(NotAppliedError):
        asking.result(10)
    assert {each.result(10) for each in waiting} == {KNOWN.mpn_id}
    assert desk.calls() == 2


def test_a_failure_is_shared_by_those_who_waited_and_those_who_come_within_seconds(desk: Desk) -> None:
    desk.fault({"kind": "hang", "seconds": 0.4}, times=3)
    asked = [desk.begin() for _ in range(20)]

    errors = [each.exception(10) for each in asked]
    assert {type(e) for e in errors} == {NotAppliedError}
    assert len({str(e) for e in errors}) == 1
    assert len({id(e) for e in errors}) == 20, "each has an error of its own, with its own traceback"
    with pytest.raises(NotAppliedError):
        desk.ask()
    assert desk.calls() == 3, "the three attempts of one read"
    desk.clock.forward(seconds=FAILED + 1)
    assert desk.ask() == KNOWN.mpn_id


@pytest.mark.parametrize("status", [400, 401, 403, 404, 503])
def test_a_refusal_is_told_again_with_all_it_says_and_without_a_call(desk: Desk, status: int) -> None:
    body = {"code": "900421", "description": "So it is."}
    desk.fault({"kind": "status", "status": status, "body": body}, times=9)

    told = []
    for _ in range(3):
        with pytest.raises(RefusedError) as caught:
            desk.ask()
        told.append(caught.value)
        calls = desk.calls()
    assert calls == {401: 2, 503: 3}.get(status, 1)
    assert {(type(e), e.status, e.code, e.description, e.advice, e.ids) for e in told} == {
        (type(told[0]), status, "900421", "So it is.", told[0].advice, told[0].ids)
    }


def test_a_failing_look_up_does_not_keep_the_known_resellers_from_ordering(desk: Desk) -> None:
    desk.ask()
    desk.clock.forward(seconds=RECENT + 1)
    desk.fault({"kind": "status", "status": 500}, times=-1)

    with pytest.raises(RefusedError):
        desk.ask(UNKNOWN)
    assert desk.ask() == KNOWN.mpn_id


def test_a_rate_limit_is_over_when_partner_center_says_so(desk: Desk) -> None:
    desk.fault({"kind": "throttle", "retry_after": 2})
    for _ in range(2):
        with pytest.raises(ThrottledError):
            desk.ask()
    desk.clock.forward(seconds=2.1)

    assert desk.ask() == KNOWN.mpn_id
    assert desk.calls() == 2


@pytest.mark.parametrize("error", [TokenError("made up"), RuntimeError("our own fault")], ids=repr)
def test_who_waited_for_a_user_whose_token_is_no_good_is_answered(desk: Desk, error: Exception) -> None:
    def fail() -> None:
        raise error

    gate = Gate(fail)
    asking = desk.begin(by=desk.partner.with_tokens(gate))
    assert gate.reached.wait(10)
    waiting = [desk.begin() for _ in range(10)]
    time.sleep(0.5)  # until they wait
    gate.open.set()

    with pytest.raises(type(error)):
        asking.result(10)
    assert {each.result(10) for each in waiting} == {KNOWN.mpn_id}
    assert desk.calls() == 1


def test_who_has_the_same_token_shares_the_failure_to_get_it(desk: Desk) -> None:
    def fail() -> None:
        raise TokenError("an operator must act", retryable=False)

    gate = Gate(fail)
    user = desk.partner.with_tokens(gate)
    asked = [desk.begin(by=user) for _ in range(10)]
    assert gate.reached.wait(10)
    time.sleep(0.5)  # until the others wait
    gate.open.set()

    errors = [each.exception(10) for each in asked]
    assert {type(e) for e in errors} == {TokenError}
    assert not any(e.retryable for e in errors if isinstance(e, TokenError))
    assert gate.times == 1


def test_a_slow_exchange_of_one_users_token_holds_nobody_else(desk: Desk) -> None:
    gate = Gate()
    asking = desk.begin(by=desk.partner.with_tokens(gate))
    assert gate.reached.wait(10)
    waiting = [desk.begin() for _ in range(10)]

    assert {each.result(10) for each in waiting} == {KNOWN.mpn_id}
    assert desk.calls() == 1
    gate.open.set()
    assert asking.result(10) == KNOWN.mpn_id


def test_a_user_who_may_not_read_the_list_refuses_it_to_nobody_else(desk: Desk) -> None:
    desk.fault({"kind": "status", "status": 403})
    with pytest.raises(RefusedError):
        desk.ask(by=desk.partner.with_tokens(MintedTokens()))

    assert desk.ask() == KNOWN.mpn_id


def test_a_failure_of_the_service_is_shared_by_users_too(desk: Desk) -> None:
    desk.fault({"kind": "hang", "seconds": 0.3}, times=3)
    asked = [desk.begin(by=desk.partner.with_tokens(MintedTokens())) for _ in range(10)]

    for each in asked:
        with pytest.raises(PartnerCenterError):
            each.result(10)
    assert desk.calls() == 3


def test_a_call_that_hangs_for_many_users_leaves_room_for_orders(desk: Desk) -> None:
    desk.fault(FOR_EVER, times=-1)
    users = [desk.partner.with_tokens(MintedTokens()) for _ in range(10)]
    asked = [desk.begin(by=user, seconds=5) for user in users]

    desk.until_called(MOST_CALLS)
    time.sleep(1)
    assert desk.calls() == MOST_CALLS
    assert desk.partner.list_orders(CUSTOMER, new_ids(), Deadline.after(5)).complete
    for each in asked:
        with pytest.raises(NotAppliedError):
            each.result(10)


def test_a_call_is_given_half_a_minute_where_a_request_has_more(desk: Desk) -> None:
    shared: SharedRead[float] = SharedRead(desk.clock.monotonic)

    assert 29 < shared.get("a", lambda *_: False, Deadline.remaining, Deadline.after(180)) <= LONGEST_CALL
    assert 9 < shared.get("a", lambda *_: False, Deadline.remaining, Deadline.after(10)) <= 10


def test_a_late_answer_to_an_early_call_does_not_replace_a_newer_one(desk: Desk) -> None:
    shared: SharedRead[str] = SharedRead(desk.clock.monotonic)
    asked, end = threading.Event(), threading.Event()

    def ask_long(until: Deadline) -> str:
        asked.set()
        assert end.wait(until.remaining())
        return "old"

    early = desk.pool.submit(shared.get, "a", lambda *_: True, ask_long, Deadline.after(20))
    assert asked.wait(10)
    assert shared.get("b", lambda *_: True, lambda _: "new", Deadline.after(20)) == "new"
    end.set()
    assert early.result(10) == "old"
    assert shared.get("c", lambda *_: True, lambda _: "none", Deadline.after(20)) == "new"
