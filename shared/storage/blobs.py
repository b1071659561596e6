"""Blobs as the application uses them: small reads and conditional writes, and streams pinned to an ETag.

The hot calls (GET, PUT) go through `shared.storage.transport`; what is rare (listing, tag queries) goes
through the storage SDK itself.

Nothing but `shared.core.errors.StorageError` and its subclasses leaves this module, and their messages
hold no URL: a connection by shared access signature has its secret there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from azure.core.exceptions import AzureError
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from shared.core.errors import BlobMissingError, MarkerRefusedError, StorageError, StorageUnknownError
from shared.core.ids import has_dot_segment
from shared.core.moments import LONG_AGO
from shared.settings import StorageSettings
from shared.storage import headers as response_headers
from shared.storage.account import Account
from shared.storage.stream import BlobStream
from shared.storage.transport import BLOB_ROLE, forbidden

MOST_TAGS = 10
"""Index tags of a blob. https://learn.microsoft.com/en-us/azure/storage/blobs/storage-manage-find-blobs"""

PAGE = 50
"""Entries of a page of open work: each is read."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A small blob, read whole."""

    name: str
    etag: str
    last_modified: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """One entry of a listing."""

    name: str
    etag: str
    last_modified: datetime
    size: int


class BlobStore:
    """One storage account. Thread-safe; keeps its connections."""

    def __init__(self, settings: StorageSettings) -> None:
        """Connects to nothing yet. Raises NotConfiguredError."""
        self.account = Account(settings)
        self._transport = self.account.blobs()

    def get(self, container: str, name: str) -> Blob | None:
        """Read a small blob whole; None when it (or its container) does not exist."""
        if not _can_be(name):
            return None
        response = self.send("GET", container, name)
        if response.status == 404:
            return None
        what, headers = f"GET {container}/{name}", response.headers
        etag, modified = response_headers.etag(headers, what), response_headers.last_modified(headers, what)
        return Blob(name, etag, modified, response.data)

    def open(self, container: str, name: str) -> BlobStream | None:
        """Open a blob for streaming; None when it does not exist. The open is also the look-up: its
        headers tell ETag, size and MD5, so no HEAD is needed."""
        if not _can_be(name):
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
        tags: Mapping[str, str] | None = None,
        if_tags: str = "",
    ) -> str:
        """Write a JSON blob and return its ETag. With `match` None the blob must not exist yet, with an ETag
        it must still be that version, with "*" anything goes. `due` becomes the index tag that `due_before`
        finds, beside `tags` (at most MOST_TAGS); without them the blob has none. `if_tags` is a condition on
        the tags of a blob that is there already. The container is made when it is missing.
        https://learn.microsoft.com/en-us/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations

        Raises ConditionFailedError (also when an earlier try of this very write succeeded and its answer
        was lost: read and compare), StorageUnknownError (it may have been written), BlobLeasedError,
        StorageError (it was not).
        """
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/json"}
        if match is None:
            headers["If-None-Match"] = "*"
        elif match != "*":
            headers["If-Match"] = match
        if if_tags:
            headers["x-ms-if-tags"] = if_tags
        index = {**(tags or {}), **({"due": stamp(due)} if due is not None else {})}
        if index:
            headers["x-ms-tags"] = urlencode(index, quote_via=quote)
        what, parent = f"PUT {container}/{name}", f"{container}?restype=container"
        response = self._transport.send_into(
            parent, "PUT", _path(container, name), what, headers=headers, content=content
        )
        if response.status == 404:
            raise BlobMissingError(f"{what}: not there")
        try:
            return response_headers.etag(response.headers, what)
        except StorageError as error:
            raise StorageUnknownError(str(error)) from None

    def page(self, container: str, prefix: str = "", marker: str = "") -> tuple[list[BlobEntry], str]:
        """One page (up to 5,000) of the blobs under `prefix`, and the marker of the next ("" at the end).
        A container that was never written to has none.

        Raises MarkerRefusedError when storage does not take `marker` (any more), StorageError.
        """
        with suppress(BlobMissingError), translated(f"list {container}", marker):
            pages = (
                self.account.service.get_container_client(container)
                .list_blobs(name_starts_with=prefix or None)
                .by_page(marker or None)
            )
            page = [
                BlobEntry(b.name, f'"{b.etag.strip(chr(34))}"', b.last_modified, b.size)
                for b in next(pages, ())
            ]
            return page, str(pages.continuation_token or "")  # type: ignore[attr-defined]  # ItemPaged's pages
        return [], ""

    def due_before(self, container: str, moment: datetime) -> Iterator[str]:
        """Names of the blobs whose `due` lies before `moment`, in no order."""
        return (name for name, _ in self.tagged_before(container, "due", moment))

    def tagged_before(self, container: str, tag: str, moment: datetime) -> Iterator[tuple[str, str]]:
        """Names of the blobs whose index tag holds a moment that is not after `moment`, and what it holds, in
        no order, through the account's tag index: the cost is that of what is found, not of the container's
        history. Raises StorageError."""
        with suppress(BlobMissingError), translated(f"query {container}", tagged=True):
            found = self.account.service.get_container_client(container).find_blobs_by_tags(
                f"\"{tag}\" <= '{stamp(moment)}'", results_per_page=5000
            )
            for blob in found:
                yield blob.name, str((blob.tags or {}).get(tag, ""))

    def moments(self, container: str, tag: str) -> Iterator[str]:
        """The moments in that index tag, one for each blob that has it, in no order. Raises StorageError."""
        with suppress(BlobMissingError), translated(f"query {container}", tagged=True):
            found = self.account.service.get_container_client(container).find_blobs_by_tags(
                f"\"{tag}\" >= '{stamp(LONG_AGO)}'", results_per_page=5000
            )
            for blob in found:
                yield str((blob.tags or {}).get(tag, ""))

    def tagged(self, container: str, tag: str, since: datetime, marker: str = "") -> tuple[list[str], str]:
        """One page (up to PAGE) of the names of blobs whose index tag holds a moment that is not before
        `since`, in no order, and the marker of the next ("" at the end). A page may be short of names.

        Raises MarkerRefusedError when storage does not take `marker`, StorageError.
        """
        asked = f"\"{tag}\" >= '{stamp(since)}'"
        with suppress(BlobMissingError), translated(f"query {container}", marker, tagged=True):
            pages = (
                self.account.service.get_container_client(container)
                .find_blobs_by_tags(asked, results_per_page=PAGE)
                .by_page(marker or None)
            )
            names = [blob.name for blob in next(pages, ())]
            return names, str(pages.continuation_token or "")  # type: ignore[attr-defined]  # ItemPaged's pages
        return [], ""

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
        """One request to a blob. Answers 2xx and 404 come back; everything else is raised
        (`shared.storage.transport.StorageTransport.send`)."""
        what, path = f"{method} {container}/{name}", _path(container, name)
        return self._transport.send(method, path, what, headers=headers, content=content, stream=stream)


