"""Statuses of orders, as differently as the sources write them."""

from __future__ import annotations

import pytest

from shared.partner_center.statuses import NEXT_STEPS, next_step, normalize


@pytest.mark.parametrize("written", ["pending_po_upload", "Pending PO upload", "PENDING-PO-UPLOAD"])
def test_one_status_in_several_spellings_is_one(written: str) -> None:
    assert normalize(written) == "pending_po_upload"
    assert next_step(written) == NEXT_STEPS["pending_po_upload"]


def test_a_status_that_nobody_knows_yet_is_told_as_it_came_and_asks_for_nothing() -> None:
    assert normalize("Brand_new status") == "brand_new_status"
    assert next_step("brand_new_status") == ""
