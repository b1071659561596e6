"""A frontend passes its signed-in user's token on: App+User is that user, and nobody else."""

from __future__ import annotations

import json
import uuid

import pytest

from shared.auth.mode import Mode
from shared.core.ledger import State
from shared.errors import TokenError
from shared.services.operation import Outcome
from shared.services.orders import Orders
from shared.validation.orders import order_request
from shared.wiring import build
from tests.services.conftest import CUSTOMER, MintedTokens, Office


class NobodyConsented(MintedTokens):
    """App-only works; App+User only for a user who is signed in."""

    def get(self, mode: Mode) -> str:
        if mode is Mode.APP_USER:
            raise TokenError("nobody has consented")
        return super().get(mode)

    def for_user(self, user_assertion: str) -> MintedTokens:
        assert user_assertion == "the user's token"
        return MintedTokens()


def place(orders: Orders, office: Office) -> Outcome:
    line = {"offerId": "A", "quantity": 1, "partnerIdOnRecord": "4847383"}
    request = order_request(json.dumps({"lineItems": [line]}).encode(), CUSTOMER)
    return orders.place(CUSTOMER, request, uuid.uuid4().hex, str(uuid.uuid4()), office.deadline())


def test_an_order_that_needs_a_user_is_placed_as_the_one_who_is_signed_in(office: Office) -> None:
    services = build(office.env, tokens=NobodyConsented())

    assert place(services.orders_for("the user's token"), office).submission.state is State.DONE


def test_without_a_signed_in_user_it_is_the_one_who_consented_or_nobody(office: Office) -> None:
    services = build(office.env, tokens=NobodyConsented())
    with pytest.raises(TokenError):
        place(services.orders_for(""), office)

    assert office.posts("POST order") == 0
