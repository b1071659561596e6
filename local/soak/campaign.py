"""One campaign from beginning to end: faults and work, then rest, then the count."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import time
from pathlib import Path

from local.azurite.launcher import Azurite
from local.soak import evidence
from local.soak.flows import OPEN
from local.soak.havoc import Killer, StorageFaults
from local.soak.options import APP_SETTINGS, LIST_LAG, PARTNER_CENTER_RATES, Options, read_options
from local.soak.report import Progress, table
from local.soak.verdict import Verdict, judge
from local.soak.work import Work
from local.soak.world import Reader, World
from local.stack import ROOT, Plan, Stack, clean_environment
from local.storage_proxy import Proxy
from shared.settings_table import DOCUMENT_STORAGE

_TICK = 0.05
_LOOK = 3.0
_QUIET = 5.0
_CALM = 90.0
"""When all that is left waits for a next attempt, and has for so long, that attempt is far away."""


def main(given: argparse.Namespace) -> int:
    """Run the campaign of a command line; 1 when something was lost, done twice or left unexplained."""
    options = read_options(given)
    return run(options, ROOT / ".local" / "soak" / f"seed-{options.seed}")


def run(options: Options, folder: Path) -> int:
    """Run one campaign with its logs in `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    print(f"seed {options.seed}: {options.drops} drops and {options.orders} orders to {options.hosts} hosts;")
    print(f"faults for {options.seconds:g} s, then at most {options.settle:g} s to come to rest", flush=True)
    begun = time.monotonic()
    faults = StorageFaults(options.seed)
    with (
        Azurite(clean_environment(os.environ), folder) as azurite,
        Proxy(azurite.blob_endpoint, faults.decide) as proxy,
    ):
        storage = proxy.connection_string(azurite.connection_string)
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
            return Campaign(options, stack, proxy, faults).play(begun)


class Campaign:
    """A campaign on a stack that is up; the hosts reach storage through `proxy`."""

    def __init__(self, options: Options, stack: Stack, proxy: Proxy, faults: StorageFaults) -> None:
        self._options = options
        self._stack = stack
        self._proxy = proxy
        self._faults = faults
        self._reader = Reader(stack)
        self._work = Work(options, stack)
        self._killer = Killer(stack, options.seed, options.kills, options.seconds)
        self._progress = Progress()
        self._honours = random.Random(f"{options.seed}/server").random() < 0.5

    def play(self, begun: float) -> int:
        """All of it; the exit code."""
        try:
            self._prepare()
            self._storm()
            verdict, world = self._rest()
        finally:
            self._work.end()
        self._progress.done()
        told = evidence.story(
            self._stack, self._reader, self._work, self._killer, self._faults, self._honours
        )
        self._reader.close()
        print(table(self._options, verdict, told, time.monotonic() - begun))
        for line in self._work.failed:
            print(f"the campaign itself failed: {line}")
        print(f"logs and findings       {evidence.keep(self._stack.plan.folder, self._work, verdict, world)}")
        return 1 if verdict.violations or self._work.failed or self._killer.died else 0

    def _prepare(self) -> None:
        control = self._reader.control
        control("config", {"honours_request_id": self._honours, "list_lag": LIST_LAG})
        for drop in self._work.drops:
            if drop.order_exists:
                control("orders", {"customerId": drop.last.customer, "id": drop.last.order})
        control("faults", {"seed": self._options.seed, "rates": PARTNER_CENTER_RATES})
        self._faults.active = True

    def _storm(self) -> None:
        """Work comes in, and everything fails now and then."""
        started = time.monotonic()
        while (now := time.monotonic() - started) < self._options.seconds or self._work.left:
            self._work.begin(now)
            self._killer.act(now)
            self._stack.check()
            self._progress.show(
                f"{now:4.0f} s  done {self._work.done}, to come {self._work.left}; "
                f"hosts killed {self._killer.kills}; storage faults {self._faults.suffered.total()}"
            )
            time.sleep(_TICK)
        self._faults.active = False
        self._reader.no_faults()
        self._killer.end()

    def _rest(self) -> tuple[Verdict, World]:
        """No more faults: clients ask again and sweeps run until nothing changes any more."""
        end = time.monotonic() + self._options.settle
        open_ones, since = frozenset[str](), time.monotonic()
        while True:
            verdict, _ = self._judged()
            now = time.monotonic()
            waiting = frozenset(f.what for f in verdict.restless)
            if waiting != open_ones or len(verdict.of(OPEN)) < len(verdict.restless):
                open_ones, since = waiting, now
            if not waiting or now >= end or now >= since + _CALM:
                return self._once_more()
            self._work.ask_again()
            self._proxy.clear()  # what it has seen is counted elsewhere
            self._progress.show(
                f"coming to rest, at most {end - now:.0f} s more; {len(waiting)} are not final yet"
            )
            time.sleep(max(0.0, min(_LOOK, end - now)))

    def _once_more(self) -> tuple[Verdict, World]:
        """All hosts sweep once more, all at once: nothing may happen any more."""
        for host in self._stack.hosts:
            self._reader.sweep(host)
        time.sleep(min(_QUIET, self._options.settle / 6))
        return self._judged()

    def _judged(self) -> tuple[Verdict, World]:
        world = self._reader.look()
        return judge(self._work.drops, self._work.cases, self._work.flows.last, world), world
