"""A blob as a stream that is pinned to one version and can be read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Protocol

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from shared.core.errors import ConditionFailedError, SourceFailedError, StorageError
from shared.storage import headers as response_headers

CHUNK = 512 * 1024
"""Bytes per piece of a stream: half as many cost 15 % of the speed (docs/performance.md)."""

HEAD = 4 * 1024
"""Bytes that are read when a blob is opened that is larger than a piece: what says that it is a PDF."""

_RESUMES = 3


class Send(Protocol):
    """How a stream asks for its blob again: `BlobStore.send`."""

    def __call__(
        self,
        method: str,
        container: str,
        name: str,
        *,
        headers: Mapping[str, str] | None = None,
        stream: bool,
    ) -> BaseHTTPResponse:
        """One request; 2xx and 404 come back, everything else is a StorageError."""


class BlobStream:
    """A blob opened for reading. The first use of `read` continues the open response; every later one
    opens again, and all are pinned to the ETag that was seen first.

    `head` holds all of a blob of at most CHUNK bytes, else its first HEAD bytes; `md5` is lower-case hex, ""
    when storage has none. Making one raises StorageError when the answer cannot be read.
    """

    def __init__(self, send: Send, container: str, name: str, response: BaseHTTPResponse) -> None:
        self._send = send
        self._container = container
        self.name = name
        self._response: BaseHTTPResponse | None = response
        what, headers = f"GET {container}/{name}", response.headers
        try:
            self.etag, self.size = response_headers.etag(headers, what), response_headers.size(headers, what)
            self.last_modified = response_headers.last_modified(headers, what)
            self.md5 = response_headers.md5(headers, what)
            self.head = response.read(CHUNK if self.size <= CHUNK else HEAD)
        except (HTTPError, OSError) as error:
            response.close()
            raise StorageError(f"{self.name} could not be read ({type(error).__name__})") from None
        except StorageError:
            response.close()
            raise

    def read(self) -> Iterator[bytes]:
        """Yield the whole content. A connection that breaks is resumed where it broke, on the same ETag.

        Raises SourceFailedError when the blob cannot be read to its end or was replaced meanwhile.
        """
        # the open response serves one reader; whoever reads again, as a retry does, opens anew from byte 0
        at, response, self._response = 0, self._response, None
        try:
            if response is not None:
                yield self.head
                at = len(self.head)
            for _ in range(_RESUMES + 1):
                if response is None:
                    response = self._reopen(at)
                with suppress(HTTPError, OSError):  # too short is resumed, whatever the reason
                    while piece := response.read(CHUNK):
                        at += len(piece)
                        yield piece
                if at >= self.size:
                    return
                response.close()
                response = None
            raise SourceFailedError(f"{self.name} could not be read to its end")
        finally:
            if response is not None:
                response.close()

    def _reopen(self, at: int) -> BaseHTTPResponse:
        headers = {"If-Match": self.etag}
        if at:
            headers["x-ms-range"] = f"bytes={at}-"
        try:
            response = self._send("GET", self._container, self.name, headers=headers, stream=True)
        except ConditionFailedError as error:
            raise SourceFailedError(f"{self.name} was replaced while it was being sent") from error
        except StorageError as error:
            raise SourceFailedError(f"{self.name} cannot be read: {error}") from error
        if response.status == 404:
            raise SourceFailedError(f"{self.name} was deleted while it was being sent")
        return response

    def close(self) -> None:
        """Give the connection back when the content is not wanted after all."""
        if self._response is not None:
            if self.size <= CHUNK:
                self._response.drain_conn()  # cheaper than a new connection
            self._response.close()
            self._response = None
