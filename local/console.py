"""Shows what happens in a stack: one short line for each event of the application's audit log, and for each
warning of a process. The log files have the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

_LINE = re.compile(r"(\d\d:\d\d:\d\d)\.\d{3} (\w+) +\S+ +([\w.]+): (.*)")
"""Time, level, invocation, logger and message, as `local/logs.py` lays them out."""
_FIELDS = ("orderId", "drop", "problem", "detail")


class Console:
    """Follows log files of `folder` from where they end now."""

    def __init__(self, names: Iterable[str], folder: Path) -> None:
        self._at = {folder / name: (folder / name).stat().st_size for name in names}

    def show(self, line: str) -> None:
        """Print one line."""
        print(line, flush=True)

    def look(self) -> None:
        """Print what has happened since the last look, a line of each file after the other."""
        for path, start in self._at.items():
            with path.open("rb") as log:
                log.seek(start)
                whole, newline, _ = log.read().rpartition(b"\n")
            self._at[path] += len(whole) + len(newline)
            for line in whole.decode(errors="replace").splitlines():
                shown = described(line, path.stem)
                if shown:
                    self.show(shown)


def described(line: str, process: str) -> str:
    """What the console shows of a line in the log of `process`; empty for what it leaves to the file."""
    found = _LINE.fullmatch(line)
    if found is None:
        return ""
    time, level, logger, message = found.groups()
    if logger != "audit":
        return "" if level == "INFO" else f"{time} {process}: {message}"
    try:
        fields = json.loads(message)
    except ValueError:
        return ""  # a host that was killed in the middle of it
    told = [str(fields[name]) for name in _FIELDS if name in fields]
    return f"{time} {process}: {', '.join([fields['event'], *told])}"
