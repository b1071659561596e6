"""What may be asked of `operator/consent`."""

from __future__ import annotations

import pytest

from shared.core.errors import InvalidInputError
from shared.validation.consents import consent_asked_for


@pytest.mark.parametrize("body", [b"{}", b'{"consent": ""}', b'{"consent": null}'])
def test_a_body_that_names_no_consent_begins_one(body: bytes) -> None:
    assert consent_asked_for(body) == ""


def test_one_that_is_named_is_to_be_completed() -> None:
    assert consent_asked_for(b'{"consent": "kZ3v="}') == "kZ3v="


@pytest.mark.parametrize(
    ("body", "pointer"),
    [(b"", ""), (b"[]", ""), (b'{"Consents": "x"}', "/Consents"), (b'{"consent": ["x"]}', "/consent")],
)
def test_anything_else_is_named(body: bytes, pointer: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        consent_asked_for(body)
    assert [v.pointer for v in caught.value.violations] == [pointer]
