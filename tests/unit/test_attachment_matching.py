"""Which of the documents that Partner Center lists are those that were sent."""

from __future__ import annotations

import itertools

import pytest

from shared.services.attachments import match_renamed

KIB = 1024


@pytest.mark.parametrize("order", [*itertools.permutations([1000, 1010, 1020])])
def test_renamed_documents_of_nearly_equal_size_are_all_found_in_any_order(order: tuple[int, ...]) -> None:
    sent = [
        {"attachmentType": "POAttachment", "fileName": f"{kib}.pdf", "size": kib * KIB}
        for kib in (1020, 1000, 1010)
    ]
    listed = [{"attachmentType": "POAttachment", "fileName": "~", "sizeInKB": kib} for kib in order]

    matched, missing = match_renamed(sent, listed)

    assert len(matched) == 3
    assert missing == []
