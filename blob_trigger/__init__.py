"""Functions that process what is dropped into the container: on its event, on the sweep, on request."""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import azure.functions as func
import azurefunctions.extensions.bindings.blob as blob

from shared import telemetry
from shared.container import services
from shared.core.access import Role
from shared.core.errors import NotConfiguredError
from shared.settings_table import DOCUMENT_STORAGE, queue_binding, trigger_binding
from shared.web import access
from shared.web.problem import problems

bp = func.Blueprint()

_CONTAINER, _SOURCE, _SCHEDULE = trigger_binding(os.environ)
_QUEUE = queue_binding(os.environ)

POISON_QUEUE = "webjobs-blobtrigger-poison"
"""Where the host puts the event of a blob whose processing failed five times.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-storage-blob-trigger#poison-blobs"""


@contextmanager
def _told_in_a_receipt(name: str, correlation_id: str) -> Iterator[None]:
    """Where settings keep the app from looking at a drop, its receipt says so."""
    try:
        yield
    except NotConfiguredError as error:
        from shared.bootstrap import receipts_alone
        from shared.core.drop_rules import can_have_receipt, is_sidecar

        receipts = receipts_alone(os.environ)
        if receipts and is_sidecar(name) and can_have_receipt(name):
            receipts.report_unconfigured(name, error, correlation_id)
        raise


@bp.function_name("blob_trigger")
@bp.blob_trigger(
    arg_name="client",
    path=f"{_CONTAINER}/{{name}}",
    connection=DOCUMENT_STORAGE,
    source=func.BlobSource(_SOURCE),
)
def blob_trigger(client: blob.BlobClient) -> None:
    """A document or a sidecar was written. Only its name is taken from the event; raises StorageError,
    which a redelivery may cure, NotConfiguredError, and nothing else."""
    if client.container_name == _CONTAINER:  # with Event Grid the path is no filter
        correlation_id = str(uuid.uuid4())
        with (
            telemetry.invocation("blob_trigger", correlation_id),
            _told_in_a_receipt(client.blob_name, correlation_id),
        ):
            services().drops.handle_blob_event(client.blob_name, correlation_id)


@bp.function_name("sweep")
@bp.timer_trigger(arg_name="timer", schedule=_SCHEDULE, run_on_startup=False, use_monitor=True)
def sweep(timer: func.TimerRequest) -> None:
    """Tell people what is theirs, then hand out, as messages on the work queue, what no event brings forward
    any more."""
    correlation_id = str(uuid.uuid4())
    with telemetry.invocation("sweep", correlation_id):
        s = services()
        s.notices.run(s.deadline())
        s.sweep.run(correlation_id, s.sweep_deadline())
        s.record_credentials()


@bp.function_name("poisoned")
@bp.queue_trigger(arg_name="message", queue_name=POISON_QUEUE, connection=DOCUMENT_STORAGE)
def poisoned(message: func.QueueMessage) -> None:
    """A blob's event failed five times: try it once more, and where that fails too, say so in a receipt."""
    event = json.loads(message.get_body())
    if event.get("ContainerName") != _CONTAINER:
        logging.warning("a poison message for another container: %s", event.get("ContainerName"))
        return
    correlation_id = str(uuid.uuid4())
    with telemetry.invocation("poisoned", correlation_id):
        _count_once(message, "events")
        services().drops.process_or_report(str(event["BlobName"]), correlation_id)


def _count_once(message: func.QueueMessage, queue: str) -> None:
    """Count a message that failed too often, and not again when it is delivered again."""
    if (message.dequeue_count or 1) == 1:
        telemetry.POISON.record(1, queue=queue)


@bp.function_name("work")
@bp.queue_trigger(arg_name="message", queue_name=_QUEUE, connection=DOCUMENT_STORAGE)
def work(message: func.QueueMessage) -> None:
    """Do one piece of work that was handed out. Raises StorageError, which a redelivery may cure."""
    correlation_id = str(uuid.uuid4())
    with telemetry.invocation("work", correlation_id):
        services().worker.work(message.get_body().decode("utf-8", "replace"), correlation_id)


@bp.function_name("work_poisoned")
@bp.queue_trigger(arg_name="message", queue_name=f"{_QUEUE}-poison", connection=DOCUMENT_STORAGE)
def work_poisoned(message: func.QueueMessage) -> None:
    """A piece of work failed five times: say so in the receipts that it concerns."""
    correlation_id = str(uuid.uuid4())
    with telemetry.invocation("work_poisoned", correlation_id):
        _count_once(message, "work")
        services().worker.bury(message.get_body().decode("utf-8", "replace"), correlation_id)


@bp.function_name("get_drop")
@bp.route("drops/{*path}", methods=["GET"], auth_level=access.level())
@problems(Role.READ, Role.ATTACH)
def get_drop(req: func.HttpRequest) -> func.HttpResponse:
    """The receipt of a drop, by the path of its sidecar or of its document."""
    from shared.web import responses

    receipt = services().drops.receipt_of(responses.route_path(req, "path"))
    access.require_customer(receipt.body.customer_id or "")
    return responses.shown(receipt.shown_to(access.current()))
