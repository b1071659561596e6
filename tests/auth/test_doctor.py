"""The doctor: harmless calls, and each fault named. Partner Center is scripted, tokens are Entra's."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.simulator.entra import TokenFault, TokenService
from local.simulator.pki import Pki
from local.simulator.tokens import mint, read
from local.web import Request, Response, WebServer, json_response
from shared.auth.claims import claims_of
from shared.auth.mode import Mode
from shared.settings import Settings
from shared.tools.doctor import judge_token, main, sound, within
from tests.auth.conftest import CLIENT, KEY, TENANT, environment, identity

GOOD = {
    "aud": "https://api.partnercenter.microsoft.com",
    "tid": TENANT,
    "appid": CLIENT,
    "scp": "user_impersonation",
    "amr": ["pwd", "mfa"],
    "exp": 5000,
}


class PartnerCenter(WebServer):
    """Answers as it is told and remembers what it was asked."""

    def __init__(self, pki: Pki) -> None:
        super().__init__(self._reply, tls=pki.server_context())
        self.asked: list[Request] = []
        self.app = json_response(200, {"totalCount": 1})
        self.user = json_response(200, {"totalCount": 0}, {"isMfaCompliant": "true"})

    def _reply(self, asked: Request) -> Response:
        self.asked.append(asked)
        claims = read(asked.headers["authorization"].removeprefix("Bearer "), KEY)
        return self.app if claims.get("idtyp") == "app" else self.user


@pytest.fixture
def partner_center(pki: Pki) -> Iterator[PartnerCenter]:
    with PartnerCenter(pki) as service:
        yield service


@pytest.fixture
def env(entra: TokenService, partner_center: PartnerCenter, token_file: Path) -> dict[str, str]:
    return environment(
        entra, PARTNER_CENTER_BASE_URL=partner_center.url, PARTNER_REFRESH_TOKEN_FILE=str(token_file)
    )


def examine(env: dict[str, str]) -> tuple[int, str]:
    said = io.StringIO()
    code = main([], env, said.write)
    assert "eyJ" not in said.getvalue()
    return code, said.getvalue()


def test_all_is_well(env: dict[str, str], partner_center: PartnerCenter) -> None:
    code, said = examine(env)

    assert code == 0
    assert "WRONG" not in said
    assert "isMfaCompliant: true" in said
    assert [(asked.method, asked.path) for asked in partner_center.asked] == [
        ("GET", "/v1/customers"),
        ("GET", "/v1/relationships"),
    ]
    for asked in partner_center.asked:
        assert asked.headers["validatemfa"] == "true"
        assert asked.headers["ms-correlationid"]


def test_a_mode_that_is_not_configured_is_skipped_with_the_settings_to_add(env: dict[str, str]) -> None:
    del env["PARTNER_REFRESH_TOKEN_FILE"]
    code, said = examine(env)

    assert code == 0
    assert "skipped" in said
    assert "PARTNER_REFRESH_TOKEN_VAULT" in said


def test_with_nothing_configured_it_fails_and_names_everything() -> None:
    code, said = examine({})

    assert code == 1
    assert "PARTNER_TENANT_ID is missing" in said


def test_a_sign_in_without_mfa_is_named_twice(
    env: dict[str, str], entra: TokenService, partner_center: PartnerCenter
) -> None:
    entra.directory.policy.mfa = False
    partner_center.user = json_response(401, {"code": "900421"}, {"isMfaCompliant": "false"})
    code, said = examine(env)

    assert code == 1
    assert "MFA is missing (amr holds no mfa)" in said
    assert "isMfaCompliant: false" in said
    assert "code 900421" in said


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (json_response(401, {"code": "10001", "description": "no"}), "multifactor"),
        (Response(401, b""), "App management"),
        (json_response(401, {"code": "800001"}), "App management"),
        (json_response(403, {"code": "900150"}), "Admin agent"),
        (json_response(403, {"code": "900309"}), "Conditional Access"),
        (json_response(403, {"code": "900124"}), "Partner Agreement"),
        (Response(302, b"", headers={"Location": "https://elsewhere.example"}), "PARTNER_CENTER_BASE_URL"),
        (Response(500, b"\xef\xbb\xbfoops"), "500"),
        (Response(0), "did not answer"),
    ],
)
def test_what_partner_center_answers_is_explained(
    env: dict[str, str], partner_center: PartnerCenter, answer: Response, named: str
) -> None:
    partner_center.user = answer
    code, said = examine(env)

    assert code == 1
    assert named in said
    assert said.count("WRONG") == 1


def test_an_app_only_call_that_is_refused_fails_the_whole(
    env: dict[str, str], partner_center: PartnerCenter
) -> None:
    partner_center.app = json_response(403, {"code": "900329"})

    assert examine(env)[0] == 1


def test_no_token_is_a_finding_with_entras_reason(env: dict[str, str], token_file: Path) -> None:
    token_file.write_text("1.refresh-that-nobody-knows")
    code, said = examine(env)

    assert code == 1
    assert "AADSTS700082" in said
    assert "nobody-knows" not in said


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"aud": "https://api.partner.microsoft.com"}, "Wrong audience https://api.partner.microsoft.com"),
        ({"tid": "72f988bf-86f1-41af-91ab-2d7cd011db47"}, "Wrong tenant 72f988bf"),
        ({"appid": "another"}, "Wrong application another"),
        ({"scp": "User.Read"}, "user_impersonation"),
        ({"amr": ["pwd"]}, "MFA is missing"),
        ({"exp": 999}, "clock"),
    ],
)
def test_each_wrong_claim_is_named_alone(entra: TokenService, changed: dict[str, object], named: str) -> None:
    claims = claims_of(mint({**GOOD, **changed}, b"another key"))
    findings = list(judge_token(claims, identity(entra), Mode.APP_USER, now=1000))

    wrong = [str(finding) for finding in findings if finding.ok is False]
    assert len(wrong) == 1
    assert named in wrong[0]


@pytest.mark.parametrize(
    "claims",
    [
        GOOD,
        {**GOOD, "aud": "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"},
        {**GOOD, "aud": "https://api.partnercenter.microsoft.com/"},
        {key: value for key, value in GOOD.items() if key != "amr"},
    ],
)
def test_a_good_token_has_no_fault(entra: TokenService, claims: dict[str, object]) -> None:
    found = judge_token(claims, identity(entra), Mode.APP_USER, now=1000)

    assert not [finding for finding in found if finding.ok is False]


def test_a_tenant_that_is_configured_by_its_domain_is_not_compared(entra: TokenService) -> None:
    settings = identity(entra, PARTNER_TENANT_ID="partner.example")
    found = judge_token(GOOD, settings, Mode.APP_USER, now=1000)

    assert not [finding for finding in found if finding.ok is False]


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.e30.c.d", "..", "a.W10.c"])
def test_a_token_that_cannot_be_read_decides_nothing(entra: TokenService, token: str) -> None:
    assert claims_of(token) is None
    found = list(judge_token(None, identity(entra), Mode.APP, now=0))
    assert [finding.ok for finding in found] == [None]


def test_a_users_token_in_place_of_the_applications_is_named(entra: TokenService) -> None:
    found = list(judge_token(GOOD, identity(entra), Mode.APP, now=1000))

    assert any(finding.ok is False and "scp" in finding.detail for finding in found)


def test_in_limited_time_it_finds_the_same(env: dict[str, str]) -> None:
    findings = within(Settings.read(env), 30)

    assert sound(findings)
    assert [finding.name for finding in findings].count(Mode.APP_USER) == 3
    assert [finding.remedy for finding in findings if finding.remedy] == []


def test_what_does_not_answer_in_time_is_wrong_and_holds_up_nothing_else(
    env: dict[str, str], entra: TokenService
) -> None:
    env["PARTNER_REFRESH_TOKEN_FILE"] = ""
    entra.faults.append(TokenFault(status=503, hang=60, times=2))
    findings = within(Settings.read(env), 0.2)
    entra.release()

    assert not sound(findings)
    late, skipped = findings
    assert (late.name, late.ok) == (Mode.APP, False)
    assert "not answered within" in late.detail
    assert (skipped.name, skipped.ok) == (Mode.APP_USER, None)


def test_a_setting_that_is_faulty_is_named_without_its_value(env: dict[str, str]) -> None:
    env["PARTNER_CLIENT_SECRET"] = '"quoted-secret"'
    findings = within(Settings.read(env), 30)

    assert [str(f) for f in findings if f.name == "settings"] == [
        "settings  WRONG PARTNER_CLIENT_SECRET stands in quotation marks: take them away"
    ]
    assert "quoted-secret" not in repr(findings)
