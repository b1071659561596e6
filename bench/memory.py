"""Memory: what a drop in flight adds to an idle process, whatever its files weigh, through three attempts.

Each case runs in a process of its own: `python -m bench.memory STORAGE PARTNER_CENTER SIZE DROPS` drops so
many sets of SIZE MB at once and prints idle and peak in KiB. Peak is the kernel's own high-water mark.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import parts
from bench.harness import memory, spread, table
from shared.bootstrap import Services

LARGEST = 50
"""MB; no file may be larger, so that a drop of 200 MB is four of them."""
CASES = [("http", 10, 1), ("http", 200, 1), ("http", 50, 8), ("https", 200, 1), ("https", 50, 8)]
"""MB of a drop, and how many at once."""
TIMES = 2


def main() -> None:
    """Measure and print."""
    rows = []
    with parts.servers(2) as (source, sink):
        for scheme, size, number in CASES:
            # three drops at once would be throttled as one customer's, so attempts are made for single ones
            partner_center = sink.url(scheme) + ("/thrice" if number == 1 else "")
            before = sink.requests().get("POST", 0)
            taken = [_child(source, scheme, partner_center, size, number) for _ in range(TIMES)]
            posts = (sink.requests().get("POST", 0) - before) / TIMES / (number + 1)
            added = [(peak - idle) / 1024 for idle, peak in taken]
            rows.append(
                [
                    f"{scheme}, {number} x {size} MB",
                    f"{posts:g}",
                    f"{taken[0][0] / 1024:.1f}",
                    spread(added),
                    f"{max(added) / number:.2f}",
                ]
            )
    table(
        "memory: MiB over an idle process",
        ["drops in flight", "attempts", "idle MiB", "peak over idle MiB", "at most, per drop"],
        rows,
    )


def _child(source: parts.Server, scheme: str, partner_center: str, size: int, number: int) -> tuple[int, int]:
    command = [
        sys.executable,
        "-m",
        "bench.memory",
        source.url(scheme),
        partner_center,
        str(size),
        str(number),
    ]
    env = {**parts.environment(), "REQUESTS_CA_BUNDLE": source.authority}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    idle, peak = json.loads(done.stdout)
    return idle, peak


def drop(services: Services, name: str, size: int) -> None:
    """Put a sidecar that names documents of `size` MB together, which the server makes up."""
    files = max(1, size // LARGEST)
    names = [f"{size * 1_000_000 // files + n}.pdf" for n in range(files)]
    drops = services.drops
    sidecar = parts.sidecar(parts.order_of(*names), poFiles=names)
    drops.blobs.put(drops.incoming, f"{name}/metadata.json", sidecar, match="*")


def child(storage: str, partner_center: str, size: int, number: int) -> None:
    """Warm up with one small drop, rest, then drop the large ones at once."""
    services = parts.services(parts.connection_string(storage), partner_center)
    run = uuid.uuid4().hex
    drop(services, f"{run}-small", 1)
    ring(services, f"{run}-small")
    for n in range(number):
        drop(services, f"{run}-{n}", size)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark back to what is used now
    idle = memory("VmRSS")
    with ThreadPoolExecutor(number) as pool:
        list(pool.map(lambda n: ring(services, f"{run}-{n}"), range(number)))
    print(json.dumps([idle, memory("VmHWM")]))


def ring(services: Services, name: str) -> None:
    """The event of a set's sidecar; it must end attached."""
    parts.ring(services, f"{name}/metadata.json")
    kept = services.drops.receipts.store.read(f"{name}/metadata.json")
    assert kept is not None
    assert kept.state == "attached", kept.body


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
