"""The multipart encoder, byte for byte, and read back by parsers that are not ours."""

from __future__ import annotations

import email
import email.policy
import io
import traceback
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.formparser import MultiPartParser

from shared.core.errors import NotAppliedError, SourceFailedError
from shared.core.models import Document, Metadata, Role
from shared.partner_center.body import Body, BytesBody
from shared.partner_center.multipart import MultipartBody, Part, attachment_body

METADATA = Metadata(True, "156.870", "CAD", "1.2", "https://tenders.example/7")
Opener = Callable[[], Iterator[bytes | memoryview]]


def opener(*pieces: bytes) -> Opener:
    return lambda: iter(pieces)


def document(role: Role, name: str, content: bytes) -> Document:
    return Document(role, name, len(content), "", opener(content))


def sent(body: Body) -> bytes:
    return b"".join(bytes(piece) for piece in body)


def pdf(open_: Callable[[], Iterable[bytes | memoryview]], size: int) -> MultipartBody:
    return MultipartBody([Part("POFiles", "application/pdf", size, open_, "PO.pdf")], "B")


def test_an_attachment_is_metadata_then_purchase_orders_then_tenders() -> None:
    documents = [
        document(Role.TENDER, "Tender.pdf", b"%PDF-tender"),
        document(Role.PURCHASE_ORDER, "PO_Part1.pdf", b"%PDF-one"),
        document(Role.PURCHASE_ORDER, "PO_Part2.pdf", b"%PDF-two\r\n"),
    ]

    body = attachment_body(METADATA.to_wire(), documents, "POFiles", "Tender", "XX")

    expected = (
        b"--XX\r\n"
        b'Content-Disposition: form-data; name="metadata"\r\n'
        b"Content-Type: application/json; charset=utf-8\r\n\r\n" + METADATA.to_wire() + b"\r\n"
        b"--XX\r\n"
        b'Content-Disposition: form-data; name="POFiles"; filename="PO_Part1.pdf"\r\n'
        b"Content-Type: application/pdf\r\n\r\n%PDF-one\r\n"
        b"--XX\r\n"
        b'Content-Disposition: form-data; name="POFiles"; filename="PO_Part2.pdf"\r\n'
        b"Content-Type: application/pdf\r\n\r\n%PDF-two\r\n\r\n"
        b"--XX\r\n"
        b'Content-Disposition: form-data; name="Tender"; filename="Tender.pdf"\r\n'
        b"Content-Type: application/pdf\r\n\r\n%PDF-tender\r\n"
        b"--XX--\r\n"
    )
    assert expected == sent(body)
    assert len(expected) == len(body)
    assert body.content_type == "multipart/form-data; boundary=XX"


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ('PO "77".pdf', b'filename="PO %2277%22.pdf"'),
        ("a\r\nX-Evil: 1.pdf", b'filename="a%0D%0AX-Evil: 1.pdf"'),
        ("bestellung-ä-注文.pdf", 'filename="bestellung-ä-注文.pdf"'.encode()),
        ("half-\ud800.pdf", b'filename="half-?.pdf"'),
        ("back\\slash;semi.pdf", b'filename="back\\slash;semi.pdf"'),
    ],
)
def test_a_file_name_is_escaped_as_browsers_do(name: str, wire: bytes) -> None:
    body = MultipartBody([Part("POFiles", "application/pdf", 1, opener(b"x"), name)], "B")

    head = sent(body).split(b"\r\n\r\n")[0]

    assert head.split(b"\r\n")[1] == b'Content-Disposition: form-data; name="POFiles"; ' + wire
    assert len(head.split(b"\r\n")) == 3


def test_it_has_a_length_and_no_read_so_that_it_is_sent_piece_by_piece() -> None:
    assert not hasattr(MultipartBody([]), "read")
    assert not hasattr(MultipartBody([]), "tell")
    assert len(MultipartBody([], "B")) == len(b"--B--\r\n")


def test_every_body_has_a_boundary_of_its_own() -> None:
    assert MultipartBody([]).boundary != MultipartBody([]).boundary


def test_a_second_iteration_opens_the_parts_anew() -> None:
    opened: list[int] = []

    def open_() -> Iterator[bytes]:
        opened.append(1)
        return iter([b"abc"])

    body = pdf(open_, 3)

    assert sent(body) == sent(body)
    assert opened == [1, 1]


def test_a_large_piece_is_handed_out_as_it_is_and_a_reused_buffer_is_no_harm() -> None:
    buffer = bytearray(64 * 1024)

    def open_() -> Iterator[memoryview]:
        for fill in b"abc":
            buffer[:] = bytes([fill]) * len(buffer)
            yield memoryview(buffer)

    body = pdf(open_, 3 * len(buffer))
    shared = [piece for piece in body if isinstance(piece, memoryview) and piece.obj is buffer]

    assert len(shared) == 3
    assert sent(body).count(b"a" * len(buffer) + b"b" * len(buffer) + b"c" * len(buffer)) == 1


def test_small_parts_travel_together() -> None:
    body = attachment_body(b"{}", [document(Role.PURCHASE_ORDER, "a.pdf", b"x" * 900)], "PO", "T", "B")

    assert len(list(body)) == 1


