"""The application's token source, behind the port in mode.py."""

from __future__ import annotations

import time
from collections.abc import Callable

from shared.auth.cache import TokenCache
from shared.auth.configuration import configuration_error, require
from shared.auth.entra import Entra
from shared.auth.mode import Mode, TokenSource
from shared.auth.on_behalf_of import Exchanges
from shared.auth.refresh import RefreshTokenChain
from shared.auth.secret import Secret
from shared.auth.store import RefreshTokenStore, open_store
from shared.settings import IdentitySettings

TIMEOUT = 10.0
"""Seconds for one answer of Entra or of the vault."""


class Tokens:
    """Implements TokenSource; one for the process, safe for threads. Making one asks nobody."""

    def __init__(
        self,
        identity: IdentitySettings,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        timeout: float = TIMEOUT,
        store: RefreshTokenStore | None = None,
    ) -> None:
        self._identity = identity
        self._entra = Entra(identity, timeout=timeout, clock=clock, sleep=sleep)
        self._chain = RefreshTokenChain(self._entra, store or open_store(identity, timeout), clock)
        self._app = TokenCache(clock)
        self._user = TokenCache(clock)
        self._exchanges = Exchanges(self._entra, clock)

    def configured(self, mode: Mode) -> bool:
        """See TokenSource."""
        return configuration_error(self._identity, mode) is None

    def get(self, mode: Mode) -> str:
        """See TokenSource; at most one caller for each mode is asking Entra at any time."""
        require(self._identity, mode)
        if mode is Mode.APP:
            return self._app.get(self._entra.for_app)
        token = self._user.get(self._chain.access_token)
        if self._chain.unsaved:
            self._user.when_idle(self._chain.save_again)
        return token

    def reject(self, mode: Mode, token: str) -> None:
        """See TokenSource; a newer token than the refused one stays."""
        (self._app if mode is Mode.APP else self._user).reject(token)

    def on_behalf_of(self, user_assertion: str) -> str:
        """Return a Partner Center token for the user whose token for this application is given.

        Raises TokenError, and NotConfiguredError when the application itself is not configured.
        """
        assertion = Secret(user_assertion)
        del user_assertion  # from here on no frame of ours shows it in a crash dump
        require(self._identity, Mode.APP)
        return self._exchanges.get(assertion)

    def for_user(self, user_assertion: str) -> TokenSource:
        """Return a token source whose APP_USER tokens are those of the user instead of the stored one's."""
        return _ForUser(self, self._identity, self._exchanges, Secret(user_assertion))


class _ForUser:
    """A TokenSource for one signed-in user; app-only tokens are the application's own."""

    def __init__(
        self, tokens: Tokens, identity: IdentitySettings, exchanges: Exchanges, assertion: Secret
    ) -> None:
        self._tokens = tokens
        self._identity = identity
        self._exchanges = exchanges
        self._assertion = assertion

    def configured(self, mode: Mode) -> bool:
        return self._tokens.configured(Mode.APP)

    def get(self, mode: Mode) -> str:
        if mode is Mode.APP:
            return self._tokens.get(mode)
        require(self._identity, Mode.APP)
        return self._exchanges.get(self._assertion)

    def reject(self, mode: Mode, token: str) -> None:
        if mode is Mode.APP:
            self._tokens.reject(mode, token)
        else:
            self._exchanges.reject(self._assertion, token)
