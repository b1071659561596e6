"""What a reply means: an answer, or the error that says what is known about the request.

1. 2xx with the member that the call is about: an Answer, whatever else it holds.
2. 2xx without it: refused when it holds a documented error code (200 with 400072), otherwise unreadable.
3. A call that writes: unreadable, 5xx, 408, 800060 and 800005 leave the outcome unknown.
4. 401 is about the token, 429 about the rate; everything else is a refusal.
5. A call that only reads never has an unknown outcome: unreadable is as if no answer had come.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from shared.errors import (
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    SupportIds,
    ThrottledError,
    TokenRejectedError,
)
from shared.partner_center import codes
from shared.partner_center.wire import Answer, Call, Reply, RequestIds, parse_object

_MAX_DESCRIPTION = 1024  # as documented for `description`
_MAX_CODE = 64
_DEFAULT_WAIT = 30.0
_LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What an error reply says of itself; "" where it says nothing."""

    code: str
    description: str


def judge(call: Call, reply: Reply, sent: RequestIds, token: str = "") -> Answer:
    """Return the answer, or raise RefusedError, NotSentError or OutcomeUnknownError by the rules above.

    `token` is blotted out should the reply repeat it.
    """
    ids = support_ids(reply.headers, sent)
    fault = parse_fault(reply, token)
    if 200 <= reply.status < 300:
        if reply.whole and _is_success(call, reply.body):
            return Answer(reply.status, reply.body, ids)
        if (reply.status, fault.code) not in codes.TABLE:
            raise _unclear(call, f"Partner Center answered {reply.status} without a readable result.", ids)
    if call.writes and codes.outcome_unknown(reply.status, fault.code):
        said = f"Partner Center answered {reply.status}{f' (code {fault.code})' if fault.code else ''}"
        raise OutcomeUnknownError(f"{said}, which does not tell what became of the request.", ids)
    raise _refusal(reply, fault, ids)


def _unclear(call: Call, detail: str, ids: SupportIds) -> OutcomeUnknownError | NotSentError:
    return OutcomeUnknownError(detail, ids) if call.writes else NotSentError(detail)


def _is_success(call: Call, body: bytes) -> bool:
    content = parse_object(body) or {}
    value = content.get(call.member)
    if call.member == "id":
        return isinstance(value, str) and value.strip() != ""
    return isinstance(value, list) and (call.writes or _is_complete(content, value))


def _is_complete(collection: Mapping[str, Any], items: list[Any]) -> bool:
    """Whether a list is all there is: a page that is taken for the whole would hide what it lacks.

    Paging is not documented for these calls; elsewhere it shows as `links.next` or a greater `totalCount`.
    https://learn.microsoft.com/en-us/partner-center/developer/get-a-list-of-customers
    """
    links, total = collection.get("links"), collection.get("totalCount")
    has_next = isinstance(links, dict) and bool(links.get("next"))
    return not has_next and not (isinstance(total, int) and total > len(items))


def _refusal(reply: Reply, fault: Fault, ids: SupportIds) -> RefusedError:
    advice = codes.advice(reply.status, fault.code)
    if reply.status == 429:
        return throttled(fault, retry_after(reply, fault), ids)
    kind = TokenRejectedError if reply.status == 401 else RefusedError
    return kind(reply.status, fault.code, fault.description, advice, ids)


def throttled(fault: Fault, seconds: float, ids: SupportIds) -> ThrottledError:
    """Return the error for a rate limit that ends in `seconds`."""
    error = ThrottledError(429, fault.code, fault.description, codes.advice(429, fault.code), ids)
    error.retry_after = seconds
    return error


def retry_after(reply: Reply, fault: Fault) -> float:
    """Seconds to wait after a 429, from 1 to 3600: the header's, else the message's, else 30.

    https://learn.microsoft.com/en-us/partner-center/developer/api-throttling-guidance
    """
    said = _seconds(reply.headers.get("retry-after", ""), reply.headers.get("date", ""))
    if said is None:
        in_words = re.search(r"(\d{1,6})\s*second", fault.description)
        said = float(in_words[1]) if in_words else _DEFAULT_WAIT
    return min(max(said, 1.0), _LONGEST_WAIT)


def _seconds(value: str, date: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        until, now = _http_date(value), _http_date(date) or datetime.now(UTC)
        return (until - now).total_seconds() if until else None
    return seconds if math.isfinite(seconds) else None


def _http_date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def support_ids(headers: Mapping[str, str], sent: RequestIds) -> SupportIds:
    """Return the ids of the exchange, as the reply has them, else as we sent them."""
    return SupportIds(
        request_id=_clean(headers.get("ms-requestid", ""), 128) or sent.request_id,
        correlation_id=_clean(headers.get("ms-correlationid", ""), 128) or sent.correlation_id,
        cv=_clean(headers.get("ms-cv", ""), 128),
        server_id=_clean(headers.get("ms-serverid", ""), 128),
    )


def parse_fault(reply: Reply, token: str = "") -> Fault:
    """Read an error reply of any shape that was seen: Partner Center's, the gateway's, text, nothing at all.

    https://learn.microsoft.com/en-us/partner-center/developer/error-codes
    """
    content = parse_object(reply.body)
    if content is None:
        description = _plain_text(reply) or _challenge(reply.headers.get("www-authenticate", ""))
        return Fault("", _clean(_blot(description, token), _MAX_DESCRIPTION))
    members = {name.lower(): value for name, value in content.items()}
    if isinstance(members.get("error"), dict):
        members = {name.lower(): value for name, value in members["error"].items()} | members
    code = _scalar(members.get("code")) or _scalar(members.get("errorcode"))
    told = (members.get(name) for name in ("description", "message", "errordescription", "title"))
    description = next((text for text in told if isinstance(text, str) and text.strip()), "")
    description = description or _challenge(reply.headers.get("www-authenticate", ""))
    return Fault(_clean(_blot(code, token), _MAX_CODE), _clean(_blot(description, token), _MAX_DESCRIPTION))


def _scalar(value: object) -> str:
    is_code = isinstance(value, int | str) and not isinstance(value, bool)
    return str(value) if is_code else ""


def _plain_text(reply: Reply) -> str:
    text = reply.body[: 4 * _MAX_DESCRIPTION].decode("utf-8-sig", "replace")
    return "" if text.lstrip().startswith(("<", "{", "[")) else text


def _challenge(value: str) -> str:
    """Say what WWW-Authenticate says of the error; it is all that some 401 have."""
    found = dict(re.findall(r'\b(error|error_description)="([^"]*)"', value))
    return ": ".join(found[name] for name in ("error", "error_description") if found.get(name))


def _clean(text: str, limit: int) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text[: 4 * limit])
    return " ".join(shown.split())[:limit]


def _blot(text: str, token: str) -> str:
    return text.replace(token, "[token]") if token else text
