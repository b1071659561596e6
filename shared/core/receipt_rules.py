"""What a receipt says, and which receipt replaces which.

A drop has one receipt: what became of it, for those who have nothing but storage to look at. Pure.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.core.conclusions import GIVE_UP, hours
from shared.core.errors import AppError
from shared.core.ledger import Record, State, Submission
from shared.core.moments import LONG_AGO, iso_moment
from shared.core.order_statuses import meaning
from shared.core.receipt_parts import (
    OrderNow,
    PartnerCenterAnswer,
    PreviousAttachment,
    Receipt,
    ReceiptBody,
    ReceiptState,
)
from shared.core.resources import Attachment, attachments_in
from shared.core.watched import WatchedOrder

_STATES = {
    State.DONE: ReceiptState.ATTACHED,
    State.REFUSED: ReceiptState.REJECTED,
    State.CLAIMED: ReceiptState.SUBMITTING,
    State.PENDING: ReceiptState.RETRYING,
    State.UNKNOWN: ReceiptState.RETRYING,
    State.ACCEPTED: ReceiptState.RETRYING,
    State.REVIEW: ReceiptState.REVIEW,
}

NOBODY = "nobody"
RETRIED = "nothing to do: it will be retried at nextAttempt"
DECIDE = "look at the order in Partner Center, then decide: docs/operations.md"


def state_of(submission: Submission) -> ReceiptState:
    """Where a drop stands whose submission is that."""
    return ReceiptState.WAITING if submission.incomplete else _STATES[submission.state]


_RANK = {
    ReceiptState.WAITING: 0,
    ReceiptState.SUBMITTING: 1,
    ReceiptState.RETRYING: 1,
    ReceiptState.REJECTED: 2,
    ReceiptState.REVIEW: 3,
    ReceiptState.ATTACHED: 4,
}


def _rank(receipt: Receipt) -> int:
    """How far a look at the same inputs came. One that found a file without an end has seen all of them, so
    it did not come less far than one that began to send them."""
    unfinished = receipt.state is ReceiptState.WAITING and not receipt.body.waiting_for
    return _RANK[ReceiptState.SUBMITTING] if unfinished else _RANK[receipt.state]


def supersedes(new: Receipt, there: Receipt | None) -> bool:
    """Whether `new` may replace the receipt `there`: a look at newer inputs may, and of two looks at the same
    inputs the one that came further. Late actors thus never undo what a faster one has reported."""
    if there is None:
        return True
    if new.seen != there.seen:
        deleted = new.state is ReceiptState.WAITING and there.step is None and _RANK[there.state] <= 1
        return new.seen > there.seen or deleted  # its newest file was
    if new.sidecar_etag != there.sidecar_etag:
        return True  # storage tells times to the second only; the one who looks now has the newer ETag
    known = there.versions
    if any(known.get(name, etag) != etag for name, etag in new.versions.items()):
        return True  # overwritten within the second; should a late look win, the sweep sees the other ETag
    same = new.body.submission == there.body.submission
    final = there.state is ReceiptState.ATTACHED is not new.state
    if there.step and same and new.step != there.step and not final:
        return new.step is not None and new.step > there.step
    if _rank(new) == _rank(there):
        return new.state is not ReceiptState.ATTACHED or (
            same and _seen_later(new.body.order, there.body.order)
        )
    return _rank(new) > _rank(there) or there.state is ReceiptState.REVIEW


def _seen_later(new: OrderNow | None, there: OrderNow | None) -> bool:
    """Whether a receipt tells a later look at its order than the one that lies there."""
    return new is not None and (there is None or (new.looked or "") > (there.looked or ""))


FINAL = (ReceiptState.ATTACHED, ReceiptState.REJECTED, ReceiptState.REVIEW)
"""States in which the application has done what it can."""


def seconds_to_receipt(receipt: Receipt, there: Receipt | None) -> float | None:
    """How long a drop waited for its receipt, in seconds; None for one that is not the first final receipt of
    these inputs (it replaces `there`), or that tells of no drop."""
    changed = iso_moment(receipt.body.changed or "")
    inputs = (receipt.seen, receipt.sidecar_etag)
    told = there and there.state in FINAL and (there.seen, there.sidecar_etag) == inputs
    if told or changed is None or receipt.state not in FINAL:
        return None
    if receipt.unclaimed or receipt.seen == LONG_AGO:
        return None
    return max(0.0, (changed - receipt.seen).total_seconds())


MOST_PREVIOUS = 10


def with_previous(body: ReceiptBody, there: Receipt) -> ReceiptBody:
    """A receipt's body that replaces the receipt `there`: what was attached before stays visible."""
    earlier = [*body.previous, *there.body.previous]
    if there.state is ReceiptState.ATTACHED and there.body.submission is not None:
        earlier.insert(0, _summary(there.body, there.body.submission))
    kept: dict[str, PreviousAttachment] = {}
    for summary in earlier:
        kept.setdefault(summary.submission, summary)
    kept.pop(body.submission or "", None)
    return body.with_changes(previous=tuple(kept.values())[:MOST_PREVIOUS])


def _summary(body: ReceiptBody, submission: str) -> PreviousAttachment:
    return PreviousAttachment(
        submission=submission,
        attachments=body.attachments,
        files=body.files,
        submitted_by=body.submitted_by,
        correlation_id=body.correlation_id,
        changed=body.changed,
    )


