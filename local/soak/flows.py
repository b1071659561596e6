"""Clients over HTTP that behave as flows do: the same request again until an answer is final."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

from local.soak.documents import PO, Case
from local.soak.orders import OrderCase
from local.stack import Host

ATTEMPTS = 6
"""How often a client asks before it gives up for the time being."""

_PATIENCE = 15.0
_LONGEST_WAIT = 4.0

DONE, REFUSED, REVIEW, OPEN = "done", "refused", "review", "open"


@dataclass(frozen=True, slots=True)
class ClientAnswer:
    """What the last answer said; `order_id` of an order that was placed, or of all those of a checkout."""

    state: str = OPEN
    status: int = 0
    order_id: str = ""
    detail: str = ""
    attachments: frozenset[str] = frozenset()
    """Ids of the documents that were attached."""
    location: str = ""
    wait: float = 1.0


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """One request that may be repeated: all arguments of `requests.Session.request` but the host."""

    name: str
    path: str
    polls: bool
    options: Mapping[str, Any] = field(repr=False)


def order_request(case: OrderCase) -> ClientRequest:
    """The request to place an order, or to check out what it orders."""
    options = {
        "json": _cart(case.body) if case.through_cart else case.body,
        "headers": {"Idempotency-Key": case.key},
    }
    way = "checkouts" if case.through_cart else "orders"
    return ClientRequest(case.key, f"/api/customers/{case.customer}/{way}", case.polls, options)


def _cart(order: Mapping[str, Any]) -> dict[str, Any]:
    """The same purchase as the body of a checkout."""
    lines = [
        {"catalogItemId": line["offerId"], "billingCycle": order["billingCycle"]}
        | {name: value for name, value in line.items() if name != "offerId"}
        for line in order["lineItems"]
    ]
    reseller = {name: order[name] for name in ("indirectResellerId",) if name in order}
    return {"lineItems": lines, **reseller}


def attach_request(case: Case) -> ClientRequest:
    """The request to attach documents, as a form."""
    parts: list[tuple[str, tuple[str | None, bytes, str]]] = [
        ("metadata", (None, json.dumps(case.metadata).encode(), "application/json"))
    ]
    for document in case.documents:
        part = "pofiles" if document.kind == PO else "tenderfiles"
        parts.append((part, (document.name, document.content, "application/pdf")))
    path = f"/api/customers/{case.customer}/orders/{case.order}/attachments"
    return ClientRequest(f"{case.order} {case.fingerprint}", path, polls=True, options={"files": parts})


class Flows:
    """All clients. They know every host, as a load balancer does, and not which of them lives."""

    def __init__(self, hosts: Sequence[Host], seed: int, stop: threading.Event) -> None:
        self._hosts = hosts
        self._random = random.Random(f"{seed}/flows")
        self._stop = stop
        self._lock = threading.Lock()
        self.answers: dict[str, list[ClientAnswer]] = {}
        self.requests = 0

    def send_until_final(self, request: ClientRequest, attempts: int = ATTEMPTS) -> ClientAnswer:
        """Ask until the answer is final, or `attempts` times, and note the answer."""
        answer = ClientAnswer()
        with requests.Session() as http:
            http.trust_env = False
            for _ in range(attempts):
                answer = self._ask(http, request, answer)
                if answer.state != OPEN or self._stop.wait(min(answer.wait, _LONGEST_WAIT)):
                    break
        with self._lock:
            self.answers.setdefault(request.name, []).append(answer)
        return answer

    def last(self, name: str) -> ClientAnswer:
        """The last final answer to the request of a name, else its last answer."""
        with self._lock:
            answers = [ClientAnswer(), *self.answers.get(name, [])]
        return next((answer for answer in reversed(answers) if answer.state != OPEN), answers[-1])

    def _ask(self, http: requests.Session, request: ClientRequest, before: ClientAnswer) -> ClientAnswer:
        with self._lock:
            host = self._random.choice(self._hosts)
            self.requests += 1
        poll = request.polls and before.location
        options = {} if poll else dict(request.options)
        headers = {**options.pop("headers", {}), "x-functions-key": host.key}
        try:
            response = http.request(
                "GET" if poll else "POST",
                host.url + (before.location if poll else request.path),
                headers=headers,
                timeout=_PATIENCE,
                **options,
            )
        except requests.RequestException as error:
            return ClientAnswer(detail=type(error).__name__, location=before.location)
        return read(response)


def joined(order_ids: Iterable[str]) -> str:
    """The ids of orders as one text, whatever their order."""
    return " ".join(sorted(order_ids))


def _orders(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    orders = body.get("orders")
    return orders if isinstance(orders, list) else [body]


def _order_id(order: Mapping[str, Any]) -> str:
    return str(order.get("id") or order.get("Id") or "")  # as Partner Center spells it


def read(response: requests.Response) -> ClientAnswer:
    """What an answer says to a flow."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    detail, problem = str(body.get("detail", "")), str(body.get("type", "")).rpartition(":")[2]
    wait = float(response.headers.get("Retry-After") or 1)
    if response.status_code in (200, 201):
        ids = frozenset(str(item.get("attachmentId")) for item in body.get("items", ()))
        return ClientAnswer(DONE, response.status_code, joined(map(_order_id, _orders(body))), detail, ids)
    if response.status_code == 202:
        url = urlsplit(response.headers["Location"])
        location = url.path + (f"?{url.query}" if url.query else "")
        return ClientAnswer(OPEN, 202, detail=detail, location=location, wait=wait)
    if problem == "needs-review":
        return ClientAnswer(REVIEW, response.status_code, detail=detail)
    again = response.status_code in (408, 409, 429) or response.status_code >= 500
    unrecorded = response.status_code == 404 and response.request.method == "GET"  # it is safe to ask anew
    return ClientAnswer(
        OPEN if again or unrecorded else REFUSED, response.status_code, detail=detail, wait=wait
    )
