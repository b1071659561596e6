"""The one place where the parts are put together: settings in, services out."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared import telemetry
from shared.auth.claims import is_for
from shared.auth.mode import TokenSource, UserTokenSource
from shared.clock import Clock, Deadline
from shared.core.errors import NotConfiguredError
from shared.partner_center.client import PartnerCenter
from shared.services.attachments import Attachments
from shared.services.bell import Bell
from shared.services.consents import FOLDER as CONSENTS
from shared.services.consents import Consents
from shared.services.drops import Drops
from shared.services.executor import Executor
from shared.services.listing import Listing
from shared.services.notices import LASTS, Notices
from shared.services.orders import Orders
from shared.services.receipts import Receipts
from shared.services.resellers import Resellers
from shared.services.review import Reviews
from shared.services.statuses import Statuses
from shared.services.sweep import Sweep
from shared.services.uploads import Uploads
from shared.services.watch import Watch
from shared.services.worker import Worker
from shared.settings import Settings
from shared.settings_table import DOCUMENT_STORAGE
from shared.storage.blobs import BlobStore
from shared.storage.dependency_index import DependencyIndex
from shared.storage.ledger_store import LedgerStore
from shared.storage.queue import WorkQueue
from shared.storage.receipt_store import ReceiptStore
from shared.storage.sealed_notes import SealedNotes
from shared.storage.status_keys import StatusKeys
from shared.storage.upload_urls import UploadUrls

SWEEP_SECONDS = 600.0
"""Deadline of a sweep: longer than the time between two, so that a backlog is handed out all the time that it
lasts. A timer that runs longer than its schedule runs again as soon as it has ended."""

CLAIM_MARGIN = 60.0
"""Seconds that a claim outlives its holder's deadline: the most that clocks of instances may differ."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the handlers call."""

    settings: Settings
    orders: Orders
    attachments: Attachments
    drops: Drops
    sweep: Sweep
    worker: Worker
    reviews: Reviews
    statuses: Statuses
    uploads: Uploads
    listing: Listing
    watch: Watch | None
    """None when orders are not watched."""
    notices: Notices
    consents: Consents
    ledger: LedgerStore
    tokens: TokenSource

    def orders_for(self, user_assertion: str) -> Orders:
        """The orders, placed for a signed-in user where they need App+User; "" stands for nobody. So does a
        token for another application, such as the one that callers sign in to: Entra exchanges only one for
        the application that signs in to Partner Center."""
        ours = is_for(user_assertion, self.settings.identity.client_id)
        if not ours or not isinstance(self.tokens, UserTokenSource):
            return self.orders
        return self.orders.for_user(self.tokens, user_assertion)

    def deadline(self) -> Deadline:
        """The deadline of a request that begins now."""
        return Deadline.after(self.settings.limits.request_seconds)

    def record_credentials(self) -> None:
        """Record how many days the credentials have left, while somebody listens. Nothing raises."""
        if telemetry.somebody_listens():
            from shared.auth.ends import record_ends

            record_ends(self.settings.identity, _now())

    def sweep_deadline(self) -> Deadline:
        """The deadline of a sweep that begins now."""
        return Deadline.after(SWEEP_SECONDS)


def _configured(env: Mapping[str, str]) -> Settings:
    settings = Settings.read(env)
    if settings.problems:
        detail = "; ".join(f"{name} {problem}" for name, problem in settings.problems.items())
        raise NotConfiguredError(f"the app is not configured: {detail}", list(settings.problems))
    return settings


def _tokens(settings: Settings) -> TokenSource:
    from shared.auth.source import (
        Tokens,  # its libraries cost a cold start what a test of the services need not pay
    )

    return Tokens(settings.identity)


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid.uuid4())


def build(
    env: Mapping[str, str],
    *,
    tokens: TokenSource | None = None,
    clock: Clock = _now,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Services:
    """Services from settings; whoever brings a clock brings `monotonic` and `sleep` to go with it.

    Raises NotConfiguredError.
    """
    settings = _configured(env)
    limits, storage = settings.limits, settings.storage
    tokens = tokens or _tokens(settings)
    partner = PartnerCenter(
        settings.identity.cloud.base_url,
        tokens,
        calls_in_flight=limits.calls_in_flight,
        clock=monotonic,
        sleep=sleep,
    )
    blobs = BlobStore(storage)
    queue = WorkQueue(blobs.account, storage.work_queue)
    bell = Bell(queue, clock)
    ledger = LedgerStore(blobs, storage.ledger, bell.ring_record, watches=settings.watch_orders)
    executor = Executor(ledger, clock, sleep, _new_id, timedelta(seconds=CLAIM_MARGIN))
    visibility = timedelta(seconds=limits.attachment_visibility)
    parts = settings.po_part, settings.tender_part
    attachments = Attachments(executor, partner, visibility, *parts, settings.watch_orders)
    resellers = Resellers(limits.reseller_cache, monotonic)
    orders = Orders(executor, partner, resellers, timedelta(seconds=limits.order_visibility))
    receipt_store = ReceiptStore(blobs, storage.receipts)
    receipts = Receipts(receipt_store, bell, clock)
    dependencies = DependencyIndex(blobs, storage.ledger)
    drops = Drops(blobs, storage.incoming, receipts, dependencies, attachments, limits, settings.bindings)
    watch = None
    if settings.watch_orders:
        watch = Watch(ledger, partner, attachments, receipts, queue, blobs, storage.ledger, clock, _new_id)
    sweep = Sweep(
        blobs, storage.incoming, storage.ledger, ledger, receipts, dependencies, queue, watch, clock, sleep
    )
    worker = Worker(ledger, drops, receipts, attachments, orders, watch, bell, clock, sleep, _new_id)
    reviews = Reviews(ledger, orders, attachments, receipts, clock, _new_id)
    statuses = Statuses(ledger, StatusKeys(blobs, storage.ledger, clock), clock)
    uploads = Uploads(drops, UploadUrls(blobs.account, clock), clock, _new_id)
    listing = Listing(ledger, receipt_store)
    told = WorkQueue(blobs.account, storage.notice_queue, plain=True, lasts=LASTS)
    late = timedelta(seconds=limits.notice_after)
    owed = ledger if settings.watch_orders else None
    notices = Notices(listing, owed, told, blobs, storage.ledger, clock, late)
    consents = Consents(settings.identity, SealedNotes(blobs, storage.ledger, CONSENTS, clock), clock)
    return Services(
        settings,
        orders,
        attachments,
        drops,
        sweep,
        worker,
        reviews,
        statuses,
        uploads,
        listing,
        watch,
        notices,
        consents,
        ledger,
        tokens,
    )


def receipts_alone(env: Mapping[str, str], *, clock: Clock = _now) -> Receipts | None:
    """The receipts of an app that `build` refuses; None when the settings of storage are among the faulty."""
    settings = Settings.read(env)
    if any(name.startswith(DOCUMENT_STORAGE) or name.endswith("_CONTAINER") for name in settings.problems):
        return None
    blobs = BlobStore(settings.storage)
    bell = Bell(WorkQueue(blobs.account, settings.storage.work_queue), clock)
    return Receipts(ReceiptStore(blobs, settings.storage.receipts), bell, clock)
