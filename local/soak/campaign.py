"""One campaign from beginning to end: faults and work, then rest, then the count."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.azurite.launcher import Azurite
from local.fault_proxy import Proxy
from local.soak import artifacts
from local.soak.causes import NOTHING_KNOWN, Causes, causes_of
from local.soak.chaos import Killer, StorageFaults
from local.soak.checker import CheckResult, check
from local.soak.observations import Observation, Observer
from local.soak.options import APP_SETTINGS, PARTNER_CENTER_RATES, Options, read_options
from local.soak.partner import behaviour, described, review_causes
from local.soak.person import Person
from local.soak.report import Progress, table
from local.soak.workload import Workload
from local.stack import ROOT, Plan, Stack, clean_environment
from shared.settings_table import DOCUMENT_STORAGE

_TICK = 0.05
_LOOK = 3.0
_QUIET = 5.0
_CALM = 90.0
"""When nothing has changed for so long, and nothing is due soon, what is left waits for something far off."""
_SOON = timedelta(seconds=60)


def main(given: argparse.Namespace) -> int:
    """Run the campaign of a command line; 1 when something was lost, done twice or left unexplained."""
    options = read_options(given)
    return run(options, ROOT / ".local" / "soak" / f"seed-{options.seed}")


def run(options: Options, folder: Path) -> int:
    """Run one campaign with its logs in `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    print(f"seed {options.seed}: {options.drops} drops and {options.orders} orders to {options.hosts} hosts;")
    print(
        f"faults for {options.seconds:g} s, then at most {options.settle:g} s until everything is final",
        flush=True,
    )
    begun = time.monotonic()
    blobs, queues = StorageFaults(options.seed, "blobs"), StorageFaults(options.seed, "queues")
    with (
        Azurite(clean_environment(os.environ), folder) as azurite,
        Proxy(azurite.blob_endpoint, blobs.decide) as blob_proxy,
        Proxy(azurite.queue_endpoint, queues.decide) as queue_proxy,
    ):
        storage = blob_proxy.connection_string(azurite.connection_string, queue_proxy)
        plan = Plan(
            folder,
            hosts=options.hosts,
            azurite=azurite,
            settings={**APP_SETTINGS, DOCUMENT_STORAGE: storage},
            host_arguments=("--lease", "10"),
            feeder_arguments=(
                *("--duplicates", "1", "--delay", "3"),
                *("--lose", str(options.lose), "--seed", str(options.seed)),
            ),
        )
        with Stack(plan) as stack:
            proxies = {blob_proxy: blobs, queue_proxy: queues}
            return Campaign(options, stack, proxies).play(begun)


class Campaign:
    """A campaign on a stack that is up; the hosts reach blobs and queues through `proxies`, in this order,
    each with the faults that it injects."""

    def __init__(self, options: Options, stack: Stack, proxies: dict[Proxy, StorageFaults]) -> None:
        self._options = options
        self._stack = stack
        self._proxies = proxies
        self._person = Person(stack)
        self._observer = Observer(stack, self._person)
        self._workload = Workload(options, stack, self._person)
        self._killer = Killer(stack, options.seed, options.kills, options.seconds)
        self._progress = Progress()
        self._behaviour = behaviour(options)

    def play(self, begun: float) -> int:
        """All of it; the exit code."""
        try:
            self._prepare()
            self._inject_faults()
            result, observed = self._settle()
        finally:
            self._workload.end()
        self._progress.done()
        blobs, queues = self._proxies.values()
        profile = f"{self._options.profile}: {described(self._behaviour)}"
        stats = artifacts.gather_statistics(
            self._stack, self._person, self._workload, self._killer, blobs, queues, profile, observed
        )
        self._observer.close()
        self._person.close()
        print(table(self._options, result, stats, time.monotonic() - begun))
        for line in self._workload.failed:
            print(f"the campaign itself failed: {line}")
        path = artifacts.write_findings(self._stack.plan.folder, self._workload, result, observed)
        print(f"logs and findings       {path}")
        return 1 if result.violations or self._workload.failed or self._killer.died else 0

    def _prepare(self) -> None:
        control = self._person.control
        control("config", self._behaviour)
        for drop in self._workload.drops:
            if drop.order_exists:
                control("orders", {"customerId": drop.customer, "id": drop.order})
        drops, cases = self._workload.drops, self._workload.cases
        rules = (*(d.fault_rules for d in drops), *(c.fault_rules for c in cases))
        control("faults", [rule for those in rules for rule in those])
        control("faults", {"seed": self._options.seed, "rates": PARTNER_CENTER_RATES})

    def _inject_faults(self) -> None:
        """Work comes in, and everything fails now and then."""
        started = looked = time.monotonic()
        while (now := time.monotonic() - started) < self._options.seconds or self._workload.left:
            self._workload.begin(now)
            self._killer.act(now)
            self._stack.check()
            if time.monotonic() - looked > 1:
                self._person.change(self._workload.cases)
                looked = time.monotonic()
            injected = sum(faults.injected.total() for faults in self._proxies.values())
            self._progress.show(
                f"{now:4.0f} s  done {self._workload.done}, to come {self._workload.left}; "
                f"hosts killed {self._killer.kills}; storage faults {injected}"
            )
            time.sleep(_TICK)
        for faults in self._proxies.values():
            faults.active = False
        self._person.no_faults()
        self._killer.end()

    def _settle(self) -> tuple[CheckResult, Observation]:
        """No more faults: clients ask again and sweeps run until nothing changes any more."""
        end = time.monotonic() + self._options.settle
        open_ones, since = frozenset[str](), time.monotonic()
        while True:
            result, observed = self._checked(NOTHING_KNOWN)
            now = time.monotonic()
            waiting = frozenset(f.what for f in result.unsettled)
            if waiting != open_ones or _due_soon(observed):
                open_ones, since = waiting, now
            if not waiting or now >= end or now >= since + _CALM:
                return self._final_sweep()
            self._workload.resubmit_open()
            self._person.change(self._workload.cases)
            for proxy in self._proxies:
                proxy.clear()  # the counts are kept elsewhere
            self._progress.show(f"settling, at most {end - now:.0f} s more; {len(waiting)} are not final yet")
            time.sleep(max(0.0, min(_LOOK, end - now)))

    def _final_sweep(self) -> tuple[CheckResult, Observation]:
        """All hosts sweep once more, all at once: nothing may happen any more."""
        for host in self._stack.hosts:
            self._observer.sweep(host)
        time.sleep(min(_QUIET, self._options.settle / 6))
        observed = self._observer.observe()
        deceived, journal = self._options.deceives, self._person.see("requests")["requests"]
        always = review_causes(self._behaviour, deceived=deceived)
        causes = causes_of(
            journal, self._workload.drops, self._workload.cases, observed, always, deceived=deceived
        )
        return self._checked(causes)

    def _checked(self, causes: Causes) -> tuple[CheckResult, Observation]:
        observed = self._observer.observe()
        return check(
            self._workload.drops, self._workload.cases, self._workload.flows.last, observed, causes
        ), observed


def _due_soon(observed: Observation) -> bool:
    """Whether the ledger names something that is due, or soon will be."""
    soon = (datetime.now(UTC) + _SOON).isoformat()
    return any(str(record.get("due") or "9999") <= soon for record in observed.records.values())
