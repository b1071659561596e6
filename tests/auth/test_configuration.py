"""A mode that is not configured fails before any call, with the settings to add."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local.simulator.entra import TokenService
from shared.auth.configuration import known_to_microsoft
from shared.auth.mode import Mode
from shared.core.errors import NotConfiguredError
from shared.settings import CLOUDS, Settings
from tests.auth.conftest import identity, tokens


@pytest.mark.parametrize(
    ("without", "mode", "named"),
    [
        ("PARTNER_TENANT_ID", Mode.APP, "PARTNER_TENANT_ID"),
        ("PARTNER_CLIENT_ID", Mode.APP, "PARTNER_CLIENT_ID"),
        ("PARTNER_CLIENT_SECRET", Mode.APP, "PARTNER_FEDERATED_CREDENTIAL"),
        ("PARTNER_REFRESH_TOKEN_FILE", Mode.APP_USER, "PARTNER_REFRESH_TOKEN_VAULT"),
    ],
)
def test_the_missing_setting_is_named_and_nobody_is_asked(
    entra: TokenService, token_file: Path, without: str, mode: Mode, named: str
) -> None:
    given = {"PARTNER_REFRESH_TOKEN_FILE": str(token_file), without: ""}
    source = tokens(identity(entra, **given))

    assert not source.configured(mode)
    with pytest.raises(NotConfiguredError, match=named) as caught:
        source.get(mode)
    assert {without, named} <= set(caught.value.settings)
    assert entra.count() == 0


def test_with_nothing_set_both_modes_name_everything() -> None:
    source = tokens(Settings.read({}).identity)

    for mode in Mode:
        assert not source.configured(mode)
        with pytest.raises(NotConfiguredError, match="PARTNER_TENANT_ID and PARTNER_CLIENT_ID and one of"):
            source.get(mode)


def test_settings_that_contradict_each_other_are_named(
    entra: TokenService, token_file: Path, tmp_path: Path
) -> None:
    two_credentials = identity(entra, PARTNER_FEDERATED_CREDENTIAL="system")
    two_stores = identity(
        entra,
        PARTNER_REFRESH_TOKEN_FILE=str(token_file),
        PARTNER_REFRESH_TOKEN_VAULT="https://v.vault.azure.net",
    )

    with pytest.raises(NotConfiguredError, match="only one of PARTNER_CLIENT_SECRET"):
        tokens(two_credentials).get(Mode.APP)
    with pytest.raises(NotConfiguredError, match="only one of PARTNER_REFRESH_TOKEN_VAULT"):
        tokens(two_stores).get(Mode.APP_USER)
    assert tokens(two_stores).configured(Mode.APP)


def test_a_system_assigned_identity_is_refused_because_entra_takes_none(entra: TokenService) -> None:
    settings = identity(entra, PARTNER_CLIENT_SECRET="", PARTNER_FEDERATED_CREDENTIAL="system")

    with pytest.raises(NotConfiguredError, match="user-assigned"):
        tokens(settings).get(Mode.APP)


def test_an_authority_without_tls_gets_no_secret(entra: TokenService) -> None:
    source = tokens(identity(entra, PARTNER_CENTER_AUTHORITY="http://localhost:9"))

    with pytest.raises(NotConfiguredError, match="https"):
        source.get(Mode.APP)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_clouds_authority_is_known_to_instance_discovery(cloud: str) -> None:
    assert known_to_microsoft(Settings.read({"PARTNER_CENTER_CLOUD": cloud}).identity)


def test_the_token_service_of_the_local_stack_is_not(entra: TokenService) -> None:
    assert not known_to_microsoft(identity(entra))


def test_making_a_source_imports_nothing_of_the_libraries() -> None:
    program = (
        "import sys; from shared.auth.source import Tokens; from shared.settings import Settings;"
        "Tokens(Settings.read({}).identity);"
        "print([n for n in sys.modules if n.startswith(('msal', 'azure.identity', 'azure.keyvault'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
