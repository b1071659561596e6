"""The border: bytes and strings from strangers go in, frozen values come out or every violation is named.

Each function raises InvalidInputError that carries all violations at once; `Collector` joins several
checks into one answer. Nothing here does I/O or knows of HTTP.
"""

from __future__ import annotations

from shared.validation.attachments import Sidecar, metadata, metadata_of, sidecar
from shared.validation.collecting import Collector
from shared.validation.files import document_faults, file_name
from shared.validation.ids import customer_id, idempotency_key, order_id
from shared.validation.orders import order_request
from shared.validation.settlements import settlement

__all__ = [
    "Collector",
    "Sidecar",
    "customer_id",
    "document_faults",
    "file_name",
    "idempotency_key",
    "metadata",
    "metadata_of",
    "order_id",
    "order_request",
    "settlement",
    "sidecar",
]
