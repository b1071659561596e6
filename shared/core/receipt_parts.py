"""What the JSON of a receipt holds, read and written here alone.

A member that is None, or has its default, is not written; members that a later version added are carried
through. Moments are texts, as a receipt shows them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from shared.core.access import Caller
from shared.core.ids import customer_in
from shared.core.ledger_parts import PartnerIds, StoredModel
from shared.core.resources import Attachment

RECEIPT_FORMAT = 2
"""Version of the receipts."""

_ENVELOPE = ("v", "drop", "state", "inputs")


class ReceiptState(StrEnum):
    """Where a drop stands."""

    WAITING = "waiting"
    SUBMITTING = "submitting"
    ATTACHED = "attached"
    REJECTED = "rejected"
    RETRYING = "retrying"
    REVIEW = "review"


class FileEntry(StoredModel):
    """A file of a drop in one version; `kind` is Partner Center's attachment type, `size` in bytes."""

    file_name: str
    kind: str | None = None
    size: int | None = None
    md5: str | None = None
    etag: str


class NewerFiles(StoredModel):
    """Files that changed after the sidecar was used, and were not sent."""

    files: tuple[FileEntry, ...]
    detail: str
    remedy: str


class ReceiptViolation(StoredModel):
    """One fault of a drop: where it is (JSON pointer into the sidecar), and what is wrong."""

    pointer: str
    detail: str


class PartnerCenterAnswer(StoredModel):
    """What Partner Center answered last."""

    status: int = 0
    code: str = ""
    description: str = ""
    ids: PartnerIds = PartnerIds()


class PreviousAttachment(StoredModel):
    """What was attached from the drop before."""

    submission: str
    attachments: tuple[Attachment, ...] | None = None
    files: tuple[FileEntry, ...] | None = None
    submitted_by: str | None = None
    correlation_id: str | None = None
    changed: str | None = None


class OrderNow(StoredModel):
    """An order's status as the watch last saw it: in it `since`, seen so at `looked`; whose turn it is, and
    what to do."""

    status: str
    since: str
    looked: str | None = None
    actor: str | None = None
    next_action: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The members that are known, by their names in JSON."""
        return self.model_dump(by_alias=True, exclude_defaults=True)


class ReceiptBody(StoredModel):
    """What a receipt says to a person or a flow; docs/drops.md has its members."""

    customer_id: str | None = None
    order_id: str | None = None
    submission: str | None = None
    detail: str | None = None
    correlation_id: str | None = None
    attempts: int | None = None
    partner_center: PartnerCenterAnswer | None = None
    attachments: tuple[Attachment, ...] | None = None
    submitted_by: str | None = None
    verified: bool = True
    waiting_for: tuple[str, ...] | None = None
    since: str | None = None
    actor: str | None = None
    errors: tuple[ReceiptViolation, ...] = ()
    remedy: str | None = None
    next_attempt: str | None = None
    files: tuple[FileEntry, ...] | None = None
    newer: NewerFiles | None = None
    order: OrderNow | None = None
    changed: str | None = None
    previous: tuple[PreviousAttachment, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The members that are written, by their names in JSON."""
        return self.model_dump(by_alias=True, exclude_defaults=True)

    def with_changes(self, **changes: object) -> ReceiptBody:
        """The same but for these members."""
        return self.model_copy(update=changes)

    def updated_by(self, other: ReceiptBody) -> ReceiptBody:
        """The same with the members that `other` gives."""
        return self.model_copy(update={name: getattr(other, name) for name in other.model_fields_set})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is reported of a drop. `seen` is the moment of its newest input; `body` what a person reads;
    `step` the moment of the submission that it reports, None when it reports none."""

    path: str
    state: ReceiptState
    seen: datetime
    sidecar_etag: str
    body: ReceiptBody
    due: datetime | None = None
    step: datetime | None = None
    mirrors: bool = False
    """Whether it tells no more than the ledger's record of its submission."""

    @property
    def versions(self) -> dict[str, str]:
        """Name to ETag of the files that it reports, those that wait for a new signal last."""
        return {file.file_name: file.etag for file in self._files()}

    @property
    def unclaimed(self) -> bool:
        """Whether it is of a document that no sidecar claims."""
        return self.state is ReceiptState.REVIEW and not self.sidecar_etag and bool(self.body.files)

    @property
    def etags(self) -> frozenset[str]:
        """The versions of files that it reports."""
        return frozenset(file.etag for file in self._files())

    def _files(self) -> Iterator[FileEntry]:
        yield from self.body.files or ()
        yield from self.body.newer.files if self.body.newer else ()

    def dump(self) -> bytes:
        """The receipt as the JSON that storage keeps; `due` is kept beside it."""
        inputs = {"newest": self.seen.isoformat(), "sidecarETag": self.sidecar_etag}
        step = {"step": self.step.isoformat()} if self.step else {}
        head = {"v": RECEIPT_FORMAT, "drop": self.path, "state": str(self.state)}
        document = {**head, **self.body.to_json(), "inputs": inputs | step}
        return json.dumps(document, ensure_ascii=False, indent=1).encode()


@dataclass(frozen=True, slots=True)
class VersionedReceipt(Receipt):
    """A receipt as it lies in storage, in the version `etag`; `document` is all of its JSON, to be shown."""

    etag: str = ""
    document: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def shown_to(self, caller: Caller) -> Mapping[str, Any]:
        """All of its JSON, but for what was attached before for customers whom the caller may not act for."""
        mine = [
            summary
            for summary in self.document.get("previous", ())
            if caller.may_act_for(customer_in(str(summary.get("submission", ""))))
        ]
        return {**self.document, "previous": mine} if "previous" in self.document else self.document


def load_receipt(path: str, raw: bytes, etag: str) -> VersionedReceipt:
    """The receipt in a blob. What is none, because somebody else wrote it, gives way to anything."""
    try:
        document = json.loads(raw)
        inputs = document["inputs"]
        return VersionedReceipt(
            path,
            ReceiptState(document["state"]),
            datetime.fromisoformat(inputs["newest"]),
            inputs["sidecarETag"],
            ReceiptBody.model_validate({k: v for k, v in document.items() if k not in _ENVELOPE}),
            step=datetime.fromisoformat(inputs["step"]) if "step" in inputs else None,
            etag=etag,
            document=document,
        )
    except (ValueError, KeyError, TypeError):  # pydantic's ValidationError is a ValueError
        never = datetime(1, 1, 1, tzinfo=UTC)
        return VersionedReceipt(path, ReceiptState.WAITING, never, "", ReceiptBody(), etag=etag)
