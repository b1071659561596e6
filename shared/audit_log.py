"""The audit log: each line is one JSON object with an `event` and ids.

The Functions worker forwards a line's message, not its `extra`, so the fields stand in the message. In
Application Insights `traces | where message has "<order id>"` finds every step of one order.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-reference-python#logging
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.core.ledger import Record, Submission

log = logging.getLogger("audit")


def log_event(event: str, level: int = logging.INFO, /, **fields: object) -> None:
    """Write one line. Fields are ids, names, states and counts; never a token or a document's content."""
    if log.isEnabledFor(level):
        given = {name: value for name, value in fields.items() if value not in (None, "")}
        log.log(level, "%s", json.dumps({"event": event, **given}, ensure_ascii=False, default=str))


def log_transition(record: Record, submission: Submission) -> None:
    """Write down a step of a submission, with every id by which somebody may look for it."""
    ids = submission.answer.ids if submission.answer else None
    order = record.kind == "order"
    log_event(
        f"{'order' if order else 'attachment'} {submission.state}",
        logging.WARNING if submission.state in ("review", "refused") else logging.INFO,
        submission=record.name_of(submission),
        customerId=record.customer_id,
        orderId=record.order_id or ",".join(submission.ids if order else ()),
        drop=submission.sources[-1].drop if submission.sources else None,
        detail=submission.detail,
        actor=submission.actor,
        attempt=submission.attempt,
        due=submission.due.isoformat(timespec="seconds") if submission.due else None,
        correlationId=submission.correlation_id,
        requestId=submission.request_id,
        partnerCenterRequestId=ids.request_id if ids else None,
        partnerCenterCorrelationId=ids.correlation_id if ids else None,
        partnerCenterCV=ids.cv if ids else None,
        partnerCenterServerId=ids.server_id if ids else None,
    )
