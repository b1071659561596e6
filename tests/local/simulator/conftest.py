from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.simulator.partner_center import PartnerCenterSimulator
from tests.local.simulator.kit import KEY, Client


@pytest.fixture
def partner_center() -> Iterator[PartnerCenterSimulator]:
    with PartnerCenterSimulator(token_key=KEY) as simulator:
        yield simulator


@pytest.fixture
def client(partner_center: PartnerCenterSimulator) -> Iterator[Client]:
    client = Client(partner_center)
    with client.session:
        yield client
