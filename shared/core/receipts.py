"""What a receipt says, and which receipt replaces which.

A drop has one receipt: what became of it, for those who have nothing but storage to look at. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.core.conclusions import GIVE_UP, hours
from shared.core.errors import AppError
from shared.core.ledger import Record, State, Submission
from shared.core.moments import iso_moment


class ReceiptState(StrEnum):
    """Where a drop stands, as its receipt tells."""

    WAITING = "waiting"
    SUBMITTING = "submitting"
    ATTACHED = "attached"
    REJECTED = "rejected"
    RETRYING = "retrying"
    REVIEW = "review"


STATES = {
    State.DONE: ReceiptState.ATTACHED,
    State.REFUSED: ReceiptState.REJECTED,
    State.CLAIMED: ReceiptState.SUBMITTING,
    State.PENDING: ReceiptState.RETRYING,
    State.UNKNOWN: ReceiptState.RETRYING,
    State.ACCEPTED: ReceiptState.RETRYING,
    State.REVIEW: ReceiptState.REVIEW,
}
"""Where a drop stands whose submission is in that state."""

NOBODY = "nobody"
RETRIED = "nothing to do: it is tried again at nextAttempt"
DECIDE = "look at the order in Partner Center, then decide: docs/operations.md"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is reported of a drop. `seen` is the moment of its newest input; `body` what a person reads;
    `step` the moment of the submission that it reports, None when it reports none."""

    path: str
    state: ReceiptState
    seen: datetime
    sidecar_etag: str
    body: Mapping[str, Any]
    due: datetime | None = None
    step: datetime | None = None

    @property
    def versions(self) -> dict[str, str]:
        """Name to ETag of the files that it reports, those that wait for a new signal last."""
        return dict(self._files())

    @property
    def etags(self) -> frozenset[str]:
        """The versions of files that it reports."""
        return frozenset(etag for _, etag in self._files())

    def _files(self) -> list[tuple[str, str]]:
        files = (*self.body.get("files", ()), *self.body.get("newer", {}).get("files", ()))
        return [(str(f.get("fileName")), str(f.get("etag"))) for f in files]


_RANK = {
    ReceiptState.WAITING: 0,
    ReceiptState.SUBMITTING: 1,
    ReceiptState.RETRYING: 1,
    ReceiptState.REJECTED: 2,
    ReceiptState.REVIEW: 3,
    ReceiptState.ATTACHED: 4,
}


def file_entry(name: str, kind: str, size: int, md5: str, etag: str) -> dict[str, Any]:
    """A file as receipts tell it."""
    return {"fileName": name, "kind": kind, "size": size, "md5": md5, "etag": etag}


def supersedes(new: Receipt, there: Receipt | None) -> bool:
    """Whether `new` may replace the receipt `there`: a look at newer inputs may, and of two looks at the same
    inputs the one that came further. Late actors thus never undo what a faster one has told."""
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
    same = new.body.get("submission") == there.body.get("submission")
    final = there.state is ReceiptState.ATTACHED is not new.state
    if there.step and same and new.step != there.step and not final:
        return new.step is not None and new.step > there.step
    if _RANK[new.state] == _RANK[there.state]:
        return new.state is not ReceiptState.ATTACHED
    return _RANK[new.state] > _RANK[there.state] or there.state is ReceiptState.REVIEW


MOST_PREVIOUS = 10
_SUMMARY = ("submission", "attachments", "files", "submittedBy", "correlationId", "changed")


def with_previous(body: Mapping[str, Any], there: Receipt) -> dict[str, Any]:
    """A receipt's body that replaces the receipt `there`: what was attached before stays visible."""
    earlier = [dict(p) for told in (body, there.body) for p in told.get("previous", ())]
    if there.state is ReceiptState.ATTACHED and "submission" in there.body:
        earlier.insert(0, {name: there.body[name] for name in _SUMMARY if name in there.body})
    kept: dict[Any, dict[str, Any]] = {}
    for summary in earlier:
        kept.setdefault(summary.get("submission"), summary)
    kept.pop(body.get("submission"), None)
    previous = list(kept.values())[:MOST_PREVIOUS]
    return {**body, "previous": previous} if previous else dict(body)


