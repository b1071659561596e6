"""Sequences of faults at one customer's requests: chance alone rarely makes two in a row, and what matters is
what comes between two attempts."""

from __future__ import annotations

import random
from collections.abc import Mapping

from local.soak.steps import FaultRules

_Fault = Mapping[str, object]


def _status(status: int, code: str = "", *, commit: bool = False, gateway: bool = False) -> _Fault:
    body = (
        {"code": code, "description": "Injected by the soak."}
        if code
        else "<html>Injected by the soak.</html>"
    )
    return {"kind": "status", "status": status, "body": body, "commit": commit, "gateway": gateway}


_SILENT: tuple[_Fault, ...] = (
    {"kind": "lose_reply"},
    {"kind": "cut", "after_bytes": 120},
    _status(503),
    _status(503, commit=True),
    _status(502, gateway=True),
    _status(500, "800005"),
    _status(500, "800005", commit=True),
    _status(409, "800060", commit=True),
    _status(409, "999999"),
    _status(409, "999999", commit=True),
    _status(302, commit=True),
    {"kind": "truncate"},
    {"kind": "garbage"},
)
"""Answers, or none, that leave open what was done."""

_BETWEEN: tuple[_Fault, ...] = (
    {"kind": "throttle", "retry_after": 1},
    {"kind": "throttle", "retry_after": 4},
    _status(401, gateway=True),
    {"kind": "refuse"},
    {"kind": "early"},
)
"""What says that nothing was done, or nothing at all, and must not make anybody forget the silence before."""

_LISTS: tuple[_Fault, ...] = (
    {"kind": "throttle", "retry_after": 2},
    _status(503),
    {"kind": "garbage"},
    {"kind": "truncate"},
    {"kind": "lose_reply"},
)


def of_posts(rng: random.Random, customer: str, operation: str, most: int = 3) -> FaultRules:
    """Silences with something between them, at the first POSTs; and lists that fail at times."""
    asked = "GET attachments" if operation == "POST attachment" else "GET orders"
    faults: list[_Fault] = []
    for _ in range(rng.randrange(1, most + 1)):
        faults.append(rng.choice(_SILENT))
        if rng.random() < 0.5:
            faults.append(rng.choice(_BETWEEN))
    lists = [
        {"on": asked, "customer": customer, "skip": rng.randrange(4), "do": rng.choice(_LISTS)}
        for _ in range(rng.randrange(2))
    ]
    return (*({"on": operation, "customer": customer, "do": fault} for fault in faults), *lists)


def denied_list(customer: str) -> FaultRules:
    """The attachments of a customer's orders are not to be had, now or ever."""
    return ({"on": "GET attachments", "customer": customer, "times": -1, "do": _status(403, "900329")},)


def lost_part(rng: random.Random, customer: str, skip: int = 0) -> FaultRules:
    """One POST of documents is accepted without some of them."""
    part = rng.choice(["POFiles", "TenderFiles"])
    fault = {"kind": "drop_part", "name": part}
    return ({"on": "POST attachment", "customer": customer, "skip": skip, "do": fault},)
