"""Blobs as the application uses them: small reads and conditional writes, and streams pinned to an ETag.

The hot calls (GET, PUT) go through azure-core's pipeline, which brings authentication, retries and pooled
connections and really streams; `BlobClient.download_blob` of the storage SDK reads its first 32 MiB into
memory before it returns, and each of its calls costs two to four times the CPU (docs/performance.md).
What is rare (listing, tag queries, creating a container) goes through the SDK itself.

Nothing but `shared.errors.StorageError` and its subclasses leaves this module, and their messages hold no
URL: a connection by shared access signature has its secret there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from azure.core import PipelineClient
from azure.core.credentials import AzureSasCredential, TokenCredential
from azure.core.exceptions import AzureError, ResourceExistsError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import (
    AzureSasCredentialPolicy,
    BearerTokenCredentialPolicy,
    HTTPPolicy,
    RetryPolicy,
    SansIOHTTPPolicy,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse
from azure.storage.blob import BlobServiceClient
from requests.adapters import HTTPAdapter

from shared.errors import BlobMissingError, ConditionFailedError, NotConfiguredError, StorageError
from shared.settings import DOCUMENT_STORAGE, StorageSettings
from shared.storage.stream import CHUNK, BlobStream, http_date

API_VERSION = "2023-11-03"
"""A fixed service version, so that neither an SDK update nor an emulator changes what is spoken.
https://learn.microsoft.com/en-us/rest/api/storageservices/versioning-for-the-azure-storage-services"""


@dataclass(frozen=True, slots=True)
class Blob:
    """A small blob, read whole."""

    name: str
    etag: str
    last_modified: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of a listing."""

    name: str
    etag: str
    last_modified: datetime
    size: int


class BlobStore:
    """One storage account. Thread-safe; keeps its connections."""

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings

    def get(self, container: str, name: str) -> Blob | None:
        """Read a small blob whole; None when it (or its container) does not exist."""
        if _walks(name):
            return None
        response = self.send("GET", container, name)
        if response.status_code == 404:
            return None
        return Blob(name, response.headers["ETag"], http_date(response.headers), response.read())

    def open(self, container: str, name: str) -> BlobStream | None:
        """Open a blob for streaming; None when it does not exist. The open is also the look-up: its
        headers tell ETag, size and MD5, so no HEAD is needed."""
        if _walks(name):
            return None
        response = self.send("GET", container, name, stream=True)
        if response.status_code == 404:
            return None
        return BlobStream(self.send, container, name, response)

    def put(
        self,
        container: str,
        name: str,
        content: bytes,
        *,
        match: str | None = None,
        due: datetime | None = None,
    ) -> str:
        """Write a JSON blob and return its ETag. With `match` None the blob must not exist yet, with an
        ETag it must still be that version, with "*" anything goes. `due` becomes the index tag that
        `due_before` finds; without it the blob has none. The container is made when it is missing.

        Raises ConditionFailedError (also when an earlier try of this very write succeeded and its answer
        was lost: read and compare), StorageError.
        """
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/json"}
        if match is None:
            headers["If-None-Match"] = "*"
        elif match != "*":
            headers["If-Match"] = match
        if due is not None:
            headers["x-ms-tags"] = f"due={quote(stamp(due), safe='')}"
        response = self.send("PUT", container, name, headers=headers, content=content)
        if response.status_code == 404:
            if response.headers.get("x-ms-error-code") != "ContainerNotFound":
                raise BlobMissingError(f"{container}/{name} does not exist")
            self._make(container)
            response = self.send("PUT", container, name, headers=headers, content=content)
            if response.status_code == 404:
                raise BlobMissingError(f"the container {container} does not exist")
        return str(response.headers["ETag"])

    def page(self, container: str, prefix: str = "", marker: str = "") -> tuple[list[Listed], str]:
        """One page (up to 5,000) of the blobs under `prefix`, and the marker of the next ("" at the end).
        A container that was never written to has none."""
        with suppress(BlobMissingError), _translated(f"list {container}"):
            pages = (
                self._service.get_container_client(container)
                .list_blobs(name_starts_with=prefix or None)
                .by_page(marker or None)
            )
            page = [
                Listed(b.name, f'"{b.etag.strip(chr(34))}"', b.last_modified, b.size) for b in next(pages, ())
            ]
            return page, str(pages.continuation_token or "")  # type: ignore[attr-defined]  # ItemPaged's pages
        return [], ""

    def due_before(self, container: str, moment: datetime, most: int) -> list[str]:
        """Names of at most `most` blobs whose `due` lies before `moment`, through the account's tag index:
        the cost is that of the open work, not of the container's history."""
        with suppress(BlobMissingError), _translated(f"query {container}"):
            found = self._service.get_container_client(container).find_blobs_by_tags(
                f"\"due\" <= '{stamp(moment)}'", results_per_page=min(most, 5000)
            )
            return [blob.name for blob, _ in zip(found, range(most), strict=False)]
        return []

    def send(
        self,
        method: str,
        container: str,
        name: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        stream: bool = False,
    ) -> HttpResponse:
        """One request to a blob. Answers 2xx and 404 come back; everything else is raised."""
        if _walks(name):
            raise StorageError("a blob name with a segment '.' or '..' would lead elsewhere")
        request = HttpRequest(
            method,
            f"{self._endpoint}/{container}/{quote(name, safe='/~')}",
            headers={"x-ms-version": API_VERSION, **(headers or {})},
            content=content,
        )
        what = f"{method} {container}/{name}"
        with _translated(what):
            response = self._pipeline.send_request(request, stream=stream)
            if response.status_code >= 300:
                response.read()  # an answer that is left unread costs its connection
        status = response.status_code
        if status < 300 or status == 404:
            return response
        code = response.headers.get("x-ms-error-code", "")
        if status == 412 or (status == 409 and code == "BlobAlreadyExists"):
            raise ConditionFailedError(f"{what}: {code}")
        hint = " (is the identity a Storage Blob Data Owner?)" if status == 403 else ""
        raise StorageError(f"storage answered {status} {code} to {what}{hint}")

    def _make(self, container: str) -> None:
        # another instance may be first
        with _translated(f"create container {container}"), suppress(ResourceExistsError):
            self._service.create_container(container)

    @cached_property
    def _service(self) -> BlobServiceClient:
        options: dict[str, Any] = {
            "api_version": API_VERSION,
            "retry_total": 3,
            "initial_backoff": 1,  # usually 15 s before the second try: longer than a caller may wait
            "increment_base": 2,
            "random_jitter_range": 1,
        }
        s = self._settings
        if s.connection_string:
            try:
                return BlobServiceClient.from_connection_string(s.connection_string, **options)
            except ValueError:  # its message may quote the string
                raise NotConfiguredError(
                    f"{DOCUMENT_STORAGE} is no connection string", [DOCUMENT_STORAGE]
                ) from None
        return BlobServiceClient(s.blob_service_uri, credential=_identity(s.client_id), **options)

    @cached_property
    def _endpoint(self) -> str:
        return self._service.url.partition("?")[0].rstrip("/")

    @cached_property
    def _pipeline(self) -> PipelineClient[HttpRequest, HttpResponse]:
        retry = RetryPolicy(retry_total=4, retry_backoff_factor=0.4, retry_backoff_max=5, timeout=60)
        return PipelineClient(
            self._endpoint,
            policies=[retry, _StampPolicy(), self._authentication()],
            transport=_transport(self._endpoint),
        )

    def _authentication(self) -> _Policy:
        if not self._settings.connection_string:
            credential = _identity(self._settings.client_id)
            return BearerTokenCredentialPolicy(credential, "https://storage.azure.com/.default")
        query = urlsplit(self._service.url).query
        if query:
            return AzureSasCredentialPolicy(AzureSasCredential(query))
        policy: _Policy = self._service.credential
        return policy


