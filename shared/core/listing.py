"""What a list of open work shows: one entry for each submission or drop, in the words of receipts.

Storage finds them by index tags: a record, or a receipt that tells what no record does, has the tag
`in-<state>` for each of LISTED that something in it is in. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from shared.core.ledger import Decision, Record, State, Submission
from shared.core.moments import LONG_AGO, iso_moment
from shared.core.receipt_parts import Receipt, ReceiptState
from shared.core.receipt_rules import order_now, report, state_of, to_text
from shared.core.watch import is_listed
from shared.core.watched import Owed, WatchedOrder

WAITS = (ReceiptState.WAITING, ReceiptState.SUBMITTING, ReceiptState.RETRYING)
"""States that end without a person, or should."""
LISTED = tuple(state for state in ReceiptState if state is not ReceiptState.ATTACHED)
"""States that can be listed; what is attached is only looked up."""


def tag_of(state: ReceiptState) -> str:
    """Name of the index tag of what is in that state."""
    return f"in-{state}"


def states_in(record: Record) -> Mapping[ReceiptState, datetime]:
    """The listed states that submissions of a record are in, and since when the last of them is."""
    found: dict[ReceiptState, datetime] = {}
    for own in record.submissions.values():
        state = listed_state(own)
        if state:
            found[state] = max(since_when(own), found.get(state, LONG_AGO))
    return found


def listed_state(own: Submission) -> ReceiptState | None:
    """The listed state of a submission. One whose document had no end is its drop's receipt to tell: it stays
    what it was when the whole document comes, as another submission."""
    state = state_of(own)
    return state if state in LISTED and not own.incomplete else None


def since_when(own: Submission) -> datetime:
    """Since when a submission is where it stands: for what is open that is the whole run of attempts."""
    return own.since if state_of(own) in WAITS else own.changed


def state_in(receipt: Receipt) -> ReceiptState | None:
    """The listed state of a receipt; None for one that tells what a record tells."""
    told = receipt.mirrors and receipt.state is not ReceiptState.WAITING
    return receipt.state if receipt.state in LISTED and not told else None


def receipt_since(receipt: Receipt) -> datetime:
    """The same of a receipt."""
    body = receipt.body
    told = (body.since if receipt.state in WAITS else None) or body.changed
    return iso_moment(told or "") or receipt.seen


def can_be_hurried(own: Submission) -> bool:
    """Whether a person can have it tried now: it is tried again anyhow. What is not waits for its sender, who
    was told that nothing was done."""
    return own.open and own.due is not None and own.state is not State.CLAIMED


def entry_of(record: Record, own: Submission) -> Mapping[str, Any]:
    """A submission in a list."""
    told = report(record, own).with_changes(since=to_text(own.since), changed=to_text(own.changed))
    if own.state is State.PENDING and own.due is None:
        told = told.with_changes(actor="caller", remedy=_SEND_AGAIN)
    hurry = [Decision.RETRY] if can_be_hurried(own) else []
    decisions = [str(one) for one in (Decision if own.decidable else hurry)]
    drops = [source.drop for source in own.sources]
    documents = [document.file_name for document in own.documents]
    order = record.order_id or next(iter(own.ids), "")
    more: dict[str, Any] = {"orderId": order, "decisions": decisions}
    if (watched := record.orders.get(order)) and (now := order_now(watched)):
        more["order"] = now.to_json()
    return _entry(record.kind, state_of(own), drops, documents, told.to_json() | more)


def entry_of_drop(receipt: Receipt) -> Mapping[str, Any]:
    """A drop in a list, of which its receipt tells what no record does."""
    documents = [file.file_name for file in receipt.body.files or ()]
    return _entry("drop", receipt.state, [receipt.path], documents, receipt.body.to_json())


def orders_in(record: Record, status: str, since: datetime) -> Iterator[tuple[str, WatchedOrder]]:
    """The orders of a record that came to that status since then, and are looked at or ended with it."""
    for order_id, watched in record.orders.items():
        if watched.status == status and watched.since and watched.since >= since and is_listed(watched):
            yield order_id, watched


def entry_of_order(record: Record, order_id: str, watched: WatchedOrder) -> Mapping[str, Any]:
    """An order in a list of orders: the latest submission that is done tells what was sent."""
    done = [own for own in record.submissions.values() if own.state is State.DONE]
    latest = max(done, key=lambda own: own.changed, default=None)
    now = order_now(watched)
    assert now
    told = {
        "submission": record.name_of(latest) if latest else "",
        "customerId": record.customer_id,
        "orderId": order_id,
        "order": now.to_json(),
        "detail": watched.drift,
        "actor": now.actor or "",
        "remedy": now.next_action or "",
        "since": now.since,
        "changed": now.looked or now.since,
        "correlationId": latest.correlation_id if latest else "",
    }
    drops = [source.drop for source in latest.sources] if latest else []
    documents = [document.file_name for document in latest.documents] if latest else []
    state = "placed" if record.kind == "order" else str(ReceiptState.ATTACHED)
    return _entry(record.kind, state, drops, documents, told)


def entry_of_owed(record: Record, order_id: str, watched: WatchedOrder, owed: Owed) -> Mapping[str, Any]:
    """What people are told of an order, as an entry of a list."""
    entry = entry_of_order(record, order_id, watched) if watched.since else {"orderId": order_id}
    said = {"kind": record.kind, "customerId": record.customer_id, "detail": owed.detail}
    said |= {"actor": owed.actor, "remedy": owed.remedy, "changed": to_text(owed.at)}
    return {**entry, **{name: value for name, value in said.items() if value}}


_SEND_AGAIN = "send the request again: nothing was done, and the application does not repeat it by itself"
_TOLD = (
    "submission",
    "customerId",
    "orderId",
    "order",
    "detail",
    "actor",
    "remedy",
    "errors",
    "waitingFor",
    "since",
    "changed",
    "nextAttempt",
    "attempts",
    "correlationId",
    "decisions",
)


def _entry(
    kind: str, state: str, drops: list[str], documents: list[str], told: Mapping[str, Any]
) -> Mapping[str, Any]:
    members = {"kind": kind, "state": str(state), "drops": drops, "documents": documents}
    members |= {name: told[name] for name in _TOLD if name in told}
    return {name: value for name, value in members.items() if value not in ("", [])}
