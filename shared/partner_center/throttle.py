"""Who is throttled until when, so that one customer's limit is felt by nobody else.

Partner Center limits calls by partner and customer; calling again before the time is up prolongs it.
https://learn.microsoft.com/en-us/partner-center/developer/api-throttling-guidance
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from shared.core.errors import SupportIds
from shared.partner_center.reply import ErrorBody, throttled


class Throttle:
    """Times before which a customer's calls are refused here, without a place or a connection."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._not_before: dict[str, float] = {}

    def check(self, customer: str) -> None:
        """Raise ThrottledError, with what is left to wait, while `customer` is throttled."""
        with self._lock:
            left = self._not_before.get(customer, 0.0) - self._clock()
        if left > 0:
            error = throttled(ErrorBody("", ""), left, SupportIds())
            whose = "for this customer" if customer else "for the partner's own calls"
            error.args = (f"Not sent: Partner Center asks to wait {left:.0f} more seconds {whose}.",)
            raise error

    def note(self, customer: str, seconds: float) -> None:
        """Remember that `customer` must wait; forget those who need not any more."""
        now = self._clock()
        with self._lock:
            until = max(self._not_before.get(customer, 0.0), now + seconds)
            self._not_before = {c: at for c, at in self._not_before.items() if at > now} | {customer: until}
