"""One campaign from beginning to end: faults and work, then rest, then the count."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.azurite.launcher import Azurite
from local.soak import evidence
from local.soak.causes import NOTHING_KNOWN, Causes, causes_of
from local.soak.havoc import Killer, StorageFaults
from local.soak.options import APP_SETTINGS, PARTNER_CENTER_RATES, Options, read_options
from local.soak.partner import described, odd, switches
from local.soak.person import Person
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
    print(f"faults for {options.seconds:g} s, then at most {options.settle:g} s to come to rest", flush=True)
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
    each with the faults that it suffers."""

    def __init__(self, options: Options, stack: Stack, proxies: dict[Proxy, StorageFaults]) -> None:
        self._options = options
        self._stack = stack
        self._proxies = proxies
        self._person = Person(stack)
        self._reader = Reader(stack, self._person)
        self._work = Work(options, stack, self._person)
        self._killer = Killer(stack, options.seed, options.kills, options.seconds)
        self._progress = Progress()
        self._switches = switches(options)

    def play(self, begun: float) -> int:
        """All of it; the exit code."""
        try:
            self._prepare()
            self._storm()
            verdict, world = self._rest()
        finally:
            self._work.end()
        self._progress.done()
        blobs, queues = self._proxies.values()
        make = f"{self._options.make}: {described(self._switches)}"
        told = evidence.story(self._stack, self._person, self._work, self._killer, blobs, queues, make)
        self._reader.close()
        self._person.close()
        print(table(self._options, verdict, told, time.monotonic() - begun))
        for line in self._work.failed:
            print(f"the campaign itself failed: {line}")
        print(f"logs and findings       {evidence.keep(self._stack.plan.folder, self._work, verdict, world)}")
        return 1 if verdict.violations or self._work.failed or self._killer.died else 0

    def _prepare(self) -> None:
        control = self._person.control
        control("config", self._switches)
        for drop in self._work.drops:
            if drop.order_exists:
                control("orders", {"customerId": drop.customer, "id": drop.order})
        troubles = [*(d.troubles for d in self._work.drops), *(c.troubles for c in self._work.cases)]
        control("faults", [fault for those in troubles for fault in those])
        control("faults", {"seed": self._options.seed, "rates": PARTNER_CENTER_RATES})

    def _storm(self) -> None:
        """Work comes in, and everything fails now and then."""
        started = looked = time.monotonic()
        while (now := time.monotonic() - started) < self._options.seconds or self._work.left:
            self._work.begin(now)
            self._killer.act(now)
            self._stack.check()
            if time.monotonic() - looked > 1:
                self._person.change(self._work.cases)
                looked = time.monotonic()
            suffered = sum(faults.suffered.total() for faults in self._proxies.values())
            self._progress.show(
                f"{now:4.0f} s  done {self._work.done}, to come {self._work.left}; "
                f"hosts killed {self._killer.kills}; storage faults {suffered}"
            )
            time.sleep(_TICK)
        for faults in self._proxies.values():
            faults.active = False
        self._person.no_faults()
        self._killer.end()

    def _rest(self) -> tuple[Verdict, World]:
        """No more faults: clients ask again and sweeps run until nothing changes any more."""
        end = time.monotonic() + self._options.settle
        open_ones, since = frozenset[str](), time.monotonic()
        while True:
            verdict, world = self._judged(NOTHING_KNOWN)
            now = time.monotonic()
            waiting = frozenset(f.what for f in verdict.restless)
            if waiting != open_ones or _due_soon(world):
                open_ones, since = waiting, now
            if not waiting or now >= end or now >= since + _CALM:
                return self._once_more()
            self._work.ask_again()
            self._person.change(self._work.cases)
            for proxy in self._proxies:
                proxy.clear()  # what it has seen is counted elsewhere
            self._progress.show(
                f"coming to rest, at most {end - now:.0f} s more; {len(waiting)} are not final yet"
            )
            time.sleep(max(0.0, min(_LOOK, end - now)))

    def _once_more(self) -> tuple[Verdict, World]:
        """All hosts sweep once more, all at once: nothing may happen any more."""
        for host in self._stack.hosts:
            self._reader.sweep(host)
        time.sleep(min(_QUIET, self._options.settle / 6))
        world = self._reader.look()
        deceived, journal = self._options.deceives, self._person.see("requests")["requests"]
        always = odd(self._switches, deceived=deceived)
        causes = causes_of(journal, self._work.drops, self._work.cases, world, always, deceived=deceived)
        return self._judged(causes)

    def _judged(self, causes: Causes) -> tuple[Verdict, World]:
        world = self._reader.look()
        return judge(self._work.drops, self._work.cases, self._work.flows.last, world, causes), world


def _due_soon(world: World) -> bool:
    """Whether the ledger names something that is due, or soon will be."""
    soon = (datetime.now(UTC) + _SOON).isoformat()
    return any(str(record.get("due") or "9999") <= soon for record in world.records.values())
