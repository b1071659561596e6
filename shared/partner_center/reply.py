"""What a reply means: an answer, or the error that says what is known about the request.

A call that writes:
1. 2xx with the member that the call is about: an Answer, whatever else it holds.
2. An answer that is known to refuse (codes.refuses): RefusedError and its kinds; nothing was done.
3. Every other answer, unreadable ones and those that broke off included: OutcomeUnknownError.

A call that only reads never has an unknown outcome:
1. 200 with the member that the call is about: an Answer.
2. Any other 1xx or 2xx: NotAppliedError, as if no answer had come, unless it holds a documented error code
   (200 with 400072).
3. Everything else: RefusedError and its kinds.

401 is about the token, 429 about the rate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.core.errors import (
    NotAppliedError,
    OutcomeUnknownError,
    PartnerCenterError,
    RefusedError,
    SupportIds,
    ThrottledError,
    TokenRejectedError,
)
from shared.core.moments import LONGEST_RETRY_AFTER, http_date, retry_after
from shared.core.resources import by_lower_name
from shared.partner_center import codes
from shared.partner_center.paging import more_follows, total_of
from shared.partner_center.wire import Answer, Call, RawResponse, RequestIds, parse_object

_MAX_DESCRIPTION = 1024  # as documented for `description`
_MAX_CODE = 64
_DEFAULT_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error reply says of itself; "" where it says nothing.

    `is_resource`: it is the error resource of Partner Center's documentation. `documented`: it has that or
    another documented shape, and so is no page of somebody on the way.
    """

    code: str
    description: str
    is_resource: bool = False
    documented: bool = False


def interpret(call: Call, raw: RawResponse, sent: RequestIds) -> Answer:
    """Return the answer, or raise the error that the rules above name."""
    if raw.whole and _is_success(call, raw):
        return Answer(raw.status, raw.body, support_ids(raw.headers, sent))
    raise failure(call, raw, sent)


def failure(call: Call, raw: RawResponse, sent: RequestIds) -> PartnerCenterError:
    """Return the error that a reply which is no success means."""
    ids, error = support_ids(raw.headers, sent), parse_error(raw)
    if call.writes:
        known = raw.whole and codes.refuses(
            raw.status, error.code, documented=error.documented, resent=call.resent
        )
        return _refusal(raw, error, ids) if known else _unknown(raw, error, ids)
    if raw.status < 300 and (raw.status, error.code) not in codes.TABLE:
        return NotAppliedError(f"Partner Center answered {raw.status} without a readable result.")
    return _refusal(raw, error, ids)


def _is_success(call: Call, raw: RawResponse) -> bool:
    if not (200 <= raw.status < 300 if call.writes else raw.status == 200):
        return False
    content = parse_object(raw.body) or {}
    if call.member == "id":
        return _has_id(by_lower_name(content))
    if call.member == "orders":
        return _is_checked_out(by_lower_name(content))
    value = content.get(call.member)
    return isinstance(value, list) and not (call.entire and _is_page(content, raw.headers, len(value)))


def _is_checked_out(members: Mapping[str, Any]) -> bool:
    """Whether an answer tells of orders or of errors; the documents' example for licences is an order itself.
    https://learn.microsoft.com/en-us/partner-center/developer/checkout-a-cart"""
    told = any(isinstance(members.get(name), list) for name in ("orders", "ordererrors"))
    return told or _has_id(members)


def _has_id(members: Mapping[str, Any]) -> bool:
    value = members.get("id")
    return isinstance(value, str) and value.strip() != ""


def _is_page(collection: Mapping[str, Any], headers: Mapping[str, str], items: int) -> bool:
    """Whether a list is not all there is: taken for the whole it would hide what it lacks."""
    return more_follows(collection, headers) or (total_of(collection) or 0) > items


def _unknown(raw: RawResponse, error: ErrorBody, ids: SupportIds) -> OutcomeUnknownError:
    answered = f"Partner Center answered {raw.status}{f' (code {error.code})' if error.code else ''}"
    detail = (
        f"{answered}, which does not show whether the request was carried out. {error.description}".rstrip()
    )
    return OutcomeUnknownError(detail, ids, status=raw.status, code=error.code)


def _refusal(raw: RawResponse, error: ErrorBody, ids: SupportIds) -> RefusedError:
    if raw.status == 429:
        return throttled(error, seconds_to_wait(raw.headers, error.description), ids)
    kind = TokenRejectedError if raw.status == 401 else RefusedError
    return kind(
        raw.status,
        error.code,
        error.description,
        codes.advice(raw.status, error.code),
        ids,
        from_service=error.is_resource and error.code != "" and raw.status != 401,
    )


