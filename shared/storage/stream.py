"""A blob as a stream that is pinned to one version and can be read again."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

import requests
from azure.core.exceptions import AzureError
from azure.core.rest import HttpResponse

from shared.errors import ConditionFailedError, SourceFailedError, StorageError

CHUNK = 256 * 1024
"""Bytes per piece of a stream: flat in speed from 64 KiB up, so small enough to cost no memory."""

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
    ) -> HttpResponse:
        """One request; 2xx and 404 come back, everything else is a StorageError."""


class BlobStream:
    """A blob opened for reading. The first use of `read` continues the open response; every later one
    opens again, and all are pinned to the ETag that was seen first.

    `head` holds the first bytes (at most CHUNK); `md5` is lower-case hex, "" when storage has none.
    """

    def __init__(self, send: Send, container: str, name: str, response: HttpResponse) -> None:
        self._send = send
        self._container = container
        self.name = name
        self.etag = response.headers["ETag"]
        self.size = int(response.headers.get("Content-Length", 0))
        self.last_modified = http_date(response.headers)
        self.md5 = _md5(response.headers)
        self._response: HttpResponse | None = response
        self._rest = response.iter_raw()
        self.head = self._first()

    def _first(self) -> bytes:
        try:
            return bytes(next(self._rest, b""))
        except (AzureError, requests.RequestException, OSError) as error:
            raise StorageError(f"{self.name} could not be read ({type(error).__name__})") from None

    def read(self) -> Iterator[bytes]:
        """Yield the whole content. A connection that breaks is resumed where it broke, on the same ETag.

        Raises SourceFailedError when the blob cannot be read to its end or was replaced meanwhile.
        """
        at = 0
        pieces: Iterator[bytes]
        if self._response is not None:
            pieces, response, self._response = self._continued(), self._response, None
        else:
            pieces, response = iter(()), None
        try:
            for _ in range(_RESUMES + 1):
                try:
                    for piece in pieces:
                        at += len(piece)
                        yield piece
                except (AzureError, requests.RequestException, OSError):
                    pass  # counted below: too short is resumed, whatever the reason
                if at >= self.size:
                    return
                if response is not None:
                    response.close()
                response = self._reopen(at)
                pieces = response.iter_raw()
            raise SourceFailedError(f"{self.name} could not be read to its end")
        finally:
            if response is not None:
                response.close()

    def _continued(self) -> Iterator[bytes]:
        yield self.head
        yield from self._rest

    def _reopen(self, at: int) -> HttpResponse:
        headers = {"If-Match": self.etag}
        if at:
            headers["x-ms-range"] = f"bytes={at}-"
        try:
            response = self._send("GET", self._container, self.name, headers=headers, stream=True)
        except ConditionFailedError as error:
            raise SourceFailedError(f"{self.name} was replaced while it was being sent") from error
        except StorageError as error:
            raise SourceFailedError(f"{self.name} cannot be read: {error}") from error
        if response.status_code == 404:
            raise SourceFailedError(f"{self.name} was deleted while it was being sent")
        return response

    def close(self) -> None:
        """Give the connection back when the content is not wanted after all."""
        if self._response is not None:
            self._response.close()
            self._response = None


def http_date(headers: Mapping[str, str]) -> datetime:
    """Last-Modified of a blob's answer; storage tells it to the second."""
    return parsedate_to_datetime(headers["Last-Modified"])


def _md5(headers: Mapping[str, str]) -> str:
    return base64.b64decode(headers.get("Content-MD5", "")).hex()
