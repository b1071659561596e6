"""The checkout of one cart, and what became of it.

Checking out is documented as idempotent: after a success another call for the same cart answers what the
first one did, after a failure it tries anew. So a lost reply is mended by asking again, at once; there is no
list that lags, and no order that looks alike.
https://learn.microsoft.com/en-us/partner-center/developer/checkout-a-cart

1. The cart is made before the claim that names it. It buys nothing; one that nobody checks out expires.
2. A cart with a faulty line is not checked out: no claim is written, and the caller learns which lines.
3. What was claimed is checked out with the cart of its claim, however often. A new cart takes its place only
   when no checkout of the old one was ever silent, and Partner Center shows that it has expired or is gone.
   After a silence such a cart is a person's: part of it may have been ordered. Who decides then that all of
   it is sent again has it bought through a new cart (shared/services/review.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from shared.auth.mode import Mode
from shared.clock import Deadline
from shared.core.carts import AGAIN, Cart, CheckedOut, LineFault, checked_out, faults_of, read_cart
from shared.core.conclusions import Found, Reconciliation, Unproved
from shared.core.errors import (
    Advice,
    InvalidInputError,
    LinesRefusedError,
    NotAppliedError,
    NotConfiguredError,
    NothingOrderedError,
    OutcomeUnknownError,
    PartnerCenterError,
    RefusedError,
    SupportIds,
    Violation,
)
from shared.core.ledger import Record, Submission
from shared.core.ledger_parts import CartNote, OrderContent, PartnerIds, RecordedAnswer
from shared.core.matching import Absent, Ambiguous
from shared.partner_center.client import READ_WAITS
from shared.partner_center.codes import CALLER, cart_line_remedy
from shared.partner_center.wire import Answer, RequestIds, cart_path
from shared.services.keyed_operation import KeyedOperation
from shared.services.operation import Failure, Snapshot

SETTLES = timedelta(seconds=15)
"""How long after a silence a cart that is not ordered may still become so by the call that was silent."""

_GONE = (404, 410)
_ASK_AGAIN = (401, 408, 429)
"""Answers that are about the token, the time or the rate, and not about the cart."""
_EXPIRED = "the cart has expired, and it may have been ordered before"


class Shown(Enum):
    """What Partner Center shows of a cart; ODD is none of what is documented."""

    ACTIVE, ORDERED, EXPIRED, GONE, ODD = range(5)


_LAPSED = (Shown.EXPIRED, Shown.GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutOperation(KeyedOperation):
    """A purchase through a cart. Its record holds the body and the id of the cart."""

    sleep: Callable[[float], None]

    @property
    def visibility(self) -> timedelta:
        """A cart shows at once that it is ordered."""
        return SETTLES

    def describe(self, claim: Submission, deadline: Deadline) -> Submission:
        """The claim with what is sent, and a cart.

        Raises LinesRefusedError when Partner Center does not sell a line, PartnerCenterError when no cart
        could be made: then nothing was bought.
        """
        described = KeyedOperation.describe(self, claim, deadline)
        content = described.order
        assert content is not None
        assert content.cart is not None
        if content.cart.id and (
            claim.first_silent or not self._has_lapsed(content, claim.correlation_id, deadline)
        ):
            return described
        made = content.model_copy(update={"cart": self._new_cart(claim, content, deadline)})
        return described.model_copy(update={"order": made})

    def take_snapshot(self, ids: RequestIds, deadline: Deadline) -> Snapshot:
        """There is no difference to judge: checking out the same cart again harms nothing."""
        return Snapshot(self.clock(), ())

    def send(self, submission: Submission, deadline: Deadline, check: Callable[[], None]) -> Answer:
        """Check the cart out. A reply that is lost is asked for again, at once; what was ever silent here is
        unknown until it answers."""
        lost: OutcomeUnknownError | None = None
        for wait in (*READ_WAITS, None):
            try:
                answer = self._check_out(submission, deadline, check, resent=lost is not None)
            except OutcomeUnknownError as error:
                lost = error
            except (PartnerCenterError, NotConfiguredError) as error:
                raise lost or self._judged(error, submission, deadline) from None
            else:
                if lost is not None and _told(submission, answer, silent=True) is None:
                    raise lost
                return answer
            if wait is None or deadline.remaining() <= wait:
                break
            self.sleep(wait)
        assert lost is not None
        raise lost

    def accepted(self, record: Record, submission: Submission, answer: Answer) -> Found | None:
        """An answer that tells orders is those orders. Raises NothingOrderedError for one without any."""
        result = _told(submission, answer, silent=submission.first_silent is not None)
        if result is None:
            return None
        if not result.ids:
            raise nothing_ordered(answer.status, result.body, answer.ids)
        return _found(result, answer)

    def reconcile(self, record: Record, submission: Submission, deadline: Deadline) -> Reconciliation:
        """Read the cart. One that is ordered is checked out again, which buys nothing and tells what came of
        it."""
        content = submission.order
        assert content is not None
        assert content.cart is not None
        if not content.cart.id:
            return Absent()
        match self._shown(content, submission.correlation_id, deadline):
            case Shown.GONE:
                return self._gone(submission)
            case Shown.EXPIRED:
                return Ambiguous(_EXPIRED)
            case Shown.ACTIVE:
                return Absent()
            case Shown.ODD:
                return Unproved("Partner Center shows the cart in a state that is not documented")
        try:
            answer = self._check_out(submission, deadline, None, resent=True)
        except (RefusedError, OutcomeUnknownError) as error:
            if error.status in _ASK_AGAIN or not 400 <= error.status < 500:
                raise
            return Ambiguous("the cart was ordered, but Partner Center does not tell what came of it")
        result = _told(submission, answer, silent=submission.first_silent is not None)
        if result is None:
            return Unproved("the cart was ordered, and the answer does not tell all that came of it")
        # what ordered nothing may be checked out again, and is refused then
        return _found(result, answer) if result.ids else Absent()

    def _gone(self, submission: Submission) -> Reconciliation:
        """What a cart that is not there proves: nothing yet, while it is asked for again; to who decides,
        that only a person can tell."""
        return Ambiguous(_EXPIRED) if submission.decidable else Unproved(_EXPIRED)

    def _check_out(
        self, submission: Submission, deadline: Deadline, check: Callable[[], None] | None, *, resent: bool
    ) -> Answer:
        """Call once. The cart makes a repeated call harmless: it gets an id of its own, because a
        server may answer the first one for ever with the first error."""
        content, resent = submission.order, resent or submission.first_silent is not None
        assert content is not None
        assert content.cart is not None
        return self.partner.check_out(
            self.blank.customer_id,
            content.cart.id,
            Mode(content.mode),
            RequestIds(self.new_id() if resent else submission.request_id, submission.correlation_id),
            deadline,
            resent=resent,
            check=check,
        )

    def _judged(self, error: Failure, submission: Submission, deadline: Deadline) -> Failure:
        """The error of a checkout. It is no refusal when the cart was ordered all the same, or is not there
        any more. After a silence only a cart of one order group that is still active shows that nothing was
        bought: of several groups some may be ordered, and whether such a cart stays active is not documented.
        """
        content = submission.order
        assert content is not None
        if not isinstance(error, RefusedError) or error.status in _ASK_AGAIN:
            return error
        try:
            shown = self._shown(content, submission.correlation_id, deadline)
        except (PartnerCenterError, NotConfiguredError):
            shown = Shown.ODD
        in_groups = content.cart is not None and len(set(content.cart.groups)) > 1
        was_silent = submission.first_silent is not None
        if shown is Shown.ORDERED or (was_silent and (in_groups or shown is not Shown.ACTIVE)):
            detail = _EXPIRED if shown in _LAPSED else f"{error} The cart may have been ordered all the same."
            return OutcomeUnknownError(detail, error.ids, status=error.status, code=error.code)
        if shown in _LAPSED:
            return NotAppliedError("The cart has expired. Nothing was bought; another one is made.")
        return error

    def _has_lapsed(self, content: OrderContent, correlation_id: str, deadline: Deadline) -> bool:
        """Whether Partner Center shows that a cart has expired, or that there is none."""
        try:
            return self._shown(content, correlation_id, deadline) in _LAPSED
        except (PartnerCenterError, NotConfiguredError):
            return False

    def _shown(self, content: OrderContent, correlation_id: str, deadline: Deadline) -> Shown:
        """What Partner Center shows of a cart. Raises PartnerCenterError when it cannot be asked."""
        try:
            cart = self._read(content, correlation_id, deadline)
        except RefusedError as error:
            if error.status in _GONE:
                return Shown.GONE
            raise
        if cart.status == "ordered":
            return Shown.ORDERED
        if cart.status != "active":
            return Shown.ODD
        return Shown.EXPIRED if cart.has_expired(self.clock()) else Shown.ACTIVE

    def _read(self, content: OrderContent, correlation_id: str, deadline: Deadline) -> Cart:
        assert content.cart is not None
        ids = RequestIds(self.new_id(), correlation_id)
        customer = self.blank.customer_id
        answer = self.partner.get_cart(customer, content.cart.id, Mode(content.mode), ids, deadline)
        return read_cart(answer.json())

    def _new_cart(self, claim: Submission, content: OrderContent, deadline: Deadline) -> CartNote:
        ids = RequestIds(self.new_id(), claim.correlation_id)
        body = content.body.encode()
        answer = self.partner.create_cart(self.blank.customer_id, body, Mode(content.mode), ids, deadline)
        cart = read_cart(answer.json())
        try:
            cart_path(self.blank.customer_id, cart.id)
        except InvalidInputError:
            raise NotAppliedError("Partner Center's cart has an id that cannot be asked for.") from None
        faults = cart.faults(content)
        if faults:
            raise LinesRefusedError([_violation(fault) for fault in faults])
        return cart.note(content)


def _told(submission: Submission, answer: Answer, *, silent: bool) -> CheckedOut | None:
    """What an answer tells of a checkout; None when it tells too little. Where it tells of no order, or comes
    after a silence, it must tell of each order group: one that it leaves out may have been ordered."""
    assert submission.order is not None
    result = checked_out(answer.json(), submission.order)
    if result is None or result.is_whole:
        return result
    return None if silent or not result.ids else result


def _found(result: CheckedOut, answer: Answer) -> Found:
    kept = RecordedAnswer(status=201, body=result.body, ids=PartnerIds.of(answer.ids))
    return Found(kept, result.ids)


def nothing_ordered(status: int, body: str, ids: SupportIds) -> NothingOrderedError:
    """The error of a checkout that made no order, from the answer that the ledger keeps of it."""
    advice = Advice(CALLER, retryable=False, remedy=AGAIN)
    return NothingOrderedError(status, [_violation(fault) for fault in faults_of(body)], body, advice, ids)


def _violation(fault: LineFault) -> Violation:
    code = f" (code {fault.code})" if fault.code else ""
    said = f"{fault.description or 'Partner Center does not say why'}{code}"
    remedy = cart_line_remedy(fault.code)
    return Violation(fault.pointer, f"{said}: {remedy}" if remedy else said)
