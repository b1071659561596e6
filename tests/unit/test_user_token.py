"""Whose token a frontend passes on."""

from __future__ import annotations

import base64
import json

import azure.functions as func
import pytest

from shared.web.responses import user_token


def token(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


APPLICATION = token(idtyp="app", oid="o", roles=["Orders"])
USER = token(scp="user_impersonation", oid="u")


def given(**headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return user_token(func.HttpRequest("POST", "http://localhost/api/x", headers=named, body=b""))


@pytest.mark.parametrize(
    ("headers", "meant"),
    [
        ({}, ""),
        ({"Authorization": f"Bearer {USER}"}, USER),
        ({"X_MS_TOKEN_AAD_ACCESS_TOKEN": USER}, USER),
        ({"Authorization": f"Bearer {APPLICATION}"}, ""),
        ({"X_MS_TOKEN_AAD_ACCESS_TOKEN": APPLICATION}, ""),
        ({"Authorization": f"Bearer {APPLICATION}", "X_MS_TOKEN_AAD_ACCESS_TOKEN": USER}, USER),
        ({"Authorization": "Basic dTpw"}, ""),
    ],
)
def test_an_application_is_no_user(headers: dict[str, str], meant: str) -> None:
    assert given(**headers) == meant


@pytest.mark.parametrize(
    "users",
    [token(idtyp="user", oid="u"), token(oid="u"), token(idtyp="app", scp="user_impersonation"), "opaque"],
)
def test_only_what_says_that_it_is_an_applications_is_one(users: str) -> None:
    assert given(Authorization=f"Bearer {users}") == users
