"""How requests reach storage: what signs them, which way they go, and what happens when they fail."""

from __future__ import annotations

import base64
import json
import select
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas
from urllib3.exceptions import HTTPError

from local.azurite.launcher import ACCOUNT, KEY, Azurite
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.pki import Pki
from local.web import Response
from shared.core.errors import ConditionFailedError, StorageError
from shared.http_pool import connections
from shared.storage.blobs import BlobStore
from tests.contract.scripted_server import ScriptedServer, raw
from tests.storage.conftest import Serve
from tests.storage.parts import DATE, Storage, blob, busy, by_key, store


def by_signature(azurite: Azurite, permission: AccountSasPermissions) -> BlobStore:
    kinds = ResourceTypes(service=True, container=True, object=True)
    signature = generate_account_sas(ACCOUNT, KEY, kinds, permission, expiry="2099-01-01")
    return store(
        {"DocumentStorage": f"BlobEndpoint={azurite.blob_endpoint};SharedAccessSignature={signature}"}
    )


def test_a_connection_by_shared_access_signature_reads_writes_and_lists(azurite: Azurite) -> None:
    everything = AccountSasPermissions(read=True, write=True, list=True, create=True, tag=True)
    blobs = by_signature(azurite, everything)

    etag = blobs.put("signed", "a b/ü~.json", b"{}")
    with pytest.raises(ConditionFailedError):
        blobs.put("signed", "a b/ü~.json", b"{}")
    found = blobs.get("signed", "a b/ü~.json")

    assert found is not None
    assert (found.content, found.etag) == (b"{}", etag)
    assert [listed.name for listed in blobs.page("signed")[0]] == ["a b/ü~.json"]


def test_what_a_signature_does_not_allow_is_told_without_the_signature(azurite: Azurite) -> None:
    by_signature(azurite, AccountSasPermissions(read=True, write=True, create=True)).put("signed", "x", b"{}")

    with pytest.raises(StorageError) as raised:
        by_signature(azurite, AccountSasPermissions(read=True)).put("signed", "y", b"{}")

    assert "403" in str(raised.value)
    assert "sig=" not in repr(raised.value)
    assert raised.value.__cause__ is None


