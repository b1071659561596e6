"""Moments as others write them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""Before anything that this application deals with."""

YEARS = range(2010, 9999)
"""Nothing at Partner Center is older than the programme. An earlier year, and the last, is some type's
default, as 0001-01-01 is: https://learn.microsoft.com/en-us/dotnet/api/system.datetime.minvalue"""

LONGEST_RETRY_AFTER = 3600.0
"""Seconds. Whoever says that a longer time must pass is asked again after this one."""


def http_date(value: str) -> datetime | None:
    """The moment in a header such as Date, in UTC; None when there is none that can be read.
    https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats"""
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def iso_moment(text: str) -> datetime | None:
    """The moment in an ISO 8601 text, with the zone that it has; None when it is none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait from `now` on, in seconds or as a date: at most
    LONGEST_RETRY_AFTER, below 0 for a date that has passed; None when it says nothing that can be read.
    https://www.rfc-editor.org/rfc/rfc9110#name-retry-after"""
    try:
        seconds = float(value)
    except ValueError:
        until = http_date(value)
        if until is None:
            return None
        seconds = (until - now).total_seconds()
    return None if math.isnan(seconds) else min(seconds, LONGEST_RETRY_AFTER)
