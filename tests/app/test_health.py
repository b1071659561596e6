"""What `GET health` says of an app that cannot work. Each app is a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import parts
from tests.app.conftest import ROOT

ASK = """
import json, sys
import azure.functions as func
import function_app
health = next(f for f in function_app.app.get_functions() if f.get_function_name() == "health")
answer = health.get_user_function()(func.HttpRequest("GET", "/api/health", body=b""))
print(json.dumps([answer.status_code, json.loads(answer.get_body())]))
"""
GOOD = parts.settings("UseDevelopmentStorage=true", "http://127.0.0.1:9")


def health(env: dict[str, str], *first: Path) -> tuple[int, dict[str, Any]]:
    path = ":".join(map(str, (*first, ROOT)))
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(
        command, env={**env, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    status, body = json.loads(done.stdout)
    return status, body


def test_an_app_that_has_all_it_needs_is_ok() -> None:
    assert health(GOOD) == (200, {"status": "ok", "settings": {}})


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"HTTPS_PROXY": "http://proxy:8o80"}, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "telnet://proxy"}, "HTTPS_PROXY"),
        ({"REQUESTS_CA_BUNDLE": "/no/such/bundle.pem"}, "REQUESTS_CA_BUNDLE"),
        ({"DocumentStorage": "not a connection string"}, "DocumentStorage"),
        ({"DocumentStorage": "BlobEndpoint=https://x.blob.core.windows.net"}, "DocumentStorage"),
        ({"PARTNER_CLIENT_SECRET": ""}, "PARTNER_CLIENT_SECRET"),
        ({"PARTNER_CENTER_BASE_URL": "https://[::1"}, "PARTNER_CENTER_BASE_URL"),
        ({"PARTNER_CENTER_BASE_URL": "https://x.example:port"}, "PARTNER_CENTER_BASE_URL"),
    ],
)
def test_what_keeps_the_app_from_working_is_named_and_not_shown(wrong: dict[str, str], named: str) -> None:
    away = {"PARTNER_CENTER_BASE_URL": "https://partner.example"}
    status, body = health({**GOOD, **away, **wrong})

    assert (status, body["status"], list(body["settings"])) == (200, "misconfigured", [named])
    assert not any(value and value in json.dumps(body) for value in wrong.values())


def test_an_app_whose_packages_cannot_be_loaded_says_that_it_is_broken(tmp_path: Path) -> None:
    (tmp_path / "pydantic.py").write_text("raise ImportError('built for another Python')")

    assert health(GOOD, tmp_path) == (503, {"status": "broken", "cause": "ImportError"})
