"""What goes wrong around the hosts: they are killed, and their blobs and queues fail. Decided by the seed."""

from __future__ import annotations

import random
import threading
from collections import Counter

from local.fault_rules import Fault, Seen
from local.stack import Host, Stack

_STORAGE_RATES = (
    (0.010, Fault("status", status=503)),
    (0.008, Fault("status", status=500, code="InternalError", after=True)),
    (0.006, Fault("cut")),
    (0.010, Fault("cut", after=True)),
    (0.002, Fault("hang", seconds=1.0)),
    (0.003, Fault("hang", seconds=1.0, after=True)),
    (0.003, Fault("cut_body", bytes=40)),
)
_BAD_BLOBS = 0.03
"""Share of the blobs that fail so often in a row that the client's own tries are used up."""
_IN_A_ROW = 6


class StorageFaults:
    """Decides for the proxy in front of blobs or queues: the n-th request of a kind for a blob or queue gets
    the same fault in every run of the seed."""

    def __init__(self, seed: int, what: str) -> None:
        self._seed = f"{seed}/{what}"
        self._lock = threading.Lock()
        self._nth: Counter[tuple[str, ...]] = Counter()
        self.active = True
        self.requests = 0
        self.injected: Counter[str] = Counter()

    def decide(self, seen: Seen) -> Fault | None:
        """The fault of one request."""
        # the ids of messages are random, so all messages of a queue count together
        place = (seen.method, seen.container, seen.name.partition("messages/")[0] or "message")
        with self._lock:
            self.requests += 1
            self._nth[place] += 1
            nth = self._nth[place]
            fault = self._fault(place, nth) if self.active else None
            if fault:
                kind = str(fault.status) if fault.kind == "status" else fault.kind
                self.injected[f"{kind}{' after' if fault.after else ''}"] += 1
        return fault

    def _fault(self, place: tuple[str, ...], nth: int) -> Fault | None:
        bad = random.Random(f"{self._seed}/storage/{'/'.join(place)}")
        if bad.random() < _BAD_BLOBS:
            begin = bad.randrange(1, 6)
            if begin <= nth < begin + _IN_A_ROW:
                return Fault("status", status=503, after=bad.random() < 0.5)
        draw = random.Random(f"{self._seed}/storage/{'/'.join(place)}/{nth}").random()
        for rate, fault in _STORAGE_RATES:
            draw -= rate
            if draw < 0:
                return fault
        return None


class Killer:
    """Kills hosts at moments that the seed decides, and starts them again a little later."""

    def __init__(self, stack: Stack, seed: int, kills: int, seconds: float) -> None:
        self._stack = stack
        self._random = random.Random(f"{seed}/kills")
        self._moments = sorted(self._random.uniform(0.05, 1.0) * seconds for _ in range(kills))
        self._down: list[tuple[float, Host]] = []
        self.kills = 0
        self.died: list[str] = []
        """Hosts that ended by themselves."""

    def act(self, now: float) -> None:
        """Do what is due `now` seconds after the beginning."""
        for back, host in list(self._down):
            if back <= now:
                self._down.remove((back, host))
                self._stack.start_host(host)
        self._restart_dead()
        while self._moments and self._moments[0] <= now:
            self._moments.pop(0)
            self._kill(now)

    def end(self) -> None:
        """Start every host that is down; kill no more."""
        self._moments.clear()
        self._down.clear()
        self._stack.revive()

    def _kill(self, now: float) -> None:
        down = [host for _, host in self._down]
        living = [host for host in self._stack.hosts if host not in down]
        if living:
            host = self._random.choice(living)
            self._stack.kill_host(host)
            self._down.append((now + self._random.uniform(0, 2), host))
            self.kills += 1

    def _restart_dead(self) -> None:
        down = [host for _, host in self._down]
        for host in self._stack.hosts:
            if host not in down and host.child is not None and not host.child.running():
                self.died.append(host.name)
                self._stack.start_host(host)
