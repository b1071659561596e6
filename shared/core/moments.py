"""Moments as others write them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


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
