"""`python -m local.host --app DIR --port N`: runs one function app until SIGTERM or Ctrl-C.

App settings are the environment, then `Values` of DIR/local.settings.json. Keys come from HOST_FUNCTION_KEY,
HOST_MASTER_KEY and HOST_SYSTEM_KEY, or are random. When the host listens, one JSON line on stdout gives port,
keys and functions: {"ready": true, "url", "port", "key", "masterKey", "systemKey", "hostId",
"functions"}. The log goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from local import signals
from local.guard import InsideAzureError, refuse_inside_azure
from local.host.app import Host, Options
from local.host.config import HostError, local_settings
from local.host.functions import describe
from local.host.keys import Keys
from local.host.logs import start_log
from local.host.sign_in import GUARD, SignIn
from local.host.storage import HOST_CONNECTION

_PATIENCE = 1.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the host; the exit code is 0 after a requested stop and 1 when it cannot start."""
    arguments = _parser().parse_args(argv)
    start_log()
    try:
        refuse_inside_azure(os.environ)
        app = arguments.app.resolve()
        if not arguments.no_local_settings:
            for name, value in local_settings(app).items():
                os.environ.setdefault(name, value)
        if arguments.storage:
            os.environ[HOST_CONNECTION] = arguments.storage
        return _run(arguments, app)
    except (HostError, InsideAzureError) as error:
        print(f"local.host: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace, app: Path) -> int:
    keys = Keys.read(os.environ)
    keys = replace(keys, function=arguments.key or keys.function)
    options = Options(
        app=app,
        port=arguments.port,
        host_id=arguments.host_id or _host_id(app),
        lease=arguments.lease,
        scan_interval=arguments.scan_interval,
        response_limit=arguments.response_limit,
    )
    signals.hold()
    os.chdir(app)
    host = Host(options, os.environ, keys)
    server, functions = host.start()
    if SignIn.read(os.environ):  # not sooner: it looks as if this were Azure
        os.environ.update(GUARD)
    ready = {
        "ready": True,
        "url": f"http://127.0.0.1:{server.port}",
        "port": server.port,
        "key": keys.function,
        "masterKey": keys.master,
        "systemKey": keys.system,
        "hostId": options.host_id,
        "functions": {f.name: describe(f) for f in functions},
    }
    print(json.dumps(ready), flush=True)
    signals.wait()
    abandoned = host.stop(server, _PATIENCE)
    if abandoned:
        logging.getLogger("host").warning("stopped with %d invocations under way", abandoned)
    sys.stdout.flush()
    os._exit(0)  # threads of abandoned invocations would keep the interpreter alive


def _host_id(app: Path) -> str:
    """The same for every host of one app; queue names allow lower case letters, digits and single hyphens.

    https://learn.microsoft.com/en-us/azure/azure-functions/storage-considerations#host-id-considerations
    """
    return re.sub(r"[^a-z0-9]+", "-", app.name.lower()).strip("-")[:32].strip("-") or "app"


_OPTIONS = (
    ("--port", 7071, "PORT", "Listen on this port of 127.0.0.1; 0 takes a free one. Default: 7071."),
    ("--storage", "", "STRING", "Use this connection string as AzureWebJobsStorage."),
    ("--key", "", "KEY", "Accept this function key. Default: a random one."),
    ("--host-id", "", "ID", "Share the queues with hosts of the same id. Default: the name of the folder."),
    (
        "--lease",
        30,
        "S",
        "Hide a message for S seconds while a function works on it. Default: 30; Azure: 600.",
    ),
    ("--scan-interval", 2.0, "S", "List a scanned container every S seconds. Default: 2; Azure: 10."),
    ("--response-limit", 230.0, "S", "Answer 504 after S seconds. Default: 230, as in Azure."),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.host",
        description="Run a function app until Ctrl-C. One line of JSON on stdout gives URL and keys.",
    )
    parser.add_argument(
        "--app", type=Path, required=True, metavar="DIR", help="Run the function_app.py of this folder."
    )
    for name, default, metavar, what in _OPTIONS:
        parser.add_argument(name, type=type(default), default=default, metavar=metavar, help=what)
    parser.add_argument("--no-local-settings", action="store_true", help="Do not read local.settings.json.")
    return parser


if __name__ == "__main__":
    sys.exit(main())
