"""One access token: kept while it is good, renewed early, and by one caller at a time.

1. A token is handed out until five minutes before its end, or half its life when that is later; then one
   caller renews it, and the others go on with it.
2. Without a token that is still good, everybody waits for the one who is fetching it.
3. A failure is shared as well: those who waited, and those who come within the pause, ask nobody again.
4. A renewal that fails while the old token is still good is a warning, not an error.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from shared.auth.failures import EntraError
from shared.auth.secret import AccessToken
from shared.core.errors import TokenError

RENEW_BEFORE_END = 300.0
"""Seconds before its end at which a token is renewed."""
PAUSE = 2.0
"""Seconds for which a passing failure is believed (longer when Entra says Retry-After)."""
PAUSE_FOR_OPERATOR = 30.0
"""Seconds for which a failure is believed that an operator must mend."""

_log = logging.getLogger(__name__)


def pause_after(failure: TokenError) -> float:
    """Seconds for which a failure to get a token is believed."""
    if not failure.retryable:
        return PAUSE_FOR_OPERATOR
    return max(PAUSE, failure.retry_after if isinstance(failure, EntraError) else 0.0)


class TokenCache:
    """Holds one token; safe for any number of threads. `pause` says how long a failure is believed."""

    def __init__(
        self, clock: Callable[[], float], pause: Callable[[TokenError], float] = pause_after
    ) -> None:
        self._clock = clock
        self._pause = pause
        self._renewing = threading.Lock()
        self._token: AccessToken | None = None
        self._renew_at = 0.0
        self._failure: TokenError | None = None
        self._believed_until = 0.0

    def get(self, fetch: Callable[[], AccessToken]) -> str:
        """Return a token, by `fetch` when there is none; raises the TokenError that `fetch` raises."""
        token, now = self._token, self._clock()
        if token is not None and now < self._renew_at:
            return token.value
        if token is None or now >= token.expires_on:
            self._renewing.acquire()
        elif not self._renewing.acquire(blocking=False):
            return token.value
        try:
            return self._renew(fetch)
        finally:
            self._renewing.release()

    def reject(self, token: str) -> None:
        """Drop `token` if it is still the one that is held."""
        with self._renewing:
            if self._token is not None and self._token.value == token:
                self._token = None

    def when_idle(self, action: Callable[[], None]) -> None:
        """Run `action` as renewals run, one at a time; skip it when a renewal is under way."""
        if self._renewing.acquire(blocking=False):
            try:
                action()
            finally:
                self._renewing.release()

    def _renew(self, fetch: Callable[[], AccessToken]) -> str:
        now, token = self._clock(), self._token
        if token is not None and now < self._renew_at:
            return token.value
        if self._failure is None or now >= self._believed_until:
            self._fetch(fetch)
            token = self._token
        if self._failure is None:
            assert token is not None
            return token.value
        if token is not None and now < token.expires_on:
            return token.value
        raise TokenError(str(self._failure), retryable=self._failure.retryable)

    def _fetch(self, fetch: Callable[[], AccessToken]) -> None:
        try:
            token = fetch()
        except TokenError as failure:
            self._failure = failure.with_traceback(None)
            self._believed_until = self._clock() + self._pause(failure)
            _log.warning("no new token: %s", failure, extra={"event": "token_not_renewed"})
        else:
            now = self._clock()
            self._renew_at = max(token.expires_on - RENEW_BEFORE_END, (now + token.expires_on) / 2)
            self._token, self._failure = token, None
