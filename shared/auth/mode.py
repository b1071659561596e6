"""The two ways to sign in at Partner Center, and what a call needs of whoever holds the tokens.

https://learn.microsoft.com/en-us/partner-center/developer/partner-center-authentication
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, runtime_checkable


class Mode(StrEnum):
    """Whose token a call carries: the application's own, or the application's for a user who signed in."""

    APP = "app-only"
    APP_USER = "app+user"


class TokenSource(Protocol):
    """Access tokens for Partner Center, one kind for each mode."""

    def configured(self, mode: Mode) -> bool:
        """Whether the settings that `mode` needs are there; asks nobody and never raises."""
        ...

    def get(self, mode: Mode) -> str:
        """Return a bearer token that is not known to be refused or expired.

        Raises TokenError when none is to be had, NotConfiguredError when settings for `mode` are missing.
        """
        ...

    def reject(self, mode: Mode, token: str) -> None:
        """Take note that Partner Center refused `token`, so that `get` does not hand it out again."""
        ...


@runtime_checkable
class UserTokenSource(TokenSource, Protocol):
    """A TokenSource that can also speak for a user who is signed in at a frontend."""

    def for_user(self, user_assertion: str) -> TokenSource:
        """A source whose App+User tokens are those of the user whose token for this application is given.

        Asks nobody; the `get` of what it returns raises TokenError when none is to be had.
        """
        ...
