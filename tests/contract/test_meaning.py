"""What an answer to a request that changes something means, as a table: accepted, refused or unknown.

Every row holds for an order and for an attachment, sent for the first time and sent again after a silence:
(statuses, answers, outcome of the first sending, outcome of the second). The answers are whole; how they come
in over a socket, or do not, is the matter of test_outcomes.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from shared.core.errors import (
    NotAppliedError,
    OutcomeUnknownError,
    PartnerCenterError,
    RefusedError,
    ThrottledError,
    TokenRejectedError,
)
from shared.partner_center.reply import interpret
from shared.partner_center.wire import Call, RawResponse
from tests.contract.scripted_server import answer
from tests.contract.world import ATTACHED, IDS, ORDER, Make, failing

ACCEPTED, REFUSED, UNKNOWN = "accepted", "refused", "unknown"


Response = Callable[[int], RawResponse]
Answers = Mapping[str, Response]


def said(body: object, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda status: RawResponse(status, headers, content)


def coded(code: object, **more: object) -> Response:
    return said({"code": code, "description": "d", "source": "PartnerFD", **more})


def gateway(status: int) -> RawResponse:
    return said({"statusCode": status, "message": "m"})(status)


def broken_off(status: int) -> RawResponse:
    return RawResponse(status, {}, b'{"code": "900252", "description": "d"}', whole=False)


RESULT: Answers = {
    "the result": said({**ORDER, **ATTACHED}),
    "the result and a code": said({**ORDER, **ATTACHED, "code": "800060"}),
    "the result after a BOM": said(b'\xef\xbb\xbf{"id": "1", "items": []}'),
}
DOCUMENTED: Answers = {
    "a code that nobody knows": coded("4711"),
    "a code as a number": coded(4711),
    "a code in capitals": said({"Code": "4711", "Description": "d"}),
    "a code that is a word": coded("InvalidRequest"),
    "a code that is empty": coded(""),
    "a code after a BOM": said(b'\xef\xbb\xbf{"code": 1}'),
    "the gateway's": gateway,
}
UNDOCUMENTED: Answers = {
    "html": said(b"<html>blocked</html>"),
    "text": said(b"Forbidden\r\nby gateway"),
    "half of it": said(b'{"code": "900252"'),
    "broken off": broken_off,
    "no JSON object": said([{"code": "4711"}]),
    "an empty object": said({}),
    "a code that is null": coded(None),
    "a code that is true": coded(True),
    "a code that is an object": coded({"a": 1}),
    "a problem": said({"title": "One or more errors", "status": 400}),
    "a code of another shape": said({"error": {"code": "BadRequest", "message": "m"}}),
    "the gateway's of another status": said({"statusCode": 599, "message": "m"}),
    "the gateway's without a message": said({"statusCode": 400}),
}
EMPTY: Answers = {"nothing": said(b""), "blanks": said(b" \r\n")}
CHALLENGE: Answers = {"a challenge": said(b"<html/>", **{"www-authenticate": 'Bearer error="invalid_token"'})}
WAIT: Answers = {"a time to wait": said(b"<html/>", **{"retry-after": "5"})}
SILENT: Answers = {"a code that does not tell": coded("800060"), "another": coded("800005")}
ANYTHING: Answers = {**DOCUMENTED, **UNDOCUMENTED, **EMPTY, **CHALLENGE, **WAIT, **SILENT}

REFUSING = (400, 401, 403, 404, 413, 429)
OTHER_4XX = (
    402,
    405,
    406,
    407,
    409,
    410,
    411,
    412,
    414,
    415,
    416,
    417,
    418,
    421,
    422,
    423,
    424,
    426,
    451,
    499,
)

CREATE, READ = Call("POST", "/", "id", writes=True), Call("GET", "/", "id")

RULES: list[tuple[tuple[int, ...], Answers, str, str]] = [
    # a success is a success with its result
    ((200, 201, 202, 203), RESULT, ACCEPTED, ACCEPTED),
    ((200, 201, 202, 206), ANYTHING, UNKNOWN, UNKNOWN),
    ((204, 205), EMPTY, UNKNOWN, UNKNOWN),
    # what the table of codes lists
    ((200,), {"400072": coded("400072")}, REFUSED, REFUSED),
    (
        (400,),
        {"900252": coded("900252"), "elsewhere": said({"error": {"code": 900252}})},
        REFUSED,
        REFUSED,
    ),
    ((403,), {"2030": coded("2030")}, REFUSED, REFUSED),
    ((409,), {"800014": coded("800014"), "900112": coded("900112")}, REFUSED, UNKNOWN),
    ((417,), {"800036": coded("800036")}, REFUSED, REFUSED),
    ((201, 404, 409, 417), SILENT, UNKNOWN, UNKNOWN),
    ((408,), {"900225": coded("900225")}, UNKNOWN, UNKNOWN),
    ((500,), {"800003": coded("800003"), "900192": coded("900192")}, UNKNOWN, UNKNOWN),
    ((501,), {"0": coded(0)}, UNKNOWN, UNKNOWN),
    # statuses that refuse, in a shape that is documented
    (REFUSING, DOCUMENTED, REFUSED, REFUSED),
    (REFUSING, {**UNDOCUMENTED, **SILENT}, UNKNOWN, UNKNOWN),
    ((400, 403, 404, 413, 429), {**EMPTY, **CHALLENGE}, UNKNOWN, UNKNOWN),
    ((400, 401, 403, 404, 413), WAIT, UNKNOWN, UNKNOWN),
    ((401,), {**EMPTY, **CHALLENGE}, REFUSED, REFUSED),
    ((429,), WAIT, REFUSED, REFUSED),
    # everything else
    (OTHER_4XX, DOCUMENTED, UNKNOWN, UNKNOWN),
    ((405, 409), ANYTHING, UNKNOWN, UNKNOWN),
    ((300, 301, 302, 303, 304, 307, 308), ANYTHING, UNKNOWN, UNKNOWN),
    ((408, 500, 501, 502, 503, 504, 507, 599, 600, 999), ANYTHING, UNKNOWN, UNKNOWN),
    ((102, 103, 199), {**EMPTY, **RESULT, **DOCUMENTED}, UNKNOWN, UNKNOWN),
]


@pytest.mark.parametrize(
    ("raw", "first", "again"),
    [
        pytest.param(response(status), first, again, id=f"{status} {name}")
        for statuses, answers, first, again in RULES
        for status in statuses
        for name, response in answers.items()
    ],
)
def test_an_answer_means_what_the_table_says(raw: RawResponse, first: str, again: str) -> None:
    for member in ("id", "items"):
        call = Call("POST", "/", member, writes=True)
        assert outcome(lambda call=call: interpret(call, raw, IDS)) == first  # type: ignore[misc]
        resent = replace(call, resent=True)
        assert outcome(lambda call=resent: interpret(call, raw, IDS)) == again  # type: ignore[misc]


def outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except RefusedError:
        return REFUSED
    except OutcomeUnknownError:
        return UNKNOWN
    return ACCEPTED


def test_a_conflict_of_what_is_sent_again_may_be_with_its_own_first_sending(world: Make) -> None:
    w = world(answer(409, {"code": "800014"}))

    assert (outcome(w.create), outcome(w.attach)) == (REFUSED, REFUSED)
    assert outcome(lambda: w.create(resent=True)) == UNKNOWN
    assert outcome(lambda: w.attach(resent=True)) == UNKNOWN


@pytest.mark.parametrize(
    ("raw", "from_service"),
    [
        (coded("4711")(403), True),
        (coded(0)(400), True),
        (coded("800014")(409), True),
        (coded("400072")(200), True),
        (coded("")(403), False),
        (gateway(403), False),
        (said({"error": {"code": 900252}})(400), False),
        (coded("900421")(401), False),
        (said(b"", **{"www-authenticate": "Bearer"})(401), False),
        (coded("4711")(429), False),
    ],
)
def test_a_refusal_says_whether_only_the_service_gives_it(raw: RawResponse, from_service: bool) -> None:
    with pytest.raises(RefusedError) as caught:
        interpret(CREATE, raw, IDS)

    assert caught.value.from_service is from_service


def test_a_customer_who_is_throttled_here_has_no_answer_of_the_service(world: Make) -> None:
    w = world(answer(429, {"statusCode": 429, "message": "m"}))
    failing(ThrottledError, w.create)

    assert not failing(ThrottledError, w.create).from_service
    assert w.server.connections == 1


@pytest.mark.parametrize(
    ("raw", "signature", "told"),
    [
        (coded("800060")(409), "409/800060", " d"),
        (coded(7, description="a\x00b")(500), "500/7", " a b"),
        (said(b"<html>SECRET</html>")(403), "403/", "carried out."),
        (said(b"Service\nUnavailable")(503), "503/", " Service Unavailable"),
        (said(b"")(302), "302/", "carried out."),
        (said(b" " * 4000 + b"late")(500), "500/", " late"),
        (broken_off(201), "201/900252", " d"),
    ],
)
def test_an_unknown_outcome_tells_what_the_answer_was(raw: RawResponse, signature: str, told: str) -> None:
    error = failing(OutcomeUnknownError, lambda: interpret(CREATE, raw, IDS))

    assert error.answer == signature == f"{error.status}/{error.code}"
    assert str(error).endswith(told)


NOTHING_READABLE = {**UNDOCUMENTED, **DOCUMENTED, **EMPTY, **SILENT}
READ_RULES: list[tuple[tuple[int, ...], Answers, type[PartnerCenterError] | None]] = [
    ((400, 403, 404, 405, 409, 413, 500, 503), {**UNDOCUMENTED, **DOCUMENTED, **EMPTY}, RefusedError),
    ((302, 304), EMPTY, RefusedError),
    ((401,), {**EMPTY, **UNDOCUMENTED, **DOCUMENTED}, TokenRejectedError),
    ((429,), {**EMPTY, **UNDOCUMENTED, **DOCUMENTED}, ThrottledError),
    ((200,), {"400072": coded("400072")}, RefusedError),
    ((200,), RESULT, None),
    ((200,), NOTHING_READABLE, NotAppliedError),
    ((102, 103, 201, 202, 203, 204, 206), {**NOTHING_READABLE, **RESULT}, NotAppliedError),
]
"""Rows for calls that read: (statuses, answers, error)."""


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        pytest.param(response(status), kind, id=f"{status} {name}")
        for statuses, answers, kind in READ_RULES
        for status in statuses
        for name, response in answers.items()
    ],
)
def test_an_answer_to_a_read_is_never_an_unknown_outcome(
    raw: RawResponse, kind: type[PartnerCenterError] | None
) -> None:
    if kind is None:
        assert interpret(READ, raw, IDS).body == raw.body
    else:
        failing(kind, lambda: interpret(READ, raw, IDS))
