"""Consent over HTTP, where the app has no console: a user signs in on another device.

1. `start` asks Entra for a device code. It waits as a sealed note beside the ledger, because instances change
   between two requests: neither whoever can read the container, nor whoever sees the answer, has the code.
2. `complete` asks Entra, by any instance, whether the user has signed in. Only what Partner Center will take
   reaches the store of the refresh token.
3. When the store does not take it, the refresh token waits in place of the device code, which is spent:
   completing again tries the store alone, and nobody has to sign in again.

Each sign-in has a note of its own, so beginning another one changes nothing.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from shared.auth.configuration import require
from shared.auth.consent import Consent, consent_of
from shared.auth.entra import SLOWER, WAITING, Entra
from shared.auth.failures import EntraError
from shared.auth.mode import Mode
from shared.auth.secret import DeviceCode, Secret
from shared.auth.source import TIMEOUT
from shared.auth.store import open_store
from shared.clock import Clock
from shared.core.errors import AppError, ConsentError, NotFoundError, StorageError, TokenError
from shared.settings import IdentitySettings
from shared.storage.sealed_notes import SealedNotes, Version

_ENDED = (
    "access_denied",
    "authorization_declined",
    "bad_verification_code",
    "code_expired",
    "expired_token",
    "invalid_grant",
)
"""Entra's errors for a device code that nothing will come of any more.
https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-device-code#expected-errors"""
_START_AGAIN = "start again, with a new code"

FOLDER = "consents"
"""Where pending sign-ins lie in the ledger container; a lifecycle rule of infra/storage.bicep ends them."""


@dataclass(frozen=True, slots=True)
class Started:
    """A sign-in that waits for its user; `key` completes it."""

    key: str
    device: DeviceCode


@dataclass(frozen=True, slots=True)
class Waiting:
    """The user has not signed in yet; ask again in `seconds`."""

    seconds: int


@dataclass(frozen=True, slots=True)
class _Note:
    """What waits: the device code, and once it is spent what came of it."""

    code: Secret
    interval: int
    consent: Consent | None = None


class Consents:
    """Begins and completes consents; keeps nothing itself. `clock` tells the time in UTC."""

    def __init__(self, identity: IdentitySettings, notes: SealedNotes, clock: Clock) -> None:
        self._identity = identity
        self._notes = notes
        self._clock = clock
        self._entra = Entra(identity, timeout=TIMEOUT, clock=self._now)

    def start(self) -> Started:
        """Begin a sign-in. Raises NotConfiguredError, TokenError, StorageError."""
        require(self._identity, Mode.APP_USER)
        device = self._entra.start_device_code()
        return Started(self._notes.add(_written(_Note(device.code, device.interval))), device)

    def complete(self, key: str) -> Waiting | Consent:
        """Store what came of a sign-in, if its user has signed in.

        Raises NotFoundError, ConsentError (nothing was stored), NotConfiguredError, StorageError, TokenError
        (Entra did not say; the sign-in goes on waiting).
        """
        require(self._identity, Mode.APP_USER)
        note, version = self._pending(key)
        if note.consent is None:
            asked = self._ask(key, note, version)
            if isinstance(asked, AppError):
                raise asked
            if isinstance(asked, Waiting):
                return asked
            note = replace(note, consent=asked)
        assert note.consent
        self._store(key, note, note.consent)
        self._end(version)
        return note.consent

    def _now(self) -> float:
        return self._clock().timestamp()

    def _pending(self, key: str) -> tuple[_Note, Version]:
        found = self._notes.read(key)
        if found is None:
            raise NotFoundError(
                "No such consent is pending: it was completed, declined, or begun more than a day ago."
            )
        return _read(found[0]), found[1]

    def _ask(self, key: str, note: _Note, version: Version) -> Consent | Waiting | AppError:
        """What Entra says of a sign-in; errors are returned, so that they hold no frame with a token."""
        try:
            return consent_of(self._entra.redeem_device_code(note.code), self._identity, self._now())
        except EntraError as error:
            if error.error in WAITING:
                return self._wait(key, note, slower=error.error == "slow_down")
            if error.error not in _ENDED:
                return error.with_traceback(None)
            spent = "The code was used already, or not accepted. " if error.error == "invalid_grant" else ""
            ended = ConsentError(f"Nothing was stored. {spent}{error}", _START_AGAIN)
        except ConsentError as error:
            ended = ConsentError(str(error), f"{error.remedy}; {_START_AGAIN}")
        except AppError as error:
            return error.with_traceback(None)
        self._end(version)
        return ended

    def _end(self, version: Version) -> None:
        with suppress(StorageError):  # it can be read for a day at most
            self._notes.remove(version)

    def _wait(self, key: str, note: _Note, *, slower: bool) -> Waiting:
        if slower:
            note = replace(note, interval=note.interval + SLOWER)
            with suppress(StorageError):  # then Entra says so again
                self._notes.replace(key, _written(note))
        return Waiting(note.interval)

    def _store(self, key: str, note: _Note, consent: Consent) -> None:
        try:
            open_store(self._identity, TIMEOUT).write(consent.refresh)
        except TokenError as error:
            failed = str(error)
        else:
            return
        remedy = f"mend it and {_START_AGAIN}: the sign-in could not be kept"
        with suppress(StorageError):
            self._notes.replace(key, _written(note))
            remedy = "mend it and complete this consent again within a day: nobody has to sign in again"
        raise ConsentError(f"The user has signed in, but nothing was stored. {failed}", remedy)


def _written(note: _Note) -> str:
    consent = note.consent
    written: dict[str, Any] = {"code": note.code.reveal(), "interval": note.interval}
    if consent:
        written |= {"refresh": consent.refresh.reveal(), "user": consent.user, "mfa": consent.mfa}
    return json.dumps(written)


def _read(text: str) -> _Note:
    read = json.loads(text)
    consent = Consent(Secret(read["refresh"]), read["user"], read["mfa"]) if "refresh" in read else None
    return _Note(Secret(read["code"]), read["interval"], consent)
