"""The parts that one machine after the other runs on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.azurite.launcher import Azurite
from tests.faults.parts import Lines, lines


@pytest.fixture(scope="session")
def behind_proxies(azurite: Azurite) -> Iterator[Lines]:
    with lines(azurite) as running:
        yield running
