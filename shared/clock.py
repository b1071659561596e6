"""Time: what tells it, and by when something must be done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.core.errors import NotAppliedError

Clock = Callable[[], datetime]
"""Tells the time, in UTC."""

LINE_RATE = 1024 * 1024
"""Bytes a second that a line to Partner Center carries at least; deadlines are made from it."""


def seconds_to_send(size: int) -> float:
    """Seconds that `size` bytes take at the line rate, with some for the answer."""
    return 5.0 + size / LINE_RATE


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment, on a monotonic clock in seconds, by which a call must be done with all its steps."""

    at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """Return the deadline that lies `seconds` from now."""
        return cls(clock() + seconds, clock)

    def remaining(self) -> float:
        """Seconds that are left, 0.0 when it has passed."""
        return max(0.0, self.at - self.clock())

    def check(self) -> None:
        """Raise NotAppliedError when it has passed: whoever is late must not complete a request."""
        if self.remaining() <= 0:
            raise NotAppliedError("Deadline exceeded before the request was fully sent.")
