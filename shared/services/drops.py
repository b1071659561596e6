"""Process a drop: look at what is in storage now, decide, carry it out, write the receipt.

Events are doorbells. Whatever rings (a document's event, a sidecar's, the sweep, an operator), `process`
looks again and does what the drop needs; ringing twice does nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
    own_sidecars,
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
from shared.services.telling import ABOUT, STATES, files_of, is_told_by, told
from shared.settings import Limits
from shared.storage.blobs import BlobStore, Clock
from shared.storage.receipts import KeptReceipt, Receipts, Words
from shared.story import tell

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(minutes=15)
"""How soon the sweep looks again at a drop that waits; its files' own events are what wakes it. The longer
it has waited, the rarer, down to once a day."""
A_DAY = timedelta(days=1)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

SLOW = 8 * 1024 * 1024
"""From this many bytes on a receipt says `submitting` before the documents are sent."""


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
        for sidecar in self._wanting(name, thorough=False):
            self.process(sidecar, correlation_id, deadline)

    def rescue(self, name: str, correlation_id: str, deadline: Deadline) -> bool:
        """Process a blob whose event has failed too often, or never came; whether there is a sidecar that
        wants it. What fails again ends in the receipt: `retrying` where time may cure it, `review` where
        the fault is ours.

        Raises StorageError when not even that can be written.
        """
        wanted = False
        for sidecar in self._wanting(name, thorough=True):
            try:
                wanted = self.process(sidecar, correlation_id, deadline) or wanted
            except Exception as error:
                log.exception("processing %s failed", sidecar)
                self._tell_failure(sidecar, error, correlation_id)
                wanted = True
        return wanted

    def _wanting(self, name: str, *, thorough: bool) -> list[str]:
        """The sidecars that a blob's event concerns; `thorough` spares no request to find them."""
        if is_sidecar(name):
            return [name]
        if not is_document(name):
            return []
        own = own_sidecars(name) if thorough else own_sidecars(name)[:1]
        return list(dict.fromkeys((*own, *self.words.of(name))))

    def _tell_failure(self, path: str, error: Exception, correlation_id: str) -> None:
        due = self.clock() + LOOK_AGAIN if isinstance(error, StorageError) else None
        kept = self.receipts.read(path)
        body = {
            **{k: kept.body[k] for k in ABOUT if kept and k in kept.body},
            "why": str(error) if due else f"processing fails with {type(error).__name__}",
            "correlationId": correlation_id,
            "remedy": "none yet: it is tried again" if due else "mend the cause, then drop it again",
            **({"nextAttempt": due.isoformat(timespec="seconds")} if due else {}),
        }
        seen, etag, step = (kept.seen, kept.sidecar_etag, kept.step) if kept else (_LONG_AGO, "", None)
        state = ReceiptState.RETRYING if due else ReceiptState.REVIEW
        self.receipts.write(Receipt(path, state, seen, etag, body, due, step), expected=kept)

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
                return dict(kept.body)
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
                words = leaves_word(path, look.wanted[: self.limits.max_files], look.seen)
                if words:
                    self.words.leave(path, words)
                decision = self._decide(look)
                if words and isinstance(decision, Wait):
                    look = self._look(path, opened) or look  # once more, now that word is left
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
                self._wait(look, missing, correlation_id)
            case Reject(violations):
                self._reject(look, violations, correlation_id)
            case Submit():
                return self._submit(look, correlation_id, deadline, last=last)
        return True

    def _submit(self, look: Look, correlation_id: str, deadline: Deadline, *, last: bool) -> bool:
        assert look.sidecar is not None
        try:
            documents = look.documents()
        except SourceFailedError as error:
            if last:
                self._retry(look, str(error), correlation_id)
            return last
        sidecar = look.sidecar
        submission = Submission(sidecar.customer_id, sidecar.order_id, sidecar.metadata, documents)
        slow = sum(d.size for d in documents) >= SLOW
        if slow:
            body = {**files_of(look), "submission": submission.key, "correlationId": correlation_id}
            self._tell(look, ReceiptState.SUBMITTING, body, due=self.clock() + LOOK_AGAIN)
        outcome = self.attachments.attach(submission, correlation_id, deadline, source=look.source)
        if isinstance(outcome.error, SourceFailedError) and not last:
            return False
        self._tell_outcome(look, outcome.record, look_first=slow or outcome.replayed)
        return True

    def _tell_outcome(self, look: Look, record: Record, *, look_first: bool) -> None:
        body = {**files_of(look), **told(record)}
        due, step = self._due(record), record.changed
        self._tell(look, STATES[record.state], body, due=due, step=step, look_first=look_first)
        if record.state is State.DONE:
            self._tell_orphans(look)

    def _due(self, record: Record) -> datetime | None:
        """When a receipt is to be looked at again. One in review follows what a person decided, also where
        the record is another drop's; one that waits for whoever holds the content holds it here."""
        if record.state is State.REVIEW:
            return self.clock() + A_DAY
        return record.until or self.clock() + timedelta(minutes=1) if record.open else None

    def _tell_orphans(self, look: Look) -> None:
        """A document that had a receipt of its own, because nobody claimed it for a day, was claimed."""
        for stream in look.streams.values():
            path = receipt_of_document(stream.name)
            if path == look.path or self.clock() - stream.last_modified < A_DAY:
                continue
            kept = self.receipts.read(path)
            if kept and kept.state is ReceiptState.REVIEW and "submission" not in kept.body:
                body = {"why": f"it was claimed by {look.path}", "files": kept.body.get("files", [])}
                receipt = Receipt(path, ReceiptState.ATTACHED, kept.seen, kept.sidecar_etag, body)
                self.receipts.write(receipt, expected=kept)

    def holds(self, source: Mapping[str, Any]) -> bool:
        """Whether a drop still lies in storage in the versions that a record was made from."""
        versions = {source["drop"]: source["sidecarETag"], **source["files"]}
        for path, etag in versions.items():
            stream = self.blobs.open(self.incoming, path)
            if stream is None:
                return False
            stream.close()
            if stream.etag != etag:
                return False
        return True

    def tell_of(self, path: str, record: Record | None) -> None:
        """Bring a receipt up to date by the record of its drop; without one, the sidecar is gone. A receipt
        that a look at newer inputs has left is not that record's."""
        kept = self.receipts.read(path)
        if kept is None or (record and not is_told_by(kept, record)):
            return
        if record is None:
            state, due = ReceiptState.REJECTED, None
            gone = {"why": "the sidecar was deleted before the drop was complete", "remedy": "drop it again"}
        else:
            state, due = STATES[record.state], self._due(record)
            gone = told(record)
        body = {k: kept.body[k] for k in ABOUT if k in kept.body}
        body |= {**gone, "changed": self.clock().isoformat(timespec="seconds")}
        step = record.changed if record else None
        receipt = Receipt(path, state, kept.seen, kept.sidecar_etag, body, due, step)
        self.receipts.write(receipt, expected=kept)

    def _wait(self, look: Look, missing: tuple[str, ...], correlation_id: str) -> None:
        kept, now = self.receipts.read(look.path), self.clock()
        since = now
        if kept and kept.state is ReceiptState.WAITING and kept.sidecar_etag == look.etag:
            since = datetime.fromisoformat(kept.body.get("since", now.isoformat()))
        body = {
            **files_of(look),
            "waitingFor": list(missing),
            "since": since.isoformat(timespec="seconds"),
            "correlationId": correlation_id,
        }
        due = now + min(max(LOOK_AGAIN, (now - since) / 4), A_DAY)
        self._tell(look, ReceiptState.WAITING, body, due=due, expected=kept)

    def _reject(self, look: Look, violations: tuple[Violation, ...], correlation_id: str) -> None:
        body = {
            **files_of(look),
            "whoseFault": "caller",
            "violations": [{"pointer": v.pointer, "detail": v.detail} for v in violations],
            "remedy": "mend what is named and drop it again",
            "correlationId": correlation_id,
        }
        self._tell(look, ReceiptState.REJECTED, body, look_first=True)

    def _retry(self, look: Look, why: str, correlation_id: str) -> None:
        due = self.clock() + timedelta(minutes=1)
        body = {**files_of(look), "why": why, "correlationId": correlation_id}
        body["nextAttempt"] = due.isoformat(timespec="seconds")
        self._tell(look, ReceiptState.RETRYING, body, due=due, look_first=True)

    def _tell(
        self,
        look: Look,
        state: ReceiptState,
        body: Mapping[str, Any],
        *,
        due: datetime | None = None,
        step: datetime | None = None,
        expected: KeptReceipt | None = None,
        look_first: bool = False,
    ) -> None:
        stamped = {**body, "changed": self.clock().isoformat(timespec="seconds")}
        receipt = Receipt(look.path, state, look.newest, look.etag, stamped, due, step)
        if self.receipts.write(receipt, expected=expected, look=look_first):
            ids = {k: body[k] for k in ("customerId", "orderId", "submission", "correlationId") if k in body}
            tell(f"drop {state}", drop=look.path, why=body.get("why"), **ids)
