"""Signed requests to one storage service over pooled connections, and what their failures mean.

urllib3 pools, retries and really streams; azure's own policies sign. A request costs half the CPU of the same
one through azure-core's pipeline, and `BlobClient.download_blob` of the storage SDK does not stream: it reads
its first 32 MiB into memory before it returns (docs/performance.md).

Nothing but `shared.core.errors.StorageError` and its subclasses leaves this module, and their messages
hold no URL: a connection by shared access signature has its secret there.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, Self

import urllib3
from azure.core.exceptions import AzureError
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse

from shared.core.errors import (
    BlobArchivedError,
    BlobLeasedError,
    ConditionFailedError,
    StorageError,
    StorageForbiddenError,
    StorageUnknownError,
)
from shared.http_pool import connections

API_VERSION = "2023-11-03"
"""A fixed service version, so that neither an SDK update nor an emulator changes what is spoken.
https://learn.microsoft.com/en-us/rest/api/storageservices/versioning-for-the-azure-storage-services"""

BLOB_ROLE = "Storage Blob Data Owner"
"""Role that an identity needs on the blobs: lesser ones may not write or search index tags.
https://learn.microsoft.com/en-us/azure/role-based-access-control/built-in-roles/storage#storage-blob-data-owner"""

_POOL = 64
_TIMEOUT = urllib3.Timeout(connect=5, read=15)
_RETRIES: dict[str, Any] = {
    "total": 4,
    "read": 3,  # each may have waited for its answer until the timeout
    "status_forcelist": (408, 429, 500, 502, 503, 504),
    "allowed_methods": None,  # writes too: their conditions tell whether an earlier try came through
    "backoff_factor": 0.4,
    "backoff_max": 5,
    "retry_after_max": 5,
    "raise_on_status": False,
}
_MISSING = ("ContainerNotFound", "QueueNotFound")
_MADE_BY_ANOTHER = ("ContainerAlreadyExists", "QueueAlreadyExists")


class Signer(Protocol):
    """One of azure's authentication policies: shared key, shared access signature or bearer token. A 401 does
    not make the last one ask for another token; storage sends managed identities no such challenge."""

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        """Add to URL or headers what proves who asks."""


class _Tries(urllib3.Retry):
    """The tries of one request. `uncertain` holds what came of those that storage may have carried out."""

    def __init__(self, uncertain: list[object], **options: Any) -> None:  # noqa: ANN401 - as urllib3 has them
        super().__init__(**_RETRIES | options)
        self.uncertain = uncertain

    def new(self, **options: Any) -> Self:  # noqa: ANN401 - as urllib3 has them
        """The tries that are left; what is uncertain stays so."""
        return super().new(uncertain=self.uncertain, **options)

    def increment(self, *args: Any, **of: Any) -> Self:  # noqa: ANN401 - as urllib3 has them
        """Count a try that failed, with an `error` or a `response` whose status asks for another."""
        error = of.get("error")
        if may_have_arrived(error) if error else _is_inconclusive(of["response"].status):
            self.uncertain.append(error or of["response"].status)
        return super().increment(*args, **of)


