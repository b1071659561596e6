"""Status tokens: issued, read, forged, expired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.status_token import LIFETIME, LONGEST, StatusOf, issue, verify

NOW = datetime(2026, 11, 28, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32
STATUS = StatusOf("attachments/c501c3c4-d776-40ef-9ecf-9cefb59442c1/5cf72f146967", "d" * 64)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.mark.table
@pytest.mark.parametrize("status", [STATUS, StatusOf("orders/c/" + "e" * 64, "")])
@pytest.mark.parametrize("secrets", [[NEW], [OLD, NEW], [NEW, OLD]])
def test_a_token_is_good_until_it_expires_under_every_secret_that_is_known(
    status: StatusOf, secrets: list[bytes]
) -> None:
    token = issue(status, NEW, NOW)

    assert verify(token, secrets, NOW) == verify(token, secrets, NOW + LIFETIME) == status
    assert token == issue(status, NEW, NOW + timedelta(hours=23))
    assert len(token) < LONGEST / 2
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@pytest.mark.table
@pytest.mark.parametrize(
    ("secrets", "at"), [([], NOW), ([OLD], NOW), ([OLD, NEW], NOW + LIFETIME + DAY + SECOND)]
)
def test_a_token_of_another_secret_or_of_long_ago_is_none(secrets: list[bytes], at: datetime) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it says nothing on purpose
        verify(issue(STATUS, NEW, NOW), secrets, at)


@pytest.mark.table
@pytest.mark.parametrize(
    "token",
    ["", ".", "a", "a.b", "é.b", "\ud800.b", "." * 2000, issue(STATUS, NEW, NOW) + "\n", "x" * LONGEST * 2],
)
def test_what_is_no_token_is_none(token: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        verify(token, [NEW], NOW)


@pytest.mark.table
def test_no_letter_of_a_token_can_be_changed() -> None:
    token = issue(STATUS, NEW, NOW)
    for at in range(len(token)):
        forged = f"{token[:at]}{'A' if token[at] != 'A' else 'B'}{token[at + 1 :]}"
        with pytest.raises(ValueError):  # noqa: PT011
            verify(forged, [NEW], NOW)


@given(token=st.text(max_size=80))
def test_any_text_is_refused_without_another_error(token: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        verify(token, [NEW], NOW)
