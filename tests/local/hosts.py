"""Hosts as real processes, for tests."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import requests

from local.azurite.launcher import Azurite
from local.children import Child

SAMPLE = Path(__file__).parent / "sample_app"
PATIENCE = 60.0
"""Most seconds to wait for what must come; reached only when it does not."""


class RunningHost:
    """A started host: its process, what its ready line says, and what the sample app has noted."""

    def __init__(self, child: Child, ready: dict[str, Any], log: Path) -> None:
        self.child = child
        self.url: str = ready["url"]
        self.ready = ready
        self._log = log
        self._http = requests.Session()
        self._http.trust_env = False

    def call(self, method: str, path: str, key: str = "", **options: Any) -> requests.Response:
        """Send a request; `key` names a key of the ready line."""
        headers = options.pop("headers", {}) | ({"x-functions-key": self.ready[key]} if key else {})
        return self._http.request(method, self.url + path, headers=headers, timeout=PATIENCE, **options)

    def notes(self, **wanted: object) -> list[dict[str, Any]]:
        """What the sample app noted with these values."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [note for note in found if wanted.items() <= note.items()]


@contextmanager
def running_host(azurite: Azurite, folder: Path, *arguments: str, **settings: str) -> Iterator[RunningHost]:
    """Run the sample app; hosts that share `folder` share the app's notes."""
    log = folder / "notes.jsonl"
    env = {
        **os.environ,
        "DocumentStorage": azurite.connection_string,
        "AzureWebJobsStorage": azurite.connection_string,
        "SAMPLE_LOG": str(log),
        "TICK_SCHEDULE": "0 0 0 1 1 *",
        **settings,
    }
    command = [sys.executable, "-m", "local.host", "--app", str(SAMPLE), "--port", "0", *arguments]
    child = Child("host", command, env, folder / "host.log")
    try:
        yield RunningHost(child, child.ready(PATIENCE), log)
    finally:
        child.stop()


T = TypeVar("T")


def eventually(look: Callable[[], T]) -> T:
    """What `look` returns once it is true."""
    end = time.monotonic() + PATIENCE
    while True:
        seen = look()
        if seen or time.monotonic() > end:
            assert seen, "it never came"
            return seen
        time.sleep(0.02)
