"""One installation whose storage and Partner Center lie behind proxies, with every part on one clock."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from xml.sax.saxutils import unescape

from local.azurite.launcher import Azurite
from local.fault_proxy import Proxy
from local.fault_rules import Fault, Seen
from local.simulator.partner_center import PartnerCenterSimulator
from local.simulator.tokens import mint
from shared.auth.mode import Mode
from shared.bootstrap import Services, build
from shared.clock import Deadline
from shared.core.models import Document, DocumentSet, Metadata, Role
from shared.services.bell import Kind, Message
from shared.services.operation import Outcome
from tests.services.conftest import AUDIENCE, CUSTOMER, KEY, PDF, TENANT, Clock, Office, clean_up, connected
from tests.services.steps import LICENCES, OTHERS, check_out

OTHER_PDF = PDF.replace(b"0", b"1")
"""As large as PDF, and another document."""

DENIED = 403
"""A status that no client of storage tries again, so that a fault costs no waiting."""


class Tokens:
    """A TokenSource whose tokens outlive every jump of the clock."""

    def configured(self, mode: Mode) -> bool:
        return True

    def get(self, mode: Mode) -> str:
        user = {"scp": "user_impersonation", "amr": ["pwd", "mfa"]}
        kind: Mapping[str, object] = user if mode is Mode.APP_USER else {"idtyp": "app"}
        return mint({"aud": AUDIENCE, "tid": TENANT, "exp": int(time.time()) + 10**9, **kind}, KEY)

    def reject(self, mode: Mode, token: str) -> None:
        pass


def instance(env: Mapping[str, str], clock: Clock) -> Services:
    """An instance of the app on the test's clock."""
    return build(env, tokens=Tokens(), clock=clock.now, monotonic=clock.monotonic, sleep=clock.sleep)


class Storage(Proxy):
    """Azurite on the test's clock: a blob was modified when the test's clock says that it was."""

    def __init__(self, target: str, clock: Clock, written: dict[tuple[str, str], timedelta]) -> None:
        super().__init__(target)
        self._clock = clock
        self._written = written
        self.tells_md5 = True
        """Azure keeps no MD5 of a blob that was uploaded in blocks; Azurite does."""

    def rewrite(self, seen: Seen, headers: dict[str, str], body: bytes | None) -> bytes | None:
        if seen.method == "PUT":
            self._written[seen.container, seen.name] = self._clock.ahead
        for header in list(headers):
            if header.lower() == "last-modified":
                headers[header] = self._moved(headers[header], seen.container, seen.name)
            if header.lower() == "content-md5" and not self.tells_md5:
                del headers[header]
        if body is None or seen.query.get("comp") != "list":
            return body

        def entry(found: re.Match[str]) -> str:
            return found[1] + self._moved(found[3], seen.container, unescape(found[2])) + found[4]

        pattern = r"(<Name>([^<]*)</Name>.*?<Last-Modified>)([^<]*)(</Last-Modified>)"
        return re.sub(pattern, entry, body.decode(), flags=re.S).encode()

    def _moved(self, date: str, container: str, name: str) -> str:
        ahead = self._written.get((container, name), timedelta())
        return format_datetime(parsedate_to_datetime(date) + ahead, usegmt=True)


@dataclass
class World(Office):
    """`services` is an instance in good health; `faulty` is one whose lines can be made to fail."""

    storage: Storage
    """Between `faulty` and the blobs of its storage."""
    queues: Proxy
    """Between `faulty` and the queues of its storage."""
    line: Proxy
    """Between `faulty` and Partner Center."""
    faulty: Services
    faulty_env: Mapping[str, str]

    def another(self) -> Services:
        return instance(self.env, self.clock)

    def new_faulty(self) -> None:
        """The instance behind the lines that fail is replaced by another."""
        self.faulty = instance(self.faulty_env, self.clock)

    @property
    def proxies(self) -> dict[str, Proxy]:
        """The lines of `faulty`, by name."""
        return {"storage": self.storage, "queues": self.queues, "line": self.line}

    def heal(self) -> None:
        """All faults are over."""
        for proxy in self.proxies.values():
            proxy.clear()
        self.partner.faults.clear()

    def settle(self, *minutes: float) -> None:
        """Let time pass; after each step a sweep in good health hands out, and a worker works it off."""
        for step in minutes or (3, 5, 5, 10, 30):
            self.clock.forward(minutes=step)
            self.sweep()

    def rests(self) -> bool:
        """Whether nothing is due at whatever time. Messages with a delay do not count: each is about what is
        due, and the queue knows nothing of the test's clock."""
        ever = self.clock.now() + timedelta(days=365)
        due = itertools.chain(self.services.ledger.due(ever), self.services.drops.receipts.store.due(ever))
        return not any(due)

    def work_on(self, kind: Kind, name: str, by: Services | None = None) -> None:
        """Work off one message, which may come too early or once too often."""
        (by or self.services).worker.work(Message(kind, name).dump(), str(uuid.uuid4()))

    def make_containers(self) -> None:
        """An installation that was used before: containers, queue, and the ledger's marker."""
        blobs, queues = connected(self.env["DocumentStorage"])
        for name in ("INCOMING_CONTAINER", "RECEIPTS_CONTAINER", "LEDGER_CONTAINER"):
            blobs.send("PUT", f"{self.env[name]}?restype=container", "create a container")
        queues.send("PUT", self.env["WORK_QUEUE"], "create a queue")
        self.services.ledger.check_format()

    def drop_pair(self, order: str, stem: str = "x/PO", content: bytes = PDF, **more: object) -> str:
        """Drop a document and its sidecar, without their events; the sidecar's path."""
        self.drop(f"{stem}.pdf", content)
        self.drop(f"{stem}.json", self.sidecar(order, **more))
        return f"{stem}.json"

    def delete(self, path: str) -> None:
        self.services.drops.blobs.send("DELETE", self.services.drops.incoming, path)

    def attach(self, order: str, content: bytes = PDF, by: Services | None = None) -> Outcome:
        """Attach one document as the HTTP function does."""
        return attach(by or self.services, order, content)

    def buy(self, key: str = "flow-1", by: Services | None = None) -> Outcome:
        """Check out what `checkout_body` says, as the HTTP function does."""
        return check_out(self, LICENCES, OTHERS, key=key, by=by)

    def deadline_from_sending(self, seconds: float) -> Deadline:
        """So many real seconds from when a POST of `faulty` is on its way to Partner Center. Until then no
        time passes, however slow the machine is."""
        sent: list[float] = []
        once(self.line, lambda seen: seen.method == "POST", lambda: sent.append(time.monotonic()))
        return Deadline(seconds, lambda: time.monotonic() - sent[0] if sent else 0.0)

    def sets(self, order: str) -> int:
        """How many attachment sets the order has."""
        return len(self.partner.state.orders[order].submissions)

    def state(self, path: str = "x/PO.json") -> str:
        return str(self.receipt(path)["state"])


