"""Waits for SIGTERM or Ctrl-C.

A handler that sets an event may run between the last check of the event and the wait, and then the wait never
ends. A blocked signal stays pending until `wait`.
"""

from __future__ import annotations

import signal

_STOP = (signal.SIGTERM, signal.SIGINT)


def hold() -> None:
    """Keep both pending until `wait`, for this thread and those that it starts from now on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)


def wait() -> None:
    """Return when one of them has come, also when it came before."""
    signal.sigwait(_STOP)
