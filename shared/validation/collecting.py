"""Several checks, one answer: whoever sends three faults learns of three faults."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from shared.core.errors import MAX_VIOLATIONS, InvalidInputError, Violation
from shared.core.strict_json import StrictJson

T = TypeVar("T")


class ViolationCollector:
    """Gathers violations; leaving its `with` block raises them all as one InvalidInputError.

    An InvalidInputError that is raised inside of the block joins them; any other error passes unchanged.
    """

    def __init__(self) -> None:
        self._violations: dict[Violation, None] = {}
        self._final: set[str] = set()
        self._unnamed = 0

    def add(self, pointer: str, detail: str) -> None:
        """Note one violation, unless its place has its last one or it is known already."""
        if pointer not in self._final:
            self._note(Violation(pointer, detail))

    def add_final(self, document: StrictJson) -> None:
        """Note what is wrong with a document; nothing more is to be said about these places."""
        for violation in document.violations:
            self._note(violation)
            self._final.add(violation.pointer)
        self._unnamed += document.unnamed

    def check(self, step: Callable[[], T]) -> T | None:
        """The result of `step`, or None when it raised InvalidInputError, whose violations are noted."""
        try:
            return step()
        except InvalidInputError as error:
            self._take(error)
            return None

    @property
    def full(self) -> bool:
        """Whether further violations are only counted, so that their wording is of no use."""
        return len(self._violations) >= MAX_VIOLATIONS

    def _take(self, error: InvalidInputError) -> None:
        for violation in error.violations:
            self.add(violation.pointer, violation.detail)

    def _note(self, violation: Violation) -> None:
        if violation in self._violations:
            return
        if self.full:
            self._unnamed += 1
        else:
            self._violations[violation] = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, InvalidInputError):
            self._take(error)
        elif error is not None:
            return
        found = list(self._violations)
        if self._unnamed:
            found.append(Violation("", f"has {self._unnamed} more errors that are not listed"))
        if found:
            raise InvalidInputError(found) from None
