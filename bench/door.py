"""The front door of one instance: how many drops a second come through host and events, and what the worst
load that an instance lets in costs in memory.

Throughput: a host as it is deployed (host.json, WORKER_SETTINGS), pairs that are dropped into Azurite, the
event feeder, and a Partner Center that takes 6.5 s for a drop. The ideal is a call in each of the places that
MAX_CALLS_IN_FLIGHT leaves, all the time; the rate is taken while all of them are full.

Memory: `python -m bench.door BODY STORAGE PARTNER_CENTER` sends as many JSON bodies at once as host.json lets
in, each as large as MAX_BODY_MB lets it be, and beside them as many drops.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from attach_po import body
from bench import parts
from bench.harness import memory, spread, table
from bench.server import LATE_LIST_SECONDS, LATE_POST_SECONDS
from bench.ways import base64_body
from local.stack import ROOT, Plan, Stack
from shared.clock import Deadline
from shared.settings_table import DEFAULTS

_HOST = json.loads((ROOT / "host.json").read_text())["extensions"]
PLACES = int(DEFAULTS["MAX_CALLS_IN_FLIGHT"])
EVENTS: int = _HOST["blobs"]["maxDegreeOfParallelism"]
REQUESTS: int = _HOST["http"]["maxConcurrentRequests"]

DROPS = 224
PDF = b"%PDF-1.7\n".ljust(20_000, b"x") + b"%%EOF"
LONGEST = 240.0
ROUNDS = 3


def main() -> None:
    """Measure and print."""
    with parts.servers(2) as (source, sink):
        columns = ["drops", "places", "drops/s", "ideal drops/s", "to the ideal"]
        table("one instance, through events and host", columns, [_throughput(sink)])
        with TemporaryDirectory() as folder:
            file = Path(folder) / "body"
            file.write_bytes(base64_body(25 * 1024 * 1024 * 3 // 4 - 4096))
            taken = [_child(file, source, sink) for _ in range(ROUNDS)]
            size = file.stat().st_size
        peaks = [(peak - idle) / 1024 for idle, peak in taken]
        row = [REQUESTS, f"{size / 2**20:.1f}", EVENTS, spread(peaks), f"{max(peaks) / REQUESTS:.0f}"]
        columns = ["requests", "MiB of each body", "drops", "peak over idle MiB", "at most, per request"]
        table("the worst load that one instance lets in", columns, [row])


def _throughput(sink: parts.Server) -> list[object]:
    settings = {"PARTNER_CENTER_BASE_URL": f"{sink.http}/late", "SWEEP_SCHEDULE": "0 0 0 1 1 *"}
    with TemporaryDirectory() as folder, Stack(Plan(Path(folder), settings=settings)) as stack:
        requests.get(f"{stack.hosts[0].url}/api/health", timeout=60).raise_for_status()
        before = sink.requests().get("POST", 0)
        threading.Thread(target=_drop_all, args=(stack,), daemon=True).start()
        rate = _rate(lambda: sink.requests().get("POST", 0) - before)
    ideal = PLACES / (2 * LATE_LIST_SECONDS + LATE_POST_SECONDS)
    return [DROPS, PLACES, f"{rate:.2f}", f"{ideal:.2f}", f"{rate / ideal:.2f}"]


def _drop_all(stack: Stack) -> None:
    with stack.blob_service() as service, ThreadPoolExecutor(4) as pool:
        incoming = service.get_container_client("incoming")

        def drop(number: int) -> None:
            incoming.upload_blob(f"{number}/PO.pdf", PDF)
            incoming.upload_blob(f"{number}/PO.json", parts.sidecar(parts.order_of("PO.pdf")))

        list(pool.map(drop, range(DROPS)))


def _rate(posts: Callable[[], int]) -> float:
    """POSTs a second, from when every place has sent once until the last round begins."""
    end, reached = time.monotonic() + LONGEST, dict[int, float]()
    first, last = PLACES, DROPS - PLACES
    while last not in reached and time.monotonic() < end:
        time.sleep(0.05)
        seen = posts()
        for mark in (first, last):
            if seen >= mark:
                reached.setdefault(mark, time.monotonic())
    return (last - first) / (reached[last] - reached[first])


def _child(file: Path, source: parts.Server, sink: parts.Server) -> tuple[int, int]:
    command = [sys.executable, "-m", "bench.door", str(file), source.http, sink.http]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=parts.environment())
    idle, peak = json.loads(done.stdout)
    return idle, peak


def child(file: Path, storage: str, partner_center: str) -> None:
    """Warm up with one of each, rest, then all at once."""
    services = parts.services(parts.connection_string(storage), partner_center)

    def attach(_: int) -> None:
        raw = file.read_bytes()
        order = parts.order_of("1000.pdf")
        documents = body.read("application/json", raw, services.settings.limits, parts.CUSTOMER, order)
        services.attachments.attach(documents, uuid.uuid4().hex, Deadline.after(120))

    def drop(_: int) -> None:
        name, order = uuid.uuid4().hex, parts.order_of("10000000.pdf")
        sidecar = parts.sidecar(order, poFiles=["10000000.pdf"])
        services.drops.blobs.put("incoming", f"{name}/metadata.json", sidecar, match="*")
        services.drops.handle_blob_event(f"{name}/metadata.json", uuid.uuid4().hex)

    attach(0)
    drop(0)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    idle = memory("VmRSS")
    with ThreadPoolExecutor(REQUESTS) as callers, ThreadPoolExecutor(EVENTS) as events:
        work = [callers.submit(attach, n) for n in range(3 * REQUESTS)]
        work += [events.submit(drop, n) for n in range(3 * EVENTS)]
        for one in work:
            one.result()
    print(json.dumps([idle, memory("VmHWM")]))


if __name__ == "__main__":
    child(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
