"""The project's own parts, pointed at the bench's server: what is measured is the code that is deployed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from local.azurite.launcher import ACCOUNT, KEY
from local.children import Child
from local.simulator.pki import make_pki
from local.stack import clean_environment
from shared.auth.mode import Mode
from shared.bootstrap import Services, build
from shared.clock import Deadline
from shared.core.models import Document, Metadata, Role
from shared.partner_center.client import PartnerCenter
from shared.partner_center.multipart import MultipartBody, attachment_body
from shared.partner_center.wire import RequestIds
from shared.settings import Settings
from shared.storage.blobs import BlobStore

CUSTOMER, ORDER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1", "7a2b1f"
QUEUE = "work"
METADATA = Metadata(is_part_of_tender=False, customer_price="156.87", currency="CAD")
GUID = "aaaaaaaa-0000-4000-8000-000000000001"


class AnyToken:
    """A TokenSource for a server that does not look at tokens."""

    def configured(self, mode: Mode) -> bool:
        """Always."""
        return True

    def get(self, mode: Mode) -> str:
        """The same at each call."""
        return "token"

    def reject(self, mode: Mode, token: str) -> None:
        """Nothing to forget."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running bench server, a process of its own."""

    http: str
    https: str
    authority: str
    """File with the certificate of the authority behind `https`."""

    def url(self, scheme: str) -> str:
        """Base URL by scheme."""
        return self.https if scheme == "https" else self.http

    def requests(self) -> dict[str, int]:
        """How many requests it has had, by method."""
        counts: dict[str, int] = requests.get(f"{self.http}/count", timeout=5).json()
        return counts

    def fill(self, number: int) -> None:
        """Write so many small blobs into the incoming container."""
        requests.get(f"{self.http}/fill/{number}", timeout=60)


@contextmanager
def servers(number: int) -> Iterator[list[Server]]:
    """So many bench servers; TLS to them is trusted through REQUESTS_CA_BUNDLE while they run."""
    children: list[Child] = []
    before = os.environ.get("REQUESTS_CA_BUNDLE")
    with TemporaryDirectory() as folder:
        authority = make_pki(Path(folder)).ca
        try:
            for n in range(number):
                command = [sys.executable, "-m", "bench.server", folder]
                children.append(Child(f"server-{n}", command, environment(), None))
            urls = [child.ready(20) for child in children]
            os.environ["REQUESTS_CA_BUNDLE"] = str(authority)
            yield [Server(u["http"], u["https"], str(authority)) for u in urls]
        finally:
            os.environ.pop("REQUESTS_CA_BUNDLE", None)
            if before is not None:
                os.environ["REQUESTS_CA_BUNDLE"] = before
            for child in children:
                child.stop()


def environment() -> dict[str, str]:
    """For child processes: without settings and proxies of whoever runs this."""
    return clean_environment(os.environ)


def connection_string(url: str) -> str:
    """Storage at a bench server, which swallows what is put into a queue."""
    account = f"AccountName={ACCOUNT};AccountKey={KEY}"
    return f"DefaultEndpointsProtocol=http;{account};BlobEndpoint={url}/{ACCOUNT};QueueEndpoint={url}/queue;"


def settings(storage: str, partner_center: str) -> dict[str, str]:
    """The application's settings."""
    return {
        "DocumentStorage": storage,
        "PARTNER_CENTER_BASE_URL": partner_center,
        "PARTNER_TENANT_ID": GUID,
        "PARTNER_CLIENT_ID": GUID,
        "PARTNER_CLIENT_SECRET": "unused",
        "MAX_CALLS_IN_FLIGHT": "64",
        "REQUIRE_PDF_END": "false",  # the servers here make documents up as they are read
    }


def services(storage: str, partner_center: str) -> Services:
    """The application, all of it but the tokens."""
    return build(settings(storage, partner_center), tokens=AnyToken())


def order_of(*names: str) -> str:
    """Id of a new order, from which the bench server knows which documents will be attached to it."""
    return "-".join([uuid.uuid4().hex[:12], *(name.removesuffix(".pdf") for name in names)])


def sidecar(order: str, **more: object) -> bytes:
    """A sidecar for an order."""
    about = {"customerId": CUSTOMER, "orderId": order, **more}
    return json.dumps({**about, "customerPrice": "156.87", "currency": "CAD"}).encode()


def ring(services: Services, name: str) -> None:
    """The event of a blob."""
    services.drops.handle_blob_event(name, str(uuid.uuid4()))


def store(storage: str) -> BlobStore:
    """The project's storage client."""
    return BlobStore(Settings.read(settings(storage, "http://127.0.0.1:9")).storage)


def partner(url: str) -> PartnerCenter:
    """The project's client of Partner Center."""
    return PartnerCenter(url, AnyToken(), calls_in_flight=64)


def body_of(documents: Sequence[Document]) -> MultipartBody:
    """The project's multipart body."""
    return attachment_body(METADATA.to_wire(), documents, "POFiles", "TenderFiles")


def attach(client: PartnerCenter, documents: Sequence[Document]) -> None:
    """POST them, as `attach_po` and `blob_trigger` do."""
    client.attach(CUSTOMER, ORDER, body_of(documents), RequestIds(GUID, GUID), Deadline.after(120))


def roles(number: int) -> list[Role]:
    """Half purchase orders, half tenders."""
    return [Role.PURCHASE_ORDER if n < (number + 1) // 2 else Role.TENDER for n in range(number)]


def run(command: Sequence[str]) -> float:
    """Run a shell pipeline or program; the number that it prints (curl's time_total), 0.0 for none."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    printed = done.stdout.split()
    return float(printed[-1]) if printed and printed[-1].replace(".", "").isdigit() else 0.0
