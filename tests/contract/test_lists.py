"""Lists: what is read of them, when they are complete, where further pages are looked for and where not."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import Deadline
from shared.core.errors import NotAppliedError, RefusedError, ThrottledError, TokenRejectedError
from shared.partner_center.listing import read_page
from shared.partner_center.wire import Listing
from tests.contract.scripted_server import (
    Connection,
    Script,
    answer,
    close_after_request,
    hang,
    raw,
    reply,
)
from tests.contract.world import CUSTOMER, IDS, IDS_OF_REPLY, LISTS, Make, World, failing, soon

DATE = {"Date": "Wed, 18 Nov 2026 10:00:00 GMT"}
PATH = f"/v1/customers/{CUSTOMER}/orders"


def orders(w: World) -> Listing:
    return w.client.list_orders(CUSTOMER, IDS, soon())


def link(uri: object, *headers: tuple[str, object], **more: object) -> dict[str, object]:
    """The member `links` of a page, as documented."""
    listed = [{"key": name, "value": value} for name, value in headers]
    return {
        "links": {"self": {"uri": "/x"}, "next": {"uri": uri, "method": "GET", "headers": listed, **more}}
    }


def page(*ids: str, total: object = None, **more: object) -> dict[str, object]:
    told = {} if total is None else {"totalCount": total}
    return {**told, "items": [{"id": i} for i in ids], **more}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_on_the_wire(world: Make, name: str) -> None:
    read, target, body = LISTS[name]
    w = world(answer(200, body, {**DATE, **IDS_OF_REPLY}))

    got = read(w)

    assert isinstance(body, dict)
    assert list(got.items) == body["items"]
    assert (got.count, got.complete, got.unreadable) == (1, True, 0)
    assert got.date == datetime(2026, 11, 18, 10, tzinfo=UTC)
    assert (got.ids.request_id, got.ids.server_id) == ("req-of-server", "s1")
    request = w.server.requests[0]
    assert (request.method, request.target, request.body) == ("GET", "/v1" + target, b"")
    assert request.headers["ms-requestid"] == IDS.request_id


COMPLETE: list[tuple[str, object, bool]] = [
    ("the total is there", {"totalCount": 2, "items": [{}, {}]}, True),
    ("no item, and said so", {"totalCount": 0, "items": []}, True),
    ("no items at all, and said so", {"totalCount": 0, "items": None}, True),
    ("the total comes last", {"items": [{}, {}], "totalCount": 2}, True),
    ("in capitals", {"TotalCount": 2, "Items": [{}, {}]}, True),
    ("in small letters", {"totalcount": 2, "ITEMS": [{}, {}]}, True),
    ("as digits", {"totalCount": "2", "items": [{}, {}]}, True),
    ("more than told", {"totalCount": 1, "items": [{}, {}]}, True),
    ("entries that are no objects count", {"totalCount": 3, "items": [{}, None, "x"]}, True),
    ("links of other kinds", {"totalCount": 0, "items": [], "links": {"self": {"uri": "/x"}}}, True),
    (
        "markers that say no",
        {"totalCount": 0, "items": [], "hasMore": False, "continuationToken": None},
        True,
    ),
    (
        "markers that say nothing",
        {"totalCount": 0, "items": [], "nextLink": "", "links": {"next": None}},
        True,
    ),
    ("fewer than told", {"totalCount": 3, "items": [{}, {}]}, False),
    ("no total", {"items": [{}]}, False),
    ("no total and nothing there", {"items": []}, False),
    ("a total that is no number", {"totalCount": "many", "items": []}, False),
    ("a total that is true", {"totalCount": True, "items": [{}]}, False),
    ("a total with a fraction", {"totalCount": 1.5, "items": [{}]}, False),
    ("a total below nothing", {"totalCount": -1, "items": [{}]}, False),
    ("a total that is null", {"totalCount": None, "items": [{}]}, False),
]


@pytest.mark.parametrize(("body", "complete"), [case[1:] for case in COMPLETE], ids=[c[0] for c in COMPLETE])
def test_a_list_is_complete_only_when_it_says_so(world: Make, body: object, complete: bool) -> None:
    for name in LISTS:
        got = LISTS[name][0](world(answer(200, body)))
        assert got.complete is complete


def test_what_is_no_object_is_counted_and_not_kept(world: Make) -> None:
    body = {"totalCount": 6, "items": [{"id": "1"}, None, 1, "x", ["y"], {"id": "2"}]}

    got = orders(world(answer(200, body)))

    assert [item["id"] for item in got.items] == ["1", "2"]
    assert (got.count, got.unreadable) == (6, 4)


def test_only_what_is_wanted_is_kept(world: Make) -> None:
    body = page("1", "2", "3", total=3)

    got = world(answer(200, body)).client.list_orders(CUSTOMER, IDS, soon(), lambda item: item["id"] == "2")

    assert [item["id"] for item in got.items] == ["2"]
    assert (got.count, got.complete) == (3, True)


def test_a_fault_of_the_one_who_chooses_is_not_taken_for_one_of_the_list(world: Make) -> None:
    w = world(answer(200, page("1", total=1)))

    with pytest.raises(KeyError):
        w.client.list_orders(CUSTOMER, IDS, soon(), lambda item: bool(item["lacking"]))

    assert w.server.connections == 1


MARKERS: list[tuple[str, dict[str, object], dict[str, str]]] = [
    ("nextLink", {"nextLink": "/v1/customers?skip=1"}, {}),
    ("odata", {"@odata.nextLink": "https://127.0.0.1/v1/customers"}, {}),
    ("skipToken", {"$skipToken": "x"}, {}),
    ("SKIP_TOKEN", {"SKIP_TOKEN": "x"}, {}),
    ("next", {"next": "/v1/customers"}, {}),
    ("Next-Page", {"Next-Page": 2}, {}),
    ("nextPage", {"nextPage": {"uri": "/v1/customers"}}, {}),
    ("hasMore", {"hasMore": True}, {}),
    ("has_more_items", {"has_more_items": "true"}, {}),
    ("a link without uri", {"links": {"next": {"method": "GET"}}}, {}),
    ("an empty link", {"links": {"next": {}}}, {}),
    ("a link that is text", {"links": {"Next": "/v1/customers"}}, {}),
    ("links of another kind", {"_links": [{"rel": "next", "href": "/v1/customers"}]}, {}),
    ("links twice", {"links": {"self": {}}, "_links": {"next": {}}}, {}),
    ("a link with another method", link("/customers", method="POST"), {}),
    ("a token that is no text", {"continuationToken": {"a": 1}}, {}),
    ("a token that no header can hold", {"continuationToken": "a\r\nX-Evil: 1"}, {}),
    ("a token that is not of ASCII", {"continuationToken": "\u00e4"}, {}),
    ("a header of storage", {}, {"x-ms-continuation": "x"}),
    ("another header", {}, {"X-MS-Continuation-Token": "x"}),
    ("a Link header", {}, {"Link": '</a>; rel="prev", </b>; rel="next"'}),
    ("a Link header without quotes", {}, {"link": "</b>; REL=next"}),
    ("a link with a header that is none of theirs", link("/customers", ("Host", "evil.example")), {}),
    ("a link with a header that breaks the line", link("/customers", ("MS-X", "a\r\nX-Evil: 1")), {}),
    ("a link with a header that is no text", link("/customers", ("MS-X", 1)), {}),
    ("a link with headers that are no list", {"links": {"next": {"uri": "/customers", "headers": "x"}}}, {}),
    *[
        (f"a link to {uri}", link(uri), {})
        for uri in (
            "https://evil.example/v1/customers",
            "http://127.0.0.1:1/v1/customers",
            "//evil.example/v1/customers",
            "/\\evil.example/v1",
            "{base}.evil.example/v1/customers",
            "{base}@evil.example/v1/customers",
            "/v1/../admin",
            "/v1/%2e%2e/admin",
            "../admin",
            "/customers/x y",
            "/customers\r\nX-Evil: 1",
            "/customers?a=b c",
            "/customers?a=\u00e4",
            "/customers#x",
            "",
            7,
            None,
        )
    ],
]


@pytest.mark.parametrize(("more", "headers"), [m[1:] for m in MARKERS], ids=[m[0] for m in MARKERS])
def test_a_marker_that_leads_nowhere_safe_is_believed_and_not_followed(
    world: Make, more: dict[str, Any], headers: dict[str, str]
) -> None:
    script: list[Script] = []
    w = world(lambda connection: script[0](connection))
    body = json.dumps(page("1", total=1, **more)).replace("{base}", w.server.url)
    script.append(answer(200, body.encode(), headers))

    got = orders(w)

    assert (got.complete, got.count, w.server.connections) == (False, 1, 1)


TOKEN = "a,B/c+d=="
WAYS: list[tuple[str, dict[str, object], dict[str, str], str, str | None]] = [
    ("a link", link("/customers/c/orders?seekOperation=Next", ("MS-ContinuationToken", TOKEN)), {},
     "/v1/customers/c/orders?seekOperation=Next", TOKEN),
    ("a link without headers", link("/customers?size=2&p=2"), {}, "/v1/customers?size=2&p=2", None),
    ("a link with the root", link("/v1/customers?p=2"), {}, "/v1/customers?p=2", None),
    ("a link without slash", link("customers?p=2"), {}, "/v1/customers?p=2", None),
    ("a link to our own server", link("{base}/v1/customers?p=2"), {}, "/v1/customers?p=2", None),
    ("a link in capitals", {"Links": {"Next": {"Uri": "/customers", "Headers": [
        {"Key": "ms-continuationtoken", "Value": TOKEN}]}}}, {}, "/v1/customers", TOKEN),
    ("a token", {"continuationToken": TOKEN}, {}, PATH, TOKEN),
    ("a token in another spelling", {"Continuation_Token": TOKEN}, {}, PATH, TOKEN),
    ("a token in a header", {}, {"MS-ContinuationToken": TOKEN}, PATH, TOKEN),
    ("a link and a token", {**link("/customers?p=2"), "continuationToken": TOKEN}, {},
     "/v1/customers?p=2", TOKEN),
    ("a link with headers that are ours", link("/customers", ("MS-RequestId", "theirs"), ("ms-x", "1")), {},
     "/v1/customers", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "headers", "target", "token"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS]
)
def test_the_next_page_is_read_in_the_documented_ways(
    world: Make, more: dict[str, Any], headers: dict[str, str], target: str, token: str | None
) -> None:
    script: list[Script] = []
    w = world(lambda c: script[0](c), answer(200, page("2", "3", total=3), {**DATE, "MS-CV": "of the last"}))
    body = json.dumps(page("1", total=1, **more)).replace("{base}", w.server.url)
    script.append(answer(200, body.encode(), headers))

    got = orders(w)

    assert [item["id"] for item in got.items] == ["1", "2", "3"]
    assert (got.complete, got.count, got.ids.cv) == (True, 3, "of the last")
    assert got.date is not None
    first, second = w.server.requests
    assert (second.method, second.target, second.headers.get("ms-continuationtoken")) == (
        "GET",
        target,
        token,
    )
    assert second.headers["ms-requestid"] not in ("theirs", first.headers["ms-requestid"])
    assert second.headers["ms-correlationid"] == IDS.correlation_id
    assert second.headers["authorization"] == "Bearer TOKEN-1-of-app"


def test_the_greatest_total_of_all_pages_must_be_reached(world: Make) -> None:
    first = answer(200, page("1", total=3, continuationToken="a"))

    assert orders(world(first, answer(200, page("2", "3", total=2)))).complete
    assert not orders(world(first, answer(200, page("2", total=1)))).complete
    assert not orders(world(first, answer(200, page("2", "3")))).complete


def test_an_empty_page_in_the_middle_is_no_end(world: Make) -> None:
    w = world(
        answer(200, page("1", total=2, continuationToken="a")),
        answer(200, page(continuationToken="b")),
        answer(200, page("2", total=2)),
    )

    assert (orders(w).count, w.server.connections) == (2, 3)


def test_pages_that_lead_in_a_circle_end_incomplete(world: Make) -> None:
    a, b = (answer(200, page("1", total=1, continuationToken=token)) for token in "ab")
    w = world(a, b, a, b)

    got = orders(w)

    assert (got.complete, w.server.connections) == (False, 3)
    w = world(answer(200, page("1", total=1, **link(PATH))))
    assert not orders(w).complete
    assert w.server.connections == 1


def test_pages_without_end_end_incomplete(world: Make) -> None:
    def endless(connection: Connection) -> None:
        number = 0
        while connection.read_request():
            number += 1
            connection.send(reply(200, page("1", total=1, continuationToken=str(number))))

    w = world(endless)

    got = w.client.list_orders(CUSTOMER, IDS, Deadline.after(60), lambda item: False)

    assert (got.complete, got.count, len(w.server.requests)) == (False, 2000, 2000)


def test_a_page_is_read_again_when_no_answer_came_and_counts_once(world: Make) -> None:
    half = reply(200, page("2", "3", total=3), {"Connection": "close"})[:-5]
    w = world(
        answer(200, page("1", total=3, continuationToken="a")),
        close_after_request,
        raw(half),
        answer(200, page("2", "3", total=3)),
    )

    got = orders(w)

    assert [item["id"] for item in got.items] == ["1", "2", "3"]
    assert (got.count, got.complete) == (3, True)
    assert w.slept == [0.5, 1.5]
    again = [request.headers["ms-requestid"] for request in w.server.requests[1:]]
    assert len(set(again)) == 1


def test_a_page_is_replayed_with_a_new_token(world: Make) -> None:
    w = world(
        answer(401),
        answer(200, page("1", total=2, continuationToken="a")),
        answer(401),
        answer(200, page("2", total=2)),
    )

    assert orders(w).complete
    assert w.server.requests[3].headers["authorization"] == "Bearer TOKEN-3-of-app"
    failing(TokenRejectedError, lambda: orders(world(answer(401))))


def test_a_list_is_refused_by_its_first_page(world: Make) -> None:
    assert failing(RefusedError, lambda: orders(world(answer(404, {"code": 20000})))).code == "20000"
    assert failing(RefusedError, lambda: orders(world(answer(200, {"code": "400072"})))).code == "400072"
    assert failing(ThrottledError, lambda: orders(world(answer(429)))).retry_after == 30


def test_a_further_page_that_is_refused_leaves_the_list_incomplete(world: Make) -> None:
    first = answer(200, page("1", total=1, continuationToken="a"))

    got = orders(world(first, answer(404, {"code": 20000})))
    assert (got.complete, got.count) == (False, 1)
    failing(ThrottledError, lambda: orders(world(first, answer(429))))
    failing(RefusedError, lambda: orders(world(first, answer(503))))
    failing(NotAppliedError, lambda: orders(world(first, answer(200, {"totalCount": 0}))))


UNREADABLE: dict[str, object] = {
    "nothing": b"",
    "one byte": b"{",
    "no JSON": b"<html></html>",
    "half": b'{"totalCount": 1, "items": [{"id": 1}',
    "no object": [{"id": 1}],
    "text": b'"items"',
    "no items": {"totalCount": 0},
    "items that are no list": {"totalCount": 0, "items": {}},
    "null, and no total": {"items": None},
    "null, and a total": {"totalCount": 1, "items": None},
    "two lists": b'{"totalCount": 0, "items": [], "items": []}',
    "two lists in two spellings": b'{"totalCount": 0, "items": [], "Items": []}',
    "two totals": b'{"totalCount": 0, "TotalCount": 1, "items": []}',
    "an item with two members of one name": b'{"totalCount": 1, "items": [{"a": {"id": 1, "id": 2}}]}',
    "deep": b'{"totalCount": 1, "items": [{"a": ' + b"[" * 40 + b"]" * 40 + b"}]}",
    "very deep": b'{"totalCount": 1, "items": [{"a": ' + b"[" * 500_000,
    "deep elsewhere": b'{"totalCount": 0, "a": ' + b"[" * 40 + b"]" * 40 + b', "items": []}',
    "NaN": b'{"totalCount": 1, "items": [{"a": NaN}]}',
    "a number of 5,000 digits": b'{"totalCount": 1, "items": [{"a": ' + b"9" * 5000 + b"}]}",
    "an exponent of 20 digits": b'{"totalCount": 1, "items": [{"a": 1e' + b"9" * 20 + b"}]}",
    "no UTF-8": b'{"totalCount": 1, "items": [{"a": "\xff"}]}',
    "UTF-16": json.dumps({"totalCount": 0, "items": []}).encode("utf-16"),
    "something after it": b'{"totalCount": 0, "items": []} {}',
    "a comment": b'{"totalCount": 0, /* */ "items": []}',
    "an item of 3 MiB": {"totalCount": 1, "items": [{"a": "x" * 3 * 1024 * 1024}]},
    "an item of 3 MiB in small pieces": {"totalCount": 1, "items": [{"a": ["x"] * 800_000}]},
    "3 MiB of blanks": b'{"totalCount": 0, "items": []}' + b" " * 3 * 1024 * 1024,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_list_that_cannot_be_read_is_no_answer(world: Make, body: object) -> None:
    w = world(answer(200, body))

    error = failing(NotAppliedError, lambda: orders(w))

    assert "id" not in str(error).split()
    assert w.server.connections == 3


def test_what_is_odd_and_can_be_read_is_read(world: Make) -> None:
    item = (
        b'{"price": 0.10000000000000000001, "n": 1e400, "deep": '
        + b"[" * 30
        + b"]" * 30
        + b', "s": "\\ud800"}'
    )
    body = b'\xef\xbb\xbf {"items": [' + item + b'], "attributes": {"a": [1, {}]}, "TotalCount": "1"}\r\n'

    got = orders(world(answer(200, body)))

    assert got.complete
    assert got.items[0]["price"] == Decimal("0.10000000000000000001")
    assert got.items[0]["n"] == Decimal("1e400")


@pytest.mark.parametrize("data", [b"", b"x" * 10])
def test_a_list_that_broke_off_is_no_answer(world: Make, data: bytes) -> None:
    whole = json.dumps(page("1", total=1)).encode()

    failing(NotAppliedError, lambda: orders(world(raw(reply(200, whole, {"Content-Length": "4000"}) + data))))
    failing(NotAppliedError, lambda: world(hang).client.list_orders(CUSTOMER, IDS, Deadline.after(0.3)))


def test_the_date_of_the_reply_may_be_unreadable(world: Make) -> None:
    assert orders(world(answer(200, page(total=0), {"Date": "some day"}))).date is None
    assert orders(world(answer(200, page(total=0)))).date is None


def streamed(pieces: Iterator[bytes]) -> Script:
    """Answer with these pieces as chunks."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for piece in pieces:
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")

    return script


