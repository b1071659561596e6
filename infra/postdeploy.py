"""What is left to do once the code is deployed: azd's `postdeploy` hook, or `python3 infra/postdeploy.py`.

It waits for the key of the blob extension, which exists only when the app has indexed its functions;
subscribes the app to the container's events; gives the app its secret; and says what only a person can do.
Each step leaves what is right as it is, so it can be run again at any time; after a key was rotated it must.

It stands on the standard library and on the Azure CLI, signed in. azd passes the outputs of main.bicep in the
environment: https://learn.microsoft.com/en-us/azure/developer/azure-developer-cli/azd-extensibility
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

INFRA = Path(__file__).parent
NAMES = json.loads((INFRA / "names.json").read_text(encoding="utf-8"))
ENVIRONMENT = (
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
    "AZURE_RESOURCE_GROUP",
    "APP_NAME",
    "APP_URL",
    "SYSTEM_TOPIC_NAME",
    "DOCUMENTS_ACCOUNT_NAME",
    "DEAD_LETTER_CONTAINER",
    "VAULT_NAME",
    "IDENTITY_NAME",
    "IDENTITY_PRINCIPAL_ID",
)
INSTALL = "https://learn.microsoft.com/cli/azure/install-azure-cli"
ATTEMPTS = 3
"""Of a deployment: a role takes minutes to be in force, and an app that starts cold may refuse the handshake.
https://github.com/Azure/azure-functions-host/issues/11834"""
STEPS = """
What only a person can do, in this order (docs/setup.md):
 1. Register the application in the partner's tenant:     docs/identity.md#what-to-register
 2. Let this app's identity vouch for it (federated credential of the registration):
      issuer    https://login.microsoftonline.com/{AZURE_TENANT_ID}/v2.0
      subject   {IDENTITY_PRINCIPAL_ID}
      audience  api://AzureADTokenExchange
 3. Tell the app:  azd env set PARTNER_TENANT_ID <tenant>
                   azd env set PARTNER_CLIENT_ID <client id>
                   azd provision
 4. Add the client id in Partner Center: Settings, Account settings, App management, as a web app.
 5. Consent, for orders through a reseller:               docs/identity.md#first-consent
 6. Look whether all is well:  {APP_URL}/api/health"""


