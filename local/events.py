"""Stands in for Event Grid, which Azurite lacks: posts an event for each new blob to a host,
at least once and in any order.

It polls the list of a container. A blob with an ETag not seen before makes one BlobCreated event. The feeder
posts it to the blob webhooks of the hosts in turn until one answers 202. Blobs that exist at the start count
as new, except with --skip-existing. A seed decides the faults: copies, delays that reorder, lost events.

`python -m local.events --container incoming --target URL [--target URL …]` reads DocumentStorage from the
environment.
https://learn.microsoft.com/en-us/azure/event-grid/event-schema-blob-storage
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobProperties, BlobServiceClient, ContainerClient

from local.guard import InsideAzureError, refuse_inside_azure

_TRY_AGAIN_SECONDS = 0.3
_POST_SECONDS = 10
_TOPIC = "/subscriptions/0/resourceGroups/local/providers/Microsoft.Storage/storageAccounts/local"


@dataclass(frozen=True, slots=True)
class Faults:
    """`duplicates` extra copies of each event, up to `delay` seconds late; a share `lose` of them lost."""

    duplicates: int = 0
    delay: float = 0.0
    lose: float = 0.0
    seed: int = 0


@dataclass(order=True, slots=True)
class _Delivery:
    due: float
    order: int
    event: dict[str, Any] = field(compare=False)


class EventFeeder:
    """Watches `container` and posts to `targets`, webhook URLs with their key, in turn."""

    def __init__(
        self,
        connection: str,
        container: str,
        targets: Sequence[str],
        faults: Faults = Faults(),
        poll: float = 0.3,
    ) -> None:
        service = BlobServiceClient.from_connection_string(
            connection, user_agent="local-event-feeder", retry_total=1
        )
        self._container: ContainerClient = service.get_container_client(container)
        self._targets: Iterator[str] = itertools.cycle(targets)
        self._faults = faults
        self._random = random.Random(faults.seed)
        self._poll = poll
        self._seen: dict[str, str] = {}
        self._pending: list[_Delivery] = []
        self._order = itertools.count()
        self._http = requests.Session()
        self._http.trust_env = False

    def skip_existing(self) -> None:
        """Send no events for blobs that exist now."""
        self._news()

    def run(self, stop: threading.Event) -> None:
        """Watch and deliver until `stop` is set."""
        while not stop.is_set():
            started = time.monotonic()
            self._plan(self._news())
            listing = time.monotonic() - started
            end = time.monotonic() + max(self._poll, listing)
            self._deliver(end, stop)
            stop.wait(max(0.0, end - time.monotonic()))

    def _news(self) -> list[dict[str, Any]]:
        events = []
        try:
            for blob in self._container.list_blobs():
                if self._seen.get(blob.name) != blob.etag:
                    self._seen[blob.name] = blob.etag
                    events.append(created_event(self._container.url, blob))
        except AzureError as error:
            print(f"local.events: {str(error).splitlines()[0]}", file=sys.stderr)
        return events

    def _plan(self, events: Sequence[dict[str, Any]]) -> None:
        now = time.monotonic()
        for event in events:
            for _ in range(1 + self._faults.duplicates):
                due = now + self._random.uniform(0, self._faults.delay)
                if self._random.random() >= self._faults.lose:
                    heapq.heappush(self._pending, _Delivery(due, next(self._order), event))

    def _deliver(self, end: float, stop: threading.Event) -> None:
        """Post what is due before `end`; what no host accepts is posted again a little later."""
        while self._pending and self._pending[0].due < end and not stop.is_set():
            delivery = heapq.heappop(self._pending)
            stop.wait(max(0.0, delivery.due - time.monotonic()))
            if not self._post(delivery.event):
                delivery.due = time.monotonic() + _TRY_AGAIN_SECONDS
                heapq.heappush(self._pending, delivery)

    def _post(self, event: dict[str, Any]) -> bool:
        try:
            answer = self._http.post(
                next(self._targets),
                data=json.dumps([event]),
                headers={"aeg-event-type": "Notification", "Content-Type": "application/json"},
                timeout=_POST_SECONDS,
            )
        except requests.RequestException:
            return False
        return answer.status_code == 202


def webhook(host_url: str, function: str, system_key: str) -> str:
    """The URL to which Event Grid posts for one function of one host."""
    name = quote(f"Host.Functions.{function}")
    return f"{host_url}/runtime/webhooks/blobs?functionName={name}&code={quote(system_key)}"


def created_event(container_url: str, blob: BlobProperties) -> dict[str, Any]:
    """Microsoft.Storage.BlobCreated as Event Grid sends it; its eTag has no quotes."""
    container = container_url.rsplit("/", 1)[1]
    return {
        "topic": _TOPIC,
        "subject": f"/blobServices/default/containers/{container}/blobs/{blob.name}",
        "eventType": "Microsoft.Storage.BlobCreated",
        "id": str(uuid.uuid4()),
        "eventTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "api": "PutBlob",
            "clientRequestId": str(uuid.uuid4()),
            "requestId": str(uuid.uuid4()),
            "eTag": blob.etag.strip('"'),
            "contentType": blob.content_settings.content_type,
            "contentLength": blob.size,
            "blobType": "BlockBlob",
            "url": f"{container_url}/{quote(blob.name)}",
            "sequencer": "0",
            "storageDiagnostics": {"batchId": str(uuid.uuid4())},
        },
        "dataVersion": "",
        "metadataVersion": "1",
    }


_FAULTS = (
    ("--duplicates", 0, "N", "Send each event N times more. Default: 0."),
    ("--delay", 0.0, "S", "Hold each copy back for up to S seconds. Default: 0."),
    ("--lose", 0.0, "SHARE", "Lose this share of the copies, 0 to 1. Default: 0."),
    ("--seed", 0, "N", "Delays and losses follow from this number. Default: 0."),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.events",
        description="Tell Functions hosts of new blobs, as Event Grid does, until Ctrl-C.",
    )
    parser.add_argument("--container", required=True, help="Watch this container.")
    parser.add_argument(
        "--target",
        action="append",
        required=True,
        metavar="URL",
        help="Post events to this webhook URL, which holds its key. Give one for each host.",
    )
    parser.add_argument(
        "--connection",
        default="DocumentStorage",
        metavar="NAME",
        help="Connect with the string in this environment variable. Default: DocumentStorage.",
    )
    parser.add_argument(
        "--skip-existing", action="store_true", help="Send no events for blobs that exist already."
    )
    for name, default, metavar, what in _FAULTS:
        parser.add_argument(name, type=type(default), default=default, metavar=metavar, help=what)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Feed events until SIGTERM or Ctrl-C."""
    given = _parser().parse_args(argv)
    try:
        refuse_inside_azure(os.environ)
    except InsideAzureError as error:
        print(f"local.events: {error}", file=sys.stderr)
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    faults = Faults(given.duplicates, given.delay, given.lose, given.seed)
    feeder = EventFeeder(os.environ[given.connection], given.container, given.target, faults)
    if given.skip_existing:
        feeder.skip_existing()
    print(json.dumps({"ready": True}), flush=True)
    feeder.run(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
