"""Attach a set of documents to an order, once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.clock import Deadline
from shared.core.errors import NotFoundError
from shared.core.ledger import LEDGER_FORMAT, Record, State
from shared.core.ledger_parts import Source
from shared.core.models import DocumentSet, order_attachments_key
from shared.partner_center.client import PartnerCenter
from shared.services.attachment_operation import AttachmentOperation
from shared.services.executor import Executor
from shared.services.operation import Outcome
from shared.storage.ledger_store import ConflictError, VersionedRecord


@dataclass(frozen=True, slots=True)
class Attachments:
    """The documents of orders."""

    executor: Executor
    partner: PartnerCenter
    visibility: timedelta
    po_part: str
    tender_part: str
    watches: bool
    """Whether an order is read before documents are sent for it the first time."""

    def attach(
        self,
        content: DocumentSet,
        correlation_id: str,
        deadline: Deadline,
        *,
        source: Source | None = None,
        newer_documents: tuple[str, ...] = (),
        stored: VersionedRecord | None = None,
    ) -> Outcome:
        """Attach a set of documents, or say what became of it when it was sent before, by whichever way.

        `source` names the drop that the documents lie in; then the worker can go on with it later. `stored`
        is a record that was read just now, of this order or another. Raises what Executor.run raises.
        """
        blank = _blank(content.customer_id, content.order_id)
        op = replace(
            self.operation(blank, content.digest),
            content=content,
            source=source,
            newer_documents=newer_documents,
        )
        known = stored if stored and stored.record.key == blank.key else None
        return self.executor.run(op, correlation_id, deadline, known)

    def status(self, customer_id: str, order_id: str, digest: str, deadline: Deadline) -> Outcome:
        """What became of a submission, asking Partner Center when its time has come. Raises NotFoundError."""
        op = self.operation(_blank(customer_id, order_id), digest)
        try:
            return self.executor.run(op, op.new_id(), deadline)
        except LookupError:
            raise NotFoundError("this order has no such submission") from None

    def resolve_due(self, stored: VersionedRecord, now: datetime, deadline: Deadline) -> VersionedRecord:
        """Resolve the submission in flight whose moment has come, if there is one."""
        holder = stored.record.holder()
        if holder is None or not holder.is_due(now):
            return stored
        op = self.operation(stored.record, holder.digest)
        try:
            return self.executor.resolve(op, stored, holder.digest, deadline)
        except ConflictError as moved:
            if moved.current is None:
                raise
            return moved.current

    def end(self, stored: VersionedRecord, digest: str, detail: str) -> VersionedRecord:
        """End a submission that waits to be sent and whose content was proved to be gone since `stored` was
        read. Raises ConflictError."""
        own, executor = stored.own(digest), self.executor
        after = own.to(
            State.REFUSED,
            executor.clock(),
            executor.new_id(),
            detail,
            actor="caller",
            remedy="upload the documents and their sidecar again",
        )
        return executor.ledger.swap(stored, after)

    def operation(self, blank: Record, digest: str) -> AttachmentOperation:
        """The operation about a submission whose documents are not at hand."""
        return AttachmentOperation(
            blank=blank,
            digest=digest,
            visibility=self.visibility,
            partner=self.partner,
            clock=self.executor.clock,
            new_id=self.executor.new_id,
            po_part=self.po_part,
            tender_part=self.tender_part,
            asks_first=self.watches,
        )


def _blank(customer_id: str, order_id: str) -> Record:
    return Record(
        v=LEDGER_FORMAT,
        kind="attachments",
        key=order_attachments_key(customer_id, order_id),
        customer_id=customer_id,
        order_id=order_id,
    )
