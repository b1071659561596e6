"""The host's own routes: the blob webhook for Event Grid, and running a function by hand.

`POST /runtime/webhooks/blobs?functionName=Host.Functions.X&code=<system key>` takes Event Grid's handshake
(200 with `validationResponse`) and notifications (202).
https://learn.microsoft.com/en-us/azure/azure-functions/functions-event-grid-blob-trigger#build-the-endpoint-url
`POST /admin/functions/X` with `{"input": "container/blob"}` (for a queue function the text of a message, for
a timer anything) and the master key runs X (202).
https://learn.microsoft.com/en-us/azure/azure-functions/functions-manually-run-non-http
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping

from azure.core.exceptions import AzureError

from local.host.blob_events import FUNCTION_PREFIX, EventError
from local.host.blob_trigger import BlobFunctions
from local.host.http_trigger import presented_key
from local.host.invoker import Running
from local.host.keys import Keys
from local.web import Request, Response, json_response

log = logging.getLogger("host")

WEBHOOK = "/runtime/webhooks/blobs"
ADMIN = "/admin/functions/"

RunByHand = Callable[[str], Running | None]


class Admin:
    """Answers what is not one of the app's routes. `by_hand` starts a function with an `input`."""

    def __init__(
        self,
        keys: Keys,
        blobs: BlobFunctions | None,
        hooked: frozenset[str],
        by_hand: Mapping[str, RunByHand],
    ) -> None:
        self._keys = keys
        self._blobs = blobs
        self._hooked = hooked
        self._by_hand = by_hand

    def handles(self, path: str) -> bool:
        """Whether a path belongs to the host."""
        return path.startswith(("/admin/", "/runtime/"))

    def handle(self, request: Request) -> Response:
        """Answer a request to the host itself."""
        if request.method != "POST":
            return Response(404)
        if request.path == WEBHOOK:
            return self._webhook(request)
        if request.path.startswith(ADMIN):
            return self._run(request, request.path.removeprefix(ADMIN))
        return Response(404)

    def _webhook(self, request: Request) -> Response:
        if not self._keys.admits("system", presented_key(request)):
            return Response(401)
        function = request.query.get("functionName", "").removeprefix(FUNCTION_PREFIX)
        if self._blobs is None or function not in self._hooked:
            return Response(404)
        kind = request.headers.get("aeg-event-type", "").lower()
        try:
            events = json.loads(request.body or b"null")
            if kind == "subscriptionvalidation":
                return json_response(200, {"validationResponse": events[0]["data"]["validationCode"]})
            if kind == "notification":
                self._blobs.notify(function, events if isinstance(events, list) else [events])
                return Response(202)
        except (ValueError, KeyError, IndexError, TypeError, EventError) as error:
            log.warning("webhook for %s: %s", function, error)
            return Response(400)
        except AzureError:
            log.exception("webhook for %s: the queue does not take the event", function)
            return Response(500)
        return Response(202 if kind == "unsubscribe" else 400)

    def _run(self, request: Request, name: str) -> Response:
        if not self._keys.admits("admin", presented_key(request)):
            return Response(401)
        start = self._by_hand.get(name)
        if start is None:
            return Response(404)
        try:
            given = json.loads(request.body or b"{}").get("input")
            if not isinstance(given, str | None):
                raise ValueError("input must be a string")
            running = start(given or "")
        except (ValueError, AttributeError) as error:
            return json_response(400, {"message": str(error)})
        if running is None:
            return json_response(400, {"message": "there is no such blob"})
        threading.Thread(target=_see_through, args=(running,), name=f"by-hand-{name}", daemon=True).start()
        return Response(202)


def _see_through(running: Running) -> None:
    outcome = None
    while outcome is None:
        outcome = running.outcome(threading.TIMEOUT_MAX)
    running.report(outcome)
