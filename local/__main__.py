"""Runs the application on one machine, without Azure and without Partner Center."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from local import demo, run
from local.children import StackError
from local.guard import InsideAzureError, refuse_inside_azure
from local.soak import campaign, options


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 after Ctrl-C, 1 with a sentence on stderr when the stack cannot be brought up."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for name, module, what in (
        ("run", run, "Bring the stack up, and leave it up until Ctrl-C."),
        ("demo", demo, "Place an order, attach its documents, do both again, and show that nothing doubles."),
        ("soak", options, "Run many drops and orders while everything fails, then count what came of them."),
    ):
        module.add_options(commands.add_parser(name, help=what, description=what))
    given = parser.parse_args(argv)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        refuse_inside_azure(os.environ)
        return {"run": run.main, "demo": demo.main, "soak": campaign.main}[given.command](given)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    except (StackError, InsideAzureError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
