"""What the simulator's tests share: tokens, a client, and a hand-made multipart body."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import requests

from local.simulator.partner_center import PartnerCenterSimulator
from local.simulator.tokens import mint

KEY = b"key of the simulator's tests"
AUDIENCE = "https://api.partnercenter.microsoft.com"
CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
OTHER_CUSTOMER = "11111111-2222-4333-8444-555555555555"
REQUEST_ID = "02109f46-3ff2-4be4-9f37-b2eb6d58d542"
METADATA = '{"isPartOfTender": false, "customerPrice": "156.870", "currency": "CAD"}'
TENDER = '{"isPartOfTender": true, "customerPrice": "156.87", "currency": "CAD", "fxRate": "1.2"}'
PDF = ("PO.pdf", b"%PDF-1.7 one", "application/pdf")

Files = list[tuple[str, tuple[str | None, bytes | str, str]]]


def claims(**changes: object) -> dict[str, object]:
    usual: dict[str, object] = {"aud": AUDIENCE, "tid": "t", "appid": "a", "exp": time.time() + 86_400}
    return {**usual, **changes}


class Clock:
    """Real time plus what the test adds, in seconds; the kit's tokens outlive ten minutes of it."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


APP_TOKEN = mint(claims(idtyp="app"), KEY)
USER_TOKEN = mint(claims(scp="user_impersonation", amr=["pwd", "mfa"]), KEY)


class Client:
    """Calls the simulator as a client of Partner Center does; a user's token unless told otherwise."""

    def __init__(self, partner_center: PartnerCenterSimulator) -> None:
        self.partner_center = partner_center
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"Authorization": f"Bearer {USER_TOKEN}", "Accept": "application/json"})

    def call(
        self, method: str, path: str, headers: Mapping[str, str | None] | None = None, **more: Any
    ) -> requests.Response:
        url = self.partner_center.url + path
        return self.session.request(method, url, headers=headers, timeout=10, **more)

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.call("GET", path, headers)

    def order(self, customer: str = CUSTOMER, **changes: Any) -> requests.Response:
        body = {"lineItems": [line()], **changes}
        return self.call("POST", f"/v1/customers/{customer}/orders", json=body)

    def placed(self, customer: str = CUSTOMER, offer: str = "DG7GMGF0D7FV:0001:A") -> str:
        answer = self.order(customer, lineItems=[line(offerId=offer)])
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def attach(
        self, order: str, files: Files | None = None, metadata: str = METADATA, **headers: str
    ) -> requests.Response:
        parts: Files = [("metadata", (None, metadata, "application/json"))]
        parts += [("POFiles", PDF)] if files is None else files
        return self.call("POST", attachment_path(order), headers, files=parts)

    def attached(self, order: str, **headers: str) -> list[dict[str, Any]]:
        """The items of an order's attachments, as one answer has them."""
        items: list[dict[str, Any]] = self.get(f"{orders_path()}/{order}/attachments", **headers).json()[
            "items"
        ]
        return items

    def attach_raw(self, order: str, body: bytes, content_type: str) -> requests.Response:
        return self.call("POST", attachment_path(order), {"Content-Type": content_type}, data=body)


def line(**changes: Any) -> dict[str, Any]:
    return {"lineItemNumber": 0, "offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": 5, **changes}


def pdf(name: str, size: int = 100) -> tuple[str | None, bytes | str, str]:
    """A file of a form, to be told from others by its content too."""
    return (name, name.encode().ljust(size, b"\n"), "application/pdf")


def orders_path(customer: str = CUSTOMER) -> str:
    return f"/v1/customers/{customer}/orders"


def attachment_path(order: str, customer: str = CUSTOMER) -> str:
    return f"/v1/customers/{customer}/orders/{order}/attachment"


def said(answer: requests.Response) -> tuple[int, str]:
    """Status and code of a documented error, whose body must have the documented fields."""
    body = answer.json()
    assert set(body) == {"code", "description", "data", "source"}
    assert body["description"]
    return answer.status_code, body["code"]


def part(name: str, content: bytes, filename: str | None = None, kind: str = "") -> bytes:
    extra = f'; filename="{filename}"' if filename is not None else ""
    typed = f"Content-Type: {kind}\r\n" if kind else ""
    head = f'--B\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n{typed}\r\n'
    return head.encode() + content + b"\r\n"


def upload_body() -> bytes:
    return (
        part("metadata", METADATA.encode())
        + part("POFiles", b"%PDF-1.7", "PO.pdf", "application/pdf")
        + b"--B--\r\n"
    )


def raw(partner_center: PartnerCenterSimulator, *pieces: bytes) -> bytes:
    """Send bytes over a bare socket, end the sending side, and return all that comes back."""
    with closing(socket.create_connection(("127.0.0.1", partner_center.port), timeout=10)) as connection:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def head(method: str, path: str, **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {USER_TOKEN}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def sim(client: Client, method: str, path: str, body: object = None) -> requests.Response:
    """Call a control route, without a token."""
    data = None if body is None else json.dumps(body)
    return client.call(method, f"/_sim{path}", {"Authorization": None}, data=data)
