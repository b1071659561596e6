"""What binds the holders of app roles, and the drops in a folder, to customers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.core.ids import GUID
from shared.core.uploads import FOLDER

ANY = "*"
"""Every customer."""


@dataclass(frozen=True, slots=True)
class Bindings:
    """Which customers the holders of a role, and drops in a folder, are for. An empty table binds nobody."""

    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    folders: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Bindings:
        """From JSON: `{"roles": {"<role>": ["<customer>", …]}, "folders": {"<folder>/": […]}}`, where "*"
        stands for every customer. Raises ValueError, whose text says what is wrong."""
        try:
            table = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("must be JSON") from None
        if not isinstance(table, dict) or not table or table.keys() - {"roles", "folders"}:
            raise ValueError('must be an object of "roles" and "folders", or one of them')
        roles, folders = (_table(table[what], what) if what in table else {} for what in ("roles", "folders"))
        return cls(roles, folders)

    def customers_of(self, roles: Iterable[str]) -> frozenset[str] | None:
        """The customers that a caller with these roles may act for; None for all of them."""
        if not self.roles:
            return None
        found = frozenset[str]().union(*(self.roles[role] for role in roles if role in self.roles))
        return None if ANY in found else found

    def fault_of_drop(self, path: str, customer: str) -> str:
        """What is wrong with a drop at that path which names that customer; "" when nothing is."""
        if not self.folders:
            return ""
        allowed = self._customers_in(path)
        if allowed is None:
            return "cannot be taken from this folder: no customer is bound to it"
        if ANY in allowed or customer.lower() in allowed:
            return ""
        return "is not a customer of this folder"

    def _customers_in(self, path: str) -> frozenset[str] | None:
        """Those of the longest folder that holds the path; an upload lies under its customer."""
        if path.startswith(FOLDER):
            return frozenset({path.removeprefix(FOLDER).partition("/")[0].lower()})
        return max(
            ((name, found) for name, found in self.folders.items() if path.startswith(name)),
            key=lambda entry: len(entry[0]),
            default=("", None),
        )[1]


def _table(table: object, what: str) -> dict[str, frozenset[str]]:
    """One of the two tables. What is wrong is told by its place: health shows it to everybody."""
    if not isinstance(table, dict) or not table:
        raise ValueError(f"{what}: must be an object with a list of customers for each name, or left out")
    found = {}
    for place, (name, customers) in enumerate(table.items(), 1):
        if not isinstance(customers, list) or not name:
            raise ValueError(f"{what}, entry {place}: must be a name with a list of customers")
        if not all(c == ANY or (isinstance(c, str) and GUID.fullmatch(c)) for c in customers):
            raise ValueError(f"{what}, entry {place}: has a customer that is no tenant id and no *")
        if what == "folders" and (not name.endswith("/") or name.startswith("/")):
            raise ValueError(f"{what}, entry {place}: must end in a slash, and begin with none")
        found[name] = frozenset(c.lower() for c in customers)
    return found
