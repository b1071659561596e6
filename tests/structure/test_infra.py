"""The templates of infra/: their syntax, their words, and that they name what the code names.

There is no Bicep compiler here: what it alone can tell (whether a property exists, say) is not tested.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from local.infra import APART, LEFT_OUT, WIRED, files
from shared.settings_table import DEFAULTS, SETTINGS, WORKER_SETTINGS
from tests.structure.bicep import INFRA, TEMPLATES, body, tree, undeclared
from tests.structure.test_docs import ROOT, page

HOST = json.loads((ROOT / "host.json").read_text())
NAMES = json.loads((INFRA / "names.json").read_text())
PARAMETERS = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
TYPES = {
    "Microsoft.Authorization/roleAssignments@2022-04-01",
    "Microsoft.Consumption/budgets@2023-11-01",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15",
    "Microsoft.EventGrid/systemTopics@2025-02-15",
    "Microsoft.Insights/actionGroups@2023-01-01",
    "Microsoft.Insights/activityLogAlerts@2020-10-01",
    "Microsoft.Insights/components@2020-02-02",
    "Microsoft.Insights/metricAlerts@2018-03-01",
    "Microsoft.Insights/scheduledQueryRules@2023-12-01",
    "Microsoft.KeyVault/vaults/secrets@2023-07-01",
    "Microsoft.KeyVault/vaults@2023-07-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31",
    "Microsoft.OperationalInsights/workspaces@2023-09-01",
    "Microsoft.Resources/resourceGroups@2024-03-01",
    "Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01",
    "Microsoft.Storage/storageAccounts/blobServices@2024-01-01",
    "Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01",
    "Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01",
    "Microsoft.Storage/storageAccounts/queueServices@2024-01-01",
    "Microsoft.Storage/storageAccounts@2024-01-01",
    "Microsoft.Web/serverfarms@2024-04-01",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01",
    "Microsoft.Web/sites/config@2024-04-01",
    "Microsoft.Web/sites@2024-04-01",
}
"""Each was compared, property by property, with https://github.com/Azure/bicep-types-az (2026-08-20)."""
FORBIDDEN = re.compile(
    "FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|WEBSITE_|SCM_|ENABLE_ORYX_BUILD|linuxFxVersion"
    "|alwaysOn|healthCheckPath|APPINSIGHTS_INSTRUMENTATIONKEY"
)
"""https://learn.microsoft.com/en-us/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations"""
PLATFORM = {
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}
ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
}
"""https://learn.microsoft.com/en-us/azure/role-based-access-control/built-in-roles"""


def accessed(node: Any) -> str:
    """An expression of the tree as it is written, as far as it is names and points."""
    if isinstance(node, dict) and node.get("operator", {}).get("type") == "property_accessor":
        operands = node["operator"]["operands"]
        return f"{accessed(operands['operand_1'])}.{accessed(operands['operand_2'])}"
    return str(node)


def resources(template: str, kind: str) -> dict[str, dict[str, Any]]:
    """The resources of a type that a template creates, by symbolic name."""
    found = tree(template)["resources"]
    return {n: body(r) for n, r in found.items() if r["type"] == kind and not r["existing"]}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_parses_and_uses_no_word_that_it_does_not_declare(name: str) -> None:
    tree(name)

    assert undeclared((INFRA / name).read_text()) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("output x string = storge.name", ["storge"]),
        ("output x object = { kind: StorageV2 }", ["StorageV2"]),
        ("output x object = { a: 1 b: 2 }", ["b"]),
        ("output x string = '${token}-a'", ["token"]),
        ("output x string = uniqString('a')", ["uniqString"]),
        ("var y = map([1], one => two)\noutput x array = y", ["two"]),
        ("param y string?\noutput x string = y ?? 'a.${y}'\n// no word", []),
    ],
)
def test_what_pycep_lets_pass_is_found(wrong: str, words: list[str]) -> None:
    assert undeclared(wrong) == words


def test_every_type_and_version_is_one_whose_properties_were_compared() -> None:
    used = {f"{r['type']}@{r['api_version']}" for name in TEMPLATES for r in tree(name)["resources"].values()}

    assert used == TYPES


def test_every_module_exists_is_given_what_it_asks_for_and_all_that_it_gives_is_used() -> None:
    text = (INFRA / "main.bicep").read_text()
    for name, module in tree("main.bicep")["modules"].items():
        asked, given = tree(module["detail"]["path"]), module["config"]["params"]
        required = {n for n, p in asked["parameters"].items() if p["default"] is None}

        assert required <= set(given) <= set(asked["parameters"]), name
        assert set(re.findall(rf"\b{name}\.outputs\.(\w+)", text)) == set(asked.get("outputs", {})), name


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_a_template_declares_it_uses(name: str) -> None:
    text, found = (INFRA / name).read_text(), tree(name)

    for declared in (*found.get("parameters", {}), *found.get("variables", {})):
        assert len(re.findall(rf"\b{declared}\b", text)) > 1, declared


def test_the_files_that_the_code_writes_are_the_ones_in_the_repository() -> None:
    for name, content in files().items():
        assert (ROOT / name).read_bytes() == content, f"{name}: run `make infra`"


