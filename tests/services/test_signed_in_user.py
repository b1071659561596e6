"""A frontend passes its signed-in user's token on: App+User is that user, and nobody else."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from dataclasses import replace

import pytest

from local.simulator.tokens import mint
from shared.auth.mode import Mode
from shared.bootstrap import Services, build
from shared.core.errors import TokenError, WrongUserError
from shared.core.ledger import State
from shared.services.operation import Outcome
from shared.services.orders import order_key
from shared.validation.orders import order_request
from shared.web.problem import problem_of
from tests.services.conftest import CUSTOMER, KEY, TENANT, MintedTokens, Office
from tests.services.steps import DONE_SILENTLY, NOT_DONE, Do, check_out, fail, settle_down


def assertion(user: int, audience: str = TENANT) -> str:
    """The token of one of several users, for our own application or another."""
    claims: dict[str, object] = {"aud": audience, "tid": TENANT, "oid": f"00000000-0000-4000-8000-{user:012}"}
    return mint(claims | {"nonce": uuid.uuid4().hex}, KEY)


ADA, BOB = 1, 2


class NobodyConsented(MintedTokens):
    """App-only works; App+User only for a user who is signed in."""

    def get(self, mode: Mode) -> str:
        if mode is Mode.APP_USER:
            raise TokenError("nobody has consented")
        return super().get(mode)

    def for_user(self, user_assertion: str) -> MintedTokens:
        assert user_assertion
        return MintedTokens()


@pytest.fixture
def services(office: Office) -> Services:
    clock, tokens = office.clock, NobodyConsented()
    office.services = build(
        office.env, tokens=tokens, clock=clock.now, monotonic=clock.monotonic, sleep=clock.sleep
    )
    return office.services


def place(office: Office, user: int = 0, key: str = "flow-1") -> Outcome:
    """Place an order for a reseller's customer, as a user or (0) as the one who consented."""
    line = {"offerId": "A", "quantity": 1, "partnerIdOnRecord": "4847383"}
    request = order_request(json.dumps({"lineItems": [line]}).encode(), CUSTOMER)
    orders = office.services.orders_for(assertion(user) if user else "")
    return orders.place(CUSTOMER, request, key, str(uuid.uuid4()), office.deadline())


def placed(office: Office) -> int:
    return len(office.partner.state.orders)


@pytest.mark.usefixtures("services")
def test_an_order_that_needs_a_user_is_placed_as_the_one_who_is_signed_in(office: Office) -> None:
    assert place(office, ADA).submission.state is State.DONE


@pytest.mark.usefixtures("services")
def test_without_a_signed_in_user_it_is_the_one_who_consented_or_nobody(office: Office) -> None:
    with pytest.raises(TokenError):
        place(office)

    assert office.posts("POST order") == 0


@pytest.mark.usefixtures("services")
def test_an_order_of_a_signed_in_user_waits_for_that_user_to_be_sent_again(office: Office) -> None:
    fail(office, "POST order", **NOT_DONE)
    first = place(office, ADA)
    settle_down(office, 25, 25, 26 * 60)
    unsent = placed(office)
    with pytest.raises(WrongUserError) as caught:
        place(office, BOB)
    posts = office.posts("POST order")
    again = place(office, ADA)

    assert (first.submission.state, unsent, posts) == (State.UNKNOWN, 0, 1)
    assert problem_of(caught.value)["status"] == 409
    assert (again.submission.state, placed(office)) == (State.DONE, 1)
    assert len(set(office.request_ids("POST order"))) == 1, "silence keeps the MS-RequestId"


def test_an_order_of_a_signed_in_user_is_not_sent_again_as_the_one_who_consented(office: Office) -> None:
    fail(office, "POST order", **NOT_DONE)
    consented = office.services
    office.services = replace(consented, orders=replace(consented.orders, user="somebody"))
    first = place(office)
    office.services = consented
    settle_down(office, 25, 25, 26 * 60)
    with pytest.raises(WrongUserError):
        place(office)

    assert first.submission.state is State.UNKNOWN
    assert office.posts("POST order") == 1


@pytest.mark.usefixtures("services")
def test_an_order_of_a_signed_in_user_whose_reply_was_lost_is_found_without_the_user(office: Office) -> None:
    fail(office, "POST order", kind="lose_reply")
    fail(office, "GET orders", times=3, kind="status", status=503)
    first = place(office, ADA)
    settle_down(office, 10)
    found = office.services.orders.status(CUSTOMER, "flow-1", office.deadline())

    assert (first.submission.state, found.submission.state) == (State.UNKNOWN, State.DONE)
    assert (placed(office), office.posts("POST order")) == (1, 1)


@pytest.mark.usefixtures("services")
@pytest.mark.parametrize("lost", [DONE_SILENTLY, NOT_DONE], ids=["done", "not done"])
def test_a_checkout_of_a_signed_in_user_waits_for_that_user(office: Office, lost: Do) -> None:
    def ask(user: int) -> Outcome:
        by = replace(office.services, orders=office.services.orders_for(assertion(user)))
        return check_out(office, by=by, indirectResellerId=office.partner.state.resellers[0].id)

    fail(office, "POST checkout", times=3, **lost)
    fail(office, "GET cart", times=3, **NOT_DONE)
    first = ask(ADA)
    settle_down(office, 1, 5)
    posts = office.posts("POST checkout")
    office.clock.forward(minutes=10)
    with suppress(WrongUserError):  # what is done is told to whoever has the key
        ask(BOB)
    again = ask(ADA)

    assert posts == 3, "nobody else checks it out"
    assert (first.submission.state, again.submission.state) == (State.UNKNOWN, State.DONE)
    assert (placed(office), office.posts("POST cart")) == (1, 1)


@pytest.mark.usefixtures("services")
def test_what_is_done_is_told_to_whoever_has_the_key(office: Office) -> None:
    first = place(office, ADA)
    second = place(office, BOB)

    assert (second.replayed, second.submission.ids) == (True, first.submission.ids)
    stored = office.services.ledger.read(order_key(CUSTOMER, "flow-1"))
    assert stored
    assert stored.record.customer_id == CUSTOMER


def test_a_token_for_the_application_that_callers_sign_in_to_is_not_exchanged(office: Office) -> None:
    for_us = [assertion(ADA, audience) for audience in (TENANT, f"api://{TENANT.upper()}")]
    others = [assertion(ADA, audience) for audience in ("api://orders-of-contoso", "", TENANT[:-1])]

    services = replace(office.services, tokens=NobodyConsented())

    assert all(services.orders_for(token) is not services.orders for token in for_us)
    assert all(services.orders_for(token) is services.orders for token in (*others, "", "no.token.at-all"))
