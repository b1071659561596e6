"""What a receipt says, in plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.drops import Receipt, ReceiptState
from shared.ledger import Record, State
from shared.services.look import Look

STATES = {
    State.DONE: ReceiptState.ATTACHED,
    State.REFUSED: ReceiptState.REJECTED,
    State.CLAIMED: ReceiptState.SUBMITTING,
    State.READY: ReceiptState.RETRYING,
    State.UNKNOWN: ReceiptState.RETRYING,
    State.REVIEW: ReceiptState.REVIEW,
}
"""Where a drop stands whose record is in that state."""

ABOUT = ("files", "customerId", "orderId", "submission")
"""What stays true in a receipt when its drop comes to another state."""


def told(record: Record) -> dict[str, Any]:
    """What a record says to those who look at a receipt."""
    answer = record.answer or {}
    body: dict[str, Any] = {
        "submission": record.key,
        "why": record.why,
        "correlationId": record.correlation_id,
        "attempts": record.attempt,
    }
    if "ids" in answer:
        body["partnerCenter"] = {
            k: answer[k] for k in ("status", "code", "description", "ids") if k in answer
        }
    if record.state is State.DONE:
        body["attachments"] = _attachments(answer)
        body["submittedBy"] = record.source.get("drop", "http")
    if record.state is State.REFUSED:
        body |= {"whoseFault": answer.get("actor"), "remedy": answer.get("remedy")}
    if record.state is State.REVIEW:
        body["remedy"] = "look at the order in Partner Center, then settle it: docs/operations.md"
    if record.open and record.until:
        body["nextAttempt"] = record.until.isoformat(timespec="seconds")
    return body


def _attachments(answer: Mapping[str, Any]) -> object:
    try:
        return json.loads(answer.get("body", "")).get("items", [])
    except (ValueError, AttributeError):
        return []


def files_of(look: Look) -> dict[str, Any]:
    """Which order a drop is for, and the files that were seen."""
    about: dict[str, Any] = {
        "files": [
            {
                "fileName": f.name,
                "kind": str(f.role),
                "size": f.size,
                "md5": look.streams[name].md5,
                "etag": f.etag,
            }
            for name, f in look.seen.items()
        ]
    }
    if look.sidecar:
        about |= {"customerId": look.sidecar.customer_id, "orderId": look.sidecar.order_id}
    return about


def is_told_by(kept: Receipt, record: Record) -> bool:
    """Whether a receipt is of the submission of that record: it says so, or was left by a look at the same
    versions."""
    if "submission" in kept.body:
        return bool(kept.body["submission"] == record.key)
    files = set(record.source.get("files", {}).values())
    return record.source.get("sidecarETag") == kept.sidecar_etag and files.issuperset(kept.versions.values())
