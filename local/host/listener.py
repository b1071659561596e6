"""Takes messages from a storage queue as the WebJobs SDK does.

1. A message is hidden for the length of the lease while it is worked on, and the lease is renewed at half
   time. A host that is killed stops renewing, so its messages come back, to any host.
2. Done: deleted. Failed: visible again, at once or after a pause. Failed for the last time, dequeued more
   often than allowed because hosts died over it, or in another encoding: copied to the poison queue, then
   deleted. A queue without a poison queue keeps the message, hidden for what is left of the lease; after the
   last delivery it is not worked on any more.
3. Several messages are worked on at once: the next batch is asked for when few enough are under way. While
   there are none, the looks become rarer.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-storage-queue-trigger#poison-messages
https://github.com/Azure/azure-sdk-for-net/tree/main/sdk/storage/Microsoft.Azure.WebJobs.Extensions.Storage.Common/src/Shared/Queues
(QueueListener.cs, QueueProcessor.cs)
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage

from local.host.config import QueueOptions
from local.host.invoker import Running
from local.host.polling import Backoff, Bells

log = logging.getLogger("host")

Work = Callable[[QueueMessage], Running | None]
"""Starts the invocation for a message; None means that there is nothing to do and the message may go.
UnreadableError: no delivery of it can ever be worked on."""


class UnreadableError(Exception):
    """A message is not in the encoding of host.json."""


class QueueListener:
    """Listens on one queue in the background. Without `poison` there is none; `lease` in seconds."""

    def __init__(
        self,
        queue: QueueClient,
        poison: QueueClient | None,
        work: Work,
        options: QueueOptions,
        lease: int,
        bells: Bells,
    ) -> None:
        self._queue = queue
        self._poison = poison
        self._work = work
        self._options = options
        self._lease = lease
        self._bells = bells
        self._bell = bells.hang(queue.queue_name)
        most = options.batch_size + options.new_batch_threshold
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=f"queue-{queue.queue_name}")
        self._under_way = 0
        self._fewer = threading.Condition()
        self._stopped = threading.Event()
        self._faulty = False

    def start(self) -> None:
        """Begin to listen."""
        threading.Thread(target=self._listen, name=f"listen-{self._queue.queue_name}", daemon=True).start()

    def stop(self) -> None:
        """Take no more messages; what is under way goes on."""
        self._stopped.set()
        self._bell.set()
        with self._fewer:
            self._fewer.notify_all()

    def _listen(self) -> None:
        backoff = Backoff(self._options.max_polling_interval)
        found = False
        while True:
            self._bell.clear()
            if self._stopped.is_set():
                return
            if self._take():
                found = True
                self._wait_for_threshold()
            else:
                self._bell.wait(backoff.pause(found))
                found = False

    def _take(self) -> int:
        """Receive a batch and begin with it; the number of its messages."""
        messages: list[QueueMessage] = []
        try:
            pages = self._queue.receive_messages(
                messages_per_page=self._options.batch_size, visibility_timeout=self._lease
            ).by_page()
            messages = list(next(pages, []))
            self._faulty = False
        except ResourceNotFoundError:
            return 0
        except AzureError as error:
            self._complain(error)
            return 0
        with self._fewer:
            self._under_way += len(messages)
        for message in messages:
            self._pool.submit(self._process, message)
        return len(messages)

    def _wait_for_threshold(self) -> None:
        with self._fewer:
            self._fewer.wait_for(
                lambda: self._stopped.is_set() or self._under_way <= self._options.new_batch_threshold
            )

    def _process(self, message: QueueMessage) -> None:
        try:
            self._handle(message)
        except AzureError as error:
            # not ours any more (the lease ran out) or storage is gone: the message comes back by itself
            log.warning("queue %s: message %s: %s", self._queue.queue_name, message.id, _brief(error))
        except Exception:
            log.exception("queue %s: message %s", self._queue.queue_name, message.id)
        finally:
            with self._fewer:
                self._under_way -= 1
                self._fewer.notify_all()

    def _handle(self, message: QueueMessage) -> None:
        deliveries = message.dequeue_count or 0
        if deliveries > self._options.max_dequeue:
            self._give_up(message)
            return
        try:
            running = self._work(message)
        except UnreadableError as error:
            log.warning("queue %s: message %s: %s", self._queue.queue_name, message.id, error)
            self._give_up(message)
            return
        if running is None or self._see_through(message, running):
            self._queue.delete_message(message)
        elif deliveries >= self._options.max_dequeue:
            self._give_up(message)
        elif self._poison is not None:
            self._hide(message, self._options.retry_after)

    def _see_through(self, message: QueueMessage, running: Running) -> bool:
        """Wait for the end and keep the message hidden until then; whether it ended well."""
        patience = self._lease / 2
        while (outcome := running.outcome(patience)) is None:
            patience = self._renew(message)
        running.report(outcome)
        return outcome.ok

    def _renew(self, message: QueueMessage) -> float:
        """Hide the message for another lease; seconds until that is due again."""
        try:
            self._hide(message, self._lease)
        except AzureError as error:
            log.warning("queue %s: message %s: %s", self._queue.queue_name, message.id, _brief(error))
            lost = isinstance(error, HttpResponseError) and error.status_code in (400, 404)
            return threading.TIMEOUT_MAX if lost else self._lease / 4
        return self._lease / 2

    def _hide(self, message: QueueMessage, seconds: int) -> None:
        changed = self._queue.update_message(message.id, message.pop_receipt, visibility_timeout=seconds)
        message.pop_receipt = changed.pop_receipt

    def _give_up(self, message: QueueMessage) -> None:
        if self._poison is None:
            return
        log.error(
            "Message has reached MaxDequeueCount of %d. Moving message to queue '%s'.",
            self._options.max_dequeue,
            self._poison.queue_name,
        )
        send(self._poison, message.content)
        self._bells.ring(self._poison.queue_name)
        self._queue.delete_message(message)

    def _complain(self, error: AzureError) -> None:
        if not self._faulty and not self._stopped.is_set():
            log.warning("queue %s cannot be read: %s", self._queue.queue_name, _brief(error))
        self._faulty = True


def send(queue: QueueClient, content: str) -> None:
    """Put a message on a queue, which is created when it is not there."""
    try:
        queue.send_message(content)
    except ResourceNotFoundError:
        create(queue)
        queue.send_message(content)


def create(queue: QueueClient) -> None:
    """Create a queue unless it exists."""
    try:
        queue.create_queue()
    except ResourceExistsError:
        return


def _brief(error: AzureError) -> str:
    return str(error.reason if isinstance(error, HttpResponseError) else error).split("\n", 1)[0]
