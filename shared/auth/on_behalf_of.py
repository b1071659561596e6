"""A signed-in user's own token, exchanged for one that Partner Center takes.

https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-on-behalf-of-flow
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

from shared.auth.cache import TokenSlot
from shared.auth.entra import Entra
from shared.auth.secret import Secret

MOST_USERS = 500
"""So many users' tokens are kept; beyond that the one that was not used for longest is forgotten."""


class Exchanges:
    """Keeps one Partner Center token for each user's token, under its hash; safe for threads."""

    def __init__(self, entra: Entra, clock: Callable[[], float], most: int = MOST_USERS) -> None:
        self._entra = entra
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._slots: OrderedDict[str, TokenSlot] = OrderedDict()

    def get(self, assertion: Secret) -> str:
        """Return a token for the user; raises TokenError."""
        return self._slot(assertion).get(lambda: self._entra.exchange(assertion))

    def reject(self, assertion: Secret, token: str) -> None:
        """Drop `token` if it is still the one that is held for the user."""
        self._slot(assertion).reject(token)

    def __len__(self) -> int:
        return len(self._slots)

    def _slot(self, assertion: Secret) -> TokenSlot:
        key = hashlib.sha256(assertion.reveal().encode()).hexdigest()
        with self._lock:
            slot = self._slots.setdefault(key, TokenSlot(self._clock))
            self._slots.move_to_end(key)
            while len(self._slots) > self._most:
                self._slots.popitem(last=False)
        return slot
