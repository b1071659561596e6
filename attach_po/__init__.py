"""HTTP functions that attach purchase orders and tenders to an order, and show what is attached."""

from __future__ import annotations

import azure.functions as func

from shared.core.access import Role
from shared.web import access
from shared.web.problem import problems

bp = func.Blueprint()


@bp.function_name("attach_po")
@bp.route("customers/{customerId}/orders/{orderId}/attachments", methods=["POST"], auth_level=access.level())
@problems(Role.ATTACH)
def attach_po(req: func.HttpRequest) -> func.HttpResponse:
    """Attach the documents, once; 201 and Partner Center's collection, or 202 while it is under way."""
    from attach_po import handlers

    return handlers.attach(req)


@bp.function_name("request_upload")
@bp.route("customers/{customerId}/orders/{orderId}/uploads", methods=["POST"], auth_level=access.level())
@problems(Role.ATTACH)
def request_upload(req: func.HttpRequest) -> func.HttpResponse:
    """Addresses to which documents are uploaded past this app; 201. They are attached once all are there."""
    from attach_po import handlers

    return handlers.request_upload(req)


@bp.function_name("get_attachments")
@bp.route("customers/{customerId}/orders/{orderId}/attachments", methods=["GET"], auth_level=access.level())
@problems(Role.CREATE, Role.ATTACH, Role.READ)
def get_attachments(req: func.HttpRequest) -> func.HttpResponse:
    """What is attached to the order now; with `submission`, what became of that one (202 while open)."""
    from attach_po import handlers

    return handlers.show(req)
