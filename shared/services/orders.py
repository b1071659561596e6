"""Place an order, once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shared.auth.mode import Mode, TokenSource
from shared.errors import NotFoundError, OutcomeUnknownError
from shared.ledger import Claim, Record, State
from shared.models import OrderRequest
from shared.partner_center.client import PartnerCenter
from shared.partner_center.wire import Answer, Deadline, RequestIds
from shared.services.effect import Absent, Finding, Found, Outcome, Unclear
from shared.services.resellers import Resellers
from shared.services.submission import Submissions
from shared.storage.ledger import LedgerStore

KIND = "order"

_CLOCKS_DIFFER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class OrderEffect:
    """The POST of one order. Its record holds the whole body, so it can always be sent."""

    claim: Claim
    settle: timedelta
    partner: PartnerCenter
    ledger: LedgerStore
    resumes: bool

    @property
    def can_send(self) -> bool:
        """Always: the record holds the body."""
        return True

    def asks_again(self, record: Record) -> bool:
        """A caller does where the remedy lay outside the request; the sweep only passes by."""
        return not self.resumes and bool((record.answer or {}).get("retryable"))

    def send(self, ids: RequestIds, deadline: Deadline) -> Answer:
        """POST the order."""
        r = self.claim.request
        return self.partner.create_order(r["customerId"], r["body"].encode(), Mode(r["mode"]), ids, deadline)

    def owns(self, answer: Answer) -> tuple[str, ...]:
        """The order."""
        return (str(answer.json()["id"]),)

    def doubt(self, answer: Answer) -> str:
        """An answer with an id is the order."""
        return ""

    def find(self, record: Record, deadline: Deadline) -> Finding:
        """Look for an order with the same lines among the customer's, placed since the record was written.

        New orders take up to 15 minutes to appear in this list, hence `settle`.
        https://learn.microsoft.com/en-us/partner-center/developer/get-all-of-a-customer-s-orders
        """
        customer = record.request["customerId"]
        ids = RequestIds(record.revision, record.correlation_id)
        since = record.created - _CLOCKS_DIFFER
        answer = self.partner.list_orders(customer, ids, deadline)
        siblings = list(self.ledger.siblings(record.key, since - _CLOCKS_DIFFER))
        owned = {order_id_of(s) for s in siblings if s.state is State.DONE}
        sent = json.loads(record.request["body"])
        alike = [
            o
            for o in _orders(answer)
            if o.get("id") not in owned and _essence(o) == _essence(sent) and _placed_since(o, since)
        ]
        found = [o for o in alike if not _contradicts(o, sent)]
        if not found:
            return (
                Unclear("the customer has a new order like this one, with other details")
                if alike
                else Absent()
            )
        twins = [s for s in siblings if _essence(json.loads(s.request["body"])) == _essence(sent)]
        if any(s.state is State.CLAIMED for s in twins):
            raise OutcomeUnknownError("another order with the same lines is being placed right now")
        if len(found) > 1 + sum(s.state is State.UNKNOWN for s in twins):
            return Unclear(
                "the customer has several new orders with these lines that no request accounts for"
            )
        alike_ids = [str(o["id"]) for o in found]
        # a twin's order must not be taken by one who has one of its own and did not live to record it
        adopted = (i for i in alike_ids if len(found) > 1 and self.ledger.has_adopted(i, record.key))
        chosen = next(adopted, alike_ids[0])
        whole = self.partner.get_order(customer, chosen, ids, deadline)
        return Found(Answer(201, whole.body, whole.ids), (chosen,))


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders of customers."""

    submissions: Submissions
    partner: PartnerCenter
    resellers: Resellers
    settle: timedelta

    def place(
        self, customer_id: str, request: OrderRequest, key: str, correlation_id: str, deadline: Deadline
    ) -> Outcome:
        """Place the order that `key` (the Idempotency-Key) stands for, or tell what became of it.

        Raises ResellerError, KeyReusedError, PartnerCenterError (the reseller look-up
        failed, so no order was placed), StorageError.
        """
        ledger_key, digest = order_key(customer_id, key), request.digest(customer_id)
        known = self.submissions.ledger.read(ledger_key) if request.needs_app_user else None
        if known is None:
            ids = RequestIds(self.submissions.new_id(), correlation_id)
            partner_id = self.resellers.partner_id(self.partner, request, ids, deadline)
            body = request.to_wire(customer_id, partner_id).decode()
            mode = Mode.APP_USER if request.needs_app_user else Mode.APP
            sent: Mapping[str, Any] = {"customerId": customer_id, "mode": str(mode), "body": body}
        else:
            sent = known.record.request
        claim = Claim(KIND, ledger_key, digest, sent)
        return self.submissions.run(self._effect(claim, resumes=False), correlation_id, deadline)

    def look(self, customer_id: str, keys: Sequence[str], deadline: Deadline) -> Outcome:
        """What became of an order request, under the first of `keys` that there is one for.

        Raises NotFoundError when there is none.
        """
        for key in keys[:-1]:
            with suppress(NotFoundError):
                return self.go_on(order_key(customer_id, key), deadline)
        return self.go_on(order_key(customer_id, keys[-1]), deadline)

    def go_on(self, ledger_key: str, deadline: Deadline) -> Outcome:
        """Do for a record what is due: ask, and send again what the caller was told is under way."""
        stored = self.submissions.ledger.read(ledger_key)
        if stored is None or stored.record.kind != KIND:
            raise NotFoundError("no order was ever asked for with that key")
        r = stored.record
        if not r.open or r.until is None:
            return Outcome(r, replayed=True)
        claim = Claim(r.kind, r.key, r.digest, r.request, r.source)
        return self.submissions.run(self._effect(claim, resumes=True), r.correlation_id, deadline)

    def find(self, record: Record, deadline: Deadline) -> Finding:
        """Ask Partner Center for the order of a record. Raises PartnerCenterError."""
        claim = Claim(record.kind, record.key, record.digest, record.request, record.source)
        return self._effect(claim, resumes=False).find(record, deadline)

    def get(self, customer_id: str, order_id: str, ids: RequestIds, deadline: Deadline) -> Answer:
        """The order as Partner Center has it now. Raises PartnerCenterError."""
        return self.partner.get_order(customer_id, order_id, ids, deadline)

    def with_tokens(self, tokens: TokenSource) -> Orders:
        """The same service with other tokens: those of a signed-in user, say."""
        return replace(self, partner=self.partner.with_tokens(tokens))

    def _effect(self, claim: Claim, *, resumes: bool) -> OrderEffect:
        return OrderEffect(claim, self.settle, self.partner, self.submissions.ledger, resumes)


