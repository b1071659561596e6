"""Upload alone: the project's client against `curl -F`, and against requests with `files=`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import requests

from bench import parts
from bench.harness import Case, rounds, table, times_as_fast
from shared.core.models import Document
from shared.partner_center.client import PartnerCenter
from shared.storage.stream import CHUNK

SIZES = {10: 5, 50: 2, 200: 1}
"""MB, and how often one sample sends them."""
FILES = 4
ROUNDS = 7


def main() -> None:
    """Measure and print."""
    rows = []
    with parts.servers(1) as (sink,), TemporaryDirectory() as folder:
        for scheme in ("http", "https"):
            client = parts.partner(sink.url(scheme))
            for size in SIZES:
                rows.append(_row(client, sink, scheme, size, Path(folder)))
    table(
        f"upload: {FILES} files to a sink, speed against `curl -F` (1.00)",
        ["", "MB", "curl MB/s", "ours", "ours: CPU of curl's", "CPU s/GB", "`files=`"],
        rows,
    )


def _row(client: PartnerCenter, sink: parts.Server, scheme: str, size: int, folder: Path) -> Sequence[object]:
    files = [folder / f"{n}-{size}.pdf" for n in range(FILES)]
    for file in files:
        file.write_bytes(b"%PDF-1.7\n".ljust(size * 1_000_000 // FILES, b"x"))
    url = f"{sink.url(scheme)}/v1/customers/{parts.CUSTOMER}/orders/{parts.ORDER}/attachment"
    cases: dict[str, Case] = {
        "ours": _times(SIZES[size], partial(_ours, client, files)),
        "curl": _times(SIZES[size], partial(_curl, files, url, sink.authority)),
        "files=": _times(SIZES[size], partial(_plain, requests.Session(), files, url)),
    }
    samples = rounds(cases, ROUNDS)
    gigabytes = SIZES[size] * size / 1000
    curl, ours = samples["curl"], samples["ours"]
    return [
        scheme,
        size,
        round(gigabytes * 1000 / median(s.wall for s in curl)),
        times_as_fast(ours, curl),
        f"{median(o.cpu / c.cpu for o, c in zip(ours, curl, strict=True)):.2f}",
        f"{median(s.cpu for s in ours) / gigabytes:.2f}",
        times_as_fast(samples["files="], curl),
    ]


def _times(number: int, case: Callable[[], float]) -> Case:
    """Several calls as one sample; what they return is summed."""
    return lambda: sum(case() for _ in range(number))


def _ours(client: PartnerCenter, files: Sequence[Path]) -> float:
    documents = [
        Document(role, file.name, file.stat().st_size, "", partial(_read, file))
        for role, file in zip(parts.roles(len(files)), files, strict=True)
    ]
    parts.attach(client, documents)
    return 0.0


def _read(file: Path) -> Iterator[memoryview]:
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    with file.open("rb", buffering=0) as source:
        while got := source.readinto(buffer):
            yield view[:got]


def _curl(files: Sequence[Path], url: str, authority: str) -> float:
    """curl's own time, without the start of its process."""
    names = ["POFiles"] * (FILES // 2) + ["TenderFiles"] * (FILES // 2)
    forms = [f"{name}=@{file};type=application/pdf" for name, file in zip(names, files, strict=True)]
    form = [
        part for text in [f"metadata={parts.METADATA.to_wire().decode()}", *forms] for part in ("-F", text)
    ]
    return parts.run(
        ["curl", "-s", "--cacert", authority, "-o", "/dev/null", "-w", "%{time_total}", *form, url]
    )


def _plain(session: requests.Session, files: Sequence[Path], url: str) -> float:
    with ExitStack() as opened:
        form = [("POFiles", (f.name, opened.enter_context(f.open("rb")), "application/pdf")) for f in files]
        session.post(url, data={"metadata": parts.METADATA.to_wire()}, files=form, timeout=60)
    return 0.0
