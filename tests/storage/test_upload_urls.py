"""Upload addresses that an identity signs: a user delegation key of a real storage service over TLS."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from local.azurite.launcher import ACCOUNT, command_of
from local.children import Child
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.pki import Pki
from local.web import Request, Response
from shared.core.errors import StorageError, StorageForbiddenError
from shared.settings import Settings
from shared.storage.blobs import BlobStore
from shared.storage.upload_urls import HEADERS, UploadUrls
from tests.storage.conftest import Serve

OBJECT = "bbbbbbbb-0000-4000-8000-000000000002"
PDF = b"%PDF-1.7\n%%EOF\n"


@pytest.fixture
def identity(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManagedIdentity]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.ca))
    with ManagedIdentity(b"key", OBJECT, header="header") as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def secure_azurite(pki: Pki, tmp_path: Path) -> Iterator[str]:
    """Azurite over TLS, which alone takes an identity's token; its endpoint."""
    tls = ["--oauth", "basic", "--cert", str(pki.server), "--key", str(pki.server_key)]
    child = Child("azurite", [*command_of("blob", 0, None), *tls], os.environ, tmp_path / "azurite.log")

    def port(line: str) -> str | None:
        found = re.search(r"successfully listens on https://127\.0\.0\.1:(\d+)", line)
        return found[1] if found else None

    try:
        yield f"https://127.0.0.1:{child.says(port, 30)}/{ACCOUNT}"
    finally:
        child.stop()


def store(endpoint: str) -> BlobStore:
    env = {"DocumentStorage__blobServiceUri": endpoint, "DocumentStorage__queueServiceUri": endpoint}
    return BlobStore(Settings.read(env).storage)


def now() -> datetime:
    return datetime.now(UTC)


def test_an_identity_signs_addresses_with_a_key_that_it_asks_for_once(
    identity: ManagedIdentity, secure_azurite: str, pki: Pki
) -> None:
    blobs = store(secure_azurite)
    blobs.put("incoming", "uploads/a/metadata.json", b"{}")
    urls = UploadUrls(blobs.account, now)
    until = now() + timedelta(minutes=15)
    one, other = (urls.create("incoming", f"uploads/a/PO {n}.pdf", until) for n in (1, 2))
    query = parse_qs(urlsplit(one).query)

    def put(url: str) -> int:
        return requests.put(url, data=PDF, headers=HEADERS, verify=str(pki.ca), timeout=10).status_code

    assert (query["skoid"], query["sp"], query["sr"]) == ([OBJECT], ["c"], ["b"])
    assert query["skt"] == parse_qs(urlsplit(other).query)["skt"]
    assert [put(one), put(other)] == [201, 201]
    assert put(one) in (403, 409)
    assert requests.get(one, verify=str(pki.ca), timeout=10).status_code == 403
    stored = blobs.get("incoming", "uploads/a/PO 1.pdf")
    assert stored
    assert stored.content == PDF


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AuthorizationPermissionMismatch", StorageForbiddenError),
        (409, "AccountBeingCreated", StorageError),
    ],
)
def test_a_key_that_storage_refuses_is_told_with_the_role_that_lacks(
    identity: ManagedIdentity, serve: Serve, pki: Pki, status: int, code: str, kind: type[StorageError]
) -> None:
    def refuse(_: Request) -> Response:
        return Response(status, b"", headers={"x-ms-error-code": code})

    urls = UploadUrls(store(serve(refuse, pki.server_context()).url).account, now)
    with pytest.raises(StorageError) as raised:
        urls.create("incoming", "a.pdf", now() + timedelta(minutes=15))

    assert type(raised.value) is kind
    assert str(status) in str(raised.value)
    if kind is StorageForbiddenError:
        assert "Storage Blob Data Owner" in str(raised.value.remedy)
