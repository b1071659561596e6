"""Servers that play storage."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest

from local.simulator.pki import Pki, make_pki
from local.web import WebServer
from tests.contract.scripted_server import Script, ScriptedServer
from tests.storage.parts import Storage

Serve = Callable[..., WebServer]
Play = Callable[..., ScriptedServer]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve what a `Storage` says, with or without TLS."""
    servers: list[WebServer] = []

    def start(storage: Storage, tls: ssl.SSLContext | None = None) -> WebServer:
        servers.append(WebServer(storage, tls=tls).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def play() -> Iterator[Play]:
    """Serve one script per connection."""
    servers: list[ScriptedServer] = []

    def start(*scripts: Script) -> ScriptedServer:
        servers.append(ScriptedServer(*scripts))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
