"""Whole PDFs, cut ones, damaged ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.validation.pdf import TAIL, EndOfPdf, end_fault, head_fault

HEAD = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
WHOLE = HEAD + b"1 0 obj\n<<>>\nendobj\n" * 400 + b"startxref\n42\n%%EOF\n"
CUT = "has no end (%%EOF): it is cut off, or still arriving"


def linearized(size: int, said: int) -> bytes:
    body = HEAD + b"43 0 obj\n<< /Linearized 1.0 /L %d /H [ 1 2 ] /O 45 >>\nendobj\n" % said
    return body + b"x" * (size - len(body) - 6) + b"%%EOF\n"


@pytest.mark.parametrize(
    ("says", "content", "fault"),
    [
        ("whole", WHOLE, ""),
        ("nothing", b"", CUT),
        ("cut in the middle", WHOLE[:4000], CUT),
        ("cut before the last line", WHOLE[:-6], CUT),
        ("cut in the last line", WHOLE[:-2], CUT),
        ("without its last line break", WHOLE[:-1], ""),
        ("padded by a scanner", WHOLE + b"\0" * 100_000, ""),
        ("padded by a terminal", WHOLE + b"\r\n \x1a", ""),
        ("followed by a signature of a mail gateway", WHOLE + b"x" * (TAIL - 1), ""),
        ("followed by too much", WHOLE + b"x" * (TAIL + 1), CUT),
        ("an update after its end, cut", WHOLE + b"2 0 obj\n" * 400, CUT),
        ("an update after its end, whole", WHOLE + b"2 0 obj\n" * 400 + b"%%EOF", ""),
        ("linearized", linearized(5000, 5000), ""),
        ("linearized and followed by an update", linearized(5000, 5000) + b"2 0 obj %%EOF", ""),
        (
            "linearized, of which only the first part is there",
            linearized(5000, 90_000),
            "has 5000 bytes and says that it has 90000: it is cut off, or still arriving",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000, 512 * 1024])
def test_the_end_of_a_pdf(says: str, content: bytes, fault: str, size: int) -> None:
    pieces = [memoryview(content)[at : at + size] for at in range(0, min(len(content), 20_000), size)]
    rest = content[20_000:] if len(content) > 20_000 and size <= 20_000 else b""

    assert end_fault([*pieces, rest]) == fault


@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"%%EOF", b"%%E", b"OF", b"\0" * 2000, b" "]), max_size=30
    )
)
def test_where_pieces_end_does_not_count(pieces: list[bytes]) -> None:
    assert end_fault(pieces) == end_fault([b"".join(pieces)])


def test_the_end_is_found_in_little_memory() -> None:
    end = EndOfPdf()
    for _ in range(64):
        end.add(b"x" * 65_536)
    end.add(b"%%EOF")

    assert end.fault == ""
    assert sum(len(value) for value in vars(end).values() if isinstance(value, bytes)) < 4096


@pytest.mark.parametrize(
    ("says", "head", "fault"),
    [
        ("a PDF", HEAD, ""),
        ("a PDF behind what a printer wrote", b"\x1b%-12345X@PJL\r\n" + HEAD, ""),
        ("a PDF without a binary marker", b"%PDF-1.4\n1 0 obj\n", ""),
        ("a PDF of one line", b"%PDF-1.4", ""),
        ("a marker that is text", "%PDF-1.4\n%äöü\n".encode(), ""),
        ("no PDF", b"PK\x03\x04", "is not a PDF: there is no %PDF- in its first 1024 bytes"),
        ("a PDF too late", b"x" * 1020 + HEAD, "is not a PDF: there is no %PDF- in its first 1024 bytes"),
        (
            "read as text on its way",
            HEAD.decode("utf-8", "replace").encode(),
            "is damaged: it was read and written as text on its way; send its bytes as they are",
        ),
        (
            "read as text on its way, with line breaks of Windows",
            HEAD.replace(b"\n", b"\r\n").decode("utf-8", "replace").encode(),
            "is damaged: it was read and written as text on its way; send its bytes as they are",
        ),
    ],
)
def test_the_beginning_of_a_pdf(says: str, head: bytes, fault: str) -> None:
    assert head_fault(head) == fault
