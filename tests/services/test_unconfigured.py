"""A drop into an app with faulty settings: its receipt says so, and it is sent once they are mended."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from shared.bootstrap import receipts_alone
from shared.core.errors import NotConfiguredError
from tests.services.conftest import PDF, Office
from tests.services.steps import drop_pair, settle_down
from tests.services.test_signal import versions

EVENT = """
import sys
from azure.storage.blob import BlobClient
import blob_trigger
from shared.core.errors import NotConfiguredError
connection, container, *names = sys.argv[1:]
function = blob_trigger.blob_trigger.build().get_user_function()
for name in names:
    try:
        function(BlobClient.from_connection_string(connection, container, name))
    except NotConfiguredError as error:
        print(",".join(error.settings))
"""


SLOW_DOWN = {"kind": "status", "status": 429, "body": {"code": "1", "description": "Slow down."}}


def events(office: Office, faulty: dict[str, str], *names: str, container: str = "") -> list[str]:
    """Hand events of blobs to the function, in a process of its own; the settings that each failed for."""
    arguments = (office.env["DocumentStorage"], container or office.env["INCOMING_CONTAINER"], *names)
    command = [sys.executable, "-c", EVENT, *arguments]
    env = {**office.env, **faulty}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARTNER_CLIENT_ID", ""),
        ("PARTNER_CLIENT_SECRET", "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"),
        ("MAX_FILE_MB", "many"),
        ("WORK_QUEUE", "Q!"),
    ],
)
def test_a_drop_says_which_setting_keeps_it_from_being_sent(office: Office, name: str, value: str) -> None:
    order = office.order()
    drop_pair(office, order)
    raised = events(office, {name: value}, "x/PO.pdf", "x/PO.json", "x/PO.json")
    receipt = office.receipt("x/PO.json")

    assert raised == [name] * 3
    assert (receipt["state"], receipt["actor"], office.posts()) == ("retrying", "operator", 0)
    assert name in receipt["detail"]
    assert "health" in receipt["remedy"]
    assert not value or value not in str(receipt)
    assert office.submissions(order) == {}
    assert list(office.messages()) == []


def unconfigured(office: Office, path: str) -> None:
    receipts = receipts_alone({**office.env, "PARTNER_CLIENT_ID": ""}, clock=office.clock.now)
    assert receipts
    receipts.report_unconfigured(path, NotConfiguredError("PARTNER_CLIENT_ID is missing"), str(uuid.uuid4()))


def test_however_long_settings_were_faulty_the_sweep_sends_the_drop_when_they_are_mended(
    office: Office,
) -> None:
    order = office.order()
    drop_pair(office, order)
    unconfigured(office, "x/PO.json")
    office.clock.forward(hours=30)
    settle_down(office, 10)

    assert versions(office, order) == [PDF]
    assert office.receipt("x/PO.json")["state"] == "attached"


def test_the_time_with_faulty_settings_does_not_count_when_partner_center_is_down_after_it(
    office: Office,
) -> None:
    order = office.order()
    drop_pair(office, order)
    unconfigured(office, "x/PO.json")
    office.clock.forward(hours=30)
    office.partner.faults.add({"on": "POST attachment", "do": SLOW_DOWN})
    office.sweep()
    receipt = office.receipt("x/PO.json")

    assert receipt["state"] == "retrying"
    assert "PARTNER_CLIENT_ID" not in receipt["detail"]


def test_a_receipt_that_tells_more_stays_as_it_is(office: Office) -> None:
    order = office.order()
    drop_pair(office, order)
    office.ring("x/PO.json")
    before = office.receipt("x/PO.json")
    unconfigured(office, "x/PO.json")

    assert before["state"] == "attached"
    assert office.receipt("x/PO.json") == before


def test_events_of_other_containers_and_names_that_can_have_no_receipt_leave_none(office: Office) -> None:
    faulty = {"PARTNER_CLIENT_ID": ""}
    other = office.env["RECEIPTS_CONTAINER"]

    assert events(office, faulty, "x/PO.json", container=other) == []
    assert events(office, faulty, "x" * 1021 + ".json", "x/PO.png") == ["PARTNER_CLIENT_ID"] * 2
    assert list(office.services.drops.receipts.store.due(office.clock.now())) == []


@pytest.mark.parametrize("name", ["DocumentStorage", "RECEIPTS_CONTAINER", "LEDGER_CONTAINER"])
def test_without_storage_there_is_nothing_to_write_a_receipt_to(office: Office, name: str) -> None:
    assert receipts_alone({**office.env, name: "'x'"}) is None
