"""Whatever Partner Center answers, down to the bytes: only our errors, and nothing that cannot be stored,
logged or sent on; the access token stands nowhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import azure.functions as func
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.response import HTTPResponse

from shared.clock import Deadline
from shared.core.errors import AppError, TokenRejectedError
from shared.core.ledger import Record, State, Submission
from shared.core.ledger_parts import RecordedAnswer
from shared.core.resources import Attachment, attachments_in, collection_text, id_of, read_order
from shared.core.strict_json import dumps
from shared.partner_center.listing import Page, read_page
from shared.partner_center.reply import interpret
from shared.partner_center.transport import OpenResponse
from shared.partner_center.wire import Answer, Call, order_path
from shared.services.operation import recorded_answer
from shared.web import problem, responses
from tests.contract.scripted_server import Connection, Script, answer, reply
from tests.contract.world import CUSTOMER, IDS, LISTS, ORDER, Make, failing

TOKEN = "TOKEN-1-of-app"
NOW = datetime(2026, 11, 28, tzinfo=UTC)
REQUEST = func.HttpRequest(method="POST", url="https://app.example/api/x", body=b"")
CALLS = {
    "create": Call("POST", order_path(CUSTOMER), "id", CUSTOMER, writes=True),
    "attach": Call(
        "POST", order_path(CUSTOMER, "o", "attachment"), "items", CUSTOMER, writes=True, resent=True
    ),
    "order": Call("GET", order_path(CUSTOMER, "o"), "id", CUSTOMER),
    "attachments": Call("GET", order_path(CUSTOMER, "o", "attachments"), "items", CUSTOMER),
    "resellers": Call("GET", "/v1/relationships", "items", entire=True),
}


def is_header(value: str) -> bool:
    return value.isascii() and value.isprintable() and len(value) <= 1100


def check_response(response: func.HttpResponse) -> None:
    for name, value in response.headers.items():
        assert is_header(name)
        assert is_header(value), (name, value[:200])
    assert TOKEN.encode() not in response.get_body()
    assert TOKEN not in str(dict(response.headers))


def submission(kept: RecordedAnswer, *ids: str) -> Submission:
    return Submission(
        digest="d",
        state=State.DONE,
        revision="r",
        request_id="q",
        correlation_id="c",
        created=NOW,
        changed=NOW,
        since=NOW,
        answer=kept,
        ids=ids,
    )


def stored(own: Submission) -> Submission:
    """The submission after a way through storage."""
    record = Record(v=2, kind="attachments", key="k", customer_id=CUSTOMER).put(own)
    return Record.load(record.dump()).submissions[own.digest]


def follow(result: object) -> None:
    """Take what a call gave to where it ends: the ledger, the receipt, the answer to the caller."""
    if isinstance(result, Answer):
        check_response(responses.forward(result))
        order = read_order(result.json())
        own = stored(submission(recorded_answer(result), *[order.id][: bool(order.id)]))
        headers = responses.location_of_order(REQUEST, CUSTOMER, own, "")
        check_response(responses.from_record(own, 201, headers))
    elif isinstance(result, Page):
        kept = [Attachment.documented(item) for item in result.items]
        body = collection_text(kept)
        json.loads(body, parse_constant=pytest.fail)
        own = stored(submission(RecordedAnswer(status=201, body=body), *map(id_of, result.items)))
        assert own.answer is not None
        assert len(attachments_in(own.answer.body)) == len(kept)
        check_response(responses.from_record(own, 201, {}))
        json.loads(dumps(list(result.items)), parse_constant=pytest.fail)


def interpreted(call: Call, response: OpenResponse) -> object:
    """What a call makes of a response; a list of many pages is read in the other way."""
    if call.member == "items" and not call.writes and not call.entire:
        return read_page(response.pieces(), lambda _: True, 1024 * 1024)
    return interpret(call, response.read(), IDS)


ODD = st.sampled_from(
    [TOKEN, "\ud800", "\ud83d", "ordér", "\x00", "a\r\nSet-Cookie: x", "x" * 5000, "", " ", "../..", "\u202e"]
)  # fmt: skip
TEXTS = st.one_of(ODD, st.text(max_size=20), st.sampled_from(["1", "active", "POAttachment"]))
NUMBERS = st.sampled_from([0, 1, -1, 10**400, Decimal("1E+400"), Decimal("0.1"), True, None])
NAMES = st.sampled_from(
    ["id", "Id", "status", "items", "totalCount", "code", "description", "error", "message", "links", "next",
     "lineItems", "creationDate", "attachmentId", "fileName", "sizeInKB", "attachmentType", "mpnId", "state",
     "validationResults", "isValidPartnerIdOnRecord", "errorCode", "errorDescription", TOKEN]
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(TEXTS, NUMBERS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=5)),
    max_leaves=12,
)
SUCCESSES = st.fixed_dictionaries(
    {"id": TEXTS, "status": TEXTS, "items": st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=3)},
    optional={"totalCount": st.one_of(st.integers(0, 3), VALUES), "links": VALUES, "code": VALUES},
)


def ascii_json(value: Any) -> bytes:
    """JSON in ASCII, so that it can hold a lone surrogate; decimals with their digits."""
    if isinstance(value, dict):
        members = (json.dumps(str(n)).encode() + b":" + ascii_json(v) for n, v in value.items())
        return b"{" + b",".join(members) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(ascii_json, value)) + b"]"
    return (
        str(value).encode()
        if isinstance(value, Decimal | int) and value is not True
        else json.dumps(value).encode()
    )


BODIES = st.one_of(
    SUCCESSES.map(ascii_json),
    VALUES.map(ascii_json),
    st.binary(max_size=60),
    st.sampled_from([b"[" * 5000, b'{"items":' * 3000, b'{"id": "' + b"\xff" * 10 + b'"}', TOKEN.encode()]),
)
HEADER_VALUES = st.one_of(
    st.sampled_from(
        [TOKEN, "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "1e400", "-1", "nan",
         "9" * 400]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f\x85"), max_size=30),
)  # fmt: skip
HEADERS = st.dictionaries(
    st.sampled_from(
        ["MS-RequestId", "MS-CorrelationId", "MS-CV", "MS-ServerId", "Retry-After", "Date", "Link",
         "WWW-Authenticate", "Content-Type", "MS-ContinuationToken"]
    ),
    HEADER_VALUES, max_size=4,
)  # fmt: skip
STATUSES = st.sampled_from([200, 201, 202, 204, 302, 400, 401, 403, 404, 409, 412, 429, 500, 503, 600])


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=300)
@given(status=STATUSES, headers=HEADERS, body=BODIES)
def test_any_answer_at_all(name: str, status: int, headers: dict[str, str], body: bytes) -> None:
    came = HTTPResponse(BytesIO(body), headers, status, preload_content=False)
    response = OpenResponse(came, TOKEN, Deadline.after(60))
    try:
        result = interpreted(CALLS[name], response)
    except AppError as error:
        check_response(problem.response(error, "c" * 36))
        return
    follow(result)


def in_pieces(data: bytes, size: int) -> Script:
    """Answer one request in pieces of `size` bytes, each a chunk of its own."""

    def script(connection: Connection) -> None:
        if connection.read_request():
            head = reply(200, b"", {"Transfer-Encoding": "chunked"}).replace(b"Content-Length: 0\r\n", b"")
            connection.send(head)
            for at in range(0, len(data), size):
                piece = data[at : at + size]
                connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            connection.send(b"0\r\n\r\n")

    return script


@pytest.mark.parametrize("size", [1, 3, len(TOKEN) - 1, len(TOKEN), 4096])
def test_a_token_that_an_answer_repeats_is_gone_wherever_it_breaks(world: Make, size: int) -> None:
    told = {**ORDER, "description": f"{TOKEN}{TOKEN}", "last": f"TOKEN-1-of-ap{TOKEN}"}
    w = world(in_pieces(json.dumps(told).encode(), size))

    got = w.get()

    assert json.loads(got.body)["last"] == "TOKEN-1-of-ap[token]"
    assert got.json()["description"] == "[token][token]"


@pytest.mark.parametrize("size", [1, 5, 4096])
def test_a_token_in_a_list_is_gone(world: Make, size: int) -> None:
    item = {"attachmentId": "a", "fileName": f"{TOKEN}.pdf"}
    w = world(in_pieces(json.dumps({"totalCount": 1, "items": [item]}).encode(), size))

    got = LISTS["attachments"][0](w)

    assert [dict(i) for i in got.items] == [{"attachmentId": "a", "fileName": "[token].pdf"}]


def test_a_token_in_the_headers_is_gone(world: Make) -> None:
    ids = {"MS-CV": TOKEN, "MS-RequestId": f"x{TOKEN}", "WWW-Authenticate": f'Bearer error="{TOKEN}"'}
    w = world(answer(401, b"", ids))

    error = failing(TokenRejectedError, w.create)

    assert problem.problem_of(error, "c")["partnerCenter"]["cv"] == "[token]"


def test_an_order_whose_id_cannot_stand_in_a_path_is_still_told(world: Make) -> None:
    w = world(answer(201, {"id": "ordér/\ud800", "status": "pending \ud800"}))

    got = w.create()

    own = stored(submission(recorded_answer(got), id_of(got.json())))
    assert own.ids == ("ordér/?",)
    assert responses.location_of_order(REQUEST, CUSTOMER, own, "") == {}
    told = responses.from_record(own, 201, {})
    assert told.status_code == 201
    assert json.loads(told.get_body())["id"] == "ordér/\ud800"


def test_digits_of_a_listed_order_stay_as_they_are() -> None:
    listed = {
        "id": "a",
        "price": Decimal("12345678901234567.891"),
        "odd": Decimal("1E+400"),
        "n": [1, True, None],
    }

    text = dumps(listed)

    assert text == '{"id":"a","price":12345678901234567.891,"odd":1E+400,"n":[1,true,null]}'
    assert json.loads(text, parse_float=Decimal) == listed
