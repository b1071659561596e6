"""Queue triggers: maxDequeueCount deliveries, then `<queue>-poison`; a poison queue has none of its own.

https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-storage-queue-trigger
https://github.com/Azure/azure-sdk-for-net/blob/main/sdk/storage/Microsoft.Azure.WebJobs.Extensions.Storage.Queues/src/Listeners/QueueListenerFactory.cs
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from azure.storage.queue import QueueMessage

from local.host import protos
from local.host.config import QueueOptions
from local.host.functions import Function, QueueTrigger
from local.host.invoker import Invoker, Running
from local.host.listener import QueueListener, UnreadableError
from local.host.polling import Bells
from local.host.storage import Accounts

_POISON = "-poison"


class QueueFunction:
    """One queue function; HostError when its connection is not set."""

    def __init__(
        self,
        function: Function,
        trigger: QueueTrigger,
        accounts: Accounts,
        invoker: Invoker,
        options: QueueOptions,
        lease: int,
        bells: Bells,
    ) -> None:
        self._function = function
        self._invoker = invoker
        self._base64 = options.base64
        queue = accounts.queue(trigger.connection, trigger.queue)
        last = trigger.queue.endswith(_POISON)
        poison = None if last else accounts.queue(trigger.connection, trigger.queue + _POISON)
        self._listener = QueueListener(queue, poison, self._work, options, lease, bells)

    def start(self) -> None:
        """Listen; a queue that does not exist yet is waited for."""
        self._listener.start()

    def stop(self) -> None:
        """Take no more messages."""
        self._listener.stop()

    def run(self, text: str) -> Running:
        """Run the function now with a message of this text."""
        metadata = {"DequeueCount": protos.TypedData(string="0")}
        return self._invoker.start(self._function, protos.TypedData(string=text), metadata, "called by hand")

    def _work(self, message: QueueMessage) -> Running:
        body = _decoded(message.content) if self._base64 else message.content.encode()
        reason = f"New queue message detected, delivery {message.dequeue_count}"
        return self._invoker.start(self._function, _payload(body), _metadata(message), reason)


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableError("Message decoding has failed! Check MessageEncoding settings.") from None


def _metadata(message: QueueMessage) -> dict[str, protos.TypedData]:
    metadata = {
        "Id": protos.TypedData(string=message.id),
        "DequeueCount": protos.TypedData(string=str(message.dequeue_count)),
        "PopReceipt": protos.TypedData(string=message.pop_receipt),
    }
    times = {
        "InsertionTime": message.inserted_on,
        "ExpirationTime": message.expires_on,
        "NextVisibleTime": message.next_visible_on,
    }
    return metadata | {name: _time(moment) for name, moment in times.items() if moment}


def _payload(body: bytes) -> protos.TypedData:
    try:
        return protos.TypedData(string=body.decode())
    except UnicodeDecodeError:
        return protos.TypedData(bytes=body)


def _time(moment: datetime) -> protos.TypedData:
    return protos.TypedData(json=f'"{moment:%Y-%m-%dT%H:%M:%S}+00:00"')
