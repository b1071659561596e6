"""The record of every request that reached the simulator, answered or not. Tokens are left out."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

LIMIT = 20_000
"""How many requests are remembered; counts go on beyond."""


@dataclass(slots=True)
class Entry:
    """One request. `status` is None as long as no answer went out, for ever when none did."""

    connection: int
    at: float
    method: str
    path: str
    operation: str
    headers: dict[str, str]
    """As they came, without Authorization."""
    customer: str = ""
    number: int = 0
    caller: str = "none"
    """Whose token it carried: app, user or none (absent, or invalid)."""
    status: int | None = None
    code: str = ""
    fault: str = ""
    committed: bool = False
    """Whether it changed something at Partner Center."""
    request_bytes: int = 0
    response_bytes: int = 0
    seconds: float = 0.0
    started: float = field(default_factory=time.perf_counter, repr=False)

    def __str__(self) -> str:
        """The request and its answer in one line: `POST /v1/…/orders: 201, committed`."""
        answer = "no answer" if self.status is None else f"{self.status} {self.code}".strip()
        outcome = [answer, "committed" if self.committed else "", f"fault {self.fault}" if self.fault else ""]
        return f"{self.method} {self.path.partition('?')[0]}: {', '.join(part for part in outcome if part)}"


class Journal:
    """Requests in order of arrival. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections = 0
        self.clear()

    def clear(self) -> None:
        """Forget all requests and counts."""
        with self._lock:
            self._entries: deque[Entry] = deque(maxlen=LIMIT)
            self._counts: Counter[str] = Counter()
            self._first_connection = self._connections

    def connected(self) -> int:
        """Count one more connection and return its number."""
        with self._lock:
            self._connections += 1
            return self._connections

    def begin(self, entry: Entry) -> None:
        """Record a request whose head was read, and give it its number."""
        with self._lock:
            self._counts[entry.operation] += 1
            entry.number = self._counts.total()
            self._entries.append(entry)

    def entries(self) -> list[Entry]:
        """Return the remembered requests, oldest first."""
        with self._lock:
            return list(self._entries)

    def as_json(self) -> dict[str, object]:
        """Return counts by operation and all remembered requests."""
        with self._lock:
            return {
                "connections": self._connections - self._first_connection,
                "counts": dict(self._counts),
                "requests": [_entry_json(entry) for entry in self._entries],
            }


def _entry_json(entry: Entry) -> dict[str, object]:
    shown = asdict(entry)
    del shown["started"]
    shown["at"] = datetime.fromtimestamp(entry.at, UTC).isoformat()
    shown["requestBytes"], shown["responseBytes"] = shown.pop("request_bytes"), shown.pop("response_bytes")
    return shown
