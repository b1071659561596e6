"""Looking resellers up: one call for all who wait, nobody held by a call that he does not need."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from local.simulator.partner_center import PartnerCenterSimulator
from local.simulator.state import USUAL_RESELLERS, Reseller
from shared.auth.mode import Mode
from shared.errors import (
    NotSentError,
    PartnerCenterError,
    RefusedError,
    ResellerError,
    ThrottledError,
    TokenError,
)
from shared.partner_center.client import PartnerCenter
from shared.partner_center.wire import Deadline, RequestIds
from shared.services.resellers import MOST_PARTNER_IDS, RECENT, Resellers
from shared.services.shared_read import FAILED, LONGEST, MOST_AT_ONCE, SharedRead
from shared.validation.orders import order_request
from tests.services.conftest import CUSTOMER, Clock, MintedTokens

KNOWN, INACTIVE = USUAL_RESELLERS
OTHER = Reseller("77777777-93d8-4c1e-b3a7-6f0e2b9c4d18", "Wingtip Reseller", "6000007")
UNKNOWN = "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
LIFETIME = 300.0
LIST, CHECK = "GET relationships", "POST validateresellers"
FOR_EVER = {"kind": "hang", "seconds": 60}


class Gate(MintedTokens):
    """The tokens of a user for whom getting one takes until `open` is set, and then does what `then` does."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.reached, self.open, self._then = threading.Event(), threading.Event(), then
        self.times = 0

    def get(self, mode: Mode) -> str:
        self.times += 1
        self.reached.set()
        assert self.open.wait(30)
        self._then()
        return super().get(mode)


@dataclass
class Desk:
    """The look-up of one partner, without orders, against a Partner Center that is simulated."""

    simulator: PartnerCenterSimulator
    pool: ThreadPoolExecutor
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.resellers = Resellers(LIFETIME, self.clock.monotonic)
        url, clock = self.simulator.url, self.clock
        self.partner = PartnerCenter(url, MintedTokens(), clock=clock.monotonic, sleep=clock.sleep)

    def ask(
        self, reseller: str = KNOWN.id, *, seconds: float = 20.0, by: PartnerCenter | None = None, **more: Any
    ) -> str | None:
        line = {"offerId": "A", "quantity": 1}
        raw = json.dumps({"lineItems": [line], "indirectResellerId": reseller, **more})
        return self._ask(raw, seconds, by)

    def ask_for_ids(self, *partner_ids: str) -> str | None:
        lines = [{"offerId": "A", "quantity": 1, "partnerIdOnRecord": given} for given in partner_ids]
        return self._ask(json.dumps({"lineItems": lines}), 20.0, None)

    def _ask(self, raw: str, seconds: float, by: PartnerCenter | None) -> str | None:
        request = order_request(raw.encode(), CUSTOMER)
        return self.resellers.partner_id(by or self.partner, request, new_ids(), Deadline.after(seconds))

    def begin(self, *args: Any, **more: Any) -> Future[str | None]:
        """`ask` in a thread of its own."""
        return self.pool.submit(self.ask, *args, **more)

    def calls(self, operation: str = LIST) -> int:
        return sum(entry.operation == operation for entry in self.simulator.journal.entries())

    def until_called(self, times: int, operation: str = LIST) -> None:
        until(lambda: self.calls(operation) >= times)

    def fault(self, do: Mapping[str, object], on: str = LIST, times: int = 1) -> None:
        self.simulator.faults.add({"on": on, "times": times, "do": do})

    def lists(self, *items: object, times: int = 1, members: Mapping[str, object] | None = None) -> None:
        """Have the next lists be this."""
        body = {"totalCount": len(items), "items": items, **(members or {})}
        self.fault({"kind": "status", "status": 200, "body": body}, times=times)

    def has(self, *resellers: Reseller) -> None:
        self.simulator.state.resellers = resellers


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def desk(partner_center: PartnerCenterSimulator) -> Iterator[Desk]:
    partner_center.reset()
    with ThreadPoolExecutor(40) as pool:
        yield Desk(partner_center, pool)


def new_ids() -> RequestIds:
    return RequestIds(str(uuid.uuid4()), str(uuid.uuid4()))


def item(**changes: object) -> dict[str, object]:
    return {"id": KNOWN.id, "mpnId": KNOWN.mpn_id, "state": "Active", **changes}


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
    with pytest.raises(NotSentError):
        stuck.result(10)
    assert desk.calls() == 2


