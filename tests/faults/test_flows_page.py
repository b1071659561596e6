"""docs/flows.md names for each situation the tests that play it, and its diagrams are what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from shared.core.ledger import EDGES

HERE = Path(__file__).parents[1]
TEXT = (HERE.parent / "docs" / "flows.md").read_text(encoding="utf-8")
DIAGRAMS = re.findall(r"```mermaid\n(.*?)```", TEXT, re.S)


def test_each_diagram_names_tests_that_exist() -> None:
    there = {
        name
        for file in HERE.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M)
    }
    for section in TEXT.split("\n## ")[1:]:
        named = set(re.findall(r"`(test_\w+)`", section))
        assert "```mermaid" in section
        assert named, section.splitlines()[0]
        assert named <= there, named - there


def test_the_diagram_of_states_has_the_steps_that_can_be_taken_and_no_others() -> None:
    [states] = [diagram for diagram in DIAGRAMS if diagram.startswith("stateDiagram-v2")]
    drawn = re.findall(r"^ +(\w+) --> (\w+)$", states, re.M)

    assert sorted(drawn) == sorted((before, after) for before in EDGES for after in EDGES[before])


def test_no_text_in_a_diagram_ends_it_early() -> None:
    """Mermaid takes a semicolon for the end of a line, and `#` for the beginning of an entity."""
    assert [line for diagram in DIAGRAMS for line in diagram.splitlines() if re.search("[;#]", line)] == []
