"""`python -m local.azurite`: installs Azurite, so that the first start does not have to."""

from __future__ import annotations

import argparse
import sys

from local.azurite.node import install
from local.children import StackError

if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m local.azurite",
        description="Install the locked Azurite into .local, unless it is there.",
    ).parse_args()
    try:
        install()
    except StackError as problem:
        sys.exit(str(problem))
