"""Indirect resellers: from the tenant id that a caller knows to the PartnerID that an order needs.

The documented sample orders all the same when the reseller is not found, and the reseller silently loses the
incentive; here no order is placed.
https://learn.microsoft.com/en-us/partner-center/developer/create-an-order-for-a-customer-of-an-indirect-reseller
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


@dataclass
class Resellers:
    """The partner's indirect resellers, believed for `lifetime` seconds.

    A reseller that is not in the list is looked for once more in a fresh one, so that a new relationship
    works at once; one that lost its relationship is noticed within the lifetime.
    """

    partner: PartnerCenter
    lifetime: float
    monotonic: Callable[[], float]
    _items: list[dict[str, Any]] = field(default_factory=list)
    _read_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def partner_id(self, request: OrderRequest, ids: RequestIds, deadline: Deadline) -> str | None:
        """The `partnerIdOnRecord` to write on every line; None when the request needs none written.

        Raises ResellerError when the reseller, or a partnerIdOnRecord that was given directly, is not
        an active indirect reseller of this partner; PartnerCenterError when the list cannot be read.
        """
        if request.indirect_reseller_id:
            return self._of_tenant(request.indirect_reseller_id, ids, deadline)
        faults = [
            Violation(f"/lineItems/{n}/partnerIdOnRecord", fault)
            for n, line in enumerate(request.line_items)
            if line.partner_id_on_record
            and (fault := self._fault_of_id(line.partner_id_on_record, ids, deadline))
        ]
        if faults:
            raise ResellerError(faults)
        return None

    def _of_tenant(self, tenant: str, ids: RequestIds, deadline: Deadline) -> str:
        found = self._look_for(lambda r: _text(r, "id").lower() == tenant.lower(), ids, deadline)
        fault = _fault(found)
        if not fault and not _text(found[0], "mpnId"):
            fault = "has no PartnerID (mpnId) in Partner Center, so the sale could not be attributed"
        if fault:
            raise ResellerError([Violation("/indirectResellerId", f"{fault}; no order was placed")])
        return _text(found[0], "mpnId")

    def _fault_of_id(self, partner_id: str, ids: RequestIds, deadline: Deadline) -> str:
        fault = _fault(self._look_for(lambda r: _text(r, "mpnId") == partner_id, ids, deadline))
        return f"{fault}; no order was placed" if fault else ""

    def _look_for(
        self, wanted: Callable[[dict[str, Any]], bool], ids: RequestIds, deadline: Deadline
    ) -> list[dict[str, Any]]:
        with self._lock:
            fresh = self._read_at is None or self.monotonic() - self._read_at > self.lifetime
            for _ in range(2):
                if fresh:
                    self._items = self._read(ids, deadline)
                    self._read_at = self.monotonic()
                found = [r for r in self._items if wanted(r)]
                if found or fresh:
                    break
                fresh = True
            return found

    def _read(self, ids: RequestIds, deadline: Deadline) -> list[dict[str, Any]]:
        data = self.partner.indirect_resellers(ids, deadline).json()
        items = data.get("items") if isinstance(data, dict) else None
        return [r for r in items if isinstance(r, dict)] if isinstance(items, list) else []


def _text(reseller: dict[str, Any], name: str) -> str:
    return str(reseller.get(name) or "")


def _fault(found: list[dict[str, Any]]) -> str:
    if not found:
        return "is not among the indirect resellers of this partner"
    states = {_text(r, "state").lower() for r in found}
    if not states & {"active", ""}:
        return f"is an indirect reseller whose relationship is {', '.join(sorted(states))}, not active"
    return ""
