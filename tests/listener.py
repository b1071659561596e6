"""OpenTelemetry's own SDK, which keeps in memory what the app tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    NumberDataPoint,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.telemetry import SCOPE, Metric

Told = dict[tuple[str, ...], float]
"""What was told of a figure since somebody asked last: by the values of its attributes, in their order. Of a
histogram it is how often."""


@dataclass
class Listener:
    """Hears figures and spans. There is one in a process: OpenTelemetry takes no second provider."""

    reader: InMemoryMetricReader
    exporter: InMemorySpanExporter

    def figures(self) -> Mapping[str, Told]:
        """All figures, by their names, since the last time."""
        data, found = self.reader.get_metrics_data(), dict[str, Told]()
        for resource in data.resource_metrics if data else ():
            for scope in (scope for scope in resource.scope_metrics if scope.scope.name == SCOPE):
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        key = tuple(str(value) for value in (point.attributes or {}).values())
                        value = point.value if isinstance(point, NumberDataPoint) else point.count
                        found.setdefault(metric.name, {})[key] = value
        return found

    def of(self, metric: Metric) -> Told:
        return self.figures().get(metric.name, {})

    def spans(self) -> Sequence[ReadableSpan]:
        """What has ended since the last time."""
        found = self.exporter.get_finished_spans()
        self.exporter.clear()
        return found


@cache
def _the_listener() -> Listener:
    delta: dict[type, AggregationTemporality] = dict.fromkeys(
        (Counter, Histogram), AggregationTemporality.DELTA
    )
    listener = Listener(InMemoryMetricReader(preferred_temporality=delta), InMemorySpanExporter())
    spans = TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(listener.exporter))
    trace.set_tracer_provider(spans)
    metrics.set_meter_provider(MeterProvider([listener.reader]))
    return listener


def listener() -> Listener:
    """The listener of this process, which has heard nothing yet."""
    found = _the_listener()
    found.figures()
    found.spans()
    return found
