"""Names and labels in the scripts of the world, and the characters that make them read as something else."""

from __future__ import annotations

import json

import pytest

from shared.core.errors import InvalidInputError
from shared.validation.attachments import sidecar
from shared.validation.files import file_name
from shared.validation.orders import order_request
from shared.validation.reviews import review_decision

CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
WORLDLY = [
    "株式会社\u3000東京",
    "10\u00a0licences",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "क्\u200dष",
    "👩\u200d💻",
    "Bu\u0308ro",
]
TURNS = [*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
BREAKS = [*"\n\r\t\x00\x7f\x85\u2028\u2029"]


def labelled(text: str) -> str | None:
    """The label as it is on the order's line."""
    line = {"offerId": "CFQ7TTC0LH0Z", "quantity": 1, "friendlyName": text}
    return order_request(json.dumps({"lineItems": [line]}).encode(), CUSTOMER).line_items[0].friendly_name


def decided_by(text: str) -> str:
    return review_decision(json.dumps({"decision": "retry", "by": text}).encode()).by


def refusal(check: object, text: str) -> list[str]:
    assert callable(check)
    with pytest.raises(InvalidInputError) as caught:
        check(text)
    return [v.detail for v in caught.value.violations]


@pytest.mark.parametrize("text", WORLDLY)
def test_letters_and_spaces_of_any_script_are_kept(text: str) -> None:
    assert labelled(text) == text
    assert decided_by(text) == text
    assert file_name(f"{text}.pdf") == f"{text}.pdf"


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("check", [labelled, decided_by, file_name])
def test_a_character_that_turns_the_direction_is_refused(check: object, turn: str) -> None:
    (said,) = refusal(check, f"PO_{turn}exe.pdf")

    assert said.startswith("must not contain characters that change the direction of text")


@pytest.mark.parametrize("mark", BREAKS)
@pytest.mark.parametrize("check", [labelled, decided_by, file_name])
def test_line_breaks_and_control_characters_are_refused(check: object, mark: str) -> None:
    assert refusal(check, f"PO{mark}1.pdf") == ["must not contain control characters or line breaks"]


def test_a_sidecar_cannot_name_a_file_that_reads_as_another() -> None:
    body = {"customerId": CUSTOMER, "orderId": "a", "customerPrice": 1, "currency": "EUR"}
    named = body | {"poFiles": ["PO_\u202efdp.exe.pdf"]}
    with pytest.raises(InvalidInputError) as caught:
        sidecar(json.dumps(named).encode())

    assert [v.pointer for v in caught.value.violations] == ["/poFiles/0"]


def test_a_label_has_a_length() -> None:
    assert refusal(labelled, "x" * 257) == ["must have 1 to 256 characters"]


def test_every_fault_of_a_label_is_named() -> None:
    (said,) = refusal(labelled, "\n\u202e" * 200)

    assert said.count("must") == 3
