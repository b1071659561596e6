"""One storage queue as the application uses it: messages that become visible later, and a look whether there
is too much of it. https://learn.microsoft.com/en-us/rest/api/storageservices/queue-service-rest-api"""

from __future__ import annotations

import base64
import math
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

from urllib3.exceptions import HTTPError

from shared.core.errors import StorageError
from shared.storage.account import Account

MOST_PEEKED = 32
"""Messages that storage shows at once.
https://learn.microsoft.com/en-us/rest/api/storageservices/peek-messages#uri-parameters"""

_LONGEST_DELAY = 6 * 24 * 3600
"""Seconds. Storage takes 7 days at most.
https://learn.microsoft.com/en-us/rest/api/storageservices/put-message#uri-parameters"""

_LARGEST_ANSWER = 1024 * 1024


class WorkQueue:
    """One queue of a storage account. Thread-safe; keeps its connections."""

    def __init__(self, account: Account, name: str, *, plain: bool = False, lasts: int = -1) -> None:
        """Connects to nothing yet. `plain`: messages are texts as flows read them, not in base64; `lasts`: so
        many seconds, -1 for ever. Raises NotConfiguredError when the account has no endpoint of queues."""
        self._name = name
        self._plain = plain
        self._lasts = lasts
        self._transport = account.queues()

    def put(self, text: str, delay: float = 0.0) -> None:
        """Add a message that becomes visible after `delay` seconds (rounded up, at most 6 days). The queue
        trigger reads it in base64 (host.json, `messageEncoding`). The queue is made when it is missing.

        Raises StorageUnknownError (the message may be there), StorageError (it is not). A message whose
        answer was lost is sent again, so it can be there twice.
        """
        seconds = min(_LONGEST_DELAY, max(0, math.ceil(delay)))
        path = f"{self._name}/messages?visibilitytimeout={seconds}&messagettl={self._lasts}"
        encoded = escape(text).encode() if self._plain else base64.b64encode(text.encode())
        body = b"<QueueMessage><MessageText>%s</MessageText></QueueMessage>" % encoded
        what = f"put a message into {self._name}"
        headers = {"Content-Type": "application/xml"}
        response = self._transport.send_into(self._name, "POST", path, what, headers=headers, content=body)
        if response.status == 404:
            raise StorageError(f"{what}: there is no such queue")

    def is_full(self, limit: int = MOST_PEEKED) -> bool:
        """Whether at least `limit` messages (at most 32) are visible. A queue that is missing is empty.

        Raises StorageError.
        """
        path = f"{self._name}/messages?peekonly=true&numofmessages={limit}"
        what = f"peek into {self._name}"
        response = self._transport.send("GET", path, what, stream=True)
        if response.status == 404:
            return False
        try:
            body = response.read(_LARGEST_ANSWER + 1)
        except (HTTPError, OSError) as error:
            raise StorageError(f"storage did not answer to {what} ({type(error).__name__})") from None
        finally:
            response.close()
        return _messages(body, what) >= limit


def _messages(body: bytes, what: str) -> int:
    """How many messages a list of them holds. Without a document type there are no entities to expand."""
    if len(body) > _LARGEST_ANSWER:
        raise StorageError(f"storage's answer to {what} is too large")
    found: list[str] = []

    def refuse(*_: Any) -> None:  # noqa: ANN401 - as expat has them
        raise StorageError(f"storage's answer to {what} contains a document type")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda name, _: found.append(name)
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):  # the latter of an encoding that it does not know
        raise StorageError(f"storage's answer to {what} cannot be read") from None
    if found[0] != "QueueMessagesList":
        raise StorageError(f"storage's answer to {what} is no list of messages")
    return found.count("QueueMessage")
