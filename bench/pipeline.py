"""Blob to Partner Center: the project's storage and client code against two curls in a pipe, and against the
storage SDK's `readall` with requests' `files=`. Then the same where the network sets the pace."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import requests
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from bench import parts
from bench.harness import Case, rounds, spread, table, times_as_fast
from local.azurite.launcher import ACCOUNT, KEY, Azurite
from shared.core.models import Document, Role
from shared.partner_center.client import PartnerCenter
from shared.storage.blobs import BlobStore
from shared.storage.stream import BlobStream

FILES = 4
SIZES = (10, 50, 200)
ROUNDS = 7
CONTAINER = "incoming"
PACED = 50_000_000


def main() -> None:
    """Measure and print."""
    with parts.servers(2) as (source, sink):
        rows = []
        with _azurite() as (storage, endpoint, query):
            for size in SIZES:
                rows.append(_row("http, Azurite", storage, _names(size), endpoint, query, sink, "http"))
        for scheme in ("http", "https"):
            url = source.url(scheme)
            for size in SIZES:
                storage, endpoint = parts.connection_string(url), f"{url}/{ACCOUNT}"
                row = _row(f"{scheme}, bench", storage, _names(size), endpoint, "", sink, scheme)
                rows.append(row)
        columns = ["source", "MB", "pipe MB/s", "ours to pipe", "ours to SDK + `files=`", "ours, CPU s/GB"]
        table(f"pipeline: {FILES} blobs to one POST; speed as a ratio", columns, rows)
        _paced(source, sink)


def _names(size: int) -> list[str]:
    """One length for each document; a little different, so that each is a blob of its own."""
    return [f"{size * 1_000_000 // FILES + n}.pdf" for n in range(FILES)]


@contextmanager
def _azurite() -> Iterator[tuple[str, str, str]]:
    """Azurite with the documents: connection string, endpoint, and the query that lets curl read."""
    with TemporaryDirectory() as folder, Azurite(os.environ, Path(folder)) as azurite:
        service = BlobServiceClient.from_connection_string(azurite.connection_string)
        container = service.create_container(CONTAINER)
        for size in SIZES:
            for name in _names(size):
                content = b"%PDF-1.7\n".ljust(int(name.removesuffix(".pdf")), b"x")
                container.upload_blob(name, content, max_concurrency=1)
        allowed = ContainerSasPermissions(read=True)
        query = generate_container_sas(ACCOUNT, CONTAINER, KEY, permission=allowed, expiry="2099-01-01")
        yield azurite.connection_string, azurite.blob_endpoint, f"?{query}"
        service.close()


def _row(
    label: str, storage: str, names: Sequence[str], endpoint: str, query: str, sink: parts.Server, scheme: str
) -> Sequence[object]:
    url = f"{sink.url(scheme)}/v1/customers/{parts.CUSTOMER}/orders/{parts.ORDER}/attachment"
    sources = [f"{endpoint}/{CONTAINER}/{name}{query}" for name in names]
    service = BlobServiceClient.from_connection_string(storage)
    cases: dict[str, Case] = {
        "ours": partial(_ours, parts.store(storage), parts.partner(sink.url(scheme)), names),
        "pipe": partial(_pipe, sources, url, sink.authority),
        "naive": partial(_naive, service, requests.Session(), names, url),
    }
    samples = rounds(cases, ROUNDS)
    total = sum(int(name.removesuffix(".pdf")) for name in names) / 1e9
    ours, pipe = samples["ours"], samples["pipe"]
    return [
        label,
        round(total * 1000),
        round(total * 1000 / median(s.wall for s in pipe)),
        times_as_fast(ours, pipe),
        times_as_fast(ours, samples["naive"]),
        f"{median(s.cpu for s in ours) / total:.2f}",
    ]


def _ours(store: BlobStore, client: PartnerCenter, names: Sequence[str]) -> None:
    documents = []
    for role, name in zip(parts.roles(len(names)), names, strict=True):
        stream = store.open(CONTAINER, name)
        assert stream is not None
        documents.append(_document(role, stream))
    parts.attach(client, documents)


def _document(role: Role, stream: BlobStream) -> Document:
    return Document(role, stream.name, stream.size, stream.md5, stream.read)


def _pipe(sources: Sequence[str], url: str, authority: str) -> None:
    trust = f"--cacert {shlex.quote(authority)}"
    download = f"curl -s {trust} {' '.join(map(shlex.quote, sources))}"
    parts.run(["sh", "-c", f"{download} | curl -s {trust} -o /dev/null -T - {shlex.quote(url)}"])


def _naive(service: BlobServiceClient, session: requests.Session, names: Sequence[str], url: str) -> None:
    contents = [service.get_blob_client(CONTAINER, name).download_blob().readall() for name in names]
    form = [("POFiles", (n, c, "application/pdf")) for n, c in zip(names, contents, strict=True)]
    session.post(url, data={"metadata": parts.METADATA.to_wire()}, files=form, timeout=60)


def _paced(source: parts.Server, sink: parts.Server) -> None:
    """20 ms to the first byte and 60 MB/s for each connection, in the servers."""
    store = parts.store(parts.connection_string(f"{source.http}/paced"))
    client, name = parts.partner(f"{sink.http}/paced"), f"{PACED}.pdf"
    piece = b"%PDF".ljust(256 * 1024, b"x")

    def download() -> None:
        stream = store.open(CONTAINER, name)
        assert stream is not None
        for _ in stream.read():
            pass

    def made_up() -> Iterator[bytes]:
        whole, rest = divmod(PACED, len(piece))
        yield from (piece for _ in range(whole))
        yield piece[:rest]

    def upload() -> None:
        parts.attach(client, [Document(Role.PURCHASE_ORDER, name, PACED, "", made_up)])

    cases: dict[str, Case] = {
        "download": download,
        "upload": upload,
        "both": partial(_ours, store, client, [name]),
    }
    samples = {name: [s.wall for s in taken] for name, taken in rounds(cases, 3).items()}
    slower = [max(d, u) for d, u in zip(samples["download"], samples["upload"], strict=True)]
    ratio = spread([b / s for b, s in zip(samples["both"], slower, strict=True)])
    table(
        "pipeline, paced: 50 MB, 60 MB/s a connection, 20 ms to the first byte",
        ["download s", "upload s", "both s", "both to the slower of the two"],
        [[*(spread(samples[name]) for name in ("download", "upload", "both")), ratio]],
    )
