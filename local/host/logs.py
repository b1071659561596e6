"""The host's log: each line names the invocation that it belongs to."""

from __future__ import annotations

import logging

from local.logs import log_to_stderr

_QUIET = ("azure", "azure.functions", "urllib3", "asyncio")


class _Invocation(logging.Filter):
    """Adds the id of the invocation in whose context a line is written."""

    def __init__(self) -> None:
        super().__init__()
        from azure_functions_runtime import invocation_id_cv

        self._current = invocation_id_cv

    def filter(self, record: logging.LogRecord) -> bool:
        record.invocation = (self._current.get() or "-")[:8]
        return True


def start_log() -> None:
    """Send everything from INFO up to stderr; the SDKs only from WARNING up."""
    log_to_stderr(_Invocation())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
