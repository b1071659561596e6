"""What a caller is told whose request may stand in the ledger or not. The app is a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from bench import parts
from local.azurite.launcher import Azurite
from local.fault_proxy import Proxy
from local.fault_rules import Fault
from tests.app.conftest import CUSTOMER, ROOT

PLACE = """
import json, sys
import azure.functions as func
import function_app
place = next(f for f in function_app.app.get_functions() if f.get_function_name() == "create_order")
customer = sys.argv[1]
url = f"https://app.example/api/customers/{customer}/orders"
headers = {"Content-Type": "application/json", "Idempotency-Key": "run/7#x"}
body = b'{"lineItems": [{"offerId": "P:S:A", "quantity": 2}]}'
route = {"customerId": customer}
answer = place.get_user_function()(
    func.HttpRequest("POST", url, headers=headers, route_params=route, body=body)
)
print(json.dumps([answer.status_code, dict(answer.headers), json.loads(answer.get_body())]))
"""

NOT_DONE = Fault("status", status=409, code="Denied")
FORBIDDEN = Fault("status", status=403, code="AuthorizationPermissionMismatch")
DONE_AND_LOST = Fault("status", status=500, code="InternalError", after=True)


@contextmanager
def storage_of(azurite: Azurite) -> Iterator[tuple[Proxy, dict[str, str]]]:
    """A line to storage that can be made to fail, and the settings of an app that uses it."""
    with Proxy(azurite.blob_endpoint) as storage:
        through = storage.connection_string(azurite.connection_string)
        ledger = f"ledger-{uuid.uuid4().hex[:12]}"
        yield storage, {**parts.settings(through, "http://127.0.0.1:9"), "LEDGER_CONTAINER": ledger}


def place(env: Mapping[str, str]) -> tuple[int, dict[str, str], dict[str, Any]]:
    command = [sys.executable, "-c", PLACE, CUSTOMER]
    env = {**env, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    status, headers, body = json.loads(done.stdout)
    return status, {name.lower(): value for name, value in headers.items()}, body


def test_an_order_that_may_have_been_recorded_is_202_with_where_to_ask(azurite: Azurite) -> None:
    with storage_of(azurite) as (storage, env):
        storage.inject(DONE_AND_LOST, method="PUT", name="orders/*", times=-1)
        storage.inject(NOT_DONE, method="GET", name="orders/*", times=-1)
        status, headers, body = place(env)

    assert (status, headers["location"]) == (202, body["location"])
    assert headers["location"].startswith("https://app.example/api/status/")
    assert int(headers["retry-after"]) > 0
    assert "may still be carried out" in body["detail"]


@pytest.mark.parametrize("method", ["PUT", "*"])
def test_an_order_that_was_not_recorded_is_503(azurite: Azurite, method: str) -> None:
    with storage_of(azurite) as (storage, env):
        storage.inject(NOT_DONE, method=method, name="orders/*", times=-1)
        status, headers, body = place(env)

    assert (status, "location" in headers) == (503, False)
    assert body["retryable"] is True


def test_an_account_that_forbids_what_the_ledger_needs_is_500_with_the_cure(azurite: Azurite) -> None:
    with storage_of(azurite) as (storage, env):
        storage.inject(FORBIDDEN, method="PUT", name="orders/*", times=-1)
        status, headers, body = place(env)

    assert (status, "location" in headers, body["retryable"]) == (500, False, False)
    assert body["type"].endswith("storage-forbidden")
    assert "Storage Blob Data Owner" in body["remedy"]
