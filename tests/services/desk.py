"""The look-up of resellers on its own, against a Partner Center that is simulated."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from local.simulator.partner_center import PartnerCenterSimulator
from local.simulator.state import USUAL_RESELLERS, Reseller
from shared.auth.mode import Mode
from shared.clock import Deadline
from shared.partner_center.client import PartnerCenter
from shared.partner_center.wire import RequestIds
from shared.services.resellers import Resellers
from shared.validation.orders import order_request
from tests.services.conftest import CUSTOMER, Clock, MintedTokens

KNOWN, INACTIVE = USUAL_RESELLERS
OTHER = Reseller("77777777-93d8-4c1e-b3a7-6f0e2b9c4d18", "Wingtip Reseller", "6000007")
UNKNOWN = "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
LIFETIME = 300.0
LIST, CHECK = "GET relationships", "POST validateresellers"
FOR_EVER = {"kind": "hang", "seconds": 60}


class Gate(MintedTokens):
    """The tokens of a user for whom getting one takes until `open` is set, and then does what `then` does."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.reached, self.open, self._then = threading.Event(), threading.Event(), then
        self.times = 0

    def get(self, mode: Mode) -> str:
        self.times += 1
        self.reached.set()
        assert self.open.wait(30)
        self._then()
        return super().get(mode)


@dataclass
class Desk:
    """The look-up of one partner, without orders, against a Partner Center that is simulated."""

    simulator: PartnerCenterSimulator
    pool: ThreadPoolExecutor
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.resellers = Resellers(LIFETIME, self.clock.monotonic)
        url, clock = self.simulator.url, self.clock
        self.partner = PartnerCenter(url, MintedTokens(), clock=clock.monotonic, sleep=clock.sleep)

    def ask(
        self, reseller: str = KNOWN.id, *, seconds: float = 20.0, by: PartnerCenter | None = None, **more: Any
    ) -> str | None:
        line = {"offerId": "A", "quantity": 1}
        raw = json.dumps({"lineItems": [line], "indirectResellerId": reseller, **more})
        return self._ask(raw, seconds, by)

    def ask_for_ids(self, *partner_ids: str) -> str | None:
        lines = [{"offerId": "A", "quantity": 1, "partnerIdOnRecord": given} for given in partner_ids]
        return self._ask(json.dumps({"lineItems": lines}), 20.0, None)

    def _ask(self, raw: str, seconds: float, by: PartnerCenter | None) -> str | None:
        request = order_request(raw.encode(), CUSTOMER)
        return self.resellers.partner_id(by or self.partner, request, new_ids(), Deadline.after(seconds))

    def begin(self, *args: Any, **more: Any) -> Future[str | None]:
        """`ask` in a thread of its own."""
        return self.pool.submit(self.ask, *args, **more)

    def calls(self, operation: str = LIST) -> int:
        return sum(entry.operation == operation for entry in self.simulator.journal.entries())

    def until_called(self, times: int, operation: str = LIST) -> None:
        until(lambda: self.calls(operation) >= times)

    def fault(self, do: Mapping[str, object], on: str = LIST, times: int = 1) -> None:
        self.simulator.faults.add({"on": on, "times": times, "do": do})

    def lists(self, *items: object, times: int = 1, members: Mapping[str, object] | None = None) -> None:
        """Have the next lists be this."""
        body = {"totalCount": len(items), "items": items, **(members or {})}
        self.fault({"kind": "status", "status": 200, "body": body}, times=times)

    def has(self, *resellers: Reseller) -> None:
        self.simulator.state.resellers = resellers


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def at_desk(simulator: PartnerCenterSimulator) -> Iterator[Desk]:
    """A desk of a partner about whom nothing is known yet."""
    simulator.reset()
    with ThreadPoolExecutor(40) as pool:
        yield Desk(simulator, pool)


def new_ids() -> RequestIds:
    return RequestIds(str(uuid.uuid4()), str(uuid.uuid4()))


def item(**changes: object) -> dict[str, object]:
    return {"id": KNOWN.id, "mpnId": KNOWN.mpn_id, "state": "Active", **changes}