class StorageTransport:
    """Sends requests to one service (blobs, queues) of a storage account. Safe to use from many threads.

    `role` is the role that an identity needs there; it is named where storage answers 403.
    """

    def __init__(self, endpoint: str, signer: Signer, role: str) -> None:
        self._endpoint = endpoint
        self._signer = signer
        self._role = role
        self._pool = connections(endpoint, _POOL, timeout=_TIMEOUT)

    def send(
        self,
        method: str,
        path: str,
        what: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        stream: bool = False,
    ) -> BaseHTTPResponse:
        """Send a request, again where that may help. Answers 2xx and 404 come back, everything else is
        raised; `what` names the request in messages. With `stream` the body is left to be read.

        Raises StorageUnknownError when a write may have been done, ConditionFailedError (also when an earlier
        try of this very write was), BlobArchivedError, BlobLeasedError, StorageError.
        """
        response, uncertain = self._exchange(method, path, what, headers or {}, content, stream)
        status = response.status
        if status < 300:
            return response
        response.drain_conn()  # an answer that is left unread costs its connection
        silent = _writes(method) and (uncertain or _is_inconclusive(status))
        if status == 404 and not silent:
            return response
        refusal = self._refusal(response, what, tagged="x-ms-tags" in (headers or {}))
        if silent and not isinstance(refusal, ConditionFailedError):
            raise StorageUnknownError.because_of(refusal, str(refusal))
        raise refusal

    def send_into(
        self, parent: str, method: str, path: str, what: str, *, headers: Mapping[str, str], content: bytes
    ) -> BaseHTTPResponse:
        """Send a write as `send` does; the container or queue that it goes into is made when it is missing,
        by a PUT of `parent`."""
        response = self.send(method, path, what, headers=headers, content=content)
        if response.status == 404 and error_code(response) in _MISSING:
            self._make(parent)
            response = self.send(method, path, what, headers=headers, content=content)
        return response

    def _make(self, parent: str) -> None:
        what = f"create {parent.partition('?')[0]}"
        try:
            response, _ = self._exchange("PUT", parent, what, {}, None, stream=False)
        except StorageUnknownError as error:  # what matters is the write that needs it, and that was not done
            raise StorageError(str(error)) from None
        if response.status >= 300 and error_code(response) not in _MADE_BY_ANOTHER:
            raise self._refusal(response, what)

    def _exchange(
        self,
        method: str,
        path: str,
        what: str,
        headers: Mapping[str, str],
        content: bytes | None,
        stream: bool,
    ) -> tuple[BaseHTTPResponse, bool]:
        """The last answer, and whether storage may have carried out a try before it."""
        request = self._signed(method, path, what, headers, content)
        tries = _Tries([])
        try:
            response = self._pool.urlopen(
                method,
                request.url,
                body=content,
                headers=request.headers,
                redirect=False,
                preload_content=not stream,
                decode_content=False,
                retries=tries,
            )
        except (HTTPError, OSError) as error:
            cause = (isinstance(error, MaxRetryError) and error.reason) or error
            silent = _writes(method) and (bool(tries.uncertain) or may_have_arrived(cause))
            kind = StorageUnknownError if silent else StorageError
            raise kind(f"storage did not answer to {what} ({type(cause).__name__})") from None
        return response, bool(tries.uncertain)

    def _signed(
        self, method: str, path: str, what: str, headers: Mapping[str, str], content: bytes | None
    ) -> HttpRequest:
        # dated here and not in every try: storage takes a signature for 15 minutes
        stamped = {
            "x-ms-version": API_VERSION,
            "x-ms-date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            **headers,
        }
        request = HttpRequest(method, f"{self._endpoint}/{path}", headers=stamped, content=content)
        try:
            self._signer.on_request(PipelineRequest(request, PipelineContext(None)))
        except (AzureError, OSError) as error:
            kind = type(error).__name__
            raise StorageError(f"{what} was not sent to storage: it could not be signed ({kind})") from None
        return request

    def _refusal(self, response: BaseHTTPResponse, what: str, *, tagged: bool = False) -> StorageError:
        status, code = response.status, error_code(response)
        if status in (409, 412) and code.startswith("Lease"):
            return BlobLeasedError(f"{what}: the blob is leased ({code})")
        if status == 412 or (status == 409 and code == "BlobAlreadyExists"):
            return ConditionFailedError(f"{what}: {code}")
        if status == 409 and code == "BlobArchived":
            return BlobArchivedError(f"{what}: the blob is in the archive tier ({code})")
        told = f"storage answered {status} {code} to {what}"
        return forbidden(status, code, told, self._role, tagged) or StorageError(told)


_LACKING = re.compile("HierarchicalNamespace|BlobTagsNotSupported|FeatureNot(Enabled|Supported)")
"""Codes of accounts that cannot do what is asked of them, as they were seen with index tags."""
_NOT_KNOWN = (
    "InvalidQueryParameterValue",
    "InvalidHeaderValue",
    "UnsupportedHeader",
    "UnsupportedQueryParameter",
)


def forbidden(status: int, code: str, told: str, role: str, tagged: bool) -> StorageForbiddenError | None:
    """The error of an answer that stays until somebody changes the account, None for other answers. `tagged`:
    the request was about index tags, which an account with a hierarchical namespace does not know.

    https://learn.microsoft.com/en-us/azure/storage/blobs/storage-manage-find-blobs#conditions-and-known-issues
    https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes
    """
    if _LACKING.search(code) or (tagged and status == 400 and code in _NOT_KNOWN):
        needed = "general-purpose v2, or premium block blobs, without hierarchical namespace"
        return StorageForbiddenError(told, f"use an account with blob index tags: {needed}")
    if status not in (401, 403):
        return None
    remedy = (
        f"make sure that the identity is a {role} (or that key or signature are right and allow all), and"
        " that the account's firewall lets the app in"
    )
    return StorageForbiddenError(told, remedy)


def error_code(response: BaseHTTPResponse) -> str:
    """Storage's own code of an answer, "" where it has none.
    https://learn.microsoft.com/en-us/rest/api/storageservices/status-and-error-codes2"""
    code = response.headers.get("x-ms-error-code", "")
    return code if code.isascii() and code.isalnum() and len(code) <= 64 else ""


def may_have_arrived(error: Exception) -> bool:
    """Whether storage may have got a request whose try ended in this error of urllib3. It has not where no
    connection came to stand: refused, no such host, too slow to connect, nobody vouches for the server.
    The rest may have been sent, so it is uncertain, be it only a TLS handshake that broke off."""
    if isinstance(error, ProxyError):
        # urllib3 says so too of a connection to a proxy that closed after the request
        return may_have_arrived(error.original_error)
    if isinstance(error, SSLError):
        return not any(isinstance(cause, ssl.SSLCertVerificationError) for cause in error.args)
    return not isinstance(error, NewConnectionError | ConnectTimeoutError | LocationValueError)


def _is_inconclusive(status: int) -> bool:
    """Whether an answer of that status leaves open if a write was done: an operation that storage gave up to
    wait for (500 OperationTimedOut) may or may not have succeeded.
    https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes"""
    return status == 408 or status >= 500


def _writes(method: str) -> bool:
    return method not in ("GET", "HEAD")
