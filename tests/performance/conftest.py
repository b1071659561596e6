"""An installation whose storage requests pass a proxy that counts them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from local.azurite.launcher import Azurite
from local.proxy_faults import Seen
from local.storage_proxy import Proxy
from shared.wiring import Services
from tests.services.conftest import PDF, Office, built, office, partner_center

__all__ = ["office", "partner_center"]

_VERBS = {"list": "LIST", "blobs": "FIND", "lease": "LEASE"}


@dataclass
class Counted:
    """`office` prepares and looks, past the proxy; `services` is the instance whose requests count."""

    office: Office
    services: Services
    proxy: Proxy
    threads: set[threading.Thread]
    """The proxy's threads that saw a request: it has one for each connection."""
    posts: int = field(default=0)

    def begin(self) -> None:
        """Count from here."""
        self.proxy.clear()
        self.threads.clear()
        self.posts = self._writes()

    def ring(self, *paths: str) -> None:
        self.office.ring(*paths, by=self.services)

    def requests(self) -> str:
        """What storage was asked since `begin`, such as "3 GET incoming, 1 PUT receipts"."""
        kinds = Counter(_kind(seen) for seen in self.proxy.seen())
        return ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items(), key=_reading_order))

    def posted(self) -> int:
        """How often something was sent to Partner Center since `begin`."""
        return self._writes() - self.posts

    def _writes(self) -> int:
        return sum(e.method == "POST" for e in self.office.partner.journal.entries())


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

    with Proxy(azurite.blob_endpoint, note) as proxy:
        storage = proxy.connection_string(azurite.connection_string)
        services = built({**office.env, "DocumentStorage": storage}, office.clock)
        counted = Counted(office, services, proxy, threads)
        make_containers(counted)
        yield counted


def make_containers(counted: Counted) -> None:
    """As the infrastructure does: one drop from end to end writes to each of them."""
    ours = counted.office
    ours.drop("first/PO.pdf", PDF)
    ours.drop("first/PO.json", ours.sidecar(ours.order()))
    ours.ring("first/PO.json")
