"""How large a campaign is, and how hard: its parameters and the rates of what goes wrong."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """One campaign. The same options give the same drops, orders and faults."""

    drops: int = 150
    orders: int = 100
    seconds: float = 60.0
    """How long drops and orders come in, and faults go on."""
    settle: float = 300.0
    """Most seconds for everything to come to rest afterwards."""
    hosts: int = 3
    kills: int = 15
    lose: float = 0.25
    """Share of the copies of events that never arrive; each event has two."""
    seed: int = 0

    @property
    def command(self) -> str:
        """What repeats this campaign."""
        shown = {name: getattr(self, name) for name in self.__slots__}
        given = " ".join(f"--{name} {value:g}" for name, value in shown.items())
        return f"make soak ARGS='{given}'"


PARTNER_CENTER_RATES: Mapping[str, float] = {
    "lose_reply": 0.05,
    "status": 0.04,
    "status_after_commit": 0.04,
    "throttle": 0.04,
    "hang": 0.005,
    "hang_after_commit": 0.01,
    "cut": 0.03,
    "refuse": 0.03,
    "truncate": 0.02,
    "garbage": 0.02,
    "delay": 0.08,
}
"""Share of the requests to Partner Center that suffer each fault (local/simulator/faults.py)."""

LIST_LAG = 4.0
"""Seconds for which the customer's list does not show a new order."""

APP_SETTINGS: Mapping[str, str] = {
    "REQUEST_SECONDS": "10",
    "ATTACHMENT_VISIBILITY_SECONDS": "5",
    "ORDER_VISIBILITY_SECONDS": "12",
    "SWEEP_SCHEDULE": "*/15 * * * * *",
}
"""Waits that last minutes in production, shortened. Two remain and set the length of a run: the sweep leaves
a blob younger than two minutes to its event, and the claim of a killed host lasts 70 seconds."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the campaign's parameters to the command line."""
    usual = Options()
    parser.add_argument("--drops", type=int, default=usual.drops, help="number of drops")
    parser.add_argument("--orders", type=int, default=usual.orders, help="number of order requests")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="how long the faults go on")
    parser.add_argument(
        "--settle", type=float, default=usual.settle, help="most seconds to come to rest afterwards"
    )
    parser.add_argument("--hosts", type=int, default=usual.hosts, help="number of host processes")
    parser.add_argument("--kills", type=int, default=-1, help="hosts killed; one every 4 seconds by default")
    parser.add_argument("--lose", type=float, default=usual.lose, help="share of event copies that are lost")
    parser.add_argument("--seed", type=int, default=-1, help="decides everything; a new one by default")


def read_options(given: argparse.Namespace) -> Options:
    """The options of a command line; a seed and the kills are filled in."""
    return Options(
        drops=given.drops,
        orders=given.orders,
        seconds=given.seconds,
        settle=given.settle,
        hosts=given.hosts,
        kills=given.kills if given.kills >= 0 else max(1, int(given.seconds / 4)),
        lose=given.lose,
        seed=given.seed if given.seed >= 0 else secrets.randbelow(1_000_000),
    )
