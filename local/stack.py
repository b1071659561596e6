"""The whole stack as real processes: Azurite, the simulator, Functions hosts, the event feeders.

`with Stack(Plan(folder)) as stack:` brings it up and takes it down again, whatever happens in between;
should this process be killed, its children die with it. Hosts keep port and keys when they are killed and
started again. Settings of the application that the user's own environment may hold, and proxies, are not
passed on.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import (
    BlobServiceClient,
    ContainerSasPermissions,
    CorsRule,
    generate_container_sas,
)

from local.azurite.launcher import ACCOUNT, KEY, Azurite
from local.children import Child, StackError, check_port
from local.events import webhook
from local.host import sign_in
from local.pages import Pages
from shared.settings import Settings
from shared.settings_table import DOCUMENT_STORAGE, SETTINGS, WORKER_SETTINGS

ROOT = Path(__file__).parent.parent
HOST_STORAGE = "AzureWebJobsStorage"

_PATIENCE = 30.0
_STEERING = {HOST_STORAGE, *WORKER_SETTINGS, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
_OURS = {name.lower() for name in (*(s.name for s in SETTINGS), *_STEERING)}
_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
_PREFIXES = (f"{DOCUMENT_STORAGE}__".lower(), f"{HOST_STORAGE}__".lower(), "azurefunctionsjobhost__", "host_")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to bring up. A port of 0 is any free one."""

    folder: Path
    """For logs, certificates and the refresh token."""
    app: Path = ROOT
    hosts: int = 1
    host_port: int = 0
    """Of the first host; the others take free ones."""
    blob_port: int = 0
    queue_port: int = 0
    partner_center_port: int = 0
    token_port: int = 0
    web_port: int | None = None
    """Of the pages in web/, which the API then allows; None: they are not served."""
    location: Path | None = None
    """Where Azurite keeps its data; None: in memory."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """App settings beside or instead of those that the stack gives."""
    sign_in: bool = False
    """Whether callers sign in, with App Service authentication in front, instead of showing keys."""
    host_arguments: tuple[str, ...] = ()
    feeder_arguments: tuple[str, ...] = ()
    azurite: Azurite | None = None
    """One that runs already, and goes on when the stack is down; None: one of its own."""


@dataclass(slots=True)
class Host:
    """One Functions host: its address, keys (the same for all hosts) and process."""

    name: str
    port: int
    """0, if any free one will do, until it is started; it keeps the one that it then takes."""
    key: str = field(repr=False)
    master_key: str = field(repr=False)
    system_key: str = field(repr=False)
    child: Child | None = None
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Without a slash at its end and without the route prefix."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id; 0 before it is started."""
        return self.child.pid if self.child else 0


