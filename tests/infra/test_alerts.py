"""Alerts: their queries read what the app writes, in the fields that it has, and each has a runbook.

Kusto does not run here. What a query names is compared with the calls of `log_event` in the source; real
lines are looked at in tests/services/test_log_lines.py.
"""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Iterator

import pytest

from local.package import DEPLOYED
from shared.core.ledger import State
from shared.core.receipt_parts import ReceiptState
from shared.web.problem import PROBLEMS
from tests.structure.bicep import INFRA, tree
from tests.structure.test_architecture import indexed
from tests.structure.test_docs import ROOT, anchors, page

QUERIES = {path.stem: path.read_text() for path in sorted((INFRA / "queries").glob("*.kql"))}
ALERTS = tree("alerts.bicep")
STATES = {"drop": ReceiptState, "order": State, "attachment": State}


def calls(name: str) -> Iterator[ast.Call]:
    """Every call of a function of that name in what is deployed."""
    for deployed in DEPLOYED:
        for file in (ROOT / deployed).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and name in ast.unparse(node.func).split("."):
                    yield node


@functools.cache
def written() -> dict[str, set[str]]:
    """The fields of each event. A name with a state in it stands for one event of each state."""
    found: dict[str, set[str]] = {}
    for call in calls("log_event"):
        fields = {word.arg for word in call.keywords if word.arg}
        if isinstance(call.args[0], ast.Constant):
            names = [str(call.args[0].value)]
        else:
            kinds = ["drop"] if "errors" in fields else ["order", "attachment"]
            names = [f"{kind} {state}" for kind in kinds for state in STATES[kind]]
        for name in names:
            found.setdefault(name, set()).update(fields)
    return found


def events(query: str) -> set[str]:
    """The events that a query names, or names the beginning of."""
    listed = " ".join(re.findall(r"event in \(([^)]*)\)", query))
    named = set(re.findall("'([^']*)'", listed)) | set(re.findall("event [!=]= '([^']*)'", query))
    starts = tuple(re.findall("event startswith '([^']*)'", query))
    return named | {event for event in written() if starts and event.startswith(starts)}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_names_events_that_the_app_writes(name: str) -> None:
    assert events(QUERIES[name]) <= set(written())
    assert events(QUERIES[name]) or name in ("poison", "sign-in")


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_reads_fields_that_its_events_have(name: str) -> None:
    read = set(re.findall(r"\bline\.(\w+)", QUERIES[name])) - {"event"}
    of_its_events = set().union(*(written()[event] for event in events(QUERIES[name]) or {"problem"}))
    counted = {"listed", "failed"}  # by the sweep: tests/services/test_log_lines.py

    assert read - counted <= of_its_events


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_names_problems_that_there_are(name: str) -> None:
    named = re.findall(r"problem\)? (?:in|==) \(([^)]*)\)", QUERIES[name])

    assert set(re.findall("'([^']*)'", " ".join(named))) <= {p.slug for p in PROBLEMS}


def test_the_functions_that_the_poison_alert_counts_are_those_of_the_poison_queues() -> None:
    named = set(re.findall(r"'(\w+)'", QUERIES["poison"]))
    queues = {
        name: binding["queueName"]
        for name, function in indexed().items()
        for binding in function["bindings"]  # type: ignore[attr-defined]
        if binding["type"] == "queueTrigger"
    }

    assert named == {name for name, queue in queues.items() if queue.endswith("-poison")}


def test_the_sentences_that_the_sign_in_alert_looks_for_are_logged() -> None:
    logged = [c.args[0].value for c in calls("warning") if c.args and isinstance(c.args[0], ast.Constant)]
    wanted = re.findall(r"message startswith '([^']*)'", QUERIES["sign-in"])

    assert len(wanted) == 2
    assert [start for start in wanted if not any(str(text).startswith(start) for text in logged)] == []


def test_every_query_is_an_alert_and_every_alert_has_a_runbook() -> None:
    rules = [*ALERTS["variables"]["queries"]["value"], *ALERTS["variables"]["metrics"]["value"]]
    used = {rule["query"]["function"]["parameters"]["file_path"] for rule in rules if "query" in rule}
    text = (INFRA / "alerts.bicep").read_text()
    told = {rule["runbook"] for rule in rules} | set(re.findall(r"runbooks(?:\}|\.md)#([a-z-]+)", text))
    there = anchors(ROOT / "docs/runbooks.md")

    assert used == {f"queries/{name}.kql" for name in QUERIES}
    assert told <= there
    assert there - told == {"runbooks", "objectives", "roll-back-without-slots"}


def test_a_runbook_names_the_alerts_that_lead_to_it() -> None:
    variables = ALERTS["variables"]
    rings = {rule["name"]: rule["runbook"] for rule in variables["queries"]["value"]}
    rings |= {f"events-{rule['name']}": rule["runbook"] for rule in variables["metrics"]["value"]}
    sections = dict(
        re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", page("docs/runbooks.md"), re.DOTALL | re.MULTILINE)
    )
    by_anchor = {heading.lower().replace(" ", "-"): text for heading, text in sections.items()}

    assert [name for name, runbook in rings.items() if f"`{name}`" not in by_anchor[runbook]] == []
    assert "`azure-incident`" in by_anchor["region-lost"]
    assert "`monthly`" in by_anchor["budget"]


def test_what_the_alerts_count_is_not_sampled() -> None:
    host = json.loads((ROOT / "host.json").read_text())
    sampling = host["logging"]["applicationInsights"]["samplingSettings"]

    assert {"Trace", "Request", "Exception"} <= set(sampling["excludedTypes"].split(";"))
    assert {match for q in QUERIES.values() for match in re.findall(r"^(\w+)$", q, re.MULTILINE)} <= {
        "traces",
        "requests",
    }


def test_the_objectives_that_are_promised_are_the_ones_that_are_measured() -> None:
    text = page("docs/runbooks.md")

    assert "99 %" in text
    assert "10 minutes" in text
    assert "late * 100 > complete" in QUERIES["late-drops"]
    assert QUERIES["late-drops"].count("10m") == 2
    assert "oldestSeconds) > 86400" in QUERIES["review-old"]