def test_who_waits_for_anothers_call_leaves_when_his_own_time_is_up(desk: Desk) -> None:
    desk.fault({"kind": "delay", "seconds": 2})
    asking = desk.begin()
    desk.until_called(1)
    waiting = [desk.begin(seconds=0.3) for _ in range(5)]

    for each in waiting:
        with pytest.raises(NotSentError):
            each.result(10)
    assert not asking.done()
    assert asking.result(10) == KNOWN.mpn_id
    assert desk.calls() == 1


def test_when_the_time_of_the_one_who_asks_is_up_another_asks_for_the_rest(desk: Desk) -> None:
    desk.fault(FOR_EVER)
    asking = desk.begin(seconds=1)
    desk.until_called(1)
    waiting = [desk.begin() for _ in range(10)]

    with pytest.raises(NotSentError):
        asking.result(10)
    assert {each.result(10) for each in waiting} == {KNOWN.mpn_id}
    assert desk.calls() == 2


def test_a_failure_is_shared_by_those_who_waited_and_those_who_come_within_seconds(desk: Desk) -> None:
    desk.fault({"kind": "hang", "seconds": 0.4}, times=3)
    asked = [desk.begin() for _ in range(20)]

    errors = [each.exception(10) for each in asked]
    assert {type(e) for e in errors} == {NotSentError}
    assert len({str(e) for e in errors}) == 1
    assert len({id(e) for e in errors}) == 20, "each has an error of its own, with its own traceback"
    with pytest.raises(NotSentError):
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


def test_made_up_resellers_cost_one_call_in_half_a_minute(desk: Desk) -> None:
    for _ in range(50):
        with pytest.raises(ResellerError, match="not among"):
            desk.ask(str(uuid.uuid4()))
        with pytest.raises(ResellerError, match="not among"):
            desk.ask_for_ids(uuid.uuid4().hex)

    assert (desk.calls(), desk.calls(CHECK)) == (1, 0)
    desk.clock.forward(seconds=RECENT + 1)
    with pytest.raises(ResellerError):
        desk.ask(UNKNOWN)
    assert desk.calls() == 2


@pytest.mark.parametrize(
    "before", [(), (replace(KNOWN, state="Pending"),), (replace(KNOWN, mpn_id=""),)], ids=str
)
def test_a_new_relationship_works_after_half_a_minute(desk: Desk, before: tuple[Reseller, ...]) -> None:
    desk.has(*before)
    with pytest.raises(ResellerError):
        desk.ask()
    desk.has(KNOWN)
    desk.clock.forward(seconds=RECENT - 1)
    with pytest.raises(ResellerError):
        desk.ask()
    desk.clock.forward(seconds=2)

    assert desk.ask() == KNOWN.mpn_id
    assert desk.calls() == 2


def test_a_lost_relationship_is_noticed_within_the_lifetime(desk: Desk) -> None:
    desk.ask()
    desk.has()
    desk.clock.forward(seconds=LIFETIME - 1)
    assert desk.ask() == KNOWN.mpn_id
    desk.clock.forward(seconds=2)
    with pytest.raises(ResellerError, match="not among"):
        desk.ask()


def test_a_partner_id_that_is_not_accepted_is_asked_about_once_in_half_a_minute(desk: Desk) -> None:
    bad = {"partnerId": KNOWN.mpn_id, "isValidPartnerIdOnRecord": False, "errorCode": 900149}
    said = {"validationResults": [{**bad, "errorDescription": "Not\nenrolled.\u202e"}]}
    desk.fault({"kind": "status", "status": 200, "body": said}, on=CHECK)

    for _ in range(3):
        with pytest.raises(ResellerError, match=r"Not enrolled\. \(code 900149\); no order"):
            desk.ask()
    with pytest.raises(ResellerError, match=r"/lineItems/1/partnerIdOnRecord: .*Not enrolled"):
        desk.ask_for_ids(KNOWN.mpn_id, KNOWN.mpn_id)
    assert desk.calls(CHECK) == 1
    desk.clock.forward(seconds=RECENT + 1)
    assert desk.ask() == KNOWN.mpn_id


def test_a_check_that_hangs_holds_no_other_partner_id(desk: Desk) -> None:
    desk.has(KNOWN, OTHER)
    desk.fault(FOR_EVER, on=CHECK)
    stuck = desk.begin(KNOWN.id, seconds=3)
    desk.until_called(1, CHECK)
    waiting = [desk.begin(KNOWN.id, seconds=0.3) for _ in range(5)]

    assert desk.ask(OTHER.id) == OTHER.mpn_id
    assert not stuck.done()
    for each in [*waiting, stuck]:
        with pytest.raises(NotSentError):
            each.result(10)
    assert (desk.calls(), desk.calls(CHECK)) == (1, 2)


