"""Whatever happens, in whatever order: never twice, and in the end never lost.

The machine drops documents, delivers, doubles and loses events, asks over HTTP, sweeps, moves the clock, lets
Partner Center misbehave, and lets instances die at any of their writes. The services, the ledger, Azurite
and the Partner Center simulator are the real ones. PROPERTY_EXAMPLES=500 makes a long run of it, with other
examples each time.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from local.fault_rules import Fault, Seen
from shared.core.errors import AppError
from shared.core.ledger import State
from shared.services.operation import Outcome
from shared.services.orders import only_submission, order_key
from shared.validation.orders import order_request
from tests.faults.parts import DENIED, Lines, World, attach, place_body
from tests.services.conftest import CUSTOMER, PDF

EXAMPLES = os.environ.get("PROPERTY_EXAMPLES")
CHECKED = settings(
    max_examples=int(EXAMPLES or 25),
    stateful_step_count=14,
    derandomize=EXAMPLES is None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

CORRELATION = "c0c0c0c0-0000-4000-8000-000000000000"

drops = st.integers(0, 2)
"""Each drop is for an order of its own."""
keys = st.sampled_from(["a", "b", "c"])
QUANTITY = {"a": 1, "b": 1, "c": 2}
"""The keys a and b ask for equal lines."""
deaths = st.none() | st.tuples(st.integers(0, 6), st.booleans())
"""At which of its writes (to storage or Partner Center) an instance dies, and whether after it."""
behaviours = st.sampled_from(
    [
        {"kind": "lose_reply"},
        {"kind": "truncate"},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 500, "commit": True},
        {"kind": "throttle", "retry_after": 5},
        {"kind": "throttle", "retry_after": 900},
        {"kind": "refuse"},
        {"kind": "cut", "after_bytes": 50},
    ]
)


weathers = st.none() | st.tuples(behaviours, st.booleans())
"""What happens to the next POST, and whether Partner Center cannot be asked about it for a while either."""


def document(version: int) -> bytes:
    return PDF + b"v" * 20_000 * version + b"\n%%EOF\n"


Weather = tuple[dict[str, object], bool] | None
Death = tuple[int, bool] | None


class Machine(RuleBasedStateMachine):
    lines: Lines

    @initialize(honours=st.booleans(), lists_all=st.booleans(), lag=st.sampled_from([0.0, 900.0]))
    def begin(self, honours: bool, lists_all: bool, lag: float) -> None:
        self.world: World = self.lines.new_world()
        self.world.partner.configure(honours_request_id=honours, reply_lists_all=lists_all, list_lag=lag)
        self.orders = [self.world.order() for _ in range(3)]
        self.version = [0, 0, 0]
        self.halves: list[set[str]] = [set(), set(), set()]
        self.asked: set[str] = set()
        self.events: list[str] = []
        self.drop(0, "both")

    @rule(n=drops, half=st.sampled_from(["pdf", "json", "both"]))
    def drop(self, n: int, half: str) -> None:
        """The event is on its way from now on; it may never be delivered."""
        self.world.clock.forward(seconds=2)
        for ending in ("pdf", "json") if half == "both" else (half,):
            content = document(self.version[n]) if ending == "pdf" else self.world.sidecar(self.orders[n])
            self.world.drop(f"{n}/PO.{ending}", content)
            self.halves[n].add(ending)
            self.events.append(f"{n}/PO.{ending}")

    @rule(n=drops)
    def overwrite(self, n: int) -> None:
        self.version[n] += 1
        self.drop(n, "pdf")

    @rule(data=st.data(), weather=weathers, death=deaths)
    def deliver(self, data: st.DataObject, weather: Weather, death: Death) -> None:
        """Any event, in any order; it stays, so it may come again."""
        if self.events:
            path = data.draw(st.sampled_from(self.events))
            self._do(weather, death, lambda: self.world.ring(path, by=self.world.faulty))

    @rule(n=drops, weather=weathers, death=deaths)
    def attach_over_http(self, n: int, weather: Weather, death: Death) -> None:
        content = document(self.version[n])
        self._do(weather, death, lambda: attach(self.world.faulty, self.orders[n], content))

    @rule(key=keys, weather=weathers, death=deaths)
    def place(self, key: str, weather: Weather, death: Death) -> None:
        self.asked.add(key)
        self._do(weather, death, lambda: self._place(key))

    @rule(weather=weathers, death=deaths)
    def sweep(self, weather: Weather, death: Death) -> None:
        """Hand out what is overdue, and work it off."""
        self._do(weather, death, lambda: self.world.sweep(by=self.world.faulty))

    @rule(minutes=st.sampled_from([1, 3, 6, 25, 120]))
    def time_passes(self, minutes: int) -> None:
        self.world.clock.forward(minutes=minutes)

    @invariant()
    def never_twice(self) -> None:
        if not hasattr(self, "world"):
            return
        bought: Counter[int] = Counter()
        for order in list(self.world.partner.state.orders.values()):
            times = Counter(item.sha256 for item in order.attachments)
            assert set(times.values()) <= {1}, f"attached twice to {order.id}"
            if order.id not in self.orders:
                bought += Counter(line["quantity"] for line in order.body["lineItems"])  # type: ignore[attr-defined]
        wanted = Counter(QUANTITY[key] for key in self.asked)
        assert bought <= wanted, f"bought {bought}, asked for {wanted}"

    def teardown(self) -> None:
        """Never lost: Partner Center and storage are well again, and the sweep runs as it always does, until
        it has found nothing twice and nothing will ever be due; and once more after hours."""
        if not hasattr(self, "world"):
            return
        self.world.heal()
        quiet = 0
        for _ in range(16):
            self.world.clock.forward(minutes=15)
            quiet = quiet + 1 if self._finds_nothing() else 0
            self.never_twice()
            if quiet == 2:
                break
        self.world.clock.forward(hours=4)
        self.world.sweep()
        self.never_twice()
        for n in (n for n in range(3) if self.halves[n] == {"pdf", "json"}):
            self._has_come_to_an_end(n)
        ledger = self.world.services.ledger
        kept = [
            only_submission(stored.record)
            for key in self.asked
            if (stored := ledger.read(order_key(CUSTOMER, key)))
        ]
        assert not {s.state for s in kept} & {State.CLAIMED, State.UNKNOWN}, "nobody went on with an order"
        placed = {key: self._place(key).submission for key in self.asked}
        assert {s.state for s in placed.values()} <= {State.DONE}, placed
        assert len({s.ids for s in placed.values()}) == len(self.asked)
        self.never_twice()

    def _finds_nothing(self) -> bool:
        """Sweep; whether there was nothing to hand out, and nothing is due at whatever time."""
        counts = self.world.sweep()
        return sum(counts.values()) == counts["listed"] and self.world.rests()

    def _has_come_to_an_end(self, n: int) -> None:
        """The drop is attached in its newest version, or says that the newest waits for the sidecar; a person
        has it only when it was tried for a day."""
        receipt = self.world.receipt(f"{n}/PO.json")
        sizes = [item.size for item in self.world.partner.state.orders[self.orders[n]].attachments]
        newest = len(document(self.version[n]))
        if receipt["state"] == "review":
            assert "within 24 hours" in receipt["detail"], receipt
            return
        assert receipt["state"] == "attached", receipt
        waits = [file["size"] for file in receipt.get("newer", {}).get("files", ())]
        assert newest in sizes or newest in waits, receipt
        assert {file["size"] for file in receipt["files"]} <= set(sizes), receipt

    def _place(self, key: str) -> Outcome:
        request = order_request(place_body(QUANTITY[key]), CUSTOMER)
        world = self.world
        return world.faulty.orders.place(CUSTOMER, request, key, CORRELATION, world.deadline())

    def _do(self, weather: Weather, death: Death, what: Callable[[], object]) -> None:
        """Let an instance do it, and die of it; another takes its place."""
        faults = self.world.partner.faults
        if weather:
            behaviour, deaf = weather
            faults.add(*({"on": post, "do": behaviour} for post in ("POST attachment", "POST order")))
            for asked in ("GET attachments", "GET orders") if deaf else ():
                faults.add({"on": asked, "times": 3, "do": {"kind": "status", "status": 503}})
        with self._dying(*death) if death else contextlib.nullcontext(), contextlib.suppress(AppError):
            what()
        self.world.storage.clear()
        self.world.queues.clear()
        faults.clear()

    @contextlib.contextmanager
    def _dying(self, at: int, after: bool) -> Iterator[None]:
        """Cut the instance off at its write number `at`: from then on it does and learns nothing more."""
        left = at

        def fault(seen: Seen) -> Fault | None:
            nonlocal left
            dead, left = left < 0, left - seen.writes
            if dead or left < 0:
                kind: Literal["cut", "status"] = "cut" if seen.method == "POST" else "status"
                return Fault(kind, status=DENIED, code="Gone", after=after and not dead)
            return None

        for proxy in self.world.proxies.values():
            proxy.decide = fault
        try:
            yield
        finally:
            for proxy in self.world.proxies.values():
                proxy.decide = None
            self.world.new_faulty()


def test_never_twice_never_lost(behind_proxies: Lines) -> None:
    Machine.lines = behind_proxies
    run_state_machine_as_test(Machine, settings=CHECKED)
