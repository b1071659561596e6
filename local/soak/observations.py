"""What can be seen from outside: receipts, ledger records, and what Partner Center holds."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from azure.core.exceptions import ResourceNotFoundError

from local.soak.documents import fingerprint
from local.soak.orders import OrderCase, group_of
from local.soak.person import Person
from local.stack import Host, Stack
from shared.settings import Settings

_DELIVERY = re.compile(r"Executing blob_trigger \(Reason=New blob detected, delivery \d+: [^/]+/(.*), Id=")


@dataclass(frozen=True, slots=True)
class ObservedOrder:
    """An order at Partner Center: what came over the API, as (fingerprint, ids of its attachments).

    What was accepted and not kept whole (`dropped` of the simulator) is none of `submissions`. `placed` says
    whether it was ordered over the API, or by hand.
    """

    id: str
    customer: str
    group: str
    submissions: Sequence[tuple[str, frozenset[str]]]
    placed: bool = True
    by_hand: int = 0
    """Documents that a person attached, and changes that a person made."""

    def ids_of(self, name: str) -> set[frozenset[str]]:
        """The ids under which a submission is there; more than one set where it is there more than once."""
        return {ids for there, ids in self.submissions if there == name}


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything at one moment."""

    receipts: Mapping[str, dict[str, Any]]
    records: Mapping[str, dict[str, Any]]
    orders: Mapping[str, ObservedOrder]
    raw: Mapping[str, Any] = field(repr=False)
    """Partner Center's orders as the simulator shows them, by id."""


def submission_of(case: OrderCase, observed: Observation) -> dict[str, Any] | None:
    """What the ledger has of an order request."""
    record = observed.records.get(record_key(case), {})
    return next(iter(record.get("submissions", {}).values()), None)


def record_key(case: OrderCase) -> str:
    """Name of an order request's record in the ledger."""
    return f"orders/{case.customer}/{hashlib.sha256(case.key.encode()).hexdigest()}"


class Observer:
    """Observes again and again, reading only what changed."""

    def __init__(self, stack: Stack, person: Person) -> None:
        storage = Settings.read(stack.settings).storage
        self._person = person
        self._containers = {"receipts": storage.receipts, "records": storage.ledger}
        self._kept: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
        self._http = requests.Session()
        self._http.trust_env = False
        self._blobs = stack.blob_service()

    def observe(self) -> Observation:
        """What can be seen now."""
        raw = {order["id"]: order for order in self._person.see("state")["orders"]}
        return Observation(
            receipts=self._read("receipts", ""),
            records={**self._read("records", "attachments/"), **self._read("records", "orders/")},
            orders={name: _placed(order) for name, order in raw.items()},
            raw=raw,
        )

    def sweep(self, host: Host) -> None:
        """Let a host sweep now."""
        url, headers = f"{host.url}/admin/functions/sweep", {"x-functions-key": host.master_key}
        self._http.post(url, json={}, headers=headers, timeout=60).raise_for_status()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._blobs.close()

    def _read(self, what: str, prefix: str) -> dict[str, dict[str, Any]]:
        client = self._blobs.get_container_client(self._containers[what])
        found = {}
        for blob in client.list_blobs(name_starts_with=prefix or None):
            kept = self._kept.get((what, blob.name))
            if kept is None or kept[0] != blob.etag:
                try:
                    kept = (blob.etag, json.loads(client.download_blob(blob.name).readall()))
                except ResourceNotFoundError:
                    continue
                self._kept[what, blob.name] = kept
            found[blob.name if what == "receipts" else blob.name.removesuffix(".json")] = kept[1]
        return found


def deliveries(logs: Sequence[Path]) -> Counter[str]:
    """How often the event of each blob reached the function, by the hosts' logs."""
    found: Counter[str] = Counter()
    for log in logs:
        with log.open(encoding="utf-8", errors="replace") as lines:
            found.update(match[1] for line in lines if (match := _DELIVERY.search(line)))
    return found


def _placed(order: Mapping[str, Any]) -> ObservedOrder:
    submissions = [
        (
            fingerprint(json.loads(s["metadata"]), ((f["attachmentType"], f["sha256"]) for f in s["files"])),
            frozenset(f["attachmentId"] for f in s["files"]),
        )
        for s in order["submissions"]
        if not s["dropped"]
    ]
    return ObservedOrder(
        order["id"],
        order["customerId"],
        group_of(order["order"]),
        submissions,
        placed=order["origin"] == "api",
        by_hand=len(order["byHand"]) + len(order["changes"]),
    )
