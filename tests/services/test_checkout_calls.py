"""What goes wrong at one call of a checkout: odd carts, rejected tokens, limits, time that runs out."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from shared.clock import Deadline
from shared.core.errors import LinesRefusedError, NotAppliedError, ThrottledError, TokenRejectedError
from shared.core.ledger import State
from shared.services.orders import order_key
from shared.validation.checkouts import checkout_request
from shared.web.responses import require_done
from tests.services.conftest import CUSTOMER, Office
from tests.services.steps import DONE_SILENTLY, LICENCES, NOT_DONE, OTHERS, check_out, fail, settle_down


def placed(office: Office) -> int:
    return len(office.partner.state.orders)


def answered(office: Office, on: str, body: object, status: int = 201, times: int = 1) -> None:
    fail(office, on, times, kind="status", status=status, body=body)


def told_cart(cart_id: object, *lines: dict[str, Any]) -> dict[str, Any]:
    return {"id": cart_id, "status": "Active", "lineItems": lines or [LICENCES | {"id": 0}]}


@pytest.mark.parametrize("cart_id", ["..", ".", " ", "a\nb", 7, None, ["x"]])
def test_a_cart_that_cannot_be_asked_for_is_none(office: Office, cart_id: object) -> None:
    answered(office, "POST cart", told_cart(cart_id), times=3)
    with pytest.raises(NotAppliedError):
        check_out(office)
    assert office.posts("POST checkout") == 0
    assert office.services.ledger.read(order_key(CUSTOMER, "flow-1")) is None


def test_the_id_of_a_cart_leads_nowhere_else(office: Office) -> None:
    answered(office, "POST cart", told_cart("a/../b?c#d e"))
    assert check_out(office).submission.state is State.DONE, "it is not there, and another one is made"

    paths = {entry.path for entry in office.partner.journal.entries() if "%2F" in entry.path}
    assert {path.partition("/carts/")[2].partition("/")[0] for path in paths} == {"a%2F..%2Fb%3Fc%23d%20e"}
    assert placed(office) == 1


@pytest.mark.parametrize(
    "lines",
    [
        [LICENCES | {"id": 0, "quantity": 50}],
        [LICENCES | {"id": 0}, OTHERS | {"id": 1}],
        [OTHERS | {"id": 0}],
        ["x"],
    ],
    ids=["more of it", "another line as well", "another product", "a text"],
)
def test_a_cart_that_holds_anything_else_is_not_bought(office: Office, lines: list[Any]) -> None:
    answered(office, "POST cart", told_cart("c1", *lines))
    with pytest.raises(LinesRefusedError):
        check_out(office)
    assert office.posts("POST checkout") == 0


def test_a_cart_in_a_state_that_is_not_documented_goes_to_a_person(office: Office) -> None:
    fail(office, "POST checkout", times=3, **NOT_DONE)
    answered(office, "GET cart", told_cart("c1") | {"status": "Processing"}, status=200, times=-1)
    check_out(office)
    settle_down(office, 1, 5, 15, 26 * 60)
    own = check_out(office).submission

    assert (own.state, placed(office)) == (State.REVIEW, 0)
    assert "not documented" in own.detail


def test_the_carts_of_another_customer_are_not_there(office: Office) -> None:
    """The server answers with the cart of somebody else: for this customer it is gone, so another is made."""
    check_out(office)
    (other,) = office.partner.state.carts.values()
    other.customer = str(uuid.uuid4())
    answered(office, "POST cart", told_cart(other.id))

    assert check_out(office, key="flow-2").submission.state is State.DONE
    assert (other.checkouts, placed(office)) == (1, 2)


# --- tokens, rates, time ------------------------------------------------------------------------------------

DENIED: dict[str, Any] = {"kind": "status", "status": 401, "body": ""}


@pytest.mark.parametrize("call", ["POST cart", "POST checkout"])
def test_a_token_that_is_rejected_once_is_replaced(office: Office, call: str) -> None:
    fail(office, call, **DENIED)

    assert check_out(office).submission.state is State.DONE
    assert placed(office) == 1


def test_a_token_that_is_rejected_where_the_cart_is_read_is_replaced(office: Office) -> None:
    fail(office, "POST checkout", times=3, **DONE_SILENTLY)
    fail(office, "GET cart", **DENIED)

    assert check_out(office).submission.state is State.DONE
    assert placed(office) == 1


@pytest.mark.parametrize("call", ["POST cart", "POST checkout"])
def test_a_token_that_is_rejected_for_ever_buys_nothing_and_says_so(office: Office, call: str) -> None:
    fail(office, call, times=-1, **DENIED)
    with pytest.raises(TokenRejectedError):
        require_done(check_out(office))
    office.partner.faults.clear()

    assert check_out(office).submission.state is State.DONE
    assert placed(office) == 1


def test_a_rejected_token_after_a_silence_leaves_it_open(office: Office) -> None:
    fail(office, "POST checkout", **DONE_SILENTLY)
    fail(office, "POST checkout", times=9, **DENIED)
    first = check_out(office)
    office.partner.faults.clear()
    settle_down(office, 1, 2)

    assert first.submission.state is State.UNKNOWN
    assert check_out(office).submission.state is State.DONE
    assert placed(office) == 1


def test_a_limit_between_cart_and_checkout_keeps_the_cart(office: Office) -> None:
    fail(office, "POST checkout", kind="throttle", retry_after=300)
    with pytest.raises(ThrottledError):
        require_done(check_out(office))
    office.clock.forward(minutes=6)

    assert check_out(office).submission.state is State.DONE
    assert (placed(office), office.posts("POST cart")) == (1, 1)


def until(office: Office, over: Callable[[], bool]) -> Deadline:
    """A deadline that ends when something has happened."""
    return Deadline(30.0, lambda: 60.0 if over() else 0.0)


def ask(office: Office, deadline: Deadline) -> State:
    request = checkout_request(json.dumps({"lineItems": [LICENCES]}).encode())
    orders = office.services.orders
    return orders.check_out(CUSTOMER, request, "flow-1", str(uuid.uuid4()), deadline).submission.state


def test_time_that_runs_out_while_the_cart_is_made_buys_nothing(office: Office) -> None:
    with pytest.raises(NotAppliedError):
        ask(office, until(office, lambda: office.posts("POST cart") > 0))

    assert office.services.ledger.read(order_key(CUSTOMER, "flow-1")) is None
    assert check_out(office).submission.state is State.DONE
    assert placed(office) == 1


def test_time_that_runs_out_between_claim_and_checkout_keeps_the_cart(office: Office) -> None:
    key = order_key(CUSTOMER, "flow-1")
    state = ask(office, until(office, lambda: office.services.ledger.read(key) is not None))

    assert (state, office.posts("POST checkout")) == (State.PENDING, 0)
    assert check_out(office).submission.state is State.DONE
    assert (placed(office), office.posts("POST cart")) == (1, 1)


def test_time_that_runs_out_after_the_checkout_leaves_it_to_the_worker(office: Office) -> None:
    fail(office, "POST checkout", **DONE_SILENTLY)
    state = ask(office, until(office, lambda: office.posts("POST checkout") > 0))
    settle_down(office, 3, 3)
    look = office.services.orders.status(CUSTOMER, "flow-1", office.deadline())

    assert (state, look.submission.state) == (State.UNKNOWN, State.DONE)
    assert (placed(office), office.posts("POST cart")) == (1, 1)
