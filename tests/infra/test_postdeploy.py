"""The hook that follows a deployment, against an Azure CLI that a script plays."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.structure.bicep import INFRA, tree
from tests.structure.test_docs import ROOT, anchors

HOOK = INFRA / "postdeploy.py"
KEY = "ZXh0ZW5zaW9u-key"
AZD = {
    "AZURE_SUBSCRIPTION_ID": "11111111-0000-0000-0000-000000000000",
    "AZURE_TENANT_ID": "22222222-0000-0000-0000-000000000000",
    "AZURE_RESOURCE_GROUP": "rg-test",
    "APP_NAME": "func-abc",
    "APP_URL": "https://func-abc.azurewebsites.net",
    "SYSTEM_TOPIC_NAME": "documents-abc",
    "DOCUMENTS_ACCOUNT_NAME": "stdocsabc",
    "DEAD_LETTER_CONTAINER": "dead-letters",
    "VAULT_NAME": "kv-abc",
    "IDENTITY_NAME": "id-abc",
    "IDENTITY_PRINCIPAL_ID": "33333333-0000-0000-0000-000000000000",
}
# It is told in plan.json: for each command the answers in turn, the last one for ever. What was asked goes to
# calls.jsonl. A deployment of secret.bicep creates the secret, as Azure would.
AZ = """#!{python}
import json, pathlib, sys, time
here, asked = pathlib.Path(__file__).parent, sys.argv[1:]
with open(here / "calls.jsonl", "a") as calls:
    print(json.dumps(asked), file=calls)
plan = json.loads((here / "plan.json").read_text())
word = next(name for name in plan if name in " ".join(asked))
turn = sum(word in " ".join(json.loads(line)) for line in open(here / "calls.jsonl"))
answer = plan[word][min(turn, len(plan[word])) - 1]
if "create=true" in asked:
    plan["rest --method get"] = [{{"out": {{"value": [{{"name": "partner-center-refresh-token"}}]}}}}]
    (here / "plan.json").write_text(json.dumps(plan))
if "seconds" in answer:
    time.sleep(answer["seconds"])
    (here / "went-on").touch()
