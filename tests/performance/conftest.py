"""An installation whose storage requests pass proxies that count them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local.azurite.launcher import Azurite
from local.fault_proxy import Proxy
from local.fault_rules import Seen
from shared.bootstrap import Services
from tests.services.conftest import PDF, Office, built, office, partner_center

__all__ = ["office", "partner_center"]

_VERBS = {"list": "LIST", "blobs": "FIND", "lease": "LEASE"}


@dataclass
class Counted:
    """`office` prepares and looks, past the proxies; `services` is the instance whose requests count."""

    office: Office
    services: Services
    blobs: Proxy
    queues: Proxy
    threads: set[threading.Thread]
    """The threads of the proxy of blobs that saw a request: it has one for each connection."""
    begun: int = 0
    """How many requests Partner Center had seen when counting began."""

    def begin(self) -> None:
        """Count from here."""
        self.blobs.clear()
        self.queues.clear()
        self.threads.clear()
        self.begun = len(self.office.partner.journal.entries())

    def ring(self, *paths: str) -> None:
        self.office.ring(*paths, by=self.services)

    def requests(self) -> str:
        """What blob storage was asked since `begin`, such as "3 GET incoming, 1 PUT receipts"."""
        kinds = Counter(_kind(seen) for seen in self.blobs.seen())
        return ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items(), key=_reading_order))

    def queued(self) -> int:
        """How many requests the queue had since `begin`."""
        return len(self.queues.seen())

    def asked(self) -> int:
        """How often something was read at Partner Center since `begin`."""
        return self._at_partner_center("GET")

    def posted(self) -> int:
        """How often something was sent to Partner Center since `begin`."""
        return self._at_partner_center("POST")

    def _at_partner_center(self, method: str) -> int:
        return sum(e.method == method for e in self.office.partner.journal.entries()[self.begun :])


def _kind(seen: Seen) -> str:
    verb = _VERBS.get(seen.query.get("comp", ""), seen.method)
    return f"{verb} {seen.container.partition('-')[0]}"


def _reading_order(item: tuple[str, int]) -> tuple[int, str]:
    verb, _, container = item[0].partition(" ")
    return ["incoming", "ledger", "receipts"].index(container), verb


@pytest.fixture
def counted(office: Office, azurite: Azurite) -> Iterator[Counted]:
    threads: set[threading.Thread] = set()

    def note(seen: Seen) -> None:
        threads.add(threading.current_thread())

    with Proxy(azurite.blob_endpoint, note) as blobs, Proxy(azurite.queue_endpoint) as queues:
        storage = blobs.connection_string(azurite.connection_string, queues)
        services = built({**office.env, "DocumentStorage": storage}, office.clock)
        counted = Counted(office, services, blobs, queues, threads)
        warm_up(counted)
        yield counted


def warm_up(counted: Counted) -> None:
    """What is done once: the infrastructure makes containers and queue, and each instance looks whether the
    ledger is of its format. One drop from end to end writes to each container."""
    ours = counted.office
    ours.drop("first/PO.pdf", PDF)
    ours.drop("first/PO.json", ours.sidecar(ours.order()))
    ours.ring("first/PO.json")
    ours.services.sweep.queue.put("{}")
    ours.work()
    counted.services.ledger.check_format()
