"""What the app sends to Application Insights, by the real exporter, to a server that keeps what it gets."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.stack import Plan
from local.web import Request, Response, WebServer, json_response
from shared.settings import Settings
from shared.telemetry import (
    CALLS,
    CORRELATION_ID,
    CREDENTIAL,
    DROP,
    METRICS,
    OUTCOME,
    POISON,
    STATUS,
    THROTTLED,
)
from tests.app.conftest import CUSTOMER, METADATA, PDF, App, app_on
from tests.local.hosts import PATIENCE

NAME = "Muster-GmbH/Geheimprojekt"


@dataclass
class Ingestion:
    """Takes whatever the exporter sends, and says so."""

    envelopes: list[dict[str, Any]] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Response:
        packed = request.headers.get("content-encoding") == "gzip"
        text = (gzip.decompress(request.body) if packed else request.body).decode()
        envelopes = json.loads(text)
        self.raw.append(f"{request.url} {request.headers} {text}")
        self.envelopes += envelopes
        return json_response(
            200, {"itemsReceived": len(envelopes), "itemsAccepted": len(envelopes), "errors": []}
        )

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in list(self.envelopes) if e["data"]["baseType"] == kind]

    def figures(self) -> set[str]:
        return {metric["name"] for e in self.of("MetricData") for metric in e["data"]["baseData"]["metrics"]}

    def poisoned(self) -> set[str]:
        """The queues of which poison was told."""
        found = [e["data"]["baseData"] for e in self.of("MetricData")]
        return {f["properties"]["csp_orders.queue"] for f in found if f["metrics"][0]["name"] == POISON.name}

    def spans(self, correlation_id: str) -> dict[str, dict[str, Any]]:
        """The spans with that id, by their names: their data, and `tags`."""
        found = [{**e["data"]["baseData"], "tags": e["tags"]} for e in self.of("RemoteDependencyData")]
        return {s["name"]: s for s in found if s["properties"].get(CORRELATION_ID) == correlation_id}


@pytest.fixture(scope="module")
def ingestion() -> Iterator[tuple[Ingestion, str]]:
    kept = Ingestion()
    with WebServer(kept.answer) as server:
        yield kept, server.url


@pytest.fixture(scope="module")
def watched(ingestion: tuple[Ingestion, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    settings = {
        "TELEMETRY": "azure-monitor",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=00000000-0000-0000-0000-000000000001;"
        f"IngestionEndpoint={ingestion[1]}/",
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    with app_on(Plan(tmp_path_factory.mktemp("watched"), settings=settings)) as app:
        yield app


@pytest.fixture
def told(ingestion: tuple[Ingestion, str], watched: App) -> Ingestion:
    return ingestion[0]


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def attached(app: App) -> dict[str, Any]:
    """The receipt of a drop that was attached."""
    order = app.new_order()
    app.drop(f"{NAME}.pdf", PDF)
    app.drop(f"{NAME}.json", {"customerId": CUSTOMER, "orderId": order, **METADATA})
    return app.receipt(f"{NAME}.json", "attached")


def run(app: App, function: str, **body: str) -> None:
    """Run a function that is not called over HTTP, as the host's own interface does."""
    url = f"{app.stack.hosts[0].url}/admin/functions/{function}"
    key = {"x-functions-key": app.stack.hosts[0].master_key}
    assert app.http.post(url, json=body, headers=key).status_code == 202


def test_a_drop_is_one_trace_whose_spans_have_the_correlation_id_of_its_receipt(
    watched: App, told: Ingestion
) -> None:
    correlation_id = attached(watched)["correlationId"]
    call = "POST /customers/{}/orders/{}/attachment"
    wait_for(lambda: {"blob_trigger", call} <= told.spans(correlation_id).keys())

    spans = told.spans(correlation_id)
    own, sent = spans["blob_trigger"], spans[call]
    assert sent["tags"]["ai.operation.id"] == own["tags"]["ai.operation.id"]
    assert sent["tags"]["ai.operation.parentId"] == own["id"]
    assert sent["target"] == "Partner Center"
    assert (sent["properties"][STATUS], sent["properties"][OUTCOME]) == ("201", "ok")


def test_a_request_is_a_trace_with_the_correlation_id_of_its_answer(watched: App, told: Ingestion) -> None:
    answer = watched.http.get(f"{watched.api}/drops/none.json")
    correlation_id = answer.headers["x-correlation-id"]
    wait_for(lambda: "get_drop" in told.spans(correlation_id))

    assert told.spans(correlation_id)["get_drop"]["properties"][STATUS] == "404"


def test_every_figure_arrives_that_there_is_something_to_tell_of(watched: App, told: Ingestion) -> None:
    attached(watched)
    run(watched, "sweep", input="")
    run(watched, "work_poisoned", input='{"kind": "drop", "name": "none.json"}')
    event = {"ContainerName": Settings.read(watched.stack.settings).storage.incoming, "BlobName": "none.json"}
    run(watched, "poisoned", input=json.dumps(event))
    expected = {metric.name for metric in METRICS} - {CREDENTIAL.name, THROTTLED.name}
    wait_for(lambda: expected <= told.figures() and {"events", "work"} <= told.poisoned())

    assert told.figures() - expected <= {THROTTLED.name, "_OTELRESOURCE_"}
    by = {
        metric["name"]: e["data"]["baseData"]["properties"]
        for e in told.of("MetricData")
        for metric in e["data"]["baseData"]["metrics"]
    }
    assert by[DROP.name]["csp_orders.state"] == "attached"
    assert by[CALLS.name].keys() >= {"csp_orders.outcome", "csp_orders.method", "csp_orders.route"}


def test_what_is_sent_holds_no_name_no_content_and_no_secret_and_no_line_of_the_log(
    watched: App, told: Ingestion
) -> None:
    attached(watched)
    assert watched.place(b'{"lineItems": "Geheimprojekt"}').status_code == 400
    run(watched, "sweep", input="")
    wait_for(lambda: "create_order" in str(told.raw) and "sweep" in str(told.raw))

    secrets = (
        "Muster",
        "Geheim",
        "%PDF",
        "156.87",
        "eyJ",
        "Bearer",
        watched.stack.settings["PARTNER_CLIENT_SECRET"],
        watched.stack.hosts[0].key,
        watched.stack.hosts[0].master_key,
        watched.stack.azurite.connection_string,
        "devstoreaccount1",
    )
    assert [secret for secret in secrets if secret in str(told.raw)] == []
    assert {e["data"]["baseType"] for e in told.envelopes} == {"MetricData", "RemoteDependencyData"}


def test_the_log_has_each_line_once_and_none_of_the_exporter(watched: App, told: Ingestion) -> None:
    correlation_id = attached(watched)["correlationId"]
    wait_for(lambda: bool(told.spans(correlation_id)))

    log = "".join(path.read_text() for path in watched.stack.plan.folder.glob("host-*.log"))
    lines = [line for line in log.splitlines() if correlation_id in line]
    assert len(lines) == len(set(lines))
    # two events may both find it done, and say so; that it became so is written once
    assert sum('"attachment done"' in line for line in lines) == 1
    assert [word for word in ("v2.1/track", "InstrumentationKey", "opentelemetry") if word in log] == []
