"""The pages as they lie in the repository: what a deployment replaces in them, and what stays out of it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

WEB = Path(__file__).parents[2] / "web"
PAGES = sorted(WEB.glob("**/*.html"))
CONFIG = (WEB / "config.js").read_text()


def policy(page: Path) -> dict[str, str]:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page.read_text())
    assert found
    return dict(part.split(" ", 1) for part in found[1].split("; "))


def test_all_pages_have_one_policy() -> None:
    assert [page for page in PAGES if policy(page) != policy(PAGES[0])] == []


@pytest.mark.parametrize("name", ["api", "authority"])
def test_the_policy_allows_the_origins_that_the_configuration_names(name: str) -> None:
    found = re.search(rf'\b{name}: "([^"]+)"', CONFIG)
    assert found
    parts = urlsplit(found[1])

    assert f"{parts.scheme}://{parts.netloc}" in policy(PAGES[0])["connect-src"].split()


def test_nothing_in_the_pages_is_written_where_the_policy_forbids_it() -> None:
    inline = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=")
    markup = re.compile(r"\.innerHTML\s*=|insertAdjacentHTML|document\.write|\beval\(|new Function")

    assert [page.name for page in PAGES if inline.search(page.read_text())] == []
    assert [file.name for file in WEB.glob("**/*.js") if markup.search(file.read_text())] == []


def test_what_is_hosted_elsewhere_stays_out_of_the_apps_package() -> None:
    ignored = (WEB.parent / ".funcignore").read_text().split()

    assert {"/web", "/connector", "/infra", "/local", "/tests"} <= set(ignored)
