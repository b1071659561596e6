"""What the application declares, read from its own metadata: nothing is declared twice.

The runtime gives each function's bindings as JSON (`raw_bindings`); this module turns the trigger among them
into a value. `%NAME%` in paths, queue names and schedules is an app setting:
https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-expressions-patterns
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from local.host.config import HostError


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """Route template, verbs (empty: any) and authorization level (`anonymous`, `function`, `admin`)."""

    route: str
    methods: frozenset[str]
    level: str


@dataclass(frozen=True, slots=True)
class BlobTrigger:
    """Path pattern `container/{name}`, name of the connection, source; whether the SDK type is bound."""

    path: str
    connection: str
    scanned: bool
    sdk_type: bool


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    """Queue and name of the connection."""

    queue: str
    connection: str


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    """NCRONTAB schedule."""

    schedule: str
    run_on_startup: bool


Trigger = HttpTrigger | BlobTrigger | QueueTrigger | TimerTrigger


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the app: `id` names it to the runtime, `parameter` is what the trigger binds."""

    name: str
    id: str
    parameter: str
    trigger: Trigger


def describe(function: Function) -> dict[str, Any]:
    """The trigger for the host's ready line: `type` (http, blob, queue, timer) and what it declares."""
    fields = asdict(function.trigger)
    if isinstance(function.trigger, HttpTrigger):
        fields["methods"] = sorted(function.trigger.methods)
    kind = type(function.trigger).__name__.removesuffix("Trigger").lower()
    return {"type": kind, **fields}


def read_function(
    name: str, function_id: str, raw_bindings: Iterable[str], env: Mapping[str, str]
) -> Function:
    """Build a Function; HostError names a trigger or binding that this host does not know."""
    bindings = [json.loads(raw) for raw in raw_bindings]
    triggers = [b for b in bindings if b["type"].lower().endswith("trigger")]
    others = {b["type"] for b in bindings if b not in triggers} - {"http"}
    if len(triggers) != 1 or others:
        extra = ", ".join(sorted(others)) or "no single trigger"
        raise HostError(f"function {name}: this host has no support for {extra}; use `func start`")
    binding = triggers[0]
    build = _BUILDERS.get(binding["type"].lower())
    if build is None:
        raise HostError(f"function {name}: this host has no {binding['type']}; use `func start`")
    return Function(name, function_id, binding["name"], build(name, _resolved(name, binding, env)))


def _http(name: str, binding: Mapping[str, Any]) -> HttpTrigger:
    methods = frozenset(str(method).upper() for method in binding.get("methods") or ())
    route = binding.get("route")
    level = str(binding.get("authLevel") or "function").lower()
    return HttpTrigger(name if route is None else route.strip("/"), methods, level)


def _blob(_name: str, binding: Mapping[str, Any]) -> BlobTrigger:
    return BlobTrigger(
        path=binding["path"],
        connection=binding.get("connection") or "AzureWebJobsStorage",
        scanned=str(binding.get("source") or "LogsAndContainerScan").lower() != "eventgrid",
        sdk_type=bool(binding.get("properties", {}).get("SupportsDeferredBinding")),
    )


def _queue(_name: str, binding: Mapping[str, Any]) -> QueueTrigger:
    return QueueTrigger(binding["queueName"], binding.get("connection") or "AzureWebJobsStorage")


def _timer(_name: str, binding: Mapping[str, Any]) -> TimerTrigger:
    return TimerTrigger(binding["schedule"], bool(binding.get("runOnStartup")))


_BUILDERS: dict[str, Callable[[str, Mapping[str, Any]], Trigger]] = {
    "httptrigger": _http,
    "blobtrigger": _blob,
    "queuetrigger": _queue,
    "timertrigger": _timer,
}


def _resolved(name: str, binding: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    def setting(match: re.Match[str]) -> str:
        try:
            return env[match[1]]
        except KeyError:
            raise HostError(f"function {name}: app setting {match[1]} is not set") from None

    return {
        key: re.sub(r"%([^%]+)%", setting, value) if isinstance(value, str) else value
        for key, value in binding.items()
    }
