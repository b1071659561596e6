"""Starts Azurite's blob and queue services on this machine and says how to connect.

`--skipApiVersionCheck` because the storage SDK is newer than any Azurite; the key is the well-known one of
https://learn.microsoft.com/en-us/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from local.azurite.node import HERE, NODE, install
from local.children import Child, check_port

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

_LISTENS = re.compile(r"successfully listens on http://127\.0\.0\.1:(\d+)")
_PATIENCE = 30.0
_KEEP_ALIVE = "600"


class Azurite:
    """A running Azurite; in memory unless `location` names a folder. Use as a context manager.

    A port of 0 is any free one; `blob_port` and `queue_port` are those that it took.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        logs: Path,
        blob_port: int = 0,
        queue_port: int = 0,
        location: Path | None = None,
    ) -> None:
        check_port(blob_port, "Azurite's blobs", "--blob-port")
        check_port(queue_port, "Azurite's queues", "--queue-port")
        self._children: list[Child] = []
        try:
            for service, port in (("blob", blob_port), ("queue", queue_port)):
                command = command_of(service, port, location)
                self._children.append(
                    Child(f"azurite-{service}", command, env, logs / f"azurite-{service}.log")
                )
            self.blob_port, self.queue_port = (child.says(_port, _PATIENCE) for child in self._children)
        except BaseException:
            self.stop()
            raise

    @property
    def blob_endpoint(self) -> str:
        """URL of the account's blobs, without a slash at its end."""
        return f"http://127.0.0.1:{self.blob_port}/{ACCOUNT}"

    @property
    def queue_endpoint(self) -> str:
        """URL of the account's queues."""
        return f"http://127.0.0.1:{self.queue_port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        """For the storage SDKs."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={self.blob_endpoint};QueueEndpoint={self.queue_endpoint};"
        )

    def stop(self) -> None:
        """End both services; what was kept in memory is gone."""
        for child in self._children:
            child.stop()

    def __enter__(self) -> Azurite:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _port(line: str) -> int | None:
    found = _LISTENS.search(line)
    return int(found[1]) if found else None


def command_of(service: str, port: int, location: Path | None) -> list[str]:
    """What starts one service of Azurite ("blob", "queue"), without its garbage collector and telemetry, in
    one thread: threads that compile and collect beside it cost more processor time than they spare."""
    if location is not None:
        location.mkdir(parents=True, exist_ok=True)
    return [
        str(NODE),
        "--single-threaded",
        "--require",
        str(HERE / "without_ballast.cjs"),
        str(install() / service / "main.js"),
        f"--{service}Host",
        "127.0.0.1",
        f"--{service}Port",
        str(port),
        *(["--blobKeepAliveTimeout", _KEEP_ALIVE] if service == "blob" else []),
        *(["--inMemoryPersistence"] if location is None else ["--location", str(location)]),
        "--skipApiVersionCheck",
        "--disableTelemetry",
        "--silent",
    ]
