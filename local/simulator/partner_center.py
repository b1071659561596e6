"""The Partner Center simulator: a real HTTP server on the loopback address.

    with PartnerCenterSimulator(token_key=key) as partner_center:
        partner_center.configure(every_order_needs_po=True, profile="other")
        partner_center.faults.add({"on": "POST attachment", "do": {"kind": "lose_reply"}})
        requests.post(f"{partner_center.url}/v1/customers/…/orders", …)
        partner_center.state.orders, partner_center.journal.entries()

Stopped and started again it keeps its port and what it remembers, as a service does that was away.
Other processes see and change the same things under /_sim (control).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable

from local.loopback import Loopback
from local.simulator.behaviour import Behaviour
from local.simulator.connection import Connection
from local.simulator.faults import Faults
from local.simulator.journal import Journal
from local.simulator.portal import Portal
from local.simulator.simulation import Simulation
from local.simulator.state import State


class PartnerCenterSimulator(Loopback):
    """A simulated Partner Center that listens on 127.0.0.1.

    `port` 0 takes a free one. `token_key` is the key of the tokens it accepts (tokens.mint). With an
    `ssl_context` it speaks https. `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        token_key: bytes,
        behaviour: Behaviour | None = None,
        ssl_context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.simulation = Simulation(token_key, behaviour or Behaviour(), clock)
        super().__init__(lambda *args: Connection(self.simulation, self.stopping, *args), port, ssl_context)

    @property
    def state(self) -> State:
        """What it remembers."""
        return self.simulation.state

    @property
    def faults(self) -> Faults:
        """What goes wrong."""
        return self.simulation.faults

    @property
    def journal(self) -> Journal:
        """What it was asked."""
        return self.simulation.journal

    @property
    def portal(self) -> Portal:
        """What people do by hand."""
        return self.simulation.portal

    def configure(self, **changes: object) -> None:
        """Change options by name (behaviour.Behaviour), or several at once (`profile`, behaviour.PROFILES).

        Raises ValueError.
        """
        self.simulation.configure(**changes)

    def reset(self) -> None:
        """Forget everything, end all faults and go back to the first behaviour."""
        self.simulation.reset()
