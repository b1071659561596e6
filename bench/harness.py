"""Rounds, medians and tables: what the measurements have in common."""

from __future__ import annotations

import os
import platform
import random
import resource
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run cost: seconds on the clock, and seconds of CPU in this process and its children."""

    wall: float
    cpu: float


Case = Callable[[], float | None]
"""One run. It may return the seconds that count instead of those that passed."""


def rounds(cases: Mapping[str, Case], times: int, dropped: int = 1) -> dict[str, list[Sample]]:
    """Run every case once a round, in shuffled order; the first round does not count."""
    samples: dict[str, list[Sample]] = {name: [] for name in cases}
    for number in range(times + dropped):
        order = list(cases)
        random.shuffle(order)
        for name in order:
            sample = _measured(cases[name])
            if number >= dropped:
                samples[name].append(sample)
    return samples


def _measured(case: Case) -> Sample:
    cpu, began = _cpu(), time.perf_counter()
    told = case()
    wall = time.perf_counter() - began
    return Sample(told or wall, _cpu() - cpu)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def times_as_fast(one: Sequence[Sample], other: Sequence[Sample]) -> str:
    """How many times as fast `one` is, pair by pair: median [lowest-highest]."""
    return spread([b.wall / a.wall for a, b in zip(one, other, strict=True)])


def memory(field: str) -> int:
    """What the kernel says of this process, in KiB: `VmRSS` now, `VmHWM` the most since it was set back."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1])


def spread(values: Sequence[float]) -> str:
    """Median [lowest-highest]."""
    return f"{median(values):.2f} [{min(values):.2f}-{max(values):.2f}]"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n")
    print(f"| {' | '.join(columns)} |")
    print(f"|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)


def machine() -> str:
    """Which machine this is, in one line."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(line.split()[1]) // 2**20 for line in _lines("/proc/meminfo")), 0)
    curl = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=False).stdout
    return (
        f"{os.cpu_count()} x {cpu}, {memory} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, {' '.join(curl.split()[:2])}; "
        f"load before: {os.getloadavg()[0]:.1f}"
    )


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []
