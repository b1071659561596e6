"""Puts the host together: which listeners the app's functions need, and the order of start and stop."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from azure.core.exceptions import AzureError

from local.host.admin import Admin, RunByHand
from local.host.blob_scan import ContainerScan
from local.host.blob_trigger import BlobFunctions
from local.host.config import HostError, read_config
from local.host.functions import BlobTrigger, Function, QueueTrigger, TimerTrigger
from local.host.http_trigger import HttpFunctions
from local.host.invoker import Invoker
from local.host.keys import Keys
from local.host.polling import Bells
from local.host.queue_trigger import QueueFunction
from local.host.runtime import Runtime
from local.host.sign_in import SignIn
from local.host.storage import HOST_CONNECTION, Accounts
from local.host.timer_trigger import TimerFunction
from local.web import Request, Response, WebServer

log = logging.getLogger("host")

_STORAGE_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides; times in seconds."""

    app: Path
    port: int
    host_id: str
    lease: int
    scan_interval: float
    response_limit: float


class Listener(Protocol):
    """Anything that starts invocations by itself."""

    def start(self) -> None:
        """Begin, in the background."""

    def stop(self) -> None:
        """Begin no more invocations."""


class Host:
    """One app on one port. `start` returns when requests are answered; HostError says why it cannot."""

    def __init__(self, options: Options, env: Mapping[str, str], keys: Keys) -> None:
        self._options = options
        self._env = env
        self._keys = keys
        self._config = read_config(options.app, env, os.cpu_count() or 1)
        self._runtime = Runtime(options.app)
        self._invoker = Invoker(self._runtime, self._config.function_timeout)
        self._accounts = Accounts(env)
        self._bells = Bells()
        self._by_hand: dict[str, RunByHand] = {}
        self._listeners: list[Listener] = []
        self._stopped = threading.Event()

    def start(self) -> tuple[WebServer, tuple[Function, ...]]:
        """Load the app, open the port, start the listeners."""
        functions = self._runtime.start(self._env)
        http = HttpFunctions(
            functions, self._config.route_prefix, self._keys, self._invoker, self._options.response_limit
        )
        blobs = self._blob_functions(functions)
        hooked = frozenset(f.name for f in functions if isinstance(f.trigger, BlobTrigger))
        for function in functions:
            self._other(function)
        admin = Admin(self._keys, blobs, hooked, self._by_hand)

        sign_in = SignIn.read(self._env)

        def handle(request: Request) -> Response:
            known = sign_in.pass_on(request) if sign_in else request
            if isinstance(known, Response):
                return known
            return (admin if admin.handles(known.path) else http).handle(known)

        server = WebServer(handle, port=self._options.port)
        try:
            server.start()
        except OSError as error:
            port, reason = self._options.port, error.strerror
            raise HostError(f"port {port} cannot be used ({reason}); choose another with --port") from None
        for listener in self._listeners:
            threading.Thread(target=self._start, args=(listener,), daemon=True).start()
        return server, functions

    def stop(self, server: WebServer, patience: float) -> int:
        """Stop listening; the number of invocations that still run after `patience` seconds."""
        self._stopped.set()
        for listener in self._listeners:
            listener.stop()
        server.refuse()
        return self._invoker.drain(patience)

    def _start(self, listener: Listener) -> None:
        """Start a listener as soon as storage answers; until then HTTP works without it."""
        complained = False
        while not self._stopped.is_set():
            try:
                return listener.start()
            except AzureError as error:
                if not complained:
                    log.warning("storage does not answer yet: %s", str(error).split("\n", 1)[0])
                complained = True
                self._stopped.wait(_STORAGE_PATIENCE)
        return None

    def _other(self, function: Function) -> None:
        """The listener of a queue or a timer function."""
        trigger = function.trigger
        try:
            if isinstance(trigger, QueueTrigger):
                queue = QueueFunction(
                    function,
                    trigger,
                    self._accounts,
                    self._invoker,
                    self._config.queues,
                    self._options.lease,
                    self._bells,
                )
                self._by_hand[function.name] = queue.run
                self._listeners.append(queue)
        except HostError as error:
            log.warning("%s: %s", function.name, error)
        if isinstance(trigger, TimerTrigger):
            timer = TimerFunction(function, trigger, self._invoker)
            self._by_hand[function.name] = lambda _input: timer.run()
            self._listeners.append(timer)

    def _blob_functions(self, functions: tuple[Function, ...]) -> BlobFunctions | None:
        triggered = {f.name: (f, f.trigger) for f in functions if isinstance(f.trigger, BlobTrigger)}
        if not triggered:
            return None
        try:
            host_store = self._accounts.blobs(HOST_CONNECTION)
            blobs = BlobFunctions(
                triggered,
                self._accounts,
                self._invoker,
                self._config.blobs,
                self._options.host_id,
                self._options.lease,
                self._bells,
            )
        except HostError as error:
            log.warning("blob functions: %s", error)
            return None
        self._listeners.append(blobs)
        for function, trigger in triggered.values():
            self._by_hand[function.name] = partial(blobs.run, function.name)
            if trigger.scanned:
                source = self._accounts.blobs(trigger.connection)
                scan = ContainerScan(
                    function,
                    trigger,
                    source,
                    host_store,
                    blobs,
                    self._options.host_id,
                    self._options.scan_interval,
                )
                self._listeners.append(scan)
        return blobs
