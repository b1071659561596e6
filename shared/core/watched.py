"""An order that is watched: what is known of its status, when it is looked at next, what people must be told.

The rules
1. An order is looked at once a day, plus up to an hour that differs between orders, while its status is not
   final. Where its status is not known yet, the first look comes after LAG.
2. The watch ends with a final status, after LONGEST, or when the record of the order's documents watches it.
3. A change to a status that concerns a person is told; so is an order that still waits for its purchase order
   after each of REMINDERS.
4. What must be told stands here (`owed`) from the write that found it until it was told: at least once.
5. A look that failed changes nothing, and comes again after LATER.

Pure: no clock, no storage, no network.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from shared.core.ledger_parts import Moment, StoredModel
from shared.core.order_statuses import PENDING, meaning

LAG = timedelta(minutes=20)
"""A new order, or what was attached just now, can be unknown for up to 15 minutes; so long nothing is missed.
https://learn.microsoft.com/en-us/partner-center/developer/get-all-of-a-customer-s-orders"""
DAY = timedelta(days=1)
LATER = timedelta(hours=1)
LONGEST = timedelta(days=100)
"""A savings plan is rejected for good when it was not approved within 90 days of its order.
https://learn.microsoft.com/en-us/partner-center/azure-savings-plan"""
REMINDERS = (timedelta(days=3), timedelta(days=80))
_SPREAD = 3600
"""Seconds by which the daily looks at different orders differ."""
MOST_OWED = 20

WAITS_TOO_LONG = (
    "the order has waited for its purchase order for {days} days; a savings plan whose purchase order is not"
    " approved within 90 days of the order is rejected for good"
)
GONE = "Partner Center does not show this order any more"


class Owed(StoredModel):
    """Something that people must be told of an order: `event` is the kind of notice."""

    event: str
    at: Moment
    status: str
    detail: str
    actor: str = ""
    remedy: str = ""


class WatchedOrder(StoredModel):
    """One order under watch. All moments are UTC.

    `status` is the last one that is known, "" when none is; `since` when it was first seen; `next` when it is
    looked at next, None once the watch has `ended` (and why).
    """

    began: Moment
    placed: Moment
    """When the order was placed, as far as that is known: its age counts from here."""
    status: str = ""
    since: Moment | None = None
    looked: Moment | None = None
    next: Moment | None = None
    ended: str = ""
    reminded: int = 0
    """How many of REMINDERS were used."""
    drift: str = ""
    """What differs between the ledger and Partner Center, as it was told; "" when nothing does."""
    owed: tuple[Owed, ...] = ()

    @classmethod
    def begun(cls, order_id: str, status: str, now: datetime) -> WatchedOrder:
        """The watch of an order that was placed, or attached to, just now; `status` is what the answer says,
        "" when it does not."""
        new = cls(began=now, placed=now, status=status, since=now if status else None)
        return new._going_on(order_id, now)

    def again(self, order_id: str, now: datetime) -> WatchedOrder:
        """The watch after documents were attached: what was known of the status is not true any more."""
        began = now if self.ended else self.began
        changes = {"began": began, "status": "", "since": None, "looked": None, "ended": ""}
        return self.model_copy(update=changes)._going_on(order_id, now)

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be looked at."""
        return self.next is not None and self.next <= now

    def is_known(self, now: datetime) -> bool:
        """Whether its status was seen within the last day."""
        return bool(self.status) and self.looked is not None and now - self.looked <= DAY

    def seen(self, order_id: str, status: str, placed: datetime | None, now: datetime) -> WatchedOrder:
        """The watch after a look that found the order in `status`; `placed` is the creation date that it
        tells."""
        changed = status != self.status
        changes: dict[str, Any] = {"status": status, "looked": now}
        if changed:
            changes["since"] = now
        if self.drift == GONE:
            changes["drift"] = ""
        if placed is not None and placed < self.placed:
            changes["placed"] = placed
        after = self.model_copy(update=changes)
        if changed and meaning(status).news and (self.status or status != PENDING):
            after = after.owing("order-status", f"the order's status is now {status}", now)
        return after._reminded(now)._going_on(order_id, now)

    def missing(self, order_id: str, now: datetime) -> WatchedOrder:
        """The watch after a look that Partner Center answered with "no such order"."""
        if now - self.began < LAG:
            return self.model_copy(update={"next": self.began + LAG})
        gone = self.model_copy(update={"looked": now}).differing(GONE, now)
        return gone._going_on(order_id, now)

    def failed(self, now: datetime, wait: timedelta = LATER) -> WatchedOrder:
        """The watch after a look that came to nothing."""
        if now - self.began >= LONGEST:
            return self.model_copy(update={"next": None, "ended": "age"})
        return self.model_copy(update={"next": now + max(wait, LATER)})

    def handed_over(self) -> WatchedOrder:
        """The watch once the record of the order's documents watches it."""
        return self.model_copy(update={"next": None, "ended": "documents"})

    def differing(self, what: str, now: datetime) -> WatchedOrder:
        """The watch when this differs between ledger and Partner Center, "" for nothing; told when it is
        new."""
        after = self.model_copy(update={"drift": what})
        return after.owing("drift", what, now) if what and what != self.drift else after

    def owing(self, event: str, detail: str, now: datetime) -> WatchedOrder:
        """The same, and people must be told of this."""
        actor, remedy = meaning(self.status)[:2]
        if event == "drift":
            actor, remedy = "operator", "look at the order in Partner Center; nothing was changed"
        one = Owed(event=event, at=now, status=self.status, detail=detail, actor=actor, remedy=remedy)
        return self.model_copy(update={"owed": (*self.owed, one)[-MOST_OWED:]})

    def told(self, said: tuple[Owed, ...]) -> WatchedOrder:
        """The same without what people have been told."""
        return self.model_copy(update={"owed": tuple(one for one in self.owed if one not in said)})

    def _reminded(self, now: datetime) -> WatchedOrder:
        """Of several reminders that are due at once only the last is owed."""
        if self.status != PENDING:
            return self
        due = sum(now - self.placed >= age for age in REMINDERS)
        if due <= self.reminded:
            return self
        detail = WAITS_TOO_LONG.format(days=(now - self.placed).days)
        return self.model_copy(update={"reminded": due}).owing("order-waits", detail, now)

    def _going_on(self, order_id: str, now: datetime) -> WatchedOrder:
        """With the moment of the next look, or at its end."""
        if meaning(self.status).final:
            return self.model_copy(update={"next": None, "ended": "final"})
        if now - self.began >= LONGEST:
            return self.model_copy(update={"next": None, "ended": "age"})
        if not self.status and self.looked is None:
            return self.model_copy(update={"next": now + LAG})
        moments = [now + DAY + _jitter(order_id), self.began + LONGEST]
        if self.status == PENDING:
            moments += [self.placed + age for age in REMINDERS[self.reminded :]]
        return self.model_copy(update={"next": min(one for one in moments if one > now)})


def _jitter(order_id: str) -> timedelta:
    """So much later than a day; always the same for one order."""
    return timedelta(seconds=int(hashlib.sha256(order_id.encode()).hexdigest()[:8], 16) % _SPREAD)
