"""Clients for the storage accounts that connections name.

A connection is an app setting that holds a connection string; identity-based connections need Azure and
`func start`. The user agent tells the host's own requests from the application's when requests are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from local.host.config import HostError

HOST_CONNECTION = "AzureWebJobsStorage"
USER_AGENT = "local-functions-host"
_OPTIONS: dict[str, Any] = {
    "user_agent": USER_AGENT,
    "retry_total": 1,
    "initial_backoff": 0,  # usually 15 s, and Azurite closes a connection that was idle for 5
    "increment_base": 0,
    "random_jitter_range": 0,
    "connection_timeout": 2,
    "read_timeout": 10,
}


class Accounts:
    """Opens clients by connection name."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def queue(self, connection: str, name: str) -> QueueClient:
        """A client for a queue, which need not exist yet."""
        return QueueClient.from_connection_string(self._string(connection), name, **_OPTIONS)

    def blobs(self, connection: str) -> BlobServiceClient:
        """A client for the account's blobs."""
        return BlobServiceClient.from_connection_string(self._string(connection), **_OPTIONS)

    def _string(self, connection: str) -> str:
        value = self._env.get(connection, "") or self._env.get(f"AzureWebJobs{connection}", "")
        if not value:
            raise HostError(f"connection {connection} is not set; its triggers do not run")
        return value
