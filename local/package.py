"""`python -m local.package`: the app as it is deployed, as a folder for azd and as a zip for everything else.

Packages come from the lock, with their hashes, as wheels for the Python and the platform of the app, whatever
this machine has: Azure installs nothing. Where that Python is present the bytecode is made too, without which
the first import costs four times as much (docs/performance.md); where it is not, this says so.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-deployment-technologies#deployment-technology-details
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from local.stack import ROOT

PYTHON = "3.13"
"""Of the app: infra/app.bicep."""
PLATFORM = "x86_64-manylinux_2_28"
"""Older than the Debian and Azure Linux images of Python 3.11 to 3.13, so its wheels run on all of them."""
DEPLOYED = (
    "function_app.py",
    "host.json",
    "requirements.txt",
    *sorted({path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench", "local", "tests"}),
)
"""What is deployed of the repository; .funcignore keeps the rest out where somebody deploys without this."""
PACKAGES = ".python_packages/lib/site-packages"
"""https://learn.microsoft.com/en-us/azure/azure-functions/python-build-options"""
_EPOCH = (1980, 1, 1, 0, 0, 0)


class PackageError(Exception):
    """The package cannot be built; the message says why."""


def build(folder: Path, python: str) -> Path:
    """Make `folder`/app and `folder`/app.zip anew; the zip. Raises PackageError where a wheel is missing."""
    app = folder / "app"
    shutil.rmtree(app, ignore_errors=True)
    _copy(app)
    _install(app / PACKAGES, python)
    compiled = compile_for(app, python)
    archive = pack(app, folder / "app.zip")
    # azd leaves __pycache__ out of a folder that has no such file:
    # https://github.com/Azure/azure-dev/blob/main/cli/azd/pkg/project/project_utils.go
    (app / ".funcignore").write_text("# everything here is deployed, bytecode included\n", encoding="utf-8")
    print(f"{archive}: {archive.stat().st_size / 2**20:.1f} MiB, for Python {python} on {PLATFORM}")
    if not compiled:
        print(
            f"without bytecode: there is no Python {python} on this machine, so each cold start compiles anew"
        )
    return archive


def _copy(app: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in DEPLOYED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, app / name, ignore=ignore)
        else:
            app.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, app / name)


def _install(target: Path, python: str) -> None:
    words = ["pip", "install", "--quiet", "--no-config", "--require-hashes", "--only-binary", ":all:"]
    words += ["--python-version", python, "--python-platform", PLATFORM, "--link-mode", "copy"]
    done = _uv(*words, "--target", str(target), "-r", str(ROOT / "requirements.txt"))
    if done.returncode:
        raise PackageError(done.stderr.strip())
    shutil.rmtree(target / "bin", ignore_errors=True)  # commands, which nobody calls there


def compile_for(app: Path, python: str) -> bool:
    """Whether there is a Python of the app's version to compile with. The files' dates do not matter then."""
    found = _uv("python", "find", "--no-config", "--no-python-downloads", python)
    if found.returncode:
        return False
    words = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(app), str(app)]
    done = subprocess.run([found.stdout.strip(), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(done.stdout.strip() or done.stderr.strip())
    return True


def pack(app: Path, archive: Path) -> Path:
    """The same content gives the same bytes: no dates, one order."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in sorted(app.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(app).as_posix(), _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                zipped.writestr(entry, path.read_bytes())
    return archive


def _uv(*words: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("uv")
    return subprocess.run([str(command), *words], capture_output=True, text=True, check=False)


def main(arguments: Sequence[str]) -> int:
    """Build it; 1 when that fails."""
    parser = argparse.ArgumentParser(prog="python -m local.package")
    parser.add_argument("--python", default=PYTHON, help="version of the app's Python")
    parser.add_argument("--folder", type=Path, default=ROOT / ".local" / "package")
    options = parser.parse_args(arguments)
    try:
        build(options.folder, options.python)
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
