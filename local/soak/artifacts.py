"""What a campaign leaves behind: the counts of what went wrong, and all that is known about each finding."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from local.soak.causes import HARMLESS
from local.soak.chaos import Killer, StorageFaults
from local.soak.checker import RESIDUE, VIOLATIONS, CheckResult, Finding
from local.soak.flows import OPEN, REVIEW
from local.soak.observations import Observation, deliveries, record_key, submission_of
from local.soak.orders import OrderCase
from local.soak.person import Person
from local.soak.report import Events, Statistics
from local.soak.steps import Drop, Put
from local.soak.workload import Workload
from local.stack import Stack


def gather_statistics(
    stack: Stack,
    person: Person,
    workload: Workload,
    killer: Killer,
    blobs: StorageFaults,
    queues: StorageFaults,
    profile: str,
    observed: Observation,
) -> Statistics:
    """What happened around the drops and orders."""
    journal = person.see("requests")
    return Statistics(
        kills=killer.kills,
        died=killer.died,
        events=_events(stack, workload),
        partner_center=Counter(entry["fault"] for entry in journal["requests"] if entry["fault"]),
        partner_center_requests=sum(journal["counts"].values()),
        storage=blobs.injected,
        storage_requests=blobs.requests,
        queue=queues.injected,
        queue_requests=queues.requests,
        client_requests=workload.flows.requests,
        profile=profile,
        seconds_to_answer=seconds_to_answer(journal["requests"], workload.cases, observed),
    )


def seconds_to_answer(
    journal: Iterable[Mapping[str, Any]], cases: Iterable[OrderCase], observed: Observation
) -> dict[str, list[float]]:
    """For each way to buy: how long after Partner Center did it, and its reply was lost, it was recorded.

    An order keeps its MS-RequestId while it is silent; a checkout is known by its cart.
    """
    lost: dict[str, datetime] = {}
    for entry in journal:
        if entry["committed"] and entry["fault"] not in HARMLESS:
            headers = {name.lower(): value for name, value in entry["headers"].items()}
            path = entry["path"].split("/")
            names = {"POST order": headers.get("ms-requestid", ""), "POST checkout": path[-2]}
            lost.setdefault(names.get(entry["operation"], ""), datetime.fromisoformat(entry["at"]))
    found: dict[str, list[float]] = {"direct orders": [], "checkouts": []}
    for case in cases:
        own = submission_of(case, observed)
        if own is None or own["state"] != "done":
            continue
        name = own["order"]["cart"]["id"] if case.through_cart else own["requestId"]
        if name in lost:
            took = datetime.fromisoformat(own["changed"]) - lost[name]
            found["checkouts" if case.through_cart else "direct orders"].append(took.total_seconds())
    return found


def write_findings(folder: Path, workload: Workload, result: CheckResult, observed: Observation) -> Path:
    """Write every finding that is not plain success, with receipt, records and order."""
    known = [_known(finding, workload, observed) for finding in result.of(*VIOLATIONS, OPEN, REVIEW, RESIDUE)]
    path = folder / "findings.json"
    path.write_text(json.dumps(known, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def _events(stack: Stack, workload: Workload) -> Events:
    heard = deliveries([stack.plan.folder / f"{host.name}.log" for host in stack.hosts])
    names = {
        step.name
        for drop in workload.drops
        for step in drop.steps
        if isinstance(step, Put) and not step.name.endswith("marker")
    }
    return Events(
        files=len(names),
        delivered=heard.total(),
        repeated=sum(heard[name] > 1 for name in names),
        lost=sum(heard[name] == 0 for name in names),
    )


def _known(finding: Finding, workload: Workload, observed: Observation) -> dict[str, object]:
    known: dict[str, object] = {"what": finding.what, "outcome": finding.outcome, "why": finding.why}
    for drop in workload.drops:
        if finding.what.startswith(drop.path) or drop.order in finding.what:
            known[f"drop {drop.path}"] = _known_drop(drop, observed)
            known["record"] = observed.records.get(f"attachments/{drop.customer}/{drop.order}")
            known["order"] = observed.raw.get(drop.order)
    groups = {g for case in workload.cases if finding.what in (case.key, *case.groups) for g in case.groups}
    for case in workload.cases:
        if groups & {*case.groups}:
            known[f"record of {case.key}"] = observed.records.get(record_key(case))
            known[f"answers to {case.key}"] = [
                str(answer) for answer in workload.flows.answers.get(case.key, [])
            ]
            known["orders"] = [observed.raw[o.id] for o in observed.orders.values() if o.group in case.groups]
    return known


def _known_drop(drop: Drop, observed: Observation) -> dict[str, object]:
    return {
        "kind": drop.kind,
        "steps": [str(step) for step in drop.steps],
        "faults": list(drop.fault_rules),
        "receipt": observed.receipts.get(drop.path),
    }
