"""Why a person may have to look: what went wrong at an order or at a customer, as far as it can be seen.

A review must have a cause outside the application: an answer that was lost or odd, a change in the portal, a
process that was killed in the middle. Where nothing of the kind was, the application gave up on its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.soak.observations import Observation, submission_of
from local.soak.orders import OrderCase
from local.soak.steps import Drop

HARMLESS = ("", "delay")
"""What an entry of the journal says when nothing went wrong."""


@dataclass(frozen=True, slots=True)
class Causes:
    """By order id and by customer id; `always` is what is true of the whole campaign."""

    orders: Mapping[str, str] = field(default_factory=dict)
    customers: Mapping[str, str] = field(default_factory=dict)
    always: str = ""
    silent: frozenset[str] = frozenset()
    """Orders and keys of which a POST was silent, where lists deceive: those may be there twice."""

    def of_order(self, order: str) -> str:
        """What went wrong at an order, "" when nothing did."""
        return ", ".join(c for c in (self.orders.get(order, ""), self.always) if c)

    def of_customer(self, customer: str) -> str:
        """What went wrong at a customer's orders."""
        return ", ".join(c for c in (self.customers.get(customer, ""), self.always) if c)

    def excuses(self, names: Iterable[str]) -> bool:
        """Whether what is there twice is what no client can help."""
        return not self.silent.isdisjoint(names)


NOTHING_KNOWN = Causes(always="not looked for")


def causes_of(
    journal: Iterable[Mapping[str, Any]],
    drops: Iterable[Drop],
    cases: Iterable[OrderCase],
    observed: Observation,
    always: str,
    *,
    deceived: bool,
) -> Causes:
    """Gather them from the simulator's journal, from what was done by hand, and from the ledger."""
    orders, customers = _faults(journal)
    for name, order in observed.orders.items():
        orders[name]["by hand"] += order.by_hand
        customers[order.customer]["by hand"] += order.by_hand + (not order.placed)
    silent: set[str] = set()
    for drop in drops:
        record = observed.records.get(f"attachments/{drop.customer}/{drop.order}", {})
        for own in record.get("submissions", {}).values():
            orders[drop.order]["a host died"] += own.get("deaths", 0)
            silent |= {drop.order} if own.get("firstSilent") else set()
    records = {name: record for name, record in observed.records.items() if name.startswith("orders/")}
    for name, record in records.items():
        for own in record.get("submissions", {}).values():
            customers[name.split("/")[1]]["a host died"] += own.get("deaths", 0)
    silent |= {case.key for case in cases if _was_silent(case, observed)}
    return Causes(_told(orders), _told(customers), always, frozenset(silent if deceived else ()))


def _faults(journal: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
    orders, customers = _Counters(), _Counters()
    for entry in journal:
        if entry["fault"] in HARMLESS:
            continue
        path = str(entry["path"]).partition("?")[0].split("/")
        if "attachment" in entry["operation"] and len(path) > 5:
            orders[path[5]][str(entry["fault"])] += 1
        else:
            customers[str(entry["customer"]).lower()][str(entry["fault"])] += 1
    return orders, customers


class _Counters(dict[str, Counter[str]]):
    def __missing__(self, name: str) -> Counter[str]:
        self[name] = Counter()
        return self[name]


def _told(counters: Mapping[str, Counter[str]]) -> dict[str, str]:
    return {
        name: ", ".join(f"{what} {count}" for what, count in sorted(counter.items()) if count)
        for name, counter in counters.items()
    }


def _was_silent(case: OrderCase, observed: Observation) -> bool:
    own = submission_of(case, observed)
    return bool(own and own.get("firstSilent"))