def test_azd_passes_every_parameter() -> None:
    assert set(PARAMETERS) == set(tree("main.bicep")["parameters"])


def app_settings() -> tuple[Any, ...]:
    """What is merged into the settings of the app; of two values the last one counts."""
    settings = resources("app.bicep", "Microsoft.Web/sites/config")["appSettings"]
    return tuple(settings["properties"]["function"]["parameters"].values())


def test_a_setting_that_holds_json_has_a_parameter_of_its_own() -> None:
    for name, parameter in APART.items():
        assert PARAMETERS[parameter] == {"value": f"${{{name}}}"}
        assert name in (INFRA / "main.bicep").read_text()


def test_every_setting_of_the_table_is_wired_chosen_by_a_person_or_left_out() -> None:
    chosen, worker, wired = app_settings()
    given = set(wired) - PLATFORM
    from_a_person = {*PARAMETERS["settings"]["value"], *APART}
    table = {s.name for s in SETTINGS}

    assert "settings" in str(chosen)
    assert accessed(worker) == "names.workerSettings"
    assert NAMES["workerSettings"] == WORKER_SETTINGS
    assert set(wired) >= PLATFORM
    assert given == WIRED
    assert from_a_person == table - WIRED - LEFT_OUT
    assert table >= WIRED | LEFT_OUT
    assert {n for n in given | from_a_person if f"`{n}`" not in page("docs/settings.md")} == set()
    assert {s.name for s in SETTINGS if s.secret} <= LEFT_OUT


def test_the_lines_that_the_alerts_count_are_written_down_by_the_host_and_by_nobody_else() -> None:
    settings = (INFRA / "app.bicep").read_text() + json.dumps([NAMES, PARAMETERS])

    assert DEFAULTS["TELEMETRY"] == "off"
    assert "telemetryMode" not in HOST
    assert not re.search("telemetryMode|PYTHON_APPLICATIONINSIGHTS|PYTHON_ENABLE_OPENTELEMETRY", settings)


def test_the_settings_that_are_wired_take_their_names_from_the_code() -> None:
    *_, wired = app_settings()
    named = {n: accessed(v) for n, v in wired.items() if accessed(v).startswith("names.")}

    assert set(named) == {
        "WORK_QUEUE",
        "NOTICE_QUEUE",
        "PARTNER_REFRESH_TOKEN_SECRET",
        *(n for n in WIRED if "CONTAINER" in n),
    }
    for name, path in named.items():
        value: Any = NAMES
        for member in path.split(".")[1:]:
            value = value[member]
        assert value == DEFAULTS[name]


@pytest.mark.parametrize("name", [*TEMPLATES, "main.parameters.json"])
def test_nothing_is_set_that_flex_consumption_does_not_take(name: str) -> None:
    assert FORBIDDEN.findall((INFRA / name).read_text()) == []


def test_the_app_is_what_flex_consumption_asks_for() -> None:
    (plan,) = resources("app.bicep", "Microsoft.Web/serverfarms").values()
    (site,) = resources("app.bicep", "Microsoft.Web/sites").values()
    config = site["properties"]["functionAppConfig"]
    ready = {one["name"]: one["instanceCount"] for one in config["scaleAndConcurrency"]["alwaysReady"]}
    python = re.search('requires-python = "(.*)"', (ROOT / "pyproject.toml").read_text())

    assert plan["sku"] == {"name": "FC1", "tier": "FlexConsumption"}
    assert plan["properties"]["reserved"] is True
    assert python
    assert SpecifierSet(python[1]).contains(config["runtime"]["version"])
    assert config["deployment"]["storage"]["authentication"]["type"] == "UserAssignedIdentity"
    assert ready == {"blob": 1, "function:${names.functions.work}": 1}
    assert tree("main.bicep")["parameters"]["instanceMemoryMB"]["default"] == 2048
    requests = config["scaleAndConcurrency"]["triggers"]["http"]["perInstanceConcurrency"]
    assert accessed(requests) == "names.requestsPerInstance"
    assert NAMES["requestsPerInstance"] == HOST["extensions"]["http"]["maxConcurrentRequests"]


def test_whoever_is_not_signed_in_gets_to_the_app_which_refuses() -> None:
    sign_in = resources("app.bicep", "Microsoft.Web/sites/config")["signIn"]["properties"]

    assert sign_in["platform"]["enabled"] is True
    assert sign_in["globalValidation"] == {
        "requireAuthentication": False,
        "unauthenticatedClientAction": "AllowAnonymous",
    }


def test_both_accounts_take_no_keys_and_the_documents_have_index_tags() -> None:
    accounts = resources("storage.bicep", "Microsoft.Storage/storageAccounts")

    assert set(accounts) == {"documents", "host"}
    for account in accounts.values():
        assert account["properties"]["allowSharedKeyAccess"] is False
        assert account["properties"]["allowBlobPublicAccess"] is False
        assert account["properties"]["minimumTlsVersion"] == "TLS1_2"
    assert accounts["documents"]["properties"]["isHnsEnabled"] is False
    assert resources("monitoring.bicep", "Microsoft.Insights/components")["insights"]["properties"][
        "DisableLocalAuth"
    ]


