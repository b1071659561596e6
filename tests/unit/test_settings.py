"""Settings: every fault named at once, nothing raised, no secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.settings import CLOUDS, Settings
from shared.settings_table import SETTINGS, queue_binding, trigger_binding

GOOD = {
    "DocumentStorage": "UseDevelopmentStorage=true",
    "PARTNER_TENANT_ID": "contoso.onmicrosoft.com",
    "PARTNER_CLIENT_ID": "c501c3c4-d776-40ef-9ecf-9cefb59442c1",
    "PARTNER_CLIENT_SECRET": "hunter2-hunter2",
}


def test_an_empty_environment_names_everything_that_is_missing() -> None:
    assert set(Settings.read({}).problems) == set(GOOD)


def test_what_is_needed_and_nothing_else_is_enough() -> None:
    assert Settings.read(GOOD).problems == {}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"MAX_FILE_MB": "many"}, "MAX_FILE_MB"),
        ({"MAX_FILES": "0"}, "MAX_FILES"),
        ({"MAX_FILES": "0.5"}, "MAX_FILES"),
        ({"MAX_CALLS_IN_FLIGHT": "0.3"}, "MAX_CALLS_IN_FLIGHT"),
        ({"REQUEST_SECONDS": "inf"}, "REQUEST_SECONDS"),
        ({"REQUIRE_PDF_END": "no"}, "REQUIRE_PDF_END"),
        ({"REQUEST_SECONDS": "nan"}, "REQUEST_SECONDS"),
        ({"REQUEST_SECONDS": "29"}, "REQUEST_SECONDS"),
        ({"MAX_BODY_MB": "176"}, "REQUEST_SECONDS"),
        ({"PARTNER_CENTER_CLOUD": "moon"}, "PARTNER_CENTER_CLOUD"),
        ({"PARTNER_CENTER_BASE_URL": "http://example.com"}, "PARTNER_CENTER_BASE_URL"),
        ({"PARTNER_CENTER_AUTHORITY": "http://127.0.0.1:1"}, "PARTNER_CENTER_AUTHORITY"),
        ({"BLOB_TRIGGER_SOURCE": "eventgrid"}, "BLOB_TRIGGER_SOURCE"),
        ({"INCOMING_CONTAINER": "receipts"}, "INCOMING_CONTAINER"),
        ({"WORK_QUEUE": "Work"}, "WORK_QUEUE"),
        ({"ATTACHMENT_VISIBILITY_SECONDS": "0"}, "ATTACHMENT_VISIBILITY_SECONDS"),
        ({"ORDER_VISIBILITY_SECONDS": "soon"}, "ORDER_VISIBILITY_SECONDS"),
        ({"PARTNER_CLIENT_CERTIFICATE": "/nowhere.pem"}, "PARTNER_CLIENT_CERTIFICATE"),
        ({"PARTNER_FEDERATED_CREDENTIAL": GOOD["PARTNER_CLIENT_ID"]}, "PARTNER_CLIENT_SECRET"),
        (
            {"PARTNER_REFRESH_TOKEN_FILE": "f", "PARTNER_REFRESH_TOKEN_VAULT": "https://v.example"},
            "PARTNER_REFRESH_TOKEN_FILE",
        ),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, str], named: str) -> None:
    assert named in Settings.read({**GOOD, **wrong}).problems


PASSWORD = "PARTNER_CLIENT_CERTIFICATE_PASSWORD"


@pytest.mark.parametrize("value", ["'a b'", "a\u00a0b", '"x"'])
def test_anything_may_be_a_password_but_a_reference_that_was_not_resolved(value: str) -> None:
    assert Settings.read({**GOOD, PASSWORD: value}).problems == {}
    unresolved = "@Microsoft.KeyVault(VaultName=v;SecretName=s)"
    assert "not resolved" in Settings.read({**GOOD, PASSWORD: unresolved}).problems[PASSWORD]


@pytest.mark.parametrize(
    "name", [s.name for s in SETTINGS if not s.name.startswith("DocumentStorage_") and s.name != PASSWORD]
)
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)", "not resolved"),
        ("@Microsoft.KeyVault(VaultName=v;SecretName=s)", "not resolved"),
        ("a\nb", "control characters"),
        ("a\x00b", "control characters"),
        ("'a'", "quotation marks"),
        ('"a"', "quotation marks"),
    ],
)
def test_a_value_that_no_setting_can_have_is_named_by_what_it_is(name: str, value: str, told: str) -> None:
    problems = Settings.read({**GOOD, name: value}).problems

    assert told in problems[name]
    assert value not in str(problems)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PARTNER_TENANT_ID", "my tenant", "tenant id"),
        ("PARTNER_TENANT_ID", "https://login.microsoftonline.com/x", "tenant id"),
        ("PARTNER_CLIENT_ID", "my-app", "GUID"),
        ("PARTNER_CLIENT_SECRET", "a b", "blanks"),
        ("PARTNER_CLIENT_SECRET", "pässword", "characters"),
        ("PARTNER_REFRESH_TOKEN_SECRET", "a_b", "hyphens"),
        ("INCOMING_CONTAINER", "Incoming", "lower-case"),
        ("LEDGER_CONTAINER", "a--b", "single hyphens"),
        ("RECEIPTS_CONTAINER", "ab", "3 to 63"),
        ("PO_PART_NAME", 'PO"Files', "get lost"),
        ("TENDER_PART_NAME", "x" * 65, "1 to 64"),
        ("PARTNER_CENTER_BASE_URL", "https://user:pass@x.example", "no user"),
        ("PARTNER_CENTER_BASE_URL", "https://x.example?sig=1", "query"),
        ("PARTNER_CENTER_BASE_URL", "https://", "https URL"),
        ("PARTNER_CENTER_BASE_URL", "https://api.partnercenter.microsoft.com/v1/", "/v1"),
        ("PARTNER_REFRESH_TOKEN_VAULT", "https://u@v.example", "no user"),
        ("PUBLIC_BASE_URL", "https://gateway.example/a b", "without blanks"),
        ("PUBLIC_BASE_URL", "https://gateway.example/é", "beyond ASCII"),
        ("PUBLIC_BASE_URL", "gateway.example", "https URL"),
        ("ALLOWED_ORIGINS", "*", "no *"),
        ("ALLOWED_ORIGINS", "https://portal.example:443", "no usual port"),
        ("ALLOWED_ORIGINS", "https://portal.example/", "no slash"),
        ("ALLOWED_ORIGINS", "https://portal.example;https://x.example", "commas"),
        ("ALLOWED_ORIGINS", "http://portal.example", "http only on loopback"),
        ("ALLOWED_ORIGINS", "https://Portal.example", "lower case"),
    ],
)
def test_a_value_that_can_never_work_is_named_with_what_it_must_be(name: str, value: str, told: str) -> None:
    problems = Settings.read({**GOOD, name: value}).problems

    assert list(problems) == [name]
    assert told in problems[name]


def test_blanks_around_a_secret_are_not_part_of_it() -> None:
    settings = Settings.read({**GOOD, "PARTNER_CLIENT_SECRET": " hunter2\n"})

    assert settings.problems == {}
    assert settings.identity.client_secret == "hunter2"


IDENTITY = {
    **GOOD,
    "DocumentStorage": "",
    "DocumentStorage__blobServiceUri": "https://acc.blob.example",
    "DocumentStorage__queueServiceUri": "https://acc.queue.example/",
}


def test_an_identity_needs_the_endpoint_of_blobs_and_of_queues() -> None:
    settings = Settings.read(IDENTITY)

    assert settings.problems == {}
    assert settings.storage.blob_service_uri == "https://acc.blob.example"
    assert settings.storage.queue_service_uri == "https://acc.queue.example"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"DocumentStorage__blobServiceUri": ""}, "DocumentStorage"),
        ({"DocumentStorage__queueServiceUri": ""}, "DocumentStorage__queueServiceUri"),
        ({"DocumentStorage__blobServiceUri": "http://127.0.0.1:1"}, "DocumentStorage__blobServiceUri"),
        ({"DocumentStorage__queueServiceUri": "acc.queue.example"}, "DocumentStorage__queueServiceUri"),
        (
            {"DocumentStorage__blobServiceUri": "", "DocumentStorage__serviceUri": "acc"},
            "DocumentStorage__serviceUri",
        ),
    ],
)
def test_what_keeps_an_identity_from_storage_is_named(wrong: dict[str, str], named: str) -> None:
    assert set(Settings.read({**IDENTITY, **wrong}).problems) == {named}


def test_partner_center_may_be_on_loopback_without_tls() -> None:
    assert Settings.read({**GOOD, "PARTNER_CENTER_BASE_URL": "http://127.0.0.1:7072"}).problems == {}


@pytest.mark.parametrize("cloud", sorted(CLOUDS))
def test_a_cloud_brings_base_url_authority_and_audience_that_belong_together(cloud: str) -> None:
    assert Settings.read({**GOOD, "PARTNER_CENTER_CLOUD": cloud.upper()}).identity.cloud == CLOUDS[cloud]


def test_each_part_of_a_cloud_can_be_overridden() -> None:
    given = {"PARTNER_CENTER_BASE_URL": "https://a.example/", "PARTNER_CENTER_AUDIENCE": "https://b.example/"}
    cloud = Settings.read({**GOOD, **given}).identity.cloud

    assert (cloud.base_url, cloud.audience) == ("https://a.example", "https://b.example")
    assert cloud.authority == CLOUDS["global"].authority


def test_no_secret_is_shown(tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    certificate.touch()
    secrets = {s.name: f"very-secret-{n}" for n, s in enumerate(SETTINGS) if s.secret}
    settings = Settings.read({**GOOD, **secrets, "PARTNER_CLIENT_CERTIFICATE": str(certificate)})

    assert "very-secret" not in f"{settings!r} {settings.problems}"


def test_what_the_decorators_need_never_fails() -> None:
    assert trigger_binding({}) == ("incoming", "EventGrid", "0 */5 * * * *")
    assert trigger_binding({"BLOB_TRIGGER_SOURCE": "nonsense"})[1] == "EventGrid"
    assert queue_binding({}) == "work"


@pytest.mark.parametrize("name", ["abc", "a-b", "work-2", "0" * 63, " work-2 "])
def test_a_name_that_a_queue_can_have_is_taken(name: str) -> None:
    settings = Settings.read({**GOOD, "WORK_QUEUE": name})

    assert settings.problems == {}
    assert queue_binding({"WORK_QUEUE": name}) == settings.storage.work_queue == name.strip()


@pytest.mark.parametrize(
    "name", ["ab", "0" * 64, "-abc", "abc-", "a--b", "Work", "a_b", "wörk", "work\n2", "%W%"]
)
def test_a_name_that_no_queue_can_have_is_told_and_keeps_the_app_alive(name: str) -> None:
    settings = Settings.read({**GOOD, "WORK_QUEUE": name})

    assert set(settings.problems) == {"WORK_QUEUE"}
    assert queue_binding({"WORK_QUEUE": name}) == settings.storage.work_queue == "work"
