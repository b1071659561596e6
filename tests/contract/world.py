"""A scripted server, a client of it with tokens, and the check that no error tells a secret."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from shared.auth.mode import Mode
from shared.clock import Deadline
from shared.core.errors import AppError, NotConfiguredError
from shared.core.models import Document, Metadata, Role
from shared.partner_center.client import PartnerCenter
from shared.partner_center.multipart import MultipartBody, attachment_body
from shared.partner_center.wire import Answer, Listing, RequestIds
from tests.contract.scripted_server import Script, ScriptedServer

IDS = RequestIds("11111111-aaaa-4bbb-8ccc-000000000001", "22222222-aaaa-4bbb-8ccc-000000000002")
CUSTOMER, ORDER_ID = "c0ffee00-0000-4000-8000-000000000001", "5cf72f146967"
ORDER = {"id": ORDER_ID, "status": "pending_po_upload"}
ATTACHED = {"totalCount": 1, "items": [{"attachmentId": "ed64c99f750115", "fileName": "PO.pdf"}]}
ORDER_BODY = b'{"lineItems":[{"friendlyName":"SECRET-CONTENT"}]}'
IDS_OF_REPLY = {
    "MS-RequestId": "req-of-server",
    "MS-CorrelationId": "corr",
    "MS-CV": "cv.1",
    "MS-ServerId": "s1",
}
BIG = 24 * 1024 * 1024
"""Bytes that no socket buffer takes, so that the sender notices what the server does meanwhile."""

E = TypeVar("E", bound=AppError)
Make = Callable[..., "World"]


class Tokens:
    """Tokens by number; a refused one is followed by the next."""

    def __init__(self, *modes: Mode) -> None:
        self.modes = modes
        self.rejected: list[tuple[Mode, str]] = []

    def configured(self, mode: Mode) -> bool:
        return mode in self.modes

    def get(self, mode: Mode) -> str:
        if mode not in self.modes:
            raise NotConfiguredError(f"{mode} is not configured")
        number = 1 + sum(m is mode for m, _ in self.rejected)
        return f"TOKEN-{number}-of-{'app' if mode is Mode.APP else 'user'}"

    def reject(self, mode: Mode, token: str) -> None:
        self.rejected.append((mode, token))


class World:
    """A server, a client of it, and how long the client slept."""

    def __init__(
        self,
        *scripts: Script,
        modes: tuple[Mode, ...] = (Mode.APP, Mode.APP_USER),
        tls: ssl.SSLContext | None = None,
        **options: Any,
    ) -> None:
        self.server = ScriptedServer(*scripts, tls=tls)
        self.tokens = Tokens(*modes)
        self.slept: list[float] = []
        self.now = 1000.0
        self.client = PartnerCenter(
            self.server.url + "/", self.tokens, clock=lambda: self.now, sleep=self.slept.append, **options
        )

    def close(self) -> None:
        self.client.close()
        self.server.close()

    def create(self, seconds: float = 5.0, customer: str = CUSTOMER, **options: Any) -> Answer:
        deadline = Deadline.after(seconds)
        return self.client.create_order(customer, ORDER_BODY, Mode.APP, IDS, deadline, **options)

    def attach(self, body: MultipartBody | None = None, seconds: float = 5.0, **options: Any) -> Answer:
        deadline = Deadline.after(seconds)
        return self.client.attach(CUSTOMER, ORDER_ID, body or po(), IDS, deadline, **options)

    def get(self, seconds: float = 5.0, customer: str = CUSTOMER) -> Answer:
        return self.client.get_order(customer, ORDER_ID, IDS, Deadline.after(seconds))


def po(size: int = 100, open_: Callable[[], Iterator[bytes]] | None = None) -> MultipartBody:
    """The body of an attachment with one purchase order of `size` bytes."""
    piece = b"SECRET-CONTENT" + b"x" * (256 * 1024)

    def pieces() -> Iterator[bytes]:
        left = size
        while left:
            yield piece[: min(left, len(piece))]
            left -= min(left, len(piece))

    document = Document(Role.PURCHASE_ORDER, "PO.pdf", size, "", open_ or pieces)
    metadata = Metadata(False, "156.87", "CAD").to_wire()
    return attachment_body(metadata, [document], "POFiles", "TenderFiles", "B")


def failing(kind: type[E], call: Callable[[], object]) -> E:
    """Call, expect exactly an error of `kind`, and see that it keeps every secret."""
    with pytest.raises(AppError) as caught:
        call()
    error = caught.value
    assert type(error) is kind, repr(error)
    chain: BaseException | None = error
    while chain is not None:
        told = str(chain) + repr(chain) + "".join(traceback.format_exception_only(chain)) + repr(vars(chain))
        assert "TOKEN-" not in told
        assert "SECRET-CONTENT" not in told
        chain = chain.__cause__ or chain.__context__
    return error


RESELLERS = {"totalCount": 1, "items": [{"id": "aaaa", "state": "Active", "mpnId": "4847383"}]}
Read = Callable[[World], Answer]


def soon() -> Deadline:
    return Deadline.after(5.0)


READS: dict[str, tuple[Read, str, object]] = {
    "order": (lambda w: w.get(), f"/customers/{CUSTOMER}/orders/{ORDER_ID}", ORDER),
    "attachments": (
        lambda w: w.client.get_attachments(CUSTOMER, ORDER_ID, IDS, soon()),
        f"/customers/{CUSTOMER}/orders/{ORDER_ID}/attachments",
        ATTACHED,
    ),
    "resellers": (
        lambda w: w.client.indirect_resellers(IDS, soon()),
        "/relationships?relationship_type=IsIndirectCloudSolutionProviderOf",
        RESELLERS,
    ),
}

List = Callable[[World], Listing]
ORDERS = {"totalCount": 1, "items": [ORDER]}
LISTS: dict[str, tuple[List, str, object]] = {
    "orders": (
        lambda w: w.client.list_orders(CUSTOMER, IDS, soon()),
        f"/customers/{CUSTOMER}/orders",
        ORDERS,
    ),
    "attachments": (
        lambda w: w.client.list_attachments(CUSTOMER, ORDER_ID, IDS, soon()),
        f"/customers/{CUSTOMER}/orders/{ORDER_ID}/attachments",
        ATTACHED,
    ),
}
