"""What host.json says, in the few fields that this host honours.

A setting `AzureFunctionsJobHost__path__to__value` overrides host.json, as in Azure:
https://learn.microsoft.com/en-us/azure/azure-functions/functions-host-json#override-hostjson-values
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OVERRIDE = "AzureFunctionsJobHost__"


class HostError(Exception):
    """The host cannot start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class HostConfig:
    """Times in seconds."""

    route_prefix: str
    function_timeout: float
    poison_blob_threshold: int
    blob_slots: int
    queue_batch: int
    queue_max_dequeue: int
    queue_retry_after: int


def read_config(app: Path, env: Mapping[str, str], cores: int) -> HostConfig:
    """Read `app`/host.json; defaults are those of the extension bundle (no file: HostError)."""
    path = app / "host.json"
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise HostError(f"{path} does not exist: --app must name the folder of a function app") from None
    except ValueError as error:
        raise HostError(f"{path} is not JSON: {error}") from None

    def value(dotted: str, default: Any) -> Any:  # noqa: ANN401 - JSON
        override = env.get(OVERRIDE + dotted.replace(".", "__"))
        return override if override is not None else _dig(document, dotted.split("."), default)

    return HostConfig(
        route_prefix=str(value("extensions.http.routePrefix", "api")).strip("/"),
        function_timeout=_seconds(str(value("functionTimeout", "00:30:00"))),
        poison_blob_threshold=int(value("extensions.blobs.poisonBlobThreshold", 5)),
        blob_slots=int(value("extensions.blobs.maxDegreeOfParallelism", 8 * cores)),
        queue_batch=int(value("extensions.queues.batchSize", 16)),
        queue_max_dequeue=int(value("extensions.queues.maxDequeueCount", 5)),
        queue_retry_after=int(_seconds(str(value("extensions.queues.visibilityTimeout", "00:00:00")))),
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


def _dig(document: Any, path: list[str], default: Any) -> Any:  # noqa: ANN401 - JSON
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return default
        document = document[name]
    return document


def _seconds(text: str) -> float:
    """`hh:mm:ss` (or `d.hh:mm:ss`) in seconds; -1 means without limit."""
    if text == "-1":
        return float("inf")
    try:
        days, _, clock = text.rpartition(".") if text.count(":") == 2 and "." in text else ("0", "", text)
        hours, minutes, seconds = (int(part) for part in clock.split(":"))
        return int(days) * 86400.0 + hours * 3600 + minutes * 60 + seconds
    except ValueError:
        raise HostError(f"{text!r} in host.json is not of the form hh:mm:ss") from None
