"""The watch of orders as it lies in the ledger's records: what begins it, and how storage finds it.

A record of an order request watches the orders that it placed, a record of documents the order that they
were attached to. It begins with the write that makes a submission `done`, so no crash parts it from what it
watches.
Storage finds records by index tags: `look` when one is to be looked at, `tell` when people must be told, and
`order-<status>` since when an order is in that status. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from shared.core.ledger import Record, State, Submission
from shared.core.order_statuses import PENDING, normalize
from shared.core.resources import ListedAttachment, by_lower_name, id_of
from shared.core.watched import LAG, WatchedOrder

LOOK, TELL = "look", "tell"


def status_tag(status: str) -> str:
    """Name of the index tag of orders in that status."""
    return f"order-{status}"


def watching(record: Record, own: Submission) -> Record:
    """The record with the watch of what a submission that is done placed, or was attached to."""
    if own.state is not State.DONE:
        return record
    if record.kind == "order":
        placed = placed_by(own)
        begun = {i: WatchedOrder.begun(i, status, own.changed) for i, status in placed.items()}
        return record.model_copy(update={"orders": {**record.orders, **begun}})
    order, known = record.order_id, record.orders.get(record.order_id)
    watched = known.again(order, own.changed) if known else WatchedOrder.begun(order, "", own.changed)
    return with_order(record, order, watched)


def with_order(record: Record, order_id: str, watched: WatchedOrder) -> Record:
    """The record with the watch of one order replaced."""
    return record.model_copy(update={"orders": {**record.orders, order_id: watched}})


def placed_by(own: Submission) -> Mapping[str, str]:
    """The orders that a request placed, by their ids, and the status that the answer tells of each, "" for
    none. The answer is an order, or the orders of a checkout (`orders`)."""
    try:
        body = json.loads(own.answer.body) if own.answer else None
    except ValueError:
        body = None
    answered = by_lower_name(body) if isinstance(body, dict) else {}
    listed = answered.get("orders", [body])
    orders = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    told = {id_of(order): status_of(order) for order in orders}
    return {order_id: told.get(order_id, "") for order_id in own.ids}


def status_of(order: Mapping[str, object]) -> str:
    """The status that an order tells, as it is kept; "" when it tells none, or that it is not known."""
    status = by_lower_name(order).get("status")
    told = normalize(status) if isinstance(status, str) else ""
    return "" if told == "unknown" else told


def due_order(record: Record, now: datetime) -> str:
    """The order of a record that is to be looked at first, "" when none is due."""
    due = {i: one.next for i, one in record.orders.items() if one.next is not None and one.next <= now}
    return min(due, key=lambda i: due[i], default="")


def watch_tags(record: Record) -> Mapping[str, datetime]:
    """The index tags of a record's watch, the most important first. An order that is `completed`, or that
    nobody looks at any more, has none of its status: history is not in the index."""
    found: dict[str, datetime] = {}
    if looks := [one.next for one in record.orders.values() if one.next]:
        found[LOOK] = min(looks)
    if owed := [said.at for one in record.orders.values() for said in one.owed]:
        found[TELL] = min(owed)
    for one in sorted(record.orders.values(), key=lambda one: one.status != PENDING):
        if one.since and is_listed(one):
            tag = status_tag(one.status)
            found[tag] = max(one.since, found.get(tag, one.since))
    return found


def is_listed(watched: WatchedOrder) -> bool:
    """Whether an order stands in the list of its status."""
    return bool(watched.status) and (
        not watched.ended or (watched.ended == "final" and watched.status != "completed")
    )


def documents_drift(record: Record, listed: Iterable[ListedAttachment], now: datetime) -> str:
    """What of a record's documents Partner Center does not show any more, or shows twice; "" for nothing.

    Twice is what the ledger does not know, and what equals another entry in kind, name and size. Nothing is
    judged that may change by itself: what was attached within LAG, and, as to twice, anything while one
    submission is open or may have been sent unseen.
    """
    entries = list(listed)
    there = {entry.id for entry in entries}
    done = [own for own in record.submissions.values() if own.state is State.DONE]
    missing = [i for own in done if now - own.changed >= LAG for i in own.ids if i not in there]
    said = [f"Partner Center does not show any more: {', '.join(missing)}"] if missing else []
    if twice := _twice(record, entries):
        said.append(f"Partner Center shows twice: {', '.join(twice)}")
    return "; ".join(said)


def _twice(record: Record, entries: list[ListedAttachment]) -> list[str]:
    submissions = record.submissions.values()
    bases = [own.base for own in submissions if own.base is not None]
    if not bases or any(own.open or own.may_turn_up for own in submissions):
        return []
    known = {i for own in submissions for i in own.ids}.union(*bases)
    mine = {(one.kind, one.name, one.size) for one in entries if one.id in known}
    extra = [one for one in entries if one.id not in known]
    alike = [(one.kind, one.name, one.size) for one in extra]
    return [one.id for one, what in zip(extra, alike, strict=True) if what in mine or alike.count(what) > 1]
