"""What a campaign leaves behind: the counts of what went wrong, and all that is known of each finding."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from local.soak.flows import OPEN, REVIEW
from local.soak.havoc import Killer, StorageFaults
from local.soak.person import Person
from local.soak.report import Events, Story
from local.soak.steps import Drop, Put
from local.soak.verdict import RESIDUE, VIOLATIONS, Finding, Verdict
from local.soak.work import Work
from local.soak.world import World, deliveries, record_key
from local.stack import Stack


def story(
    stack: Stack,
    person: Person,
    work: Work,
    killer: Killer,
    blobs: StorageFaults,
    queues: StorageFaults,
    make: str,
) -> Story:
    """What happened around the drops and orders."""
    journal = person.see("requests")
    return Story(
        kills=killer.kills,
        died=killer.died,
        events=_events(stack, work),
        partner_center=Counter(entry["fault"] for entry in journal["requests"] if entry["fault"]),
        partner_center_requests=sum(journal["counts"].values()),
        storage=blobs.suffered,
        storage_requests=blobs.requests,
        queue=queues.suffered,
        queue_requests=queues.requests,
        client_requests=work.flows.requests,
        make=make,
    )


def keep(folder: Path, work: Work, verdict: Verdict, world: World) -> Path:
    """Write every finding that is not as it was hoped for, with receipt, records and order."""
    told = [_known(finding, work, world) for finding in verdict.of(*VIOLATIONS, OPEN, REVIEW, RESIDUE)]
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
        if finding.what.startswith(drop.path) or drop.order in finding.what:
            known[f"drop {drop.path}"] = _known_drop(drop, world)
            known["record"] = world.records.get(f"attachments/{drop.customer}/{drop.order}")
            known["order"] = world.raw.get(drop.order)
    groups = {case.group for case in work.cases if finding.what in (case.key, case.group)}
    for case in work.cases:
        if case.group in groups:
            known[f"record of {case.key}"] = world.records.get(record_key(case))
            known[f"told {case.key}"] = [str(told) for told in work.flows.told.get(case.key, [])]
            known["orders"] = [world.raw[o.id] for o in world.orders.values() if o.group == case.group]
    return known


def _known_drop(drop: Drop, world: World) -> dict[str, object]:
    return {
        "kind": drop.kind,
        "steps": [str(step) for step in drop.steps],
        "troubles": list(drop.troubles),
        "receipt": world.receipts.get(drop.path),
    }
