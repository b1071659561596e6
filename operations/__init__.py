"""HTTP functions for operators: what is open, a decision about a submission, another look at a drop; and for
administrators: consent, and the doctor. The host keeps routes that begin with `admin` for itself."""

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


@bp.function_name("consent")
@bp.route("operator/consent", methods=["POST"], auth_level=access.level(operator=True))
@problems(Role.OPERATE)
def consent(req: func.HttpRequest) -> func.HttpResponse:
    """Begin the sign-in of the user in whose name orders are placed, or complete it (docs/identity.md)."""
    from operations import identity

    return identity.consent(req)


@bp.function_name("doctor")
@bp.route("operator/doctor", methods=["GET"], auth_level=access.level(operator=True))
@problems(Role.OPERATE)
def doctor(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the app's identity is fit for Partner Center. Nothing is changed there."""
    from operations import identity

    return identity.examine(req)
