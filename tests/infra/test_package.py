"""What is deployed, unpacked and started as in Azure: the official runtime, and nothing else around it."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from local.package import DEPLOYED, PACKAGES, PYTHON, PackageError, build, compile_for, pack
from tests.structure.bicep import tree
from tests.structure.test_docs import ROOT

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
LARGEST = 40 * 2**20
"""Bytes of the zip: it is 15 MiB; twice as much is a package too many, which each cold start unpacks."""
DRIVER = """
import json, sys, time
driver, app, packages = sys.argv[1:]
sys.path[:] = [p for p in sys.path if not p.endswith("-packages")] + [driver, packages]
from pathlib import Path
from local.host import protos
from local.host.runtime import Invocation, Runtime
began = time.process_time()
runtime = Runtime(Path(app))
functions = {f.name: f for f in runtime.start({})}
took = time.process_time() - began
request = protos.RpcHttp(method="GET", url="https://app/api/health")
call = Invocation("1", protos.TypedData(http=request), {})
answer = runtime.invoke(functions["health"], call).result(60)
files = sorted({m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None)})
print(json.dumps({"functions": list(functions), "seconds": took, "ok": answer.ok, "error": answer.error,
                  "body": answer.value.http.body.value.decode() if answer.ok else "", "files": files}))
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    try:
        archive = build(folder, HERE)
    except PackageError as error:
        if "error sending request" not in str(error):
            raise
        pytest.skip("the packages cannot be fetched: there is no network here")
    assert archive.stat().st_size < LARGEST
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(folder / "wwwroot")
    return folder / "wwwroot"


def start(app: Path, driver: Path, *options: str) -> dict[str, Any]:
    """The app in a fresh interpreter that sees its standard library, the runtime and the package, no more."""
    if not driver.exists():
        shutil.copytree(ROOT / "local" / "host", driver / "local" / "host")
        found = find_spec("azure_functions_runtime")
        assert found
        assert found.submodule_search_locations
        shutil.copytree(found.submodule_search_locations[0], driver / "azure_functions_runtime")
    command = [sys.executable, "-I", "-S", *options, "-c", DRIVER, str(driver), str(app), str(app / PACKAGES)]
    done = subprocess.run(command, capture_output=True, text=True, env={}, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_the_package_starts_under_the_official_runtime_with_nothing_else_on_the_path(
    unpacked: Path, tmp_path: Path
) -> None:
    found = start(unpacked, tmp_path / "driver")
    stdlib = (sys.base_prefix, str(tmp_path / "driver"), str(unpacked), "<frozen")
    plain = start(unpacked, tmp_path / "driver", "-X", f"pycache_prefix={tmp_path / 'none'}", "-B")

    assert found["ok"], found["error"]
    assert json.loads(found["body"])["status"] == "misconfigured"
    assert {"create_order", "attach_po", "blob_trigger", "work", "sweep"} <= set(found["functions"])
    assert [file for file in found["files"] if not file.startswith(stdlib)] == []
    times = plain["seconds"] / found["seconds"]
    print(f"start: {found['seconds']:.2f} s of processor; {times:.1f} times that without bytecode")  # noqa: T201


def test_the_package_holds_what_is_deployed_and_nothing_else(unpacked: Path) -> None:
    assert {path.name for path in unpacked.iterdir() if path.name != "__pycache__"} == {
        *DEPLOYED,
        ".python_packages",
    }
    for name in ("local", "tests", "bench", "web", "connector", "infra", "docs"):
        assert not (unpacked / name).exists()


def test_the_bytecode_is_there_and_knows_nothing_of_the_machine_that_made_it(unpacked: Path) -> None:
    sources = [path for path in unpacked.rglob("*.py") if PACKAGES not in path.as_posix()]
    compiled = list(unpacked.rglob(f"__pycache__/*.{sys.implementation.cache_tag}.pyc"))

    assert {path.parent.parent / f"{path.name.split('.')[0]}.py" for path in compiled} >= set(sources)
    assert [path for path in compiled if str(unpacked.parent).encode() in path.read_bytes()] == []


def test_the_same_content_gives_the_same_bytes(unpacked: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    pack(unpacked / "shared", one)
    for path in (unpacked / "shared").rglob("*.py"):
        path.touch()

    assert one.read_bytes() == pack(unpacked / "shared", two).read_bytes()


def test_where_the_apps_python_is_missing_there_is_no_bytecode(tmp_path: Path) -> None:
    assert not compile_for(tmp_path, "3.99")


@pytest.mark.usefixtures("unpacked")
def test_a_package_that_cannot_be_had_ends_the_build_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="Python version"):
        build(tmp_path, "3.7")


def test_what_funcignore_keeps_in_is_what_is_deployed() -> None:
    patterns = (ROOT / ".funcignore").read_text().split()
    kept = {
        path.name
        for path in ROOT.iterdir()
        if not path.name.startswith((".", "__pycache__", "node_modules"))
        and not any(fnmatch.fnmatch(path.name, pattern.removeprefix("/")) for pattern in patterns)
    }
    folders = [pattern for pattern in patterns if (ROOT / pattern.removeprefix("/")).is_dir()]

    assert kept == set(DEPLOYED)
    # without a slash it would be any folder of that name, such as shared/web
    assert [pattern for pattern in folders if not pattern.startswith(("/", "."))] == []


def test_azd_deploys_the_folder_that_is_built_for_the_python_of_the_app() -> None:
    azd = (ROOT / "azure.yaml").read_text()
    config = tree("app.bicep")["resources"]["site"]["config"]["properties"]["functionAppConfig"]

    assert re.search(r"^    dist: \.local/package/app$", azd, re.MULTILINE)
    assert re.search(r"^    remoteBuild: false$", azd, re.MULTILINE)
    assert re.search(r"^        run: make package$", azd, re.MULTILINE)
    assert config["runtime"]["version"] == PYTHON
