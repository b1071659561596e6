"""What a campaign shows: one line of progress while it runs, a table at its end."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from local.soak.checker import (
    DISAGREE,
    LOST,
    ONCE,
    REJECTED,
    RESIDUE,
    TWICE,
    UNEXPLAINED,
    UNSEEN,
    WITHDRAWN,
    CheckResult,
    Finding,
)
from local.soak.flows import OPEN, REVIEW
from local.soak.options import Options

_EVERY = 10.0
_OUTCOMES = (ONCE, REJECTED, WITHDRAWN, UNSEEN, REVIEW, OPEN, TWICE, LOST, DISAGREE, UNEXPLAINED, RESIDUE)
_NONE_ASKED = (TWICE, RESIDUE)
"""Outcomes that do not count as requests: nobody asked for them."""


class Progress:
    """One line that changes on a terminal; elsewhere a line every ten seconds."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._next = 0.0

    def show(self, line: str) -> None:
        """Show the present state."""
        if self._live:
            print(f"\r\x1b[K{line}", end="", flush=True)
        elif time.monotonic() >= self._next:
            print(line, flush=True)
            self._next = time.monotonic() + _EVERY

    def done(self) -> None:
        """Leave the line."""
        if self._live:
            print("\r\x1b[K", end="", flush=True)


@dataclass(frozen=True, slots=True)
class Events:
    """What became of the events of `files` blobs, by the hosts' logs."""

    files: int
    delivered: int
    repeated: int
    lost: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """What happened around the drops and orders."""

    kills: int
    died: list[str]
    events: Events
    partner_center: Mapping[str, int]
    partner_center_requests: int
    storage: Mapping[str, int]
    storage_requests: int
    queue: Mapping[str, int]
    queue_requests: int
    client_requests: int
    profile: str
    """Which Partner Center it was, and its behaviour."""
    seconds_to_answer: Mapping[str, Sequence[float]]
    """By the way to buy: from a lost reply to the record of what was bought."""


def table(options: Options, result: CheckResult, stats: Statistics, seconds: float) -> str:
    """The whole result as text."""
    e = stats.events
    rows = [
        "",
        _row("", "drops", "over HTTP", "orders"),
        *(_outcomes(result)),
        "",
        f"hosts                 {options.hosts}, kills {stats.kills}"
        + (f"; ENDED BY THEMSELVES: {', '.join(stats.died)}" if stats.died else ""),
        f"events                {e.files} files, {e.delivered} deliveries, {e.repeated} files delivered more "
        f"than once, {e.lost} never",
        f"Partner Center        {stats.partner_center_requests} requests; {_counts(stats.partner_center)}",
        f"its profile           {stats.profile}",
        f"blobs                 {stats.storage_requests} requests; {_counts(stats.storage)}",
        f"queues                {stats.queue_requests} requests; {_counts(stats.queue)}",
        f"clients               {stats.client_requests} requests",
        f"lost reply to answer  {'; '.join(_answered(*told) for told in stats.seconds_to_answer.items())}",
        f"seed                  {options.seed}",
        f"duration              {seconds:.0f} s",
        f"again                 {options.command}",
    ]
    rows += _told("In review, each with its reason:", result.of(REVIEW))
    rows += _told("Still open, each with a next attempt:", result.of(OPEN))
    rows += _told(
        "Twice, because lists were late for longer than the application expects:", result.of(RESIDUE)
    )
    rows += _told("VIOLATIONS:", result.violations)
    return "\n".join(rows)


def _outcomes(result: CheckResult) -> list[str]:
    columns = [Counter(f.outcome for f in found) for found in (result.drops, result.posts, result.orders)]
    asked = [sum(not f.what.startswith("order ") for f in result.drops), len(result.posts)]
    rows = [_row("asked for", *asked, sum(f.outcome not in _NONE_ASKED for f in result.orders))]
    return rows + [_row(outcome, *(column[outcome] for column in columns)) for outcome in _OUTCOMES]


def _row(name: str, *values: object) -> str:
    return f"{name:<22}" + "".join(f"{value:>12}" for value in values)


def _answered(way: str, seconds: Sequence[float]) -> str:
    if not seconds:
        return f"{way}: none lost"
    return f"{way}: {len(seconds)}, half within {median(seconds):.1f} s, all within {max(seconds):.1f} s"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())) or "no faults"


def _told(title: str, findings: Iterable[Finding]) -> list[str]:
    lines = [f"  {f.what}: {f.outcome}: {f.why}" for f in findings]
    return ["", title, *lines] if lines else []
