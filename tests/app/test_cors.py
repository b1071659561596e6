"""What a browser asks and is told when a page of another origin calls the app."""

from __future__ import annotations

import pytest
import requests

from tests.app.conftest import ORIGINS, App
from tests.structure.test_architecture import FUNCTIONS

ROUTES = sorted({route for route in FUNCTIONS.values() if route != "{*path}"})


def asks(app: App, path: str, origin: str, method: str = "POST") -> requests.Response:
    """A preflight, as a browser sends it: without a key."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type,idempotency-key,x-functions-key",
    }
    return requests.options(f"{app.api}/{path}", headers=headers, timeout=10)


def names(listed: str) -> set[str]:
    return {name.strip().lower() for name in listed.split(",")}


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("route", ROUTES)
def test_every_route_tells_a_page_of_an_allowed_origin_what_it_may_send(
    app: App, route: str, origin: str
) -> None:
    answer = asks(app, route.replace("{", "").replace("}", "").replace("*", ""), origin)

    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert names(answer.headers["Access-Control-Allow-Methods"]) >= {"get", "post"}
    assert names(answer.headers["Access-Control-Allow-Headers"]) >= {
        "authorization",
        "content-type",
        "idempotency-key",
        "x-functions-key",
    }
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    [
        "https://portal.example.evil.example",
        "http://portal.example",
        "https://portal.example:8443",
        "https://Portal.example",
        "https://portal.example, http://localhost:5173",
        "null",
        "",
    ],
)
def test_a_page_of_any_other_origin_is_allowed_nothing(app: App, origin: str) -> None:
    preflight = asks(app, "health", origin)
    answer = app.http.get(f"{app.api}/health", headers={"Origin": origin})

    for told in (preflight, answer):
        assert [name for name in told.headers if name.lower().startswith("access-control-")] == []
        assert told.headers["Vary"] == "Origin"  # a cache must not give it to another page
    assert answer.status_code == 200


def test_a_page_can_read_what_an_answer_tells_in_its_headers(app: App) -> None:
    line = {"offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": 5, "termDuration": "P1Y"}
    answer = app.place({"lineItems": [line], "billingCycle": "monthly"}, Origin=ORIGINS[0])
    readable = names(answer.headers["Access-Control-Expose-Headers"])
    everybodys = {"content-type", "content-length", "cache-control"}
    ours = {name.lower() for name in answer.headers} - everybodys

    assert answer.status_code == 201
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGINS[0]
    assert {"location", "retry-after", "idempotency-replayed", "x-next-step", "x-correlation-id"} <= readable
    protocol = {name for name in ours if name.startswith("access-control-")}
    transport = {"date", "server", "connection", "vary", "x-content-type-options"}
    assert ours - protocol - transport <= readable


def test_a_page_can_read_a_problem_too(app: App) -> None:
    answer = app.place(b"{}", Origin=ORIGINS[1])

    assert answer.status_code == 400
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGINS[1]
    assert answer.json()["errors"]


def test_a_page_without_a_key_sees_no_answer_at_all_because_the_host_gives_it(app: App) -> None:
    answer = requests.get(f"{app.api}/drops/x", headers={"Origin": ORIGINS[0]}, timeout=10)

    assert (answer.status_code, answer.content) == (401, b"")
    assert "Access-Control-Allow-Origin" not in answer.headers
