"""What `GET health` says of an app that cannot work. Each app is a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from bench import parts
from local.azurite.launcher import Azurite
from tests.app.conftest import ROOT

ASK = """
import json, sys
import azure.functions as func
import function_app
health = next(f for f in function_app.app.get_functions() if f.get_function_name() == "health")
answer = health.get_user_function()(func.HttpRequest("GET", "/api/health", body=b""))
assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
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


def at(azurite: Azurite) -> dict[str, str]:
    """Settings of an app whose ledger is new."""
    ledger = f"ledger-{uuid.uuid4().hex[:12]}"
    return {**GOOD, "DocumentStorage": azurite.connection_string, "LEDGER_CONTAINER": ledger}


def test_an_app_that_has_all_it_needs_is_ok(azurite: Azurite) -> None:
    assert health(at(azurite)) == (200, {"status": "ok", "settings": {}})


def test_storage_that_cannot_be_reached_is_told_under_the_setting_that_names_it() -> None:
    nowhere = (
        "BlobEndpoint=http://127.0.0.1:9/x;QueueEndpoint=http://127.0.0.1:9/x;AccountName=x;AccountKey=eA=="
    )
    status, body = health({**GOOD, "DocumentStorage": nowhere})

    assert (status, body["status"], list(body["settings"])) == (200, "misconfigured", ["DocumentStorage"])


@pytest.mark.parametrize(
    ("name", "content"),
    [("format.json", b'{"format": 3}'), ("format.json", b"[]"), ("orders/a/b.json", b'{"state": "done"}')],
    ids=["newer", "unreadable", "first edition"],
)
def test_a_ledger_of_another_format_is_named_and_not_touched(
    azurite: Azurite, name: str, content: bytes
) -> None:
    env = at(azurite)
    with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
        ledger = service.create_container(env["LEDGER_CONTAINER"])
        ledger.upload_blob(name, content)
        status, body = health(env)

        assert (status, body["status"], list(body["settings"])) == (
            200,
            "misconfigured",
            ["LEDGER_CONTAINER"],
        )
        assert [blob.name for blob in ledger.list_blobs()] == [name]
        assert ledger.download_blob(name).readall() == content


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
