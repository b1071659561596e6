"""Blob triggers, queue-backed as in Azure: an event becomes a message, a message an invocation.

Messages of all blob functions share one queue in the host's account; after poisonBlobThreshold failures a
message goes to `webjobs-blobtrigger-poison` in the trigger's account. A blob that is gone is dropped; so
is, for a scanned container, one whose ETag has changed, because the scan finds the new one.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-storage-blob-trigger#poison-blobs
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobProperties
from azure.storage.queue import QueueMessage

from local.host import protos
from local.host.blob_events import BlobMessage, EventError, bind, message_of
from local.host.config import QueueOptions
from local.host.functions import BlobTrigger, Function
from local.host.invoker import Invoker, Running
from local.host.listener import QueueListener, create, send
from local.host.polling import Bells
from local.host.storage import HOST_CONNECTION, Accounts

log = logging.getLogger("host")

POISON_QUEUE = "webjobs-blobtrigger-poison"


class BlobFunctions:
    """All blob functions of the app; HostError when a connection is not set."""

    def __init__(
        self,
        functions: Mapping[str, tuple[Function, BlobTrigger]],
        accounts: Accounts,
        invoker: Invoker,
        options: QueueOptions,
        host_id: str,
        lease: int,
        bells: Bells,
    ) -> None:
        self._functions = functions
        self._invoker = invoker
        self._services = {f.name: accounts.blobs(t.connection) for f, t in functions.values()}
        self._queue = accounts.queue(HOST_CONNECTION, f"azure-webjobs-blobtrigger-{host_id}")
        poison = accounts.queue(next(iter(functions.values()))[1].connection, POISON_QUEUE)
        self._bells = bells
        self._listener = QueueListener(self._queue, poison, self._work, options, lease, bells)

    def start(self) -> None:
        """Create the queue and listen."""
        create(self._queue)
        self._listener.start()

    def stop(self) -> None:
        """Take no more messages."""
        self._listener.stop()

    def notify(self, function: str, events: Iterable[Mapping[str, Any]]) -> None:
        """Enqueue one message for each event; EventError when one is malformed, before any is enqueued."""
        for message in [message_of(function, event) for event in events]:
            self.enqueue(message)

    def enqueue(self, message: BlobMessage) -> None:
        """Put a message on the queue and wake this host's listener."""
        send(self._queue, message.encode())
        self._bells.ring(self._queue.queue_name)

    def run(self, function: str, path: str) -> Running | None:
        """Run a function for `container/blob` now, without the queue; None when there is no such blob."""
        container, _, name = path.partition("/")
        return self._begin(
            BlobMessage(function, container, name, ""), "This function was programmatically called"
        )

    def _work(self, queued: QueueMessage) -> Running | None:
        try:
            message = BlobMessage.decode(queued.content)
        except EventError as error:
            log.warning("dropped a message: %s", error)
            return None
        if message.function not in self._functions:
            log.warning("dropped a message for function %s, which is not in this app", message.function)
            return None
        return self._begin(message, f"New blob detected, delivery {queued.dequeue_count}")

    def _begin(self, message: BlobMessage, reason: str) -> Running | None:
        function, trigger = self._functions[message.function]
        client = self._services[function.name].get_blob_client(message.container, message.name)
        try:
            properties = client.get_blob_properties()
        except ResourceNotFoundError:
            log.info("%s: blob %s is gone, nothing to do", function.name, message.name)
            return None
        if trigger.scanned and message.etag and properties.etag.strip('"') != message.etag:
            log.info("%s: blob %s has changed, the scan will find it", function.name, message.name)
            return None
        data = _sdk_data(trigger, message) if trigger.sdk_type else _bytes(client)
        path = f"{message.container}/{message.name}"
        return self._invoker.start(
            function, data, _metadata(trigger, path, client, properties), f"{reason}: {path}"
        )


def _sdk_data(trigger: BlobTrigger, message: BlobMessage) -> protos.TypedData:
    content = {
        "Connection": trigger.connection,
        "ContainerName": message.container,
        "BlobName": message.name,
    }
    return protos.TypedData(
        model_binding_data=protos.ModelBindingData(
            version="1.0",
            source="AzureStorageBlobs",
            content_type="application/json",
            content=json.dumps(content).encode(),
        )
    )


def _bytes(client: BlobClient) -> protos.TypedData:
    return protos.TypedData(bytes=client.download_blob().readall())


def _metadata(
    trigger: BlobTrigger, path: str, client: BlobClient, properties: BlobProperties
) -> dict[str, protos.TypedData]:
    shown = {
        "ContentLength": properties.size,
        "ContentType": properties.content_settings.content_type,
        "ETag": properties.etag,
        "LastModified": properties.last_modified.isoformat(),
        "BlobType": "Block",
    }
    metadata = {
        "BlobTrigger": protos.TypedData(string=path),
        "Uri": protos.TypedData(json=json.dumps(client.url)),
        "Properties": protos.TypedData(json=json.dumps(shown)),
        "Metadata": protos.TypedData(json=json.dumps(properties.metadata or {})),
    }
    bound = bind(trigger.path, path) or {}
    return metadata | {name: protos.TypedData(string=value) for name, value in bound.items()}
