"""Fault rules: what goes wrong, at which request, how often.

A rule is a JSON object, in-process as over HTTP:

    {"on": "POST attachment", "customer": "…", "skip": 1, "times": 2, "do": {"kind": "lose_reply"}}

`on` is one of OPERATIONS or "any"; `customer` narrows it; the first `skip` matching requests pass, then
`times` (1 when absent, -1 for ever) are hit. KINDS lists what can be done and with which fields. The first
rule that applies wins; a random schedule is asked last.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

OPERATIONS = (
    "POST order",
    "GET orders",
    "GET order",
    "POST attachment",
    "GET attachments",
    "GET attachment",
    "POST cart",
    "GET cart",
    "PUT cart",
    "POST checkout",
    "GET relationships",
    "POST validateresellers",
    "GET customers",
)

KINDS: Mapping[str, Mapping[str, type]] = {
    "lose_reply": {},  # commit, then close without an answer
    # an answer of this status; below 200 an early one, after which the connection ends; `gateway`: without
    # the headers of the service itself (MS-RequestId and its like)
    "status": {"status": int, "body": object, "headers": dict, "commit": bool, "gateway": bool},
    "early": {"status": int, "headers": dict},  # an early answer (102, 103), then the usual one
    "throttle": {"retry_after": int},
    "hang": {"seconds": float, "commit": bool},  # then close without an answer
    "cut": {"after_bytes": int},  # reset while the body arrives; nothing is committed
    "refuse": {},  # close before the body is read
    "truncate": {},  # commit, then close in the middle of the answer
    "garbage": {},  # commit, then answer with something that is not JSON
    "delay": {"seconds": float},
    "drop_part": {"name": str},  # accept, and forget the files of this part name
}


@dataclass(frozen=True, slots=True)
class ServiceFault:
    """One thing that goes wrong; only the fields that KINDS names for its kind mean something."""

    kind: str
    status: int = 503
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    commit: bool = False
    gateway: bool = False
    retry_after: int = 1
    seconds: float = 30.0
    after_bytes: int = 0
    name: str = ""


RANDOM: Mapping[str, ServiceFault] = {
    "lose_reply": ServiceFault("lose_reply"),
    "status": ServiceFault("status", status=503),
    "status_after_commit": ServiceFault("status", status=503, commit=True),
    "throttle": ServiceFault("throttle", retry_after=1),
    "hang": ServiceFault("hang", seconds=30),
    "hang_after_commit": ServiceFault("hang", seconds=30, commit=True),
    "cut": ServiceFault("cut", after_bytes=100),
    "refuse": ServiceFault("refuse"),
    "truncate": ServiceFault("truncate"),
    "garbage": ServiceFault("garbage"),
    "delay": ServiceFault("delay", seconds=0.2),
}
"""What a random schedule can name in its rates."""


@dataclass(slots=True)
class FaultRule:
    """One fault rule and what is left of it; `times` is -1 for ever."""

    on: str
    do: ServiceFault
    customer: str = ""
    skip: int = 0
    times: int = 1

    def hits(self, operation: str, customer: str) -> bool:
        """Count one request against this rule; return whether the fault is for it."""
        if self.on not in ("any", operation) or self.customer.lower() not in ("", customer.lower()):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times == 0:
            return False
        self.times -= self.times > 0
        return True


class Faults:
    """The fault rules in force. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[FaultRule] = []
        self._seed = 0
        self._rates: dict[str, float] = {}
        self._nth: Counter[tuple[str, str]] = Counter()

    def add(self, *rules: Mapping[str, object]) -> None:
        """Put fault rules in force, all or none; raises ValueError that says what is wrong with one."""
        parsed = [parse_rule(rule) for rule in rules]
        with self._lock:
            self._rules.extend(parsed)

    def set_random_faults(self, seed: int, rates: Mapping[str, float]) -> None:
        """Give each request a fault of RANDOM with the given probability; no rates turn it off.

        The same seed hits the same requests again: the n-th of an operation for a customer decides, not the
        moment at which it arrives.
        """
        unknown = set(rates) - set(RANDOM)
        if unknown:
            raise ValueError(
                f"no random fault is called {sorted(unknown)[0]!r}; there are {', '.join(RANDOM)}"
            )
        if any(rate < 0 for rate in rates.values()) or sum(rates.values()) > 1:
            raise ValueError("rates are probabilities, together at most 1")
        with self._lock:
            self._seed, self._rates = seed, dict(rates)
            self._nth.clear()

    def clear(self) -> None:
        """Call off every fault."""
        with self._lock:
            self._rules.clear()
            self._rates = {}
            self._nth.clear()

    def take(self, operation: str, customer: str) -> ServiceFault | None:
        """Return what happens to this request, or None when nothing does."""
        with self._lock:
            for rule in self._rules:
                if rule.hits(operation, customer):
                    return rule.do
            return self._random(operation, customer)

    def as_json(self) -> dict[str, object]:
        """Return what is still in force."""
        with self._lock:
            return {
                "rules": [asdict(rule) for rule in self._rules if rule.times],
                "seed": self._seed,
                "rates": dict(self._rates),
            }

    def _random(self, operation: str, customer: str) -> ServiceFault | None:
        if not self._rates:
            return None
        place = (operation, customer.lower())
        self._nth[place] += 1
        draw = random.Random(f"{self._seed}/{operation}/{place[1]}/{self._nth[place]}").random()
        for kind, rate in self._rates.items():
            draw -= rate
            if draw < 0:
                return RANDOM[kind]
        return None


def parse_rule(rule: Mapping[str, object]) -> FaultRule:
    """Read one fault rule; raises ValueError that says what is wrong with it."""
    unknown = set(rule) - {"on", "do", "customer", "skip", "times"}
    if unknown:
        raise ValueError(f"a fault rule has no field {sorted(unknown)[0]!r}")
    on = rule.get("on")
    if on not in (*OPERATIONS, "any"):
        raise ValueError(f"on is {on!r}; it is one of {', '.join(OPERATIONS)}, any")
    customer, skip, times = rule.get("customer") or "", rule.get("skip", 0), rule.get("times", 1)
    if not isinstance(customer, str) or not _whole(skip) or not _whole(times):
        raise ValueError("customer is text; skip and times are whole numbers")
    return FaultRule(str(on), parse_fault(rule.get("do")), customer, int(str(skip)), int(str(times)))


def parse_fault(value: object) -> ServiceFault:
    """Read the `do` of a fault rule; raises ValueError that says what is wrong with it."""
    if not isinstance(value, Mapping) or value.get("kind") not in KINDS:
        raise ValueError(f"do needs a kind; there are {', '.join(KINDS)}")
    fields = KINDS[value["kind"]]
    for name, item in value.items():
        if name == "kind":
            continue
        if name not in fields:
            raise ValueError(f"{value['kind']} has no field {name!r}")
        if not _is(item, fields[name]):
            raise ValueError(f"{name} of {value['kind']} does not take {item!r}")
    fault = ServiceFault(**({"status": 103} if value["kind"] == "early" else {}) | dict(value))
    if fault.kind == "early" and not 101 < fault.status < 200:
        raise ValueError(f"status of early does not take {fault.status}; it is from 102 to 199")
    return fault


def _is(value: object, kind: type) -> bool:
    if kind in (int, float):
        return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    return isinstance(value, kind)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
