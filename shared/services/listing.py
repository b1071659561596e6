"""Open work, page by page: what waits, is under way, is tried again, is in review or rejected.

It is found by the tag index of storage, so its cost is that of the pages that are looked at. What changes
while somebody pages may be missed or come twice.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.core.access import ANYBODY, Caller
from shared.core.errors import InvalidInputError, MarkerRefusedError, Violation
from shared.core.listing import (
    entry_of,
    entry_of_drop,
    entry_of_order,
    listed_state,
    orders_in,
    since_when,
)
from shared.core.models import order_attachments_key
from shared.core.moments import iso_moment
from shared.core.receipt_parts import ReceiptState
from shared.storage.ledger_store import LedgerStore
from shared.storage.receipt_store import ReceiptStore

Entry = Mapping[str, Any]

_RECORDS, _RECEIPTS = "records", "receipts"


@dataclass(frozen=True, slots=True)
class Listing:
    """Submissions of the ledger, then drops of which receipts tell what the ledger does not."""

    ledger: LedgerStore
    receipts: ReceiptStore

    def page(
        self, state: ReceiptState, since: datetime, after: str = "", caller: Caller = ANYBODY
    ) -> tuple[list[Entry], str]:
        """One page of what came to `state` since then, as far as it is for customers of the caller, and
        where the next begins ("" at the end). A page may be empty and not the last.

        Raises InvalidInputError for an `after` that is none of ours, StorageError.
        """
        entries: list[Entry] = []
        store, marker = _place(after)
        try:
            if store == _RECORDS:
                entries, marker = self._records(state, since, marker, caller)
                if marker:
                    return entries, _text(_RECORDS, marker)
            receipts, marker = self.receipts.page(state, since, marker)
        except MarkerRefusedError:
            raise _no_place() from None
        visible = (receipt for receipt in receipts if caller.may_act_for(receipt.body.customer_id or ""))
        entries += map(entry_of_drop, visible)
        return entries, _text(_RECEIPTS, marker) if marker else ""

    def order_page(
        self, status: str, since: datetime, after: str = "", caller: Caller = ANYBODY
    ) -> tuple[list[Entry], str]:
        """The same of the orders that came to that status since then, each once: one whose documents were
        attached here is told by their record. Raises InvalidInputError, StorageError."""
        _, marker = _place(after)
        try:
            records, marker = self.ledger.order_page(status, since, marker)
        except MarkerRefusedError:
            raise _no_place() from None
        entries = [
            entry_of_order(record, order_id, watched)
            for record in records
            if caller.may_act_for(record.customer_id)
            for order_id, watched in orders_in(record, status, since)
            if record.kind == "attachments" or not self.ledger.documents_watch(record.customer_id, order_id)
        ]
        return entries, _text(_RECORDS, marker) if marker else ""

    def counted_orders(self, status: str) -> tuple[int, datetime | None]:
        """How many records have an order in that status, and since when the oldest is; None when there is
        none. Raises StorageError."""
        moments = list(self.ledger.order_moments(status))
        return len(moments), iso_moment(min(moments)) if moments else None

    def counted(self, state: ReceiptState) -> tuple[int, datetime | None]:
        """How many are in that state, and since when the oldest is; None when there is none. Of several of
        one order the youngest counts. Raises StorageError."""
        moments = [*self.ledger.moments(state), *self.receipts.moments(state)]
        return len(moments), iso_moment(min(moments)) if moments else None

    def of_order(self, customer_id: str, order_id: str) -> list[Entry]:
        """Every submission of documents for that order, the latest first. Raises StorageError."""
        stored = self.ledger.read(order_attachments_key(customer_id, order_id))
        found = stored.record.submissions.values() if stored else ()
        latest = sorted(found, key=lambda own: own.changed, reverse=True)
        return [entry_of(stored.record, own) for own in latest] if stored else []

    def _records(
        self, state: ReceiptState, since: datetime, marker: str, caller: Caller
    ) -> tuple[list[Entry], str]:
        records, marker = self.ledger.page(state, since, marker)
        entries = [
            entry_of(record, own)
            for record in records
            if caller.may_act_for(record.customer_id)
            for own in record.submissions.values()
            if listed_state(own) is state and since_when(own) >= since
        ]
        return entries, marker


def _text(store: str, marker: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([store, marker]).encode()).decode()


def _place(after: str) -> tuple[str, str]:
    if not after:
        return _RECORDS, ""
    try:
        store, marker = json.loads(base64.b64decode(after, altchars=b"-_", validate=True))
        if store not in (_RECORDS, _RECEIPTS) or not isinstance(marker, str):
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise _no_place() from None
    return store, marker


def _no_place() -> InvalidInputError:
    return InvalidInputError([Violation("query:after", "is no place in this list; begin it anew without it")])
