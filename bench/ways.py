"""The three ways of a document over HTTP: what a gigabyte costs the function in memory and CPU on each.

Each case runs in a process of its own: `python -m bench.ways WAY BODY STORAGE PARTNER_CENTER TIMES` attaches
so many documents one after the other. BODY is a file that holds the request's body, read as the worker gets
it; `upload` asks for an address, and processes the drop when the document is there.
"""

from __future__ import annotations

import base64
import gc
import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory

from attach_po import body
from bench import parts
from bench.harness import memory, spread, table
from shared.clock import Deadline
from shared.core.uploads import UploadLimits
from shared.services.attachment_operation import MOST_BYTES
from shared.validation.uploads import upload_request

WAYS = {"form": "multipart/form-data; boundary=XX", "json": "application/json", "upload": ""}
SIZE = 40
"""MB of a document; in base64 it fits into a body of 90 MiB."""
NAME = f"{SIZE * 1_000_000}.pdf"
"""The bench's storage makes up a document of the size that its name says."""
TIMES = 5
ROUNDS = 3


def main() -> None:
    """Measure and print."""
    rows = []
    with parts.servers(2) as (source, sink), TemporaryDirectory() as folder:
        for way in WAYS:
            file = Path(folder) / way
            file.write_bytes(_body(way))
            taken = [_child(way, file, source, sink) for _ in range(ROUNDS)]
            rows.append(
                [
                    way,
                    f"{file.stat().st_size / 1e6:.0f}",
                    spread([(peak - idle) / 1024 for idle, peak, _ in taken]),
                    spread([cpu / (SIZE * TIMES / 1000) for _, _, cpu in taken]),
                ]
            )
    table(
        f"a document of {SIZE} MB: what it costs the function on each way",
        ["way", "MB of body", "peak over idle MiB", "CPU s per GB"],
        rows,
    )


_METADATA = {"customerPrice": "156.87", "currency": "CAD"}


def pdf_of(size: int) -> bytes:
    """A document of so many bytes."""
    return b"%PDF-1.7\n" + b"x" * (size - 16) + b"\n%%EOF\n"


def base64_body(size: int, name: str = "1000.pdf") -> bytes:
    """A body with a document of so many bytes, as flows send it."""
    files = [{"fileName": name, "content": base64.b64encode(pdf_of(size)).decode()}]
    return json.dumps({"metadata": _METADATA, "poFiles": files}).encode()


def _body(way: str) -> bytes:
    if way == "json":
        return base64_body(SIZE * 1_000_000, NAME)
    content, metadata = pdf_of(SIZE * 1_000_000), _METADATA
    if way == "form":
        head = b"\r\n--XX\r\nContent-Disposition: form-data; name="
        described = head + b"metadata\r\n\r\n" + json.dumps(metadata).encode()
        named = head + f"pofiles; filename={NAME}\r\n\r\n".encode()
        return described.lstrip() + named + content + b"\r\n--XX--\r\n"
    announced = {"fileName": NAME, "size": SIZE * 1_000_000}
    return json.dumps({"metadata": metadata, "poFiles": [announced]}).encode()


def _child(way: str, file: Path, source: parts.Server, sink: parts.Server) -> tuple[int, int, float]:
    arguments = [way, str(file), source.http, sink.http, str(TIMES)]
    command = [sys.executable, "-m", "bench.ways", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=parts.environment())
    idle, peak, cpu = json.loads(done.stdout)
    return idle, peak, cpu


def child(way: str, file: Path, storage: str, partner_center: str, times: int) -> None:
    """Warm up with one, rest, then attach so many."""
    services = parts.services(parts.connection_string(storage), partner_center)
    limits = UploadLimits(services.settings.limits.max_file, 20, MOST_BYTES)

    def attach() -> None:
        order = parts.order_of(NAME)
        raw = file.read_bytes()
        if way == "upload":
            upload = services.uploads.prepare(
                upload_request(raw, parts.CUSTOMER, order, limits), uuid.uuid4().hex
            )
            kept = services.drops.receipts.store.read(upload.sidecar)
            assert kept is not None
            assert kept.state == "attached", kept.body
            return
        documents = body.read(WAYS[way], raw, services.settings.limits, parts.CUSTOMER, order)
        services.attachments.attach(documents, uuid.uuid4().hex, Deadline.after(120))

    attach()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark back to what is used now
    idle, began = memory("VmRSS"), time.process_time()
    for _ in range(times):
        attach()
    print(json.dumps([idle, memory("VmHWM"), time.process_time() - began]))


if __name__ == "__main__":
    child(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]))
