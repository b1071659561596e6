"""The simulated Partner Center without its server: what it remembers, answers, gets wrong and records."""

from __future__ import annotations

from collections.abc import Callable

from local.simulator.behaviour import Behaviour, changed
from local.simulator.faults import Faults
from local.simulator.journal import Journal
from local.simulator.portal import Portal
from local.simulator.review import move_on
from local.simulator.service import Service
from local.simulator.state import State


class Simulation:
    """One simulated Partner Center. `clock` gives seconds since 1970."""

    def __init__(self, token_key: bytes, behaviour: Behaviour, clock: Callable[[], float]) -> None:
        self.state = State(behaviour)
        self.faults = Faults()
        self.journal = Journal()
        self.service = Service(self.state, token_key, clock)
        self.clock = clock
        self.portal = Portal(self.state, clock)

    def now(self) -> float:
        """Return what the service takes for the time, in seconds since 1970."""
        return self.clock() + self.state.behaviour.clock_skew

    def review(self) -> None:
        """Bring the status of every order up to this moment, for whoever looks at the state itself."""
        with self.state.lock:
            for order in self.state.orders.values():
                move_on(order, self.clock(), self.state.behaviour)

    def configure(self, **changes: object) -> None:
        """Change options by name; raises ValueError when one does not exist or does not take the value."""
        with self.state.lock:
            self.state.behaviour = changed(self.state.behaviour, changes)

    def reset(self) -> None:
        """Forget everything, end all faults and go back to the first behaviour."""
        self.state.reset()
        self.faults.clear()
        self.journal.clear()
