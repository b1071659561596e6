"""Indirect resellers: from the tenant id that a caller knows to the PartnerID that an order needs.

The documented sample orders all the same when the reseller is not found, and the reseller silently loses the
incentive; here no order is placed. Before an order goes out Partner Center is also asked whether the
PartnerID may stand on it, where it offers that newer check.
https://learn.microsoft.com/en-us/partner-center/developer/create-an-order-for-a-customer-of-an-indirect-reseller
https://learn.microsoft.com/en-us/partner-center/developer/validate-reseller-partner-of-record
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.errors import ResellerError, Violation
from shared.models import OrderRequest
from shared.partner_center.client import PartnerCenter
from shared.partner_center.wire import Deadline, RequestIds

Reseller = dict[str, Any]
"""One of the items of Partner Center's relationships: id (tenant), mpnId, state, …"""


@dataclass
class Resellers:
    """The partner's indirect resellers, believed for `lifetime` seconds.

    One that is not in the list is looked for once more in a fresh one, so that a new relationship works at
    once; one that lost its relationship is noticed within the lifetime.
    """

    lifetime: float
    monotonic: Callable[[], float]
    _items: list[Reseller] = field(default_factory=list)
    _read_at: float = float("-inf")
    _approved: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def partner_id(
        self, partner: PartnerCenter, request: OrderRequest, ids: RequestIds, deadline: Deadline
    ) -> str | None:
        """The `partnerIdOnRecord` to write on every line; None when the request needs none written.

        Raises ResellerError when the reseller, or a partnerIdOnRecord that was given directly, may not
        stand on an order of this partner; PartnerCenterError when that cannot be found out.
        """
        if request.indirect_reseller_id:
            tenant = request.indirect_reseller_id.lower()
            found = self._look_for(partner, lambda r: _text(r, "id").lower() == tenant, ids, deadline)
            partner_id = _text(found[0], "mpnId") if found else ""
            fault = _fault(found) or self._disapproval(partner, partner_id, ids, deadline)
            self._refuse([("/indirectResellerId", fault)])
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

    @staticmethod
    def _refuse(faults: list[tuple[str, str]]) -> None:
        violations = [
            Violation(pointer, f"{fault}; no order was placed") for pointer, fault in faults if fault
        ]
        if violations:
            raise ResellerError(violations)

    def _fault_of(self, partner: PartnerCenter, partner_id: str, ids: RequestIds, deadline: Deadline) -> str:
        found = self._look_for(partner, lambda r: _text(r, "mpnId") == partner_id, ids, deadline)
        return _fault(found) or self._disapproval(partner, partner_id, ids, deadline)

    def _look_for(
        self,
        partner: PartnerCenter,
        wanted: Callable[[Reseller], bool],
        ids: RequestIds,
        deadline: Deadline,
    ) -> list[Reseller]:
        with self._lock:
            found = [r for r in self._items if wanted(r)]
            if not found or self.monotonic() - self._read_at > self.lifetime:
                data = partner.indirect_resellers(ids, deadline).json()
                self._items = [r for r in data["items"] if isinstance(r, dict)]
                self._read_at = self.monotonic()
                found = [r for r in self._items if wanted(r)]
            return found

    def _disapproval(
        self, partner: PartnerCenter, partner_id: str, ids: RequestIds, deadline: Deadline
    ) -> str:
        """Why Partner Center would not have the PartnerID on an order; "" when it would, or does not say."""
        with self._lock:
            if self.monotonic() - self._approved.get(partner_id, float("-inf")) <= self.lifetime:
                return ""
            checks = partner.validate_resellers([partner_id], ids, deadline) or ()
            for check in checks:
                if not check.valid:
                    why = check.description or "Partner Center does not accept it"
                    return f"may not stand on an order: {why}{f' (code {check.code})' if check.code else ''}"
            self._approved[partner_id] = self.monotonic()
            return ""


def _text(reseller: Reseller, name: str) -> str:
    return str(reseller.get(name) or "")


def _fault(found: list[Reseller]) -> str:
    if not found:
        return "is not among the indirect resellers of this partner"
    states = {_text(r, "state").lower() for r in found}
    if not states & {"active", ""}:
        return f"is an indirect reseller whose relationship is {', '.join(sorted(states))}, not active"
    if not _text(found[0], "mpnId"):
        return "has no PartnerID (mpnId) in Partner Center, so the sale could not be attributed"
    return ""
