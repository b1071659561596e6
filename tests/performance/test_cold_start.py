"""What importing the app brings with it: it decides how fast a function starts cold."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from bench import parts

ROOT = Path(__file__).parents[2]

BINDING = "import azurefunctions.extensions.bindings.blob"


def imported_by(code: str) -> set[str]:
    """The modules of a fresh interpreter after `code`, in an empty environment."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def of(package: str, modules: set[str]) -> set[str]:
    return {name for name in modules if name == package or name.startswith(f"{package}.")}


def test_importing_the_app_brings_no_more_of_the_identity_libraries_than_the_blob_binding_does() -> None:
    app, binding = imported_by("import function_app"), imported_by(BINDING)

    for package in ("azure.identity", "msal", "cryptography"):
        assert of(package, app) <= of(package, binding)


def test_importing_the_app_brings_nothing_that_only_a_first_call_needs() -> None:
    app = imported_by("import function_app")

    for package in (
        "azure.keyvault",
        "aiohttp",
        "azure.storage.blob.aio",
        "opentelemetry",
        "pydantic",
        "shared.auth.source",
        "shared.partner_center",
        "shared.storage",
        "shared.services",
        "local",
        "hypothesis",
    ):
        assert not of(package, app), package


def test_while_nobody_listens_telemetry_imports_nothing_whatever_is_told() -> None:
    modules = imported_by(
        "import function_app\n"
        "from shared import telemetry\n"
        "with telemetry.invocation('work', 'id') as run, telemetry.span('call', {}, client=True) as call:\n"
        "    for metric in telemetry.METRICS: metric.record(1, **dict.fromkeys(metric.attributes, 'x'))\n"
        "    run.set('a', 1); call.set('a', 1)\n"
        "import shared.bootstrap, shared.auth.source, shared.partner_center.client"
    )

    assert (
        of("opentelemetry", modules) | of("azure.monitor", modules) | of("shared.exporter", modules) == set()
    )


def test_what_a_token_needs_is_there_when_it_is_asked_for() -> None:
    asked = imported_by("import function_app, shared.auth.source")

    assert of("msal", asked)


def test_the_deployed_packages_do_not_bring_aiohttp() -> None:
    wanted = (ROOT / "requirements.txt").read_text().lower()

    assert "aio" not in wanted


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        ("", "telemetry is not exported (ValueError): see APPLICATIONINSIGHTS_CONNECTION_STRING"),
        ("InstrumentationKey=hunter2;IngestionEndpoint=http://127.0.0.1:9/", "(ValueError)"),
        (f"InstrumentationKey={uuid.UUID(int=1)};IngestionEndpoint=http://127.0.0.1:9/", ""),
    ],
)
def test_an_exporter_that_cannot_be_had_is_logged_once_and_keeps_nobody_from_working(
    connection: str, said: str
) -> None:
    env = {"TELEMETRY": "azure-monitor", "APPLICATIONINSIGHTS_CONNECTION_STRING": connection}
    done = subprocess.run(
        [sys.executable, "-c", RUNS], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["8", "0"]  # no handler takes a line of the log to anywhere else
    assert done.stderr.count("telemetry is not exported") == (1 if said else 0)
    assert said in done.stderr
    assert "hunter2" not in done.stderr


RUNS = """
import logging, os
from concurrent.futures import ThreadPoolExecutor
from shared import telemetry
def run(number):
    with telemetry.invocation("work", str(number)):
        return 1
with ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(run, range(8))), len(logging.getLogger().handlers), flush=True)
os._exit(0)  # nobody is there to take what is left
"""


def test_first_calls_that_come_together_share_one_set_of_services() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOGETHER],
        cwd=ROOT,
        env=parts.settings("UseDevelopmentStorage=true", "http://127.0.0.1:9"),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "1"


TOGETHER = """
from concurrent.futures import ThreadPoolExecutor
from shared.container import services
with ThreadPoolExecutor(8) as pool:
    print(len({id(s) for s in pool.map(lambda _: services(), range(8))}))
"""
