"""What a host needs to index the app. Which room may import which stands in pyproject.toml."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shared.bootstrap import SWEEP_SECONDS
from shared.services.attachment_operation import LONGEST_DEADLINE
from shared.services.sweep import DUE_SHARE
from shared.settings_table import DEFAULTS

ROOT = Path(__file__).parents[2]
OPEN = {"health", "get_openapi", "get_status", "preflight"}
"""Functions that anybody may call."""
FUNCTIONS = {
    "create_order": "customers/{customerId}/orders",
    "create_checkout": "customers/{customerId}/checkouts",
    "get_order": "customers/{customerId}/orders/{orderId}",
    "get_order_request": "customers/{customerId}/order-requests",
    "attach_po": "customers/{customerId}/orders/{orderId}/attachments",
    "get_attachments": "customers/{customerId}/orders/{orderId}/attachments",
    "request_upload": "customers/{customerId}/orders/{orderId}/uploads",
    "get_drop": "drops/{*path}",
    "health": "health",
    "decide_review": "reviews/{*key}",
    "retry_drop": "drops/{*path}",
    "get_submissions": "submissions",
    "consent": "operator/consent",
    "doctor": "operator/doctor",
    "get_status": "status/{token}",
    "get_openapi": "openapi.json",
    "preflight": "{*path}",
}


def test_no_function_json_turns_the_app_into_a_mixed_one() -> None:
    assert list(ROOT.glob("[!.]*/**/function.json")) == []  # what .venv and .local hold comes and goes


def indexed(**env: str) -> dict[str, dict[str, object]]:
    script = (
        "import json, function_app\n"
        "print(json.dumps({f.get_function_name(): json.loads(f.get_function_json())"
        " for f in function_app.app.get_functions()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, dict[str, object]] = json.loads(done.stdout)
    return found


def trigger(function: dict[str, object]) -> dict[str, object]:
    bindings = function["bindings"]
    assert isinstance(bindings, list)
    found: dict[str, object] = next(b for b in bindings if str(b["type"]).lower().endswith("trigger"))
    return found | {"authLevel": str(found.get("authLevel")).lower()}


def test_an_empty_environment_indexes_every_function() -> None:
    functions = indexed()

    routes = {name: trigger(f).get("route") for name, f in functions.items()}
    assert {name: route for name, route in routes.items() if route} == FUNCTIONS
    assert set(functions) == {*FUNCTIONS, "blob_trigger", "sweep", "poisoned", "work", "work_poisoned"}
    assert {trigger(functions[name])["authLevel"] for name in OPEN} == {"anonymous"}
    operators = {"decide_review", "consent", "doctor"}
    assert {trigger(functions[name])["authLevel"] for name in operators} == {"admin"}
    others = set(FUNCTIONS) - OPEN - operators
    assert {str(trigger(functions[name])["authLevel"]) for name in others} == {"function"}


def test_where_callers_sign_in_every_other_route_asks_who_calls() -> None:
    script = (
        "import json, azure.functions as func, function_app\n"
        "request = func.HttpRequest('GET', '/api/x', body=b'')\n"
        "functions = [f for f in function_app.app.get_functions() if f.is_http_function()]\n"
        f"guarded = [f for f in functions if f.get_function_name() not in {sorted(OPEN)}]\n"
        "answers = {f.get_function_name(): f.get_user_function()(request).status_code for f in guarded}\n"
        "print(json.dumps(answers))"
    )
    env = {"AUTHENTICATION": "entra", "WEBSITE_AUTH_ENABLED": "True"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout) == dict.fromkeys(set(FUNCTIONS) - OPEN, 401)


@pytest.mark.parametrize(("authentication", "opened"), [("entra", True), ("Entra", False)])
def test_only_where_callers_sign_in_no_route_asks_for_a_key(authentication: str, opened: bool) -> None:
    functions = indexed(AUTHENTICATION=authentication)
    assert ({trigger(functions[name])["authLevel"] for name in FUNCTIONS} == {"anonymous"}) is opened


@pytest.mark.parametrize("source", ["EventGrid", "LogsAndContainerScan"])
def test_the_blob_trigger_follows_its_settings(source: str) -> None:
    functions = indexed(BLOB_TRIGGER_SOURCE=source, INCOMING_CONTAINER="inbox", SWEEP_SCHEDULE="0 0 * * * *")

    blob = trigger(functions["blob_trigger"])
    assert (blob["source"], blob["path"], blob["connection"]) == (source, "inbox/{name}", "DocumentStorage")
    assert trigger(functions["sweep"])["schedule"] == "0 0 * * * *"


def test_a_source_that_is_misspelt_is_told_and_keeps_the_app_alive() -> None:
    functions = indexed(BLOB_TRIGGER_SOURCE="eventgrid")

    assert trigger(functions["blob_trigger"])["source"] == "EventGrid"


@pytest.mark.parametrize(
    ("name", "queue"), [("", "work"), ("orders-and-papers", "orders-and-papers"), ("A!", "work")]
)
def test_the_work_queue_and_its_poison_queue_follow_the_setting(name: str, queue: str) -> None:
    functions = indexed(**({"WORK_QUEUE": name} if name else {}))

    for function, listens in (("work", queue), ("work_poisoned", f"{queue}-poison")):
        found = trigger(functions[function])
        assert (found["type"], found["queueName"], found["connection"]) == (
            "queueTrigger",
            listens,
            "DocumentStorage",
        )


def test_the_host_gives_the_longest_deadline_its_time_and_reads_what_the_queue_carries() -> None:
    host = json.loads((ROOT / "host.json").read_text())
    hours, minutes, seconds = map(int, host["functionTimeout"].split(":"))

    assert hours * 3600 + minutes * 60 + seconds == LONGEST_DEADLINE + 600
    assert host["extensions"]["queues"]["messageEncoding"] == "base64"


def test_a_backlog_is_handed_out_from_one_sweep_to_the_next() -> None:
    minutes = re.fullmatch(r"0 \*/(\d+) \* \* \* \*", DEFAULTS["SWEEP_SCHEDULE"])

    assert minutes
    assert 60 * int(minutes[1]) <= SWEEP_SECONDS * DUE_SHARE
