"""A fresh installation behind proxies for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.azurite.launcher import Azurite
from tests.faults.parts import Lines, World, lines


@pytest.fixture(scope="session")
def behind_proxies(azurite: Azurite) -> Iterator[Lines]:
    with lines(azurite) as running:
        yield running


@pytest.fixture
def world(behind_proxies: Lines) -> World:
    return behind_proxies.new_world()
