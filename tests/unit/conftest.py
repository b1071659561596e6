"""Unit tests whose inputs are written down are marked: what they cover is the same in every run."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whoever leaves the marked ones out reads only the files that make something up: they are few, and each
    worker reads them all."""
    if config.option.markexpr != "not table" or collection_path.suffix != ".py":
        return None
    return True if "hypothesis" not in collection_path.read_text() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        made_up = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        if HERE in item.path.parents and not made_up:
            item.add_marker("table")
