"""Indirect resellers: from the tenant id that a caller knows to the PartnerID that an order needs.

The documented sample orders all the same when the reseller is not found, and the reseller silently loses the
incentive; here no order is placed. Before an order goes out Partner Center is also asked whether the
PartnerID may stand on it, where it offers that newer check.
https://learn.microsoft.com/en-us/partner-center/developer/create-an-order-for-a-customer-of-an-indirect-reseller
https://learn.microsoft.com/en-us/partner-center/developer/validate-reseller-partner-of-record

Both answers are shared by all callers (shared_read.py): who can be answered from what is known waits for
nobody, and a reseller that is not known costs one call in RECENT seconds, however often it is asked for.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.clock import Deadline
from shared.core.errors import NotAppliedError, ResellerError, Violation
from shared.core.order_request import OrderRequest
from shared.core.resources import by_lower_name, items_of
from shared.partner_center.client import PartnerCenter
from shared.partner_center.paging import total_of
from shared.partner_center.wire import RequestIds
from shared.services.shared_read import SharedRead

RECENT = 30.0
"""Seconds for which a list proves that a reseller is not in it, and a PartnerID that Partner Center does not
accept is refused without asking. A new relationship works at the latest after this time; a caller that goes
on asking for a reseller that does not exist costs one call in it, whatever ids it makes up."""

MOST_PARTNER_IDS = 500
"""PartnerIDs whose approval is remembered; beyond that the one that was not used for longest is forgotten."""

_PARTNER_ID = re.compile(r"[!-~]{1,64}")
"""What can stand on an order line; PartnerIDs in use are numbers of up to eight digits."""


class Resellers:
    """The partner's indirect resellers, believed for `lifetime` seconds. Safe to use from many threads.

    One that may not stand on an order by a list that is older than RECENT is looked for in a fresh one; one
    that lost its relationship is noticed within the lifetime.
    """

    def __init__(self, lifetime: float, monotonic: Callable[[], float]) -> None:
        self._lifetime = lifetime
        self._monotonic = monotonic
        self._list: SharedRead[_List] = SharedRead(monotonic)
        self._disapprovals: OrderedDict[str, SharedRead[str]] = OrderedDict()
        self._lock = threading.Lock()

    def partner_id(
        self, partner: PartnerCenter, request: OrderRequest, ids: RequestIds, deadline: Deadline
    ) -> str | None:
        """The `partnerIdOnRecord` to write on every line; None when the request needs none written.

        Raises ResellerError when the reseller, or a partnerIdOnRecord that was given directly, may not
        stand on an order of this partner, or when the two differ; PartnerCenterError when that cannot be
        found out.
        """
        if request.indirect_reseller_id:
            partner_id = self.of_tenant(partner, request.indirect_reseller_id, ids, deadline)
            self._refuse(_contradictions(request, partner_id))
            return partner_id
        given = [(n, line.partner_id_on_record) for n, line in enumerate(request.line_items)]
        self._refuse(
            [
                (f"/lineItems/{n}/partnerIdOnRecord", self._fault_of(partner, partner_id, ids, deadline))
                for n, partner_id in given
                if partner_id
            ]
        )
        return None

    def of_tenant(self, partner: PartnerCenter, tenant: str, ids: RequestIds, deadline: Deadline) -> str:
        """The PartnerID of the indirect reseller with that tenant id. Raises what `partner_id` raises."""
        key = tenant.lower()
        found = self._lookup(partner, lambda known: known.by_tenant.get(key, ()), ids, deadline)
        partner_id = _usable_id(found)
        fault = _fault(found) or self._disapproval(partner, partner_id, ids, deadline)
        self._refuse([("/indirectResellerId", fault)])
        return partner_id

    @staticmethod
    def _refuse(faults: list[tuple[str, str]]) -> None:
        violations = [
            Violation(pointer, f"{fault}; no order was placed") for pointer, fault in faults if fault
        ]
        if violations:
            raise ResellerError(violations)

    def _fault_of(self, partner: PartnerCenter, partner_id: str, ids: RequestIds, deadline: Deadline) -> str:
        found = self._lookup(partner, lambda known: known.by_partner_id.get(partner_id, ()), ids, deadline)
        return _fault(found) or self._disapproval(partner, partner_id, ids, deadline)

    def _lookup(
        self,
        partner: PartnerCenter,
        wanted: Callable[[_List], Sequence[_Reseller]],
        ids: RequestIds,
        deadline: Deadline,
    ) -> Sequence[_Reseller]:
        def suffices(known: _List, age: float) -> bool:
            return age <= self._lifetime and (age <= RECENT or not _fault(wanted(known)))

        def ask(until: Deadline) -> _List:
            return _list(partner.indirect_resellers(ids, until).json())

        known = self._list.get(partner, suffices, ask, deadline)
        found = wanted(known)
        if _fault(found) and not known.complete:
            raise NotAppliedError(
                "Partner Center's list of indirect resellers did not come whole, and the part that came does"
                " not hold this one as one that may stand on an order. No order was placed."
            )
        return found

    def _disapproval(
        self, partner: PartnerCenter, partner_id: str, ids: RequestIds, deadline: Deadline
    ) -> str:
        """Why Partner Center would not have the PartnerID on an order; "" when it would, or does not say."""

        def suffices(why: str, age: float) -> bool:
            return age <= (min(RECENT, self._lifetime) if why else self._lifetime)

        def ask(until: Deadline) -> str:
            for check in partner.validate_resellers([partner_id], ids, until) or ():
                if not check.valid:
                    why = _shown(check.description) or "Partner Center does not accept it"
                    code = f" (code {_shown(check.code)})" if check.code else ""
                    return f"may not stand on an order: {why}{code}"
            return ""

        return self._disapproval_of(partner_id).get(partner, suffices, ask, deadline)

    def _disapproval_of(self, partner_id: str) -> SharedRead[str]:
        with self._lock:
            shared = self._disapprovals.setdefault(partner_id, SharedRead(self._monotonic))
            self._disapprovals.move_to_end(partner_id)
            while len(self._disapprovals) > MOST_PARTNER_IDS:
                self._disapprovals.popitem(last=False)
            return shared


@dataclass(frozen=True, slots=True)
class _Reseller:
    """What an order needs of a relationship. `partner_id` is "" when there is none that can stand on one."""

    tenant: str
    partner_id: str
    state: str

    @property
    def active(self) -> bool:
        return self.state in ("active", "")


@dataclass(frozen=True, slots=True)
class _List:
    """The relationships that came, and whether they are all that there are."""

    by_tenant: Mapping[str, Sequence[_Reseller]]
    by_partner_id: Mapping[str, Sequence[_Reseller]]
    complete: bool


def _list(collection: Mapping[str, Any]) -> _List:
    by_tenant, by_partner_id = (
        defaultdict[str, list[_Reseller]](list),
        defaultdict[str, list[_Reseller]](list),
    )
    for item in items_of(collection):
        if isinstance(item, dict):
            reseller = _reseller(by_lower_name(item))
            by_tenant[reseller.tenant].append(reseller)
            by_partner_id[reseller.partner_id].append(reseller)
    # a page, or fewer than the total, is no answer to the client; a total that cannot be read proves nothing
    complete = total_of(collection) is not None or by_lower_name(collection).get("totalcount") is None
    return _List(by_tenant, by_partner_id, complete)


def _reseller(members: Mapping[str, Any]) -> _Reseller:
    tenant, partner_id, state = (members.get(name) for name in ("id", "mpnid", "state"))
    return _Reseller(
        tenant=tenant.lower() if isinstance(tenant, str) else "",
        partner_id=partner_id if isinstance(partner_id, str) and _PARTNER_ID.fullmatch(partner_id) else "",
        state="" if state is None else str(state).lower(),
    )


def _contradictions(request: OrderRequest, partner_id: str) -> list[tuple[str, str]]:
    """The lines that name another PartnerID than the reseller's."""
    return [
        (
            f"/lineItems/{n}/partnerIdOnRecord",
            f"is {line.partner_id_on_record}, but the PartnerID of indirectResellerId is {partner_id};"
            " give one of the two",
        )
        for n, line in enumerate(request.line_items)
        if line.partner_id_on_record not in (None, partner_id)
    ]


def _usable_id(found: Sequence[_Reseller]) -> str:
    return next((r.partner_id for r in found if r.active and r.partner_id), "")


def _fault(found: Sequence[_Reseller]) -> str:
    if not found:
        return "is not among the indirect resellers of this partner"
    if not any(r.active for r in found):
        states = _shown(", ".join(sorted({r.state for r in found})))
        return f"is an indirect reseller whose relationship is {states}, not active"
    if not _usable_id(found):
        return "has no usable PartnerID (mpnId) in Partner Center, so the sale could not be attributed"
    return ""


def _shown(text: str) -> str:
    """Text of Partner Center's as a message can hold it."""
    return "".join(c if c.isprintable() else " " for c in text[:300]).strip()
