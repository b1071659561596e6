"""HTTP functions that place an order or check out a cart, show an order, and tell of a request."""

from __future__ import annotations

import azure.functions as func

from shared.core.access import Role
from shared.web import access
from shared.web.problem import problems

bp = func.Blueprint()


@bp.function_name("create_order")
@bp.route("customers/{customerId}/orders", methods=["POST"], auth_level=access.level())
@problems(Role.CREATE)
def create_order(req: func.HttpRequest) -> func.HttpResponse:
    """Place the order that the Idempotency-Key stands for; 201, or 202 while its outcome is unknown."""
    from create_order import handlers

    return handlers.place(req)


@bp.function_name("create_checkout")
@bp.route("customers/{customerId}/checkouts", methods=["POST"], auth_level=access.level())
@problems(Role.CREATE)
def create_checkout(req: func.HttpRequest) -> func.HttpResponse:
    """Buy through a cart what the Idempotency-Key stands for; 201 when any order came of it, or 202 while
    that is unknown."""
    from create_order import handlers

    return handlers.check_out(req)


@bp.function_name("get_order")
@bp.route("customers/{customerId}/orders/{orderId}", methods=["GET"], auth_level=access.level())
@problems(Role.CREATE, Role.ATTACH, Role.READ)
def get_order(req: func.HttpRequest) -> func.HttpResponse:
    """The order as Partner Center has it now."""
    from create_order import handlers

    return handlers.show(req)


@bp.function_name("get_order_request")
@bp.route("customers/{customerId}/order-requests", methods=["GET"], auth_level=access.level())
@problems(Role.CREATE, Role.ATTACH, Role.READ)
def get_order_request(req: func.HttpRequest) -> func.HttpResponse:
    """What became of the request of `key`: 202 while it is unknown, then the stored answer."""
    from create_order import handlers

    return handlers.get_request(req)
