"""The stack: up, down, killed, interrupted; ports, tools and the environment that it passes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from local.azurite.launcher import Azurite, command_of
from local.azurite.node import HERE, NODE
from local.children import Child, StackError, check_port
from local.stack import ROOT, Plan, Stack, clean_environment
from tests.local.hosts import SAMPLE, eventually

FREE_PORTS = [
    f"--{name}=0" for name in ("port", "partner-center-port", "token-port", "blob-port", "queue-port")
]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def major(version: str) -> int:
    return int(version.lstrip(">=v").partition(".")[0])


def notes(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_a_dropped_file_reaches_the_app_and_a_killed_host_comes_back(tmp_path: Path) -> None:
    log = tmp_path / "notes.jsonl"
    settings = {"SAMPLE_LOG": str(log), "TICK_SCHEDULE": "0 0 0 1 1 *"}

    with Stack(Plan(tmp_path, app=SAMPLE, hosts=2, settings=settings)) as stack:
        first, second = stack.hosts
        stack.kill_host(first)

        assert requests.put(
            stack.drop_url("a/one.pdf"), data=b"x", headers={"x-ms-blob-type": "BlockBlob"}, timeout=10
        ).ok
        eventually(lambda: [n for n in notes(log) if n.get("done") == "a/one.pdf" and n["pid"] == second.pid])

        assert stack.revive() == [first]
        called = requests.get(f"{first.url}/api/echo/1", headers={"x-functions-key": first.key}, timeout=10)
        assert called.status_code == 200
        stack.check()
        pids = children_of(os.getpid())
        assert first.pid in pids

    assert not any(alive(pid) for pid in pids if pid in (first.pid, second.pid))


def test_the_application_itself_comes_up_with_every_setting_it_needs(tmp_path: Path) -> None:
    with Stack(Plan(tmp_path)) as stack:
        health = requests.get(f"{stack.hosts[0].url}/api/health", timeout=10)
        simulator = requests.get(stack.simulator["dashboard"], timeout=10)

    assert health.json() == {"status": "ok", "settings": {}}
    assert simulator.ok


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from local.stack import Plan, Stack\n"
        "with Stack(Plan(Path(sys.argv[1]))):\n    print('up', flush=True)\n    time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout
    assert parent.stdout.readline() == b"up\n"
    pids = children_of(parent.pid)
    assert len(pids) >= 4

    parent.kill()
    parent.communicate()

    assert eventually(lambda: not any(alive(pid) for pid in pids))


def test_ctrl_c_stops_everything_that_run_started(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-m", "local", "run", *FREE_PORTS, f"--folder={tmp_path}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
    )
    assert parent.stdout
    shown = b""
    while b"curl" not in shown:
        shown = parent.stdout.readline()
        assert shown, "it ended before it was up"
    pids = children_of(parent.pid)
    assert pids

    os.killpg(parent.pid, signal.SIGINT)
    parent.communicate()

    assert parent.returncode == 0
    assert not any(alive(pid) for pid in pids)


class _AlarmError(Exception):
    """What the signal of the test raises, as Ctrl-C does."""


def test_a_child_that_is_looked_at_while_signals_come_can_still_be_stopped(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise _AlarmError

    child = Child("sleep", ["/bin/sleep", "60"], os.environ, tmp_path / "sleep.log")
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(4000):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00005)
                while child.running():
                    pass
            except _AlarmError:
                continue
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    stopping = threading.Thread(target=child.stop, daemon=True)
    stopping.start()
    stopping.join(10)

    assert not stopping.is_alive()
    assert not child.running()


def test_a_busy_port_gets_a_sentence_with_the_way_out() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "local", "run", *FREE_PORTS, f"--blob-port={port}"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.startswith(f"Port {port}, for Azurite's blobs, cannot be used")
    assert "--blob-port" in done.stderr
    assert "Traceback" not in done.stderr


def test_inside_azure_nothing_starts() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local", "run"],
        env={**os.environ, "WEBSITE_INSTANCE_ID": "i"},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )

    assert done.returncode == 1
    assert "does not start inside Azure" in done.stderr


def test_azurite_runs_on_the_node_of_the_environment_whatever_node_the_machine_has(tmp_path: Path) -> None:
    unfit = tmp_path / "node"
    unfit.write_text("#!/bin/sh\nexit 1\n")
    unfit.chmod(0o755)

    with Azurite({**os.environ, "PATH": f"{tmp_path}:{os.defpath}"}, tmp_path) as azurite:
        answer = requests.get(azurite.blob_endpoint, timeout=10)

    assert answer.headers["Server"].startswith("Azurite-Blob/")


def test_the_node_of_the_environment_is_new_enough_for_the_locked_azurite() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text())
    needed = lock["packages"]["node_modules/azurite"]["engines"]["node"]
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout

    assert major(version) >= major(needed)


@pytest.mark.parametrize("service", ["blob", "queue"])
def test_azurite_does_not_stop_answering_to_collect_what_was_deleted(service: str, tmp_path: Path) -> None:
    debug, ready = tmp_path / "debug.log", "successfully listens"
    command = [*command_of(service, 0, None), "--debug", str(debug)]
    child = Child(f"azurite-{service}", command, os.environ, tmp_path / "azurite.log")
    try:
        child.says(lambda line: ready in line or None, 30)
        eventually(lambda: ready in debug.read_text())  # it is written a little later
    finally:
        child.stop()

    assert "mark and sweep" not in debug.read_text()


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text())

    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []


def test_a_port_is_refused_only_while_something_holds_it() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(StackError, match="--port"):
            check_port(port, "a test", "--port")

    check_port(port, "a test", "--port")


def test_the_users_own_settings_and_proxies_are_not_passed_on() -> None:
    kept = clean_environment(
        {
            "PATH": "/bin",
            "PARTNER_CLIENT_SECRET": "real",
            "PARTNER_REFRESH_TOKEN_VAULT": "https://real.vault.azure.net",
            "DocumentStorage__blobServiceUri": "https://real.blob.core.windows.net",
            "AzureWebJobsStorage": "real",
            "PYTHON_THREADPOOL_THREAD_COUNT": "1",
            "REQUESTS_CA_BUNDLE": "/etc/real.pem",
            "HTTPS_PROXY": "http://proxy",
            "AzureFunctionsJobHost__functionTimeout": "00:00:01",
        }
    )

    assert kept.keys() == {"PATH", "PYTHONPATH", "PYTHONUNBUFFERED"}
