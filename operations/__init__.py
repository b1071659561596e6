"""HTTP functions for operators: what is open, a decision about a submission, another look at a drop."""

from __future__ import annotations

import azure.functions as func

from shared.core.access import Role
from shared.web import access
from shared.web.problem import problems

bp = func.Blueprint()


@bp.function_name("get_submissions")
@bp.route("submissions", methods=["GET"], auth_level=access.level())
@problems(Role.READ, Role.DECIDE)
def get_submissions(req: func.HttpRequest) -> func.HttpResponse:
    """What is in one state, page by page; or all that was sent for one order."""
    from operations import handlers

    return handlers.list_submissions(req)


@bp.function_name("decide_review")
@bp.route("reviews/{*key}", methods=["POST"], auth_level=access.level(operator=True))
@problems(Role.DECIDE)
def decide_review(req: func.HttpRequest) -> func.HttpResponse:
    """Carry out an operator's decision about a submission (docs/operations.md)."""
    from operations import handlers

    return handlers.decide(req)


@bp.function_name("retry_drop")
@bp.route("drops/{*path}", methods=["POST"], auth_level=access.level())
@problems(Role.DECIDE)
def retry_drop(req: func.HttpRequest) -> func.HttpResponse:
    """Have a drop looked at now, whenever its next attempt is. Nothing is sent twice by that."""
    from operations import handlers

    return handlers.look_again(req)
