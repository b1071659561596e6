"""What a campaign leaves behind: the counts of what went wrong, and all that is known of each finding."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from local.soak.drops import Put
from local.soak.flows import OPEN, REVIEW
from local.soak.havoc import Killer, StorageFaults
from local.soak.report import Events, Story
from local.soak.verdict import VIOLATIONS, Finding, Verdict, record_key
from local.soak.work import Work
from local.soak.world import Reader, World, deliveries
from local.stack import Stack


def story(
    stack: Stack, reader: Reader, work: Work, killer: Killer, faults: StorageFaults, honours: bool
) -> Story:
    """What happened around the drops and orders."""
    journal = reader.simulated("/_sim/requests")
    return Story(
        kills=killer.kills,
        died=killer.died,
        events=_events(stack, work),
        partner_center=Counter(entry["fault"] for entry in journal["requests"] if entry["fault"]),
        partner_center_requests=sum(journal["counts"].values()),
        storage=faults.suffered,
        storage_requests=faults.requests,
        client_requests=work.flows.requests,
        honours_request_id=honours,
    )


def keep(folder: Path, work: Work, verdict: Verdict, world: World) -> Path:
    """Write every finding that is not as it was hoped for, with receipt, records and order."""
    told = [_known(finding, work, world) for finding in verdict.of(*VIOLATIONS, OPEN, REVIEW)]
    path = folder / "findings.json"
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def _events(stack: Stack, work: Work) -> Events:
    heard = deliveries([stack.plan.folder / f"{host.name}.log" for host in stack.hosts])
    names = {
        step.name
        for drop in work.drops
        for step in drop.steps
        if isinstance(step, Put) and not step.name.endswith("marker")
    }
    return Events(
        files=len(names),
        delivered=heard.total(),
        repeated=sum(heard[name] > 1 for name in names),
        lost=sum(heard[name] == 0 for name in names),
    )


def _known(finding: Finding, work: Work, world: World) -> dict[str, object]:
    known: dict[str, object] = {"what": finding.what, "fate": finding.fate, "why": finding.why}
    for drop in work.drops:
        if finding.what.startswith(drop.path) or drop.last.order in finding.what:
            prefix = f"attachments/{drop.last.customer}/{drop.last.order}/"
            known["drop"] = {"path": drop.path, "kind": drop.kind, "steps": [str(s) for s in drop.steps]}
            known["receipt"] = world.receipts.get(drop.path)
            known["records"] = [r for name, r in world.records.items() if name.startswith(prefix)]
            known["order"] = world.raw.get(drop.last.order)
    groups = {case.group for case in work.cases if finding.what in (case.key, case.group)}
    for case in work.cases:
        if case.group in groups:
            known[f"record of {case.key}"] = world.records.get(record_key(case))
            known[f"told {case.key}"] = [str(told) for told in work.flows.told.get(case.key, [])]
            known["orders"] = [world.raw[o.id] for o in world.orders.values() if o.group == case.group]
    return known
