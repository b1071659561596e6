"""Cold start: what importing the app costs beside what cannot be avoided, which modules come with it, and how
long the local host takes from its start to its first answer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import UUID

import requests

from bench import parts
from bench.harness import Case, rounds, spread, table
from local.azurite.launcher import Azurite
from local.children import Child
from local.stack import HOST_STORAGE, ROOT

UNAVOIDABLE = "import azure.functions, azure.storage.blob, pydantic, requests"
CASES = {
    "what cannot be avoided": UNAVOIDABLE,
    "... with one pydantic model": f"{UNAVOIDABLE}\nclass M(pydantic.BaseModel):\n a: int",
    "... and the blob binding": f"{UNAVOIDABLE}\nclass M(pydantic.BaseModel):\n a: int\n"
    "import azurefunctions.extensions.bindings.blob",
    "azure.functions, blob binding": "import azure.functions, azurefunctions.extensions.bindings.blob",
    "function_app": "import function_app",
    "function_app, and its services built": "import function_app\nfunction_app.services()",
    "... and what TELEMETRY brings": "import function_app\nfunction_app.services()\n"
    "from shared import exporter\nexporter.start()",
}
ASKED = (
    "msal",
    "opentelemetry",
    "azure.identity",
    "azure.keyvault",
    "aiohttp",
    "pydantic",
    "azure.storage.blob",
)
NOWHERE = f"InstrumentationKey={UUID(int=1)};IngestionEndpoint=http://127.0.0.1:9/"
"""A connection string of an Application Insights that there is not."""
ROUNDS = 9


def main() -> None:
    """Measure and print."""
    _imports()
    _first_answer()


def _imports() -> None:
    cases: dict[str, Case] = {name: partial(_import, code) for name, code in CASES.items()}
    samples = rounds(cases, ROUNDS)
    plain = samples["what cannot be avoided"]
    rows = []
    for name, taken in samples.items():
        wall = spread([s.wall / p.wall for s, p in zip(taken, plain, strict=True)])
        cpu = median(s.cpu / p.cpu for s, p in zip(taken, plain, strict=True))
        rows.append(
            [name, f"{median(s.wall for s in taken) * 1000:.0f}", wall, f"{cpu:.2f}", _brings(CASES[name])]
        )
    table("cold: imports", ["", "ms", "to the first", "CPU to the first", "brings"], rows)


def _import(code: str) -> float:
    """Seconds of the import alone, without the start of the interpreter."""
    timed = f"import time\nt = time.perf_counter()\n{code}\nprint(time.perf_counter() - t)"
    return float(_python(timed))


def _brings(code: str) -> str:
    names = _python(f"{code}\nimport sys\nprint(*sorted(sys.modules))").split()
    return ", ".join(name for name in ASKED if name in names)


def _python(code: str) -> str:
    env = {
        "PYTHONPATH": str(ROOT),
        "APPLICATIONINSIGHTS_CONNECTION_STRING": NOWHERE,
        **parts.settings("UseDevelopmentStorage=true", "http://127.0.0.1:9"),
    }
    return subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    ).stdout


def _first_answer() -> None:
    with TemporaryDirectory() as folder, Azurite(os.environ, Path(folder)) as azurite:
        runs = [_host(azurite.connection_string, Path(folder)) for _ in range(9)]
    names = (
        "ready to answer",
        "first answer of GET health",
        "first answer that needs the services (GET drops/none.json, with one request to storage)",
    )
    rows = [[name, spread([run[n] * 1000 for run in runs])] for n, name in enumerate(names)]
    table("cold: ms from the start of the local host's process", ["", "ms"], rows)


def _host(storage: str, folder: Path) -> Sequence[float]:
    """Seconds until it is ready, until the first answer is there, and until the first one of the services."""
    env = {**parts.environment(), **parts.settings(storage, "http://127.0.0.1:9"), HOST_STORAGE: storage}
    command = [sys.executable, "-m", "local.host", "--app", str(ROOT), "--port", "0", "--no-local-settings"]
    began = time.perf_counter()
    host = Child("host", command, env, folder / "host.log")
    try:
        says = host.ready(60)
        times = [time.perf_counter() - began]
        with requests.Session() as session:
            session.headers["x-functions-key"] = says["key"]
            for path, status in (("health", 200), ("drops/none.json", 404)):
                answer = session.get(f"{says['url']}/api/{path}", timeout=10)
                assert answer.status_code == status, answer.text
                times.append(time.perf_counter() - began)
        return times
    finally:
        host.stop()
