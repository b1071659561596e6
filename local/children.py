"""Child processes of the stack: started, waited for, and stopped with everything they started.

Each child leads a process group of its own, so that Ctrl-C reaches the parent alone and the parent ends its
children in order. When the parent is killed, the kernel kills them (`local/die_with_parent.py`). It does so
too when the thread that started them ends: start them from the main thread.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

_DIE_WITH_PARENT = Path(__file__).with_name("die_with_parent.py")
_TAIL = 20
_GLANCE = 0.01

T = TypeVar("T")


class StackError(Exception):
    """The stack cannot be brought up; the message says what to do."""


class Child:
    """A running process. Its stderr goes to the end of `log`, or stays ours when `log` is None; its stdout is
    read here."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path | None) -> None:
        self.name = name
        self._log = log
        self._lines: queue.Queue[str | None] = queue.Queue()
        output: IO[bytes] | None = None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            output = log.open("ab")
        bound = [sys.executable, "-I", "-S", str(_DIE_WITH_PARENT), str(os.getpid()), *command]
        self._process = subprocess.Popen(
            bound,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        )
        if output is not None:
            output.close()
        threading.Thread(target=self._read, name=f"stdout-{name}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group."""
        return self._process.pid

    def running(self) -> bool:
        """Whether it has not ended. It takes no lock: whoever raises out of a signal handler in the middle of
        Popen.poll leaves Popen locked for ever."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:  # it has been waited for
            return False

    def ready(self, patience: float) -> dict[str, Any]:
        """The first JSON object that it prints; StackError as `says` raises it."""
        return self.says(_json_object, patience)

    def says(self, read: Callable[[str], T | None], patience: float) -> T:
        """What `read` makes of a line that it prints: the first that is not None.

        StackError when it ends or `patience` seconds pass before.
        """
        end = time.monotonic() + patience
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise StackError(f"{self.name} is not ready after {patience:g} s{self._tail()}") from None
            if line is None:
                raise StackError(
                    f"{self.name} ended at once (exit code {self._process.wait()}){self._tail()}"
                )
            said = read(line)
            if said is not None:
                return said

    def stop(self, patience: float = 3.0) -> None:
        """Ask it to end; after `patience` seconds kill it and whatever it started."""
        end = time.monotonic() + patience
        if self.running():
            os.kill(self.pid, signal.SIGTERM)
        while self.running() and time.monotonic() < end:
            time.sleep(_GLANCE)
        self.kill()

    def kill(self) -> None:
        """SIGKILL, as a crash would be."""
        self._signal_group()
        self._process.wait()

    def _signal_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _read(self) -> None:
        with self._process.stdout or open(os.devnull, "rb") as stdout:
            for raw in stdout:
                self._lines.put(raw.decode(errors="replace"))
        self._lines.put(None)

    def _tail(self) -> str:
        if self._log is None:
            return ""
        lines = self._log.read_text(errors="replace").splitlines()[-_TAIL:]
        return "".join(f"\n  {line}" for line in [f"last lines of {self._log}:", *lines])


def _json_object(line: str) -> dict[str, Any] | None:
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def check_port(port: int, whose: str, option: str) -> None:
    """StackError with the way out when something listens on `port`; 0 stands for any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StackError(
                f"Port {port}, for {whose}, cannot be used ({error.strerror}). "
                f"Stop what uses it, or choose another with {option} (0 takes any free one)."
            ) from None
