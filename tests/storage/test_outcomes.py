"""What a storage request that failed leaves behind: nothing for certain, or nobody knows."""

from __future__ import annotations

import contextlib
import gc
import socket
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from urllib3.exceptions import HTTPError, ReadTimeoutError

from local.azurite.launcher import ACCOUNT
from local.simulator.managed_identity import ManagedIdentity
from local.simulator.pki import Pki
from local.web import Response
from shared.core.errors import (
    BlobArchivedError,
    BlobLeasedError,
    BlobMissingError,
    ConditionFailedError,
    StorageError,
    StorageForbiddenError,
    StorageUnknownError,
)
from shared.http_pool import connections
from shared.storage.blobs import BlobStore
from shared.storage.transport import may_have_arrived
from shared.web.problem import problem_of
from tests.contract.scripted_server import (
    Script,
    answer,
    close_after_request,
    hang,
    raw,
    reset_after_request,
    reset_in_the_middle,
)
from tests.storage.conftest import Play, Serve
from tests.storage.parts import ETAG, Storage, busy, by_key, refused, store

NOW = datetime(2026, 11, 28, tzinfo=UTC)

NO_CONTAINER = refused(404, "ContainerNotFound")
CREATED = Response(201, headers=ETAG)


def code(status: int, name: str) -> Script:
    return answer(status, headers={"x-ms-error-code": name})


CONTENT = b"{}".ljust(2000)
DENIED = code(403, "AuthorizationFailure")


def failed(blobs: BlobStore, match: str | None = "*") -> StorageError:
    """What a write raises."""
    with pytest.raises(StorageError) as raised:
        blobs.put("ledger", "a.json", CONTENT, match=match)
    assert raised.value.__cause__ is None
    assert "http" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    "first",
    [
        close_after_request,
        reset_after_request,
        reset_in_the_middle,
        raw(b"SSH-2.0-OpenSSH\r\n\r\n"),
        raw(b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{}"),
        code(500, "InternalError"),
        code(500, "OperationTimedOut"),
        code(503, "ServerBusy"),
        code(408, "RequestTimeout"),
    ],
    ids=["closed", "reset", "reset-early", "no-http", "broken-off", "500", "500-timeout", "503", "408"],
)
def test_a_write_of_which_one_try_went_unanswered_may_have_been_done_whatever_the_next_is_told(
    play: Play, first: Script
) -> None:
    server = play(first, DENIED)

    assert type(failed(by_key(server.url))) is StorageUnknownError
    assert server.connections == 2


def test_it_does_not_matter_which_of_the_tries_went_unanswered(play: Play) -> None:
    server = play(code(429, "TooManyRequests"), close_after_request, code(429, "TooManyRequests"), DENIED)

    assert type(failed(by_key(server.url))) is StorageUnknownError
    assert server.connections == 4


def test_a_write_whose_blob_is_missing_after_a_try_went_unanswered_may_have_been_done(play: Play) -> None:
    server = play(reset_after_request, code(404, "BlobNotFound"))

    assert type(failed(by_key(server.url), match='"1"')) is StorageUnknownError


def test_a_write_that_is_answered_5xx_each_time_may_have_been_done(serve: Serve) -> None:
    error = failed(by_key(serve(Storage(busy())).url))

    assert type(error) is StorageUnknownError
    assert str(error) == "storage answered 503 ServerBusy to PUT ledger/a.json"


def test_a_write_that_is_never_answered_may_have_been_done(play: Play) -> None:
    error = failed(by_key(play(reset_after_request).url))

    assert type(error) is StorageUnknownError
    assert str(error) == "storage did not answer to PUT ledger/a.json (ProtocolError)"


def test_a_write_that_is_answered_with_two_lengths_may_have_been_done(play: Play) -> None:
    """urllib3 raises this at once, past its own counting of tries, and leaves the connection to the garbage
    collector."""
    server = play(raw(b"HTTP/1.1 201 Created\r\nContent-Length: 1, 2\r\n\r\n"))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        kind = type(failed(by_key(server.url)))
        gc.collect()
    assert kind is StorageUnknownError
    assert server.connections == 1


def test_a_write_whose_success_names_no_version_may_have_been_done(serve: Serve) -> None:
    assert type(failed(by_key(serve(Storage(Response(201))).url))) is StorageUnknownError


