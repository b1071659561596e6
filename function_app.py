"""The app on one page: every function is declared in the Blueprint of its folder."""

from __future__ import annotations

import json
import os

import azure.functions as func

import attach_po
import blob_trigger
import create_order
from shared.first_call import services
from shared.problem import correlation_id, problems

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(create_order.bp)
app.register_functions(attach_po.bp)
app.register_functions(blob_trigger.bp)


@app.function_name("health")
@app.route("health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Says that the app runs, and which settings are missing or wrong: their names, never their values."""
    from shared.settings import Settings

    problems = Settings.read(os.environ).problems
    body = {"status": "misconfigured" if problems else "ok", "settings": dict(problems)}
    return func.HttpResponse(json.dumps(body), status_code=200, mimetype="application/json")


@app.function_name("settle")
@app.route("settlements/{*key}", methods=["POST"], auth_level=func.AuthLevel.ADMIN)
@problems
def settle(req: func.HttpRequest) -> func.HttpResponse:
    """Settle a submission in review by an operator's decision (docs/operations.md)."""
    from shared import http
    from shared.services.settlement import as_told
    from shared.validation.settlements import settlement

    asked = settlement(http.json_body(req))
    s = services()
    key = req.route_params.get("key", "")
    record = s.settlement.settle(key, asked, correlation_id(), s.deadline())
    return func.HttpResponse(json.dumps(as_told(record)), status_code=200, mimetype="application/json")
