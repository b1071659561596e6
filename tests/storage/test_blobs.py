"""Blobs on Azurite, and on services whose answers are not what they should be."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import BlobClient, StandardBlobTier

from local.azurite.launcher import Azurite
from local.web import Response
from shared.core.errors import (
    BlobArchivedError,
    BlobLeasedError,
    ConditionFailedError,
    MarkerRefusedError,
    StorageError,
)
from shared.storage.blobs import BlobStore
from tests.contract.scripted_server import Connection, answer
from tests.storage.conftest import Play, Serve
from tests.storage.parts import DATE, ETAG, Storage, by_key, refused, store


@pytest.fixture
def blobs(azurite: Azurite) -> BlobStore:
    return store({"DocumentStorage": azurite.connection_string})


def by_sdk(azurite: Azurite, name: str) -> BlobClient:
    return BlobClient.from_connection_string(azurite.connection_string, "blobs", name)


# --- states that others put a blob into ---


@pytest.mark.parametrize("match", ["*", "current", "stale", None])
def test_a_leased_blob_is_read_and_not_written_until_the_lease_ends(
    azurite: Azurite, blobs: BlobStore, match: str | None
) -> None:
    name = uuid.uuid4().hex
    etag = blobs.put("blobs", name, b"1")
    lease = by_sdk(azurite, name).acquire_lease()
    asked = {"current": etag, "stale": '"0x1"'}.get(match or "", match)

    with pytest.raises((BlobLeasedError, ConditionFailedError)) as raised:
        blobs.put("blobs", name, b"2", match=asked)
    found = blobs.get("blobs", name)
    lease.break_lease(0)

    assert isinstance(raised.value, BlobLeasedError) == (match in ("*", "current"))
    assert found is not None
    assert found.content == b"1"
    assert blobs.put("blobs", name, b"2", match="*") != etag


def test_a_blob_in_the_archive_is_listed_and_not_read(azurite: Azurite, blobs: BlobStore) -> None:
    name = uuid.uuid4().hex
    blobs.put("blobs", name, b"1")
    by_sdk(azurite, name).set_standard_blob_tier(StandardBlobTier.ARCHIVE)

    for read in (blobs.get, blobs.open):
        with pytest.raises(BlobArchivedError, match=name):
            read("blobs", name)
    assert [listed.size for listed in blobs.page("blobs", name)[0]] == [1]


# --- tags ---


def test_a_write_can_depend_on_the_tags_of_the_blob_that_is_there(blobs: BlobStore) -> None:
    name, waits = uuid.uuid4().hex, {"waiting": "0x8D"}
    blobs.put("blobs", name, b"2", tags=waits)
    blobs.put("blobs", name, b"3", match="*", if_tags="\"waiting\" = '0x8D'")

    with pytest.raises(ConditionFailedError):  # the write before has left no tag
        blobs.put("blobs", name, b"4", match="*", if_tags="\"waiting\" = '0x8D'")
    kept = blobs.get("blobs", name)
    assert kept
    assert kept.content == b"3"


def test_what_is_due_is_found_beside_other_tags(blobs: BlobStore) -> None:
    container, now = f"tags-{uuid.uuid4().hex[:8]}", datetime.now(UTC)
    for name, due in (("late", now - timedelta(seconds=9)), ("soon", now + timedelta(seconds=9))):
        blobs.put(container, name, b"{}", due=due, tags={"waiting": "0x8D"})
    blobs.put(container, "never", b"{}", tags={"waiting": "0x8D"})

    assert list(blobs.due_before(container, now)) == ["late"]


# --- headers that say nothing ---


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ETag", ""),
        ("ETag", '"\xe9"'),
        ("Last-Modified", ""),
        ("Last-Modified", "yesterday"),
        ("Last-Modified", "Sat, 99 Nov 2026 10:00:00 GMT"),
        ("Last-Modified", "Sat, 21 Nov 99999999999 10:00:00 GMT"),
    ],
)
def test_a_read_whose_answer_cannot_be_understood_is_a_fault_of_storage(
    play: Play, name: str, value: str
) -> None:
    headers = {**ETAG, name: value}
    if not value:
        del headers[name]
    client = by_key(play(answer(200, b"{}", headers)).url)

    for read in (client.get, client.open):
        with pytest.raises(StorageError, match=f"GET ledger/a has no {name}"):
            read("ledger", "a")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-MD5", "no base64!"),
        ("Content-MD5", "YWJj"),
        ("Content-MD5", "ü"),
        ("Content-Length", "-1"),
        ("Content-Length", "two"),
        ("Content-Length", "1_0"),
    ],
)
def test_a_stream_whose_answer_cannot_be_understood_is_a_fault_of_storage(
    play: Play, name: str, value: str
) -> None:
    client = by_key(play(answer(200, b"{}", {**ETAG, name: value})).url)

    with pytest.raises(StorageError, match=f"GET ledger/a has no {name}"):
        client.open("ledger", "a")


def test_a_stream_of_unknown_size_is_a_fault_of_storage(play: Play) -> None:
    def chunked(connection: Connection) -> None:
        connection.read_request()
        head = "".join(f"{n}: {v}\r\n" for n, v in {**ETAG, "Transfer-Encoding": "chunked"}.items())
        connection.send(f"HTTP/1.1 200 OK\r\n{head}\r\n2\r\n{{}}\r\n0\r\n\r\n".encode())

    with pytest.raises(StorageError, match="Content-Length"):
        by_key(play(chunked).url).open("ledger", "a")


# --- listings ---


def listing(properties: str) -> Response:
    body = f"<EnumerationResults><Blobs><Blob><Name>a</Name>{properties}</Blob></Blobs></EnumerationResults>"
    return Response(200, body.encode(), content_type="application/xml")


@pytest.mark.parametrize("name", ["OutOfRangeInput", "InvalidQueryParameterValue"])
def test_a_marker_that_storage_refuses_is_told_from_every_other_fault(serve: Serve, name: str) -> None:
    client = by_key(serve(Storage(refused(400, name))).url)

    with pytest.raises(MarkerRefusedError):
        client.page("incoming", "", "2!72!old")
    with pytest.raises(StorageError, match="400") as raised:
        client.page("incoming", "")
    assert not isinstance(raised.value, MarkerRefusedError)


@pytest.mark.parametrize(
    "said",
    [
        Response(200, b"", content_type="application/xml"),
        Response(200, b"<html><p>", content_type="application/xml"),
        Response(200, b"<html>Sign in</html>", content_type="text/html"),
        Response(200, b"{}"),
        listing(""),
        listing("<Properties><Last-Modified>soon</Last-Modified><Etag>1</Etag></Properties>"),
        listing(f"<Properties><Last-Modified>{DATE}</Last-Modified></Properties>"),
    ],
    ids=["empty", "cut", "html", "json", "no-properties", "bad-date", "no-etag"],
)
def test_a_listing_that_cannot_be_read_is_a_fault_of_storage(serve: Serve, said: Response) -> None:
    with pytest.raises(StorageError, match="list incoming"):
        by_key(serve(Storage(said)).url).page("incoming")


def test_a_query_that_cannot_be_read_is_a_fault_of_storage(serve: Serve) -> None:
    client = by_key(serve(Storage(Response(200, b"<a/>", content_type="application/xml"))).url)

    with pytest.raises(StorageError, match="query ledger"):
        list(client.due_before("ledger", datetime.now(UTC)))
