"""Signed requests to one storage account over pooled connections.

urllib3 pools, retries and really streams; azure's own policies sign. A request costs half the CPU of the same
one through azure-core's pipeline, and `BlobClient.download_blob` of the storage SDK does not stream: it reads
its first 32 MiB into memory before it returns (docs/performance.md).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

import urllib3
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest
from urllib3.response import BaseHTTPResponse

from shared.connections import connections

API_VERSION = "2023-11-03"
"""A fixed service version, so that neither an SDK update nor an emulator changes what is spoken.
https://learn.microsoft.com/en-us/rest/api/storageservices/versioning-for-the-azure-storage-services"""

_POOL = 64
_TIMEOUT = urllib3.Timeout(connect=5, read=15)
_RETRIES = urllib3.Retry(
    total=4,
    read=3,  # each may have waited for its answer until the timeout
    status_forcelist=(408, 429, 500, 502, 503, 504),
    allowed_methods=None,  # writes too: their conditions tell whether an earlier try came through
    backoff_factor=0.4,
    backoff_max=5,
    retry_after_max=5,
    raise_on_status=False,
)


class Signer(Protocol):
    """One of azure's authentication policies: shared key, shared access signature or bearer token. A 401 does
    not make the last one ask for another token; storage sends managed identities no such challenge."""

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        """Add to URL or headers what proves who asks."""


class Transport:
    """Sends requests to one storage account. Safe to use from many threads."""

    def __init__(self, endpoint: str, signer: Signer) -> None:
        self._endpoint = endpoint
        self._signer = signer
        self._pool = connections(endpoint, _POOL, timeout=_TIMEOUT, retries=_RETRIES)

    def send(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | None, *, stream: bool
    ) -> BaseHTTPResponse:
        """Send a request, again where that may help, and return the answer, whatever its status. With
        `stream` the body is left to be read.

        Raises urllib3's HTTPError, AzureError (there is no token), OSError.
        """
        # dated here and not in every try: storage takes a signature for 15 minutes
        stamped = {
            "x-ms-version": API_VERSION,
            "x-ms-date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            **headers,
        }
        request = HttpRequest(method, f"{self._endpoint}/{path}", headers=stamped, content=content)
        self._signer.on_request(PipelineRequest(request, PipelineContext(None)))
        return self._pool.urlopen(
            method,
            request.url,
            body=content,
            headers=request.headers,
            redirect=False,
            preload_content=not stream,
            decode_content=False,
        )


def _without_query(record: logging.LogRecord) -> bool:
    """Keep a shared access signature out of the URLs that urllib3 logs, at WARNING what it tries again."""
    if isinstance(record.args, tuple):
        record.args = tuple(a.partition("?")[0] if isinstance(a, str) else a for a in record.args)
    return True


for _logger in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
    logging.getLogger(_logger).addFilter(_without_query)
