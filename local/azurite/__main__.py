"""`python -m local.azurite`: installs Azurite, so that the first start does not have to."""

from __future__ import annotations

import sys

from local.azurite.node import install
from local.children import StackError

if __name__ == "__main__":
    try:
        install()
    except StackError as problem:
        sys.exit(str(problem))