def attach(services: Services, order: str, content: bytes) -> Outcome:
    """Attach `content` as PO.pdf to an order, with the metadata of `Office.sidecar`."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    document = Document(Role.PURCHASE_ORDER, "PO.pdf", len(content), md5, lambda: iter([content]))
    content_set = DocumentSet(CUSTOMER, order, Metadata(False, "156.87", "CAD"), (document,))
    return services.attachments.attach(content_set, str(uuid.uuid4()), services.deadline())


@dataclass
class Lines:
    """What all worlds of a session share; `new_world` empties it."""

    azurite: Azurite
    clock: Clock
    partner: PartnerCenterSimulator
    front: Storage
    storage: Storage
    queues: Proxy
    line: Proxy
    _world: dict[str, str] = field(default_factory=dict)

    def new_world(self) -> World:
        self.clock.ahead = timedelta()
        self.partner.reset()
        for proxy in (self.front, self.storage, self.queues, self.line):
            proxy.clear()
            proxy.decide = None
        self.front.tells_md5 = self.storage.tells_md5 = True
        if self._world:
            clean_up(self.azurite, self._world)
        tail = uuid.uuid4().hex[:12]
        self._world = env = {
            "DocumentStorage": self.front.connection_string(self.azurite.connection_string),
            "INCOMING_CONTAINER": f"incoming-{tail}",
            "RECEIPTS_CONTAINER": f"receipts-{tail}",
            "LEDGER_CONTAINER": f"ledger-{tail}",
            "WORK_QUEUE": f"work-{tail}",
            "NOTICE_QUEUE": f"notices-{tail}",
            "PARTNER_CENTER_BASE_URL": self.partner.url,
            "PARTNER_TENANT_ID": TENANT,
            "PARTNER_CLIENT_ID": TENANT,
            "PARTNER_CLIENT_SECRET": "unused",
        }
        faulty_env = {
            **env,
            "DocumentStorage": self.storage.connection_string(self.azurite.connection_string, self.queues),
            "PARTNER_CENTER_BASE_URL": self.line.url,
        }
        healthy, faulty = instance(env, self.clock), instance(faulty_env, self.clock)
        lines = (self.storage, self.queues, self.line)
        return World(env, self.partner, self.clock, healthy, *lines, faulty, faulty_env)


@contextmanager
def lines(azurite: Azurite) -> Iterator[Lines]:
    """Start the simulator and the proxies."""
    clock = Clock()
    written: dict[tuple[str, str], timedelta] = {}
    with ExitStack() as running:
        partner = running.enter_context(
            PartnerCenterSimulator(token_key=KEY, clock=lambda: clock.now().timestamp())
        )
        front, storage = (
            running.enter_context(Storage(azurite.blob_endpoint, clock, written)) for _ in range(2)
        )
        queues = running.enter_context(Proxy(azurite.queue_endpoint))
        line = running.enter_context(Proxy(partner.url))
        yield Lines(azurite, clock, partner, front, storage, queues, line)


def place_body(quantity: int = 5) -> bytes:
    """The body of an order; another quantity is another order."""
    line = {"offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": quantity, "termDuration": "P1Y"}
    return json.dumps({"lineItems": [line], "billingCycle": "monthly"}).encode()


def checkout_body() -> bytes:
    """The body of a checkout, of two order groups."""
    return json.dumps({"lineItems": [LICENCES, OTHERS]}).encode()


def once(proxy: Proxy, when: Callable[[Seen], bool], do: Callable[[], object]) -> None:
    """Do something while the first request that fits is on its way."""
    done: list[Seen] = []

    def decide(seen: Seen) -> Fault | None:
        if not done and when(seen):
            done.append(seen)
            do()
        return None

    proxy.decide = decide
