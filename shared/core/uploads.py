"""Direct uploads: documents that callers put into the container themselves, by addresses that they ask for.

An upload is an ordinary set of documents in a folder of its own; what is special is said here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.core.models import Metadata, Role, compact_json

FOLDER = "uploads/"
"""Where uploads lie in the container of dropped documents; nothing else is dropped there."""
URL_LASTS = timedelta(minutes=15)
"""How long an address for a document can be used."""
COMPLETE_WITHIN = timedelta(days=1)
"""An upload that is not complete so long after it was asked for is rejected."""


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """What is known of a document before it comes. `md5` is lower-case hex, "" when nobody told."""

    file_name: str
    size: int
    md5: str = ""

    def faults(self, name: str, size: int, md5: str) -> list[str]:
        """What is wrong with the file that came under its name; `md5` may be "" where none is expected."""
        if size != self.size:
            return [f"{name} has {size} bytes; {self.size} were announced"]
        if self.md5 and md5 != self.md5:
            return [f"{name} has another MD5 than was announced"]
        return []


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How large and how many the files of one upload may be; sizes in bytes."""

    max_file: int
    max_files: int
    most_bytes: int
    """Of all files together: what one submission can carry."""


@dataclass(frozen=True, slots=True)
class AnnouncedFile:
    """A document that is to be uploaded."""

    role: Role
    expected: ExpectedFile


def folder_of(customer_id: str, order_id: str, upload: str) -> str:
    """The folder of one upload, with a slash at its end."""
    return f"{FOLDER}{customer_id}/{order_id}/{upload}/"


def ends_waiting(sidecar: str, written: datetime) -> datetime | None:
    """When the drop of a sidecar that was `written` then has waited long enough; None: never."""
    return written + COMPLETE_WITHIN if sidecar.startswith(FOLDER) else None


def sidecar_of(customer_id: str, order_id: str, metadata: Metadata, files: Sequence[AnnouncedFile]) -> bytes:
    """The sidecar of an upload."""
    names = {role: [f.expected.file_name for f in files if f.role is role] for role in Role}
    members: Mapping[str, Any] = {
        "customerId": customer_id,
        "orderId": order_id,
        "isPartOfTender": metadata.is_part_of_tender,
        "customerPrice": metadata.customer_price,
        "currency": metadata.currency,
        "fxRate": metadata.fx_rate,
        "tenderLink": metadata.tender_link,
        "acceptIncompletePdf": metadata.accepts_incomplete_pdf or None,
        "poFiles": names[Role.PURCHASE_ORDER],
        "tenderFiles": names[Role.TENDER] or None,
        "expected": [_member(file.expected) for file in files],
    }
    return compact_json(members)


def _member(file: ExpectedFile) -> dict[str, Any]:
    return {"fileName": file.file_name, "size": file.size, **({"md5": file.md5} if file.md5 else {})}
