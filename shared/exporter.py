"""The SDK of OpenTelemetry with Azure Monitor's exporters, and nothing besides.

Not the distro (azure-monitor-opentelemetry), which is larger, slower to load, writes every log line a second
time, and instruments HTTP libraries whose URLs name drops: docs/decisions/0009-telemetry.md. Log lines go the
way that they always go, through the Functions host.
"""

from __future__ import annotations

import logging
import os

log = logging.getLogger(__name__)


def start() -> None:
    """Send figures every minute and spans every five seconds to where APPLICATIONINSIGHTS_CONNECTION_STRING
    says, as the identity of APPLICATIONINSIGHTS_AUTHENTICATION_STRING. Raises nothing: what keeps telemetry
    from working is logged, and keeps nothing else from it.
    https://learn.microsoft.com/en-us/python/api/overview/azure/monitor-opentelemetry-exporter-readme
    """
    # the exporter's own statistics go to Microsoft, by another way than ours
    os.environ.setdefault("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "true")
    # two lines for each request that it sends
    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)
    try:
        _start()
    except Exception as error:  # its text may hold the connection string
        kind = type(error).__name__
        log.error("telemetry is not exported (%s): see APPLICATIONINSIGHTS_CONNECTION_STRING", kind)


def _start() -> None:
    from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # the role and the instance under which the host tells of the same app
    resource = Resource.create(
        {
            "service.name": os.environ.get("WEBSITE_SITE_NAME", "partner-center-functions"),
            "service.instance.id": os.environ.get("WEBSITE_INSTANCE_ID", ""),
        }
    )
    figures = PeriodicExportingMetricReader(AzureMonitorMetricExporter(disable_offline_storage=True))
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(AzureMonitorTraceExporter(disable_offline_storage=True)))
    metrics.set_meter_provider(MeterProvider([figures], resource))
    trace.set_tracer_provider(tracing)
