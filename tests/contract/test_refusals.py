"""What the client makes of an answer that says no: who said what, and how long to wait."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.auth.mode import Mode
from shared.core.errors import RefusedError, ThrottledError, TokenRejectedError
from shared.partner_center.reply import seconds_to_wait
from tests.contract.scripted_server import answer, raw, reply
from tests.contract.world import IDS_OF_REPLY, ORDER, Make, failing

DATE_LIKE = r"\A[A-Z][a-z]{2}, [0-9]{1,20} [A-Z][a-z]{2} [0-9]{1,9} [0-9:]{1,12} ([A-Z]{3}|[+-][0-9]{1,6})\Z"
FAULT = {"code": "900252", "description": "Purchase order document is required.", "source": "PartnerFD"}


@pytest.mark.parametrize(
    ("status", "body", "code", "description"),
    [
        (400, FAULT, "900252", "Purchase order document is required."),
        (400, b"\xef\xbb\xbf" + b'{"code": 900252, "description": "d"}', "900252", "d"),
        (400, {"Code": "900252", "Description": "d"}, "900252", "d"),
        (400, {"error": {"code": "900252", "message": "m"}}, "900252", "m"),
        (400, {"code": "", "description": None, "title": "One or more errors"}, "", "One or more errors"),
        (404, {"code": 20000, "description": "a\x00b\x1b[31m\u202ec"}, "20000", "a b [31m c"),
        (404, {"statusCode": 404, "message": "Resource not found"}, "", "Resource not found"),
        (409, {"code": "800014"}, "800014", ""),
        (413, {"statusCode": 413, "message": "Too large"}, "", "Too large"),
        (200, {"code": "400072", "description": "not available"}, "400072", "not available"),
        (400, {"code": "x" * 5000, "description": "d" * 5000}, "x" * 64, "d" * 1024),
    ],
)
def test_a_refusal_tells_what_partner_center_said(
    world: Make, status: int, body: Any, code: str, description: str
) -> None:
    w = world(answer(status, body, IDS_OF_REPLY))

    error = failing(RefusedError, w.create)

    assert (error.status, error.code, error.description) == (status, code, description)
    assert error.ids.server_id == "s1"
    assert error.advice.remedy
    assert w.server.connections == 1


@pytest.mark.parametrize(
    ("status", "body", "description"),
    [
        (403, b"", ""),
        (403, b"<html>blocked</html>", ""),
        (403, b"Forbidden\r\nby gateway", "Forbidden by gateway"),
        (400, b"\xff\xfe\x00", "\ufffd\ufffd"),
        (400, {"code": True, "description": ["x"]}, ""),
        (400, {"code": {"a": 1}, "title": "One or more errors"}, "One or more errors"),
        (302, b"", ""),
    ],
)
def test_a_refused_read_tells_what_was_said_in_whatever_shape(
    world: Make, status: int, body: Any, description: str
) -> None:
    w = world(answer(status, body, {**IDS_OF_REPLY, "Location": "http://127.0.0.1:9/elsewhere"}))

    error = failing(RefusedError, w.get)

    assert (error.status, error.code, error.description) == (status, "", description)
    assert error.ids.server_id == "s1"
    assert w.server.connections == 1


def test_a_refused_read_whose_body_broke_off_is_still_refused(world: Make) -> None:
    data = reply(400, b'{"code": "900252", "desc', {"Content-Length": "4000"})

    assert failing(RefusedError, world(raw(data)).get).status == 400


def test_a_refusal_that_repeats_our_token_does_not_pass_it_on(world: Make) -> None:
    said = {"code": "TOKEN-1-of-app", "description": "x" * 1020 + " TOKEN-1-of-app"}

    error = failing(RefusedError, world(answer(400, said)).create)

    assert error.code == "[token]"


@pytest.mark.parametrize(
    ("body", "challenge", "code", "description"),
    [
        (b"", 'Bearer error="invalid_token"', "", "invalid_token"),
        (b"", 'Bearer realm="x", error="a", error_description="MFA needed"', "", "a: MFA needed"),
        ({"code": 900421, "description": "MFA"}, "", "900421", "MFA"),
    ],
)
def test_a_refused_token_is_told_to_its_source_and_the_caller_repeats(
    world: Make, body: Any, challenge: str, code: str, description: str
) -> None:
    w = world(answer(401, body, {"WWW-Authenticate": challenge}), answer(201, ORDER))

    error = failing(TokenRejectedError, w.create)

    assert (error.code, error.description) == (code, description)
    assert w.tokens.rejected == [(Mode.APP, "TOKEN-1-of-app")]
    assert len(w.server.requests) == 1
    assert w.create().status == 201
    assert w.server.requests[1].headers["authorization"] == "Bearer TOKEN-2-of-app"


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "57"}, b"", 57),
        ({"Retry-After": " 0 "}, b"", 1),
        ({"Retry-After": "1.5"}, b"", 1.5),
        ({"Retry-After": "99999"}, b"", 3600),
        ({"Retry-After": "9" * 5000}, b"", 3600),
        ({"Retry-After": "-" + "9" * 5000}, b"", 1),
        ({"Retry-After": "1e400"}, b"", 3600),
        ({"Retry-After": "-5"}, b"", 1),
        ({"Retry-After": "nan"}, b"", 30),
        ({"Retry-After": "soon"}, b"", 30),
        ({"Retry-After": "Wed, 18 Nov 2026 10:01:30 GMT", "Date": "Wed, 18 Nov 2026 10:00:00 GMT"}, b"", 90),
        ({"Retry-After": "Wed, 18 Nov 2026 10:01:30 GMT", "Date": "some day"}, b"", None),
        ({"Retry-After": "Wed, 18 Nov 2020 10:00:00 GMT"}, b"", 1),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, b"", 3600),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 -2359"}, b"", 30),
        ({"Retry-After": "Fri, 31 Dec 99999 23:59:59 GMT"}, b"", 30),
        ({}, {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds."}, 57),
        ({}, {"statusCode": 429, "message": f"Try again in {'9' * 900} seconds."}, 3600),
        ({}, {"statusCode": 429, "message": "Rate limit is exceeded."}, 30),
    ],
)
def test_throttling_says_how_long_to_wait(
    world: Make, headers: dict[str, str], body: Any, seconds: float | None
) -> None:
    error = failing(ThrottledError, world(answer(429, body, headers)).create)

    assert error.retry_after == seconds or (seconds is None and 1 <= error.retry_after <= 3600)
    assert error.advice.retryable


@given(st.one_of(st.text(), st.from_regex(DATE_LIKE)), st.text())
def test_no_time_to_wait_is_too_odd(value: str, date: str) -> None:
    assert 1 <= seconds_to_wait({"retry-after": value, "date": date}, value) <= 3600
