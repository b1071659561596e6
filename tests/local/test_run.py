"""`python -m local run`: what it prints can be found again and works, and its console says what happens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
import requests
from azure.storage.blob import BlobServiceClient

from local.console import described
from local.stack import ROOT
from tests.local.hosts import eventually

COMMANDS = (
    *("local", "local run", "local demo", "local soak"),
    *("local.azurite", "local.events", "local.host", "local.simulator"),
)


@dataclass
class Run:
    """The running command: what it printed, its lines so far, and the folder of its stack."""

    guide: str
    lines: list[str]
    folder: Path

    def value(self, name: str) -> str:
        """What the guide says behind a name."""
        found = re.search(rf"^ +{name} +(\S+)", self.guide, re.MULTILINE)
        assert found, name
        return found[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("a stack")
    command = [sys.executable, "-m", "local", "run", "--port", "0", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout
            lines: list[str] = []
            for line in process.stdout:
                lines.append(line)
                if "one line for each thing" in line:
                    break
            rest = Run("".join(lines), [], folder)
            Thread(target=rest.lines.extend, args=(process.stdout,), daemon=True).start()
            yield rest
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def test_what_was_printed_can_be_read_again_by_its_owner_alone(run: Run) -> None:
    kept = run.folder / "guide.txt"

    assert kept.read_text().strip() == run.guide.strip()
    assert str(kept) in run.guide
    assert kept.stat().st_mode & 0o777 == 0o600


def test_the_logs_that_are_named_are_there(run: Run) -> None:
    named = set(re.findall(r"[\w-]+\.log", run.guide))

    assert {"host-1.log", "simulator.log", "events-blob_trigger.log", "azurite-blob.log"} <= named
    assert [name for name in named if not (run.folder / name).exists()] == []


def test_the_connection_string_and_the_keys_open_what_they_are_for(run: Run) -> None:
    with BlobServiceClient.from_connection_string(run.value("connection string")) as storage:
        containers = {container.name for container in storage.list_containers()}
    review = f"{run.value('API')}/reviews/x"
    codes = [
        requests.post(review, headers={"x-functions-key": run.value(key)}, timeout=10).status_code
        for key in ("function key", "master key")
    ]

    assert {"incoming", "receipts", "ledger"} <= containers
    assert codes[0] == 401
    assert codes[1] != 401
    assert requests.get(run.value("dashboard"), timeout=10).ok


def test_the_pages_that_are_printed_are_there_and_the_api_allows_their_origin(run: Run) -> None:
    pages = [run.value("order page"), run.value("operators' board")]
    origin = "/".join(pages[0].split("/")[:3])
    health = requests.get(f"{run.value('API')}/health", headers={"Origin": origin}, timeout=10)
    config = requests.get(f"{origin}/config.js", timeout=10)

    assert [requests.get(page, timeout=10).status_code for page in pages] == [200, 200]
    assert health.headers["Access-Control-Allow-Origin"] == origin
    assert run.value("API") in config.text
    assert run.value("function key") not in config.text


def test_every_printed_line_works_and_the_console_says_what_it_did(run: Run) -> None:
    _, _, lines = run.guide.partition("Paste these lines in their order:\n")
    script, _, _ = lines.partition("Every fault stands in")

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    order = re.search(r"^order (\S+)$", done.stdout, re.MULTILINE)
    assert order
    assert '"state": "attached"' in done.stdout
    assert '"quantity": 7, "subscriptionId"' in done.stdout
    assert '"orderErrors":[]' in done.stdout
    eventually(lambda: [line for line in run.lines if "fault lose_reply" in line])
    shown = "".join(run.lines)
    assert re.search(rf"^\S+ host-1: order done, {order[1]}, accepted$", shown, re.MULTILINE)
    assert re.search(rf"^\S+ host-1: drop attached, {order[1]}, try/PO_Part1\.json, ", shown, re.MULTILINE)
    assert re.search(
        r"simulator: POST \S+/orders: no answer, committed, fault lose_reply$", shown, re.MULTILINE
    )
    assert "Executing" not in shown
    assert "Executing" in (run.folder / "host-1.log").read_text()


def test_a_host_that_ends_comes_back_and_the_console_says_so(run: Run) -> None:
    pid = re.search(r"\(process (\d+)", run.guide)
    assert pid

    os.kill(int(pid[1]), signal.SIGKILL)

    eventually(lambda: [line for line in run.lines if "host-1 had ended and is running again" in line])
    assert requests.get(f"{run.value('API')}/health", timeout=10).ok


@pytest.mark.parametrize(
    "line", ["Traceback (most recent call last):", '12:00:00.000 INFO    - audit: {"ev12:00']
)
def test_what_the_console_cannot_read_it_leaves_to_the_log(line: str) -> None:
    assert described(line, "host-1") == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_a_sentence_for_each_option(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command.split(), "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    about, _, options = done.stdout.partition("options:\n")
    sentences = [" ".join(entry.split()) for entry in re.split(r"\n(?=  -)", options)]

    assert re.search(r"\n[A-Z][^:]+\.\n", about)
    assert [
        text for text in sentences if not text.startswith("-h") and not re.search(r" [A-Z].*\.$", text)
    ] == []
