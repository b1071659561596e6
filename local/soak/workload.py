"""Carries out what the seed decided: files are dropped at their moments, clients ask at theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from local.soak.drops import all_drops
from local.soak.flows import OPEN, ClientRequest, Flows, attach_request, order_request
from local.soak.options import Options
from local.soak.orders import OrderCase, all_orders
from local.soak.person import Person
from local.soak.steps import Appear, Delete, Drop, Post, Put, Step, Upload
from local.stack import Stack
from shared.settings import Settings

_AT_ONCE = 48

Act = tuple[float, Callable[[], object]]


class Workload:
    """Everything that people and flows do. Files go straight to storage; only the hosts' way is faulty."""

    def __init__(self, options: Options, stack: Stack, person: Person) -> None:
        self.drops: list[Drop] = all_drops(options.seed, options.drops, options.seconds)
        self.cases: list[OrderCase] = all_orders(options.seed, options.orders, options.seconds)
        self.stop = threading.Event()
        self.flows = Flows(stack.hosts, options.seed, self.stop)
        self.done = 0
        self.failed: list[str] = []
        """What the campaign itself could not do."""
        self._person = person
        self._service = stack.blob_service()
        self._incoming = Settings.read(stack.settings).storage.incoming
        self._pool = ThreadPoolExecutor(_AT_ONCE, "work")
        self._acts = sorted(self._planned(), key=lambda act: act[0])
        self._in_flight: set[str] = set()

    @property
    def left(self) -> int:
        """How much has not begun yet."""
        return len(self._acts)

    def begin(self, now: float) -> None:
        """Begin what is due `now` seconds after the beginning."""
        while self._acts and self._acts[0][0] <= now:
            self._pool.submit(self._guarded, self._acts.pop(0)[1])

    def resubmit_open(self) -> None:
        """Let the clients without a final answer ask again, as when somebody resubmits a failed flow."""
        for request in self._requests():
            if request.name not in self._in_flight and self.flows.last(request.name).state == OPEN:
                self._in_flight.add(request.name)
                self._pool.submit(self._guarded, partial(self._resubmit, request))

    def end(self) -> None:
        """Stop all clients and wait for them."""
        self.stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._service.close()

    def _planned(self) -> list[Act]:
        latest: dict[str, threading.Event] = {}
        steps = [step for drop in self.drops for step in drop.steps]
        acts = [(step.at, self._act(step, latest)) for step in sorted(steps, key=lambda step: step.at)]
        for case in self.cases:
            acts += [(case.at, partial(self.flows.send_until_final, order_request(case)))] * case.clients
            acts += [(0.0, partial(self._person.place, case))] if case.by_hand else []
        return acts

    def _act(self, step: Step, latest: dict[str, threading.Event]) -> Callable[[], object]:
        match step:
            case Post():
                return partial(self.flows.send_until_final, attach_request(step.case))
            case Upload():
                return partial(self._person.upload, step)
            case Appear():
                return partial(self._person.let_appear, step)
        before, latest[step.name] = latest.get(step.name), threading.Event()
        return partial(self._write, step, before, latest[step.name])

    def _requests(self) -> list[ClientRequest]:
        posts = [attach_request(s.case) for d in self.drops for s in d.steps if isinstance(s, Post)]
        return [*posts, *(order_request(case) for case in self.cases)]

    def _resubmit(self, request: ClientRequest) -> None:
        try:
            self.flows.send_until_final(request)
        finally:
            self._in_flight.discard(request.name)

    def _write(self, step: Put | Delete, before: threading.Event | None, done: threading.Event) -> None:
        """Write or delete a blob, once the step `before` it on the same blob is done."""
        if before is not None:
            before.wait()
        try:
            blob = self._service.get_blob_client(self._incoming, step.name)
            if isinstance(step, Put):
                blob.upload_blob(step.content, overwrite=True)
            else:
                blob.delete_blob()
        finally:
            done.set()

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            self.failed.append(f"{type(error).__name__}: {error}")
        self.done += 1
