"""What is installed is what was locked: every version, with hashes, for every Python that the app runs on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13")


def requirements(name: str) -> Iterator[Requirement]:
    """The requirements of a file; without its comments, options and hashes."""
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        text = line.removesuffix("\\").partition("#")[0].strip()
        if text and not text.startswith("-"):
            yield Requirement(text)


def applying(name: str, python: str) -> dict[str, Requirement]:
    markers = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    return {
        found.name.lower().replace("_", "-"): found
        for found in requirements(name)
        if found.marker is None or found.marker.evaluate(markers)
    }


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("ranges", "lock"),
    [
        ("requirements.in", "requirements.txt"),
        ("requirements.in", "requirements-dev.txt"),
        ("requirements-dev.in", "requirements-dev.txt"),
    ],
)
def test_what_a_person_asks_for_is_locked_within_its_range(ranges: str, lock: str, python: str) -> None:
    locked = applying(lock, python)

    for wanted in applying(ranges, python).values():
        pin = str(locked[wanted.name.lower()].specifier)
        assert wanted.specifier.contains(pin.removeprefix("==")), wanted


@pytest.mark.parametrize("python", PYTHONS)
def test_the_tests_run_on_the_versions_that_are_deployed(python: str) -> None:
    deployed, tested = applying("requirements.txt", python), applying("requirements-dev.txt", python)

    assert {name: str(tested[name].specifier) for name in deployed} == {
        name: str(found.specifier) for name, found in deployed.items()
    }


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt", "local/host/requirements.txt"])
def test_every_locked_version_is_one_and_has_its_hashes(lock: str) -> None:
    blocks = (ROOT / lock).read_text(encoding="utf-8").split("\n    # via")

    for found in requirements(lock):
        assert str(found.specifier).startswith("=="), found
    for block in blocks[:-1]:
        assert "--hash=sha256:" in block, block
