"""Runs the Partner Center simulator and its token service until Ctrl-C or SIGTERM.

    python -m local.simulator --port 7072 --token-port 7073

When both listen, one line of JSON goes to stdout: their URLs, and the settings with which an app finds them.
The secret and the refresh token among them work with these two services only.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from local import signals
from local.guard import InsideAzureError, refuse_inside_azure
from local.logs import log_to_stderr
from local.simulator.behaviour import Behaviour, changed
from local.simulator.directory import Registration
from local.simulator.entra import TokenService
from local.simulator.partner_center import PartnerCenterSimulator
from local.simulator.pki import make_pki

TENANT_ID = "7f3b9a52-1f0e-4d6c-8f57-2f1f6f1f9c01"
CLIENT_ID = "d2a1c0c4-5a0b-4f0e-9d1e-8a6f5a4b3c02"
CLIENT_SECRET = "secret-of-the-local-stack"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or Ctrl-C; return 0, or 1 with a sentence on stderr when a server cannot start."""
    options = _parser().parse_args(arguments)
    log_to_stderr()
    signals.hold()
    try:
        with _running(options) as ready:
            print(json.dumps(ready), flush=True)
            signals.wait()
    except (InsideAzureError, ValueError) as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(
            f"{error.strerror or error}: choose other ports or directories (--help), or stop who uses them."
        )
    return 0


@contextmanager
def _running(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    refuse_inside_azure(os.environ)
    key = secrets.token_bytes(32)
    pki = make_pki(options.tls_dir)
    entra = TokenService(
        options.token_port, pki, key, Registration(TENANT_ID, CLIENT_ID, secret=CLIENT_SECRET)
    )
    partner_center = PartnerCenterSimulator(
        options.port,
        token_key=key,
        behaviour=changed(Behaviour(), json.loads(options.behaviour)),
        ssl_context=pki.server_context() if options.https else None,
    )
    with ExitStack() as stack:
        stack.enter_context(entra)
        stack.enter_context(partner_center)
        _write_private(options.refresh_token_file, entra.directory.issue_refresh_token())
        yield {
            "partnerCenter": partner_center.url,
            "dashboard": f"{partner_center.url}/_sim",
            "authority": entra.authority,
            "settings": {
                "PARTNER_CENTER_BASE_URL": partner_center.url,
                "PARTNER_CENTER_AUTHORITY": entra.authority,
                "PARTNER_TENANT_ID": TENANT_ID,
                "PARTNER_CLIENT_ID": CLIENT_ID,
                "PARTNER_CLIENT_SECRET": CLIENT_SECRET,
                "PARTNER_REFRESH_TOKEN_FILE": str(options.refresh_token_file.resolve()),
                "REQUESTS_CA_BUNDLE": str(pki.ca.resolve()),
            },
        }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.simulator",
        description="Simulate Partner Center and Entra until Ctrl-C. One line of JSON on stdout says where.",
    )
    for name, who in (("--port", "Partner Center"), ("--token-port", "Entra")):
        what = f"{who} listens here. 0, the default, takes a free port."
        parser.add_argument(name, type=int, default=0, metavar="PORT", help=what)
    parser.add_argument(
        "--https", action="store_true", help="Partner Center speaks https, as Entra always does."
    )
    parser.add_argument(
        "--tls-dir",
        type=Path,
        default=Path(".local/tls"),
        help="Write the certificates here. Default: .local/tls.",
    )
    parser.add_argument(
        "--refresh-token-file",
        type=Path,
        default=Path(".local/refresh-token"),
        help="Write the refresh token of a user who signed in with MFA here. Default: .local/refresh-token.",
    )
    parser.add_argument(
        "--behaviour",
        default="{}",
        metavar="JSON",
        help="Answer otherwise than usual, such as '{\"list_lag\": 60}'. "
        "local/simulator/behaviour.py explains each name.",
    )
    return parser


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
