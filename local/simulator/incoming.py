"""The body of a request while it arrives: never more of it in memory than one chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from io import BufferedIOBase

from local.simulator.replies import Refused, Reply

CHUNK = 256 * 1024


class BrokenOffError(Exception):
    """The connection ended before the body did; nothing of it counts."""


class Incoming:
    """A body of known length. `before_first_read` asks the client to go on (100 Continue)."""

    def __init__(self, stream: BufferedIOBase, length: int, before_first_read: Callable[[], None]) -> None:
        self.length = length
        self.received = 0
        self._stream = stream
        self._before_first_read = before_first_read

    def chunks(self, limit: int | None = None) -> Iterator[bytes]:
        """Yield what is left, at most `limit` bytes of it; raises BrokenOffError."""
        end = self.length if limit is None else min(self.length, self.received + limit)
        if self.received == 0 < end:
            self._before_first_read()
        while self.received < end:
            chunk = self._stream.read1(min(CHUNK, end - self.received))
            if not chunk:
                raise BrokenOffError
            self.received += len(chunk)
            yield chunk

    def whole(self, limit: int) -> bytes:
        """Return the whole body; raises Refused (413) when it is longer than `limit`."""
        if self.length > limit:
            raise Refused(Reply(413))
        return b"".join(self.chunks())

    def drain(self, limit: int | None = None) -> None:
        """Read and forget what is left, at most `limit` bytes of it."""
        for _ in self.chunks(limit):
            pass


def content_length(method: str, headers: Mapping[str, str]) -> int:
    """Return the length that the headers (lower-case names) promise; raises Refused (400, 411).

    A body of unknown length is not read: 411, as the documents' examples all carry Content-Length.
    """
    text = headers.get("content-length")
    if "transfer-encoding" in headers or (text is None and method in ("POST", "PUT", "PATCH")):
        raise Refused(Reply(411))
    if text is not None and not (text.isascii() and text.isdigit()):
        raise Refused(Reply(400))
    return int(text or 0)
