"""The fault proxy before Azurite's queues: what it sees, what it breaks, and that it breaks nothing else."""

from __future__ import annotations

import http.server
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError, ServiceResponseError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from local.azurite.launcher import Azurite
from local.fault_proxy import Proxy
from local.fault_rules import Fault
from tests.local.hosts import eventually, running_host


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[Proxy]:
    """Before the queues."""
    with Proxy(azurite.queue_endpoint) as running:
        yield running


@pytest.fixture
def queue(azurite: Azurite, proxy: Proxy) -> QueueClient:
    """A queue as an application reaches it through the proxy."""
    with Proxy(azurite.blob_endpoint) as blobs:
        through = blobs.connection_string(azurite.connection_string, proxy)
    client = QueueClient.from_connection_string(through, f"faults-{uuid.uuid4().hex[:8]}", retry_total=0)
    client.create_queue()
    proxy.clear()
    return client


def texts(queue: QueueClient) -> list[str]:
    return [message.content for message in queue.peek_messages(max_messages=32)]


def test_blobs_and_queues_of_one_connection_string_go_through_a_proxy_each(azurite: Azurite) -> None:
    with Proxy(azurite.blob_endpoint) as blobs, Proxy(azurite.queue_endpoint) as queues:
        through = blobs.connection_string(azurite.connection_string, queues)
        BlobServiceClient.from_connection_string(through).get_account_information()
        with pytest.raises(ResourceNotFoundError):
            QueueClient.from_connection_string(through, "nobody-made-it").send_message("x")

        assert [seen.query.get("comp") for seen in blobs.seen()] == ["properties"]
        assert [(seen.method, seen.status) for seen in queues.seen()] == [("POST", 404)]

        blobs_only = blobs.connection_string(azurite.connection_string)
        assert f"QueueEndpoint={azurite.queue_endpoint};" in blobs_only


def test_the_requests_of_a_message_can_be_told_apart(proxy: Proxy, queue: QueueClient) -> None:
    queue.send_message("m", visibility_timeout=0)
    queue.peek_messages()
    message = queue.receive_message(visibility_timeout=30)
    assert message
    message = queue.update_message(message, visibility_timeout=60)
    queue.delete_message(message)

    seen = proxy.seen()
    assert {s.container for s in seen} == {queue.queue_name}
    assert [(s.method, s.name, s.query.get("peekonly"), s.writes) for s in seen] == [
        ("POST", "messages", None, True),
        ("GET", "messages", "true", False),
        ("GET", "messages", None, False),
        ("PUT", f"messages/{message.id}", None, True),
        ("DELETE", f"messages/{message.id}", None, True),
    ]


def test_a_write_to_a_queue_is_refused_lost_or_carried_out_unseen(proxy: Proxy, queue: QueueClient) -> None:
    target = {"method": "POST", "container": queue.queue_name, "name": "messages"}
    proxy.inject(Fault("status", status=503), **target)
    proxy.inject(Fault("cut"), **target)
    proxy.inject(Fault("cut", after=True), **target)

    with pytest.raises(HttpResponseError, match=r"^Injected by the proxy"):
        queue.send_message("refused")
    for text in ("lost", "unseen"):
        with pytest.raises(ServiceResponseError):
            queue.send_message(text)
    queue.send_message("well")

    assert texts(queue) == ["unseen", "well"]
    assert [seen.fault for seen in proxy.seen() if seen.method == "POST"] == ["status", "cut", "cut", ""]


def test_a_server_that_closes_idle_connections_is_no_fault() -> None:
    class Hasty(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 0.1

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Print nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hasty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with Proxy(f"http://127.0.0.1:{server.server_port}") as proxy, requests.Session() as session:
            session.trust_env = False
            for pause in (0.3, 0.3, 0):
                assert session.get(f"{proxy.url}/x", timeout=5).status_code == 200
                time.sleep(pause)
    finally:
        server.shutdown()
        server.server_close()


def test_a_host_whose_lease_cannot_be_renewed_once_keeps_its_message(
    azurite: Azurite, proxy: Proxy, queue: QueueClient, tmp_path: Path
) -> None:
    with Proxy(azurite.blob_endpoint) as blobs:
        through = blobs.connection_string(azurite.connection_string, proxy)
        settings = {"DocumentStorage": through, "WORK_QUEUE": queue.queue_name, "SAMPLE_GATES": str(tmp_path)}
        encoding = {"AzureFunctionsJobHost__extensions__queues__messageEncoding": "none"}
        proxy.inject(Fault("status"), method="PUT", container=queue.queue_name, name="messages/*", times=2)
        queue.send_message("held")
        with running_host(azurite, tmp_path, "--lease", "4", **settings, **encoding) as host:
            eventually(lambda: [seen for seen in proxy.seen() if seen.method == "PUT" and not seen.fault])
            time.sleep(2.5)  # until the first lease is over
            (tmp_path / "held").touch()
            eventually(lambda: host.notes(done="held"))
            eventually(lambda: not queue.get_queue_properties().approximate_message_count)

    assert [seen.fault for seen in proxy.seen() if seen.method == "PUT"][:3] == ["status", "status", ""]
    assert len(host.notes(body="held")) == 1
