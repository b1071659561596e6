"""When the receipts of drops are written; what they say is in shared/core/receipt_rules.py."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.audit_log import log_event
from shared.clock import Clock
from shared.core.drop_rules import receipt_of_document, stem_sidecar
from shared.core.errors import (
    AppError,
    IncompleteDocumentError,
    NotConfiguredError,
    StorageError,
    Violation,
)
from shared.core.ledger import Record, State, Submission
from shared.core.moments import LONG_AGO
from shared.core.receipt_parts import (
    FileEntry,
    NewerFiles,
    Receipt,
    ReceiptBody,
    ReceiptState,
    ReceiptViolation,
    VersionedReceipt,
)
from shared.core.receipt_rules import (
    deferral,
    deferred_before,
    is_deferral,
    report,
    reports_on,
    since_of,
    state_of,
    still_true,
    supersedes,
    to_text,
    with_attached,
)
from shared.core.uploads import FOLDER
from shared.services.bell import Bell
from shared.services.snapshot import DropSnapshot
from shared.storage.blobs import BlobEntry
from shared.storage.receipt_store import Build, ReceiptStore

log = logging.getLogger(__name__)

RECHECK_AFTER = timedelta(minutes=15)
"""How soon a drop that waits is looked at again without an event; its files' own events are what wakes it.
The longer it has waited, the rarer, down to once in RECHECK_AT_LEAST."""
RECHECK_AT_LEAST = timedelta(days=1)
ORPHAN_AFTER = timedelta(days=1)
"""After so long a document that no sidecar claims gets a receipt of its own."""

UPLOAD_AGAIN = "fix the listed errors and upload the named files again"
UPLOAD_ANEW = "fix the listed errors and ask for a new upload: the addresses of this one take no second file"
UPLOAD_MISSING = "upload the missing files; the drop is sent when all of them are there"


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
        body = report(record, submission).with_changes(files=snapshot.files())
        receipt = self._of_submission(snapshot, submission, body)
        if read_first or not waits:
            self._write(receipt, read_first=read_first)
        elif self.store.replace_waiting(receipt):
            _log(receipt)

    def report_superseded(self, snapshot: DropSnapshot, record: Record, submission: Submission) -> None:
        """The drop has newer documents, which wait for the sidecar: it stays what it was."""
        source = next((s for s in submission.sources if s.drop == snapshot.path), None)
        etags = {path.rpartition("/")[2]: etag for path, etag in source.files.items()} if source else {}
        sent = {(d.file_name, d.md5) for d in submission.documents}
        changed = tuple(f for f in snapshot.files() if (f.file_name, f.md5) not in sent)
        body = report(record, submission).with_changes(
            files=tuple(
                FileEntry(
                    file_name=d.file_name,
                    kind=d.kind,
                    size=d.size,
                    md5=d.md5,
                    etag=etags.get(d.file_name, ""),
                )
                for d in submission.documents
            ),
            newer=NewerFiles(
                files=changed or snapshot.files(),
                detail="these files changed after the sidecar was used; they were not sent",
                remedy=f"upload {snapshot.path.rpartition('/')[2]} again to send them",
            ),
        )
        self._write(self._of_submission(snapshot, submission, body), read_first=True)

    def report_waiting(
        self,
        snapshot: DropSnapshot,
        missing: tuple[str, ...],
        incomplete: tuple[str, ...],
        correlation_id: str,
        near: Sequence[str] = (),
        *,
        end: datetime | None = None,
    ) -> None:
        """Files are missing (`near` says which names in the folder nearly fit), or `incomplete` for the
        reasons given; `end` is when it waits no longer. How long it has waited is told by the receipt that it
        left before."""
        now = self.clock()

        def build(kept: VersionedReceipt | None) -> Receipt | None:
            since = now
            if kept and kept.state is ReceiptState.WAITING and kept.sidecar_etag == snapshot.etag:
                since = since_of(kept, now)
            body = snapshot.facts().with_changes(
                waiting_for=missing or None,
                detail="; ".join((*incomplete, *near)) or None,
                since=to_text(since),
                actor="caller",
                remedy="; ".join(
                    [UPLOAD_MISSING] * bool(missing) + [IncompleteDocumentError.remedy] * bool(incomplete)
                ),
                correlation_id=correlation_id,
            )
            due = now + min(max(RECHECK_AFTER, (now - since) / 4), RECHECK_AT_LEAST)
            due = min(due, end) if end else due
            receipt = self._of(snapshot, ReceiptState.WAITING, body, due)
            return receipt if supersedes(receipt, kept) else None

        self._replace(snapshot.path, build, read_first=False)

    def report_rejected(
        self,
        snapshot: DropSnapshot,
        violations: tuple[Violation, ...],
        correlation_id: str,
        remedy: str = "",
    ) -> None:
        """It cannot be sent as it is: every fault at once. `remedy` is what to do, "" for mending it."""
        body = snapshot.facts().with_changes(
            detail="the drop has faults; see `errors`",
            actor="caller",
            errors=tuple(ReceiptViolation(pointer=v.pointer, detail=v.detail) for v in violations),
            remedy=remedy or (UPLOAD_ANEW if snapshot.path.startswith(FOLDER) else UPLOAD_AGAIN),
            correlation_id=correlation_id,
        )
        self._write(self._of(snapshot, ReceiptState.REJECTED, body), read_first=True)

    def report_submitting(self, snapshot: DropSnapshot, submission: str, correlation_id: str) -> None:
        """It is large, and is being sent."""
        body = snapshot.facts().with_changes(submission=submission, correlation_id=correlation_id)
        due = self.clock() + RECHECK_AFTER
        self._write(self._of(snapshot, ReceiptState.SUBMITTING, body, due))

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

        def build(kept: VersionedReceipt | None) -> Receipt | None:
            facts, now = snapshot.facts(), self.clock()
            facts = facts.updated_by(ReceiptBody(correlation_id=correlation_id))
            since = since_of(kept, now) if deferred_before(kept, snapshot.newest, snapshot.etag) else now
            state, body, due = deferral(kept, facts, error, wait, since, now)
            receipt = self._of(snapshot, state, body.with_changes(submission=None), due)
            return receipt if (kept and is_deferral(kept)) or supersedes(receipt, kept) else None

        self._replace(snapshot.path, build, read_first=read_first, behind=behind)

    def report_failure(self, path: str, error: Exception, correlation_id: str) -> None:
        """Processing itself failed: tried again where time may cure it, for a person where the fault is ours.

        Raises StorageError when not even that can be written.
        """

        def build(kept: VersionedReceipt | None) -> Receipt:
            facts, now = ReceiptBody(correlation_id=correlation_id), self.clock()
            if isinstance(error, StorageError):
                if kept and kept.state is ReceiptState.REVIEW:
                    # a look that sees nothing takes nothing from the person
                    same = self._over(kept, path, kept.state, kept.body, now + RECHECK_AT_LEAST)
                    return replace(same, body=kept.body, mirrors=kept.step is not None)
                since = since_of(kept, now) if kept and is_deferral(kept) else now
                state, body, due = deferral(kept, facts, error, None, since, now)
                if kept and kept.state is ReceiptState.ATTACHED:
                    body = body.with_changes(submission=None)
                return self._over(kept, path, state, body, due)
            body = still_true(kept).with_changes(
                correlation_id=correlation_id,
                detail=f"processing failed with {type(error).__name__}",
                actor="operator",
                remedy="look up the correlation id in the log, fix the cause and upload the sidecar again",
            )
            return self._over(kept, path, ReceiptState.REVIEW, body)

        self._replace(path, build)

    def report_unconfigured(self, path: str, error: NotConfiguredError, correlation_id: str) -> None:
        """A sidecar came while settings keep the app from working. Nobody looked at its drop, so this says no
        more than that, over no other receipt, and counts no time: the sweep that runs once the settings are
        mended finds it. Raises StorageError."""
        now = self.clock()
        body = ReceiptBody(
            detail=str(error), actor=error.actor, remedy=error.remedy, correlation_id=correlation_id
        )
        receipt = self._over(None, path, ReceiptState.RETRYING, body, now)
        if self.store.replace(path, lambda kept: None if kept else receipt):
            _log(receipt)

    def report_orphan(self, document: BlobEntry) -> None:
        """No sidecar has claimed a document within a day."""
        file = FileEntry(file_name=document.name.rpartition("/")[2], size=document.size, etag=document.etag)
        body = ReceiptBody(
            detail="no sidecar has claimed this document within a day",
            actor="caller",
            files=(file,),
            remedy=f"upload its sidecar, for example {stem_sidecar(document.name)}",
            changed=to_text(self.clock()),
        )
        path = receipt_of_document(document.name)
        self._write(Receipt(path, ReceiptState.REVIEW, document.last_modified, "", body), read_first=True)

    def claimed_orphans(self, snapshot: DropSnapshot) -> None:
        """A document that had a receipt of its own, because nobody claimed it for a day, was claimed."""
        for stream in snapshot.streams.values():
            path = receipt_of_document(stream.name)
            if path == snapshot.path or self.clock() - stream.last_modified < ORPHAN_AFTER:
                continue
            kept = self.store.read(path)
            if kept and kept.state is ReceiptState.REVIEW and kept.body.submission is None:
                body = ReceiptBody(detail=f"claimed by {snapshot.path}", files=kept.body.files or ())
                receipt = Receipt(path, ReceiptState.ATTACHED, kept.seen, kept.sidecar_etag, body)
                self.store.write(receipt, expected=kept)

    def refresh(self, path: str, record: Record, submission: Submission) -> None:
        """Bring a receipt up to date by the submission of its drop. A receipt that a look at newer inputs has
        left is not that submission's; but what was attached is told there too."""

        def build(kept: VersionedReceipt | None) -> Receipt | None:
            if kept is None:
                return None
            if not reports_on(kept, record, submission):
                return with_attached(kept, record, submission)
            body = report(record, submission).with_changes(files=kept.body.files, newer=kept.body.newer)
            due, step = self._due(submission), submission.changed
            receipt = self._over(kept, path, state_of(submission), body, due)
            receipt = replace(receipt, step=step, mirrors=True)
            return receipt if supersedes(receipt, kept) else None

        self._replace(path, build)

    def refresh_all(self, record: Record, digest: str) -> None:
        """Bring the receipts of a submission's drops up to date. What became of it stands in the ledger: one
        that storage does not take now follows when it is due."""
        own = record.submissions.get(digest)
        if own is None:
            return
        for source in own.sources:
            try:
                self.refresh(source.drop, record, own)
            except StorageError:
                log.exception("the receipt of %s could not be written", source.drop)

    def report_deleted(self, path: str) -> None:
        """The sidecar was deleted before its drop was complete."""

        def build(kept: VersionedReceipt | None) -> Receipt | None:
            if kept is None or kept.state in (ReceiptState.ATTACHED, ReceiptState.REJECTED):
                return None
            body = still_true(kept).with_changes(
                detail="the sidecar was deleted before the drop was complete; nothing was sent",
                actor="caller",
                remedy="upload the sidecar and its documents again",
            )
            return replace(self._over(kept, path, ReceiptState.REJECTED, body), step=None)

        self._replace(path, build)

    def _due(self, submission: Submission) -> datetime | None:
        """When a receipt is to be looked at again. One in review follows what a person decided, also where
        the submission is another drop's; one that waits for whoever holds the content holds it here."""
        if submission.state is State.REVIEW:
            return self.clock() + RECHECK_AT_LEAST
        return submission.due or self.clock() + timedelta(minutes=1) if submission.open else None

    def _of(
        self,
        snapshot: DropSnapshot,
        state: ReceiptState,
        body: ReceiptBody,
        due: datetime | None = None,
    ) -> Receipt:
        """The receipt of what was seen just now."""
        stamped = body.with_changes(changed=to_text(self.clock()))
        return Receipt(snapshot.path, state, snapshot.newest, snapshot.etag, stamped, due)

    def _of_submission(self, snapshot: DropSnapshot, submission: Submission, body: ReceiptBody) -> Receipt:
        receipt = self._of(snapshot, state_of(submission), body, self._due(submission))
        return replace(receipt, step=submission.changed, mirrors=True)

    def _over(
        self,
        kept: Receipt | None,
        path: str,
        state: ReceiptState,
        body: ReceiptBody,
        due: datetime | None = None,
    ) -> Receipt:
        """A receipt of the same inputs as the one that lies there."""
        seen, etag, step = (kept.seen, kept.sidecar_etag, kept.step) if kept else (LONG_AGO, "", None)
        stamped = body.with_changes(changed=to_text(self.clock()))
        return Receipt(path, state, seen, etag, stamped, due, step)

    def _write(self, receipt: Receipt, *, read_first: bool = False) -> None:
        if self.store.write(receipt, read_first=read_first):
            _log(receipt)

    def _replace(self, path: str, build: Build, *, read_first: bool = True, behind: str = "") -> None:
        """Write what `build` makes; what is retried without a record of its own is rung for."""
        receipt = self.store.replace(path, build, read_first=read_first)
        if receipt is None:
            return
        _log(receipt)
        if receipt.due is not None and is_deferral(receipt):
            self.bell.ring("drop", path, receipt.due, behind=behind)


def _log(receipt: Receipt) -> None:
    bad = receipt.state in (ReceiptState.REJECTED, ReceiptState.REVIEW)
    level = logging.WARNING if bad else logging.INFO
    body = receipt.body
    log_event(
        f"drop {receipt.state}",
        level,
        drop=receipt.path,
        newest=receipt.seen.isoformat(timespec="seconds"),
        customerId=body.customer_id,
        orderId=body.order_id,
        submission=body.submission,
        correlationId=body.correlation_id,
        detail=body.detail,
        actor=body.actor,
        errors=[{"pointer": v.pointer, "detail": v.detail} for v in body.errors] or None,
    )
