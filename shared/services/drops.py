"""Process a drop: look at what is in storage now, decide, carry it out, write the receipt.

Events are doorbells. Whatever rings (a document's event, a sidecar's, the sweep, an operator), `process`
looks again and does what the drop needs; ringing twice does nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.drops import (
    Receipt,
    ReceiptState,
    Reject,
    Submit,
    Wait,
    decide,
    is_document,
    is_sidecar,
    leaves_word,
    receipt_of_document,
    stem_sidecar,
)
from shared.errors import NotFoundError, SourceFailedError, StorageError, Violation
from shared.ledger import Record, State
from shared.models import Submission
from shared.partner_center.wire import Deadline
from shared.services.attachments import Attachments
from shared.services.look import Look
from shared.services.look import look as look_at
from shared.services.telling import files_of, told
from shared.settings import Limits
from shared.storage.blobs import BlobStore, Clock
from shared.storage.receipts import KeptReceipt, Receipts, Words
from shared.story import tell

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(minutes=15)
"""How often the sweep looks at a drop that waits for files; their own events are what wakes it."""

SLOW = 8 * 1024 * 1024
"""From this many bytes on a receipt says `submitting` before the documents are sent."""

_STATES = {
    State.DONE: ReceiptState.ATTACHED,
    State.REFUSED: ReceiptState.REJECTED,
    State.CLAIMED: ReceiptState.SUBMITTING,
    State.READY: ReceiptState.RETRYING,
    State.UNKNOWN: ReceiptState.RETRYING,
    State.REVIEW: ReceiptState.REVIEW,
}


@dataclass(frozen=True, slots=True)
class Drops:
    """The drops of one container."""

    blobs: BlobStore
    incoming: str
    receipts: Receipts
    words: Words
    attachments: Attachments
    limits: Limits
    clock: Clock

    def ring(self, name: str, correlation_id: str, deadline: Deadline) -> None:
        """A blob was written. Raises StorageError; all else is told by receipts."""
        if is_sidecar(name):
            self.process(name, correlation_id, deadline)
        elif is_document(name):
            own = stem_sidecar(name)
            self.process(own, correlation_id, deadline)
            for sidecar in self.words.of(name):
                if sidecar != own:
                    self.process(sidecar, correlation_id, deadline)

    def rescue(self, name: str, correlation_id: str, deadline: Deadline) -> None:
        """Process a blob whose event has failed too often; a fault that is ours ends in its receipt.

        Raises StorageError, which time may cure.
        """
        try:
            self.ring(name, correlation_id, deadline)
        except StorageError:
            raise
        except Exception as error:
            log.exception("the event of %s failed for good", name)
            stream = self.blobs.open(self.incoming, name)
            if stream is None:
                return
            stream.close()
            why = f"processing fails with {type(error).__name__}; the log has it under {correlation_id}"
            path = name if is_sidecar(name) else receipt_of_document(name)
            body = {
                "why": why,
                "correlationId": correlation_id,
                "remedy": "mend the cause, and drop it again",
            }
            receipt = Receipt(path, ReceiptState.REVIEW, stream.last_modified, stream.etag, body)
            self.receipts.write(receipt, look=True)

    def receipt_of(self, path: str) -> dict[str, Any]:
        """The receipt of a drop, by the path of its sidecar or of one of its documents.

        Raises NotFoundError when nothing of that name was dropped, or nobody has looked at it yet.
        """
        paths = [path]
        if is_document(path):
            paths = [stem_sidecar(path), *self.words.of(path), receipt_of_document(path)]
        for candidate in paths:
            kept = self.receipts.read(candidate) if candidate else None
            if kept:
                return kept.body
        raise NotFoundError("there is no receipt for a drop of that name (yet): the path is the sidecar's")

    def process(self, path: str, correlation_id: str, deadline: Deadline) -> bool:
        """Do what the drop of that sidecar needs now; False when there is no such sidecar.

        Raises StorageError when storage does not let it be done or recorded.
        """
        for last in (False, False, True):
            with ExitStack() as opened:
                look = self._look(path, opened)
                if look is None:
                    return False
                words = leaves_word(path, look.wanted, look.seen)
                if words:
                    self.words.leave(path, words)
                decision = self._decide(look)
                if words and isinstance(decision, Wait):
                    look = (
                        look_at(self.blobs, self.incoming, self.limits, path, opened) or look
                    )  # once more, now that word is left
                    decision = self._decide(look)
                if self._carry_out(look, decision, correlation_id, deadline, last=last):
                    break
        return True

    def _look(self, path: str, opened: ExitStack) -> Look | None:
        return look_at(self.blobs, self.incoming, self.limits, path, opened)

    def _decide(self, look: Look) -> Wait | Reject | Submit:
        return decide(look.violations, look.wanted, look.seen, self.limits.max_files)

    def _carry_out(
        self,
        look: Look,
        decision: Wait | Reject | Submit,
        correlation_id: str,
        deadline: Deadline,
        *,
        last: bool,
    ) -> bool:
        """Whether that settles it for now; False when a document changed under our hands."""
        match decision:
            case Wait(missing):
                self._wait(look, missing)
            case Reject(violations):
                self._reject(look, violations)
            case Submit():
                return self._submit(look, correlation_id, deadline, last=last)
        return True

    def _submit(self, look: Look, correlation_id: str, deadline: Deadline, *, last: bool) -> bool:
        assert look.sidecar is not None
        try:
            documents = look.documents()
        except SourceFailedError as error:
            if last:
                self._retry(look, str(error))
            return last
        sidecar = look.sidecar
        submission = Submission(sidecar.customer_id, sidecar.order_id, sidecar.metadata, documents)
        slow = sum(d.size for d in documents) >= SLOW
        if slow:
            self._tell(look, ReceiptState.SUBMITTING, files_of(look), due=self.clock() + LOOK_AGAIN)
        outcome = self.attachments.attach(submission, correlation_id, deadline, source=look.source)
        if isinstance(outcome.error, SourceFailedError) and not last:
            return False
        self._tell_outcome(look, outcome.record, look_first=slow or outcome.replayed)
        return True

    def _tell_outcome(self, look: Look, record: Record, *, look_first: bool) -> None:
        body = {**files_of(look), **told(record)}
        due = record.until if record.open else None
        self._tell(look, _STATES[record.state], body, due=due, look_first=look_first)

    def tell_of(self, path: str, record: Record | None) -> None:
        """Bring a receipt up to date whose sidecar is gone: by its record, if it has one."""
        kept = self.receipts.read(path)
        if kept is None or (record and kept.body.get("submission", record.key) != record.key):
            return
        if record is None:
            state, due = ReceiptState.REJECTED, None
            gone = {"why": "the sidecar was deleted before the drop was complete", "remedy": "drop it again"}
        else:
            state, due = _STATES[record.state], record.until if record.open else None
            gone = told(record)
        body = {**{k: v for k, v in kept.body.items() if k not in ("drop", "state", "inputs")}, **gone}
        receipt = Receipt(path, state, kept.seen, kept.sidecar_etag, body, due)
        self.receipts.write(receipt, expected=kept)

    def _wait(self, look: Look, missing: tuple[str, ...]) -> None:
        kept = self.receipts.read(look.path)
        since = self.clock().isoformat(timespec="seconds")
        if kept and kept.state is ReceiptState.WAITING and kept.sidecar_etag == look.etag:
            since = kept.body.get("since", since)
        body = {**files_of(look), "waitingFor": list(missing), "since": since}
        self._tell(look, ReceiptState.WAITING, body, due=self.clock() + LOOK_AGAIN, expected=kept)

    def _reject(self, look: Look, violations: tuple[Violation, ...]) -> None:
        body = {
            **files_of(look),
            "whoseFault": "the one who dropped it",
            "violations": [{"pointer": v.pointer, "detail": v.detail} for v in violations],
            "remedy": "mend what is named and drop it again under the same name",
        }
        self._tell(look, ReceiptState.REJECTED, body, look_first=True)

    def _retry(self, look: Look, why: str) -> None:
        due = self.clock() + timedelta(minutes=1)
        body = {**files_of(look), "why": why, "nextAttempt": due.isoformat(timespec="seconds")}
        self._tell(look, ReceiptState.RETRYING, body, due=due, look_first=True)

    def _tell(
        self,
        look: Look,
        state: ReceiptState,
        body: Mapping[str, Any],
        *,
        due: datetime | None = None,
        expected: KeptReceipt | None = None,
        look_first: bool = False,
    ) -> None:
        stamped = {**body, "changed": self.clock().isoformat(timespec="seconds")}
        receipt = Receipt(look.path, state, look.newest, look.etag, stamped, due)
        if self.receipts.write(receipt, expected=expected, look=look_first):
            ids = {k: body[k] for k in ("customerId", "orderId", "submission", "correlationId") if k in body}
            tell(f"drop {state}", drop=look.path, why=body.get("why"), **ids)
