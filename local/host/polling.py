"""When a listener looks at its queue: the pauses between looks, and the bells that cut a pause short.

https://github.com/Azure/azure-sdk-for-net/tree/main/sdk/storage/Microsoft.Azure.WebJobs.Extensions.Storage.Common/src/Shared
(Timers/RandomizedExponentialBackoffStrategy.cs, Queues/QueuePollingIntervals.cs, SharedQueueWatcher.cs)
"""

from __future__ import annotations

import random
import threading

FASTEST = 0.1
"""Seconds between two looks at a queue that has just had messages."""


class Backoff:
    """Pauses in seconds: 0.1 where messages were found, then about 0.2, 0.3, 0.5, 0.9 … up to `longest`."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._misses = 0

    def pause(self, found: bool) -> float:
        """The pause after a look that found nothing; `found` says whether there was something before it."""
        if found:
            self._misses = 0
        more = random.uniform(0.8, 1.2) * 2 ** (self._misses - 1) if self._misses else 0.0
        pause = FASTEST * (1 + more)
        if pause >= self._longest:
            return self._longest
        self._misses += 1
        return pause


class Bells:
    """Wakes the listeners of the queues on which this host itself puts messages.

    What an application sends with the SDK rings nobody: it is found by the next look.
    """

    def __init__(self) -> None:
        self._bells: dict[str, list[threading.Event]] = {}

    def hang(self, queue: str) -> threading.Event:
        """A bell for a listener on `queue`; hang them all before the first rings."""
        bell = threading.Event()
        self._bells.setdefault(queue, []).append(bell)
        return bell

    def ring(self, queue: str) -> None:
        """There is a message on `queue`."""
        for bell in self._bells.get(queue, ()):
            bell.set()
