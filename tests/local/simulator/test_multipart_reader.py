"""The grammar of a multipart body, and that its reader never holds more than a chunk."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.simulator.multipart_reader import (
    FIELD_LIMIT,
    HEADER_LIMIT,
    MalformedMultipartError,
    boundary_of,
    header_value,
    read_parts,
)
from tests.local.simulator.kit import part

KEEP = 1024
DISPOSITION = b'Content-Disposition: form-data; name="a"\r\n'


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return (data[start:end] for start, end in pairwise(edges))


@given(
    contents=st.lists(
        st.lists(st.sampled_from([b"\r\n", b"--B", b"\r\n--", b"\r\n-", b"\r", b"-", b"x"])).map(b"".join),
        min_size=1,
        max_size=3,
    ),
    cuts=st.lists(st.integers(min_value=0), max_size=12),
)
def test_parts_come_out_whole_wherever_the_stream_is_cut(contents: list[bytes], cuts: list[int]) -> None:
    boundary = b"QQQQ"
    body = b"".join(part("f", content, "f.pdf").replace(b"--B\r\n", b"--QQQQ\r\n", 1) for content in contents)
    parts = read_parts(pieces(body + b"--" + boundary + b"--\r\n", cuts), boundary.decode(), 10_000)
    assert [item.content for item in parts] == contents
    assert [item.sha256 for item in parts] == [hashlib.sha256(content).hexdigest() for content in contents]


def test_a_preamble_padding_and_an_epilogue_are_passed_over() -> None:
    body = b"hello\r\n--B \t\r\n" + DISPOSITION + b"\r\nx\r\n--B--\r\nbye --B\r\n"
    assert [(item.name, item.content) for item in read_parts([body], "B", KEEP)] == [("a", b"x")]


def test_content_is_kept_up_to_the_limit_and_dropped_beyond() -> None:
    body = part("a", b"x" * KEEP, "a.pdf") + part("b", b"x" * (KEEP + 1), "b.pdf") + b"--B--"
    parts = read_parts([body], "B", KEEP)
    assert [(item.size, item.content is None) for item in parts] == [(KEEP, False), (KEEP + 1, True)]


def test_a_large_file_passes_in_constant_memory() -> None:
    chunk = bytes(range(256)) * 1024
    expected = hashlib.sha256()
    for _ in range(128):
        expected.update(chunk)

    def stream() -> Iterator[bytes]:
        yield part("POFiles", b"", "large.pdf", "application/pdf")[:-2]
        for _ in range(128):
            yield bytes(chunk)
        yield b"\r\n--B--\r\n"

    tracemalloc.start()
    try:
        (item,) = read_parts(stream(), "B", KEEP)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (item.size, item.sha256) == (128 * len(chunk), expected.hexdigest())
    assert peak < 8 * len(chunk)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "final boundary"),
        (b"--B\r\n" + DISPOSITION + b"\r\nx\r\n--B", "final boundary"),
        (b"--B\r\n" + DISPOSITION + b"\r\nx\r\n--B\r\n", "final boundary"),
        (b"--B\n" + DISPOSITION + b"\r\nx\r\n--B--", "something else"),
        (b"--BB\r\n" + DISPOSITION + b"\r\nx\r\n--BB--", "something else"),
        (b"--B" + b" " * (HEADER_LIMIT + 1), "something else"),
        (b"--B\r\n\r\nx\r\n--B--", "no headers"),
        (b"--B\r\n" + DISPOSITION + b"x" * HEADER_LIMIT, "do not end"),
        (b"--B\r\nContent-Type: text/plain\r\n\r\nx\r\n--B--", "no form-data name"),
        (b'--B\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--B--', "no form-data name"),
        (b"--B\r\n" + DISPOSITION + b"Folded: a\r\n b\r\n\r\nx\r\n--B--", "not a header"),
        (b"--B\r\n" + DISPOSITION + b"X: a\nY: b\r\n\r\nx\r\n--B--", "bare line break"),
        (b"--B\r\n" + DISPOSITION + DISPOSITION + b"\r\nx\r\n--B--", "given twice"),
        (b"--B\r\n" + DISPOSITION + b"X: \xff\r\n\r\nx\r\n--B--", "not UTF-8"),
        (b"--B\r\n" + DISPOSITION[:-2] + b'; name="b"\r\n\r\nx\r\n--B--', "given twice"),
        (b"--B\r\n" + DISPOSITION[:-2] + b'; filename="b\r\n\r\nx\r\n--B--', "cannot be read"),
        (b"--B\r\n" + DISPOSITION + b"\r\n" + b"x" * (FIELD_LIMIT + 1) + b"\r\n--B--", "too large"),
    ],
)
def test_a_body_that_breaks_the_grammar_is_refused_with_the_place(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedMultipartError, match=reason):
        read_parts([body], "B", KEEP)


def test_a_line_that_opens_like_the_boundary_inside_a_file_is_not_taken_for_content() -> None:
    body = part("a", b"x\r\n--Bx", "a.pdf") + b"--B--"
    with pytest.raises(MalformedMultipartError, match="something else"):
        read_parts([body], "B", KEEP)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=B", "B"),
        ('Multipart/Form-Data ; charset=utf-8 ; Boundary="a b"', "a b"),
        (
            "multipart/form-data; boundary=----WebKitFormBoundaryaLQBO4IgpABK3wdj",
            "----WebKitFormBoundaryaLQBO4IgpABK3wdj",
        ),
    ],
)
def test_the_boundary_is_read_from_the_content_type(content_type: str, boundary: str) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "multipart/mixed; boundary=B",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="a "',
        "multipart/form-data; boundary=" + "b" * 71,
        "multipart/form-data; boundary=B; boundary=C",
        "multipart/form-data, boundary=B",
    ],
)
def test_a_content_type_without_a_valid_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(MalformedMultipartError):
        boundary_of(content_type)


def test_quoted_pairs_are_undone_and_other_backslashes_stay() -> None:
    assert header_value(r'form-data; name="a\"b\\c\d"') == ("form-data", {"name": r'a"b\c\d'})
