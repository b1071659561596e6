"""`python -m shared.tools.consent`: an operator signs in once, and the refresh token lands in its store.

The browser comes back to this machine (authorization code with PKCE); with `--device-code` the sign-in can
happen on any other. A sign-in without MFA, or in another tenant, is not stored: a good token stays. The
doctor looks at the result afterwards. The token is never printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import webbrowser
from collections.abc import Callable, Mapping
from typing import Any

from shared.auth.configuration import require
from shared.auth.consent import consent_of
from shared.auth.entra import SLOWER, WAITING, Entra
from shared.auth.failures import EntraError
from shared.auth.mode import Mode
from shared.auth.secret import Grant
from shared.auth.source import TIMEOUT, Tokens
from shared.auth.store import open_store
from shared.core.errors import AppError
from shared.settings import Settings
from shared.tools import doctor
from shared.tools.loopback import Loopback

SIGN_IN_SECONDS = 600.0

_NEEDED = """\
Before you go on (docs/identity.md says how):
  1. App registration {client} in tenant {tenant}: delegated permission user_impersonation of
     Microsoft Partner Center with admin consent, redirect URI http://localhost under the platform Web,
     'Allow public client flows' set to No.
  2. The same application registered in Partner Center (App management) of this tenant; the sandbox has
     its own.
  3. A user of this tenant with the role Admin agent (Sales agent for orders without resellers), for whom a
     policy requires MFA. Sign in as this user: orders will be placed in that name.
  4. Write access to the store of the refresh token: {store}.

"""


def sign_in_with_browser(
    entra: Entra, port: int, browse: Callable[[str], object], say: Callable[[str], object]
) -> Grant:
    """Return the grant of a sign-in in this machine's browser; raises TokenError."""

    def lead(app: Any) -> Any:  # noqa: ANN401 - MSAL has no types
        with Loopback(port) as loopback:
            flow = app.initiate_auth_code_flow(
                [entra.user_scope],
                redirect_uri=loopback.redirect_uri,
                response_mode="form_post",
                prompt="select_account",
            )
            say(f"Sign in here, if no browser opens:\n{flow['auth_uri']}\n\n")
            browse(flow["auth_uri"])
            return app.acquire_token_by_auth_code_flow(flow, loopback.wait(SIGN_IN_SECONDS))

    return entra.sign_in(lead)


def sign_in_with_device_code(entra: Entra, say: Callable[[str], object]) -> Grant:
    """Return the grant of a sign-in on another device, once the user has signed in; raises TokenError."""
    device = entra.start_device_code()
    say(f"{device.message}\n\n")
    interval = device.interval
    while True:
        try:
            return entra.redeem_device_code(device.code)
        except EntraError as error:
            if error.error not in WAITING or time.time() > device.expires_on:
                raise
            interval += SLOWER if error.error == "slow_down" else 0
        time.sleep(interval)


def run(
    settings: Settings,
    *,
    device_code: bool,
    port: int,
    say: Callable[[str], object],
    browse: Callable[[str], object],
) -> int:
    """Carry the whole command out and return its exit code."""
    identity = settings.identity
    store = identity.vault or identity.token_file
    try:
        require(identity, Mode.APP_USER)
        say(_NEEDED.format(client=identity.client_id, tenant=identity.tenant_id, store=store))
        entra = Entra(identity, timeout=TIMEOUT)
        if device_code:
            grant = sign_in_with_device_code(entra, say)
        else:
            grant = sign_in_with_browser(entra, port, browse, say)
        open_store(identity, TIMEOUT).write(consent_of(grant, identity, time.time()).refresh)
    except AppError as error:
        say(f"Failed: {error}\n{error.remedy}\n")
        return 1
    say(f"The refresh token is stored: {store}. It lasts 90 days from its last use.\n\n")
    return doctor.report(settings, Tokens(identity), say, time.time())


def main(
    arguments: list[str],
    env: Mapping[str, str],
    say: Callable[[str], object],
    browse: Callable[[str], object] = webbrowser.open,
) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m shared.tools.consent", description=__doc__)
    parser.add_argument("--device-code", action="store_true", help="sign in on another machine")
    parser.add_argument(
        "--port", type=int, default=0, help="port of the redirect URI; any free one by default"
    )
    chosen = parser.parse_args(arguments)
    return run(Settings.read(env), device_code=chosen.device_code, port=chosen.port, say=say, browse=browse)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdout.write))
