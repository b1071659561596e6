"""Orders: one key buys once, whatever happens to the reply."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.core.errors import KeyReusedError, PartnerCenterError, ResellerError
from shared.core.ledger import State
from shared.services.shared_read import FAILED
from shared.web.problem import problem_of
from tests.services.conftest import CUSTOMER, Office

KNOWN_RESELLER_MPN = "4847383"


def reseller_of(office: Office) -> str:
    return next(r.id for r in office.partner.state.resellers if r.mpn_id == KNOWN_RESELLER_MPN)


def test_the_same_key_and_body_gets_the_stored_answer_again(office: Office) -> None:
    first, second = office.place(), office.place()

    assert (first.replayed, second.replayed) == (False, True)
    assert first.submission.answer == second.submission.answer
    assert len(office.partner.state.orders) == 1


def test_the_same_key_with_another_body_is_refused(office: Office) -> None:
    office.place()
    with pytest.raises(KeyReusedError):
        office.place(billingCycle="annual")

    assert len(office.partner.state.orders) == 1


def upns(office: Office) -> list[str | None]:
    """The customer's user that each POST of an order named."""
    entries = [e for e in office.partner.journal.entries() if e.operation == "POST order"]
    return [{k.lower(): v for k, v in e.headers.items()}.get("x-ms-customeruser-upn") for e in entries]


def test_the_user_whom_an_order_is_for_is_told_again_when_it_is_sent_again(office: Office) -> None:
    office.partner.faults.add({"on": "POST order", "do": {"kind": "status", "status": 500}})
    office.place(upn="Ada.O'Neill@contoso.com")
    office.clock.forward(minutes=41)
    office.sweep()

    assert upns(office) == ["Ada.O'Neill@contoso.com"] * 2
    assert office.place(upn="Ada.O'Neill@contoso.com").submission.state is State.DONE


@pytest.mark.parametrize(("first", "then"), [("a@contoso.com", "b@contoso.com"), ("", "a@contoso.com")])
def test_the_same_key_for_another_user_of_the_customer_is_refused(
    office: Office, first: str, then: str
) -> None:
    office.place(upn=first)
    with pytest.raises(KeyReusedError):
        office.place(upn=then)

    assert upns(office) == [first or None]


def test_a_savings_plan_is_ordered_as_a_user_with_the_digits_that_were_written(office: Office) -> None:
    commitment = {"amount": 0.05, "currency": "USD", "grain": "Hourly"}
    line = {"offerId": "DZH318Z09V6F:0001:DZH318Z0BLD3", "quantity": 1, "purchaseCommitment": commitment}
    office.partner.faults.add({"on": "POST order", "do": {"kind": "lose_reply"}})
    office.place(lineItems=[line])
    office.clock.forward(minutes=41)
    office.sweep()
    own = office.place(lineItems=[line]).submission

    assert own.order
    assert '"purchaseCommitment":{"amount":0.05,"currency":"usd","grain":"hourly"}' in own.order.body
    assert (own.state, len(office.partner.state.orders)) == (State.DONE, 1)
    callers = {e.operation: e.caller for e in office.partner.journal.entries()}
    assert callers["POST order"] == "user"


def test_fifty_calls_at_once_with_one_key_buy_once(office: Office) -> None:
    instances = [office.another() for _ in range(3)]
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda n: office.place(by=instances[n % 3]), range(50)))

    assert len(office.partner.state.orders) == 1
    assert {o.submission.state for o in outcomes} <= {State.DONE, State.CLAIMED}


def test_an_order_for_a_resellers_customer_carries_its_partner_id_on_every_line(office: Office) -> None:
    reseller = reseller_of(office)
    outcome = office.place(indirectResellerId=reseller.upper())

    assert outcome.submission.answer
    order = json.loads(outcome.submission.answer.body)
    assert [line["partnerIdOnRecord"] for line in order["lineItems"]] == [KNOWN_RESELLER_MPN]
    callers = {e.operation: e.caller for e in office.partner.journal.entries()}
    assert (callers["GET relationships"], callers["POST order"]) == ("user", "user")


def line(partner_id: str | None) -> dict[str, object]:
    return {"offerId": "X", "quantity": 1, "partnerIdOnRecord": partner_id}


def test_a_partner_id_beside_the_reseller_it_belongs_to_is_no_contradiction(office: Office) -> None:
    lines = [line(KNOWN_RESELLER_MPN), line(None)]
    own = office.place(indirectResellerId=reseller_of(office), lineItems=lines).submission

    assert own.answer
    placed = json.loads(own.answer.body)["lineItems"]
    assert [item["partnerIdOnRecord"] for item in placed] == [KNOWN_RESELLER_MPN] * 2


def test_a_partner_id_beside_another_reseller_is_refused_naming_both(office: Office) -> None:
    with pytest.raises(ResellerError) as caught:
        office.place(
            indirectResellerId=reseller_of(office), lineItems=[line(KNOWN_RESELLER_MPN), line("6000007")]
        )

    (violation,) = caught.value.violations
    assert violation.pointer == "/lineItems/1/partnerIdOnRecord"
    assert f"is 6000007, but the PartnerID of indirectResellerId is {KNOWN_RESELLER_MPN}" in violation.detail
    assert (problem_of(caught.value)["status"], office.posts("POST order")) == (422, 0)


@pytest.mark.parametrize(
    "given",
    [
        {"indirectResellerId": "dddddddd-dddd-4ddd-8ddd-dddddddddddd"},
        {"lineItems": [{"offerId": "X", "quantity": 1, "partnerIdOnRecord": "999"}]},
    ],
)
def test_a_reseller_that_is_not_ours_places_no_order(office: Office, given: dict[str, Any]) -> None:
    with pytest.raises(ResellerError):
        office.place(**given)

    assert office.posts("POST order") == 0