def report(record: Record, submission: Submission) -> ReceiptBody:
    """What a submission says to those who look at a receipt."""
    body = ReceiptBody(
        customer_id=record.customer_id,
        order_id=record.order_id,
        submission=record.name_of(submission),
        detail=submission.detail,
        correlation_id=submission.correlation_id,
        attempts=submission.attempt,
        partner_center=_partner_center(submission),
        next_attempt=to_text(submission.due) if submission.open and submission.due else None,
    )
    if submission.state is State.DONE:
        by = submission.sources[0].drop if submission.sources else "http"
        watched = record.orders.get(record.order_id)
        return body.with_changes(
            attachments=_attachments(submission),
            submitted_by=by,
            verified=submission.verified,
            order=order_now(watched) if watched else None,
        )
    if submission.state is State.REVIEW:
        first = f"{submission.remedy.rstrip('.')}; then " if submission.remedy else ""
        return body.with_changes(actor="operator", remedy=f"{first}{DECIDE}")
    return body.with_changes(actor=submission.actor or NOBODY, remedy=submission.remedy or RETRIED)


def order_now(watched: WatchedOrder) -> OrderNow | None:
    """The status of an order that is watched; None while it is not known."""
    if watched.since is None:
        return None
    asks = meaning(watched.status)
    return OrderNow(
        status=watched.status,
        since=to_text(watched.since),
        looked=to_text(watched.looked) if watched.looked else None,
        actor=asks.actor or None,
        next_action=asks.step or None,
    )


def _partner_center(submission: Submission) -> PartnerCenterAnswer | None:
    answer = submission.answer
    if answer is None:
        return None
    return PartnerCenterAnswer(
        status=answer.status, code=answer.code, description=answer.description, ids=answer.ids
    )


def _attachments(submission: Submission) -> tuple[Attachment, ...]:
    answered = attachments_in(submission.answer.body) if submission.answer else ()
    return answered or tuple(Attachment(attachment_id=i) for i in submission.ids)


def reports_on(kept: Receipt, record: Record, submission: Submission) -> bool:
    """Whether a receipt is of that submission: it says so, or was left by a look at the same versions."""
    if kept.body.submission is not None:
        return kept.body.submission == record.name_of(submission)
    versions = set(kept.versions.values())
    return any(
        source.drop == kept.path
        and source.sidecar_etag == kept.sidecar_etag
        and versions <= set(source.files.values())
        for source in submission.sources
    )


def is_deferral(kept: Receipt) -> bool:
    """Whether it reports a drop of which nothing was sent, and that no record in the ledger knows."""
    return kept.state is ReceiptState.RETRYING and kept.body.since is not None


def deferred_before(kept: Receipt | None, seen: datetime, sidecar_etag: str) -> bool:
    """Whether a receipt already reports that its drop cannot be sent; once it went to review for that, only
    while the drop's inputs are the same."""
    if kept is None or is_deferral(kept):
        return kept is not None
    over = kept.state is ReceiptState.REVIEW and kept.body.since is not None
    return over and (seen, sidecar_etag) == (kept.seen, kept.sidecar_etag)


def deferral(
    kept: Receipt | None,
    facts: ReceiptBody,
    error: AppError,
    wait: float | None,
    since: datetime,
    now: datetime,
) -> tuple[ReceiptState, ReceiptBody, datetime | None]:
    """A receipt's state, body and next attempt when nothing was sent, `since` when: the longer it lasts the
    rarer, and after a day it is a person's. `facts` is what is known of the drop."""
    body = still_true(kept).updated_by(facts)
    body = body.with_changes(actor=error.actor or NOBODY, since=to_text(since))
    if now - since > GIVE_UP:
        detail = f"not sent within {hours(GIVE_UP)}: {error}"
        return ReceiptState.REVIEW, body.with_changes(detail=detail, remedy=error.remedy or DECIDE), None
    waited = max(30.0, min((now - since).total_seconds() / 4, 900.0))
    due = now + timedelta(seconds=waited if wait is None else max(wait, 1.0))
    body = body.with_changes(detail=str(error), remedy=error.remedy or RETRIED, next_attempt=to_text(due))
    return ReceiptState.RETRYING, body, due


def still_true(kept: Receipt | None) -> ReceiptBody:
    """What stays true in a receipt when its drop comes to another state."""
    if kept is None:
        return ReceiptBody()
    body = kept.body
    return ReceiptBody(
        files=body.files,
        customer_id=body.customer_id,
        order_id=body.order_id,
        submission=body.submission,
    )


def with_attached(kept: Receipt, record: Record, submission: Submission) -> Receipt | None:
    """A rejected receipt that also lists what was attached from its drop before the drop became invalid."""
    name = record.name_of(submission)
    if (
        submission.state is not State.DONE
        or kept.state is not ReceiptState.REJECTED
        or any(summary.submission == name for summary in kept.body.previous)
        or not any(source.drop == kept.path for source in submission.sources)
    ):
        return None
    previous = (_summary(report(record, submission), name),)
    body = kept.body.with_changes(previous=previous)
    return Receipt(kept.path, kept.state, kept.seen, kept.sidecar_etag, body, step=kept.step)


def since_of(kept: Receipt | None, now: datetime) -> datetime:
    """Since when a drop has been where its receipt says that it is; `now` when that cannot be read."""
    return (iso_moment(kept.body.since or "") if kept else None) or now


def to_text(moment: datetime) -> str:
    """A moment as receipts write it."""
    return moment.isoformat(timespec="seconds")
