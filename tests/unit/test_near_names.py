"""Names that nearly are that of a missing file."""

from __future__ import annotations

import pytest

from shared.core.drop_rules import nearly


@pytest.mark.parametrize(
    ("missing", "there", "how"),
    [
        ("PO_77.pdf", "po_77.PDF", "letter case"),
        ("B\u00e9ton.pdf", "Be\u0301ton.pdf", "Unicode form"),
        ("PO 77.pdf", "PO77 .pdf", "blanks"),
        ("PO_77.pdf", "PO_77.tif", "it is no .pdf"),
    ],
)
def test_a_name_that_nearly_fits_is_told_with_the_difference(missing: str, there: str, how: str) -> None:
    (said,) = nearly(missing, ["other.pdf", there])

    assert said.startswith(f"{there} lies there, and differs from {missing} ")
    assert how in said


@pytest.mark.parametrize("there", ["PO_77.pdf", "PO_77", "PO_78.pdf", "PO_77.json", "xPO_77.pdf", ".pdf", ""])
def test_the_file_itself_its_sidecar_and_other_names_are_not_told(there: str) -> None:
    assert nearly("PO_77.pdf", [there]) == []
