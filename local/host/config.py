"""What host.json says, in the few fields that this host honours.

A setting `AzureFunctionsJobHost__path__to__value` overrides host.json, as in Azure:
https://learn.microsoft.com/en-us/azure/azure-functions/functions-host-json#override-hostjson-values
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.host.polling import FASTEST

OVERRIDE = "AzureFunctionsJobHost__"

_LARGEST_BATCH = 32
_LONGEST_HIDDEN = 604_800.0
"""Seconds: https://learn.microsoft.com/en-us/rest/api/storageservices/update-message#uri-parameters"""
_TIME = re.compile(r"(?:(\d+)\.)?([01]?\d|2[0-3]):([0-5]\d):([0-5]\d(?:\.\d{1,7})?)")


class HostError(Exception):
    """The host cannot start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """How a queue is worked off; times in seconds.

    A batch of `batch_size` messages is asked for while `new_batch_threshold` or fewer are under way, so at
    most their sum runs at once. `retry_after` is the pause after a failure. With `base64` that is what the
    messages are encoded in.
    https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-storage-queue#hostjson-settings
    """

    batch_size: int
    new_batch_threshold: int
    max_polling_interval: float
    max_dequeue: int
    retry_after: int
    base64: bool


@dataclass(frozen=True, slots=True)
class HostConfig:
    """`function_timeout` in seconds; `queues` for each queue function, `blobs` for all blob functions."""

    route_prefix: str
    function_timeout: float
    queues: QueueOptions
    blobs: QueueOptions


def read_config(app: Path, env: Mapping[str, str], cores: int) -> HostConfig:
    """Read `app`/host.json; defaults are those of the extension bundle.

    HostError: there is no file, it is not JSON, or it holds a value that Azure's host would refuse.
    """
    path = app / "host.json"
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise HostError(f"{path} does not exist: --app must name the folder of a function app") from None
    except ValueError as error:
        raise HostError(f"{path} is not JSON: {error}") from None
    values = _Values(document, env)
    return HostConfig(
        route_prefix=values.text("extensions.http.routePrefix", "api").strip("/"),
        function_timeout=_function_timeout(values),
        queues=_queues(values, cores),
        blobs=_blobs(values, cores),
    )


def local_settings(app: Path) -> dict[str, str]:
    """`Values` of local.settings.json, or nothing when there is no such file."""
    path = app / "local.settings.json"
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise HostError(f"{path} is not JSON: {error}") from None
    if document.get("IsEncrypted"):
        raise HostError(f"{path} is encrypted; decrypt it with `func settings decrypt`")
    return {name: str(value) for name, value in document.get("Values", {}).items()}


def _function_timeout(values: _Values) -> float:
    if values.text("functionTimeout", "") == "-1":
        return float("inf")
    return values.seconds("functionTimeout", "00:30:00", 1)


def _queues(values: _Values, cores: int) -> QueueOptions:
    """The defaults are those of Queues/QueuesOptions.cs (the address is in polling.py)."""
    batch = values.whole("extensions.queues.batchSize", 16, 1, _LARGEST_BATCH)
    pause = values.seconds("extensions.queues.visibilityTimeout", "00:00:00", 0, _LONGEST_HIDDEN)
    encoding = values.text("extensions.queues.messageEncoding", "base64")
    if encoding.lower() not in ("base64", "none"):
        raise HostError(f"extensions.queues.messageEncoding in host.json: {encoding!r} is not base64 or none")
    return QueueOptions(
        batch_size=batch,
        new_batch_threshold=values.whole("extensions.queues.newBatchThreshold", batch // 2 * cores, 0),
        max_polling_interval=values.seconds("extensions.queues.maxPollingInterval", "00:01:00", FASTEST),
        max_dequeue=values.whole("extensions.queues.maxDequeueCount", 5, 1),
        retry_after=int(pause),
        base64=encoding.lower() == "base64",
    )


def _blobs(values: _Values, cores: int) -> QueueOptions:
    """Blob functions ignore `queues`: their parallelism is split, the rest is fixed.

    https://github.com/Azure/azure-sdk-for-net/blob/main/sdk/storage/Microsoft.Azure.WebJobs.Extensions.Storage.Blobs/src/Listeners/SharedBlobQueueListenerFactory.cs
    """
    at_once = values.whole("extensions.blobs.maxDegreeOfParallelism", 8 * cores, 1)
    batch = min(_LARGEST_BATCH, at_once // 2 + 1)
    return QueueOptions(
        batch_size=batch,
        new_batch_threshold=at_once - batch,
        max_polling_interval=60.0,
        max_dequeue=values.whole("extensions.blobs.poisonBlobThreshold", 5, 1),
        retry_after=0,
        base64=True,
    )


class _Values:
    """Values of host.json by dotted path, checked; HostError names the path of one that is out of bounds."""

    def __init__(self, document: Any, env: Mapping[str, str]) -> None:  # noqa: ANN401 - JSON
        self._document = document
        self._env = env

    def text(self, path: str, default: str) -> str:
        """A value as it is written."""
        override = self._env.get(OVERRIDE + path.replace(".", "__"))
        return override if override is not None else str(_dig(self._document, path.split("."), default))

    def whole(self, path: str, default: int, least: int, most: int | None = None) -> int:
        """A whole number."""
        text = self.text(path, str(default))
        if not re.fullmatch(r"-?\d+", text) or int(text) < least or (most is not None and int(text) > most):
            bounds = f"from {least}" + ("" if most is None else f" to {most}")
            raise HostError(f"{path} in host.json: {text!r} is not a whole number {bounds}")
        return int(text)

    def seconds(self, path: str, default: str, least: float, most: float = float("inf")) -> float:
        """`hh:mm:ss`, `d.hh:mm:ss` or with a fraction, in seconds."""
        text = self.text(path, default)
        found = _TIME.fullmatch(text)
        if found is None:
            raise HostError(f"{path} in host.json: {text!r} is not of the form hh:mm:ss")
        days, hours, minutes = (int(part or 0) for part in found.groups()[:3])
        seconds = days * 86400 + hours * 3600 + minutes * 60 + float(found[4])
        if not least <= seconds <= most:
            bounds = f"{least:g} s or more" if most == float("inf") else f"{least:g} to {most:g} s"
            raise HostError(f"{path} in host.json: {text!r} is out of bounds ({bounds})")
        return seconds


def _dig(document: Any, path: list[str], default: Any) -> Any:  # noqa: ANN401 - JSON
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return default
        document = document[name]
    return document
