"""The host over HTTP: routes, keys, requests and responses, limits, start and stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.azurite.launcher import Azurite
from tests.local.hosts import SAMPLE, RunningHost, eventually, running_host


@pytest.fixture(scope="module")
def host(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    with running_host(azurite, tmp_path_factory.mktemp("host"), "--host-id", "http") as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/api/echo/5", "key", 200),
        ("GET", "/api/echo/5", "masterKey", 200),
        ("GET", "/api/echo/5", "", 401),
        ("GET", "/api/echo/5", "systemKey", 401),
        ("GET", "/api/echo/five", "key", 404),
        ("DELETE", "/api/echo/5", "key", 404),
        ("HEAD", "/api/echo/5", "key", 404),
        ("GET", "/api/only-admin", "key", 401),
        ("GET", "/api/only-admin", "masterKey", 200),
        ("GET", "/api/nothing", "", 404),
        ("GET", "/elsewhere", "masterKey", 404),
        ("OPTIONS", "/api/by-its-name", "", 200),
    ],
)
def test_routes_and_keys(host: RunningHost, method: str, path: str, key: str, status: int) -> None:
    answer = host.call(method, path, key)

    assert answer.status_code == status
    assert status == 200 or answer.content == b""


def test_the_key_as_a_query_parameter(host: RunningHost) -> None:
    assert host.call("GET", f"/api/echo/5?code={host.ready['key']}").status_code == 200
    assert host.call("GET", "/api/echo/5?code=wrong").status_code == 401


def test_what_the_function_sees(host: RunningHost) -> None:
    seen = host.call(
        "POST", "/api/echo/5/a/b%20c?x=1&x=2&empty=", "key", data=b"four", headers={"X-MiXed": "V"}
    ).json()

    assert seen["method"] == "POST"
    assert seen["url"] == f"{host.url}/api/echo/5/a/b%20c?x=1&x=2&empty="
    assert seen["route"] == {"number": "5", "rest": "a/b c"}
    assert seen["query"] == {"x": "1,2"}
    assert seen["headers"]["x-mixed"] == "V"
    assert seen["length"] == 4


def test_a_chunked_body_arrives_empty_and_the_connection_lives_on(host: RunningHost) -> None:
    head = f"POST /api/echo/5 HTTP/1.1\r\nHost: h\r\nx-functions-key: {host.ready['key']}\r\n".encode()
    chunked = b"Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n6;x=y\r\nchunks\r\n0\r\nTrailer: t\r\n\r\n"
    whole = b"Content-Length: 5\r\nConnection: close\r\n\r\nwhole"

    with socket.create_connection(("127.0.0.1", host.ready["port"])) as client:
        client.sendall(head + chunked + head + whole)
        answers = b"".join(iter(lambda: client.recv(65536), b""))

    assert re.findall(rb'"length": (\d+)', answers) == [b"0", b"5"]


def test_an_async_function_and_an_absent_optional_parameter(host: RunningHost) -> None:
    assert host.call("GET", "/api/echo/special").text == "special nobody"
    assert host.call("GET", "/api/echo/special/Ann").text == "special Ann"


def test_a_timer_that_runs_at_the_start_does_so_once(host: RunningHost) -> None:
    eventually(lambda: len(host.notes(function="tick")) == 1)


def test_a_function_without_a_route_answers_to_its_name(host: RunningHost) -> None:
    assert host.call("PUT", "/api/by-its-name").text == "by-its-name"


def test_status_headers_cookies_and_body_pass_through(host: RunningHost) -> None:
    answer = host.call("POST", "/api/refuse")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-correlation"] == "c-1"
    assert answer.content == b'{"title": "No", "status": 422}'
    assert answer.raw.headers.getlist("set-cookie") == [
        "a=1; path=/; httponly",
        "b=2; max-age=60; secure; samesite=lax",
    ]


@pytest.mark.parametrize("path", ["/api/fails", "/api/bad-header"])
def test_a_function_that_fails_or_answers_nonsense(host: RunningHost, path: str) -> None:
    answer = host.call("GET", path)

    assert (answer.status_code, answer.content) == (500, b"")


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
def test_a_body_beyond_the_limit_is_refused_unread(host: RunningHost, expect: str) -> None:
    head = f"POST /api/echo/5 HTTP/1.1\r\nHost: h\r\n{expect}Content-Length: 104857601\r\n\r\n"

    with socket.create_connection(("127.0.0.1", host.ready["port"])) as client:
        client.sendall(head.encode())
        answer = client.recv(4096)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_time_limits_of_function_and_caller(azurite: Azurite, tmp_path: Path) -> None:
    with running_host(
        azurite, tmp_path, "--host-id", "limits", AzureFunctionsJobHost__functionTimeout="00:00:01"
    ) as host:
        assert host.call("GET", "/api/sleep?seconds=0").status_code == 200
        assert host.call("GET", "/api/sleep?seconds=1.4").status_code == 500
    with running_host(azurite, tmp_path, "--host-id", "limits", "--response-limit", "0.3") as host:
        assert host.call("GET", "/api/sleep?seconds=0.7").status_code == 504


def test_requests_are_served_at_the_same_time(host: RunningHost) -> None:
    """Four calls meet in one function: each waits until all four have come."""
    names = [f"meet?of=4&who={number}" for number in range(4)]
    calls = [
        subprocess.Popen([sys.executable, "-c", _GET, f"{host.url}/api/{name}"], stdout=subprocess.PIPE)
        for name in names
    ]

    assert [call.communicate()[0] for call in calls] == [b"all here"] * 4


_GET = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode(), end='')"


def test_sigterm_ends_the_host_in_the_middle_of_a_call(azurite: Azurite, tmp_path: Path) -> None:
    with (
        running_host(azurite, tmp_path, "--host-id", "signals") as host,
        socket.create_connection(("127.0.0.1", host.ready["port"])) as client,
    ):
        client.sendall(b"GET /api/sleep?seconds=60 HTTP/1.1\r\nHost: h\r\n\r\n")
        eventually(lambda: "Executing sleeps" in (tmp_path / "host.log").read_text())

        os.kill(host.child.pid, signal.SIGTERM)

        assert eventually(lambda: not host.child.running())


@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        ({"WEBSITE_INSTANCE_ID": "i"}, ["--app", str(SAMPLE)], "does not start inside Azure"),
        ({}, ["--app", str(SAMPLE.parent)], "host.json does not exist"),
        ({}, ["--app", str(SAMPLE)], "app setting TICK_SCHEDULE is not set"),
    ],
)
def test_a_host_that_cannot_start_says_why(
    settings: dict[str, str], arguments: list[str], message: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.host", *arguments],
        env={**os.environ, "SAMPLE_LOG": os.devnull, **settings},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use(host: RunningHost, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.host", "--app", str(SAMPLE), "--port", str(host.ready["port"])],
        env={**os.environ, "SAMPLE_LOG": os.devnull, "TICK_SCHEDULE": "0 0 0 1 1 *"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "choose another with --port" in done.stderr
