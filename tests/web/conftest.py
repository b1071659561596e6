"""A browser, and tabs that complain of what no page may do."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from tests.local.hosts import PATIENCE
from tests.web.browser import NoBrowserError, launch

LOOKS: tuple[tuple[tuple[Literal["light", "dark"], int], ...], ...] = (
    (("light", 1400), ("dark", 400)),
    (("dark", 1400), ("light", 400)),
)
"""Two looks at each state of a page, the other two at the next: a look costs a second."""

_EXPECTED = re.compile(r"Failed to load resource|blocked by CORS policy")
"""What the console says of requests that failed: the tests make them fail."""
_FOCUSED = """() => {
  const one = document.activeElement;
  return one.getAttribute("aria-label") || one.labels?.[0]?.innerText || one.innerText || "";
}"""
_HELD = """() => [
  location.href, JSON.stringify(sessionStorage), JSON.stringify(localStorage), document.cookie,
  document.documentElement.outerHTML,
].join("\\n")"""


class Tab:
    """A page in a browser, with what it must not know and what went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.secrets: list[str] = []
        self.complaints: list[str] = []
        self._turns = itertools.count()
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", self._fail)
        page.on("console", self._hear)

    def close(self) -> None:
        """Forget everything, for the next test."""
        self.page.remove_listener("pageerror", self._fail)
        self.page.remove_listener("console", self._hear)
        self.page.unroute_all(behavior="ignoreErrors")
        self.page.context.set_offline(False)
        self.page.evaluate("sessionStorage.clear()")
        self.page.goto("about:blank")

    def _fail(self, error: Error) -> None:
        self.complaints.append(str(error))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _EXPECTED.search(message.text):
            self.complaints.append(message.text)

    def check(self) -> None:
        """No error, no violation of the policy, no secret in storage, address or elements."""
        held = self.page.evaluate(_HELD)
        assert self.complaints == []
        assert [secret for secret in self.secrets if secret in held] == []

    def tab_to(self, name: str) -> None:
        """Press Tab until the element called `name` has the focus."""
        seen: list[str] = []
        while len(seen) < 60:
            self.page.keyboard.press("Tab")
            seen.append(self.page.evaluate(_FOCUSED))
            if seen[-1].startswith(name):
                return
        raise AssertionError(f"no {name} among {seen}")

    def type_into(self, name: str, text: str) -> None:
        """Go to a field by keyboard and type."""
        self.tab_to(name)
        self.page.keyboard.type(text)

    def use_key(self, key: str) -> None:
        """Sign in with a key."""
        self.secrets.append(key)
        self.page.get_by_label("Key", exact=True).fill(key)
        self.page.keyboard.press("Enter")
        self.page.get_by_text("A key is in use").wait_for()

    def accessible(self) -> None:
        """In light and dark, wide and narrow: nothing for axe to find, and nothing sticks out."""
        for scheme, width in LOOKS[next(self._turns) % 2]:
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(color_scheme=scheme)
            found: dict[str, Any] = Axe().run(self.page).response
            faults = [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
            wide = self.page.evaluate("document.documentElement.scrollWidth")
            assert (faults, wide <= width) == ([], True), f"{scheme} at {width}: {wide} pixels"
        self.page.set_viewport_size({"width": 1400, "height": 900})


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            found = launch(playwright)
        except NoBrowserError as error:
            if os.environ.get("CI"):
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield found
        found.close()


@pytest.fixture(scope="session")
def page(browser: Browser) -> Page:
    """The page of all tests: a new one costs a second and a half of processor time."""
    return browser.new_page(locale="en-GB", timezone_id="UTC")


@pytest.fixture
def tab(page: Page) -> Iterator[Tab]:
    """An empty tab, which is checked in the end."""
    with watched(page) as tab:
        yield tab


@contextmanager
def watched(page: Page) -> Iterator[Tab]:
    """A tab that is checked and emptied in the end."""
    tab = Tab(page)
    try:
        yield tab
        tab.check()
    finally:
        tab.close()
