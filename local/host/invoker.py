"""Runs functions under the host's time limit and says in the log what became of each.

The limit counts from the moment of dispatch. Sync functions of all triggers share the worker's threads
(runtime.py), and one that waits for a thread waits in its own time: it can fail without ever having run, and
then it never will.

A function beyond `functionTimeout` counts as failed. Azure then restarts the worker process, which ends every
other execution in it too, and all of them fail; here the functions share the host's process and threads
cannot be killed, so a sync function runs on unseen until it returns, and the others are left alone.
https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script.WebHost/WebScriptHostExceptionHandler.cs
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDoneError

from local.host import protos
from local.host.functions import Function
from local.host.runtime import Invocation, Outcome, Runtime

log = logging.getLogger("host")


class Running:
    """An invocation under way."""

    def __init__(self, function: Function, invocation: str, future: Future[Outcome], limit: float) -> None:
        self._function = function
        self._id = invocation
        self._future = future
        self._limit = limit
        self._started = time.monotonic()

    def outcome(self, patience: float) -> Outcome | None:
        """Wait `patience` seconds at most; None when it still runs and may do so."""
        remaining = self._limit - (time.monotonic() - self._started)
        try:
            return self._future.result(max(0.0, min(patience, remaining, threading.TIMEOUT_MAX)))
        except NotDoneError:
            if time.monotonic() - self._started < self._limit:
                return None
            self._future.cancel()
            told = f"functionTimeout of {self._limit:g} s exceeded"
            return Outcome(False, error=f"{told}; Azure would end every execution of this worker now")

    def report(self, outcome: Outcome) -> None:
        """Write the closing log line."""
        took = (time.monotonic() - self._started) * 1000
        result = "Succeeded" if outcome.ok else "Failed"
        log.info("Executed %s (%s, Id=%s, Duration=%.0fms)", self._function.name, result, self._id, took)
        if not outcome.ok:
            log.error("%s (Id=%s): %s\n%s", self._function.name, self._id, outcome.error, outcome.trace)


class Invoker:
    """Starts invocations and counts those under way."""

    def __init__(self, runtime: Runtime, limit: float) -> None:
        self._runtime = runtime
        self._limit = limit
        self._active: set[Future[Outcome]] = set()
        self._lock = threading.Lock()

    def start(
        self,
        function: Function,
        data: protos.TypedData,
        metadata: Mapping[str, protos.TypedData],
        reason: str,
    ) -> Running:
        """Begin an invocation; `reason` is for the log."""
        invocation = str(uuid.uuid4())
        log.info("Executing %s (Reason=%s, Id=%s)", function.name, reason, invocation)
        future = self._runtime.invoke(function, Invocation(invocation, data, metadata))
        with self._lock:
            self._active.add(future)
        future.add_done_callback(self._finished)
        return Running(function, invocation, future, self._limit)

    def run(
        self,
        function: Function,
        data: protos.TypedData,
        metadata: Mapping[str, protos.TypedData],
        reason: str,
    ) -> Outcome:
        """Run a function to its end or to the limit."""
        running = self.start(function, data, metadata, reason)
        outcome = None
        while outcome is None:
            outcome = running.outcome(threading.TIMEOUT_MAX)
        running.report(outcome)
        return outcome

    def drain(self, patience: float) -> int:
        """Wait for what is under way; the number of invocations that still run after `patience` seconds."""
        end = time.monotonic() + patience
        while self._count() and time.monotonic() < end:
            time.sleep(0.02)
        return self._count()

    def _count(self) -> int:
        with self._lock:
            return len(self._active)

    def _finished(self, future: Future[Outcome]) -> None:
        with self._lock:
            self._active.discard(future)
