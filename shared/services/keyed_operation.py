"""What the purchases of an Idempotency-Key have in common: its record holds one of them, with all that is
sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.clock import Clock, Deadline
from shared.core.errors import RefusedError, WrongUserError
from shared.core.ledger import Record, Submission
from shared.core.ledger_parts import OrderContent, Source
from shared.partner_center.client import PartnerCenter
from shared.partner_center.wire import RequestIds


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedOperation:
    """The part of an `Operation` that is the same for a direct order and for a checkout."""

    blank: Record
    digest: str
    content: OrderContent | None
    partner: PartnerCenter
    clock: Clock
    new_id: Callable[[], str]
    auto_retry: bool = False
    """Whether the worker sends it: the caller was told that it is under way."""

    source: Source | None = None
    seconds_needed: float = 0.0
    asks_first: bool = False

    @property
    def can_send(self) -> bool:
        """Whether the one who asks may send it; who only looks may not."""
        return self.content is not None

    def describe(self, claim: Submission, deadline: Deadline) -> Submission:
        """The claim with what is sent. What was sent for one user is not sent again as another."""
        assert self.content is not None
        if claim.order is not None and claim.order.user != self.content.user:
            raise WrongUserError(
                "this order was placed for another user; only that user can have it sent again"
            )
        return claim.model_copy(update={"order": claim.order or self.content})

    def retries_refused(self, submission: Submission) -> bool:
        """A caller does where the remedy lay outside the request; the worker only passes by."""
        if self.auto_retry or submission.given_up or submission.answer is None:
            return False
        return submission.answer.retryable

    def may_appear(self, error: RefusedError) -> bool:
        """A customer is there or not."""
        return False

    def check_wanted(self, record: Record, ids: RequestIds, deadline: Deadline) -> None:
        """A purchase is wanted."""

    def superseded_by(self, record: Record) -> Submission | None:
        """The key is the signal."""
        return None

    def goes_first(self, record: Record) -> Submission | None:
        """A record holds one purchase."""
        return None
