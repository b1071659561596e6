"""One storage account: where its services are, and what signs requests to them."""

from __future__ import annotations

from typing import Any

from azure.core.credentials import AzureSasCredential
from azure.core.pipeline.policies import AzureSasCredentialPolicy, BearerTokenCredentialPolicy
from azure.storage.blob import BlobServiceClient

from shared.core.errors import NotConfiguredError
from shared.settings import StorageSettings
from shared.settings_table import DOCUMENT_STORAGE
from shared.storage.transport import API_VERSION, BLOB_ROLE, Signer, StorageTransport


class Account:
    """What the clients of one account share: blobs and queues are signed for alike, and an identity asks for
    one token. https://learn.microsoft.com/en-us/azure/storage/common/storage-configure-connection-string"""

    def __init__(self, settings: StorageSettings) -> None:
        """Connects to nothing yet. Raises NotConfiguredError."""
        self._settings = settings
        self.service = _service(settings)
        """The storage SDK's client for blobs."""
        self.by_identity = not settings.connection_string
        self._signer = _signer(settings, self.service)

    def blobs(self) -> StorageTransport:
        """Requests to its blobs. Raises NotConfiguredError."""
        return StorageTransport(_bare(self.service.url), self._signer, BLOB_ROLE)

    def queues(self) -> StorageTransport:
        """Requests to its queues. Raises NotConfiguredError."""
        return StorageTransport(_queues(self._settings), self._signer, "Storage Queue Data Contributor")


def _queues(settings: StorageSettings) -> str:
    if not settings.connection_string:
        name, endpoint = f"{DOCUMENT_STORAGE}__queueServiceUri", settings.queue_service_uri
    else:
        name, endpoint = DOCUMENT_STORAGE, _queues_of(settings.connection_string)
    if not endpoint:
        raise NotConfiguredError(f"{name} names no endpoint of queues", [name])
    return _bare(endpoint)


def _queues_of(connection: str) -> str:
    pairs = (part.partition("=") for part in connection.split(";"))
    given = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if given.get("usedevelopmentstorage") == "true":
        return "http://127.0.0.1:10001/devstoreaccount1"
    if "queueendpoint" in given or "accountname" not in given:
        return given.get("queueendpoint", "")
    scheme, suffix = given.get("defaultendpointsprotocol"), given.get("endpointsuffix")
    return f"{scheme or 'https'}://{given['accountname']}.queue.{suffix or 'core.windows.net'}"


def _bare(url: str) -> str:
    return url.partition("?")[0].rstrip("/")


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