_Policy = HTTPPolicy[HttpRequest, HttpResponse] | SansIOHTTPPolicy[HttpRequest, HttpResponse]


class _StampPolicy(SansIOHTTPPolicy[HttpRequest, HttpResponse]):
    """Dates each try; the shared-key signature covers the date and is refused after 15 minutes."""

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        request.http_request.headers["x-ms-date"] = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def _identity(client_id: str) -> TokenCredential:
    from azure.identity import ManagedIdentityCredential  # 25 ms that a connection string does not need

    return ManagedIdentityCredential(client_id=client_id) if client_id else ManagedIdentityCredential()


def _transport(url: str) -> RequestsTransport:
    session = requests.Session()
    # proxies and CA bundle of the environment are read once here; requests would read them for every request
    settings = session.merge_environment_settings(url, {}, None, None, None)
    session.trust_env = False
    session.proxies.update(settings["proxies"])
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=64, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return RequestsTransport(
        session=session,
        connection_verify=settings["verify"],
        connection_timeout=5,
        read_timeout=20,
        connection_data_block_size=CHUNK,
    )


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except (AzureError, requests.RequestException, OSError) as error:
        status = getattr(error, "status_code", None)
        if status == 404:
            raise BlobMissingError(f"{what}: not there") from None
        raise StorageError(f"storage did not answer to {what} ({type(error).__name__})") from None


def _walks(name: str) -> bool:
    """Whether the URL of that name would be resolved to another one on its way."""
    return not name or any(segment in (".", "..") for segment in name.split("/"))


def stamp(moment: datetime) -> str:
    """A moment as ISO 8601 in UTC to the second, which sorts as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Clock = Callable[[], datetime]
"""Now, in UTC."""
