"""The official runtime, in this process, behind three verbs: start, invoke, stop.

It keeps one app for each process (its registry is a module global). Async functions run on one event loop,
sync functions of all triggers in the runtime's own thread pool, as in Azure's worker. The pool has
PYTHON_THREADPOOL_THREAD_COUNT threads, else cores + 4 and at most 32; what is beyond waits in line.
https://learn.microsoft.com/en-us/azure/azure-functions/python-scale-performance-reference
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from local.host import protos
from local.host.config import HostError
from local.host.functions import Function, read_function


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an invocation: the returned value, or message and stack trace of what it raised."""

    ok: bool
    value: protos.TypedData | None = None
    error: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation: its id, the trigger's data, and its metadata."""

    id: str
    data: protos.TypedData
    metadata: Mapping[str, protos.TypedData]


class Runtime:
    """Loads the app in `app` and runs its functions."""

    def __init__(self, app: Path) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()

    def start(self, env: Mapping[str, str]) -> tuple[Function, ...]:
        """Import and index the app; HostError carries the runtime's own message when that fails."""
        import azure_functions_runtime as official

        self._official = official
        sys.path.insert(0, str(self._app))
        official.start_threadpool_executor()
        threading.Thread(target=self._loop.run_forever, name="functions-loop", daemon=True).start()
        init = SimpleNamespace(capabilities={}, function_app_directory=str(self._app))
        answer = self._ask(official.worker_init_request, worker_init_request=init)
        if answer.result.status != protos.StatusResult.Success:
            failure = answer.result.exception
            raise HostError(f"the app cannot be loaded: {failure.message}\n{failure.stack_trace}")
        indexed = self._ask(official.functions_metadata_request).function_metadata_results
        if not indexed:
            raise HostError(
                f"no functions found: {self._app / 'function_app.py'} is missing or registers none"
            )
        return tuple(read_function(m.name, m.function_id, m.raw_bindings, env) for m in indexed)

    def invoke(self, function: Function, call: Invocation) -> Future[Outcome]:
        """Run the function. Cancelling ends an async function at its next await; a sync one runs on."""
        return asyncio.run_coroutine_threadsafe(self._invoke(function, call), self._loop)

    async def _invoke(self, function: Function, call: Invocation) -> Outcome:
        self._official.invocation_id_cv.set(call.id)
        message = SimpleNamespace(
            invocation_id=call.id,
            function_id=function.id,
            input_data=[protos.ParameterBinding(function.parameter, call.data)],
            trigger_metadata=dict(call.metadata),
            trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
            retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
        )
        answer = await self._official.invocation_request(_envelope(invocation_request=message))
        if answer.result.status == protos.StatusResult.Success:
            return Outcome(True, answer.return_value)
        return Outcome(False, None, answer.result.exception.message, answer.result.exception.stack_trace)

    def _ask(self, handler: Any, **message: object) -> Any:  # noqa: ANN401 - the runtime is untyped
        return asyncio.run_coroutine_threadsafe(handler(_envelope(**message)), self._loop).result()


def _envelope(**message: object) -> SimpleNamespace:
    return SimpleNamespace(
        request=SimpleNamespace(**message), properties={"host": "127.0.0.1", "protos": protos}
    )
