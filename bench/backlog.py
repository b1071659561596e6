"""A backlog: how fast 2,000 drops that are due are sent by one, two and four host processes, against the
ideal, in which nothing takes time but what Partner Center takes.

Everything is real but Partner Center: Azurite, the hosts with the whole app, the sweep that hands out what is
due (of this process, so that it takes no slot), and the queue that all share. Partner Center takes 100 ms for
the list before a POST and 500 ms for the POST. A host works on SLOTS messages at a time, few enough for two
processors to carry four hosts, Azurite and Partner Center: what is measured is whether slots stand empty, not
how fast a processor is.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from bench import parts
from bench.harness import table
from bench.server import FAR_LIST_SECONDS, FAR_POST_SECONDS
from local.azurite.launcher import Azurite
from local.stack import Plan, Stack
from shared.bootstrap import Services
from shared.clock import Deadline
from shared.core.ledger import LEDGER_FORMAT, Record, State, Submission
from shared.core.ledger_parts import DocumentFacts, Source
from shared.core.models import Document, DocumentSet, Role, order_attachments_key

HOSTS = (1, 2, 4)
DROPS = 2_000
SLOTS = 2
LONGEST = 420.0
"""Seconds after which a run is broken off; what was sent until then counts."""

PDF = b"%PDF-1.7\n".ljust(20_000, b"x") + b"%%EOF"
_QUEUES = "AzureFunctionsJobHost__extensions__queues__"
SETTINGS = {
    f"{_QUEUES}batchSize": "1",
    f"{_QUEUES}newBatchThreshold": str(SLOTS),
    f"{_QUEUES}maxPollingInterval": "00:00:01",
    "PYTHON_THREADPOOL_THREAD_COUNT": str(SLOTS),
    "SWEEP_SCHEDULE": "0 0 0 1 1 *",
}


def main() -> None:
    """Measure and print."""
    with parts.servers(1) as (partner_center,):
        rows = [_row(number, partner_center) for number in HOSTS]
    columns = ["hosts", "slots", "sent", "s", "drops/s", "ideal drops/s", "to the ideal"]
    table(f"backlog: {DROPS} drops that are due", columns, rows)


def _row(number: int, partner_center: parts.Server) -> Sequence[object]:
    with TemporaryDirectory() as folder, Azurite(os.environ, Path(folder)) as azurite:
        services = parts.services(azurite.connection_string, partner_center.http)
        _fill(services)
        plan = Plan(
            Path(folder) / "stack",
            hosts=number,
            azurite=azurite,
            settings={**SETTINGS, "PARTNER_CENTER_BASE_URL": f"{partner_center.http}/far"},
            feeder_arguments=("--skip-existing",),
        )
        with Stack(plan) as stack:
            sent, seconds = _drain(services, stack, partner_center)
    slots, rate = number * SLOTS, sent / seconds
    ideal = slots / (2 * FAR_LIST_SECONDS + FAR_POST_SECONDS)
    return [number, slots, sent, f"{seconds:.0f}", f"{rate:.1f}", f"{ideal:.1f}", f"{rate / ideal:.2f}"]


def _drain(services: Services, stack: Stack, partner_center: parts.Server) -> tuple[int, float]:
    """How many were sent within how many seconds, from the moment at which a sweep begins to hand out."""
    with requests.Session() as http:
        http.trust_env = False
        for host in stack.hosts:  # the first call of each loads the app
            http.get(f"{host.url}/api/health", timeout=60).raise_for_status()
    before, began, sent = partner_center.requests().get("POST", 0), time.monotonic(), 0
    with ThreadPoolExecutor(1) as beside:
        beside.submit(services.sweep.run, "bench", Deadline.after(LONGEST))
        while sent < DROPS and time.monotonic() - began < LONGEST:
            time.sleep(0.2)
            sent = partner_center.requests().get("POST", 0) - before
        took = time.monotonic() - began
    return sent, took


def _fill(services: Services) -> None:
    """Drops whose first attempt was throttled some minutes ago."""
    services.ledger.check_format()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: _throttled(services, f"late/{n}"), range(DROPS)))


def _throttled(services: Services, stem: str) -> None:
    drops, order = services.drops, parts.order_of("PO.pdf")
    pdf, sidecar = f"{stem}/PO.pdf", f"{stem}/PO.json"
    etags = {
        name: drops.blobs.put(drops.incoming, name, content, match="*")
        for name, content in ((pdf, PDF), (sidecar, parts.sidecar(order)))
    }
    stream = drops.blobs.open(drops.incoming, pdf)
    assert stream
    stream.close()
    document = Document(Role.PURCHASE_ORDER, "PO.pdf", len(PDF), stream.md5, lambda: iter((PDF,)))
    content = DocumentSet(parts.CUSTOMER, order, parts.METADATA, (document,))
    ago = datetime.now(UTC) - timedelta(minutes=5)
    own = Submission(
        digest=content.digest,
        state=State.PENDING,
        revision=str(uuid.uuid4()),
        request_id=str(uuid.uuid4()),
        correlation_id=str(uuid.uuid4()),
        created=ago,
        changed=ago,
        since=ago,
        due=ago,
        documents=(DocumentFacts(kind=document.role, file_name="PO.pdf", size=len(PDF), md5=document.md5),),
        sources=(Source(drop=sidecar, sidecar_etag=etags[sidecar], files={pdf: etags[pdf]}),),
        detail="Partner Center answered 429.",
    )
    key = order_attachments_key(parts.CUSTOMER, order)
    blank = Record(v=LEDGER_FORMAT, kind="attachments", key=key, customer_id=parts.CUSTOMER, order_id=order)
    record = blank.put(own)
    drops.blobs.put("ledger", f"{key}.json", record.dump(), due=record.due)