def test_no_log_of_what_is_tried_again_holds_the_signature(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    url = serve(Storage(busy(), Response(0), blob())).url

    blobs = store({"DocumentStorage": f"BlobEndpoint={url}/{ACCOUNT};SharedAccessSignature=sv=1&sig=secret"})
    assert blobs.get("incoming", "a.json")

    assert "Retrying" in caplog.text
    assert "/incoming/a.json" in caplog.text
    assert "secret" not in caplog.text


HEAD = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nLast-Modified: %s\r\n%s\r\nContent-Length: 2\r\n\r\n{}'


@pytest.mark.parametrize(
    "said",
    [
        HEAD % (DATE.encode(), b": secret"),
        HEAD % (DATE.encode(), b"X-Foo secret"),
        b"HTTP/1.1 secret\r\n\r\n",
        b"secret",
        b"HTTP/1.1 503 secret\r\nContent-Length: 6\r\nX-secret: secret\r\n\r\nsecret",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n{}",
    ],
)
def test_no_log_of_an_odd_answer_holds_the_signature_or_what_was_said(
    said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    server = ScriptedServer(raw(said))
    url = f"{server.url}/{ACCOUNT}"
    try:
        store({"DocumentStorage": f"BlobEndpoint={url};SharedAccessSignature=sv=1&sig=secret"}).get("a", "b")
    except StorageError:
        pass
    finally:
        server.close()

    assert "secret" not in caplog.text


def test_an_identity_sends_its_token_and_asks_for_it_once(
    pki: Pki, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.ca))
    storage = Storage(blob())
    with ManagedIdentity(b"key", "object", header="header", client_id="chosen") as identity:
        for name, value in identity.environment.items():
            monkeypatch.setenv(name, value)
        settings = {
            "DocumentStorage__blobServiceUri": serve(storage, pki.server_context()).url,
            "DocumentStorage__credential": "managedidentity",
            "DocumentStorage__clientId": "chosen",
        }
        blobs = store(settings)
        blobs.get("incoming", "a.json")
        blobs.get("incoming", "b.json")

    assert identity.asked == ["https://storage.azure.com"]
    tokens = [asked.headers["authorization"] for asked in storage.asked]
    assert tokens[0].startswith("Bearer ")
    assert tokens[0] == tokens[1]


def test_a_server_whose_certificate_nobody_vouches_for_gets_no_request(pki: Pki, serve: Serve) -> None:
    storage = Storage(blob())

    with pytest.raises(StorageError):
        by_key(serve(storage, pki.server_context()).url).get("incoming", "a.json")

    assert storage.asked == []


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_the_environments_own_authority_is_believed(
    pki: Pki, folder: bool, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = pki.ca
    if folder:
        # OpenSSL looks a certificate up in a folder by its subject's hash
        bundle = tmp_path
        for hashed in subject_hashes(pki.ca):
            (tmp_path / f"{hashed}.0").write_bytes(pki.ca.read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    assert by_key(serve(Storage(blob()), pki.server_context()).url).get("incoming", "a.json")


def subject_hashes(certificate: Path) -> list[str]:
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(certificate)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_a_proxy_of_the_environment_is_used_with_its_credentials(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Storage(blob())
    monkeypatch.setenv("HTTP_PROXY", serve(proxy).url.replace("://", "://user:p%40ss@"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    assert by_key("http://storage.example").get("incoming", "a.json")

    (asked,) = proxy.asked
    assert asked.headers["host"] == "storage.example"
    assert asked.headers["proxy-authorization"] == f"Basic {base64.b64encode(b'user:p@ss').decode()}"


def test_a_proxy_is_asked_to_tunnel_to_a_server_over_tls(
    pki: Pki, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = serve(Storage(blob()), pki.server_context())
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=tunnel, args=(listener, storage.port, asked), daemon=True).start()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.ca))
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{listener.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)

        assert by_key(storage.url).get("incoming", "a.json")

    assert asked[0].startswith(f"CONNECT localhost:{storage.port} ".encode())
    assert len(asked) == 1


def test_a_proxy_that_speaks_tls_itself_is_trusted_by_the_same_authorities(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def proxy() -> None:
            with pki.server_context().wrap_socket(listener.accept()[0], server_side=True) as client:
                asked.append(client.recv(65536))

        thread = threading.Thread(target=proxy, daemon=True)
        thread.start()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.ca))
        monkeypatch.setenv("HTTPS_PROXY", f"https://localhost:{listener.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(HTTPError):
            connections("https://storage.example", 1, retries=False).urlopen(
                "GET", "https://storage.example/"
            )
        thread.join()

    assert asked[0].startswith(b"CONNECT storage.example:443 ")


def tunnel(listener: socket.socket, port: int, asked: list[bytes]) -> None:
    """A proxy for one connection: note the CONNECT, then pass bytes both ways until an end closes."""
    client, _ = listener.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        asked.append(client.recv(65536))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        while True:
            for end in select.select([client, server], [], [], 10)[0]:
                data = end.recv(65536)
                if not data:
                    return
                (server if end is client else client).sendall(data)


def test_all_connections_trust_by_one_context(monkeypatch: pytest.MonkeyPatch, pki: Pki) -> None:
    """Loading the authorities for each of them takes more time and memory than the connection."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.ca))
    pools = [connections(url, 1) for url in ("https://a.example", "https://b.example")]

    assert pools[0].connection_pool_kw["ssl_context"] is pools[1].connection_pool_kw["ssl_context"]


def test_an_error_names_what_happened_on_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(StorageError, match="NewConnectionError"):
        by_key(url).get("incoming", "a.json")


def test_a_busy_server_is_asked_again(serve: Serve) -> None:
    storage = Storage(busy(), busy(**{"Retry-After": "1"}), blob(b'{"a":1}'))

    found = by_key(serve(storage).url).get("incoming", "a.json")

    assert found is not None
    assert json.loads(found.content) == {"a": 1}
    assert len(storage.asked) == 3


def test_a_server_that_stays_busy_is_given_up_with_its_own_words(serve: Serve) -> None:
    storage = Storage(busy())

    with pytest.raises(StorageError, match="503 ServerBusy") as raised:
        by_key(serve(storage).url).get("incoming", "a.json")

    assert type(raised.value) is StorageError
    assert len(storage.asked) == 5


def test_a_redirect_is_not_followed_with_our_signature(serve: Serve) -> None:
    elsewhere = Storage(blob())
    storage = Storage(Response(302, headers={"Location": serve(elsewhere).url}))

    with pytest.raises(StorageError, match="302"):
        by_key(serve(storage).url).get("incoming", "a.json")

    assert elsewhere.asked == []


def test_content_is_taken_as_it_is_stored_whatever_its_encoding_says(serve: Serve) -> None:
    stored = Response(200, b"%PDF-1.7 not gzip", headers={**blob().headers, "Content-Encoding": "gzip"})
    blobs = by_key(serve(Storage(stored)).url)

    stream = blobs.open("incoming", "a.pdf")

    assert stream is not None
    assert b"".join(stream.read()) == stored.body
