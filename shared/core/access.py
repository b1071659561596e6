"""Who calls over HTTP: app roles of Entra, and the customers that a caller may act for.

With function keys every caller may do everything for every customer: a key says nothing of who holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The app roles that the app registration of this app has, by their values.
    https://learn.microsoft.com/en-us/entra/identity-platform/howto-add-app-roles-in-apps"""

    CREATE = "Orders.Create"
    ATTACH = "Documents.Attach"
    READ = "Receipts.Read"
    DECIDE = "Reviews.Decide"
    OPERATE = "App.Operate"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request. `name` is what a record says of them, "" where nobody is signed in; `customers`
    are those that they may act for, None for all of them."""

    name: str = ""
    customers: frozenset[str] | None = None

    def may_act_for(self, customer: str) -> bool:
        """Whether a customer (tenant id) is one of theirs; "" stands for one that is not known."""
        return self.customers is None or customer.lower() in self.customers


ANYBODY = Caller()
"""Whoever has a key."""
