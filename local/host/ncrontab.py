"""NCRONTAB: when a timer is due next.

Six fields: second, minute, hour, day, month, day of the week (0 or 7 is Sunday); five fields mean second 0.
Each is `*`, a value, a range `a-b`, a step `*/n`, `a/n` or `a-b/n`, or a list of these; months and weekdays
have English names. A day must fit both the day and the weekday field. Times are UTC.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from local.host.config import HostError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {
    "month": {name: number for number, name in enumerate(_MONTHS, 1)},
    "weekday": {name: number for number, name in enumerate(_DAYS)},
}
_FIELDS = (
    ("second", 0, 59),
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day", 1, 31),
    ("month", 1, 12),
    ("weekday", 0, 7),
)
_HORIZON_DAYS = 366 * 8


@dataclass(frozen=True, slots=True)
class Schedule:
    """The values that each field admits."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def after(self, moment: datetime) -> datetime | None:
        """The first occurrence later than `moment`; None when there is none in eight years (30 February)."""
        start = moment.replace(microsecond=0) + timedelta(seconds=1)
        for offset in range(_HORIZON_DAYS):
            day = start + timedelta(days=offset)
            if self._fits(day):
                found = self._first(day if offset == 0 else day.replace(hour=0, minute=0, second=0))
                if found is not None:
                    return found
        return None

    def _fits(self, day: datetime) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _first(self, earliest: datetime) -> datetime | None:
        for hour in (h for h in self.hours if h >= earliest.hour):
            for minute in self.minutes:
                for second in self.seconds:
                    candidate = earliest.replace(hour=hour, minute=minute, second=second)
                    if candidate >= earliest:
                        return candidate
        return None


def parse(expression: str) -> Schedule:
    """Parse an expression; HostError says which field is wrong."""
    texts = expression.split()
    if len(texts) == 5:
        texts.insert(0, "0")
    if len(texts) != 6:
        raise HostError(f"schedule {expression!r} does not have six fields")
    values = [
        _field(expression, name, low, high, text)
        for (name, low, high), text in zip(_FIELDS, texts, strict=True)
    ]
    second, minute, hour, day, month, weekday = values
    return Schedule(
        tuple(sorted(second)),
        tuple(sorted(minute)),
        tuple(sorted(hour)),
        frozenset(day),
        frozenset(month),
        frozenset(number % 7 for number in weekday),
    )


def _field(expression: str, name: str, low: int, high: int, text: str) -> set[int]:
    values: set[int] = set()
    for part in text.lower().split(","):
        body, _, step = part.partition("/")
        first, _, last = body.partition("-")
        try:
            begin = low if first == "*" else _number(name, first)
            end = _number(name, last) if last else high if first == "*" or step else begin
            chosen = range(begin, end + 1, int(step) if step else 1)
        except ValueError:
            chosen = range(0)
        if not chosen or chosen[0] < low or chosen[-1] > high:
            raise HostError(f"schedule {expression!r}: {part!r} is no {name}")
        values.update(chosen)
    return values


def _number(name: str, text: str) -> int:
    known = _NAMES.get(name, {}).get(text[:3])
    return int(text) if known is None else known
