"""Event Grid notifications, the messages made of them, and path patterns. No I/O.

https://learn.microsoft.com/en-us/azure/event-grid/event-schema-blob-storage
https://github.com/Azure/azure-sdk-for-net/blob/main/sdk/storage/Microsoft.Azure.WebJobs.Extensions.Storage.Blobs/src/Listeners/BlobTriggerMessage.cs
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

FUNCTION_PREFIX = "Host.Functions."


class EventError(ValueError):
    """An event or a message is not of the documented shape."""


@dataclass(frozen=True, slots=True)
class BlobMessage:
    """One queue message: run `function` for this blob. `etag` has no quotes."""

    function: str
    container: str
    name: str
    etag: str

    def encode(self) -> str:
        """The text that goes on the queue: base64 of JSON."""
        document = {
            "Type": "BlobTrigger",
            "FunctionId": FUNCTION_PREFIX + self.function,
            "BlobType": "BlockBlob",
            "ContainerName": self.container,
            "BlobName": self.name,
            "ETag": f'"{self.etag}"',
        }
        return base64.b64encode(json.dumps(document).encode()).decode()

    @classmethod
    def decode(cls, text: str) -> BlobMessage:
        """Read a message; EventError when it is none of ours."""
        try:
            document = json.loads(base64.b64decode(text, validate=True))
            return cls(
                document["FunctionId"].removeprefix(FUNCTION_PREFIX),
                document["ContainerName"],
                document["BlobName"],
                document["ETag"].strip('"'),
            )
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise EventError("not a blob trigger message") from error


def message_of(function: str, event: Mapping[str, Any]) -> BlobMessage:
    """The message for one BlobCreated event."""
    try:
        data = event["data"]
        container, name = split_url(data["url"])
        return BlobMessage(function, container, name, str(data.get("eTag", "")).strip('"'))
    except (KeyError, TypeError, AttributeError) as error:
        raise EventError("not a blob event") from error


def split_url(url: str) -> tuple[str, str]:
    """Container and blob name of a blob's URL; on an IP address or localhost the account comes first.

    https://learn.microsoft.com/en-us/azure/storage/common/storage-use-azurite#ip-style-url
    """
    parts = urlsplit(url)
    segments = unquote(parts.path).lstrip("/").split("/")
    if _is_local(parts.hostname or ""):
        segments = segments[1:]
    if len(segments) < 2:
        raise EventError("the event's URL names no blob")
    return segments[0], "/".join(segments[1:])


def bind(pattern: str, path: str) -> dict[str, str] | None:
    """Values of the `{names}` of a pattern (`incoming/{name}`) for `container/blob`; None if it does not fit.

    https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-blob-trigger#blob-name-patterns
    """
    names: list[str] = []
    expression = ""
    for piece in re.split(r"(\{\w+\})", pattern):
        if piece.startswith("{"):
            names.append(piece[1:-1])
            expression += "(.+)"
        else:
            expression += re.escape(piece)
    found = re.fullmatch(expression, path, re.DOTALL)
    return dict(zip(names, found.groups(), strict=True)) if found else None


def _is_local(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
