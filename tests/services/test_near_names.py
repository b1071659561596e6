"""A drop that waits for a file whose name nearly fits: what its receipt says when it is looked at again."""

from __future__ import annotations

import unicodedata

import pytest

from tests.services.conftest import PDF, Office
from tests.services.steps import delete, settle_down

SET = "x/metadata.json"


def waiting(office: Office, wanted: str, there: str) -> dict[str, object]:
    order = office.order()
    office.drop(f"x/{there}", PDF)
    office.drop("x/deeper/" + wanted, PDF)
    office.drop(SET, office.sidecar(order, poFiles=[wanted]))
    office.ring(SET)
    assert "detail" not in office.receipt(SET)
    settle_down(office, 20)
    return office.receipt(SET)


@pytest.mark.parametrize(
    ("wanted", "there", "how"),
    [
        ("PO_77.pdf", "po_77.PDF", "letter case"),
        ("B\u00e9ton.pdf", unicodedata.normalize("NFD", "B\u00e9ton.pdf"), "Unicode form"),
        ("PO 77.pdf", "PO77 .pdf", "blanks"),
        ("PO_77.pdf", "PO_77.tif", "no .pdf"),
        ("PO_77.pdf", "PO_77", None),
        ("PO_77.pdf", "PO_78.pdf", None),
        ("PO_77.pdf", "PO_77.json", None),
    ],
)
def test_a_receipt_that_waits_names_what_nearly_fits(
    office: Office, wanted: str, there: str, how: str | None
) -> None:
    receipt = waiting(office, wanted, there)

    assert (receipt["state"], receipt["waitingFor"]) == ("waiting", [wanted])
    if how is None:
        assert "detail" not in receipt
    else:
        assert how in str(receipt["detail"])
        assert str(receipt["detail"]).startswith(f"{there} lies there")


def test_a_sidecar_that_is_deleted_while_it_waits_ends_its_receipt(office: Office) -> None:
    order = office.order()
    office.drop("x/PO.json", office.sidecar(order))
    office.ring("x/PO.json")
    assert office.receipt("x/PO.json")["state"] == "waiting"
    delete(office, "x/PO.json")
    settle_down(office, 20)

    receipt = office.receipt("x/PO.json")

    assert (receipt["state"], receipt["actor"]) == ("rejected", "caller")
    assert "was deleted" in receipt["detail"]
    settle_down(office, 26 * 60)
    assert office.receipt("x/PO.json") == receipt
