"""multipart/form-data (RFC 7578) as a stream: exact length first, then constant memory whatever the size.

No I/O of its own: parts say how to open themselves, and every iteration opens them anew, so that a request
can be sent again. A part that breaks off, or whose size is not the announced one, raises SourceFailedError
before the closing boundary is out; that is neither OSError nor HTTPException, so urllib3 lets it
pass, and a source that fails is never taken for an upload that failed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

from shared.core.errors import AppError, SourceFailedError
from shared.core.models import Document, Role
from shared.partner_center.body import Body, Piece

_COALESCE = 8 * 1024
"""Pieces up to this size travel together with the headers around them: fewer sends, fewer packets."""

_ESCAPES = {ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"}


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `open` yields exactly `size` bytes in pieces of any length, anew at each call.

    A piece may be a view of a buffer that `open` fills again: it is sent before the next one is asked for.
    """

    name: str
    content_type: str
    size: int
    open: Callable[[], Iterable[Piece]]
    file_name: str | None = None

    def head(self) -> bytes:
        """Return the header lines and the blank line. https://www.rfc-editor.org/rfc/rfc7578#section-4.2"""
        disposition = f'form-data; name="{escaped_name(self.name)}"'
        if self.file_name is not None:
            disposition += f'; filename="{escaped_name(self.file_name)}"'
        content_type = "".join(c for c in self.content_type if c.isprintable())
        lines = f"Content-Disposition: {disposition}\r\nContent-Type: {content_type}\r\n\r\n"
        return lines.encode("utf-8", "replace")

    def content(self) -> Generator[Piece, None, None]:
        """Yield the content; SourceFailedError when it cannot be read, or is not `size` bytes long."""
        left = self.size
        pieces = None
        try:
            pieces = self.open()
            for piece in pieces:
                left -= memoryview(piece).nbytes
                if left < 0:
                    break
                yield piece
        except SourceFailedError:
            raise
        except Exception as error:
            # only its own errors are known to hold no secret: a storage URL may carry its signature
            why = str(error) if isinstance(error, AppError) else type(error).__name__
            raise SourceFailedError(f"{self._label()} could not be read: {why}") from None
        finally:
            with suppress(Exception):
                close = getattr(pieces, "close", None)
                if close is not None:
                    close()
        if left:
            changed = "longer" if left < 0 else "shorter"
            raise SourceFailedError(f"{self._label()} is {changed} than the announced {self.size} bytes.")

    def _label(self) -> str:
        return f"The part {self.name!r}" + (f" ({self.file_name!r})" if self.file_name else "")


def escaped_name(text: str) -> str:
    """Escape a name as browsers do: only quote, CR and LF; all else stays, as UTF-8.

    https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
    `filename*` (RFC 5987) is not sent: RFC 7578 section 4.2 forbids it in form data.
    """
    return text.translate(_ESCAPES)


class MultipartBody(Body):
    """The parts in order, between boundaries. Send it in one request at a time."""

    def __init__(self, parts: Sequence[Part], boundary: str | None = None) -> None:
        self.boundary = boundary or secrets.token_hex(16)
        self._parts = tuple(parts)
        self._heads = [f"--{self.boundary}\r\n".encode() + part.head() for part in self._parts]
        self._closing = f"--{self.boundary}--\r\n".encode()

    @property
    def content_type(self) -> str:
        """Value of the request's Content-Type header."""
        return f"multipart/form-data; boundary={self.boundary}"

    def __len__(self) -> int:
        framed = sum(len(head) + part.size + 2 for head, part in zip(self._heads, self._parts, strict=True))
        return framed + len(self._closing)

    def _pieces(self) -> Generator[Piece, None, None]:
        pending = bytearray()
        for head, part in zip(self._heads, self._parts, strict=True):
            pending += head
            with closing(part.content()) as content:
                for piece in content:
                    if len(pending) + len(piece) <= _COALESCE:
                        pending += piece
                        continue
                    if pending:
                        yield bytes(pending)
                        pending.clear()
                    yield piece
            pending += b"\r\n"
        # the closing boundary leaves with the last bytes: a part that failed has raised before it
        yield bytes(pending) + self._closing


def attachment_body(
    submission_metadata: bytes,
    documents: Sequence[Document],
    po_part: str,
    tender_part: str,
    boundary: str | None = None,
) -> MultipartBody:
    """Build the body of an attachment: the metadata, then purchase orders, then tenders, each in given order.

    The names of the file parts are settings because Microsoft's pages disagree on them:
    https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details
    https://learn.microsoft.com/en-us/rest/api/partner-center/manage-orders/create-attachments-for-an-order
    """
    names = {Role.PURCHASE_ORDER: po_part, Role.TENDER: tender_part}
    parts = [_metadata_part(submission_metadata)]
    for role, name in names.items():
        parts += [
            Part(name, "application/pdf", document.size, document.open, document.file_name)
            for document in documents
            if document.role == role
        ]
    return MultipartBody(parts, boundary)


def _metadata_part(content: bytes) -> Part:
    return Part("metadata", "application/json; charset=utf-8", len(content), lambda: (content,))
