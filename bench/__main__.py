"""`python -m bench [NAME...]`: print the tables of docs/performance.md, measured here and now."""

from __future__ import annotations

import importlib
import sys
import time

from bench.harness import machine

NAMES = ("upload", "pipeline", "memory", "small", "flat", "cold", "backlog", "ways", "door")


def main(names: list[str]) -> int:
    """Measure what is named, or all of it."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no measurement is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
        return 2
    print(f"{machine()}\nmedians [lowest-highest] of shuffled rounds; ratios are taken pair by pair")
    for name in names or NAMES:
        began = time.monotonic()
        importlib.import_module(f"bench.{name}").main()
        print(f"\n({name}: {time.monotonic() - began:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
