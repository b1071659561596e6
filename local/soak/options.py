"""How large a campaign is, and how hard: its parameters and the rates of what goes wrong."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

ATTACHMENTS_SEEN_AFTER, ORDERS_SEEN_AFTER = 5.0, 12.0
"""Seconds after which the application takes what Partner Center does not show for absent."""

PROFILES = ("usual", "other", "mixed")
"""How Partner Center answers: as the documents are usually read, otherwise, or each detail by the seed."""


@dataclass(frozen=True, slots=True)
class Options:
    """One campaign. The same options give the same drops, orders and faults."""

    drops: int = 150
    orders: int = 100
    seconds: float = 60.0
    """How long drops and orders come in, and faults go on."""
    settle: float = 420.0
    """Most seconds to wait afterwards until everything is final."""
    hosts: int = 3
    kills: int = 15
    lose: float = 0.25
    """Share of the copies of events that never arrive; each event has two."""
    lag: float = 3.0
    """Seconds for which Partner Center's lists do not show what is new. From ATTACHMENTS_SEEN_AFTER on they
    deceive the application: what is there may be sent again."""
    profile: str = "usual"
    seed: int = 0

    @property
    def deceives(self) -> bool:
        """Whether lists are late for longer than the application believes possible."""
        return self.lag >= ATTACHMENTS_SEEN_AFTER

    @property
    def command(self) -> str:
        """What repeats this campaign."""
        shown = {name: getattr(self, name) for name in self.__slots__}
        texts = ((name, value if isinstance(value, str) else f"{value:g}") for name, value in shown.items())
        return f"make soak ARGS='{' '.join(f'--{name} {text}' for name, text in texts)}'"


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
"""Share of the requests to Partner Center that get each fault (local/simulator/faults.py)."""

APP_SETTINGS: Mapping[str, str] = {
    "REQUEST_SECONDS": "16",
    "MAX_BODY_MB": "11",
    "ATTACHMENT_VISIBILITY_SECONDS": f"{ATTACHMENTS_SEEN_AFTER:g}",
    "ORDER_VISIBILITY_SECONDS": f"{ORDERS_SEEN_AFTER:g}",
    "SWEEP_SCHEDULE": "*/15 * * * * *",
    "PYTHON_THREADPOOL_THREAD_COUNT": "32",
}
"""Waits that last minutes in production, shortened. Some remain and set the length of a run: the sweep leaves
a blob younger than two minutes to its event and what is due to its message for 90 seconds, and the claim of
a killed host lasts 76 seconds for an HTTP request, two minutes for a drop."""


_OPTIONS = (
    ("drops", "N", "Drop N sets of documents."),
    ("orders", "N", "Send N requests to order."),
    ("seconds", "S", "Let work come in, and faults go on, for S seconds."),
    ("settle", "S", "Wait afterwards for S seconds at most until everything is final."),
    ("hosts", "N", "Run N Functions hosts."),
    ("lose", "SHARE", "Lose this share of the copies of events, 0 to 1; each event has two copies."),
    (
        "lag",
        "S",
        "Show what is new in Partner Center's lists S seconds late; "
        f"from {ATTACHMENTS_SEEN_AFTER:g} on the application may send it twice.",
    ),
)
_CHOSEN = (
    ("kills", int, "Kill N hosts. Default: one every 4 seconds.", -1),
    ("scale", float, "Multiply drops, orders and seconds by N. Default: 1.", 1.0),
    ("seed", int, "Repeat what this number decides. Default: a new one.", -1),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the campaign's parameters to the command line."""
    usual = Options()
    for name, metavar, what in _OPTIONS:
        default = getattr(usual, name)
        described = f"{what} Default: {default:g}."
        parser.add_argument(f"--{name}", type=type(default), default=default, metavar=metavar, help=described)
    for name, kind, what, default in _CHOSEN:
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=what)
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        help="Partner Center answers as its documents are usually read, in a second plausible way, or each "
        "detail by the seed. Default: the seed decides.",
    )


def read_options(given: argparse.Namespace) -> Options:
    """The options of a command line; what is left to the seed, the seed and the kills are filled in."""
    seed = given.seed if given.seed >= 0 else secrets.randbelow(1_000_000)
    seconds = given.seconds * given.scale
    return Options(
        drops=int(given.drops * given.scale),
        orders=int(given.orders * given.scale),
        seconds=seconds,
        settle=given.settle,
        hosts=given.hosts,
        kills=given.kills if given.kills >= 0 else max(1, int(seconds / 4)),
        lose=given.lose,
        lag=given.lag,
        profile=given.profile or PROFILES[seed % len(PROFILES)],
        seed=seed,
    )
