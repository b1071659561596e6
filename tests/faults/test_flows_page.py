"""docs/flows.md names for each failure the tests that play it; they exist."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parents[1]
PAGE = HERE.parent / "docs" / "flows.md"


def test_each_diagram_names_tests_that_exist() -> None:
    there = {
        name
        for file in HERE.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M)
    }
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        named = set(re.findall(r"`(test_\w+)`", section))
        assert "```mermaid" in section
        assert named, section.splitlines()[0]
        assert named <= there, named - there
