"""Addresses at which a caller may create one blob, and nothing else, for a while: shared access signatures.

An identity signs them with a key that storage gives it (user delegation), a connection string with the
account's key. "Create" writes a name once: an address that leaks can neither read nor overwrite, and takes
one Put Blob, since blocks would need more. It cannot limit the size: what comes is compared with what was
announced.
https://learn.microsoft.com/en-us/rest/api/storageservices/create-user-delegation-sas
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from urllib.parse import quote

from azure.storage.blob import BlobSasPermissions, UserDelegationKey, generate_blob_sas

from shared.clock import Clock
from shared.core.errors import NotConfiguredError
from shared.settings_table import DOCUMENT_STORAGE
from shared.storage.account import Account
from shared.storage.blobs import translated

HEADERS = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/pdf"}
"""What a caller sends beside the bytes.
https://learn.microsoft.com/en-us/rest/api/storageservices/put-blob#request-headers"""

_KEY_LASTS = timedelta(hours=6)
"""Seven days is the most that storage gives."""
_SKEW = timedelta(minutes=5)
"""By how much clocks may differ."""


class UploadUrls:
    """Makes them for one account. Thread-safe; keeps the key that storage gave."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self._account = account
        self._clock = clock
        self._lock = threading.Lock()
        self._key: tuple[UserDelegationKey, datetime] | None = None

    def create(self, container: str, name: str, until: datetime) -> str:
        """A URL to which the blob can be PUT once, with HEADERS, `until` then.

        Raises NotConfiguredError for a connection that cannot sign, StorageError.
        """
        client, now = self._account.service, self._clock()
        key = getattr(client.credential, "account_key", None)
        signature = generate_blob_sas(
            str(client.account_name),
            container,
            name,
            account_key=key,
            user_delegation_key=None if key else self._delegation(now, until),
            permission=BlobSasPermissions(create=True),
            start=now - _SKEW,
            expiry=until,
            protocol="https" if client.url.startswith("https:") else None,
        )
        endpoint = client.url.partition("?")[0].rstrip("/")
        return f"{endpoint}/{container}/{quote(name, safe='/~')}?{signature}"

    def _delegation(self, now: datetime, until: datetime) -> UserDelegationKey:
        if not self._account.by_identity:
            raise NotConfiguredError(
                f"{DOCUMENT_STORAGE} holds a shared access signature, which signs no upload addresses:"
                " give the account's key, or connect by identity",
                [DOCUMENT_STORAGE],
            )
        with self._lock:
            if self._key is None or self._key[1] < until + _SKEW:
                self._key = (self._asked_for(now), now + _KEY_LASTS)
            return self._key[0]

    def _asked_for(self, now: datetime) -> UserDelegationKey:
        with translated("the request for a key to upload addresses"):
            return self._account.service.get_user_delegation_key(now - _SKEW, now + _KEY_LASTS)