class Stack:
    """Enter it from the main thread. `simulator` is that process's ready line."""

    azurite: Azurite
    simulator: dict[str, Any]
    settings: dict[str, str]

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.hosts: list[Host] = []
        self.pages: Pages | None = None
        self._children: list[Child] = []
        self.sign_in = sign_in.SignIn(secrets.token_urlsafe(32))
        """Makes the tokens that hosts of a plan with `sign_in` take."""
        self._base = clean_environment(os.environ)

    def __enter__(self) -> Stack:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End everything that was started, last first."""
        if self.pages:
            self.pages.stop()
        for host in self.hosts:
            if host.child is not None:
                host.child.stop()
        for child in reversed(self._children):
            child.stop()
        if hasattr(self, "azurite") and self.azurite is not self.plan.azurite:
            self.azurite.stop()

    def start_host(self, host: Host) -> None:
        """Start a host that was never started, or was stopped or killed."""
        keys = {
            "HOST_FUNCTION_KEY": host.key,
            "HOST_MASTER_KEY": host.master_key,
            "HOST_SYSTEM_KEY": host.system_key,
        }
        if self.plan.sign_in:
            keys |= {sign_in.KEY: self.sign_in.key, "AUTHENTICATION": "entra"}
        command = [
            *_python("local.host"),
            "--app",
            str(self.plan.app),
            "--port",
            str(host.port),
            "--host-id",
            "local",
        ]
        host.child = Child(
            host.name,
            [*command, "--no-local-settings", *self.plan.host_arguments],
            {**self._base, **self.settings, **keys},
            self.plan.folder / f"{host.name}.log",
        )
        ready = host.child.ready(_PATIENCE)
        host.port, host.functions = ready["port"], ready["functions"]

    def kill_host(self, host: Host) -> None:
        """SIGKILL a host; `start_host` brings it back."""
        if host.child is not None:
            host.child.kill()

    def revive(self) -> list[Host]:
        """Start hosts again that have ended, as Azure does; they are returned."""
        ended = [host for host in self.hosts if host.child is None or not host.child.running()]
        for host in ended:
            self.start_host(host)
        return ended

    def check(self) -> None:
        """StackError when a process other than a host has ended."""
        for child in self._children:
            if not child.running():
                raise StackError(f"{child.name} has ended; see {self.plan.folder}")

    def blob_service(self) -> BlobServiceClient:
        """A client of the storage account; the caller closes it."""
        return BlobServiceClient.from_connection_string(self.azurite.connection_string)

    def drop_url(self, name: str) -> str:
        """A URL to which a file can be PUT as `name` in the incoming container, for a day."""
        container = Settings.read(self.settings).storage.incoming
        allowed = generate_container_sas(
            ACCOUNT,
            container,
            KEY,
            permission=ContainerSasPermissions(read=True, write=True, list=True),
            expiry=datetime.now(UTC) + timedelta(days=1),
        )
        return f"{self.azurite.blob_endpoint}/{container}/{quote(name)}?{allowed}"

    def _start(self) -> None:
        plan = self.plan
        plan.folder.mkdir(parents=True, exist_ok=True)
        check_port(plan.host_port, "the Functions host", "--port")
        check_port(plan.partner_center_port, "the simulator", "--partner-center-port")
        check_port(plan.token_port, "the token service", "--token-port")
        if plan.web_port is not None:
            check_port(plan.web_port, "the pages", "--web-port")
            self.pages = Pages(plan.web_port).start()  # its origin is a setting of the hosts
        self.azurite = plan.azurite or Azurite(
            self._base, plan.folder, plan.blob_port, plan.queue_port, plan.location
        )
        self.simulator = self._simulator()
        self.settings = {
            DOCUMENT_STORAGE: self.azurite.connection_string,
            HOST_STORAGE: self.azurite.connection_string,
            **WORKER_SETTINGS,
            **self.simulator["settings"],
            **({"ALLOWED_ORIGINS": self.pages.url} if self.pages else {}),
            **plan.settings,
        }
        self._containers()
        key, master, system = (secrets.token_urlsafe(24) for _ in range(3))
        for number in range(plan.hosts):
            port = 0 if number else plan.host_port
            host = Host(f"host-{number + 1}", port, key=key, master_key=master, system_key=system)
            self.hosts.append(host)
            self.start_host(host)
        if self.pages:
            self.pages.point_to(f"{self.hosts[0].url}/api", self.azurite.blob_endpoint)
        self._feeders()

    def _simulator(self) -> dict[str, Any]:
        plan, folder = self.plan, self.plan.folder
        command = [*_python("local.simulator"), "--port", str(plan.partner_center_port)]
        command += ["--token-port", str(plan.token_port)]
        command += ["--tls-dir", str(folder / "tls"), "--refresh-token-file", str(folder / "refresh-token")]
        return self._child("simulator", command, self._base).ready(_PATIENCE)

    def _containers(self) -> None:
        """Create the app's containers, as its infrastructure does in Azure."""
        storage = Settings.read(self.settings).storage
        with self.blob_service() as service:
            for name in (storage.incoming, storage.receipts, storage.ledger):
                try:
                    service.create_container(name)
                except ResourceExistsError:
                    continue
            origins = self.settings.get("ALLOWED_ORIGINS", "")
            if origins:  # uploads go to the account itself, which has CORS rules of its own
                service.set_service_properties(cors=[upload_rule(origins)])

    def _feeders(self) -> None:
        """One feeder for each blob function with source EventGrid."""
        for name, trigger in self.hosts[0].functions.items():
            if trigger["type"] != "blob" or trigger["scanned"]:
                continue
            command = [*_python("local.events"), "--container", trigger["path"].partition("/")[0]]
            command += ["--connection", trigger["connection"], *self.plan.feeder_arguments]
            for host in self.hosts:
                command += ["--target", webhook(host.url, name, host.system_key)]
            env = {**self._base, trigger["connection"]: self.azurite.connection_string}
            self._child(f"events-{name}", command, env).ready(_PATIENCE)

    def _child(self, name: str, command: list[str], env: Mapping[str, str]) -> Child:
        child = Child(name, command, env, self.plan.folder / f"{name}.log")
        self._children.append(child)
        return child


def upload_rule(origins: str) -> CorsRule:
    """What lets pages of these origins (as in ALLOWED_ORIGINS) upload documents: docs/operations.md."""
    return CorsRule(
        [origin.strip() for origin in origins.split(",")],
        ["PUT"],
        allowed_headers=["content-type", "x-ms-blob-type"],
        exposed_headers=["x-ms-error-code", "x-ms-request-id"],
        max_age_in_seconds=600,
    )


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without the app's settings, proxies and what steers a host."""
    kept = {
        name: value
        for name, value in environ.items()
        if name.lower() not in _OURS | _PROXIES and not name.lower().startswith(_PREFIXES)
    }
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]
