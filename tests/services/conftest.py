"""The services on real parts: Azurite, the Partner Center simulator, and a clock that tests move."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from local.azurite.launcher import Azurite
from local.simulator.partner_center import PartnerCenterSimulator
from local.simulator.tokens import mint
from shared.auth.mode import Mode
from shared.bootstrap import Services, build
from shared.clock import Deadline
from shared.core.ledger import Submission
from shared.core.models import order_attachments_key
from shared.services.operation import Outcome
from shared.settings import Settings
from shared.storage.account import Account
from shared.storage.transport import StorageTransport
from shared.validation.orders import order_request

KEY = b"the key of these tests' tokens"
AUDIENCE = "https://api.partnercenter.microsoft.com"
TENANT = "aaaaaaaa-0000-4000-8000-000000000001"
CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
RESELLER = "b0b0b0b0-1111-4222-8333-444444444444"
PDF = b"%PDF-1.7\n" + b"0123456789abcdef" * 500 + b"\n%%EOF\n"


class MintedTokens:
    """A TokenSource that mints what the simulator accepts."""

    def configured(self, mode: Mode) -> bool:
        return True

    def get(self, mode: Mode) -> str:
        kind: dict[str, object] = {"idtyp": "app"}
        if mode is Mode.APP_USER:
            kind = {"scp": "user_impersonation", "amr": ["pwd", "mfa"]}
        claims = {"aud": AUDIENCE, "tid": TENANT, "appid": TENANT, "exp": int(time.time()) + 3600, **kind}
        return mint(claims, KEY)

    def reject(self, mode: Mode, token: str) -> None:
        pass


@dataclass
class Clock:
    """Real time plus what the test adds; sleeping adds, and takes no time."""

    ahead: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return self.now().timestamp()

    def forward(self, **by: float) -> None:
        self.ahead += timedelta(**by)

    def sleep(self, seconds: float) -> None:
        self.forward(seconds=seconds)


def built(env: Mapping[str, str], clock: Clock) -> Services:
    return build(env, tokens=MintedTokens(), clock=clock.now, monotonic=clock.monotonic, sleep=clock.sleep)


@dataclass
class Office:
    """One partner's installation."""

    env: Mapping[str, str]
    partner: PartnerCenterSimulator
    clock: Clock
    services: Services

    def another(self) -> Services:
        """The services as another instance has them."""
        return built(self.env, self.clock)

    def deadline(self) -> Deadline:
        return Deadline.after(60)

    def drop(self, path: str, content: bytes | Mapping[str, Any]) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.services.drops.blobs.put(self.services.drops.incoming, path, raw, match="*")

    def ring(self, *paths: str, by: Services | None = None) -> None:
        for path in paths:
            (by or self.services).drops.handle_blob_event(path, str(uuid.uuid4()))

    def sweep(self, by: Services | None = None) -> dict[str, int]:
        """Hand out what is overdue, and do what was handed out."""
        services = by or self.services
        counts = services.sweep.run(str(uuid.uuid4()), self.deadline())
        self.work(by)
        return counts

    def work(self, by: Services | None = None) -> int:
        """Do what the messages on the work queue name; how many there were."""
        done = 0
        for message in self.messages():
            (by or self.services).worker.work(message, str(uuid.uuid4()))
            done += 1
        return done

    def messages(self) -> Iterator[str]:
        """Take the messages that are visible by now; the queue knows nothing of the test's clock."""
        return (base64.b64decode(text).decode() for text in self.take("WORK_QUEUE"))

    def take(self, queue: str) -> Iterator[str]:
        """Take what lies visible on the queue that a setting names."""
        queues, path = connected(self.env["DocumentStorage"])[1], f"{self.env[queue]}/messages"
        while True:
            page = queues.send("GET", f"{path}?numofmessages=32", "take messages")
            taken = ElementTree.fromstring(page.data) if page.status == 200 else ()
            for message in taken:
                name, receipt = message.findtext("MessageId"), quote(message.findtext("PopReceipt", ""))
                queues.send("DELETE", f"{path}/{name}?popreceipt={receipt}", "delete a message")
                yield message.findtext("MessageText", "")
            if not taken:
                return

    def lose_messages(self) -> None:
        """Every message on the work queue is lost, those that are not visible yet included."""
        queues, path = self._queue()
        queues.send("DELETE", path, "clear the queue")

    def waiting(self) -> int:
        """How many messages are on the work queue, those that are not visible yet included."""
        queues, _ = self._queue()
        found = queues.send("GET", f"{self.env['WORK_QUEUE']}?comp=metadata", "count messages")
        return int(found.headers["x-ms-approximate-messages-count"])

    def _queue(self) -> tuple[StorageTransport, str]:
        """Requests to the queues, and where the messages of the work queue are."""
        return connected(self.env["DocumentStorage"])[1], f"{self.env['WORK_QUEUE']}/messages"

    def receipt(self, path: str) -> dict[str, Any]:
        kept = self.services.drops.receipts.store.read(path)
        assert kept is not None, f"no receipt for {path}"
        return dict(kept.document)

    def submissions(self, order: str) -> dict[str, Submission]:
        """The attachment submissions of an order, by their digests."""
        stored = self.services.ledger.read(order_attachments_key(CUSTOMER, order))
        return dict(stored.record.submissions) if stored else {}

    def order(self, status: str = "pending_po_upload") -> str:
        """An order at Partner Center that waits for its documents; of a product that no test orders."""
        line = {"lineItemNumber": 0, "offerId": "DG7GMGF0D7FV:0001:DG7GMGF0D6M0", "quantity": 1}
        body = {"lineItems": [line], "creationDate": self.clock.now().isoformat()}
        state = self.partner.state
        return state.seed_order(CUSTOMER, uuid.uuid4().hex[:12], time.time(), status, body).id

    def sidecar(self, order: str, **more: object) -> dict[str, object]:
        return {
            "customerId": CUSTOMER,
            "orderId": order,
            "customerPrice": "156.87",
            "currency": "CAD",
            **more,
        }

    def attached(self, order: str) -> list[str]:
        """File names at Partner Center, one for each time that a file was attached."""
        return [a.file_name for a in self.partner.state.orders[order].attachments]

    def posts(self, operation: str = "POST attachment") -> int:
        """How many of these Partner Center saw."""
        return len(self.request_ids(operation))

    def request_ids(self, operation: str) -> list[str]:
        """The MS-RequestId of each of these that Partner Center saw."""
        entries = [e for e in self.partner.journal.entries() if e.operation == operation]
        return [{k.lower(): v for k, v in e.headers.items()}["ms-requestid"] for e in entries]

    def place(
        self, key: str = "flow-1", by: Services | None = None, upn: str = "", **more: object
    ) -> Outcome:
        """Ask for an order as the HTTP function does; `upn` is the customer's user whom it is for."""
        line = {"offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": 5, "termDuration": "P1Y"}
        raw = json.dumps({"lineItems": [line], "billingCycle": "monthly", **more}).encode()
        request = order_request(raw, CUSTOMER)
        correlation = str(uuid.uuid4())
        return (by or self.services).orders.place(
            CUSTOMER, request, key, correlation, self.deadline(), customer_user=upn
        )


