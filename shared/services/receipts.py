"""What the receipts of drops say, and when they are written."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.core.conclusions import GIVE_UP
from shared.core.drops import Receipt, ReceiptState, receipt_of_document, supersedes
from shared.core.ledger import Record, State, Submission
from shared.errors import AppError, StorageError, Violation
from shared.services.bell import Bell
from shared.services.snapshot import DropSnapshot
from shared.storage.blobs import Clock
from shared.storage.receipts import KeptReceipt, ReceiptStore
from shared.story import log_event

RECHECK_AFTER = timedelta(minutes=15)
"""How soon a drop that waits is looked at again without an event; its files' own events are what wakes it.
The longer it has waited, the rarer, down to once a day."""
A_DAY = timedelta(days=1)

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

_KEPT = ("files", "customerId", "orderId", "submission")
"""What stays true in a receipt when its drop comes to another state."""

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def submission_key(record: Record, submission: Submission) -> str:
    """How a submission is named to the outside."""
    return record.key if record.kind == "order" else f"{record.key}/{submission.digest}"


def report(record: Record, submission: Submission) -> dict[str, Any]:
    """What a submission says to those who look at a receipt."""
    body: dict[str, Any] = {
        "customerId": record.customer_id,
        "orderId": record.order_id,
        "submission": submission_key(record, submission),
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
        body |= {"actor": "operator", "remedy": submission.remedy or DECIDE}
    else:
        body |= {"actor": submission.actor or NOBODY, "remedy": submission.remedy or RETRIED}
    if submission.open and submission.due:
        body["nextAttempt"] = submission.due.isoformat(timespec="seconds")
    return body


def _attachments(submission: Submission) -> object:
    try:
        items = json.loads(submission.answer.body)["items"] if submission.answer else []
    except (ValueError, KeyError, TypeError):
        items = []
    return items or [{"attachmentId": i} for i in submission.ids]


def files_of(snapshot: DropSnapshot) -> list[dict[str, Any]]:
    """The files that were found, in the versions that were found."""
    return [
        {
            "fileName": f.name,
            "kind": str(f.role),
            "size": f.size,
            "md5": snapshot.streams[name].md5,
            "etag": f.etag,
        }
        for name, f in snapshot.found.items()
    ]


def about(snapshot: DropSnapshot) -> dict[str, Any]:
    """Which order a drop is for, and its files."""
    body: dict[str, Any] = {"files": files_of(snapshot)}
    if snapshot.sidecar:
        body |= {"customerId": snapshot.sidecar.customer_id, "orderId": snapshot.sidecar.order_id}
    return body


def reports_on(kept: Receipt, record: Record, submission: Submission) -> bool:
    """Whether a receipt is of that submission: it says so, or was left by a look at the same versions."""
    if "submission" in kept.body:
        return bool(kept.body["submission"] == submission_key(record, submission))
    versions = set(kept.versions.values())
    return any(
        source.drop == kept.path
        and source.sidecar_etag == kept.sidecar_etag
        and versions <= set(source.files.values())
        for source in submission.sources
    )


@dataclass(frozen=True, slots=True)
class Receipts:
    """Writes the receipts of drops."""

    store: ReceiptStore
    bell: Bell
    clock: Clock

    def report_outcome(
        self,
        snapshot: DropSnapshot,
        record: Record,
        submission: Submission,
        *,
        read_first: bool,
        waits: bool,
    ) -> None:
        """What became of the submission that a drop is. `waits`: it is likely that its receipt waits."""
        body = {**report(record, submission), "files": files_of(snapshot)}
        self._write(
            snapshot,
            STATES[submission.state],
            body,
            due=self._due(submission),
            step=submission.changed,
            read_first=read_first,
            waits=waits,
        )

    def report_superseded(self, snapshot: DropSnapshot, record: Record, submission: Submission) -> None:
        """The drop has newer documents, which wait for the sidecar: it stays what it was."""
        source = next((s for s in submission.sources if s.drop == snapshot.path), None)
        etags = {path.rpartition("/")[2]: etag for path, etag in source.files.items()} if source else {}
        body = report(record, submission)
        body["files"] = [
            {
                "fileName": d.file_name,
                "kind": d.kind,
                "size": d.size,
                "md5": d.md5,
                "etag": etags.get(d.file_name, ""),
            }
            for d in submission.documents
        ]
        sent = {(d.file_name, d.md5) for d in submission.documents}
        newer = [f for f in files_of(snapshot) if (f["fileName"], f["md5"]) not in sent]
        body["newer"] = {
            "files": newer or files_of(snapshot),
            "detail": "these files changed after the sidecar was used; they were not sent",
            "remedy": f"upload {snapshot.path.rpartition('/')[2]} again to send them",
        }
        due, step = self._due(submission), submission.changed
        self._write(snapshot, STATES[submission.state], body, due=due, step=step, read_first=True)

    def report_waiting(self, snapshot: DropSnapshot, missing: tuple[str, ...], correlation_id: str) -> None:
        """Files are missing. How long it has waited is told by the receipt that it left before."""
        now = self.clock()

        def build(kept: KeptReceipt | None) -> Receipt | None:
            since = now
            if kept and kept.state is ReceiptState.WAITING and kept.sidecar_etag == snapshot.etag:
                since = _moment(kept.body.get("since"), now)
            due = now + min(max(RECHECK_AFTER, (now - since) / 4), A_DAY)
            body = {
                **about(snapshot),
                "waitingFor": list(missing),
                "since": since.isoformat(timespec="seconds"),
                "actor": "caller",
                "remedy": "upload the missing files; the drop is sent when all of them are there",
                "correlationId": correlation_id,
                "changed": now.isoformat(timespec="seconds"),
            }
            state = ReceiptState.WAITING
            receipt = Receipt(snapshot.path, state, snapshot.newest, snapshot.etag, body, due)
            return receipt if kept is None or supersedes(receipt, kept) else None

        if self.store.replace(snapshot.path, build):
            self._log(ReceiptState.WAITING, snapshot.path, {"correlationId": correlation_id})

    def report_rejected(
        self, snapshot: DropSnapshot, violations: tuple[Violation, ...], correlation_id: str
    ) -> None:
        """It cannot be sent as it is: every fault at once."""
        body = {
            **about(snapshot),
            "detail": f"{len(violations)} faults; `errors` names each",
            "actor": "caller",
            "errors": [{"pointer": v.pointer, "detail": v.detail} for v in violations],
            "remedy": "fix the listed errors and upload the named files again",
            "correlationId": correlation_id,
        }
        self._write(snapshot, ReceiptState.REJECTED, body, read_first=True)

    def report_submitting(self, snapshot: DropSnapshot, submission: str, correlation_id: str) -> None:
        """It is large, and is being sent."""
        body = {**about(snapshot), "submission": submission, "correlationId": correlation_id}
        due = self.clock() + RECHECK_AFTER
        self._write(snapshot, ReceiptState.SUBMITTING, body, due=due)

    def report_deferred(
        self,
        snapshot: DropSnapshot,
        error: AppError,
        wait: float | None,
        correlation_id: str,
        behind: str = "",
        *,
        read_first: bool = True,
    ) -> None:
        """Nothing was sent, and nothing recorded but here. `wait` is in seconds, None when only time tells;
        `behind` is the record of the order that is busy."""
        facts = about(snapshot)
        self._defer(
            snapshot.path, facts, error, wait, correlation_id, behind, snapshot, read_first=read_first
        )

    def report_failure(self, path: str, error: Exception, correlation_id: str) -> None:
        """Processing itself failed: tried again where time may cure it, for a person where the fault is ours.

        Raises StorageError when not even that can be written.
        """
        if isinstance(error, StorageError):
            self._defer(path, {}, error, None, correlation_id, "", None)
            return
        now = self.clock()

        def build(kept: KeptReceipt | None) -> Receipt:
            body = {
                **_still_true(kept),
                "detail": f"processing fails with {type(error).__name__}",
                "actor": "operator",
                "remedy": "look up the correlation id in the log, mend the cause, upload the sidecar again",
                "correlationId": correlation_id,
                "changed": now.isoformat(timespec="seconds"),
            }
            return _over(kept, path, ReceiptState.REVIEW, body, None)

        self.store.replace(path, build, read_first=True)

    def _defer(
        self,
        path: str,
        facts: Mapping[str, Any],
        error: AppError,
        wait: float | None,
        correlation_id: str,
        behind: str,
        snapshot: DropSnapshot | None,
        *,
        read_first: bool = True,
    ) -> None:
        now = self.clock()
        due: datetime | None = None

        def build(kept: KeptReceipt | None) -> Receipt | None:
            nonlocal due
            since = _moment(kept.body.get("since"), now) if kept and _is_deferral(kept) else now
            waited = max(30.0, min((now - since).total_seconds() / 4, 900.0))
            due = now + timedelta(seconds=waited if wait is None else max(wait, 1.0))
            over = now - since > GIVE_UP
            body = {
                **_still_true(kept),
                **facts,
                "detail": f"not sent within 24 hours: {error}" if over else str(error),
                "actor": error.actor or NOBODY,
                "remedy": error.remedy or (DECIDE if over else RETRIED),
                "since": since.isoformat(timespec="seconds"),
                "correlationId": correlation_id,
                "changed": now.isoformat(timespec="seconds"),
                **({} if over else {"nextAttempt": due.isoformat(timespec="seconds")}),
            }
            if snapshot is not None or (kept and kept.state is ReceiptState.ATTACHED):
                body.pop("submission", None)
            due = None if over else due
            state = ReceiptState.REVIEW if over else ReceiptState.RETRYING
            if snapshot is None:
                return _over(kept, path, state, body, due)
            receipt = Receipt(path, state, snapshot.newest, snapshot.etag, body, due)
            return receipt if kept is None or _is_deferral(kept) or supersedes(receipt, kept) else None

        if self.store.replace(path, build, read_first=read_first):
            self._log(ReceiptState.RETRYING, path, {"detail": str(error), "correlationId": correlation_id})
            if due is not None:
                self.bell.ring("drop", path, due, behind=behind)

    def claimed_orphans(self, snapshot: DropSnapshot) -> None:
        """A document that had a receipt of its own, because nobody claimed it for a day, was claimed."""
        for stream in snapshot.streams.values():
            path = receipt_of_document(stream.name)
            if path == snapshot.path or self.clock() - stream.last_modified < A_DAY:
                continue
            kept = self.store.read(path)
            if kept and kept.state is ReceiptState.REVIEW and "submission" not in kept.body:
                body = {"detail": f"it was claimed by {snapshot.path}", "files": kept.body.get("files", [])}
                receipt = Receipt(path, ReceiptState.ATTACHED, kept.seen, kept.sidecar_etag, body)
                self.store.write(receipt, expected=kept)

    def refresh(self, path: str, record: Record, submission: Submission) -> None:
        """Bring a receipt up to date by the submission of its drop. A receipt that a look at newer inputs has
        left is not that submission's; but what was attached is told there too."""
        now = self.clock()

        def build(kept: KeptReceipt | None) -> Receipt | None:
            if kept is None:
                return None
            if not reports_on(kept, record, submission):
                return _with_attached(kept, record, submission)
            keep = {name: kept.body[name] for name in ("files", "newer") if name in kept.body}
            body = {**report(record, submission), **keep, "changed": now.isoformat(timespec="seconds")}
            state, due = STATES[submission.state], self._due(submission)
            receipt = Receipt(path, state, kept.seen, kept.sidecar_etag, body, due, submission.changed)
            return receipt if supersedes(receipt, kept) else None

        if self.store.replace(path, build, read_first=True):
            self._log(STATES[submission.state], path, report(record, submission))

    def report_deleted(self, path: str) -> None:
        """The sidecar was deleted before its drop was complete."""
        now = self.clock()

        def build(kept: KeptReceipt | None) -> Receipt | None:
            if kept is None or kept.state in (ReceiptState.ATTACHED, ReceiptState.REJECTED):
                return None
            body = {
                **_still_true(kept),
                "detail": "the sidecar was deleted before the drop was complete; nothing was sent",
                "actor": "caller",
                "remedy": "upload the sidecar and its documents again",
                "changed": now.isoformat(timespec="seconds"),
            }
            return Receipt(path, ReceiptState.REJECTED, kept.seen, kept.sidecar_etag, body)

        self.store.replace(path, build, read_first=True)

    def _due(self, submission: Submission) -> datetime | None:
        """When a receipt is to be looked at again. One in review follows what a person decided, also where
        the submission is another drop's; one that waits for whoever holds the content holds it here."""
        if submission.state is State.REVIEW:
            return self.clock() + A_DAY
        return submission.due or self.clock() + timedelta(minutes=1) if submission.open else None

    def _write(
        self,
        snapshot: DropSnapshot,
        state: ReceiptState,
        body: Mapping[str, Any],
        *,
        due: datetime | None = None,
        step: datetime | None = None,
        read_first: bool = False,
        waits: bool = False,
    ) -> None:
        stamped = {**body, "changed": self.clock().isoformat(timespec="seconds")}
        receipt = Receipt(snapshot.path, state, snapshot.newest, snapshot.etag, stamped, due, step)
        over_waiting = waits and not read_first
        if (
            self.store.replace_waiting(receipt)
            if over_waiting
            else self.store.write(receipt, read_first=read_first)
        ):
            self._log(state, snapshot.path, body)

    @staticmethod
    def _log(state: ReceiptState, path: str, body: Mapping[str, Any]) -> None:
        bad = state in (ReceiptState.REJECTED, ReceiptState.REVIEW)
        names = ("customerId", "orderId", "submission", "correlationId", "detail", "actor", "errors")
        fields = {name: body[name] for name in names if name in body}
        log_event(f"drop {state}", logging.WARNING if bad else logging.INFO, drop=path, **fields)


