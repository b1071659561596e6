"""Blobs as the application uses them: small reads and conditional writes, and streams pinned to an ETag.

The hot calls (GET, PUT) go through `shared.storage.transport`; what is rare (listing, tag queries, creating a
container) goes through the storage SDK itself.

Nothing but `shared.errors.StorageError` and its subclasses leaves this module, and their messages hold no
URL: a connection by shared access signature has its secret there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import AzureError, ResourceExistsError
from azure.core.pipeline.policies import AzureSasCredentialPolicy, BearerTokenCredentialPolicy
from azure.storage.blob import BlobServiceClient
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from shared.errors import BlobMissingError, ConditionFailedError, NotConfiguredError, StorageError
from shared.settings import StorageSettings
from shared.settings_table import DOCUMENT_STORAGE
from shared.storage.stream import BlobStream, http_date
from shared.storage.transport import API_VERSION, Signer, Transport


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
        """Connects to nothing yet. Raises NotConfiguredError."""
        self._service = _service(settings)
        endpoint = self._service.url.partition("?")[0].rstrip("/")
        self._transport = Transport(endpoint, _signer(settings, self._service))

    def get(self, container: str, name: str) -> Blob | None:
        """Read a small blob whole; None when it (or its container) does not exist."""
        if _walks(name):
            return None
        response = self.send("GET", container, name)
        if response.status == 404:
            return None
        return Blob(name, response.headers["ETag"], http_date(response.headers), response.data)

    def open(self, container: str, name: str) -> BlobStream | None:
        """Open a blob for streaming; None when it does not exist. The open is also the look-up: its
        headers tell ETag, size and MD5, so no HEAD is needed."""
        if _walks(name):
            return None
        response = self.send("GET", container, name, stream=True)
        if response.status == 404:
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
        if response.status == 404:
            if response.headers.get("x-ms-error-code") != "ContainerNotFound":
                raise BlobMissingError(f"{container}/{name} does not exist")
            self._make(container)
            response = self.send("PUT", container, name, headers=headers, content=content)
            if response.status == 404:
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

    def due_before(self, container: str, moment: datetime) -> Iterator[str]:
        """Names of the blobs whose `due` lies before `moment`, in no order, through the account's tag index:
        the cost is that of the open work, not of the container's history."""
        with suppress(BlobMissingError), _translated(f"query {container}"):
            found = self._service.get_container_client(container).find_blobs_by_tags(
                f"\"due\" <= '{stamp(moment)}'", results_per_page=5000
            )
            for blob in found:
                yield blob.name

    def send(
        self,
        method: str,
        container: str,
        name: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        stream: bool = False,
    ) -> BaseHTTPResponse:
        """One request to a blob. Answers 2xx and 404 come back; everything else is raised."""
        if _walks(name):
            raise StorageError("a blob name with a segment '.' or '..' would lead elsewhere")
        what = f"{method} {container}/{name}"
        with _translated(what):
            path = f"{container}/{quote(name, safe='/~')}"
            response = self._transport.send(method, path, headers or {}, content, stream=stream)
            if response.status >= 300:
                response.drain_conn()  # an answer that is left unread costs its connection
        status = response.status
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


def _service(settings: StorageSettings) -> BlobServiceClient:
    options: dict[str, Any] = {
        "api_version": API_VERSION,
        "retry_total": 3,
        "initial_backoff": 1,  # usually 15 s before the second try: longer than a caller may wait
        "increment_base": 2,
        "random_jitter_range": 1,
    }
    if settings.connection_string:
        try:
            return BlobServiceClient.from_connection_string(settings.connection_string, **options)
        except ValueError:  # its message may quote the string
            raise NotConfiguredError(
                f"{DOCUMENT_STORAGE} is no connection string", [DOCUMENT_STORAGE]
            ) from None
    from azure.identity import ManagedIdentityCredential  # a connection string does without

    credential = ManagedIdentityCredential(client_id=settings.client_id or None)
    return BlobServiceClient(settings.blob_service_uri, credential=credential, **options)


def _signer(settings: StorageSettings, service: BlobServiceClient) -> Signer:
    credential: Any = service.credential
    if not settings.connection_string:
        return BearerTokenCredentialPolicy(credential, "https://storage.azure.com/.default")
    if signature := service.url.partition("?")[2]:
        return AzureSasCredentialPolicy(AzureSasCredential(signature))
    if credential is None:
        raise NotConfiguredError(f"{DOCUMENT_STORAGE} holds no key and no signature", [DOCUMENT_STORAGE])
    shared_key: Signer = credential
    return shared_key


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except (AzureError, HTTPError, OSError) as error:
        status = getattr(error, "status_code", None)
        if status == 404:
            raise BlobMissingError(f"{what}: not there") from None
        cause = getattr(error, "reason", None) or error  # of urllib3's MaxRetryError
        raise StorageError(f"storage did not answer to {what} ({type(cause).__name__})") from None


def _walks(name: str) -> bool:
    """Whether the URL of that name would be resolved to another one on its way."""
    return not name or any(segment in (".", "..") for segment in name.split("/"))


def stamp(moment: datetime) -> str:
    """A moment as ISO 8601 in UTC to the second, which sorts as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Clock = Callable[[], datetime]
"""Now, in UTC."""
