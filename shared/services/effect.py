"""One call that must happen once, as the engine sees it, and what it can come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from shared.errors import NotConfiguredError, PartnerCenterError, RefusedError
from shared.ledger import Claim, Record
from shared.partner_center.wire import Answer, Deadline, RequestIds

Failure = PartnerCenterError | NotConfiguredError


@dataclass(frozen=True, slots=True)
class Found:
    """It is at Partner Center: the answer that a first call would have had."""

    answer: Answer
    owns: tuple[str, ...]
    """Ids of what was found, which no other record may call its own."""


@dataclass(frozen=True, slots=True)
class Absent:
    """It is not there now."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """It cannot be told; a person must look."""

    why: str


Finding = Found | Absent | Unclear


class Effect(Protocol):
    """One call that must happen once."""

    @property
    def claim(self) -> Claim:
        """What the first record says."""
        ...

    @property
    def settle(self) -> timedelta:
        """How long after silence "not found" still does not mean "not there"."""
        ...

    @property
    def can_send(self) -> bool:
        """Whether the content is at hand; without it the effect can only be asked about."""
        ...

    @property
    def resumes(self) -> bool:
        """Whether the sweep may send it later by itself, nobody having been told that it failed."""
        ...

    def send(self, ids: RequestIds, deadline: Deadline) -> Answer:
        """Make the call, once. Raises PartnerCenterError."""
        ...

    def asks_again(self, record: Record) -> bool:
        """Whether this wants anew what the record says was refused, rather than passing by."""
        ...

    def owns(self, answer: Answer) -> tuple[str, ...]:
        """Ids in an accepting answer that no other record may call its own."""
        ...

    def doubt(self, answer: Answer) -> str:
        """Why an accepting answer still needs a person's eyes; "" when it is as it should be."""
        ...

    def find(self, record: Record, deadline: Deadline) -> Finding:
        """Ask Partner Center whether it is there. Raises PartnerCenterError."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known after `run`. `replayed`: the record was there before; `error`: why it is `ready`."""

    record: Record
    replayed: bool = False
    error: Failure | None = None


def kept_answer(answer: Answer) -> Mapping[str, Any]:
    """An answer as the record keeps it: the body as text, so that no digit of it changes."""
    return {
        "status": answer.status,
        "body": answer.body.decode("utf-8-sig", "replace"),
        "ids": answer.ids.told(),
    }


def refusal(error: RefusedError) -> Mapping[str, Any]:
    """A refusal as the record keeps it."""
    return {
        "status": error.status,
        "code": error.code,
        "description": error.description,
        "actor": error.advice.actor,
        "retryable": error.passes or error.advice.actor != "caller",
        "remedy": error.advice.remedy,
        "ids": error.ids.told(),
    }
