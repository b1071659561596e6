"""A browser for the tests, found without root: the one that BROWSER names, one on the PATH, one from npm."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Browser, Error, Playwright

from local.azurite.node import NODE, ROOT, installed
from local.children import StackError

_ON_PATH = ("chromium", "chromium-browser", "google-chrome", "chrome")
_UNPACK = "import(process.argv[1]).then((one) => one.default.executablePath()).then(console.log)"


class NoBrowserError(Exception):
    """None starts; the message says what was tried."""


def launch(playwright: Playwright) -> Browser:
    """The first that starts. Raises NoBrowserError."""
    tried: list[str] = []
    for path in _candidates(tried):
        sandbox = os.geteuid() != 0  # Chromium's own does not start as root
        try:
            return playwright.chromium.launch(executable_path=path, chromium_sandbox=sandbox)
        except Error as error:
            tried.append(f"{path}: {str(error).splitlines()[0]}")
    raise NoBrowserError("no browser starts; name one in BROWSER. Tried: " + "; ".join(tried))


def _candidates(tried: list[str]) -> Iterator[str]:
    named = os.environ.get("BROWSER")
    if named:
        yield named
    yield from filter(None, map(shutil.which, _ON_PATH))
    yield from _or_why(_from_npm, tried)


def _or_why(find: Callable[[], str], tried: list[str]) -> list[str]:
    try:
        return [find()]
    except (StackError, subprocess.CalledProcessError) as error:
        tried.append(f"@sparticuz/chromium: {error}")
        return []


def _from_npm() -> str:
    """The program in @sparticuz/chromium, which is packed: it unpacks itself into TMPDIR.
    https://github.com/Sparticuz/chromium#usage"""
    package = installed(Path(__file__).parent / "chromium", "@sparticuz/chromium")
    unpacked = package.parents[2] / "unpacked"
    unpacked.mkdir(exist_ok=True)
    command = [str(NODE), "--input-type=module", "--eval", _UNPACK, (package / "build" / "index.js").as_uri()]
    done = subprocess.run(
        command,
        env={**os.environ, "TMPDIR": str(unpacked)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
