"""Looking resellers up: who may stand on an order, and for how long that is believed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.simulator.partner_center import PartnerCenterSimulator
from local.simulator.state import Reseller
from shared.core.errors import (
    NotAppliedError,
    ResellerError,
)
from shared.services.resellers import MOST_PARTNER_IDS, RECENT
from tests.services.desk import (
    CHECK,
    FOR_EVER,
    INACTIVE,
    KNOWN,
    LIFETIME,
    OTHER,
    UNKNOWN,
    Desk,
    at_desk,
    item,
)


@pytest.fixture
def desk(partner_center: PartnerCenterSimulator) -> Iterator[Desk]:
    with at_desk(partner_center) as sitting:
        yield sitting


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
        with pytest.raises(NotAppliedError):
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
        with pytest.raises(NotAppliedError, match="did not come whole"):
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
        with pytest.raises(NotAppliedError):
            desk.ask(unproven)
