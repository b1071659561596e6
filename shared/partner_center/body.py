"""Request bodies that know whether they have left whole.

An object with `__iter__` and without `read` makes urllib3 send item by item; an own `read` would be called in
blocks of 16 KiB. Whoever sends it sets Content-Length to its `len`, or it would go out chunked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator

Piece = bytes | bytearray | memoryview


class Body(ABC):
    """Bytes for one request at a time; each iteration starts from the beginning.

    `finished` is True once the last byte has been handed out. Before that the server cannot have the whole
    request, after it nobody can know: this is the border between NotAppliedError and OutcomeUnknownError.
    """

    finished: bool = False
    _before_piece: Callable[[], None] | None = None
    _open: Generator[Piece, None, None] | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Exact number of bytes that an iteration yields."""

    @abstractmethod
    def _pieces(self) -> Generator[Piece, None, None]:
        """Yield the bytes; a piece is used up before the next one is asked for."""

    def arm(self, before_piece: Callable[[], None]) -> None:
        """Make ready for one sending: `before_piece` runs before every piece and may raise to stop it.

        Forgets an earlier sending, so that a connection that cannot be opened is not taken for a lost reply.
        """
        self.finished = False
        self._before_piece = before_piece

    def close(self) -> None:
        """Let go of what a sending holds: its guard too, which knows the call, which holds this body. As a
        cycle they would keep the documents in memory until the garbage collector comes by."""
        self._before_piece = None
        self._close_pieces()

    def _close_pieces(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def __iter__(self) -> Iterator[Piece]:
        """Hand out the bytes; raises what the guard raises, and SourceFailedError for a source."""
        self._close_pieces()
        self.finished = False
        left = len(self)
        self._open = self._pieces()
        for piece in self._open:
            if self._before_piece is not None:
                self._before_piece()
            left -= memoryview(piece).nbytes
            self.finished = left <= 0
            yield piece


class BytesBody(Body):
    """A small body that is at hand."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __len__(self) -> int:
        return len(self._content)

    def _pieces(self) -> Generator[Piece, None, None]:
        yield self._content
