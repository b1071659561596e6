"""Instances as processes of their own, forked from one that has loaded the libraries already."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any, Self

from shared.bootstrap import build
from shared.core.errors import StorageError
from tests.faults.jobs import work
from tests.faults.parts import Tokens
from tests.services.conftest import Clock

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])
_PATIENCE = 60


class Instance:
    """A process that waits for a job; its pid is known before, so that its end can be ordered."""

    def __init__(self) -> None:
        self._jobs, theirs = _FORKS.Pipe()
        self._process = _FORKS.Process(target=_run, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid
        return self._process.pid

    def begin(self, env: Mapping[str, str], job: Mapping[str, Any], ahead: float = 0.0) -> None:
        """Give it its job; its clock is `ahead` seconds before the machine's."""
        self._jobs.send((dict(env), dict(job), ahead))

    def end(self) -> bool:
        """Wait for its end: True when it came to it, False when it was killed."""
        self._process.join(_PATIENCE)
        assert self._process.exitcode in (0, -9), self._process.exitcode
        return self._process.exitcode == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._jobs.close()
        self._process.kill()
        self._process.join()
        self._process.close()


def _run(jobs: Connection) -> None:
    env, job, ahead = jobs.recv()
    clock = Clock()
    clock.forward(seconds=ahead)
    with contextlib.suppress(StorageError):  # the host would deliver the event again
        work(build(env, tokens=Tokens(), clock=clock.now), job)
