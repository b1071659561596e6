"""Answers that the service itself does not give: a gateway's, early ones, statuses that nobody expects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.simulator.kit import Client, attachment_path, head, raw, upload_body

OF_THE_SERVICE = {"MS-CorrelationId", "MS-RequestId", "MS-CV", "MS-ServerId"}
JSON = "application/json; charset=utf-8"


def under(client: Client, **do: Any) -> str:
    """An order whose next upload gets a fault."""
    client.partner_center.faults.add({"on": "POST attachment", "do": do})
    return client.placed()


def upload(client: Client, order: str) -> bytes:
    """All that comes back over a bare socket."""
    body = upload_body()
    form = {"Content_Type": "multipart/form-data; boundary=B", "Content_Length": str(len(body))}
    return raw(client.partner_center, head("POST", attachment_path(order), **form), body)


def submissions(client: Client, order: str) -> int:
    return len(client.partner_center.state.orders[order].submissions)


@pytest.mark.parametrize("gateway", [True, False])
@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (409, {"code": "987654", "description": "?"}, {"Content-Type": JSON}),
        (409, "", {}),
        (403, "<html>Forbidden", {"content-type": "text/html"}),
        (404, "<html>Not found", {"Content-Type": "text/html; charset=utf-8"}),
        (413, "<html>Request Entity Too Large", {"Content-Type": "text/html"}),
        (302, "", {"Location": "https://elsewhere.example/"}),
        (429, {"statusCode": 429, "message": "Rate limit is exceeded."}, {"Content-Type": JSON}),
        (504, "", {"DATE": "Thu, 01 Jan 1970 00:00:00 GMT"}),
    ],
)
def test_a_status_comes_with_the_headers_it_is_given_and_the_services_own_or_none(
    client: Client, gateway: bool, status: int, body: Any, headers: dict[str, str]
) -> None:
    order = under(client, kind="status", status=status, body=body, headers=headers, gateway=gateway)
    answer = client.call("POST", attachment_path(order), data=b"x", allow_redirects=False)
    assert answer.status_code == status
    assert (answer.json() if isinstance(body, dict) else answer.text) == body
    assert headers.items() <= dict(answer.headers).items()
    own = {"Date", "Content-Length"} | (set() if gateway else OF_THE_SERVICE)
    assert {n.lower() for n in answer.headers} == {n.lower() for n in own | set(headers)}
    assert "," not in answer.headers["Content-Length"]
    assert submissions(client, order) == 0


@pytest.mark.parametrize(("commit", "committed"), [(False, 0), (True, 1)])
def test_an_early_status_can_be_the_last_that_is_heard(client: Client, commit: bool, committed: int) -> None:
    order = under(client, kind="status", status=103, commit=commit, headers={"Link": "<x>"})
    assert upload(client, order) == b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
    assert submissions(client, order) == committed
    assert client.partner_center.journal.entries()[-1].status == 103


@pytest.mark.parametrize(
    ("status", "line"), [(102, b"102 Processing"), (103, b"103 Early Hints"), (199, b"199 ")]
)
def test_an_early_status_is_followed_by_the_usual_answer(client: Client, status: int, line: bytes) -> None:
    order = under(client, kind="early", status=status, headers={"Link": "<x>"})
    early, _, late = upload(client, order).partition(b"\r\n\r\n")
    assert early == b"HTTP/1.1 " + line + b"\r\nLink: <x>"
    assert late.startswith(b"HTTP/1.1 201 Created\r\n")
    assert submissions(client, order) == 1


def test_an_early_status_is_103_unless_another_is_asked_for(client: Client) -> None:
    assert upload(client, under(client, kind="early")).startswith(
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 201 "
    )
