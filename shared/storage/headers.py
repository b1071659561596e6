"""What the headers of storage's answers say. They are input like any other: the unreadable is an error.

`what` names the request in messages. All raise StorageError.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime

from shared.core.errors import StorageError
from shared.core.moments import http_date


def etag(headers: Mapping[str, str], what: str) -> str:
    """The version of the blob."""
    value = headers.get("ETag", "")
    if not re.fullmatch("[!-~]{1,256}", value):
        raise _unreadable("ETag", what)
    return value


def last_modified(headers: Mapping[str, str], what: str) -> datetime:
    """When the blob was written; storage tells it to the second."""
    moment = http_date(headers.get("Last-Modified", ""))
    if moment is None:
        raise _unreadable("Last-Modified", what)
    return moment


def size(headers: Mapping[str, str], what: str) -> int:
    """Bytes of the body."""
    value = headers.get("Content-Length", "")
    if not (value.isascii() and value.isdigit()):
        raise _unreadable("Content-Length", what)
    return int(value)


def md5(headers: Mapping[str, str], what: str) -> str:
    """MD5 of the blob in lower-case hex, "" where storage keeps none."""
    try:
        digest = base64.b64decode(headers.get("Content-MD5", ""), validate=True)
    except ValueError:
        raise _unreadable("Content-MD5", what) from None
    if len(digest) not in (0, 16):
        raise _unreadable("Content-MD5", what)
    return digest.hex()


def _unreadable(name: str, what: str) -> StorageError:
    return StorageError(f"storage's answer to {what} has no {name} that can be read")
