from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.simulator.partner_center import PartnerCenterSimulator
from tests.local.simulator.kit import KEY, Client, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def partner_center(clock: Clock) -> Iterator[PartnerCenterSimulator]:
    with PartnerCenterSimulator(token_key=KEY, clock=clock) as simulator:
        yield simulator


@pytest.fixture
def client(partner_center: PartnerCenterSimulator) -> Iterator[Client]:
    client = Client(partner_center)
    with client.session:
        yield client
