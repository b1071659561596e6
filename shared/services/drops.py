"""Process a drop: take a snapshot of what is in storage now, decide, carry it out, write the receipt.

Events are doorbells. Whatever rings (a document's event, a sidecar's, a message, an operator), `process`
looks again and does what the drop needs; ringing twice does nothing twice.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from enum import Enum, auto

from shared.clock import Deadline
from shared.core.bindings import Bindings
from shared.core.drop_rules import (
    Decision,
    Reject,
    Submit,
    Wait,
    decide,
    dependencies_to_register,
    is_document,
    is_sidecar,
    nearly,
    own_sidecars,
    receipt_of_document,
    stem_sidecar,
)
from shared.core.errors import (
    AppError,
    IncompleteDocumentError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    OrderBusyError,
    PartnerCenterError,
    SourceFailedError,
    StateConflictError,
    StorageError,
    ThrottledError,
    Violation,
)
from shared.core.ledger import State
from shared.core.ledger_parts import Source
from shared.core.models import DocumentSet
from shared.core.receipt_parts import Receipt, VersionedReceipt
from shared.core.uploads import ends_waiting
from shared.services.attachment_operation import MOST_BYTES, seconds_for
from shared.services.attachments import Attachments
from shared.services.receipts import Receipts
from shared.services.snapshot import DropSnapshot, take_snapshot
from shared.settings import Limits
from shared.storage.blobs import BlobStore
from shared.storage.dependency_index import DependencyIndex
from shared.storage.ledger_store import VersionedRecord

log = logging.getLogger(__name__)

SLOW = 8 * 1024 * 1024
"""From this many bytes on a receipt says `submitting` before the documents are sent."""


MOST_NEAR = 10
"""Names that nearly fit, in one receipt."""


class Receipted(Enum):
    """Which receipt a drop is likely to have already; it decides what is asked of storage first, no more."""

    NOT_YET = auto()
    WAITING = auto()
    SOMEHOW = auto()


@dataclass(frozen=True, slots=True)
class Task:
    """Why a drop is looked at. `stored` is the record of its order, if it was read just now."""

    correlation_id: str
    receipt: Receipted = Receipted.NOT_YET
    stored: VersionedRecord | None = None


@dataclass(frozen=True, slots=True)
class Drops:
    """The drops of one container."""

    blobs: BlobStore
    incoming: str
    receipts: Receipts
    dependencies: DependencyIndex
    attachments: Attachments
    limits: Limits
    bindings: Bindings

    def handle_blob_event(self, name: str, correlation_id: str) -> None:
        """A blob was written. Raises StorageError, which a redelivery cures; all else is told by receipts."""
        task = Task(correlation_id, Receipted.WAITING)
        if is_sidecar(name):
            self.process(name, replace(task, receipt=Receipted.NOT_YET))
        elif is_document(name) and not self.process(stem_sidecar(name), task):
            for sidecar in self.dependencies.sidecars_of(name):
                self.process(sidecar, task)

    def process_or_report(
        self, name: str, correlation_id: str, stored: VersionedRecord | None = None
    ) -> bool:
        """Process a blob whose event has failed too often, or never came; whether there is a sidecar that
        wants it. What fails again ends in the receipt: `retrying` where time may cure it, `review` where
        the fault is ours. `stored` is the record of its order, if it was read just now.

        Raises StorageError when not even that can be written.
        """
        wanted, task = False, Task(correlation_id, Receipted.SOMEHOW, stored)
        for sidecar in self.affected_sidecars(name):
            try:
                wanted = self.process(sidecar, task) or wanted
            except Exception as error:
                log.exception("processing %s failed", sidecar)
                self.receipts.report_failure(sidecar, error, correlation_id)
                wanted = True
        return wanted

    def affected_sidecars(self, name: str) -> list[str]:
        """The sidecars that a blob concerns; no request is spared to find them."""
        if is_sidecar(name):
            return [name]
        if not is_document(name):
            return []
        return list(dict.fromkeys((*own_sidecars(name), *self.dependencies.sidecars_of(name))))

    def receipt_of(self, path: str) -> VersionedReceipt:
        """The receipt of a drop, by the path of its sidecar or of one of its documents.

        Raises NotFoundError when nothing of that name was dropped, or nobody has looked at it yet.
        """
        paths = [path]
        if is_document(path):
            paths = [stem_sidecar(path), *self.dependencies.sidecars_of(path), receipt_of_document(path)]
        for candidate in paths:
            kept = self.receipts.store.read(candidate) if candidate else None
            if kept and kept.document:
                return kept
        raise NotFoundError("no receipt found (yet); give the path of the sidecar or of one of its documents")

    def look_again(self, receipt: Receipt) -> None:
        """Have the drop of a receipt looked at now, whenever its next attempt is. Raises StateConflictError
        for a document that no sidecar claims, StorageError."""
        if receipt.unclaimed:
            raise StateConflictError("no sidecar claims this document: upload one", receipt.state)
        self.receipts.bell.ask("drop", receipt.path)

    def process(self, path: str, task: Task) -> bool:
        """Do what the drop of that sidecar needs now; False when there is no such sidecar.

        Raises StorageError when storage does not let it be done or recorded.
        """
        for last in (False, False, True):
            with ExitStack() as opened:
                snapshot = self._snapshot(path, opened)
                if snapshot is None:
                    return False
                depends = dependencies_to_register(
                    path, snapshot.required[: self.limits.max_files], snapshot.found
                )
                self.dependencies.register(path, depends)
                decision = self._decide(snapshot)
                if depends and isinstance(decision, Wait):
                    # once more, now that the dependency can be found
                    snapshot = self._snapshot(path, opened) or snapshot
                    decision = self._decide(snapshot)
                if self._apply(snapshot, decision, task, last=last):
                    break
        return True

    def _snapshot(self, path: str, opened: ExitStack) -> DropSnapshot | None:
        snapshot = take_snapshot(self.blobs, self.incoming, self.limits, path, opened)
        if snapshot is None or snapshot.sidecar is None:
            return snapshot
        fault = self.bindings.fault_of_drop(path, snapshot.sidecar.customer_id)
        faults = (Violation("/customerId", fault),) if fault else ()
        return replace(snapshot, violations=snapshot.violations + faults)

    def _decide(self, s: DropSnapshot) -> Decision:
        return decide(s.violations, s.required, s.found, self.limits.max_files, MOST_BYTES)

    def _apply(self, snapshot: DropSnapshot, decision: Decision, task: Task, *, last: bool) -> bool:
        """Whether that is all for now; False when a document changed under our hands."""
        match decision:
            case Wait(missing, incomplete):
                end = ends_waiting(snapshot.path, snapshot.written)
                late = end is not None and self.receipts.clock() >= end
                if late or (end and incomplete):
                    faults = _never_complete(missing if late else (), incomplete)
                    self.receipts.report_rejected(snapshot, faults, task.correlation_id)
                    return True
                near = self._near(snapshot.path, missing) if task.receipt is Receipted.SOMEHOW else []
                self.receipts.report_waiting(
                    snapshot, missing, incomplete, task.correlation_id, near, end=end
                )
            case Reject(violations):
                self.receipts.report_rejected(snapshot, violations, task.correlation_id)
            case Submit():
                return self._submit(snapshot, task, last=last)
        return True

    def _near(self, sidecar: str, missing: tuple[str, ...]) -> list[str]:
        """Which names in the folder of a drop nearly are those that it has waited for (of a long folder,
        those of the first page)."""
        if not missing:
            return []
        folder, listed = sidecar[: sidecar.rfind("/") + 1], list[str]()
        with suppress(StorageError):  # it is a hint, no more
            listed = [b.name.removeprefix(folder) for b in self.blobs.page(self.incoming, folder)[0]]
        names = [name for name in listed if "/" not in name]
        return [said for name in missing for said in nearly(name, names)][:MOST_NEAR]

    def _submit(self, snapshot: DropSnapshot, task: Task, *, last: bool) -> bool:
        assert snapshot.sidecar is not None
        try:
            documents = snapshot.documents()
        except IncompleteDocumentError as error:
            self._incomplete(snapshot, str(error), task)
            return True
        except SourceFailedError as error:
            if last:
                self._defer(snapshot, error, None, task)
            return last
        sidecar = snapshot.sidecar
        content = DocumentSet(sidecar.customer_id, sidecar.order_id, sidecar.metadata, documents)
        if snapshot.size >= SLOW:
            submission = f"{content.record_key}/{content.digest}"
            self.receipts.report_submitting(snapshot, submission, task.correlation_id)
            task = replace(task, receipt=Receipted.SOMEHOW)
        return self._attach(snapshot, content, task, last=last)

    def _attach(self, snapshot: DropSnapshot, content: DocumentSet, task: Task, *, last: bool) -> bool:
        receipts = self.receipts
        try:
            outcome = self.attachments.attach(
                content,
                task.correlation_id,
                Deadline.after(seconds_for(snapshot.size)),
                source=snapshot.source,
                newer_documents=snapshot.newer_documents,
                stored=task.stored,
            )
        except InvalidInputError as error:
            receipts.report_rejected(snapshot, error.violations, task.correlation_id, error.remedy)
            return True
        except OrderBusyError as error:
            self._defer(snapshot, error, error.retry_after, task, content.record_key)
            return True
        except (PartnerCenterError, NotConfiguredError) as error:
            self._defer(
                snapshot, error, error.retry_after if isinstance(error, ThrottledError) else None, task
            )
            return True
        if outcome.superseded:
            receipts.report_superseded(snapshot, outcome.record, outcome.submission)
            return True
        if isinstance(outcome.error, SourceFailedError) and not outcome.submission.incomplete and not last:
            return False
        if outcome.submission.incomplete and ends_waiting(snapshot.path, snapshot.written):
            self._incomplete(snapshot, outcome.submission.detail or "a document has no end", task)
            return True
        receipts.report_outcome(
            snapshot,
            outcome.record,
            outcome.submission,
            read_first=outcome.replayed or task.receipt is Receipted.SOMEHOW,
            waits=task.receipt is Receipted.WAITING,
        )
        own = outcome.submission
        if own.state is State.DONE:
            receipts.claimed_orphans(snapshot)
        elif own.state is State.CLAIMED and own.due is not None:
            # its holder may have died: a claim rings for nobody
            receipts.bell.ring_record(outcome.record.key, own.due)
        return True

    def _incomplete(self, snapshot: DropSnapshot, what: str, task: Task) -> None:
        """A document has no end. It may still be arriving; what was uploaded came in one, and stays so."""
        if ends_waiting(snapshot.path, snapshot.written):
            self.receipts.report_rejected(snapshot, _never_complete((), (what,)), task.correlation_id)
        else:
            self.receipts.report_waiting(snapshot, (), (what,), task.correlation_id)

    def _defer(
        self, snapshot: DropSnapshot, error: AppError, wait: float | None, task: Task, behind: str = ""
    ) -> None:
        self.receipts.report_deferred(
            snapshot,
            error,
            wait,
            task.correlation_id,
            behind,
            read_first=task.receipt is not Receipted.NOT_YET,
        )

    def is_gone(self, source: Source) -> bool:
        """Whether a drop no longer lies in storage in the versions that a submission was made from: proved by
        what storage says now. Raises StorageError when it says nothing."""
        versions = {source.drop: source.sidecar_etag, **source.files}
        for path, etag in versions.items():
            stream = self.blobs.open(self.incoming, path)
            if stream is None:
                return True
            stream.close()
            if stream.etag != etag:
                return True
        return False


def _never_complete(missing: tuple[str, ...], incomplete: tuple[str, ...]) -> tuple[Violation, ...]:
    """What is said of an upload whose files are `missing` for too long, or came `incomplete`."""
    late = (f"{name} did not come within 24 hours" for name in missing)
    return tuple(Violation("", what) for what in (*late, *incomplete))
