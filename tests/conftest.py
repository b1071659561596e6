"""For every test: an environment without settings and proxies, one Azurite for the session; and which tests
stay together in one process."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from local.azurite.launcher import Azurite
from shared.settings_table import SETTINGS

_NAMES = {setting.name for setting in SETTINGS} | {"AzureWebJobsStorage", "REQUESTS_CA_BUNDLE"}
_PROXIES = {"http_proxy", "https_proxy", "all_proxy"}

# how long an example takes tells nothing: two workers and their servers share the processors
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """What is there by now stays: no garbage collector looks through it again, nor does one in a fork, which
    would copy it all. https://docs.python.org/3/library/gc.html#gc.freeze"""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One closing line for each reason for which tests were skipped."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason, times in Counter(report.longrepr[2] for report in skipped).items():
        terminalreporter.write_line(f"{times} tests {reason[0].lower()}{reason[1:]}")


class _Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """The tests of a file stay together, and all of tests/app: they share a stack, which costs processor time
    for as long as it stands."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/app" if nodeid.startswith("tests/app/") else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Together(config, log)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have the application configured, or sit behind a proxy."""
    for name in list(os.environ):
        if name in _NAMES or name.lower() in _PROXIES:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """A fresh Azurite in memory: `.connection_string`, `.blob_endpoint`, `.queue_endpoint`."""
    logs: Path = tmp_path_factory.mktemp("azurite")
    with Azurite(os.environ, logs) as running:
        yield running
