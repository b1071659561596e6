"""Figures and spans, told through the API of OpenTelemetry. All others speak through this module.

1. While nobody listens nothing is imported, counted or kept. Somebody may listen once the API is imported, as
   whoever brings an SDK does first. The setting TELEMETRY brings the exporter to Azure Monitor.
2. What is told are ids, states, counts and times; never a name of a customer or a file, a token, or the text
   of an error.
3. A trace ends with its invocation: no span is carried across a queue. The correlation id is.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from shared.settings_table import AZURE_MONITOR

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.trace import Span

SCOPE = "csp_orders"
CORRELATION_ID = f"{SCOPE}.correlation_id"
"""Attribute of every span: the id that log lines, receipts, answers and Partner Center have as well."""
OUTCOME = f"{SCOPE}.outcome"
STATUS = f"{SCOPE}.status"
"""The HTTP status of an answer. Azure Monitor's exporter drops http.response.status_code, or, beside
http.request.method, names the span anew by a path with ids in it, or by none."""

_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""Bounds of histograms; 600 s is the objective for a receipt (docs/runbooks.md)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. Names and units follow https://opentelemetry.io/docs/specs/semconv/general/metrics/ ; its
    attributes are named without the scope, and have few values each."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    """As UCUM writes it: https://ucum.org/ucum"""
    attributes: tuple[str, ...]
    meaning: str

    def record(self, value: float, **attributes: str) -> None:
        """Add `value` to a counter, set a gauge to it, or put it into a histogram."""
        if somebody_listens():
            _recorder(self)(value, {f"{SCOPE}.{name}": given for name, given in attributes.items()})

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Record how many seconds the block took, also when it raises."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.record(time.perf_counter() - began)


OPEN = Metric(
    f"{SCOPE}.submission.open",
    "gauge",
    "{submission}",
    ("state",),
    "submissions and drops that are in that state, counted in storage by each sweep",
)
OLDEST = Metric(
    f"{SCOPE}.submission.oldest_age",
    "gauge",
    "s",
    ("state",),
    "for how long the oldest of them has been in it; 0 when there is none",
)
DROP = Metric(
    f"{SCOPE}.drop.duration",
    "histogram",
    "s",
    ("state",),
    "from the last part of a drop to its first receipt that is `attached`, `rejected` or `review`",
)
CALLS = Metric(
    f"{SCOPE}.partner_center.calls",
    "counter",
    "{call}",
    ("outcome", "method", "route"),
    "calls to Partner Center, each attempt is one: `ok`, `throttled` (429), `refused`, `unavailable` (nothing"
    " was done), `lost` (the outcome is not known), `stopped` (by us: a document could not be read)",
)
THROTTLED = Metric(
    f"{SCOPE}.partner_center.throttle_time",
    "counter",
    "s",
    (),
    "how long Partner Center asked to wait, all 429 together",
)
SWEEP = Metric(f"{SCOPE}.sweep.duration", "histogram", "s", (), "time that a sweep took")
POISON = Metric(
    f"{SCOPE}.poison.messages",
    "counter",
    "{message}",
    ("queue",),
    "messages that failed five times: `events` of blobs, or `work`",
)
CREDENTIAL = Metric(
    f"{SCOPE}.credential.remaining",
    "gauge",
    "d",
    ("credential",),
    "until the `refresh_token` in the vault or the `certificate` ends, looked up by each sweep; Entra alone"
    " knows the end of a client secret",
)
METRICS = (OPEN, OLDEST, DROP, CALLS, THROTTLED, SWEEP, POISON, CREDENTIAL)


class Step:
    """A span under way, or nothing while nobody listens."""

    def __init__(self, span: Span | None = None) -> None:
        self._span = span

    def set(self, attribute: str, value: str | int) -> None:
        """Say more of it."""
        if self._span is not None:
            self._span.set_attribute(attribute, value)


@contextmanager
def invocation(function: str, correlation_id: str) -> Iterator[Step]:
    """The span of a run of a function. The first one brings the exporter that TELEMETRY names."""
    with _one_at_a_time:
        _bring_exporter()
    with span(function, {CORRELATION_ID: correlation_id}) as step:
        yield step


@contextmanager
def span(name: str, attributes: Mapping[str, str], *, client: bool = False) -> Iterator[Step]:
    """Put a span around the block; `client`: it is a call to another service. Of an error only the type is
    told: its text may quote what a caller sent."""
    if not somebody_listens():
        yield Step()
        return
    from opentelemetry import trace

    kind = trace.SpanKind.CLIENT if client else trace.SpanKind.INTERNAL
    with trace.get_tracer(SCOPE).start_as_current_span(
        name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as begun:
        try:
            yield Step(begun)
        except Exception as error:
            begun.set_attribute("error.type", type(error).__name__)
            begun.set_status(trace.StatusCode.ERROR)
            raise


def somebody_listens() -> bool:
    """Whether an SDK may be there."""
    return {"opentelemetry.metrics", "opentelemetry.trace"} <= sys.modules.keys()


_one_at_a_time = threading.Lock()


@cache
def _bring_exporter() -> None:
    if os.environ.get("TELEMETRY", "").strip() == AZURE_MONITOR:
        from shared import exporter

        exporter.start()


class _Latest:
    """The latest values of a gauge, each to be told once. A gauge that is set and not observed would be told
    again with every export: an instance that has swept once would tell its old count for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, ...], tuple[float, Mapping[str, str]]] = {}

    def set(self, value: float, attributes: Mapping[str, str]) -> None:
        with self._lock:
            self._values[tuple(attributes.values())] = (value, attributes)

    def take(self, options: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        with self._lock:
            taken, self._values = self._values, {}
        return [Observation(*told) for told in taken.values()]


@cache
def _recorder(metric: Metric) -> Callable[[float, Mapping[str, str]], None]:
    from opentelemetry import metrics

    meter, words = metrics.get_meter(SCOPE), (metric.name, metric.unit, metric.meaning)
    if metric.kind == "counter":
        return meter.create_counter(*words).add
    if metric.kind == "gauge":
        latest = _Latest()
        meter.create_observable_gauge(metric.name, [latest.take], *words[1:])
        return latest.set
    return meter.create_histogram(*words, explicit_bucket_boundaries_advisory=_SECONDS).record
