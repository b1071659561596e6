"""A drop into an app with faulty settings: its receipt says so, and it is sent once they are mended."""

from __future__ import annotations

import pytest

from shared.bootstrap import build
from shared.core.errors import NotConfiguredError
from tests.services.conftest import PDF, Office
from tests.services.steps import drop_pair, settle_down
from tests.services.test_signal import versions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARTNER_CLIENT_ID", ""),
        ("PARTNER_CLIENT_SECRET", "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"),
        ("PARTNER_CENTER_BASE_URL", "https://[::1"),
        ("REQUEST_SECONDS", "soon"),
    ],
)
def test_a_drop_says_which_setting_keeps_it_from_being_sent(office: Office, name: str, value: str) -> None:
    order = office.order()
    drop_pair(office, order)
    faulty = build(
        {**office.env, name: value},
        clock=office.clock.now,
        monotonic=office.clock.monotonic,
        sleep=office.clock.sleep,
    )
    office.ring("x/PO.json", by=faulty)
    receipt = office.receipt("x/PO.json")
    posts = office.posts()
    settle_down(office, 10)

    assert (receipt["state"], receipt["actor"], posts) == ("retrying", "operator", 0)
    assert name in receipt["detail"]
    assert "health" in receipt["remedy"]
    assert not value or value not in str(receipt)
    assert versions(office, order) == [PDF]
    assert office.receipt("x/PO.json")["state"] == "attached"


@pytest.mark.parametrize(
    "name", ["DocumentStorage", "RECEIPTS_CONTAINER", "LEDGER_CONTAINER", "MAX_FILE_MB", "REQUIRE_PDF_END"]
)
def test_without_storage_and_the_limits_of_documents_no_receipt_is_written(office: Office, name: str) -> None:
    with pytest.raises(NotConfiguredError, match=name):
        build({**office.env, name: "'x'"})
