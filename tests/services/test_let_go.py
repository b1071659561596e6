"""Documents that came over HTTP are let go of with their request, without waiting for the garbage collector:
what a few large requests leave behind would be the memory of the instance."""

from __future__ import annotations

import gc
import hashlib
import uuid
import weakref
from collections.abc import Iterator

import azure.functions as func
import pytest

from shared.clock import Deadline
from shared.core.models import Document, DocumentSet, Metadata, Role
from shared.web import responses
from shared.web.problem import problems
from tests.services.conftest import CUSTOMER, PDF, Office
from tests.services.steps import Do, fail


class Content:
    """What a document is read from."""

    def __call__(self) -> Iterator[bytes]:
        yield PDF


def attached_from(office: Office, content: Content) -> func.HttpResponse:
    md5 = hashlib.md5(PDF, usedforsecurity=False).hexdigest()
    document = Document(Role.PURCHASE_ORDER, "PO.pdf", len(PDF), md5, content)
    metadata = Metadata(is_part_of_tender=False, customer_price="156.87", currency="CAD")
    documents = DocumentSet(CUSTOMER, office.order(), metadata, (document,))

    @problems()
    def handler(req: func.HttpRequest) -> func.HttpResponse:
        held = documents
        outcome = office.services.attachments.attach(held, str(uuid.uuid4()), Deadline.after(60))
        own = responses.require_done(outcome)
        return func.HttpResponse(status_code=201 if own else 202)

    return handler(func.HttpRequest("POST", "http://localhost/api/x", body=b""))


FAULTS: dict[str, Do] = {
    "attached": {},
    "refused": {"kind": "status", "status": 400, "body": {"code": "900252", "description": "No."}},
    "throttled": {"kind": "throttle", "retry_after": 300},
    "signed out": {"kind": "status", "status": 401, "body": {}},
    "no answer": {"kind": "lose_reply"},
}


@pytest.mark.parametrize("becomes", FAULTS)
def test_whatever_became_of_documents_they_are_let_go_of(office: Office, becomes: str) -> None:
    if FAULTS[becomes]:
        fail(office, "POST attachment", **FAULTS[becomes])
    content = Content()
    alive = weakref.ref(content)
    gc.collect()
    gc.disable()
    try:
        answer = attached_from(office, content)
        del content
        assert alive() is None, answer.status_code
    finally:
        gc.enable()
