"""The Partner Center simulator: a real HTTP server on the loopback address.

    with PartnerCenterSimulator(token_key=key) as partner_center:
        partner_center.configure(every_order_needs_po=True)
        partner_center.faults.add({"on": "POST attachment", "do": {"kind": "lose_reply"}})
        requests.post(f"{partner_center.url}/v1/customers/…/orders", …)
        partner_center.state.orders, partner_center.journal.entries()

Stopped and started again it keeps its port and what it remembers, as a service does that was away.
Other processes see and turn the same things under /_sim (control).
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from local.guard import refuse_inside_azure
from local.simulator.faults import Faults
from local.simulator.journal import Journal
from local.simulator.server import Server
from local.simulator.simulation import Simulation
from local.simulator.state import State
from local.simulator.switches import Switches


class PartnerCenterSimulator:
    """A simulated Partner Center that listens on 127.0.0.1.

    `port` 0 takes a free one. `token_key` is the key of the tokens it accepts (tokens.mint). With an
    `ssl_context` it speaks https. `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        token_key: bytes,
        switches: Switches | None = None,
        ssl_context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.simulation = Simulation(token_key, switches or Switches(), clock)
        self.port = port
        self._ssl_context = ssl_context
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end; known once the simulator was started."""
        return f"http{'s' if self._ssl_context else ''}://127.0.0.1:{self.port}"

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

    def configure(self, **changes: object) -> None:
        """Turn switches by name (switches.Switches); raises ValueError."""
        self.simulation.configure(**changes)

    def reset(self) -> None:
        """Forget everything, call off all faults and put the switches back."""
        self.simulation.reset()

    def start(self) -> Self:
        """Listen. Raises InsideAzureError, or OSError when the port is taken."""
        refuse_inside_azure(os.environ)
        if self._server is None:
            self._server = Server(self.port, self.simulation, self._ssl_context)
            self.port = self._server.server_address[1]
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection and the port, and wait until all threads are through."""
        if self._server and self._thread:
            self._server.stop()
            self._thread.join()
            self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
