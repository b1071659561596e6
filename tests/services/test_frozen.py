"""A process that stands still over the end of its claim: its own deadline says that there is time left."""

from __future__ import annotations

from shared.auth.mode import Mode
from shared.bootstrap import Services, build
from shared.core.ledger import State
from tests.services.conftest import Clock, MintedTokens, Office
from tests.services.steps import attach


class Freezes(MintedTokens):
    """The process stands still for an hour right before the call that takes the `at`-th token is made."""

    def __init__(self, clock: Clock, at: int) -> None:
        self._clock, self._left = clock, at

    def get(self, mode: Mode) -> str:
        self._left -= 1
        if self._left == 0:
            self._clock.forward(hours=1)
        return super().get(mode)


def frozen(office: Office, at: int) -> Services:
    """An instance whose clocks do not agree: the deadlines of the calls below are in real time."""
    clock = office.clock
    tokens = Freezes(clock, at)
    return build(office.env, tokens=tokens, clock=clock.now, monotonic=clock.monotonic, sleep=clock.sleep)


def test_an_order_is_not_sent_under_a_claim_that_has_expired(office: Office) -> None:
    own = office.place(by=frozen(office, at=1)).submission

    assert (own.state, own.attempt) == (State.DONE, 2)
    assert "about to expire" in own.history[0]
    assert office.posts("POST order") == 1


def test_documents_are_not_sent_under_a_claim_that_has_expired(office: Office) -> None:
    order = office.order()
    own = attach(office, order, by=frozen(office, at=3)).submission  # after the list and the order

    assert (own.state, own.attempt) == (State.DONE, 2)
    assert "about to expire" in own.history[0]
    assert office.attached(order) == ["PO.pdf"]
