"""The main job, once, on real parts: `python -m local demo`.

An order is placed for a customer of an indirect reseller and waits for its purchase order; the documents
and their sidecar land in blob storage; they are paired and posted to the order as one request; the receipt
is shown. Then the demo repeats every request, and nothing happens twice. When a step fails, the demo ends
with a sentence and exit code 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import requests

from local.children import StackError
from local.pdf import one_page
from local.stack import Plan, Stack

CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
OFFER = "DG7GMGF0D7FV:0001:DG7GMGF0D7FV"
"""Access LTSC 2021, whose orders go into the purchase-order flow in Partner Center's sandbox.
https://learn.microsoft.com/en-us/partner-center/developer/pending-po-upload"""

FOLDER = "contoso/PO-4711"
DOCUMENTS = {
    "PO_Part1.pdf": one_page("Purchase order 4711, part 1", "5 licences", filler=2_000_000),
    "PO_Part2.pdf": one_page("Purchase order 4711, part 2", "Delivery terms", filler=1_300_000),
    "Tender.pdf": one_page("Request for proposal 08/2026", filler=2_200_000),
}
PATIENCE = 30.0

T = TypeVar("T")


class Scene:
    """The demo's steps. Each prints what happens."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["x-functions-key"] = stack.hosts[0].key
        self.api = f"{stack.hosts[0].url}/api"
        self.partner_center = stack.simulator["partnerCenter"]

    def play(self) -> None:
        """All steps. Raises StackError when one goes wrong."""
        order = self.place_order()
        self.drop_documents(order)
        receipt = self.wait_for_receipt()
        self.compare(order, receipt)
        self.ask_again(order)
        say("The receipt, as it lies in the container `receipts`:")
        print(json.dumps(receipt, indent=2, ensure_ascii=False))

    def place_order(self) -> str:
        """POST the order; the app looks the reseller up and writes its PartnerID on the line."""
        step("1. A flow orders for a customer of an indirect reseller")
        resellers = self.simulated("/_sim/state")["resellers"]
        reseller = next(r for r in resellers if str(r["state"]).lower() == "active")
        self.order_body = {
            "billingCycle": "one_time",
            "indirectResellerId": reseller["id"].upper(),
            "lineItems": [{"offerId": OFFER, "quantity": 5, "friendlyName": "Access for the office"}],
        }
        answer = self.post_order()
        expect(answer.status_code == 201, f"the order was not placed: {answer.status_code} {answer.text}")
        order = answer.json()
        on_record = order["lineItems"][0].get("partnerIdOnRecord")
        say(f"201: order {order['id']} is {order['status']}")
        say(f"reseller {reseller['name']!r} found, PartnerID {on_record} written on the line")
        say(f"Partner Center's request id: {answer.headers.get('MS-RequestId')}")
        expect(on_record == reseller["mpnId"], "the line does not carry the reseller's PartnerID")
        expect(order["status"] == "pending_po_upload", "the order does not wait for a purchase order")
        return str(order["id"])

    def post_order(self) -> requests.Response:
        """The flow's request; its Idempotency-Key is the id of the approval."""
        url = f"{self.api}/customers/{CUSTOMER}/orders"
        return self.http.post(url, json=self.order_body, headers={"Idempotency-Key": "approval-4711"})

    def drop_documents(self, order: str) -> None:
        """Put the documents, then their sidecar, into the container."""
        step("2. The documents and their sidecar are dropped into the container `incoming`")
        for name, content in DOCUMENTS.items():
            self.drop(f"{FOLDER}/{name}", content)
        sidecar = {
            "customerId": CUSTOMER,
            "orderId": order,
            "poFiles": ["PO_Part1.pdf", "PO_Part2.pdf"],
            "tenderFiles": ["Tender.pdf"],
            "isPartofTender": True,
            "customerPrice": "156.87",
            "currency": "CAD",
            "fxRate": "1.2",
        }
        self.drop(f"{FOLDER}/metadata.json", json.dumps(sidecar, indent=2).encode())

    def drop(self, name: str, content: bytes) -> None:
        """PUT one blob, as any tool does that has a SAS URL."""
        headers = {"x-ms-blob-type": "BlockBlob"}
        answer = requests.put(self.stack.drop_url(name), data=content, headers=headers, timeout=PATIENCE)
        expect(answer.status_code == 201, f"storage did not take {name}: {answer.status_code}")
        say(f"{name}  {len(content):>9,} bytes")

    def wait_for_receipt(self) -> dict[str, Any]:
        """Look for the receipt until it says `attached`."""
        step("3. The blob trigger pairs them and posts them to the order; its receipt is awaited")
        seen = ""

        def attached() -> dict[str, Any] | None:
            nonlocal seen
            answer = self.http.get(f"{self.api}/drops/{FOLDER}/metadata.json")
            state = answer.json()["state"] if answer.status_code == 200 else "no receipt yet"
            if state != seen:
                seen = state
                say(state)
            expect(state not in ("rejected", "review"), f"the receipt says: {answer.text}")
            return answer.json() if state == "attached" else None

        return wait(attached, "the receipt did not come")

    def compare(self, order: str, receipt: Mapping[str, Any]) -> None:
        """What Partner Center received is what was dropped, byte for byte."""
        step("4. What Partner Center received")
        received = self.received(order)
        files = {f["fileName"]: f for s in received["submissions"] for f in s["files"]}
        for name, content in DOCUMENTS.items():
            same = files[name]["sha256"] == hashlib.sha256(content).hexdigest()
            say(f"{files[name]['attachmentType']:<17} {name}  {'identical' if same else 'DIFFERENT'}")
            expect(same, f"{name} arrived changed")
        say(f"metadata: {received['submissions'][0]['metadata']}")
        status = self.http.get(f"{self.api}/customers/{CUSTOMER}/orders/{order}").json()["status"]
        say(f"the order is {status} now")
        expect(len(receipt["attachments"]) == len(DOCUMENTS), "the receipt does not list every document")

    def ask_again(self, order: str) -> None:
        """Order again with the same key, and drop a copy: nothing happens twice."""
        step("5. The flow asks again, and somebody drops the same documents under another name")
        answer = self.post_order()
        say(f"{answer.status_code}, Idempotency-Replayed: {answer.headers.get('Idempotency-Replayed')}")
        first = requests.get(self.stack.drop_url(f"{FOLDER}/metadata.json"), timeout=PATIENCE)
        for name, content in DOCUMENTS.items():
            self.drop(f"copy/{name}", content)
        self.drop("copy/metadata.json", first.content)

        def told() -> bool:
            answer = self.http.get(f"{self.api}/drops/copy/metadata.json")
            return answer.status_code == 200 and answer.json()["state"] == "attached"

        wait(told, "the copy's receipt did not come")
        orders = self.simulated("/_sim/state")["orders"]
        submissions = self.received(order)["submissions"]
        say(f"orders at Partner Center: {len(orders)}, submissions: {len(submissions)}")
        expect(len(orders) == 1, "the order was placed twice")
        expect(len(submissions) == 1, "the documents were attached twice")

    def received(self, order: str) -> dict[str, Any]:
        """The order as the simulator keeps it."""
        orders: list[dict[str, Any]] = self.simulated("/_sim/state")["orders"]
        return next(o for o in orders if o["id"] == order)

    def simulated(self, path: str) -> dict[str, Any]:
        """What the simulator shows."""
        shown: dict[str, Any] = self.http.get(f"{self.partner_center}{path}", timeout=PATIENCE).json()
        return shown


def wait(look: Callable[[], T | None], otherwise: str) -> T:
    """Call `look` until it returns something. Raises StackError with `otherwise` after PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise StackError(f"{otherwise} within {PATIENCE:.0f} seconds")


def expect(true: bool, otherwise: str) -> None:
    """End the demo unless `true`."""
    if not true:
        raise StackError(f"the demo failed: {otherwise}")


def step(title: str) -> None:
    """Print the title of a step."""
    print(f"\n{title}", flush=True)


def say(line: str) -> None:
    """Print what happened."""
    print(f"   {line}", flush=True)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The demo has none."""


def main(_given: argparse.Namespace) -> int:
    """Bring the stack up, play the scene, and take it down. Raises StackError; returns 0."""
    begun = time.monotonic()
    print("Bringing up Azurite, the Partner Center simulator and the Functions host …", flush=True)
    with tempfile.TemporaryDirectory(prefix="demo-") as folder, Stack(Plan(Path(folder))) as stack:
        say(f"up after {time.monotonic() - begun:.1f} s: {stack.hosts[0].url}/api")
        Scene(stack).play()
    print(f"\nDone in {time.monotonic() - begun:.1f} s: ordered once, attached once.")
    return 0