def _path(container: str, name: str) -> str:
    if not _can_be(name):
        raise StorageError("a blob name must not contain a segment '.' or '..'")
    return f"{container}/{quote(name, safe='/~')}"


@contextmanager
def translated(what: str, marker: str = "", *, tagged: bool = False) -> Iterator[None]:
    """What the SDK raises for a listing of ours, `tagged` for one by index tags, as errors of ours."""
    try:
        yield
    except (AzureError, HTTPError, OSError) as error:
        status = getattr(error, "status_code", None) or 0
        if status == 404:
            raise BlobMissingError(f"{what}: not there") from None
        if status == 400 and marker:
            raise MarkerRefusedError(f"storage refused its own marker for {what}") from None
        if status >= 300:
            code = getattr(error, "error_code", None) or ""
            code = str(getattr(code, "value", code))  # the SDK has an enumeration of those that it knows
            told = f"storage answered {status} {code} to {what}"
            raise (forbidden(status, code, told, BLOB_ROLE, tagged) or StorageError(told)) from None
        raise StorageError(f"storage did not answer to {what} ({type(error).__name__})") from None
    except (ValueError, TypeError, AttributeError) as error:  # of a body that is no listing
        raise StorageError(f"storage's answer to {what} cannot be read ({type(error).__name__})") from None


def _can_be(name: str) -> bool:
    """Whether a blob of that name can be asked for."""
    return bool(name) and not has_dot_segment(name)


def stamp(moment: datetime) -> str:
    """A moment as ISO 8601 in UTC to the second, which sorts as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
