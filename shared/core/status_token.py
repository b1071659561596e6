"""Tokens that stand for the status of one submission: who holds one may read that status until it expires.

The host checks function keys before any code of ours runs, and flows do not repeat the credentials of a first
call when they poll its `Location` (https://github.com/Azure/logicapps/issues/611). So the address of a status
carries its own authority: `base64url(JSON) "." base64url(HMAC-SHA256 of what stands before)`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

LIFETIME = timedelta(days=7)
"""How long a status can be read: longer than an unknown outcome lasts (a day), and a review usually."""
_DAY = 86400
LONGEST = 1024
"""Characters of a token; ours have about 250."""


@dataclass(frozen=True, slots=True)
class StatusOf:
    """Which status: `record` is the ledger's key, `digest` the submission in it, "" for the only one."""

    record: str
    digest: str


def issue(status: StatusOf, secret: bytes, now: datetime) -> str:
    """A token for that status, good for LIFETIME and to the end of that day: it is the same all day."""
    expires = (int((now + LIFETIME).timestamp()) // _DAY + 1) * _DAY
    payload = _text(json.dumps([status.record, status.digest, expires], separators=(",", ":")).encode())
    return f"{payload}.{_signature(payload, secret)}"


def verify(token: str, secrets: Iterable[bytes], now: datetime) -> StatusOf:
    """The status that a token stands for. ValueError when none of the secrets signed it, or it is expired."""
    payload, _, given = token.partition(".")
    if len(token) > LONGEST or not token.isascii():
        raise ValueError
    if not any(hmac.compare_digest(_signature(payload, secret), given) for secret in secrets):
        raise ValueError
    record, digest, expires = json.loads(_bytes(payload))
    if now.timestamp() > expires:
        raise ValueError
    return StatusOf(record, digest)


def _signature(payload: str, secret: bytes) -> str:
    return _text(hmac.digest(secret, payload.encode(), hashlib.sha256))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return binascii.a2b_base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