def test_a_long_list_is_read_in_little_memory(world: Make) -> None:
    block = b",".join(b'{"id": "%d", "pad": "%b"}' % (n, b"x" * 1000) for n in range(64))
    blocks = 400

    def pieces() -> Iterator[bytes]:
        yield b'{"totalCount": %d, "items": [{"id": "first"}' % (64 * blocks + 1)
        for _ in range(blocks):
            yield b"," + block
        yield b"]}"

    def keep(item: Mapping[str, Any]) -> bool:
        return bool(item["id"] in ("first", "63"))

    w = world(streamed(pieces()))
    tracemalloc.start()
    try:
        got = w.client.list_orders(CUSTOMER, IDS, Deadline.after(60), keep)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (got.count, len(got.items), got.complete) == (64 * blocks + 1, blocks + 1, True)
    assert len(block) * blocks > 25_000_000
    assert peak < 6_000_000


def test_a_list_of_attachments_beyond_8_mib_is_incomplete(world: Make) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"totalCount": 1, "items": [{"attachmentId": "1"}'
        for _ in range(40):
            yield b', {"pad": "' + b"x" * 500_000 + b'"}'
        yield b"]}"

    got = LISTS["attachments"][0](world(streamed(pieces())))

    assert not got.complete
    assert 1 < got.count < 20
    assert LISTS["orders"][0](world(streamed(pieces()))).complete


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def in_pieces(content: bytes, sizes: list[int]) -> Iterator[bytes]:
    while content:
        size = sizes.pop() if sizes else len(content)
        yield content[:size]
        content = content[size:]


@given(st.lists(VALUES, max_size=5), st.lists(st.integers(1, 9), max_size=50), st.booleans())
def test_a_page_is_read_however_it_is_cut_into_pieces(values: list[Any], sizes: list[int], bom: bool) -> None:
    written = ",".join(json.dumps(value) for value in values)
    content = (b"\xef\xbb\xbf" if bom else b"") + b'{"items": [' + written.encode() + b'], "totalCount": 0}'
    expected = [value for value in json.loads(f"[{written}]", parse_float=Decimal) if isinstance(value, dict)]

    got = read_page(in_pieces(content, sizes), lambda item: True, 1_000_000)

    assert got.items == expected
    assert (got.count, got.unreadable) == (len(values), len(values) - len(expected))
    assert (got.members, got.size, got.cut) == ({"totalcount": 0}, len(content), False)


@given(st.lists(VALUES, max_size=3), st.integers(0), st.integers(0), st.binary(max_size=3))
def test_a_page_that_was_spoilt_is_a_page_or_unreadable(
    values: list[Any], start: int, length: int, instead: bytes
) -> None:
    content = json.dumps({"totalCount": 1, "items": values}).encode()
    start %= len(content)
    spoilt = content[:start] + instead + content[start + length % 5 :]

    with contextlib.suppress(NotAppliedError):
        assert read_page(in_pieces(spoilt, [7] * 50), lambda item: True, 1_000_000).size == len(spoilt)


def test_nobody_who_lists_nothing_pays_for_the_parser() -> None:
    code = "import sys, shared.partner_center.client; sys.exit('ijson' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
