"""Many small drops: the whole application against a bare script that makes the same requests through the
same clients, on a fresh Azurite each round; then with storage and Partner Center at their real distance."""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import parts
from bench.harness import Case, Sample, rounds, spread, table, times_as_fast
from bench.server import POST_SECONDS, STORAGE_SECONDS
from local.azurite.launcher import Azurite
from shared.bootstrap import Services
from shared.clock import Deadline
from shared.core.ledger import LEDGER_FORMAT, Record, State, Submission
from shared.core.ledger_parts import DocumentFacts
from shared.core.models import Document, Role, order_attachments_key
from shared.partner_center.client import PartnerCenter
from shared.partner_center.wire import RequestIds
from shared.storage.blobs import BlobStore

WORKERS = (1, 4, 8, 16)
DROPS = 40
ROUNDS = 4
PDF = b"%PDF-1.7\n".ljust(200_000, b"x") + b"%%EOF"
REQUESTS = 7
"""Storage requests of a drop whose sidecar comes last; docs/performance.md has the table."""
INCOMING, LEDGER, RECEIPTS = "incoming", "ledger", "receipts"


def main() -> None:
    """Measure and print."""
    with parts.servers(2) as (storage, sink):
        rows = [_row(workers, sink) for workers in WORKERS]
        columns = ["workers", "bare drops/s", "ours drops/s", "ours to bare"]
        table(f"small: {DROPS} pairs with 200 kB, fresh Azurite each round", columns, rows)
        _far(storage, sink)


def _row(workers: int, sink: parts.Server) -> Sequence[object]:
    """Azurite grows slower with what it holds, so each round gets its own; both sides share it, shuffled."""
    taken: dict[str, list[Sample]] = {"ours": [], "bare": []}
    for _ in range(ROUNDS):
        with TemporaryDirectory() as folder, Azurite(os.environ, Path(folder)) as azurite:
            ours = parts.services(azurite.connection_string, sink.http)
            bare = partial(_bare, parts.store(azurite.connection_string), parts.partner(sink.http))
            for events in (partial(_ring, ours), bare):
                _drops(ours, events, workers, 2 * workers)  # containers, connections, node's compiler
            cases: dict[str, Case] = {
                "ours": partial(_drops, ours, partial(_ring, ours), workers, DROPS),
                "bare": partial(_drops, ours, bare, workers, DROPS),
            }
            for name, samples in rounds(cases, 1, dropped=0).items():
                taken[name] += samples
    rate = {name: round(DROPS / median(s.wall for s in samples)) for name, samples in taken.items()}
    return [workers, rate["bare"], rate["ours"], times_as_fast(taken["ours"], taken["bare"])]


def _drops(services: Services, events: Callable[[str, str], None], workers: int, number: int) -> float:
    """Seconds that the events of so many drops take; laying out the blobs with `services` is not counted."""
    put = services.drops.blobs.put
    stems = [f"{uuid.uuid4().hex}/PO" for _ in range(number)]
    seconds = 0.0
    with ThreadPoolExecutor(workers) as pool:
        for ending in ("pdf", "json"):
            for stem in stems:
                content = PDF if ending == "pdf" else parts.sidecar(parts.order_of("PO.pdf"))
                put(INCOMING, f"{stem}.{ending}", content, match="*")
            began = time.perf_counter()
            list(pool.map(events, stems, itertools.repeat(ending)))
            seconds += time.perf_counter() - began
    return seconds


def _ring(services: Services, stem: str, ending: str) -> None:
    parts.ring(services, f"{stem}.{ending}")


def _bare(store: BlobStore, client: PartnerCenter, stem: str, ending: str) -> None:
    """The same requests, in the same order and of the same length; nothing is decided."""
    if ending == "pdf":
        store.open(INCOMING, f"{stem}.json")
        store.get(LEDGER, f"words/{stem}.pdf.json")
        return
    sidecar = store.open(INCOMING, f"{stem}.json")
    assert sidecar is not None
    list(sidecar.read())
    pdf = store.open(INCOMING, f"{stem}.pdf")
    assert pdf is not None
    ids = RequestIds(parts.GUID, parts.GUID)
    client.list_attachments(parts.CUSTOMER, parts.ORDER, ids, Deadline.after(60))
    client.get_order(parts.CUSTOMER, parts.ORDER, ids, Deadline.after(60))
    etag = store.put(LEDGER, f"{stem}.json", _RECORD)
    parts.attach(client, [Document(Role.PURCHASE_ORDER, "PO.pdf", pdf.size, pdf.md5, pdf.read)])
    store.put(LEDGER, f"{stem}.json", _RECORD, match=etag)
    store.put(RECEIPTS, f"{stem}.json", _RECORD)


def _record() -> bytes:
    pdf = DocumentFacts(kind=Role.PURCHASE_ORDER, file_name="PO.pdf", size=len(PDF), md5="00" * 16)
    now, key = datetime.now(UTC), order_attachments_key(parts.CUSTOMER, parts.ORDER)
    blank = Record(
        v=LEDGER_FORMAT, kind="attachments", key=key, customer_id=parts.CUSTOMER, order_id=parts.ORDER
    )
    claim = Submission(
        digest="00" * 32,
        state=State.CLAIMED,
        revision=parts.GUID,
        request_id=parts.GUID,
        correlation_id=parts.GUID,
        created=now,
        changed=now,
        since=now,
        due=now + timedelta(minutes=4),
        documents=(pdf,),
    )
    return blank.put(claim).dump()


_RECORD = _record()


def _far(storage: parts.Server, sink: parts.Server) -> None:
    """The ideal is what the network alone takes: every request, one after the other."""
    rows = []
    near = parts.services(parts.connection_string(storage.http), sink.http)
    far = parts.services(parts.connection_string(f"{storage.http}/slow"), f"{sink.http}/slow")
    for workers in (1, 8, 16):
        number = workers * 8
        taken = [
            s.wall
            for s in rounds({"ours": partial(_drops, near, partial(_ring, far), workers, number)}, 3)["ours"]
        ]
        ideal = ((REQUESTS + 2) * STORAGE_SECONDS + POST_SECONDS) * number / workers
        ratio = spread([ideal / t for t in taken])
        rows.append([workers, round(number / ideal), round(number / median(taken)), ratio])
    table(
        "small: 10 ms a storage request or a GET, 50 ms a POST",
        ["workers", "ideal drops/s", "ours drops/s", "ours to ideal"],
        rows,
    )