def _is_deferral(kept: Receipt) -> bool:
    return kept.state is ReceiptState.RETRYING and "since" in kept.body


def _still_true(kept: Receipt | None) -> dict[str, Any]:
    return {name: kept.body[name] for name in _KEPT if name in kept.body} if kept else {}


def _with_attached(kept: Receipt, record: Record, submission: Submission) -> Receipt | None:
    """A rejected receipt that tells what was attached from its drop after all, and before it was spoilt."""
    told = {summary.get("submission") for summary in kept.body.get("previous", ())}
    if (
        submission.state is not State.DONE
        or kept.state is not ReceiptState.REJECTED
        or submission_key(record, submission) in told
        or not any(source.drop == kept.path for source in submission.sources)
    ):
        return None
    said = report(record, submission)
    summary = {name: said[name] for name in ("submission", "attachments", "submittedBy", "correlationId")}
    body = {**kept.body, "previous": [summary]}
    return Receipt(kept.path, kept.state, kept.seen, kept.sidecar_etag, body, step=kept.step)


def _over(
    kept: Receipt | None, path: str, state: ReceiptState, body: Mapping[str, Any], due: datetime | None
) -> Receipt:
    """A receipt of the same inputs as the one that lies there."""
    seen, etag, step = (kept.seen, kept.sidecar_etag, kept.step) if kept else (_LONG_AGO, "", None)
    return Receipt(path, state, seen, etag, body, due, step)


def _moment(text: object, default: datetime) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return default
