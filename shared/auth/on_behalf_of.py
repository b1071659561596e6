"""A signed-in user's own token, exchanged for one that Partner Center takes.

1. Each user's token has a cache of its own: an exchange that takes long is waited for by that user alone.
2. A token that Entra refused is refused here for a minute without a call; a timeout or a 5xx is not taken for
   such a refusal.
3. Caches that have yielded no token are kept apart from those that have, so that no number of made-up tokens
   drives a user's cache out.

https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-on-behalf-of-flow
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

from shared.auth.cache import TokenCache, pause_after
from shared.auth.entra import Entra
from shared.auth.failures import EntraError
from shared.auth.secret import Secret
from shared.core.errors import TokenError

MOST_USERS = 500
"""So many users' tokens are kept, and as many that have yielded nothing; beyond that the one that was not
used for longest is forgotten."""

REFUSED = 60.0
"""Seconds for which a user's token is refused here once Entra refused it. What is made up, expired or meant
for another application does not turn good; a user who signs in again has another token."""

_MALFORMED = 50027
"""AADSTS number of a token that is no JWT. It comes as invalid_request; that the signature is wrong (50013),
the audience another's (500131) or the time over (500133) comes as invalid_grant.
https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes"""


class Exchanges:
    """Keeps one Partner Center token for each user's token, under its hash; safe for threads."""

    def __init__(self, entra: Entra, clock: Callable[[], float], most: int = MOST_USERS) -> None:
        self._entra = entra
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._proven: OrderedDict[str, TokenCache] = OrderedDict()
        self._unproven: OrderedDict[str, TokenCache] = OrderedDict()

    def get(self, assertion: Secret) -> str:
        """Return a token for the user; raises TokenError."""
        key = _key(assertion)
        cache = self._cache_of(key)
        token = cache.get(lambda: self._entra.exchange(assertion))
        self._prove(key, cache)
        return token

    def reject(self, assertion: Secret, token: str) -> None:
        """Drop `token` if it is still the one that is held for the user."""
        self._cache_of(_key(assertion)).reject(token)

    def __len__(self) -> int:
        return len(self._proven) + len(self._unproven)

    def _cache_of(self, key: str) -> TokenCache:
        with self._lock:
            caches = self._proven if key in self._proven else self._unproven
            cache = caches.setdefault(key, TokenCache(self._clock, _pause_after))
            self._keep_newest(caches, key)
            return cache

    def _prove(self, key: str, cache: TokenCache) -> None:
        with self._lock:
            self._unproven.pop(key, None)
            self._proven.setdefault(key, cache)
            self._keep_newest(self._proven, key)

    def _keep_newest(self, caches: OrderedDict[str, TokenCache], key: str) -> None:
        caches.move_to_end(key)
        while len(caches) > self._most:
            caches.popitem(last=False)


def _key(assertion: Secret) -> str:
    return hashlib.sha256(assertion.reveal().encode()).hexdigest()


def _pause_after(failure: TokenError) -> float:
    refused = isinstance(failure, EntraError) and (
        failure.error == "invalid_grant" or failure.number == _MALFORMED
    )
    return REFUSED if refused and not failure.retryable else pause_after(failure)
