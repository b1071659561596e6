"""What people do in Partner Center's portal, unseen by the clients of the API."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

import requests

from local.simulator.shapes import documented_date
from local.soak.orders import OrderCase, group_of
from local.soak.steps import Appear, Upload
from local.stack import Stack

_AGO = 600.0
_TELLING = ("offset", "z")
"""Formats of a date that give the moment."""


class Person:
    """Works through the simulator's own routes. Safe to use from many threads."""

    def __init__(self, stack: Stack) -> None:
        self._url = f"{stack.simulator['partnerCenter']}/_sim"
        self._lock = threading.Lock()
        self._http = requests.Session()
        self._http.trust_env = False
        self._changed: set[str] = set()

    def control(self, what: str, body: object) -> None:
        """POST to one of the simulator's own routes."""
        with self._lock:
            self._http.post(f"{self._url}/{what}", json=body, timeout=60).raise_for_status()

    def no_faults(self) -> None:
        """End every fault at Partner Center."""
        with self._lock:
            self._http.delete(f"{self._url}/faults", timeout=60).raise_for_status()

    def see(self, what: str) -> dict[str, Any]:
        """What the simulator shows."""
        with self._lock:
            shown: dict[str, Any] = self._http.get(f"{self._url}/{what}", timeout=60).json()
        return shown

    def upload(self, step: Upload) -> None:
        """Attach a document to an order."""
        document = step.document
        content = base64.b64encode(document.content).decode()
        body = {"orderId": step.order, "fileName": document.name, "kind": document.kind, "content": content}
        self.control("uploads", body)

    def let_appear(self, step: Appear) -> None:
        """Have an order be there."""
        self.control("orders", {"customerId": step.customer, "id": step.order})

    def place(self, case: OrderCase) -> None:
        """Have the order that somebody is about to ask for be there already, as one of ten minutes ago. Where
        Partner Center does not give the moment of creation, no client could tell the two apart."""
        behaviour = self.see("state")["behaviour"]
        if behaviour["creation_date"] not in _TELLING:
            return
        lines = [{"lineItemNumber": n, **line} for n, line in enumerate(case.body["lineItems"])]
        created = documented_date(time.time() + behaviour["clock_skew"] - _AGO)
        body = {**case.body, "lineItems": lines, "creationDate": created}
        self.control("orders", {"customerId": case.customer, "body": body})

    def change(self, cases: Iterable[OrderCase]) -> None:
        """Raise a quantity of each of these orders that is there, once."""
        wanted = {case.group for case in cases if case.changed}
        for order in self.see("state")["orders"] if wanted else ():
            if order["id"] not in self._changed and group_of(order["order"]) in wanted:
                self._changed.add(order["id"])
                self.control("changes", {"orderId": order["id"], "changes": _more(order["order"])})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _more(order: Mapping[str, Any]) -> dict[str, Any]:
    first = order["lineItems"][0]
    return {"lineItems": [{"lineItemNumber": first["lineItemNumber"], "quantity": first["quantity"] + 1}]}