@pytest.mark.parametrize("first", [reset_after_request, code(500, "InternalError")], ids=["reset", "500"])
@pytest.mark.parametrize("refusal", [(412, "ConditionNotMet"), (409, "BlobAlreadyExists")])
def test_a_condition_that_fails_after_a_try_went_unanswered_is_for_the_caller_to_compare(
    play: Play, first: Script, refusal: tuple[int, str]
) -> None:
    assert type(failed(by_key(play(first, code(*refusal)).url))) is ConditionFailedError


def test_a_write_that_succeeds_at_the_second_try_is_a_success(play: Play) -> None:
    server = play(reset_after_request, answer(201, headers=ETAG))

    assert by_key(server.url).put("ledger", "a.json", b"{}") == '"1"'


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "InvalidHeaderValue"),
        (401, "NoAuthenticationInformation"),
        (403, "AuthorizationFailure"),
        (409, "ContainerBeingDeleted"),
        (413, "RequestBodyTooLarge"),
        (302, ""),
    ],
)
def test_a_write_that_is_refused_was_not_done(serve: Serve, status: int, name: str) -> None:
    error = failed(by_key(serve(Storage(refused(status, name))).url))

    assert type(error) is (StorageForbiddenError if status in (401, 403) else StorageError)
    assert f"{status} {name}" in str(error)


@pytest.mark.parametrize(
    ("status", "name", "told"),
    [
        (401, "NoAuthenticationInformation", "Storage Blob Data Owner"),
        (403, "AuthorizationPermissionMismatch", "Storage Blob Data Owner"),
        (403, "AuthorizationFailure", "firewall"),
        (400, "BlobTagsNotSupportedForAccountType", "blob index tags"),
        (409, "FeatureNotYetSupportedForHierarchicalNamespaceAccounts", "without hierarchical namespace"),
        (409, "BlobApiNotYetSupportedForHierarchicalNamespaceAccounts", "without hierarchical namespace"),
        (409, "FeatureNotEnabled", "blob index tags"),
        (400, "InvalidQueryParameterValue", "without hierarchical namespace"),
        (400, "InvalidHeaderValue", "without hierarchical namespace"),
    ],
)
def test_what_the_account_lacks_for_index_tags_is_told_by_write_and_search(
    serve: Serve, status: int, name: str, told: str
) -> None:
    blobs = by_key(serve(Storage(refused(status, name))).url)

    for ask in (
        lambda: blobs.put("ledger", "a", b"{}", due=NOW),
        lambda: list(blobs.due_before("ledger", NOW)),
    ):
        with pytest.raises(StorageForbiddenError) as raised:
            ask()
        assert told in raised.value.remedy
        assert (raised.value.actor, problem_of(raised.value)["retryable"]) == ("operator", False)


def test_a_write_that_was_put_off_and_then_refused_was_not_done(serve: Serve) -> None:
    """429 says that nothing was done."""
    storage = Storage(refused(429, "TooManyRequests"), refused(403, "AuthorizationFailure"))

    assert type(failed(by_key(serve(storage).url))) is StorageForbiddenError


def test_a_write_to_a_server_that_refuses_every_connection_was_not_done() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    assert type(failed(by_key(url))) is StorageError


def test_a_write_that_has_no_token_was_not_done(
    pki: Pki, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.ca))
    storage = Storage(CREATED)
    with ManagedIdentity(b"key", "object", header="header", client_id="another") as identity:
        for name, value in identity.environment.items():
            monkeypatch.setenv(name, value)
        url = serve(storage, pki.server_context()).url
        error = failed(
            store({"DocumentStorage__blobServiceUri": url, "DocumentStorage__queueServiceUri": url})
        )

    assert type(error) is StorageError
    assert "could not be signed" in str(error)
    assert storage.asked == []


def test_a_read_leaves_nothing_to_doubt(play: Play) -> None:
    with pytest.raises(StorageError) as raised:
        by_key(play(reset_after_request).url).get("ledger", "a.json")

    assert type(raised.value) is StorageError


