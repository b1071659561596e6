"""Timer triggers. Each host runs its own: a timer is not a singleton here, though in Azure it is.

A run that takes longer than the interval delays the next one; runs of one timer do not overlap in one host.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-bindings-timer
"""

from __future__ import annotations

import json
import logging
import threading
from datetime import UTC, datetime

from local.host import protos
from local.host.functions import Function, TimerTrigger
from local.host.invoker import Invoker, Running
from local.host.ncrontab import parse

log = logging.getLogger("host")


class TimerFunction:
    """One timer; HostError when its schedule cannot be read."""

    def __init__(self, function: Function, trigger: TimerTrigger, invoker: Invoker) -> None:
        self._function = function
        self._schedule = parse(trigger.schedule)
        self._at_start = trigger.run_on_startup
        self._invoker = invoker
        self._stopped = threading.Event()

    def start(self) -> None:
        """Run on schedule in the background."""
        threading.Thread(target=self._loop, name=f"timer-{self._function.name}", daemon=True).start()

    def stop(self) -> None:
        """Start no more runs."""
        self._stopped.set()

    def run(self) -> Running:
        """Run now."""
        return self._invoker.start(self._function, self._data(None), {}, "called by hand")

    def _loop(self) -> None:
        if self._at_start:
            self._invoker.run(self._function, self._data(None), {}, "run on startup")
        while not self._stopped.is_set():
            due = self._schedule.after(datetime.now(UTC))
            if due is None:
                log.warning("%s is never due", self._function.name)
                return
            if self._stopped.wait(max(0.0, (due - datetime.now(UTC)).total_seconds())):
                return
            self._invoker.run(self._function, self._data(due), {}, f"timer fired at {due:%H:%M:%S}")

    def _data(self, due: datetime | None) -> protos.TypedData:
        last = (due or datetime.now(UTC)).isoformat()
        following = self._schedule.after(datetime.now(UTC))
        return protos.TypedData(
            json=json.dumps(
                {
                    "Schedule": {"AdjustForDST": True},
                    "ScheduleStatus": {
                        "Last": last,
                        "LastUpdated": last,
                        "Next": following.isoformat() if following else None,
                    },
                    "IsPastDue": False,
                }
            )
        )
