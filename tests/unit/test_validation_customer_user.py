"""The UPN of the customer's user, which a header names."""

from __future__ import annotations

import pytest

from shared.core.errors import InvalidInputError
from shared.validation.ids import customer_user


@pytest.mark.parametrize("upn", ["Ada.O'Neill@contoso.com", "a#EXT#@contoso.onmicrosoft.com", "x" * 256])
def test_it_is_taken_as_it_came(upn: str) -> None:
    assert customer_user(upn) == upn


@pytest.mark.parametrize("none", [None, ""])
def test_it_may_be_absent(none: str | None) -> None:
    assert customer_user(none) == ""


@pytest.mark.parametrize("wrong", ["x" * 257, "a b@contoso.com", "jürgen@contoso.com", "a\r\nb"])
def test_what_no_header_may_carry_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        customer_user(wrong)

    assert [v.pointer for v in caught.value.violations] == ["header:x-ms-customeruser-upn"]
