"""Place orders and check carts out, once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from shared.auth.claims import subject
from shared.auth.mode import Mode, UserTokenSource
from shared.clock import Deadline
from shared.core.checkout_request import CheckoutRequest
from shared.core.errors import NotFoundError
from shared.core.ledger import LEDGER_FORMAT, Record, Submission
from shared.core.ledger_parts import CartNote, OrderContent
from shared.core.order_request import OrderRequest
from shared.partner_center.client import PartnerCenter
from shared.partner_center.wire import Answer, RequestIds
from shared.services.checkout_operation import CheckoutOperation
from shared.services.executor import Executor
from shared.services.operation import Outcome
from shared.services.order_operation import OrderOperation
from shared.services.resellers import Resellers
from shared.storage.ledger_store import VersionedRecord


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders of customers."""

    executor: Executor
    partner: PartnerCenter
    resellers: Resellers
    visibility: timedelta
    user: str = ""
    """Object id of the signed-in user whose tokens `partner` uses, "" when it is the stored consent's."""

    def place(
        self,
        customer_id: str,
        request: OrderRequest,
        key: str,
        correlation_id: str,
        deadline: Deadline,
        *,
        customer_user: str = "",
    ) -> Outcome:
        """Place the order that `key` (the Idempotency-Key) stands for, or say what became of it.

        `customer_user` is the UPN that goes with it, "" for none.

        Raises ResellerError, KeyReusedError, WrongUserError, PartnerCenterError (the reseller look-up failed,
        so no order was placed), StorageUnknownError (it may be placed), StorageError.
        """
        blank = _blank(customer_id, order_key(customer_id, key))
        digest = request.digest(customer_id, customer_user)
        known = self.executor.ledger.read(blank.key) if request.needs_app_user else None
        content = only_submission(known.record).order if known else None
        if content is None:
            ids = RequestIds(self.executor.new_id(), correlation_id)
            partner_id = self.resellers.partner_id(self.partner, request, ids, deadline)
            content = OrderContent(
                mode=str(Mode.APP_USER if request.needs_app_user else Mode.APP),
                body=request.to_wire(customer_id, partner_id).decode(),
                customer_user=customer_user,
            )
        if request.needs_app_user:
            content = content.model_copy(update={"user": self.user})
        return self.executor.run(self.operation(blank, digest, content), correlation_id, deadline)

    def check_out(
        self, customer_id: str, request: CheckoutRequest, key: str, correlation_id: str, deadline: Deadline
    ) -> Outcome:
        """Buy through a cart what `key` (the Idempotency-Key) stands for, or say what became of it.

        Raises ResellerError, LinesRefusedError, KeyReusedError, WrongUserError, PartnerCenterError (the
        reseller look-up or the cart failed: nothing was bought), StorageUnknownError (it may be bought),
        StorageError.
        """
        blank = _blank(customer_id, order_key(customer_id, key))
        known = self.executor.ledger.read(blank.key)
        content = only_submission(known.record).order if known else None
        if content is None:
            partner_id = None
            if request.indirect_reseller_id:
                ids = RequestIds(self.executor.new_id(), correlation_id)
                tenant = request.indirect_reseller_id
                partner_id = self.resellers.of_tenant(self.partner, tenant, ids, deadline)
            content = OrderContent(
                mode=str(Mode.APP_USER if request.needs_app_user else Mode.APP),
                body=request.to_wire(partner_id).decode(),
                cart=CartNote(),
            )
        if request.needs_app_user:
            content = content.model_copy(update={"user": self.user})
        op = self.operation(blank, request.digest(customer_id), content)
        return self.executor.run(op, correlation_id, deadline, known)

    def status(self, customer_id: str, key: str, deadline: Deadline) -> Outcome:
        """What became of an order request, asking Partner Center when its time has come. Raises
        NotFoundError."""
        stored = self.executor.ledger.read(order_key(customer_id, key))
        if stored is None:
            raise NotFoundError("no order was requested with this key")
        own = only_submission(stored.record)
        op = self.operation(stored.record, own.digest)
        return self.executor.run(op, own.correlation_id, deadline, stored)

    def resume(self, stored: VersionedRecord, deadline: Deadline) -> Outcome:
        """Do for a record what is due: ask, and send again what its caller was told is under way. What was
        placed for a signed-in user waits until that user asks again."""
        own = only_submission(stored.record)
        content = own.order if own.sent_by_worker else None
        op = self.operation(stored.record, own.digest, content, auto_retry=True)
        return self.executor.run(op, own.correlation_id, deadline, stored)

    def get(self, customer_id: str, order_id: str, ids: RequestIds, deadline: Deadline) -> Answer:
        """The order as Partner Center has it now. Raises PartnerCenterError."""
        return self.partner.get_order(customer_id, order_id, ids, deadline)

    def for_user(self, tokens: UserTokenSource, assertion: str) -> Orders:
        """The same service for the signed-in user whose token for this application is given."""
        partner = self.partner.with_tokens(tokens.for_user(assertion))
        return replace(self, partner=partner, user=subject(assertion))

    def operation(
        self, blank: Record, digest: str, content: OrderContent | None = None, *, auto_retry: bool = False
    ) -> OrderOperation | CheckoutOperation:
        """The operation about a request, by what is sent; without `content` it is only looked at, by what its
        record says."""
        recorded = blank.submissions.get(digest)
        sent = content or (recorded.order if recorded else None)
        common: dict[str, Any] = {
            "blank": blank,
            "digest": digest,
            "content": content,
            "partner": self.partner,
            "clock": self.executor.clock,
            "new_id": self.executor.new_id,
            "auto_retry": auto_retry,
        }
        if sent is not None and sent.cart is not None:
            return CheckoutOperation(sleep=self.executor.sleep, **common)
        return OrderOperation(visibility=self.visibility, ledger=self.executor.ledger, **common)


def only_submission(record: Record) -> Submission:
    """The one submission of an order request."""
    return next(iter(record.submissions.values()))


def order_key(customer_id: str, key: str) -> str:
    """Ledger key of an order request; hashed, since an Idempotency-Key may hold any visible character."""
    return f"orders/{customer_id}/{hashlib.sha256(key.encode()).hexdigest()}"


def _blank(customer_id: str, key: str) -> Record:
    return Record(v=LEDGER_FORMAT, kind="order", key=key, customer_id=customer_id)