def report(record: Record, submission: Submission) -> dict[str, Any]:
    """What a submission says to those who look at a receipt."""
    body: dict[str, Any] = {
        "customerId": record.customer_id,
        "orderId": record.order_id,
        "submission": record.name_of(submission),
        "detail": submission.detail,
        "correlationId": submission.correlation_id,
        "attempts": submission.attempt,
    }
    answer = submission.answer
    if answer is not None:
        told = {"status": answer.status, "code": answer.code, "description": answer.description}
        ids = answer.ids.model_dump(by_alias=True, exclude_defaults=True)
        body["partnerCenter"] = {name: value for name, value in (told | {"ids": ids}).items() if value}
    if submission.state is State.DONE:
        body["attachments"] = _attachments(submission)
        body["submittedBy"] = submission.sources[0].drop if submission.sources else "http"
        body |= {} if submission.verified else {"verified": False}
    elif submission.state is State.REVIEW:
        first = f"{submission.remedy.rstrip('.')}; then " if submission.remedy else ""
        body |= {"actor": "operator", "remedy": f"{first}{DECIDE}"}
    else:
        body |= {"actor": submission.actor or NOBODY, "remedy": submission.remedy or RETRIED}
    if submission.open and submission.due:
        body["nextAttempt"] = to_text(submission.due)
    return body


def _attachments(submission: Submission) -> object:
    try:
        items = json.loads(submission.answer.body)["items"] if submission.answer else []
    except (ValueError, KeyError, TypeError):
        items = []
    return items or [{"attachmentId": i} for i in submission.ids]


def reports_on(kept: Receipt, record: Record, submission: Submission) -> bool:
    """Whether a receipt is of that submission: it says so, or was left by a look at the same versions."""
    if "submission" in kept.body:
        return bool(kept.body["submission"] == record.name_of(submission))
    versions = set(kept.versions.values())
    return any(
        source.drop == kept.path
        and source.sidecar_etag == kept.sidecar_etag
        and versions <= set(source.files.values())
        for source in submission.sources
    )


_KEPT = ("files", "customerId", "orderId", "submission")


def is_deferral(kept: Receipt) -> bool:
    """Whether it tells of a drop of which nothing was sent, and no record but this one."""
    return kept.state is ReceiptState.RETRYING and "since" in kept.body


def deferred_before(kept: Receipt | None, seen: datetime, sidecar_etag: str) -> bool:
    """Whether a receipt already tells that its drop cannot be sent; for so long that it went to review, only
    while the drop's inputs are the same."""
    if kept is None or is_deferral(kept):
        return kept is not None
    over = kept.state is ReceiptState.REVIEW and "since" in kept.body
    return over and (seen, sidecar_etag) == (kept.seen, kept.sidecar_etag)


def deferral(
    kept: Receipt | None,
    facts: Mapping[str, Any],
    error: AppError,
    wait: float | None,
    since: datetime,
    now: datetime,
) -> tuple[ReceiptState, dict[str, Any], datetime | None]:
    """A receipt's state, body and next attempt when nothing was sent, `since` when: the longer it lasts the
    rarer, and after a day it is a person's."""
    body = {**still_true(kept), **facts, "actor": error.actor or NOBODY, "since": to_text(since)}
    if now - since > GIVE_UP:
        said = f"not sent within {hours(GIVE_UP)}: {error}"
        return ReceiptState.REVIEW, {**body, "detail": said, "remedy": error.remedy or DECIDE}, None
    waited = max(30.0, min((now - since).total_seconds() / 4, 900.0))
    due = now + timedelta(seconds=waited if wait is None else max(wait, 1.0))
    body |= {"detail": str(error), "remedy": error.remedy or RETRIED, "nextAttempt": to_text(due)}
    return ReceiptState.RETRYING, body, due


def still_true(kept: Receipt | None) -> dict[str, Any]:
    """What stays true in a receipt when its drop comes to another state."""
    return {name: kept.body[name] for name in _KEPT if name in kept.body} if kept else {}


def with_attached(kept: Receipt, record: Record, submission: Submission) -> Receipt | None:
    """A rejected receipt that tells what was attached from its drop after all, and before it was spoilt."""
    told = {summary.get("submission") for summary in kept.body.get("previous", ())}
    if (
        submission.state is not State.DONE
        or kept.state is not ReceiptState.REJECTED
        or record.name_of(submission) in told
        or not any(source.drop == kept.path for source in submission.sources)
    ):
        return None
    said = report(record, submission)
    summary = {name: said[name] for name in ("submission", "attachments", "submittedBy", "correlationId")}
    body = {**kept.body, "previous": [summary]}
    return Receipt(kept.path, kept.state, kept.seen, kept.sidecar_etag, body, step=kept.step)


def since_of(kept: Receipt | None, now: datetime) -> datetime:
    """Since when a drop has been where its receipt says that it is; `now` when that cannot be read."""
    return (iso_moment(str(kept.body.get("since"))) if kept else None) or now


def to_text(moment: datetime) -> str:
    """A moment as receipts tell it."""
    return moment.isoformat(timespec="seconds")
