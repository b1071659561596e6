"""The host's log: one stream, stderr, each line with the invocation that it belongs to."""

from __future__ import annotations

import logging
import sys

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


def log_to_stderr() -> None:
    """Send everything from INFO up to stderr; the SDKs only from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Invocation())
    layout = "%(asctime)s.%(msecs)03d %(levelname)-7s %(invocation)-8s %(name)s: %(message)s"
    handler.setFormatter(logging.Formatter(layout, "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