print(answer.get("error", ""), file=sys.stderr)
print(answer.get("text") or json.dumps(answer.get("out")))
sys.exit(1 if "error" in answer else 0)
"""
GOOD: dict[str, list[dict[str, Any]]] = {
    "account show": [{"out": {"id": AZD["AZURE_SUBSCRIPTION_ID"]}}],
    "functionapp keys list": [{"out": {"blobs_extension": KEY}}],
    "deployment group create": [{"out": "Succeeded"}],
    "rest --method get": [{"out": {"value": []}}],
}


class Cloud:
    """A folder with an `az` in it, and what was asked of that."""

    def __init__(self, folder: Path, **plan: list[dict[str, Any]]) -> None:
        self.folder = folder
        self.plan = GOOD | {name.replace("_", " "): answers for name, answers in plan.items()}
        (folder / "plan.json").write_text(json.dumps(self.plan))
        (folder / "real-az").write_text(AZ.format(python=sys.executable))
        # as the real one: a shell script around a Python process
        (folder / "az").write_text('#!/bin/sh\n"$(dirname "$0")/real-az" "$@"\n')
        for name in ("az", "real-az"):
            (folder / name).chmod(0o755)

    def calls(self, word: str = "") -> list[list[str]]:
        log = self.folder / "calls.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [call for call in map(json.loads, lines) if word in " ".join(call)]

    def deployed(self, template: str) -> dict[str, str]:
        """The parameters that a template was deployed with last."""
        call = [c for c in self.calls("deployment group create") if str(INFRA / template) in c][-1]
        given = call[call.index("--parameters") + 1 : call.index("--subscription")]
        return dict(one.split("=", 1) for one in given)


def run(path: str, env: Mapping[str, str] = AZD, patience: float = 20) -> subprocess.CompletedProcess[str]:
    """The hook as azd starts it, with no package of ours within reach (-I)."""
    return subprocess.run(
        [sys.executable, "-I", str(HOOK), "--patience", str(patience), "--pause", "0.05"],
        env={**env, "PATH": f"{path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_first_deployment_subscribes_gives_the_secret_and_says_what_a_person_does(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)

    done = run(str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    assert cloud.deployed("events.bicep") == {
        "appName": "func-abc",
        "systemTopicName": "documents-abc",
        "documentsAccountName": "stdocsabc",
        "deadLetterContainer": "dead-letters",
    }
    assert cloud.deployed("secret.bicep") == {
        "vaultName": "kv-abc",
        "identityName": "id-abc",
        "create": "true",
    }
    assert {call[call.index("--subscription") + 1] for call in cloud.calls()} == {
        AZD["AZURE_SUBSCRIPTION_ID"]
    }
    told = [
        done.stdout.index(word)
        for word in ("Register", "vouch", "azd provision", "App management", "Consent")
    ]
    assert told == sorted(told)
    assert AZD["IDENTITY_PRINCIPAL_ID"] in done.stdout
    assert KEY not in done.stdout


@pytest.mark.parametrize("template", ["events.bicep", "secret.bicep"])
def test_the_hook_gives_each_template_what_it_asks_for(template: str, tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    run(str(tmp_path))

    assert set(cloud.deployed(template)) == set(tree(template)["parameters"])


def test_the_second_run_does_the_same_and_writes_no_secret(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    run(str(tmp_path))
    first = cloud.deployed("events.bicep")

    done = run(str(tmp_path))

    assert done.returncode == 0
    assert cloud.deployed("events.bicep") == first
    assert cloud.deployed("secret.bicep")["create"] == "false"
    assert "stays as it is" in done.stdout


def test_a_key_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    late: list[dict[str, Any]] = [
        {"error": "Operation returned an invalid status 'Bad Request'"},
        {"out": {}},
        {"out": {"blobs_extension": KEY}},
    ]
    cloud = Cloud(tmp_path, functionapp_keys_list=late)

    done = run(str(tmp_path))

    assert done.returncode == 0
    assert len(cloud.calls("functionapp keys list")) == 3


def test_a_key_that_never_comes_is_told_with_the_reason_and_nothing_is_subscribed(
    tmp_path: Path,
) -> None:
    cloud = Cloud(tmp_path, functionapp_keys_list=[{"error": "host runtime is not there"}])

    done = run(str(tmp_path), patience=1)

    assert done.returncode == 1
    assert "host runtime is not there" in done.stderr
    assert "/api/health" in done.stderr
    assert cloud.calls("deployment") == []


def test_without_the_cli_the_hook_says_where_to_get_it(tmp_path: Path) -> None:
    done = run(str(tmp_path))

    assert done.returncode == 1
    assert "install-azure-cli" in done.stderr


def test_who_is_not_signed_in_is_told_how(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, account_show=[{"error": "Please run 'az login' to setup account."}])

    done = run(str(tmp_path))

    assert done.returncode == 1
    assert f"az login --tenant {AZD['AZURE_TENANT_ID']}" in done.stderr
    assert len(cloud.calls()) == 1


def test_what_azd_did_not_provision_is_named(tmp_path: Path) -> None:
    Cloud(tmp_path)

    done = run(str(tmp_path), {name: value for name, value in AZD.items() if name != "APP_NAME"})

    assert done.returncode == 1
    assert "APP_NAME" in done.stderr
    assert "azd provision" in done.stderr


def test_a_cli_that_hangs_is_ended_with_the_process_below_it(tmp_path: Path) -> None:
    Cloud(tmp_path, account_show=[{"seconds": 3}])

    done = run(str(tmp_path), patience=1)
    time.sleep(3)

    assert done.returncode == 1
    assert "did not end within 1 seconds" in done.stderr
    assert not (tmp_path / "went-on").exists()


def test_a_deployment_that_fails_once_is_tried_again(tmp_path: Path) -> None:
    answers = [{"error": "Webhook validation handshake failed"}, {"out": "Succeeded"}]
    cloud = Cloud(tmp_path, deployment_group_create=answers)

    done = run(str(tmp_path))

    assert done.returncode == 0
    assert "attempt 1 of 3" in done.stdout
    assert len(cloud.calls("deployment group create")) == 3


def test_a_deployment_that_keeps_failing_is_told_without_the_key_in_the_address(tmp_path: Path) -> None:
    address = f"https://func-abc/runtime/webhooks/blobs?functionName=x&code={KEY}"
    cloud = Cloud(tmp_path, deployment_group_create=[{"error": f"cannot reach '{address}'"}])

    done = run(str(tmp_path))

    assert done.returncode == 1
    assert "cannot reach" in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert len(cloud.calls("deployment group create")) == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [({"out": "Canceled"}, "ended as Canceled"), ({"text": "WARNING"}, "did not answer in JSON")],
)
def test_an_answer_that_is_no_success_is_not_taken_for_one(
    answer: dict[str, Any], said: str, tmp_path: Path
) -> None:
    Cloud(tmp_path, deployment_group_create=[answer])

    done = run(str(tmp_path))

    assert done.returncode == 1
    assert said in done.stderr


def test_the_hook_reads_every_output_and_azd_sets_the_rest() -> None:
    outputs = set(tree("main.bicep")["outputs"])

    assert outputs | {"AZURE_SUBSCRIPTION_ID"} == set(AZD)
    assert all(f'"{name}"' in HOOK.read_text() for name in AZD)
    assert os.fspath(HOOK.relative_to(INFRA.parent)) in (INFRA.parent / "azure.yaml").read_text()


def test_the_pages_that_the_hook_names_have_what_it_sends_a_person_for() -> None:
    named = re.findall(r"(docs/\w+\.md)(?:#([\w-]+))?", HOOK.read_text())

    assert named
    assert [(file, anchor) for file, anchor in named if anchor and anchor not in anchors(ROOT / file)] == []
    assert all((ROOT / file).exists() for file, _ in named)
