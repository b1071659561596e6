"""Values that must not be seen: their repr says nothing, so logs, errors and crash dumps say nothing."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field


class Secret:
    """A text that only `reveal()` shows. Frames that hold a Secret can be dumped with their locals."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself; call it inside the expression that needs it and bind it to no name."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]  # nothing is looked up by a secret


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token and when it ends, in seconds since 1970."""

    value: str = field(repr=False)
    expires_on: float


@dataclass(frozen=True, slots=True)
class Grant:
    """What redeeming a refresh token yields: an access token, and the refresh token that follows."""

    access: AccessToken
    refresh: Secret | None


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A sign-in that waits for a user on another device; `message` tells them what to do, in one sentence."""

    code: Secret
    user_code: str
    verification_uri: str
    message: str
    expires_on: float
    """In seconds since 1970."""
    interval: int
    """Seconds to wait before asking again."""