class StepError(Exception):
    """A step could not be done; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Azure:
    """The Azure CLI, for one subscription."""

    command: str
    subscription: str
    patience: float
    """Most seconds for one call, and for the key to appear."""
    pause: float
    """Seconds between two attempts."""

    def ask(self, *words: str) -> Any:  # noqa: ANN401 - whatever JSON it prints
        """What the CLI answers. Raises StepError with its own words when it fails or hangs."""
        call = [self.command, *words, "--subscription", self.subscription, "--output", "json"]
        what = f"az {' '.join(words[:3])}"
        # a session of its own: `az` is a script around the process that would go on
        with subprocess.Popen(call, stdout=PIPE, stderr=PIPE, text=True, start_new_session=True) as running:
            try:
                answer, complaint = running.communicate(timeout=self.patience)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                raise StepError(f"{what} did not end within {self.patience:g} seconds") from None
        if running.returncode:
            # Event Grid quotes the address that it could not reach, and the key stands in it
            told = re.sub(r"code=[^\s&\"']+", "code=...", complaint.strip())
            raise StepError(f"{what} failed: {told or running.returncode}")
        try:
            return json.loads(answer or "null")
        except ValueError:
            raise StepError(f"{what} did not answer in JSON") from None

    def deploy(self, group: str, template: str, **parameters: str) -> None:
        """Deploy a template of this folder; what is there already stays as it is."""
        given = [f"{name}={value}" for name, value in parameters.items()]
        words = ["deployment", "group", "create", "--resource-group", group, "--name", Path(template).stem]
        words += ["--template-file", str(INFRA / template), "--query", "properties.provisioningState"]
        for attempt in range(1, ATTEMPTS + 1):
            try:
                state = self.ask(*words, "--parameters", *given)
            except StepError as error:
                if attempt == ATTEMPTS:
                    raise
                say(f"attempt {attempt} of {ATTEMPTS}: {error}")
                time.sleep(self.pause)
                continue
            if state != "Succeeded":
                raise StepError(f"the deployment of {template} ended as {state}")
            return


def say(text: str) -> None:
    """Tell the person, at once."""
    print(text, flush=True)


def signed_in(env: Mapping[str, str], patience: float, pause: float) -> Azure:
    """The CLI, when it is there and knows the subscription."""
    missing = [name for name in ENVIRONMENT if not env.get(name)]
    if missing:
        raise StepError(f"azd's environment lacks {', '.join(missing)}: run `azd provision` first")
    command = shutil.which("az", path=env.get("PATH"))
    if command is None:
        raise StepError(
            f"the Azure CLI (az) is not on the PATH: install it, {INSTALL}, then run `azd deploy`"
        )
    azure = Azure(command, env["AZURE_SUBSCRIPTION_ID"], patience, pause)
    try:
        azure.ask("account", "show")
    except StepError as error:
        login = f"az login --tenant {env['AZURE_TENANT_ID']}"
        raise StepError(f"{error}\nRun `{login}`, then `azd deploy`") from None
    return azure


def wait_for_key(azure: Azure, env: Mapping[str, str]) -> None:
    """Until the blob extension has its key. What it is stays with the CLI: the template reads it itself."""
    until, last = time.monotonic() + azure.patience, "it has none"
    say(f"waiting for the key of the blob extension of {env['APP_NAME']} ...")
    words = ["functionapp", "keys", "list", "-g", env["AZURE_RESOURCE_GROUP"], "-n", env["APP_NAME"]]
    words += ["--query", "systemKeys"]  # not the master key
    while True:
        try:
            keys = azure.ask(*words)
            if isinstance(keys, dict) and keys.get("blobs_extension"):
                return
        except StepError as error:  # a host that starts answers so as well
            last = str(error)
        if time.monotonic() >= until:
            raise StepError(
                f"no key of the blob extension after {azure.patience:g} seconds: {last}\n"
                f"See whether the app starts ({env['APP_URL']}/api/health), then run `azd deploy`."
                " Until then drops are found by the sweep, five minutes late."
            )
        time.sleep(azure.pause)


def subscribe(azure: Azure, env: Mapping[str, str]) -> None:
    """Have Event Grid tell the app of what is dropped."""
    azure.deploy(
        env["AZURE_RESOURCE_GROUP"],
        "events.bicep",
        appName=env["APP_NAME"],
        systemTopicName=env["SYSTEM_TOPIC_NAME"],
        documentsAccountName=env["DOCUMENTS_ACCOUNT_NAME"],
        deadLetterContainer=env["DEAD_LETTER_CONTAINER"],
    )
    function, incoming = NAMES["functions"]["blob"], NAMES["containers"]["incoming"]
    say(f"events of the container {incoming} go to the function {function}")


def keep_secret(azure: Azure, env: Mapping[str, str]) -> None:
    """Give the app the secret for its refresh token; one that is there is not written again."""
    group, name = env["AZURE_RESOURCE_GROUP"], NAMES["refreshTokenSecret"]
    # asked of Resource Manager, which needs no right to read secrets
    # https://learn.microsoft.com/en-us/rest/api/keyvault/keyvault/secrets/list
    vault = (
        f"/subscriptions/{env['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{group}"
        f"/providers/Microsoft.KeyVault/vaults/{env['VAULT_NAME']}"
    )
    there = azure.ask("rest", "--method", "get", "--url", f"{vault}/secrets?api-version=2023-07-01")
    absent = name not in [secret["name"] for secret in there["value"]]
    azure.deploy(
        group,
        "secret.bicep",
        vaultName=env["VAULT_NAME"],
        identityName=env["IDENTITY_NAME"],
        create=str(absent).lower(),
    )
    say(f"the app may write the secret {name}, " + ("which is new" if absent else "which stays as it is"))


def main(arguments: Sequence[str]) -> int:
    """Do all of it; 1 when a step could not be done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--patience", type=float, default=600.0, help="most seconds for one step")
    parser.add_argument("--pause", type=float, default=15.0, help="seconds between two attempts")
    options = parser.parse_args(arguments)
    try:
        azure = signed_in(os.environ, options.patience, options.pause)
        wait_for_key(azure, os.environ)
        subscribe(azure, os.environ)
        keep_secret(azure, os.environ)
    except StepError as error:
        print(f"postdeploy: {error}", file=sys.stderr)
        return 1
    say(STEPS.format_map(os.environ))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