def test_it_is_finished_with_the_last_piece_and_not_before() -> None:
    body = pdf(opener(b"x" * 20_000, b"y" * 20_000), 40_000)

    states = [body.finished for _ in body]

    assert states == [False, False, False, True]
    body.arm(lambda: None)
    assert not body.finished


def broken() -> Iterator[bytes]:
    yield b"x" * 20_000
    raise ConnectionResetError("https://account.example/c/b?sig=SECRET")


@pytest.mark.parametrize(
    ("open_", "size", "says"),
    [
        (opener(b"abc"), 4, "shorter"),
        (opener(), 4, "shorter"),
        (opener(b"abc", b"de"), 4, "longer"),
        (opener(b"x" * 9000, b"y"), 9000, "longer"),
        (opener(b"x" * 20_000, b"y" * 20_000), 20_000, "longer"),
        (broken, 40_000, "ConnectionResetError"),
    ],
)
def test_a_source_that_is_not_what_it_was_said_to_be_never_completes_the_body(
    open_: Opener, size: int, says: str
) -> None:
    body = pdf(open_, size)
    got: list[bytes] = []

    with pytest.raises(SourceFailedError, match=says) as caught:
        got.extend(map(bytes, body))

    assert not body.finished
    assert len(b"".join(got)) < len(body)
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


def test_a_source_that_cannot_be_opened_is_a_failed_source() -> None:
    def open_() -> Iterator[bytes]:
        raise FileNotFoundError("gone")

    with pytest.raises(SourceFailedError):
        sent(pdf(open_, 1))


def test_a_source_that_says_itself_what_failed_is_quoted_once() -> None:
    def open_() -> Iterator[bytes]:
        raise SourceFailedError("the blob was replaced")

    with pytest.raises(SourceFailedError, match=r"^the blob was replaced$"):
        sent(pdf(open_, 1))


def test_a_source_that_cannot_be_closed_is_no_network_error() -> None:
    class Stubborn:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"abc"])

        def close(self) -> None:
            raise OSError("close failed")

    assert b"abc" in sent(pdf(Stubborn, 3))


def test_whoever_is_late_does_not_hand_out_the_last_piece() -> None:
    body = pdf(opener(b"x" * 20_000), 20_000)
    seen = []

    def guard() -> None:
        seen.append(1)
        if len(seen) == 3:
            raise NotAppliedError("late")

    body.arm(guard)
    with pytest.raises(NotAppliedError, match="late"):
        sent(body)

    assert not body.finished


def test_a_body_that_is_given_up_closes_its_source() -> None:
    closed = []

    def open_() -> Iterator[bytes]:
        try:
            yield b"x" * 20_000
            yield b"y" * 20_000
        finally:
            closed.append(True)

    body = pdf(open_, 40_000)
    iterator = iter(body)
    next(iterator)
    next(iterator)
    body.close()

    assert closed == [True]


def test_a_body_at_hand_is_finished_when_it_is_handed_out() -> None:
    body = BytesBody(b"{}")

    assert not body.finished
    assert sent(body) == b"{}"
    assert body.finished


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=20)
FILES = st.lists(
    st.tuples(
        st.sampled_from(["POFiles", "TenderFiles"]),
        # readers take %22 for a quote, as browsers write it
        NAMES.map(lambda n: n.replace("\\", "_").replace('"', "_").replace("%22", "_") + ".pdf"),
        st.lists(
            st.one_of(st.binary(max_size=40), st.sampled_from([b"\r\n--B--\r", b"\r\n--BB", b"z" * 9000]))
        ),
    ),
    max_size=4,
)


def of(files: list[tuple[str, str, list[bytes]]]) -> MultipartBody:
    parts = [
        Part(field, "application/pdf", sum(map(len, pieces)), opener(*pieces), name)
        for field, name, pieces in files
    ]
    return MultipartBody(parts, "boundary-of-test")


@given(FILES)
def test_werkzeug_reads_back_what_was_put_in(files: list[tuple[str, str, list[bytes]]]) -> None:
    body = of(files)
    raw = sent(body)
    parser = MultiPartParser(stream_factory=lambda *_, **__: io.BytesIO())
    _, found = parser.parse(io.BytesIO(raw), body.boundary.encode(), len(body))

    got = [(field, file.filename or "", file.read()) for field, file in found.items(multi=True)]

    assert len(raw) == len(body)
    expected = [(field, name, b"".join(pieces)) for field, name, pieces in files]
    assert sorted(expected) == sorted(got)


@given(FILES)
def test_the_email_package_reads_back_what_was_put_in(files: list[tuple[str, str, list[bytes]]]) -> None:
    body = of(files)
    head = f"Content-Type: {body.content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message = email.message_from_bytes(head + sent(body), policy=email.policy.HTTP)

    parts = message.get_payload() if files else []
    assert isinstance(parts, list)
    got = [
        (part["Content-Type"], part.get_payload(decode=True))  # type: ignore[union-attr, index]
        for part in parts
    ]

    assert [("application/pdf", b"".join(pieces)) for _, _, pieces in files] == got
