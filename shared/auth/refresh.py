"""App+User: an access token from the stored refresh token, and the one that follows put in its place.

1. The token in the store is read before every refresh, so a token that was minted elsewhere is picked up.
2. Entra gives a new refresh token with every redemption; it is written back before the access token is used.
3. Before writing, the store is read again. What somebody else has done to it meanwhile stays: another
   instance's token is as good as ours (Entra does not revoke a refresh token when it is redeemed), an
   operator's new consent is better, and a secret that was removed was removed on purpose.
4. When the write fails, the access token is used all the same and the new refresh token is kept in memory;
   the write is tried again every minute and at the next refresh. If the process ends before that, the store
   still holds the token that was redeemed, which Entra goes on accepting for the rest of its 90 days.
5. When Entra says invalid_grant, the store is read again; another token there is tried once.

https://learn.microsoft.com/en-us/entra/identity-platform/refresh-tokens
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from shared.auth.entra import Entra
from shared.auth.failures import EntraError
from shared.auth.secret import AccessToken, Grant, Secret
from shared.auth.store import RefreshTokenStore
from shared.core.errors import TokenError

SAVE_AGAIN = 60.0
"""Seconds between attempts to write a token that could not be written."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Held:
    """The newest token that we know, and the one that the store held when we last looked."""

    token: Secret
    stored: Secret


class RefreshTokenChain:
    """One chain of refresh tokens. Not safe for threads: its caller runs one method at a time."""

    def __init__(self, entra: Entra, store: RefreshTokenStore, clock: Callable[[], float]) -> None:
        self._entra = entra
        self._store = store
        self._clock = clock
        self._held: _Held | None = None
        self._save_at = 0.0

    def access_token(self) -> AccessToken:
        """Return a new access token; the refresh token that came with it is in the store by then (rule 4)."""
        start = self._newest()
        grant, start = self._redeem(start)
        self._held = _Held(grant.refresh or start.token, start.stored)
        self._save()
        return grant.access

    @property
    def unsaved(self) -> bool:
        """Whether a new refresh token waits for its store."""
        return self._held is not None and self._held.token != self._held.stored

    def save_again(self) -> None:
        """Try to write a waiting refresh token, at most once a minute; never raises."""
        if self.unsaved and self._clock() >= self._save_at:
            self._save()

    def _newest(self) -> _Held:
        try:
            stored = self._store.read()
        except TokenError as failure:
            if self._held is None:
                raise
            _log.warning("refresh token not read: %s", failure, extra={"event": "refresh_token_not_read"})
            return self._held
        if stored is None:
            raise TokenError("There is no refresh token in its store: consent first (docs/identity.md).")
        return self._held if self._held and self._held.stored == stored else _Held(stored, stored)

    def _redeem(self, start: _Held) -> tuple[Grant, _Held]:
        try:
            return self._entra.redeem(start.token), start
        except EntraError as error:
            refused = error
        stored = None
        if refused.error == "invalid_grant":
            with suppress(TokenError):
                stored = self._store.read()
            if stored is not None and stored != start.token:
                return self._entra.redeem(stored), _Held(stored, stored)
        raise refused

    def _save(self) -> None:
        held = self._held
        if held is None or held.token == held.stored:
            return
        try:
            stored = self._store.read()
            if stored == held.stored:
                self._store.write(held.token)
                self._held = _Held(held.token, held.token)
            else:
                self._held = None
        except TokenError as failure:
            self._save_at = self._clock() + SAVE_AGAIN
            _log.warning("refresh token not saved: %s", failure, extra={"event": "refresh_token_not_saved"})