def test_a_hundred_orders_look_the_resellers_up_once(office: Office) -> None:
    reseller = reseller_of(office)
    for n in range(10):
        office.place(key=f"flow-{n}", indirectResellerId=reseller)

    assert office.posts("GET relationships") == 1


def test_a_reseller_whom_partner_center_would_not_have_on_an_order_places_none(office: Office) -> None:
    reseller = reseller_of(office)
    office.partner.faults.add(
        {
            "on": "POST validateresellers",
            "do": {
                "kind": "status",
                "status": 200,
                "body": {
                    "validationResults": [
                        {
                            "partnerId": KNOWN_RESELLER_MPN,
                            "isValidPartnerIdOnRecord": False,
                            "errorCode": 900149,
                            "errorDescription": "Not enrolled.",
                        }
                    ]
                },
            },
        }
    )
    with pytest.raises(ResellerError, match="Not enrolled"):
        office.place(indirectResellerId=reseller)

    assert office.posts("POST order") == 0


def test_where_the_newer_check_is_not_offered_the_look_up_is_enough(office: Office) -> None:
    office.partner.configure(validates_resellers=False)

    assert office.place(indirectResellerId=reseller_of(office)).submission.state is State.DONE


def test_the_look_up_failing_places_no_order_and_burns_no_key(office: Office) -> None:
    reseller = reseller_of(office)
    down = {"kind": "status", "status": 503}
    office.partner.faults.add({"on": "GET relationships", "times": 9, "do": down})
    with pytest.raises(PartnerCenterError):
        office.place(indirectResellerId=reseller)
    office.partner.faults.clear()
    office.clock.forward(seconds=FAILED + 1)

    assert office.posts("POST order") == 0
    assert office.place(indirectResellerId=reseller).submission.state is State.DONE


@pytest.mark.parametrize("kind", ["lose_reply", "truncate", "garbage"])
@pytest.mark.parametrize("honours", [True, False])
def test_a_lost_reply_is_found_in_the_customers_orders(office: Office, kind: str, honours: bool) -> None:
    office.partner.configure(honours_request_id=honours)
    office.partner.faults.add({"on": "POST order", "do": {"kind": kind}})
    outcome = office.place()

    assert outcome.submission.state is State.DONE
    assert len(office.partner.state.orders) == 1


@pytest.mark.parametrize("honours", [True, False])
def test_a_lost_reply_while_the_list_lags_is_unknown_and_then_found(office: Office, honours: bool) -> None:
    office.partner.configure(list_lag=1.0, honours_request_id=honours)
    office.partner.faults.add({"on": "POST order", "do": {"kind": "lose_reply"}})
    first = office.place()
    again = office.place()
    office.partner.configure(list_lag=0.0)
    office.clock.forward(minutes=16)
    office.sweep()
    last = office.place()

    assert [o.submission.state for o in (first, again, last)] == [State.UNKNOWN, State.UNKNOWN, State.DONE]
    assert len(office.partner.state.orders) == 1


def test_an_order_that_is_provably_absent_is_sent_again_with_its_request_id(office: Office) -> None:
    office.partner.faults.add({"on": "POST order", "do": {"kind": "status", "status": 500}})
    first = office.place()
    office.clock.forward(minutes=19)
    office.sweep()
    early = office.posts("POST order")
    office.clock.forward(minutes=20)
    office.sweep()

    assert first.submission.state is State.UNKNOWN
    assert early == 1
    assert office.place().submission.state is State.DONE
    assert len(office.partner.state.orders) == 1
    assert len(set(office.request_ids("POST order"))) == 1


def test_two_keys_that_lost_their_replies_find_an_order_each(office: Office) -> None:
    lost = {"kind": "status", "status": 500, "commit": True}
    office.partner.faults.add({"on": "POST order", "times": 2, "do": lost})
    outcomes = [office.place(key="a"), office.place(key="b")]
    office.clock.forward(minutes=40)
    office.sweep()

    ids = {i for key in "ab" for i in office.place(key=key).submission.ids}
    assert len(outcomes) == 2
    assert len(ids) == 2 == len(office.partner.state.orders)


def test_an_order_that_was_refused_tells_it_again_and_is_not_repeated(office: Office) -> None:
    first = office.place(lineItems=[{"offerId": "X", "quantity": 9_999_999}])
    second = office.place(lineItems=[{"offerId": "X", "quantity": 9_999_999}])

    assert first.submission.state is State.REFUSED
    assert (second.submission.state, second.replayed) == (State.REFUSED, True)
    assert office.posts("POST order") == 1


def test_a_short_throttle_is_waited_out_within_the_call(office: Office) -> None:
    office.partner.faults.add({"on": "POST order", "do": {"kind": "throttle", "retry_after": 3}})

    assert office.place().submission.state is State.DONE
    assert len(set(office.request_ids("POST order"))) == 2, "an answer asks for a new MS-RequestId"


def test_what_was_not_sent_is_free_to_be_asked_for_again(office: Office) -> None:
    office.partner.faults.add(
        {"on": "POST order", "times": -1, "do": {"kind": "throttle", "retry_after": 900}}
    )
    first = office.place()
    office.partner.faults.clear()
    office.clock.forward(minutes=20)
    swept = office.sweep()
    before = len(office.partner.state.orders)

    assert first.submission.state is State.PENDING
    assert swept["records"] == 0, "nobody was promised this order, so no sweep places it"
    assert before == 0
    assert office.place().submission.state is State.DONE
    assert CUSTOMER in next(iter(office.partner.state.orders.values())).customer
