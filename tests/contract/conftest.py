"""What the contract tests share: worlds that are closed again, and no proxy between them and loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.scripted_server import Script
from tests.contract.world import Make, World


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def world() -> Iterator[Make]:
    made: list[World] = []

    def make(*scripts: Script, **options: Any) -> World:
        made.append(World(*scripts, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
