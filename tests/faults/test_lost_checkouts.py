"""Replies to the calls of a checkout that are lost, on both sides, with each kind of server: bought once."""

from __future__ import annotations

import uuid

import pytest

from local.fault_rules import Fault
from shared.core.errors import StorageError
from shared.core.ledger import State
from shared.validation.checkouts import checkout_request
from tests.faults.parts import DENIED, World, checkout_body
from tests.services.conftest import CUSTOMER

CALLS = ("POST cart", "POST checkout", "GET cart")
KINDS: dict[str, dict[str, object]] = {
    "lost": {"kind": "lose_reply"},
    "cut short": {"kind": "truncate"},
    "garbage": {"kind": "garbage"},
    "hangs": {"kind": "hang", "seconds": 0.2, "commit": True},
    "gateway": {"kind": "status", "status": 502, "commit": True, "gateway": True},
    "in progress": {
        "kind": "status",
        "status": 409,
        "commit": True,
        "body": {"code": "800060", "description": "In progress."},
    },
    "redirected": {"kind": "status", "status": 302, "commit": True},
    "not there": {"kind": "refuse"},
}


def bought(world: World) -> bool:
    """Whether both groups of lines were ordered, once each, and the caller's record names just them."""
    own = world.buy().submission
    return own.state is State.DONE and sorted(own.ids) == sorted(world.partner.state.orders)


@pytest.mark.parametrize("profile", ["usual", "other"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_call_loses_its_reply_once(world: World, kind: str, profile: str) -> None:
    world.partner.configure(profile=profile)
    for call in CALLS:
        world.partner.faults.add({"on": call, "do": KINDS[kind]})
    world.buy()
    world.settle(1, 5)

    assert bought(world)


@pytest.mark.parametrize("profile", ["usual", "other"])
@pytest.mark.parametrize("commit", [True, False])
def test_a_checkout_whose_reply_hangs_past_the_deadline_is_bought_once_within_a_minute(
    world: World, commit: bool, profile: str
) -> None:
    world.partner.configure(profile=profile)
    world.partner.faults.add({"on": "POST checkout", "do": {"kind": "hang", "seconds": 2, "commit": commit}})
    deadline = world.deadline_from_sending(0.5)
    # the cart is a POST as well: the time runs from its sending, and it is there at once
    request = checkout_request(checkout_body())
    first = world.faulty.orders.check_out(CUSTOMER, request, "flow-1", str(uuid.uuid4()), deadline)
    world.settle(1)

    assert first.submission.state is State.UNKNOWN
    assert bought(world)


def test_two_keys_with_equal_lines_do_not_wait_for_one_another(world: World) -> None:
    """What is bought through a cart is known by its cart: there is no twin, and nothing to wait for."""
    world.partner.configure(list_lag=600.0)
    for n in range(2):
        lost = {"kind": "status", "status": 503, "commit": n == 0}
        world.partner.faults.add({"on": "POST checkout", "do": lost})
    first, second = (world.buy(key).submission for key in ("a", "b"))

    assert (first.state, second.state) == (State.DONE, State.DONE)
    assert len({*first.ids, *second.ids}) == len(world.partner.state.orders) == 4


@pytest.mark.parametrize("after", [False, True], ids=["not written", "written, and not told"])
@pytest.mark.parametrize("nth", [0, 1], ids=["the claim", "the outcome"])
def test_storage_that_fails_at_a_write_of_a_checkout_loses_nothing(
    world: World, nth: int, after: bool
) -> None:
    world.make_containers()
    denied = Fault("status", status=DENIED, after=after)
    world.storage.inject(denied, method="PUT", name="orders/*", skip=nth, times=9)
    try:
        told = str(world.buy(by=world.faulty).submission.state)
    except StorageError as error:
        told = type(error).__name__
    world.heal()
    orders = len(world.partner.state.orders)
    world.settle(6, 1, 5)

    claim = "StorageUnknownError" if after else "StorageForbiddenError"
    assert (orders, told) == ((0, claim) if nth == 0 else (2, "done"))
    assert bought(world)
