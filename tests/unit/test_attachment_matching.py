"""Which of the documents that Partner Center lists are those that were sent."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from shared.core.ledger_parts import DocumentFacts
from shared.core.matching import Ours
from shared.core.matching_documents import Listed, match_documents

KIB = 1024


@pytest.mark.parametrize("order", [*itertools.permutations([1000, 1010, 1020])])
def test_renamed_documents_of_nearly_equal_size_are_all_found_in_any_order(order: tuple[int, ...]) -> None:
    sent = [
        DocumentFacts(kind="POAttachment", file_name=f"{kib}.pdf", size=kib * KIB, md5="")
        for kib in (1020, 1000, 1010)
    ]
    listed = [Listed(f"a{kib}", "poattachment", "~", Decimal(kib)) for kib in order]

    assert match_documents(sent, listed) == Ours(("a1020", "a1000", "a1010"))
