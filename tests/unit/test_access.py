"""Who App Service authentication says that a caller is, and what that opens."""

from __future__ import annotations

import base64
import json
from typing import Any

import azure.functions as func
import pytest

from shared.core.access import ANYBODY, Role
from shared.core.errors import ForbiddenError, NotConfiguredError, SignInError
from shared.web import access
from shared.web.problem import problems

CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
OTHER = "d0000000-0000-4000-8000-000000000002"
ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
OID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


@pytest.fixture(autouse=True)
def behind_the_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHENTICATION", "entra")
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")


def header(*claims: tuple[str, str], **more: object) -> str:
    told = [{"typ": kind, "val": value} for kind, value in claims]
    return base64.b64encode(json.dumps({"auth_typ": "aad", "claims": told, **more}).encode()).decode()


def request(principal: str, **params: str) -> func.HttpRequest:
    headers = {access.PRINCIPAL: principal} if principal else {}
    return func.HttpRequest("POST", "http://localhost/api/x", headers=headers, route_params=params, body=b"")


def admitted(principal: str, *roles: Role, **params: str) -> Any:
    access.admit(request(principal, **params), roles or (Role.ATTACH,))
    return access.current()


@pytest.mark.parametrize("kind", ["roles", ROLE, "of its own"])
def test_a_role_opens_its_route_however_the_claim_is_called(kind: str) -> None:
    caller = admitted(header((kind, "Documents.Attach"), ("name", "Ada"), role_typ="of its own"))
    assert caller.name == "Ada"


def test_another_role_does_not() -> None:
    with pytest.raises(ForbiddenError, match=r"one of the app roles Orders.Create, Reviews.Decide"):
        admitted(header(("roles", "Documents.Attach")), Role.CREATE, Role.DECIDE)


@pytest.mark.parametrize(
    "principal",
    [
        "",
        "%%%",
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b"[" * 50_000).decode(),
        header(),
        base64.b64encode(b'{"claims": "roles"}').decode(),
        header(("roles", "Documents.Attach")) + "," + header(("roles", "Documents.Attach")),
    ],
)
def test_what_is_no_principal_is_nobody(principal: str) -> None:
    with pytest.raises((SignInError, ForbiddenError)):
        admitted(principal)


def test_claims_that_are_none_are_passed_over() -> None:
    claims = [
        7,
        None,
        {"typ": "roles"},
        {"typ": ["roles"], "val": "x"},
        {"typ": "roles", "val": "Receipts.Read"},
    ]
    raw = base64.b64encode(json.dumps({"claims": claims}).encode()).decode()
    assert admitted(raw, Role.READ).name == "unnamed"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ([("preferred_username", "ada@contoso.example"), (OID, "6f1e-4b")], "ada@contoso.example (6f1e-4b)"),
        ([("oid", "6f1e-4b"), ("azp", "b1c0a7de")], "b1c0a7de (6f1e-4b)"),
        ([("name", "Ada\r\nLovelace\u202e")], "Ada??Lovelace?"),
        ([("name", "A" * 5000)], "A" * 100),
        ([("its own", "Ada")], "Ada"),
    ],
)
def test_a_caller_is_named_as_a_record_can_keep_it(claims: list[tuple[str, str]], name: str) -> None:
    principal = header(("roles", "Documents.Attach"), *claims, name_typ="its own")
    assert admitted(principal).name == name


def test_nobody_is_let_in_while_nothing_stands_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBSITE_AUTH_ENABLED")
    with pytest.raises(NotConfiguredError, match="WEBSITE_AUTH_ENABLED"):
        admitted(header(("roles", "Documents.Attach")))
    assert list(access.faults()) == ["AUTHENTICATION"]


def test_bindings_that_cannot_be_read_let_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOMER_BINDINGS", "{")
    with pytest.raises(NotConfiguredError, match="CUSTOMER_BINDINGS must be JSON"):
        admitted(header(("roles", "Documents.Attach")))


def test_a_bound_caller_acts_for_the_bound_customers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOMER_BINDINGS", json.dumps({"roles": {"Contoso": [CUSTOMER]}}))
    principal = header(("roles", "Documents.Attach"), ("roles", "Contoso"))

    assert admitted(principal, customerId=CUSTOMER.upper()).customers == {CUSTOMER}
    for customer in (OTHER, "nonsense", ""):
        with pytest.raises(ForbiddenError):
            admitted(principal, customerId=customer)


def test_keys_let_everybody_in_whatever_a_request_says_of_its_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHENTICATION", "keys")
    assert admitted(header(("roles", "Nothing")), customerId=OTHER) is ANYBODY
    assert access.level() is func.AuthLevel.FUNCTION
    assert access.level(operator=True) is func.AuthLevel.ADMIN
    assert access.faults() == {}


def test_a_sign_in_opens_the_routes_to_the_host() -> None:
    assert access.level() is access.level(operator=True) is func.AuthLevel.ANONYMOUS


@pytest.mark.parametrize(("principal", "status"), [("", 401), (header(("roles", "Receipts.Read")), 403)])
def test_whoever_is_not_let_in_is_told_why_and_nothing_is_done(principal: str, status: int) -> None:
    @problems(Role.CREATE)
    def handler(req: func.HttpRequest) -> func.HttpResponse:
        raise AssertionError

    answer = handler(request(principal))
    problem = json.loads(answer.get_body())

    assert answer.status_code == problem["status"] == status
    assert problem["remedy"]
    assert answer.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
