"""The log as a story that one query finds: each line is one JSON object with an `event` and ids.

The Functions worker forwards a line's message, not its `extra`, so the fields stand in the message. In
Application Insights `traces | where message has "<order id>"` tells the whole story of one order.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-reference-python#logging
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.ledger import Record

log = logging.getLogger("story")


def tell(event: str, level: int = logging.INFO, /, **fields: object) -> None:
    """Write one line. Fields are ids, names, states and counts; never a token or a document's content."""
    if log.isEnabledFor(level):
        given = {name: value for name, value in fields.items() if value not in (None, "")}
        log.log(level, "%s", json.dumps({"event": event, **given}, ensure_ascii=False, default=str))


def tell_step(record: Record) -> None:
    """Write down a step of a record, with every id by which somebody may look for it."""
    answer = record.answer or {}
    ids = answer.get("ids", {})
    tell(
        f"{record.kind} {record.state}",
        submission=record.key,
        customerId=record.request.get("customerId"),
        orderId=record.request.get("orderId") or _order_id(str(answer.get("body", ""))),
        drop=record.source.get("drop"),
        why=record.why,
        attempt=record.attempt,
        until=record.until.isoformat(timespec="seconds") if record.until else None,
        correlationId=record.correlation_id,
        requestId=record.request_id,
        partnerCenterRequestId=ids.get("requestId"),
        partnerCenterCorrelationId=ids.get("correlationId"),
        partnerCenterCV=ids.get("cv"),
        partnerCenterServerId=ids.get("serverId"),
    )


def _order_id(body: str) -> str:
    """The id of the order that Partner Center answered with, if it is one."""
    try:
        answered = json.loads(body)
    except ValueError:
        return ""
    return str(answered.get("id", "")) if isinstance(answered, dict) else ""
