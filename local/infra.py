"""`python -m local.infra`: write anew what the templates of infra/ take from the code.

`infra/names.json` is read by Bicep (`loadJsonContent`), so that no name is spelt twice;
`infra/main.parameters.json` passes each setting that a person may choose from azd's environment to the app:
`azd env set MAX_FILES 5`. A test compares both files with the code.
https://learn.microsoft.com/en-us/azure/azure-resource-manager/bicep/bicep-functions-files#loadjsoncontent
"""

from __future__ import annotations

import json
from typing import Any

from azure.functions.decorators.function_app import FunctionBuilder

import blob_trigger
from local.stack import ROOT, upload_rule
from shared.core.drop_rules import DOCUMENT_ENDING, SIDECAR_ENDING
from shared.services.consents import FOLDER as CONSENTS
from shared.settings_table import DEFAULTS, DOCUMENT_STORAGE, SETTINGS, WORKER_SETTINGS

CONTAINERS = ("INCOMING_CONTAINER", "RECEIPTS_CONTAINER", "LEDGER_CONTAINER")
WIRED = frozenset(
    {
        *(f"{DOCUMENT_STORAGE}__{part}" for part in ("blobServiceUri", "queueServiceUri")),
        *(f"{DOCUMENT_STORAGE}__{part}" for part in ("credential", "clientId")),
        *CONTAINERS,
        "WORK_QUEUE",
        "NOTICE_QUEUE",
        "PARTNER_FEDERATED_CREDENTIAL",
        "PARTNER_REFRESH_TOKEN_VAULT",
        "PARTNER_REFRESH_TOKEN_SECRET",
        "AUTHENTICATION",
    }
)
"""Settings that the template itself gives: they follow from what it creates."""
LEFT_OUT = frozenset(
    {
        DOCUMENT_STORAGE,  # a key, and the accounts take none
        "BLOB_TRIGGER_SOURCE",  # Flex Consumption takes the default only
        "PARTNER_CLIENT_SECRET",  # the identity vouches for the app
        "PARTNER_CLIENT_CERTIFICATE",
        "PARTNER_CLIENT_CERTIFICATE_PASSWORD",
        "PARTNER_REFRESH_TOKEN_FILE",  # the vault keeps it
    }
)
"""Settings that an app made by the template has no use for."""

APART = {"CUSTOMER_BINDINGS": "customerBindings"}
"""Settings that hold JSON, and their own parameters: azd puts a variable into the text of an object without
escaping it. https://github.com/Azure/azure-dev (bicep_provider.go)"""

_PARAMETERS = {
    "environmentName": "${AZURE_ENV_NAME}",
    "location": "${AZURE_LOCATION}",
    "instanceMemoryMB": "${INSTANCE_MEMORY_MB=2048}",
    "maximumInstanceCount": "${MAXIMUM_INSTANCE_COUNT=40}",
    "documentsSku": "${DOCUMENTS_SKU=Standard_GRS}",
    "systemTopicName": "${SYSTEM_TOPIC_NAME}",
    "operatorEmail": "${OPERATOR_EMAIL}",
    "signInClientId": "${SIGN_IN_CLIENT_ID}",
    "budgetAmount": "${BUDGET_AMOUNT=0}",
    "budgetStart": "${BUDGET_START}",
}
"""The template's parameters, and the variables of azd's environment that they come from."""
_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#"


def names() -> dict[str, Any]:
    """What is called by a name, here and in Azure."""
    rule = upload_rule("https://portal.example")
    return {
        "containers": {name.removesuffix("_CONTAINER").lower(): DEFAULTS[name] for name in CONTAINERS},
        "workQueue": DEFAULTS["WORK_QUEUE"],
        "noticeQueue": DEFAULTS["NOTICE_QUEUE"],
        "queues": [
            DEFAULTS["NOTICE_QUEUE"],
            _queue(blob_trigger.work),
            _queue(blob_trigger.work_poisoned),
            blob_trigger.POISON_QUEUE,
        ],
        "refreshTokenSecret": DEFAULTS["PARTNER_REFRESH_TOKEN_SECRET"],
        "functions": {"blob": _name(blob_trigger.blob_trigger), "work": _name(blob_trigger.work)},
        "workerSettings": WORKER_SETTINGS,
        "requestsPerInstance": json.loads((ROOT / "host.json").read_text())["extensions"]["http"][
            "maxConcurrentRequests"
        ],
        "consents": f"{CONSENTS}/",
        "endings": [DOCUMENT_ENDING, SIDECAR_ENDING],
        "upload": {
            "allowedMethods": rule.allowed_methods.split(","),
            "allowedHeaders": rule.allowed_headers.split(","),
            "exposedHeaders": rule.exposed_headers.split(","),
            "maxAgeInSeconds": rule.max_age_in_seconds,
        },
    }


def parameters() -> dict[str, Any]:
    """What azd asks its environment for. A setting that is empty there is not given to the app."""
    chosen = {s.name: f"${{{s.name}}}" for s in SETTINGS if s.name not in WIRED | LEFT_OUT | APART.keys()}
    apart = {parameter: f"${{{name}}}" for name, parameter in APART.items()}
    given = {name: {"value": value} for name, value in {**_PARAMETERS, **apart, "settings": chosen}.items()}
    return {"$schema": _SCHEMA, "contentVersion": "1.0.0.0", "parameters": given}


def files() -> dict[str, bytes]:
    """What belongs into the repository, by path from its root."""
    written = {"infra/names.json": names(), "infra/main.parameters.json": parameters()}
    return {name: (json.dumps(value, indent=2) + "\n").encode() for name, value in written.items()}


def _name(function: FunctionBuilder) -> str:
    return str(function.build().get_function_name())


def _queue(function: FunctionBuilder) -> str:
    trigger = function.build().get_trigger()
    assert trigger is not None
    return str(trigger.get_dict_repr()["queueName"])


if __name__ == "__main__":
    for name, content in files().items():
        (ROOT / name).write_bytes(content)
        print(f"wrote {name}, {len(content)} bytes")
