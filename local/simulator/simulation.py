"""The simulated Partner Center without its server: what it remembers, answers, gets wrong and records."""

from __future__ import annotations

from collections.abc import Callable

from local.simulator.faults import Faults
from local.simulator.journal import Journal
from local.simulator.portal import Portal
from local.simulator.service import Service
from local.simulator.state import State
from local.simulator.switches import Switches, changed


class Simulation:
    """One simulated Partner Center. `clock` gives seconds since 1970."""

    def __init__(self, token_key: bytes, switches: Switches, clock: Callable[[], float]) -> None:
        self.state = State(switches)
        self.faults = Faults()
        self.journal = Journal()
        self.service = Service(self.state, token_key, clock)
        self.clock = clock
        self.portal = Portal(self.state, clock)

    def now(self) -> float:
        """Return what the service takes for the time, in seconds since 1970."""
        return self.clock() + self.state.switches.clock_skew

    def configure(self, **changes: object) -> None:
        """Turn switches by name; raises ValueError when one does not exist or does not take the value."""
        with self.state.lock:
            self.state.switches = changed(self.state.switches, changes)

    def reset(self) -> None:
        """Forget everything, call off all faults and put the switches back."""
        self.state.reset()
        self.faults.clear()
        self.journal.clear()