def throttled(error: ErrorBody, seconds: float, ids: SupportIds) -> ThrottledError:
    """Return the error for a rate limit that ends in `seconds`."""
    refusal = ThrottledError(429, error.code, error.description, codes.advice(429, error.code), ids)
    refusal.retry_after = seconds
    return refusal


def seconds_to_wait(headers: Mapping[str, str], description: str) -> float:
    """Seconds to wait after a 429, from 1 to 3600: the header's, else the message's, else 30.

    https://learn.microsoft.com/en-us/partner-center/developer/api-throttling-guidance
    """
    now = http_date(headers.get("date", "")) or datetime.now(UTC)
    seconds = retry_after(headers.get("retry-after", ""), now)
    if seconds is None:
        in_words = re.search(r"([0-9]+)\s*second", description)
        seconds = float(in_words[1]) if in_words else _DEFAULT_WAIT
    return min(max(seconds, 1.0), LONGEST_RETRY_AFTER)


def support_ids(headers: Mapping[str, str], sent: RequestIds) -> SupportIds:
    """Return the ids of the exchange, as the reply has them, else as we sent them."""
    return SupportIds(
        request_id=_clean(headers.get("ms-requestid", ""), 128) or sent.request_id,
        correlation_id=_clean(headers.get("ms-correlationid", ""), 128) or sent.correlation_id,
        cv=_clean(headers.get("ms-cv", ""), 128),
        server_id=_clean(headers.get("ms-serverid", ""), 128),
    )


def parse_error(raw: RawResponse) -> ErrorBody:
    """Read an error reply of any shape that was seen: Partner Center's, the gateway's, text, nothing at all.

    https://learn.microsoft.com/en-us/partner-center/developer/error-codes
    """
    content = parse_object(raw.body)
    challenge = _challenge(raw.headers.get("www-authenticate", ""))
    if content is None:
        described = _clean(_plain_text(raw) or challenge, _MAX_DESCRIPTION)
        return ErrorBody("", described, documented=_is_documented(raw, {}))
    outer = {name.lower(): value for name, value in content.items()}
    inner = outer.get("error")
    members = ({name.lower(): v for name, v in inner.items()} if isinstance(inner, dict) else {}) | outer
    code = _code(members.get("code")) or _code(members.get("errorcode")) or ""
    texts = (members.get(name) for name in ("description", "message", "errordescription", "title"))
    description = next((text for text in texts if isinstance(text, str) and text.strip()), challenge)
    return ErrorBody(
        _clean(code, _MAX_CODE),
        _clean(description, _MAX_DESCRIPTION),
        is_resource=_code(outer.get("code")) is not None,
        documented=_is_documented(raw, outer),
    )


def _is_documented(raw: RawResponse, members: Mapping[str, Any]) -> bool:
    """Whether an answer has a shape that Partner Center or its gateway is documented to give.

    https://learn.microsoft.com/en-us/partner-center/developer/error-codes
    https://learn.microsoft.com/en-us/partner-center/developer/api-throttling-guidance
    https://learn.microsoft.com/en-us/partner-center/security/partner-security-requirements-mandating-mfa
    """
    if _code(members.get("code")) is not None:
        return True
    if _code(members.get("statuscode")) == str(raw.status) and isinstance(members.get("message"), str):
        return True
    if raw.status == 401:
        return not raw.body.strip() or bool(raw.headers.get("www-authenticate", "").strip())
    return raw.status == 429 and bool(raw.headers.get("retry-after", "").strip())


def _code(value: object) -> str | None:
    is_code = isinstance(value, int | str) and not isinstance(value, bool)
    return str(value) if is_code else None


def _plain_text(raw: RawResponse) -> str:
    text = raw.body[: 64 * _MAX_DESCRIPTION].decode("utf-8-sig", "replace")
    return "" if text.lstrip().startswith(("<", "{", "[")) else text


def _challenge(value: str) -> str:
    """Say what WWW-Authenticate says of the error; it is all that some 401 have."""
    found = dict(re.findall(r'\b(error|error_description)="([^"]*)"', value))
    return ": ".join(found[name] for name in ("error", "error_description") if found.get(name))


def _clean(text: str, limit: int) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text[: 4 * limit])
    return " ".join(shown.split())[:limit]
