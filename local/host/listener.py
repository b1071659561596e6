"""Takes messages from a storage queue as the WebJobs SDK does.

1. A message is hidden for the length of the lease while it is worked on, and the lease is renewed at half
   time. A host that is killed stops renewing, so its messages come back, to any host.
2. Done: deleted. Failed: visible again, at once or after a pause. Failed for the last time, or dequeued
   more often than allowed because hosts died over it: copied to the poison queue, then deleted.
3. Several messages are worked on at once.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-storage-queue-trigger#poison-messages
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage

from local.host.invoker import Running

log = logging.getLogger("host")

_FASTEST, _SLOWEST, _AFTER_ERROR = 0.05, 0.5, 1.0

Work = Callable[[QueueMessage], Running | None]
"""Starts the invocation for a message; None means that there is nothing to do and the message may go."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Lease and pause after a failure in seconds, deliveries before a message is poison, messages at once."""

    lease: int
    max_dequeue: int
    slots: int
    retry_after: int = 0


class QueueListener:
    """Listens on one queue in the background."""

    def __init__(self, queue: QueueClient, poison: QueueClient, work: Work, terms: Terms) -> None:
        self._queue = queue
        self._poison = poison
        self._work = work
        self._terms = terms
        self._pool = ThreadPoolExecutor(terms.slots, thread_name_prefix=f"queue-{queue.queue_name}")
        self._free = threading.Semaphore(terms.slots)
        self._bell = threading.Event()
        self._stopped = threading.Event()
        self._faulty = False

    def start(self) -> None:
        """Begin to listen."""
        threading.Thread(target=self._listen, name=f"listen-{self._queue.queue_name}", daemon=True).start()

    def ring(self) -> None:
        """Look at once: this process has just enqueued something."""
        self._bell.set()

    def stop(self) -> None:
        """Take no more messages; what is under way goes on."""
        self._stopped.set()
        self._bell.set()

    def _listen(self) -> None:
        pause = _FASTEST
        while not self._stopped.is_set():
            self._bell.clear()
            taken = self._take()
            if taken is None:
                self._stopped.wait(_AFTER_ERROR)
            elif taken or self._bell.wait(pause):
                pause = _FASTEST
            else:
                pause = min(pause * 2, _SLOWEST)

    def _take(self) -> int | None:
        """Receive a message for each free slot; their number, or None when the queue cannot be read."""
        slots = self._claim_slots()
        messages: list[QueueMessage] = []
        try:
            pages = self._queue.receive_messages(
                messages_per_page=slots, visibility_timeout=self._terms.lease
            ).by_page()
            messages = list(next(pages, []))
            self._faulty = False
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            self._complain(error)
            return None
        finally:
            for _ in range(slots - len(messages)):
                self._free.release()
        for message in messages:
            self._pool.submit(self._process, message)
        return len(messages)

    def _claim_slots(self) -> int:
        self._free.acquire()
        slots = 1
        while slots < 16 and self._free.acquire(blocking=False):
            slots += 1
        return slots

    def _process(self, message: QueueMessage) -> None:
        try:
            self._settle(message, self._attempt(message))
        except AzureError as error:
            # not ours any more (the lease ran out) or storage is gone: the message comes back by itself
            log.warning("queue %s: message %s: %s", self._queue.queue_name, message.id, _brief(error))
        except Exception:
            log.exception("queue %s: message %s", self._queue.queue_name, message.id)
        finally:
            self._free.release()
            self._bell.set()

    def _attempt(self, message: QueueMessage) -> bool:
        if (message.dequeue_count or 0) > self._terms.max_dequeue:
            return False
        running = self._work(message)
        if running is None:
            return True
        outcome = None
        while outcome is None:
            outcome = running.outcome(self._terms.lease / 2)
            if outcome is None:
                self._extend(message, self._terms.lease)
        running.report(outcome)
        return outcome.ok

    def _settle(self, message: QueueMessage, done: bool) -> None:
        if done:
            self._queue.delete_message(message)
        elif (message.dequeue_count or 0) >= self._terms.max_dequeue:
            log.error(
                "Message has reached MaxDequeueCount of %d. Moving message to queue '%s'.",
                self._terms.max_dequeue,
                self._poison.queue_name,
            )
            send(self._poison, message.content)
            self._queue.delete_message(message)
        else:
            self._extend(message, self._terms.retry_after)

    def _extend(self, message: QueueMessage, seconds: int) -> None:
        changed = self._queue.update_message(message.id, message.pop_receipt, visibility_timeout=seconds)
        message.pop_receipt = changed.pop_receipt

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
