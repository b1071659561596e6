"""The services of this process: their code is loaded, and they are built, by the first call that needs them.

Importing the app is what a cold start waits for before it can answer anything; pydantic and what stands on
it, the clients and the services would be half of that (docs/performance.md).
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.bootstrap import Services


_one_at_a_time = threading.Lock()


def services() -> Services:
    """The services of this process, wired as its settings say.

    Raises NotConfiguredError, naming every setting that is missing or wrong.
    """
    with _one_at_a_time:  # calls that come together share what limits them
        return _services()


@cache
def _services() -> Services:
    from shared.bootstrap import build

    return build(os.environ)
