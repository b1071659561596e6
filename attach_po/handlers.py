"""What the functions of this folder do. Loaded by the first call: it brings pydantic and the clients."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

import azure.functions as func

from attach_po import body
from shared.container import services
from shared.core.errors import NotFoundError, StorageUnknownError
from shared.core.uploads import UploadLimits
from shared.partner_center.wire import RequestIds
from shared.services.attachment_operation import MOST_BYTES
from shared.services.operation import Outcome
from shared.storage.upload_urls import HEADERS
from shared.validation.uploads import upload_request
from shared.web import responses
from shared.web.problem import correlation_id

if TYPE_CHECKING:
    from shared.bootstrap import Services


def attach(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `attach_po`."""
    s = services()
    params = req.route_params
    content = body.read(
        req.headers.get("content-type"),
        responses.body_of(req),
        s.settings.limits,
        params["customerId"],
        params["orderId"],
    )
    location = _location(req, s, content.record_key, content.digest)
    try:
        outcome = s.attachments.attach(content, correlation_id(), s.deadline())
    except StorageUnknownError:
        return responses.unconfirmed(location, correlation_id())
    return _answer(outcome, location, 201)


def request_upload(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `request_upload`."""
    s, params = services(), req.route_params
    limits = UploadLimits(s.settings.limits.max_file, s.settings.limits.max_files, MOST_BYTES)
    asked = upload_request(responses.json_body(req), params["customerId"], params["orderId"], limits)
    upload = s.uploads.prepare(asked, correlation_id())
    receipt = responses.absolute_url(req, f"drops/{quote(upload.sidecar)}", s.settings.public_base_url)
    files = [
        {
            "fileName": file.expected.file_name,
            "kind": file.role,
            "size": file.expected.size,
            "method": "PUT",
            "url": url,
            "headers": HEADERS,
        }
        for file, url in upload.files
    ]
    body = {
        "uploadId": upload.upload_id,
        "expires": upload.expires.isoformat(timespec="seconds"),
        "files": files,
        "drop": upload.sidecar,
        "receipt": receipt,
        "correlationId": correlation_id(),
    }
    return responses.created(body, receipt)


def show(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `get_attachments`."""
    customer, order = responses.order_of(req)
    s = services()
    digest = req.params.get("submission")
    if digest:
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise NotFoundError("this order has no such submission")
        outcome = s.attachments.status(customer, order, digest, s.deadline())
        return _answer(outcome, _location(req, s, outcome.record.key, digest), 200)
    ids = RequestIds(str(uuid.uuid4()), correlation_id())
    return responses.forward(s.attachments.partner.get_attachments(customer, order, ids, s.deadline()))


def _location(req: func.HttpRequest, s: Services, record: str, digest: str) -> str:
    """Where the status of a submission can be polled without a key."""
    return responses.status_url(req, s.statuses.token(record, digest), s.settings.public_base_url)


def _answer(outcome: Outcome, location: str, status: int) -> func.HttpResponse:
    own = responses.require_done(outcome)
    if own is None:
        return responses.accepted(outcome.submission, location, responses.utc_now())
    return responses.from_record(own, status, responses.REPLAYED if outcome.replayed else {})
