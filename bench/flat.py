"""Flat: what a drop and an idle sweep cost with few and with many other blobs in the container.

Requests are what counts, and they are exact; the emulator's own time grows with what it holds. 50,000 blobs
would take Azurite minutes to take in, so there the bench's store stands in, which cannot list.
"""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import parts
from bench.harness import table
from local.azurite.launcher import Azurite
from local.fault_proxy import Proxy
from local.fault_rules import Seen
from shared.bootstrap import Services

PDF = b"%PDF-1.7\n".ljust(8_000, b"x") + b"%%EOF"
IN_AZURITE = (10, 1_000)
IN_STORE = (10, 50_000)
DROPS = 10


def main() -> None:
    """Measure and print."""
    rows = []
    with parts.servers(2) as (storage, sink):
        with (
            TemporaryDirectory() as folder,
            Azurite(os.environ, Path(folder)) as azurite,
            Proxy(azurite.blob_endpoint) as proxy,
        ):
            through = proxy.connection_string(azurite.connection_string)
            services = parts.services(through, sink.http)
            fill = parts.services(azurite.connection_string, sink.http)
            for others in IN_AZURITE:
                rows.append(_in_azurite(services, fill, proxy, others))
        services = parts.services(parts.connection_string(storage.http), sink.http)
        for others in IN_STORE:
            rows.append(_in_store(services, storage, others))
    columns = ["storage", "other blobs", "requests a drop", "ms a drop", "idle sweep"]
    table("flat: pair, sidecar last", columns, rows)


def _in_azurite(services: Services, fill: Services, proxy: Proxy, others: int) -> Sequence[object]:
    _fill(fill, others)
    _drop(services, fill)  # containers and connections
    proxy.clear()
    seconds = sum(_drop(services, fill) for _ in range(DROPS))
    per_drop = _told(Counter(_verb(seen) for seen in proxy.seen()), DROPS)
    services.sweep.run(str(uuid.uuid4()), services.deadline())
    proxy.clear()
    services.sweep.run(str(uuid.uuid4()), services.deadline())
    sweep = _told(Counter(_verb(seen) for seen in proxy.seen()), 1)
    return ["Azurite", others, per_drop, f"{seconds / DROPS * 1000:.0f}", sweep]


def _in_store(services: Services, storage: parts.Server, others: int) -> Sequence[object]:
    storage.fill(others)
    _drop(services, services)
    before, seconds = Counter(storage.requests()), 0.0
    for _ in range(DROPS):
        seconds += _drop(services, services)
    seen = Counter(storage.requests()) - before
    seen["PUT"] -= 2 * DROPS  # laying out the blobs goes the same way here
    seen["GET"] -= 1  # the question for the count
    return ["bench", others, _told(seen, DROPS), f"{seconds / DROPS * 1000:.0f}", "-"]


def _fill(services: Services, number: int) -> None:
    drops = services.drops
    with ThreadPoolExecutor(4) as pool:
        names = (f"others/{uuid.uuid4().hex}.pdf" for _ in range(number))
        list(pool.map(lambda name: drops.blobs.put(drops.incoming, name, b"%PDF-1.7", match="*"), names))


def _drop(services: Services, fill: Services) -> float:
    """Seconds that both events of one drop take."""
    stem, seconds = f"others/{uuid.uuid4().hex}", 0.0
    sidecar = parts.sidecar(parts.order_of(stem.rpartition("/")[2]))
    for name, content in ((f"{stem}.pdf", PDF), (f"{stem}.json", sidecar)):
        fill.drops.blobs.put(fill.drops.incoming, name, content, match="*")
        began = time.perf_counter()
        parts.ring(services, name)
        seconds += time.perf_counter() - began
    return seconds


def _verb(seen: Seen) -> str:
    return {"list": "LIST", "blobs": "FIND"}.get(seen.query.get("comp", ""), seen.method)


def _told(counts: Counter[str], times: int) -> str:
    """Such as "7: 4 GET, 3 PUT"."""
    total = sum(counts.values()) / times
    return f"{total:g}: " + ", ".join(f"{n / times:g} {verb}" for verb, n in sorted(counts.items()) if n)
