"""What is ordered, when, and what must come of it: decided by the seed alone."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from local.demo import OFFER
from local.simulator.state import USUAL_RESELLERS

_OFFERS = (OFFER, "DG7GMGF0D7FT:0001:DG7GMGF0D7FT", "CFQ7TTC0LH16:0001:CFQ7TTC0K97K")
_LAST = 0.85


@dataclass(frozen=True, slots=True)
class OrderCase:
    """One request to order: `body` under `key`, sent by `clients` flows that know nothing of one another.

    `group` is the friendly name of its first line, by which its order is known again at Partner Center;
    twins share it, since their requests differ in nothing but the key.
    """

    at: float
    key: str
    customer: str
    body: Mapping[str, Any]
    group: str
    kind: str
    placed: bool = True
    clients: int = 1
    polls: bool = False
    """Whether a client follows Location after a 202, instead of posting again."""


def all_orders(seed: int, most: int, seconds: float) -> list[OrderCase]:
    """`most` requests to order within `seconds`."""
    rng = random.Random(f"{seed}/orders")
    customers = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(6)]
    cases: list[OrderCase] = []
    while len(cases) < most:
        number = len(cases)
        group = f"soak {seed} order {number}"
        case = OrderCase(
            at=rng.uniform(0, seconds * _LAST),
            key=f"approval-{seed}-{number}",
            customer=rng.choice(customers),
            body=_body(rng, group),
            group=group,
            kind="plain",
            clients=2 if rng.random() < 0.15 else 1,
            polls=rng.random() < 0.5,
        )
        cases += _varied(rng, case)
    return cases[:most]


def _varied(rng: random.Random, case: OrderCase) -> list[OrderCase]:
    kind = rng.choices(["plain", "reseller", "twins", "refused"], [60, 15, 15, 10])[0]
    if kind == "reseller":
        body = {**case.body, "indirectResellerId": USUAL_RESELLERS[0].id.upper()}
        return [replace(case, body=body, kind=kind)]
    if kind == "twins":
        twin = replace(case, key=f"{case.key}-twin", at=case.at + rng.choice([0.0, 0.5, 3.0]), kind=kind)
        return [replace(case, kind=kind), twin]
    if kind == "refused":
        return [replace(case, body=_refused(rng, case.body), kind=kind, placed=False)]
    return [case]


def _body(rng: random.Random, group: str) -> dict[str, Any]:
    lines = [
        {"offerId": rng.choice(_OFFERS), "quantity": rng.randrange(1, 9), "friendlyName": group}
        for _ in range(rng.choice([1, 1, 2]))
    ]
    return {"billingCycle": "one_time", "lineItems": lines}


def _refused(rng: random.Random, body: Mapping[str, Any]) -> dict[str, Any]:
    first = body["lineItems"][0]
    match rng.choice(["contract", "reseller", "Partner Center"]):
        case "contract":
            return {**body, "lineItems": [{**first, "quantity": 0}]}
        case "reseller":
            return {**body, "indirectResellerId": str(uuid.UUID(int=rng.getrandbits(128), version=4))}
        case _:
            return {**body, "lineItems": [{**first, "quantity": 10_001}]}