def test_a_proxy_that_closes_after_the_request_leaves_it_in_doubt(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """urllib3 calls that a proxy to which it could not connect."""
    through(monkeypatch, play(close_after_request).url)

    error = failed(by_key("http://storage.example"))

    assert type(error) is StorageUnknownError
    assert "ProxyError" in str(error)


def test_a_proxy_that_refuses_every_connection_leaves_nothing_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        through(monkeypatch, f"http://127.0.0.1:{listener.getsockname()[1]}")

    error = failed(by_key("http://storage.example"))

    assert type(error) is StorageError
    assert "ProxyError" in str(error)


def through(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


# --- one try, as urllib3 reports it ---


def try_once(url: str) -> Exception:
    pool = connections(url, 1, retries=False, timeout=0.3)
    with pytest.raises(HTTPError) as raised:
        pool.urlopen("PUT", url, body=b"{}")
    return raised.value


@contextlib.contextmanager
def crowded() -> Iterator[str]:
    """A server whose queue of connections is full: to connect takes for ever."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_is_too_slow_to_connect_has_not_got_the_request() -> None:
    with crowded() as url:
        assert not may_have_arrived(try_once(url))


def test_a_host_that_does_not_exist_has_not_got_the_request() -> None:
    assert not may_have_arrived(try_once("http://storage.invalid"))


def test_a_server_that_nobody_vouches_for_has_not_got_the_request(pki: Pki, serve: Serve) -> None:
    assert not may_have_arrived(try_once(serve(Storage(CREATED), pki.server_context()).url))


def test_a_server_that_reads_and_says_nothing_may_have_got_the_request(play: Play) -> None:
    error = try_once(play(hang).url)

    assert isinstance(error, ReadTimeoutError)
    assert may_have_arrived(error)


# --- containers ---


@pytest.mark.parametrize("fault", [reset_after_request, code(500, "InternalError")], ids=["reset", "500"])
def test_a_container_that_cannot_be_made_leaves_nothing_in_doubt(play: Play, fault: Script) -> None:
    """The container may be there; the blob is not."""
    server = play(code(404, "ContainerNotFound"), fault)

    assert type(failed(by_key(server.url))) is StorageError
    assert server.requests[1].target == f"/{ACCOUNT}/ledger?restype=container"
    assert not any(request.body for request in server.requests[1:])


@pytest.mark.parametrize(
    ("status", "name"),
    [(409, "ContainerBeingDeleted"), (403, "AuthorizationFailure"), (404, "ResourceNotFound")],
)
def test_what_keeps_a_container_from_being_made_is_told(serve: Serve, status: int, name: str) -> None:
    error = failed(by_key(serve(Storage(NO_CONTAINER, refused(status, name))).url))

    assert type(error) is (StorageForbiddenError if status == 403 else StorageError)
    assert f"{status} {name} to create ledger" in str(error)


def test_a_container_that_another_made_first_is_as_good(serve: Serve) -> None:
    storage = Storage(NO_CONTAINER, refused(409, "ContainerAlreadyExists"), CREATED)

    assert by_key(serve(storage).url).put("ledger", "a.json", b"{}") == '"1"'


def test_a_container_that_is_missing_again_is_missing(serve: Serve) -> None:
    storage = Storage(NO_CONTAINER, Response(201), NO_CONTAINER)

    assert type(failed(by_key(serve(storage).url))) is BlobMissingError


# --- states that a person must mend ---


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (412, "LeaseIdMissing"),
        (409, "LeaseIdMismatchWithBlobOperation"),
        (412, "LeaseIdMismatchWithBlobOperation"),
        (412, "LeaseLost"),
    ],
)
def test_a_write_to_a_blob_that_is_leased_says_so_and_is_no_failed_condition(
    serve: Serve, status: int, name: str
) -> None:
    error = failed(by_key(serve(Storage(refused(status, name))).url))

    assert isinstance(error, BlobLeasedError)
    assert not isinstance(error, ConditionFailedError)
    assert (error.actor, "lease" in error.remedy) == ("operator", True)


def test_a_read_of_a_blob_in_the_archive_says_so(serve: Serve) -> None:
    with pytest.raises(BlobArchivedError) as raised:
        by_key(serve(Storage(refused(409, "BlobArchived"))).url).get("ledger", "a.json")

    assert (raised.value.actor, "Rehydrate" in raised.value.remedy) == ("operator", True)


def test_a_code_that_is_none_of_storages_is_not_repeated(serve: Serve) -> None:
    """Whoever answers in storage's place may quote the signature."""
    error = failed(by_key(serve(Storage(refused(400, "sv=1&sig=secret"))).url))

    assert str(error) == "storage answered 400  to PUT ledger/a.json"
