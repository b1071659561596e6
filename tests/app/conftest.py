"""The whole app in its host, on the whole stack."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from local.stack import Plan, Stack
from tests.local.hosts import PATIENCE

ROOT = Path(__file__).parents[2]
CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
PDF = b"%PDF-1.7\n" + b"0123456789abcdef" * 300 + b"\n%%EOF\n"
ORIGINS = ("https://portal.example", "http://localhost:5173")
METADATA = {"customerPrice": "156.87", "currency": "CAD"}


@dataclass
class App:
    """The app as its callers reach it, and Partner Center as it saw them."""

    stack: Stack
    http: requests.Session

    @property
    def api(self) -> str:
        return f"{self.stack.hosts[0].url}/api"

    def orders_url(self, customer: str = CUSTOMER) -> str:
        return f"{self.api}/customers/{customer}/orders"

    def place(self, body: bytes | dict[str, Any], key: str | None = "", **headers: str) -> requests.Response:
        """POST an order; a key of "" is a fresh one, None none at all."""
        if key is not None:
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
        return self.http.post(self.orders_url(), data=raw, headers=headers)

    def new_order(self, status: str = "pending_po_upload") -> str:
        """An order, which waits for its documents unless its status says otherwise."""
        body = {"status": status, "customerId": CUSTOMER}
        answer = self.http.post(f"{self.partner_center}/_sim/orders", json=body)
        assert answer.ok, answer.text
        return str(answer.json()["id"])

    def attach_url(self, order: str) -> str:
        return f"{self.orders_url()}/{order}/attachments"

    def attach(self, order: str, **more: Any) -> requests.Response:
        """POST documents; the keywords are those of requests."""
        return self.http.post(self.attach_url(order), **more)

    @property
    def partner_center(self) -> str:
        return str(self.stack.simulator["partnerCenter"])

    def seen(self, path: str = "/_sim/state") -> dict[str, Any]:
        answer = self.http.get(f"{self.partner_center}{path}")
        found: dict[str, Any] = answer.json()
        return found

    def received(self, order: str) -> dict[str, Any]:
        """The order as Partner Center has it, with its submissions."""
        orders: list[dict[str, Any]] = self.seen()["orders"]
        return next(o for o in orders if o["id"] == order)

    def drop(self, name: str, content: bytes | dict[str, Any]) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        answer = requests.put(
            self.stack.drop_url(name), data=raw, headers={"x-ms-blob-type": "BlockBlob"}, timeout=10
        )
        assert answer.status_code == 201

    def receipt(self, path: str, *states: str) -> dict[str, Any]:
        """The receipt of a drop, once it says one of `states`."""
        end = time.monotonic() + PATIENCE
        while True:
            answer = self.http.get(f"{self.api}/drops/{path}")
            if answer.status_code == 200 and answer.json()["state"] in states:
                found: dict[str, Any] = answer.json()
                return found
            assert time.monotonic() < end, f"{path}: {answer.status_code} {answer.text}"
            time.sleep(0.1)


@contextmanager
def app_on(plan: Plan) -> Iterator[App]:
    """The app on a stack of its own, called with its function key, which counts where callers show keys."""
    with Stack(plan) as stack, requests.Session() as http:
        http.trust_env = False
        http.headers["x-functions-key"] = stack.hosts[0].key
        yield App(stack, http)


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    settings = {"MAX_BODY_MB": "3", "MAX_FILE_MB": "1", "ALLOWED_ORIGINS": ", ".join(ORIGINS)}
    with app_on(Plan(tmp_path_factory.mktemp("stack"), settings=settings)) as app:
        yield app


@pytest.fixture
def app(running: App) -> App:
    """The app, with a Partner Center that knows nothing yet and makes no trouble."""
    assert running.http.post(f"{running.partner_center}/_sim/reset").ok
    return running
