"""`python -m local.simulator`: both services as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.local.simulator.kit import AUDIENCE, CUSTOMER, line

Ready = dict[str, Any]


def command(directory: Path, *more: str) -> list[str]:
    files = ["--tls-dir", str(directory / "tls"), "--refresh-token-file", str(directory / "state" / "token")]
    return [sys.executable, "-m", "local.simulator", *files, *more]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    behaviour = json.dumps({"every_order_needs_po": True})
    with subprocess.Popen(
        command(tmp_path, "--behaviour", behaviour), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def token(ready: Ready, **form: str) -> str:
    settings = ready["settings"]
    answer = requests.post(
        f"{ready['authority']}/{settings['PARTNER_TENANT_ID']}/oauth2/v2.0/token",
        data={
            "client_id": settings["PARTNER_CLIENT_ID"],
            "client_secret": settings["PARTNER_CLIENT_SECRET"],
            **form,
        },
        verify=settings["REQUESTS_CA_BUNDLE"],
        timeout=10,
    )
    return f"Bearer {answer.json()['access_token']}"


def test_its_first_line_is_all_that_an_app_needs_its_log_names_each_request_and_sigterm_ends_it(
    process: subprocess.Popen[str],
) -> None:
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    refresh_token = Path(ready["settings"]["PARTNER_REFRESH_TOKEN_FILE"])
    app = token(ready, grant_type="client_credentials", scope=f"{AUDIENCE}/.default")
    user = token(
        ready,
        grant_type="refresh_token",
        refresh_token=refresh_token.read_text(),
        scope=f"{AUDIENCE}/user_impersonation",
    )
    orders = f"{ready['partnerCenter']}/v1/customers/{CUSTOMER}/orders"
    body = {"lineItems": [line(partnerIdOnRecord="4847383")]}
    answers = [
        requests.post(orders, json=body, headers={"Authorization": who}, timeout=10) for who in (app, user)
    ]
    assert [answer.status_code for answer in answers] == [403, 201]
    assert answers[1].json()["status"] == "pending_po_upload"
    assert requests.get(ready["dashboard"], timeout=10).status_code == 200
    assert refresh_token.stat().st_mode & 0o777 == 0o600
    process.send_signal(signal.SIGTERM)
    out, log = process.communicate(timeout=10)
    path = f"/v1/customers/{CUSTOMER}/orders"
    assert (process.returncode, out) == (0, "")
    assert [line.partition("simulator: ")[2] for line in log.splitlines()] == [
        f"POST {path}: 403 900329",
        f"POST {path}: 201, committed",
    ]


def run(directory: Path, *more: str, **environ: str) -> tuple[int, str, str]:
    done = subprocess.run(
        command(directory, *more),
        capture_output=True,
        text=True,
        timeout=20,
        env={**os.environ, **environ},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_inside_azure_it_says_why_it_does_not_start(tmp_path: Path) -> None:
    code, out, said = run(tmp_path, WEBSITE_SITE_NAME="orders")
    assert (code, out, said.count("\n")) == (1, "", 1)
    assert "does not start inside Azure" in said
    assert not list(tmp_path.iterdir())


def test_a_busy_port_gets_a_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, out, said = run(tmp_path, "--port", str(other.getsockname()[1]))
    assert (code, out, said.count("\n")) == (1, "", 1)
    assert "already in use: choose other ports" in said
