"""A storage service that answers what a test says, and clients that are connected to it."""

from __future__ import annotations

from collections.abc import Mapping

from local.azurite.launcher import ACCOUNT, KEY
from local.web import Request, Response
from shared.settings import Settings
from shared.storage.blobs import BlobStore

DATE = "Sat, 21 Nov 2026 10:00:00 GMT"
ETAG = {"ETag": '"1"', "Last-Modified": DATE}


class Storage:
    """A service that answers what the test says, the last of it for ever, and keeps what it was asked."""

    def __init__(self, *said: Response) -> None:
        self.asked: list[Request] = []
        self._said = list(said)

    def __call__(self, asked: Request) -> Response:
        self.asked.append(asked)
        return self._said.pop(0) if len(self._said) > 1 else self._said[0]


def blob(content: bytes = b"{}", **headers: str) -> Response:
    return Response(200, content, headers={**ETAG, **headers})


def refused(status: int, code: str, **headers: str) -> Response:
    return Response(status, headers={"x-ms-error-code": code, **headers})


def busy(**headers: str) -> Response:
    return refused(503, "ServerBusy", **headers)


def store(settings: Mapping[str, str]) -> BlobStore:
    return BlobStore(Settings.read(settings).storage)


def by_key(url: str) -> BlobStore:
    """A client whose blobs and queues are both at `url`."""
    endpoints = f"BlobEndpoint={url}/{ACCOUNT};QueueEndpoint={url}/{ACCOUNT};"
    account = f"AccountName={ACCOUNT};AccountKey={KEY}"
    return store({"DocumentStorage": f"DefaultEndpointsProtocol=http;{account};{endpoints}"})
