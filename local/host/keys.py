"""Access keys: one function key for the host, its master key, and the system key of the blob webhook.

https://learn.microsoft.com/en-us/azure/azure-functions/function-keys-how-to
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

HEADER = "x-functions-key"


@dataclass(frozen=True, slots=True)
class Keys:
    """The three keys."""

    function: str = field(repr=False)
    master: str = field(repr=False)
    system: str = field(repr=False)

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Keys:
        """From HOST_FUNCTION_KEY, HOST_MASTER_KEY and HOST_SYSTEM_KEY; a missing one is random."""
        names = ("HOST_FUNCTION_KEY", "HOST_MASTER_KEY", "HOST_SYSTEM_KEY")
        return cls(*(env.get(name) or secrets.token_urlsafe(24) for name in names))

    def admits(self, level: str, presented: str) -> bool:
        """Whether a key opens `level` (anonymous, function, admin, system); the master key opens all."""
        if level == "anonymous":
            return True
        accepted = {"function": self.function, "system": self.system}.get(level)
        return _same(presented, self.master) or (accepted is not None and _same(presented, accepted))


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
