"""What is ordered, when, and what must come of it: decided by the seed alone."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from local.demo import OFFER
from local.simulator.state import USUAL_RESELLERS
from local.soak import fault_sequences
from local.soak.steps import FaultRules

_OFFERS = (OFFER, "DG7GMGF0D7FT:0001:DG7GMGF0D7FT", "CFQ7TTC0LH16:0001:CFQ7TTC0K97K")
_LAST = 0.85


@dataclass(frozen=True, slots=True)
class OrderCase:
    """One request to order: `body` under `key`, sent by `clients` flows that know nothing of one another."""

    at: float
    key: str
    customer: str
    body: Mapping[str, Any]
    kind: str
    placed: bool = True
    clients: int = 1
    polls: bool = False
    """Whether a client follows Location after a 202, instead of posting again."""
    fault_rules: FaultRules = ()
    by_hand: bool = False
    """Whether a person has placed the very same order before."""
    changed: bool = False
    """Whether a person changes a quantity of the order as soon as it is there."""
    through_cart: bool = False
    """Whether it is bought with a checkout, which makes an order of each order group."""

    @property
    def group(self) -> str:
        """By what its order is known again at Partner Center; twins share it, since their requests differ in
        nothing but the key."""
        return group_of(self.body)

    @property
    def groups(self) -> tuple[str, ...]:
        """The same of all orders that may come of it: those of a checkout begin with any of its lines."""
        lines = self.body["lineItems"]
        return tuple(group_of({**self.body, "lineItems": lines[n:]}) for n in range(len(lines)))[: self._most]

    @property
    def _most(self) -> int:
        return len(self.body["lineItems"]) if self.through_cart else 1


def group_of(order: Mapping[str, Any]) -> str:
    """What distinguishes an order from others: the name of its first line, its billing cycle and its term."""
    line = (order.get("lineItems") or [{}])[0]
    said = (line.get("friendlyName"), order.get("billingCycle"), line.get("termDuration"))
    return " / ".join(str(x) for x in said if x)


def all_orders(seed: int, most: int, seconds: float) -> list[OrderCase]:
    """`most` requests to order within `seconds`."""
    rng = random.Random(f"{seed}/orders")
    customers = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(6)]
    cases: list[OrderCase] = []
    while len(cases) < most:
        number = len(cases)
        case = OrderCase(
            at=rng.uniform(0, seconds * _LAST),
            key=f"approval-{seed}-{number}",
            customer=rng.choice(customers),
            body=_body(rng, f"soak {seed} order {number}"),
            kind="plain",
            clients=2 if rng.random() < 0.15 else 1,
            polls=rng.random() < 0.5,
        )
        cases += rng.choices(list(KINDS), list(KINDS.values()))[0](rng, case)
    return [_one_way_or_the_other(seed, case) for case in cases[:most]]


def _one_way_or_the_other(seed: int, case: OrderCase) -> OrderCase:
    """Every second request is a checkout: of twins one may be, and the other not."""
    if random.Random(f"{seed}/ways/{case.key}").random() < 0.5:
        return case
    rules = tuple({**rule, "on": _OF_CARTS[str(rule["on"])]} for rule in case.fault_rules)
    return replace(case, through_cart=True, fault_rules=rules)


_OF_CARTS = {"POST order": "POST checkout", "GET orders": "GET cart"}


def _plain(rng: random.Random, case: OrderCase) -> list[OrderCase]:
    return [case]


def _reseller(rng: random.Random, case: OrderCase) -> list[OrderCase]:
    """For the customer of an indirect reseller."""
    body = {**case.body, "indirectResellerId": USUAL_RESELLERS[0].id.upper()}
    return [replace(case, body=body, kind="reseller")]


def _twins(rng: random.Random, case: OrderCase) -> list[OrderCase]:
    """Two requests that differ in nothing but their key, and those at times by their escaping alone."""
    keys = rng.choice([(case.key, f"{case.key}-twin"), (f"a/{case.key}", f"a%2F{case.key}")])
    first = replace(case, key=keys[0], kind="twins")
    return [first, replace(first, key=keys[1], at=case.at + rng.choice([0.0, 0.5, 3.0]))]


def _alike(rng: random.Random, case: OrderCase) -> list[OrderCase]:
    """Two orders that differ in how long they last and how they are paid; the first POSTs are silent."""
    case = replace(case, customer=_customer(rng), kind="alike")
    line = case.body["lineItems"][0]
    monthly = {**case.body, "billingCycle": "monthly", "lineItems": [{**line, "termDuration": "P1M"}]}
    annual = {**case.body, "billingCycle": "annual", "lineItems": [{**line, "termDuration": "P1Y"}]}
    faults = fault_sequences.of_posts(rng, case.customer, "POST order")
    first = replace(case, body=monthly, fault_rules=faults)
    return [first, replace(case, key=f"{case.key}-annual", body=annual, at=case.at + rng.uniform(0, 2))]


def _silent_posts(rng: random.Random, case: OrderCase) -> list[OrderCase]:
    """The first POSTs are silent, with a 429 or the like between them."""
    customer = _customer(rng)
    faults = fault_sequences.of_posts(rng, customer, "POST order")
    return [replace(case, customer=customer, kind="silent posts", fault_rules=faults)]


def _by_hand(rng: random.Random, case: OrderCase) -> list[OrderCase]:
    """A person has placed the very same order before."""
    (case,) = _silent_posts(rng, case)
    return [replace(case, kind="by hand", by_hand=True)]


def _changed(rng: random.Random, case: OrderCase) -> list[OrderCase]:
    """A person changes the order as soon as it is there."""
    (case,) = _silent_posts(rng, case)
    return [replace(case, kind="changed", changed=True)]


def _refused(rng: random.Random, case: OrderCase) -> list[OrderCase]:
    """An order that must be refused."""
    first = case.body["lineItems"][0]
    match rng.choice(["contract", "reseller", "Partner Center"]):
        case "contract":
            body = {**case.body, "lineItems": [{**first, "quantity": 0}]}
        case "reseller":
            body = {**case.body, "indirectResellerId": _customer(rng)}
        case _:
            body = {**case.body, "lineItems": [{**first, "quantity": 10_001}]}
    return [replace(case, body=body, kind="refused", placed=False)]


KINDS: Mapping[Callable[[random.Random, OrderCase], list[OrderCase]], int] = {
    _plain: 45,
    _reseller: 12,
    _twins: 12,
    _refused: 8,
    _alike: 6,
    _silent_posts: 10,
    _by_hand: 3,
    _changed: 4,
}
"""How often each way is taken."""


def _customer(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _body(rng: random.Random, name: str) -> dict[str, Any]:
    lines = [
        {
            "offerId": rng.choice(_OFFERS),
            "quantity": rng.randrange(1, 9),
            "friendlyName": f"{name}{', line 2' * n}",
        }
        for n in range(rng.choice([1, 1, 2]))
    ]
    return {"billingCycle": "one_time", "lineItems": lines}
