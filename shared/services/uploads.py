"""Hand out addresses to which documents are uploaded, with the sidecar that makes a drop of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.clock import Clock
from shared.core.errors import StorageError
from shared.core.uploads import URL_LASTS, AnnouncedFile, folder_of, sidecar_of
from shared.services.drops import Drops, Task
from shared.storage.upload_urls import UploadUrls
from shared.validation.uploads import UploadRequest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that was prepared: where each file goes, until when, and the path of the sidecar."""

    upload_id: str
    sidecar: str
    expires: datetime
    files: tuple[tuple[AnnouncedFile, str], ...]


@dataclass(frozen=True, slots=True)
class Uploads:
    """The uploads into the container of dropped documents."""

    drops: Drops
    urls: UploadUrls
    clock: Clock
    new_id: Callable[[], str]

    def prepare(self, request: UploadRequest, correlation_id: str) -> Upload:
        """Write the sidecar, and make an address for each file. The drop is processed when the files are
        there; asked for twice, two folders come of it, and equal documents are still attached once.

        Raises NotConfiguredError, StorageError.
        """
        upload = self.new_id()
        folder = folder_of(request.customer_id, request.order_id, upload)
        sidecar, expires = f"{folder}metadata.json", self.clock() + URL_LASTS
        incoming = self.drops.incoming
        files = tuple(
            (file, self.urls.create(incoming, f"{folder}{file.expected.file_name}", expires))
            for file in request.files
        )
        raw = sidecar_of(request.customer_id, request.order_id, request.metadata, request.files)
        self.drops.blobs.put(incoming, sidecar, raw)
        try:
            self.drops.process(sidecar, Task(correlation_id))
        except StorageError:
            log.warning("the receipt of %s is left to the event of its sidecar", sidecar)
        return Upload(upload, sidecar, expires, files)
