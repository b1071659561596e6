"""The host's blob and timer triggers on a real Azurite, with event feeders and killed hosts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from local.azurite.launcher import Azurite
from local.events import EventFeeder, Faults, webhook
from local.fault_proxy import Proxy
from local.fault_rules import Seen
from tests.local.hosts import PATIENCE, RunningHost, eventually, running_host


@pytest.fixture(scope="module")
def blobs(azurite: Azurite) -> BlobServiceClient:
    service = BlobServiceClient.from_connection_string(azurite.connection_string)
    for name in ("incoming", "scanned"):
        service.create_container(name)
    return service


@pytest.fixture(scope="module")
def host(
    azurite: Azurite, blobs: BlobServiceClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningHost]:
    folder = tmp_path_factory.mktemp("triggers")
    with running_host(
        azurite, folder, "--host-id", "triggers", "--scan-interval", "0.2", TICK_SCHEDULE="* * * * * *"
    ) as running:
        yield running


def event(azurite: Azurite, name: str) -> dict[str, Any]:
    url = f"{azurite.blob_endpoint}/incoming/{name}"
    return {"eventType": "Microsoft.Storage.BlobCreated", "data": {"url": url, "eTag": "0x1"}}


def notify(host: RunningHost, *events: dict[str, Any]) -> int:
    url = webhook("", "on_blob", host.ready["systemKey"])
    return host.call("POST", url, json=list(events), headers={"aeg-event-type": "Notification"}).status_code


@contextmanager
def feeding(azurite: Azurite, hosts: list[RunningHost], faults: Faults) -> Iterator[None]:
    targets = [webhook(host.url, "on_blob", host.ready["systemKey"]) for host in hosts]
    feeder = EventFeeder(azurite.connection_string, "incoming", targets, faults, poll=0.05)
    feeder.skip_existing()
    stop = threading.Event()
    thread = threading.Thread(target=feeder.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_the_handshake_of_event_grid(host: RunningHost) -> None:
    answer = host.call(
        "POST",
        webhook("", "on_blob", host.ready["systemKey"]),
        json=[{"data": {"validationCode": "v-1"}}],
        headers={"aeg-event-type": "SubscriptionValidation"},
    )

    assert answer.status_code == 200
    assert answer.json() == {"validationResponse": "v-1"}


@pytest.mark.parametrize(
    ("function", "key", "body", "status"),
    [
        ("on_blob", "key", [], 401),
        ("nothing", "systemKey", [], 404),
        ("on_blob", "systemKey", [{"data": {}}], 400),
        ("on_blob", "systemKey", ["text"], 400),
        ("on_blob", "systemKey", [], 202),
    ],
)
def test_what_the_webhook_refuses(
    host: RunningHost, function: str, key: str, body: object, status: int
) -> None:
    url = webhook("", function, host.ready[key])

    answer = host.call("POST", url, json=body, headers={"aeg-event-type": "Notification"})

    assert answer.status_code == status


def test_an_event_hands_container_and_name_to_the_function(
    azurite: Azurite, blobs: BlobServiceClient, host: RunningHost
) -> None:
    name = "a folder/ünï #1.pdf"
    blobs.get_blob_client("incoming", name).upload_blob(b"x")
    url = blobs.get_blob_client("incoming", name).url

    assert notify(host, {"data": {"url": url, "eTag": "0x1"}}) == 202

    eventually(lambda: host.notes(function="on_blob", container="incoming", name=name))


def test_every_duplicate_runs_the_function_again(
    azurite: Azurite, blobs: BlobServiceClient, host: RunningHost
) -> None:
    with feeding(azurite, [host], Faults(duplicates=2, delay=0.2, seed=7)):
        blobs.get_blob_client("incoming", "thrice.pdf").upload_blob(b"x")

        eventually(lambda: len(host.notes(done="thrice.pdf")) == 3)


def test_a_lost_event_runs_nothing(azurite: Azurite, blobs: BlobServiceClient, host: RunningHost) -> None:
    with feeding(azurite, [host], Faults(lose=1.0)):
        blobs.get_blob_client("incoming", "lost.pdf").upload_blob(b"x")
        with feeding(azurite, [host], Faults()):
            blobs.get_blob_client("incoming", "told.pdf").upload_blob(b"x")

            eventually(lambda: host.notes(done="told.pdf"))

    assert host.notes(name="lost.pdf") == []


def test_a_blob_that_is_gone_is_dropped(
    azurite: Azurite, blobs: BlobServiceClient, host: RunningHost
) -> None:
    blobs.get_blob_client("incoming", "here.pdf").upload_blob(b"x")

    notify(host, event(azurite, "never-was.pdf"), event(azurite, "here.pdf"))

    eventually(lambda: host.notes(done="here.pdf"))
    assert host.notes(name="never-was.pdf") == []
    queue = QueueClient.from_connection_string(
        azurite.connection_string, "azure-webjobs-blobtrigger-triggers"
    )
    eventually(lambda: queue.get_queue_properties().approximate_message_count == 0)


def test_a_blob_that_always_fails_goes_to_the_poison_queue_after_five(
    azurite: Azurite, blobs: BlobServiceClient, host: RunningHost
) -> None:
    blobs.get_blob_client("incoming", "bad.pdf").upload_blob(b"x")

    notify(host, event(azurite, "bad.pdf"))

    (poison,) = eventually(lambda: host.notes(function="on_poison"))
    assert len(host.notes(function="on_blob", name="bad.pdf")) == 5
    assert poison["body"]["FunctionId"] == "Host.Functions.on_blob"
    assert poison["body"]["ContainerName"] == "incoming"
    assert poison["body"]["BlobName"] == "bad.pdf"
    assert poison["count"] == 1


def test_a_blob_run_by_hand(azurite: Azurite, blobs: BlobServiceClient, host: RunningHost) -> None:
    blobs.get_blob_client("incoming", "by-hand.pdf").upload_blob(b"x")
    path, body = "/admin/functions/on_blob", {"input": "incoming/by-hand.pdf"}

    assert host.call("POST", path, "key", json=body).status_code == 401
    assert host.call("POST", path, "masterKey", json=body).status_code == 202
    assert host.call("POST", path, "masterKey", json={"input": "incoming/none"}).status_code == 400
    assert host.call("POST", "/admin/functions/none", "masterKey", json=body).status_code == 404

    eventually(lambda: host.notes(done="by-hand.pdf"))


def test_a_killed_host_leaves_its_message_to_another(
    azurite: Azurite, blobs: BlobServiceClient, tmp_path: Path
) -> None:
    options = ("--host-id", "killed", "--lease", "1")
    blobs.get_blob_client("incoming", "stuck.pdf").upload_blob(b"x")

    with running_host(azurite, tmp_path, *options, SAMPLE_STUCK="600") as first:
        notify(first, event(azurite, "stuck.pdf"))
        eventually(lambda: first.notes(name="stuck.pdf", pid=first.child.pid))
        first.child.kill()
        assert first.notes(done="stuck.pdf") == []

        with running_host(azurite, tmp_path, *options) as second:
            (done,) = eventually(lambda: second.notes(done="stuck.pdf"))

    assert done["pid"] == second.child.pid
    assert len(second.notes(function="on_blob", name="stuck.pdf")) == 2


def test_a_long_run_keeps_its_message_from_other_hosts(
    azurite: Azurite, blobs: BlobServiceClient, tmp_path: Path
) -> None:
    options = ("--host-id", "long", "--lease", "1")
    blobs.get_blob_client("incoming", "stuck-for-long.pdf").upload_blob(b"x")

    with (
        running_host(azurite, tmp_path, *options, SAMPLE_STUCK="2.5") as first,
        running_host(azurite, tmp_path, *options, SAMPLE_STUCK="2.5"),
    ):
        notify(first, event(azurite, "stuck-for-long.pdf"))
        eventually(lambda: first.notes(done="stuck-for-long.pdf"))

    assert len(first.notes(function="on_blob", name="stuck-for-long.pdf")) == 1


def test_a_scanned_container_runs_once_for_each_version(
    azurite: Azurite, blobs: BlobServiceClient, host: RunningHost, tmp_path: Path
) -> None:
    blobs.get_blob_client("scanned", "f/not-for-us.pdf").upload_blob(b"x")
    blob = blobs.get_blob_client("scanned", "f/note.txt")
    blob.upload_blob(b"first")
    eventually(lambda: host.notes(function="on_scan", name="scanned/f/note.txt", text="first"))

    with running_host(azurite, tmp_path, "--host-id", "triggers", "--scan-interval", "0.2") as second:
        blob.upload_blob(b"second", overwrite=True)
        eventually(lambda: [*host.notes(text="second"), *second.notes(text="second")])
        blobs.get_blob_client("scanned", "f/end.txt").upload_blob(b"end")
        eventually(lambda: [*host.notes(text="end"), *second.notes(text="end")])

    scanned = host.notes(function="on_scan") + second.notes(function="on_scan")
    assert sorted((note["text"], note["size"]) for note in scanned) == [
        ("end", 3),
        ("first", 5),
        ("second", 6),
    ]


def test_a_host_that_gets_its_lease_late_does_not_run_a_version_again(
    azurite: Azurite, blobs: BlobServiceClient, tmp_path: Path
) -> None:
    options = ("--host-id", "late", "--scan-interval", "0.2")
    waits, goes_on = threading.Event(), threading.Event()

    def hold(seen: Seen) -> None:
        if seen.query.get("comp") == "lease" and seen.name.endswith("late/note.txt"):
            waits.set()
            goes_on.wait(PATIENCE)

    blobs.get_blob_client("scanned", "late/note.txt").upload_blob(b"late")
    with Proxy(azurite.blob_endpoint, hold) as line:
        through = line.connection_string(azurite.connection_string)
        with running_host(azurite, tmp_path, *options, AzureWebJobsStorage=through) as late:
            assert waits.wait(PATIENCE)
            with running_host(azurite, tmp_path, *options) as other:
                eventually(lambda: other.notes(text="late"))
            goes_on.set()
            blobs.get_blob_client("scanned", "late/end.txt").upload_blob(b"end of late")
            eventually(lambda: late.notes(text="end of late"))

    assert len(late.notes(text="late")) == 1


def test_a_timer_runs_at_the_start_on_schedule_and_by_hand(host: RunningHost) -> None:
    eventually(lambda: len(host.notes(function="tick")) >= 3)

    assert host.call("POST", "/admin/functions/tick", "masterKey", json={}).status_code == 202
