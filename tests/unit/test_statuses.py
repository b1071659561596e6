"""Statuses of orders, as differently as the sources write them."""

from __future__ import annotations

import pytest

from shared.core.order_statuses import STATUSES, meaning, normalize


@pytest.mark.parametrize(
    "written", ["pending_po_upload", "Pending PO upload", "PENDING-PO-UPLOAD", "PendingPoUpload"]
)
def test_one_status_in_several_spellings_is_one(written: str) -> None:
    assert normalize(written) == "pending_po_upload"
    assert meaning(written) is STATUSES["pending_po_upload"]


def test_a_status_that_nobody_knows_yet_is_told_as_it_came_and_asks_for_nothing() -> None:
    assert normalize("Brand_new status") == "brand_new_status"
    assert meaning("brand_new_status").step == ""
    assert not meaning("brand_new_status").final
