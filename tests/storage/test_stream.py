"""A blob as a stream: pinned to one version, resumed where it broke, cheap to leave."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterator

import pytest

from local.azurite.launcher import Azurite
from local.fault_proxy import Proxy
from local.fault_rules import Fault
from shared.core.errors import SourceFailedError
from shared.settings import Settings
from shared.storage.blobs import BlobStore
from shared.storage.stream import CHUNK, HEAD, BlobStream

PDF = b"%PDF-1.7\n" + bytes(range(256)) * (3 * CHUNK // 256)


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[Proxy]:
    with Proxy(azurite.blob_endpoint) as running:
        yield running


@pytest.fixture
def blobs(azurite: Azurite, proxy: Proxy) -> BlobStore:
    connection = proxy.connection_string(azurite.connection_string)
    return BlobStore(Settings.read({"DocumentStorage": connection}).storage)


def stored(blobs: BlobStore, content: bytes = PDF) -> str:
    name = f"{uuid.uuid4()}.pdf"
    blobs.put("streams", name, content, match="*")
    return name


def opened(blobs: BlobStore, name: str) -> BlobStream:
    stream = blobs.open("streams", name)
    assert stream is not None
    return stream


@pytest.mark.parametrize("size", [0, 1, HEAD, HEAD + 1, CHUNK, CHUNK + HEAD, CHUNK + HEAD + 1, len(PDF)])
def test_every_size_is_read_whole_and_again(blobs: BlobStore, size: int) -> None:
    stream = opened(blobs, stored(blobs, PDF[:size]))

    assert stream.size == size
    assert stream.head == PDF[: size if size <= CHUNK else HEAD]
    assert b"".join(stream.read()) == PDF[:size]
    assert b"".join(stream.read()) == PDF[:size]


def test_no_piece_is_larger_than_the_memory_that_is_promised(blobs: BlobStore) -> None:
    assert max(map(len, opened(blobs, stored(blobs)).read())) == CHUNK


@pytest.mark.parametrize("after", [HEAD, CHUNK - 1, CHUNK + HEAD, 2 * CHUNK + 77])
def test_a_stream_that_breaks_is_resumed_on_the_same_version(
    blobs: BlobStore, proxy: Proxy, after: int
) -> None:
    name = stored(blobs)
    proxy.clear()
    proxy.inject(Fault("cut_body", bytes=after), method="GET", name=name)

    assert b"".join(opened(blobs, name).read()) == PDF
    assert [seen.status for seen in proxy.seen()] == [200, 206]


def test_a_stream_that_breaks_each_time_is_given_up_as_a_fault_of_the_source(
    blobs: BlobStore, proxy: Proxy
) -> None:
    name = stored(blobs)
    proxy.clear()
    proxy.inject(Fault("cut_body", bytes=HEAD), method="GET", name=name, times=-1)

    with pytest.raises(SourceFailedError, match="could not be read to its end"):
        list(opened(blobs, name).read())

    assert len(proxy.seen()) == 4


def test_a_blob_that_is_replaced_before_it_is_read_again_is_no_source_any_more(blobs: BlobStore) -> None:
    name = stored(blobs)
    stream = opened(blobs, name)
    list(stream.read())
    blobs.put("streams", name, PDF[:-1], match="*")

    with pytest.raises(SourceFailedError, match="was replaced"):
        list(stream.read())


def test_a_blob_that_is_replaced_while_it_breaks_is_not_patched_together(
    blobs: BlobStore, proxy: Proxy
) -> None:
    name = stored(blobs)
    proxy.inject(Fault("cut_body", bytes=CHUNK), method="GET", name=name)
    stream = opened(blobs, name)
    blobs.put("streams", name, bytes(len(PDF)), match="*")

    with pytest.raises(SourceFailedError, match=re.escape(f"{name} was replaced")):
        list(stream.read())


@pytest.mark.parametrize(("size", "connections"), [(CHUNK, 1), (3 * CHUNK, 5)], ids=["small", "large"])
def test_a_stream_that_nobody_reads_keeps_its_connection_where_that_is_cheaper(
    blobs: BlobStore, proxy: Proxy, size: int, connections: int
) -> None:
    name = stored(blobs, PDF[:size])
    served: set[threading.Thread] = set()
    proxy.decide = lambda seen: served.add(threading.current_thread())
    for _ in range(5):
        opened(blobs, name).close()

    assert len(served) == connections
