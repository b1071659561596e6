"""Queue triggers: base64 messages, maxDequeueCount deliveries, then `<queue>-poison`.

https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-storage-queue-trigger
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from azure.storage.queue import QueueMessage

from local.host import protos
from local.host.config import HostConfig
from local.host.functions import Function, QueueTrigger
from local.host.invoker import Invoker, Running
from local.host.listener import QueueListener, Terms
from local.host.storage import Accounts


class QueueFunction:
    """One queue function; HostError when its connection is not set."""

    def __init__(
        self,
        function: Function,
        trigger: QueueTrigger,
        accounts: Accounts,
        invoker: Invoker,
        config: HostConfig,
        lease: int,
    ) -> None:
        self._function = function
        self._invoker = invoker
        queue = accounts.queue(trigger.connection, trigger.queue)
        poison = accounts.queue(trigger.connection, f"{trigger.queue}-poison")
        terms = Terms(lease, config.queue_max_dequeue, config.queue_batch, config.queue_retry_after)
        self._listener = QueueListener(queue, poison, self._work, terms)

    def start(self) -> None:
        """Listen; a queue that does not exist yet is waited for."""
        self._listener.start()

    def stop(self) -> None:
        """Take no more messages."""
        self._listener.stop()

    def run(self, text: str) -> Running:
        """Run the function now with a message of this text."""
        return self._invoker.start(self._function, protos.TypedData(string=text), {}, "called by hand")

    def _work(self, message: QueueMessage) -> Running:
        try:
            body = base64.b64decode(message.content, validate=True)
        except (binascii.Error, ValueError):
            body = message.content.encode()
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
        metadata |= {name: _time(moment) for name, moment in times.items() if moment}
        reason = f"New queue message detected, delivery {message.dequeue_count}"
        return self._invoker.start(self._function, _payload(body), metadata, reason)


def _payload(body: bytes) -> protos.TypedData:
    try:
        return protos.TypedData(string=body.decode())
    except UnicodeDecodeError:
        return protos.TypedData(bytes=body)


def _time(moment: datetime) -> protos.TypedData:
    return protos.TypedData(json=f'"{moment:%Y-%m-%dT%H:%M:%S}+00:00"')
