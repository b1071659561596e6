"""The server's life: starting, stopping, TLS, many clients at once."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import requests

from local.guard import InsideAzureError
from local.simulator.partner_center import PartnerCenterSimulator
from local.simulator.pki import make_pki
from tests.local.simulator.kit import CUSTOMER, KEY, Client, attachment_path, head

ORDERS = f"/v1/customers/{CUSTOMER}/orders"


def test_inside_azure_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSITE_SITE_NAME", "orders")
    with pytest.raises(InsideAzureError):
        PartnerCenterSimulator(token_key=KEY).start()


def test_it_listens_on_the_loopback_address_only(partner_center: PartnerCenterSimulator) -> None:
    assert partner_center.url == f"http://127.0.0.1:{partner_center.port}"


def test_starting_and_stopping_twice_is_harmless() -> None:
    partner_center = PartnerCenterSimulator(token_key=KEY)
    partner_center.stop()
    assert partner_center.start().start() is partner_center
    partner_center.stop()
    partner_center.stop()


def test_a_port_that_is_taken_is_an_os_error(partner_center: PartnerCenterSimulator) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            PartnerCenterSimulator(other.getsockname()[1], token_key=KEY).start()


def test_a_service_that_was_away_comes_back_with_its_port_and_orders(client: Client) -> None:
    order, port = client.placed(), client.partner_center.port
    client.partner_center.stop()
    with pytest.raises(requests.ConnectionError):
        client.get(ORDERS)
    client.partner_center.start()
    assert client.partner_center.port == port
    assert client.get(f"{ORDERS}/{order}").status_code == 200


def test_stopping_ends_idle_hanging_and_half_sent_requests(client: Client) -> None:
    others = set(threading.enumerate())  # of servers that other tests share
    client.placed()
    client.partner_center.faults.add({"on": "GET orders", "do": {"kind": "hang", "seconds": 600}})
    address = ("127.0.0.1", client.partner_center.port)
    with (
        closing(socket.create_connection(address)) as hanging,
        closing(socket.create_connection(address)) as half,
    ):
        hanging.sendall(head("GET", ORDERS))
        half.sendall(head("POST", attachment_path("x"), Content_Length="100"))
        while len(client.partner_center.journal.entries()) < 3:
            time.sleep(0.005)
        client.partner_center.stop()
        assert (hanging.recv(10), half.recv(10)) == (b"", b"")
    started = set(threading.enumerate()) - others
    assert not [thread for thread in started if "_serve" in thread.name]


def test_many_clients_at_once_lose_nothing(partner_center: PartnerCenterSimulator) -> None:
    partner_center.configure(every_order_needs_po=True)

    def work(_: int) -> None:
        client = Client(partner_center)
        with client.session:
            for _ in range(5):
                assert client.attach(client.placed()).status_code == 201

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    orders = partner_center.state.orders.values()
    assert [len(order.submissions) for order in orders] == [1] * 40
    assert len(partner_center.journal.entries()) == 80
    assert partner_center.journal.as_json()["connections"] == 8


def test_it_speaks_https_and_loses_replies_there_as_well(tmp_path: Path) -> None:
    pki = make_pki(tmp_path)
    with PartnerCenterSimulator(token_key=KEY, ssl_context=pki.server_context()) as partner_center:
        client = Client(partner_center)
        client.session.verify = str(pki.ca)
        with client.session:
            order = client.placed()
            for kind in ("lose_reply", "cut"):
                partner_center.faults.add({"on": "POST attachment", "do": {"kind": kind}})
                with pytest.raises(requests.ConnectionError):
                    client.attach(order)
            assert client.attach(order).status_code == 201
            with closing(socket.create_connection(("127.0.0.1", partner_center.port))) as plain:
                plain.sendall(head("GET", ORDERS))
                assert not plain.recv(1000).startswith(b"HTTP")
        assert len(partner_center.state.orders[order].submissions) == 2