@cache
def connected(connection_string: str) -> tuple[StorageTransport, StorageTransport]:
    """Requests to blobs and to queues, over connections that all tests share: those of a client of the SDK
    that is made for each use cost several times as much."""
    account = Account(Settings.read({"DocumentStorage": connection_string}).storage)
    return account.blobs(), account.queues()


def clean_up(azurite: Azurite, env: Mapping[str, str]) -> None:
    """Delete what an installation left in storage: Azurite answers ever more slowly the more it holds."""
    blobs, queues = connected(azurite.connection_string)
    for name in ("INCOMING_CONTAINER", "RECEIPTS_CONTAINER", "LEDGER_CONTAINER"):
        blobs.send("DELETE", f"{env[name]}?restype=container", "delete a container")
    for name in ("WORK_QUEUE", "NOTICE_QUEUE"):
        queues.send("DELETE", env[name], "delete a queue")


@pytest.fixture(scope="session")
def partner_center() -> Iterator[PartnerCenterSimulator]:
    with PartnerCenterSimulator(token_key=KEY) as running:
        yield running


@pytest.fixture
def office(azurite: Azurite, partner_center: PartnerCenterSimulator) -> Iterator[Office]:
    """A fresh installation: its own containers, an empty Partner Center."""
    partner_center.reset()
    tail = uuid.uuid4().hex[:12]
    env = {
        "DocumentStorage": azurite.connection_string,
        "INCOMING_CONTAINER": f"incoming-{tail}",
        "RECEIPTS_CONTAINER": f"receipts-{tail}",
        "LEDGER_CONTAINER": f"ledger-{tail}",
        "WORK_QUEUE": f"work-{tail}",
        "NOTICE_QUEUE": f"notices-{tail}",
        "PARTNER_CENTER_BASE_URL": partner_center.url,
        "PARTNER_TENANT_ID": TENANT,
        "PARTNER_CLIENT_ID": TENANT,
        "PARTNER_CLIENT_SECRET": "unused",
    }
    clock = Clock()
    yield Office(env, partner_center, clock, built(env, clock))
    clean_up(azurite, env)
