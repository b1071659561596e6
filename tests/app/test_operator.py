"""What an administrator asks of the running app: a consent, and the doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.app.conftest import App


@pytest.fixture
def admin(app: App) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers["x-functions-key"] = app.stack.hosts[0].master_key
    return session


def ask(app: App, admin: requests.Session, **body: object) -> requests.Response:
    return admin.post(f"{app.api}/operator/consent", json=body)


def logged(app: App) -> str:
    return "".join(path.read_text() for path in app.stack.plan.folder.glob("host-*.log"))


def test_a_consent_is_begun_completed_and_looked_at_by_the_doctor(app: App, admin: requests.Session) -> None:
    token = Path(app.stack.settings["PARTNER_REFRESH_TOKEN_FILE"])
    before = token.read_text()
    begun = ask(app, admin).json()
    pending = ask(app, admin, consent=begun["consent"])
    stored = ask(app, admin, consent=begun["consent"])
    again = ask(app, admin, consent=begun["consent"])

    assert begun["state"] == "pending"
    assert begun["userCode"] in begun["message"]
    assert {"verificationUri", "expires", "retryAfter"} <= begun.keys()
    assert (pending.status_code, pending.json()) == (200, {"state": "pending", "retryAfter": 1})
    told = stored.json()
    assert (told["state"], told["user"], told["mfa"]) == ("stored", "adele@partner.example", True)
    assert told["doctor"]["ok"] is True
    assert token.read_text() != before
    assert (again.status_code, again.json()["type"].rpartition(":")[2]) == (404, "not-found")
    seen = begun["message"] + pending.text + stored.text + again.text + logged(app)
    hidden = [before, token.read_text(), begun["consent"], "device-", "eyJ"]
    assert [secret for secret in hidden if secret in seen] == []


def test_the_doctor_says_of_each_mode_what_was_looked_at(app: App, admin: requests.Session) -> None:
    answer = admin.get(f"{app.api}/operator/doctor")

    assert answer.status_code == 200
    assert answer.json()["ok"] is True
    assert {check["name"] for check in answer.json()["checks"]} == {"app-only", "app+user"}
    assert "eyJ" not in answer.text


def test_what_partner_center_refuses_is_told_with_its_remedy(app: App, admin: requests.Session) -> None:
    fault = {"kind": "status", "status": 401, "body": {"code": "900421"}}
    rule = [{"on": "GET relationships", "do": fault}]
    assert app.http.post(f"{app.partner_center}/_sim/faults", json=rule).ok
    answer = admin.get(f"{app.api}/operator/doctor")

    assert answer.status_code == 200
    assert answer.json()["ok"] is False
    (refused,) = [check for check in answer.json()["checks"] if "900421" in check["detail"]]
    assert (refused["name"], refused["ok"]) == ("app+user", False)
    assert "multifactor" in refused["remedy"]


@pytest.mark.parametrize(("method", "path"), [("POST", "operator/consent"), ("GET", "operator/doctor")])
def test_a_function_key_is_not_enough(app: App, method: str, path: str) -> None:
    assert app.http.request(method, f"{app.api}/{path}", json={}).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"consents": "x"}, "/consents"), ({"consent": 1}, "/consent"), ([], ""), (None, "")],
)
def test_a_body_that_asks_for_nothing_known_begins_nothing(
    app: App, admin: requests.Session, body: Any, pointer: str
) -> None:
    answer = admin.post(
        f"{app.api}/operator/consent", json=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 400, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