def test_only_so_many_approvals_are_remembered(desk: Desk) -> None:
    many = [replace(KNOWN, id=str(uuid.uuid4()), mpn_id=str(n)) for n in range(MOST_PARTNER_IDS + 1)]
    desk.has(*many)
    for each in many:
        desk.ask(each.id)
    before = desk.calls(CHECK)

    desk.ask(many[-1].id)
    assert desk.calls(CHECK) == before == MOST_PARTNER_IDS + 1
    desk.ask(many[0].id)
    assert desk.calls(CHECK) == before + 1


NO_IDS = [4847383, None, True, ["4847383"], {"id": "4847383"}, "", " ", "48 47", "4847383\n", "48\x0047"]
NO_IDS += ["48\xe9", "\uff14\uff18\uff14\uff17", "1" * 65, "1" * 100_000]


@pytest.mark.parametrize("mpn_id", NO_IDS, ids=lambda value: ascii(value)[:20])
def test_a_partner_id_that_no_order_can_carry_places_none(desk: Desk, mpn_id: object) -> None:
    desk.lists(item(mpnId=mpn_id))

    with pytest.raises(ResellerError, match="has no usable PartnerID") as caught:
        desk.ask()
    assert len(str(caught.value)) < 200
    assert desk.calls(CHECK) == 0


def test_what_a_relationship_says_of_its_state_is_shown_clean_and_short(desk: Desk) -> None:
    desk.lists(item(state="Ended\n\u202e\x00" + "x" * 10_000))

    with pytest.raises(ResellerError, match=r"ended .*, not active") as caught:
        desk.ask()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "junk", [None, 7, "x", [], {}, {"id": 7}, {"id": None}, {"id": [KNOWN.id]}], ids=repr
)
def test_items_that_are_no_relationships_are_passed_over(desk: Desk, junk: object) -> None:
    desk.lists(junk, item())

    assert desk.ask() == KNOWN.mpn_id


def test_names_of_members_and_ids_may_come_in_any_case(desk: Desk) -> None:
    desk.lists({"Id": KNOWN.id.upper(), "MPNID": KNOWN.mpn_id, "State": "ACTIVE"})

    assert desk.ask() == KNOWN.mpn_id


def test_of_several_relationships_the_active_one_counts(desk: Desk) -> None:
    desk.lists(item(state="Ended", mpnId="1"), item(mpnId=""), item())

    assert desk.ask() == KNOWN.mpn_id


@pytest.mark.parametrize("total", ["many", "", 2.5, {}], ids=str)
def test_a_list_that_may_not_be_whole_proves_nobody_unknown(desk: Desk, total: object) -> None:
    desk.lists(item(), item(id=INACTIVE.id, state="Inactive"), members={"totalCount": total})

    for unproven in (UNKNOWN, INACTIVE.id):
        with pytest.raises(NotSentError, match="did not come whole"):
            desk.ask(unproven)
    assert desk.ask() == KNOWN.mpn_id, "what did come counts"


PAGES: list[dict[str, object]] = [
    {"continuationToken": "more"},
    {"ContinuationToken": "more"},
    {"nextLink": "https://next.example"},
    {"@odata.nextLink": "https://next.example"},
    {"Links": {"Next": {"uri": "/next"}}},
    {"links": {"next": {"uri": "/next"}}},
    {"TotalCount": 3},
    {"TotalCount": "3"},
    {"totalCount": 3},
]


@pytest.mark.parametrize("marker", PAGES, ids=str)
def test_a_page_that_the_client_does_not_take_for_the_list_proves_nothing_either(
    desk: Desk, marker: dict[str, object]
) -> None:
    members = {"totalCount": None, **marker}
    desk.lists(item(), item(id=INACTIVE.id, state="Inactive"), times=9, members=members)

    for unproven in (UNKNOWN, INACTIVE.id):
        with pytest.raises(NotSentError):
            desk.ask(unproven)


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

    desk.until_called(MOST_AT_ONCE)
    time.sleep(1)
    assert desk.calls() == MOST_AT_ONCE
    assert desk.partner.list_orders(CUSTOMER, new_ids(), Deadline.after(5)).complete
    for each in asked:
        with pytest.raises(NotSentError):
            each.result(10)


def test_a_call_is_given_half_a_minute_where_a_request_has_more(desk: Desk) -> None:
    shared: SharedRead[float] = SharedRead(desk.clock.monotonic)

    assert 29 < shared.get("a", lambda *_: False, Deadline.remaining, Deadline.after(180)) <= LONGEST
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
