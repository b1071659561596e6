"""The app on one page: the functions of four folders, a Blueprint each, and four of the app's own:
`health`, `get_openapi`, `get_status` and `preflight`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import azure.functions as func

import attach_po
import blob_trigger
import create_order
import operations
from shared.container import services
from shared.core.errors import NotConfiguredError, StorageError
from shared.settings_table import DOCUMENT_STORAGE
from shared.web import access
from shared.web.problem import problems

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(create_order.bp)
app.register_functions(attach_po.bp)
app.register_functions(blob_trigger.bp)
app.register_functions(operations.bp)


@app.function_name("preflight")
@app.route("{*path}", methods=["OPTIONS"], auth_level=func.AuthLevel.ANONYMOUS)
@problems()
def preflight(req: func.HttpRequest) -> func.HttpResponse:
    """What a browser asks before a page of another origin may call any of the routes; it carries no key."""
    from shared.web import cors

    return cors.preflight(req)


@app.function_name("health")
@app.route("health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@problems()
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Says whether the app can work, and which settings keep it from it: their names, never their values."""
    try:
        from shared.settings import Settings

        settings = {**access.faults(), **Settings.read(os.environ).problems}
        if not settings:
            s = services()
            s.ledger.check_account()
            s.statuses.keys.signing()
    except NotConfiguredError as error:
        settings = dict.fromkeys(error.settings, str(error))
    except StorageError as error:
        settings = {DOCUMENT_STORAGE: f"{error}; {error.remedy}" if error.remedy else str(error)}
    except Exception as error:  # packages that were built for another Python, say: nothing works then
        logging.exception("the app cannot be loaded")
        return _json_response(503, {"status": "broken", "cause": type(error).__name__})
    return _json_response(200, {"status": "misconfigured" if settings else "ok", "settings": settings})


@app.function_name("get_openapi")
@app.route("openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@problems()
def get_openapi(req: func.HttpRequest) -> func.HttpResponse:
    """The interface as an OpenAPI 3.1 document, as `make api` has written it."""
    content = Path(__file__).parent.joinpath("shared", "web", "openapi.json").read_bytes()
    return func.HttpResponse(content, status_code=200, mimetype="application/json")


@app.function_name("get_status")
@app.route("status/{token}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@problems()
def get_status(req: func.HttpRequest) -> func.HttpResponse:
    """What became of the request whose 202 named this address: the token in it is all that is needed."""
    from shared.web import responses

    s, token = services(), req.route_params["token"]
    location = responses.status_url(req, token, s.settings.public_base_url)
    outcome = s.statuses.read(token)
    watched = s.watch.told_of(outcome.record) if s.watch else None
    return responses.status(outcome, location, responses.utc_now(), watched)


def _json_response(status: int, body: Mapping[str, Any]) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json")