def test_no_lifecycle_rule_reaches_the_ledger_but_for_sign_ins_and_its_versions_are_kept() -> None:
    (policy,) = resources("storage.bicep", "Microsoft.Storage/storageAccounts/managementPolicies").values()
    blobs = resources("storage.bicep", "Microsoft.Storage/storageAccounts/blobServices")["documentsBlobs"]
    prefixes = []
    for rule in policy["properties"]["policy"]["rules"]:
        assert rule["definition"]["filters"]["prefixMatch"], rule["name"]
        prefixes += rule["definition"]["filters"]["prefixMatch"]

    assert sorted(prefixes) == [
        "${deadLetterContainerName}/", "${names.containers.incoming}/",
        "${names.containers.ledger}/${names.consents}", "${names.containers.receipts}/",
    ]  # fmt: skip
    assert blobs["properties"]["isVersioningEnabled"] is True
    for kind in ("deleteRetentionPolicy", "containerDeleteRetentionPolicy"):
        assert blobs["properties"][kind]["enabled"] is True


def test_containers_and_queues_are_those_of_the_code() -> None:
    found = tree("storage.bicep")["resources"]
    loops = {
        name: found[name]["config"]["loop_type"]["detail"]["array_name"] for name in ("containers", "queues")
    }

    assert loops["containers"]["function"]["type"] == "items"
    assert accessed(loops["containers"]["function"]["parameters"]["arg_1"]) == "names.containers"
    assert accessed(loops["queues"]) == "names.queues"
    assert NAMES["containers"] == {n: DEFAULTS[f"{n.upper()}_CONTAINER"] for n in NAMES["containers"]}


def test_nobody_has_a_right_but_these() -> None:
    found = set()
    for name in TEMPLATES:
        variables = tree(name).get("variables", {})
        for role in resources(name, "Microsoft.Authorization/roleAssignments").values():
            asked = role["properties"]
            role_id = asked["roleDefinitionId"]["function"]["parameters"]["resource_name_1"]
            found.add((accessed(asked["principalId"]), role["scope"], ROLES[variables[role_id]["value"]]))
            assert asked["principalType"] == "ServicePrincipal"
            assert role["name"]["function"]["type"] == "guid"

    assert found == {
        ("appPrincipalId", "documents", "Storage Blob Data Owner"),
        ("appPrincipalId", "documents", "Storage Queue Data Contributor"),
        ("appPrincipalId", "host", "Storage Blob Data Owner"),
        ("appPrincipalId", "host", "Storage Queue Data Contributor"),
        ("appPrincipalId", "insights", "Monitoring Metrics Publisher"),
        ("topicPrincipalId", "deadLetters", "Storage Blob Data Contributor"),
        ("identity.properties.principalId", "secret", "Key Vault Secrets Officer"),
    }


def test_the_secret_is_written_only_when_it_is_asked_for() -> None:
    secret = tree("secret.bicep")["resources"]["secret"]["config"]

    assert secret["condition"] == "create"
    assert secret["config"]["name"]["operator"]["operands"]["operand_2"] == "refreshTokenSecret"


def test_events_come_from_what_was_dropped_whole_and_nothing_else() -> None:
    (subscription,) = resources(
        "events.bicep", "Microsoft.EventGrid/systemTopics/eventSubscriptions"
    ).values()
    asked = subscription["properties"]
    ending, api = asked["filter"]["advancedFilters"]

    assert (
        "functionName=Host.Functions.${names.functions.blob}&code="
        in asked["destination"]["properties"]["endpointUrl"]
    )
    assert NAMES["functions"]["blob"] == "blob_trigger"
    assert asked["filter"]["includedEventTypes"] == ["Microsoft.Storage.BlobCreated"]
    assert asked["filter"]["subjectBeginsWith"].endswith("/containers/${names.containers.incoming}/blobs/")
    assert (ending["operatorType"], ending["key"], accessed(ending["values"])) == (
        "StringEndsWith", "subject", "names.endings",
    )  # fmt: skip
    assert (api["operatorType"], api["key"]) == ("StringIn", "data.api")
    assert {"PutBlob", "PutBlockList", "CopyBlob"} <= set(api["values"])
    assert asked["retryPolicy"] == {"eventTimeToLiveInMinutes": 1440, "maxDeliveryAttempts": 30}
    assert asked["deadLetterWithResourceIdentity"]["identity"] == {"type": "SystemAssigned"}
    assert "deadLetterDestination" not in asked


def test_no_template_gives_a_key_away() -> None:
    for name in TEMPLATES:
        assert "listKeys" not in str(tree(name).get("outputs", {})), name


def test_azd_finds_the_site_by_its_tag() -> None:
    service = re.search(r"^services:\n  (\w+):$", (ROOT / "azure.yaml").read_text(), re.MULTILINE)
    (site,) = resources("app.bicep", "Microsoft.Web/sites").values()

    assert service
    assert site["tags"]["function"]["parameters"]["arg_2"] == {"'azd-service-name'": service[1]}
