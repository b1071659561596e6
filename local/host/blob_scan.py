"""Source LogsAndContainerScan: finds blobs by listing the container, once for each ETag.

A receipt for each blob, function and ETag, created with If-None-Match, lets one host of many enqueue it.
The receipt is leased until the message is on the queue and marked `Completed` then; one that is neither
leased nor completed belongs to a host that died in between, or is late, and is taken over.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-storage-blob-trigger#blob-receipts
"""

from __future__ import annotations

import logging
import threading

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient

from local.host.blob_events import FUNCTION_PREFIX, BlobMessage, bind
from local.host.blob_trigger import BlobFunctions
from local.host.functions import BlobTrigger, Function

log = logging.getLogger("host")

RECEIPTS = "azure-webjobs-hosts"
_LEASE_SECONDS = 30


class ContainerScan:
    """Scans the container of one function every `interval` seconds, from the first blob on."""

    def __init__(
        self,
        function: Function,
        trigger: BlobTrigger,
        source: BlobServiceClient,
        host_store: BlobServiceClient,
        blobs: BlobFunctions,
        host_id: str,
        interval: float,
    ) -> None:
        self._function = function
        self._trigger = trigger
        self._source: ContainerClient = source.get_container_client(trigger.path.partition("/")[0])
        self._receipts: ContainerClient = host_store.get_container_client(RECEIPTS)
        self._prefix = f"blobreceipts/{host_id}/{FUNCTION_PREFIX}{function.name}"
        self._blobs = blobs
        self._interval = interval
        self._seen: set[tuple[str, str]] = set()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to scan in the background."""
        try:
            self._receipts.create_container()
        except ResourceExistsError:
            log.debug("container %s exists", RECEIPTS)
        threading.Thread(target=self._loop, name=f"scan-{self._function.name}", daemon=True).start()

    def stop(self) -> None:
        """End after the blob in hand."""
        self._stopped.set()

    def _loop(self) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = self._interval
            try:
                self._scan()
            except ResourceNotFoundError:
                log.debug("container %s does not exist yet", self._source.container_name)
            except AzureError as error:
                log.warning("scan for %s: %s", self._function.name, str(error).split("\n", 1)[0])

    def _scan(self) -> None:
        for blob in self._source.list_blobs():
            if self._stopped.is_set():
                return
            found = (blob.name, blob.etag.strip('"'))
            path = f"{self._source.container_name}/{blob.name}"
            if found in self._seen or bind(self._trigger.path, path) is None:
                continue
            if self._announce(BlobMessage(self._function.name, str(self._source.container_name), *found)):
                self._seen.add(found)

    def _announce(self, message: BlobMessage) -> bool:
        """Enqueue the blob unless somebody has; False when another host is at it."""
        receipt = self._receipts.get_blob_client(
            f'{self._prefix}/"{message.etag}"/{message.container}/{message.name}'
        )
        try:
            receipt.upload_blob(b"", overwrite=False)
        except ResourceExistsError:
            if _completed(receipt):
                return True
        try:
            lease = receipt.acquire_lease(_LEASE_SECONDS)
        except HttpResponseError:
            return False
        if not _completed(receipt):  # which another host may have done before the lease was ours
            self._blobs.enqueue(message)
            receipt.set_blob_metadata({"Completed": "true"}, lease=lease)
        lease.release()
        return True


def _completed(receipt: BlobClient) -> bool:
    """Whether the receipt says that the message is on the queue."""
    return "Completed" in (receipt.get_blob_properties().metadata or {})
