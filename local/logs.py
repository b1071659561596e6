"""The log of a process of the stack: one stream, stderr, in a layout that `local/console.py` reads."""

from __future__ import annotations

import logging
import sys

_LAYOUT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(invocation)-8s %(name)s: %(message)s"


def log_to_stderr(*filters: logging.Filter) -> None:
    """Send everything from INFO up to stderr. `invocation` is "-" unless one of `filters` sets it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_LAYOUT, "%H:%M:%S", defaults={"invocation": "-"}))
    for one in filters:
        handler.addFilter(one)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