def order_key(customer_id: str, key: str) -> str:
    """Ledger key of an order request; hashed, since an Idempotency-Key may hold any visible character."""
    return f"orders/{customer_id}/{hashlib.sha256(key.encode()).hexdigest()}"


def _orders(answer: Answer) -> list[dict[str, Any]]:
    data = answer.json()
    items = data.get("items") if isinstance(data, dict) else None
    return [o for o in items if isinstance(o, dict)] if isinstance(items, list) else []


def order_id_of(record: Record) -> str:
    """The id of the order that a record's answer holds, "" when there is none."""
    body = (record.answer or {}).get("body")
    return str(json.loads(body).get("id", "")) if body else ""


def _lines(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    lines: Sequence[Mapping[str, Any]] = order.get("lineItems") or []
    return sorted(lines, key=lambda line: int(line.get("lineItemNumber") or 0))


def _essence(order: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What every order says of its lines, and the server echoes: which offers, and how many of each."""
    return [(str(line.get("offerId", "")).lower(), str(line.get("quantity", ""))) for line in _lines(order)]


def _contradicts(order: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    """Whether a detail that was sent came back as something else; what is not echoed says nothing."""
    return any(
        there.get(name) is not None and there[name] != value
        for there, line in zip(_lines(order), _lines(sent), strict=True)
        for name, value in line.items()
        if name in ("friendlyName", "partnerIdOnRecord", "termDuration")
    )


def _placed_since(order: Mapping[str, Any], since: datetime) -> bool:
    """Whether the order is new enough; one whose date cannot be read is taken for new."""
    try:
        placed = datetime.fromisoformat(str(order.get("creationDate")))
    except ValueError:
        return True
    return placed.tzinfo is None or placed >= since
