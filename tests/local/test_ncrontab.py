"""NCRONTAB expressions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host.config import HostError
from local.host.ncrontab import parse

LATEST = datetime(2200, 1, 1)  # noqa: DTZ001 - Hypothesis wants its bounds without a zone
START = datetime(2026, 11, 20, 10, 7, 31, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 */5 * * * *", "2026-11-20T10:10:00"),
        ("*/20 * * * * *", "2026-11-20T10:07:40"),
        ("30,45 * * * * *", "2026-11-20T10:07:45"),
        ("0 0 9-17/4 * * *", "2026-11-20T13:00:00"),
        ("0 30 9 * * *", "2026-11-21T09:30:00"),
        ("0 30 9 * * mon-wed", "2026-11-23T09:30:00"),
        ("0 0 0 1 jan *", "2027-01-01T00:00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("0 0 0 * * 7", "2026-11-22T00:00:00"),
        ("59 59 23 31 12 *", "2026-12-31T23:59:59"),
        ("0 0 0 13 * fri", "2027-08-13T00:00:00"),
        ("15 10 * * *", "2026-11-20T10:15:00"),
        ("10/25 * * * * *", "2026-11-20T10:07:35"),
    ],
)
def test_next_occurrence(expression: str, expected: str) -> None:
    assert parse(expression).after(START) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_day_that_never_comes() -> None:
    assert parse("0 0 0 30 2 *").after(START) is None


def test_an_occurrence_is_not_its_own_successor() -> None:
    schedule = parse("0 */5 * * * *")

    first = schedule.after(START)
    assert first is not None

    assert schedule.after(first) == first + timedelta(minutes=5)


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "60 * * * * *", "* * 24 * * *", "* * * 0 * *", "*/0 * * * * *", "0 0 0 * foo *"],
)
def test_a_malformed_expression_is_refused(expression: str) -> None:
    with pytest.raises(HostError, match="schedule"):
        parse(expression)


@given(st.datetimes(timezones=st.just(UTC), max_value=LATEST), st.integers(1, 59))
def test_every_n_seconds_is_due_within_n_seconds(moment: datetime, step: int) -> None:
    due = parse(f"*/{step} * * * * *").after(moment)

    assert due is not None
    assert moment < due <= moment + timedelta(seconds=step)
    assert due.second % step == 0
