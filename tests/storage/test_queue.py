"""The work queue on Azurite, and on services whose answers are not what they should be."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping

import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, Services, generate_account_sas
from azure.storage.queue import QueueClient, TextBase64DecodePolicy

from local.azurite.launcher import ACCOUNT, KEY, Azurite
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.pki import Pki
from local.web import Request, Response
from shared.core.errors import NotConfiguredError, StorageError, StorageForbiddenError, StorageUnknownError
from shared.settings import Settings
from shared.storage.account import Account
from shared.storage.queue import WorkQueue
from tests.contract.scripted_server import Connection, answer, reply, reset_after_request
from tests.storage.conftest import Play, Serve
from tests.storage.parts import Storage, blob, by_key, refused, store

CREATED = Response(201)
MISSING = refused(404, "QueueNotFound")
DAY = 24 * 3600


def queue(settings: Mapping[str, str], name: str = "work") -> WorkQueue:
    return WorkQueue(Account(Settings.read(settings).storage), name)


def at(url: str) -> WorkQueue:
    return WorkQueue(by_key(url).account, "work")


@pytest.fixture
def name() -> str:
    return f"work-{uuid.uuid4().hex}"


@pytest.fixture
def work(azurite: Azurite, name: str) -> WorkQueue:
    return queue({"DocumentStorage": azurite.connection_string}, name)


def reader(azurite: Azurite, name: str) -> QueueClient:
    """A client that reads messages as the queue trigger does."""
    return QueueClient.from_connection_string(
        azurite.connection_string, name, message_decode_policy=TextBase64DecodePolicy()
    )


def texts(azurite: Azurite, name: str) -> list[str]:
    with reader(azurite, name) as client:
        return [str(message.content) for message in client.receive_messages(messages_per_page=32)]


# --- on Azurite ---


@pytest.mark.parametrize("text", ['{"v": 1}', "Grüße, 注文 & <b>", "x" * 40_000])
def test_a_message_arrives_as_it_was_put_into_a_queue_that_was_not_there(
    azurite: Azurite, work: WorkQueue, name: str, text: str
) -> None:
    work.put(text)

    assert texts(azurite, name) == [text]


def test_a_message_that_is_delayed_is_seen_when_its_time_has_come(
    azurite: Azurite, work: WorkQueue, name: str
) -> None:
    work.put("now")
    work.put("later", 1.2)
    first = texts(azurite, name)
    time.sleep(2.5)

    assert (first, texts(azurite, name)) == (["now"], ["later"])


@pytest.mark.parametrize("delay", [0.0, 10.0 * DAY], ids=["none", "longer-than-storage-takes"])
def test_a_message_stays_until_it_is_taken(
    azurite: Azurite, work: WorkQueue, name: str, delay: float
) -> None:
    work.put("kept", delay)

    with reader(azurite, name) as client:
        assert client.get_queue_properties().approximate_message_count == 1
        ends = [message.expires_on.year for message in client.peek_messages() if message.expires_on]
    assert ends == ([] if delay else [9999])


def test_a_queue_is_full_when_as_many_messages_are_visible(
    azurite: Azurite, work: WorkQueue, name: str
) -> None:
    before = work.is_full(1)
    for _ in range(31):
        work.put("x")
    work.put("later", 60)
    almost = work.is_full()
    work.put("x")

    assert (before, almost, work.is_full(31), work.is_full()) == (False, False, True, True)


def test_a_look_takes_no_message_away(azurite: Azurite, work: WorkQueue, name: str) -> None:
    work.put("x")
    for _ in range(3):
        assert work.is_full(1)

    assert texts(azurite, name) == ["x"]


def test_two_that_make_the_queue_at_once_both_put_their_message(
    azurite: Azurite, work: WorkQueue, name: str
) -> None:
    threads = [threading.Thread(target=work.put, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(texts(azurite, name)) == [str(n) for n in range(8)]


def test_a_shared_access_signature_puts_and_looks(azurite: Azurite, name: str) -> None:
    signature = generate_account_sas(
        ACCOUNT,
        KEY,
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(read=True, add=True, create=True, write=True),
        expiry="2099-01-01",
        services=Services(blob=True, queue=True),
    )
    endpoints = f"BlobEndpoint={azurite.blob_endpoint};QueueEndpoint={azurite.queue_endpoint}"
    work = queue({"DocumentStorage": f"{endpoints}/;SharedAccessSignature={signature}"}, name)
    work.put("signed")

    assert work.is_full(1)
    assert texts(azurite, name) == ["signed"]


# --- what is asked of storage ---


@pytest.mark.parametrize(
    ("delay", "seconds"), [(0, 0), (-3, 0), (0.01, 1), (60, 60), (60.5, 61), (1e9, 6 * DAY)]
)
def test_a_delay_is_told_in_whole_seconds_within_what_storage_takes(
    serve: Serve, delay: float, seconds: int
) -> None:
    storage = Storage(CREATED)
    at(serve(storage).url).put("x", delay)

    (asked,) = storage.asked
    assert (asked.method, asked.path) == ("POST", f"/{ACCOUNT}/work/messages")
    assert asked.query == {"visibilitytimeout": str(seconds), "messagettl": "-1"}


def test_a_queue_that_is_missing_is_made_once(serve: Serve) -> None:
    storage = Storage(MISSING, CREATED, MISSING)

    with pytest.raises(StorageError, match="no such queue"):
        at(serve(storage).url).put("x")

    assert [asked.method for asked in storage.asked] == ["POST", "PUT", "POST"]
    assert storage.asked[1].path == f"/{ACCOUNT}/work"


@pytest.mark.parametrize("made", [Response(204), refused(409, "QueueAlreadyExists")], ids=["204", "409"])
def test_a_queue_that_another_made_first_is_as_good(serve: Serve, made: Response) -> None:
    storage = Storage(MISSING, made, CREATED)
    at(serve(storage).url).put("x")

    assert len(storage.asked) == 3


def test_a_queue_that_is_being_deleted_takes_no_message(serve: Serve) -> None:
    with pytest.raises(StorageError, match="QueueBeingDeleted") as raised:
        at(serve(Storage(MISSING, refused(409, "QueueBeingDeleted"))).url).put("x")

    assert type(raised.value) is StorageError


def test_what_an_identity_lacks_is_told(serve: Serve) -> None:
    work = at(serve(Storage(refused(403, "AuthorizationPermissionMismatch"))).url)

    for ask in (lambda: work.put("x"), work.is_full):
        with pytest.raises(StorageForbiddenError) as raised:
            ask()
        assert "Storage Queue Data Contributor" in raised.value.remedy


def test_a_message_whose_answer_is_lost_may_be_there(play: Play) -> None:
    work = at(play(reset_after_request, answer(403)).url)

    with pytest.raises(StorageUnknownError):
        work.put("x")


def test_blobs_and_queues_of_an_identity_share_one_token(
    pki: Pki, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.ca))
    blobs, queues = Storage(blob()), Storage(CREATED)
    with ManagedIdentity(b"key", "object", header="header") as identity:
        for variable, value in identity.environment.items():
            monkeypatch.setenv(variable, value)
        client = store(
            {
                "DocumentStorage__blobServiceUri": serve(blobs, pki.server_context()).url,
                "DocumentStorage__queueServiceUri": serve(queues, pki.server_context()).url + "/",
            }
        )
        client.get("incoming", "a.json")
        WorkQueue(client.account, "work").put("x")

    assert identity.asked == ["https://storage.azure.com"]
    assert queues.asked[0].path == "/work/messages"
    assert queues.asked[0].headers["authorization"] == blobs.asked[0].headers["authorization"]


# --- where the queues are ---


@pytest.mark.parametrize(
    ("connection", "host", "path"),
    [
        (
            f"DefaultEndpointsProtocol=http;AccountName=acc;AccountKey={KEY};EndpointSuffix=storage.example",
            "acc.queue.storage.example",
            "/work/messages",
        ),
        (
            f"BlobEndpoint=http://b.example;QueueEndpoint=http://q.example/a/;AccountName=acc;AccountKey={KEY}",
            "q.example",
            "/a/work/messages",
        ),
        (
            "BlobEndpoint=http://b.example;QueueEndpoint=http://q.example?sig=x;SharedAccessSignature=sig=1",
            "q.example",
            "/work/messages",
        ),
        ("UseDevelopmentStorage=true", "127.0.0.1:10001", "/devstoreaccount1/work/messages"),
    ],
    ids=["by-name", "by-endpoint", "by-signature", "development"],
)
def test_a_connection_string_says_where_the_queues_are(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, connection: str, host: str, path: str
) -> None:
    proxy = Storage(CREATED)
    monkeypatch.setenv("HTTP_PROXY", serve(proxy).url)
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    queue({"DocumentStorage": connection}).put("x")

    (asked,) = proxy.asked
    assert (asked.headers["host"], asked.path) == (host, path)


def test_an_account_by_name_is_reached_over_tls_in_the_public_cloud(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = play(answer(403))
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)

    with pytest.raises(StorageError):
        queue({"DocumentStorage": f"AccountName=acc;AccountKey={KEY}"}).put("x")

    assert {(r.method, r.target) for r in server.requests} == {("CONNECT", "acc.queue.core.windows.net:443")}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (
            {"DocumentStorage": "BlobEndpoint=http://b.example;SharedAccessSignature=sig=secret"},
            "DocumentStorage",
        ),
        (
            {"DocumentStorage__blobServiceUri": "https://b.example"},
            "DocumentStorage__queueServiceUri",
        ),
    ],
)
def test_an_account_without_queues_is_not_configured(settings: dict[str, str], named: str) -> None:
    with pytest.raises(NotConfiguredError) as raised:
        queue(settings)

    assert raised.value.settings == (named,)
    assert "secret" not in str(raised.value)


# --- answers that nobody should believe ---

LIST = "<QueueMessagesList>{}</QueueMessagesList>"
ONE = "<QueueMessage><MessageText>eA==</MessageText></QueueMessage>"
BOMB = """<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>"""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "cannot be read"),
        (b"<QueueMessagesList>", "cannot be read"),
        (b"{}", "cannot be read"),
        (b'<?xml version="1.0" encoding="utf-7"?><QueueMessagesList/>', "cannot be read"),
        (b'<?xml version="1.0" encoding="big5"?><QueueMessagesList/>', "cannot be read"),
        (b"<html><body>Sign in</body></html>", "no list of messages"),
        (f"{BOMB}{LIST.format('&b;')}".encode(), "document type"),
        (f"{BOMB}{LIST.format('&b;')}".encode("utf-16"), "document type"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><QueueMessagesList/>', "document type"),
        (LIST.format(" " * 1024 * 1024).encode(), "too large"),
    ],
    ids=["empty", "cut", "json", "utf-7", "big5", "html", "bomb", "bomb-utf-16", "external", "large"],
)
def test_a_look_whose_answer_cannot_be_believed_is_a_fault_of_storage(
    serve: Serve, body: bytes, why: str
) -> None:
    with pytest.raises(StorageError, match=f"peek into work.*{why}"):
        at(serve(Storage(Response(200, body, "application/xml"))).url).is_full()


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_a_look_whose_answer_breaks_off_is_a_fault_of_storage(play: Play, reset: bool) -> None:
    def broken_off(connection: Connection) -> None:
        connection.read_request()
        connection.send(reply(200, b"<QueueMessagesList>", {"Content-Length": "100"}))
        if reset:
            connection.reset()

    with pytest.raises(StorageError, match="peek into work"):
        at(play(broken_off).url).is_full()


def test_looks_share_one_connection(serve: Serve) -> None:
    used: set[threading.Thread] = set()
    body = LIST.format(ONE * 3).encode()

    class Counting(Storage):
        def __call__(self, asked: Request) -> Response:
            used.add(threading.current_thread())
            return super().__call__(asked)

    work = at(serve(Counting(Response(200, body, "application/xml"))).url)

    assert [work.is_full(n) for n in (1, 3, 4)] == [True, True, False]
    assert len(used) == 1
