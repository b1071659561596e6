"""The app behind App Service authentication: who signs in, and who is bound to whom."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests

from local.stack import Plan
from tests.app.conftest import CUSTOMER, ORIGINS, App, app_on

OTHER = "d0000000-0000-4000-8000-000000000002"
BINDINGS = {"roles": {"Team": [CUSTOMER], "Operators": ["*"]}, "folders": {"team/": [CUSTOMER]}}
ORDER = {"lineItems": [{"offerId": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P", "quantity": 1}]}
ALL = ("Orders.Create", "Documents.Attach", "Receipts.Read", "Reviews.Decide", "Team")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    settings = {"CUSTOMER_BINDINGS": json.dumps(BINDINGS), "ALLOWED_ORIGINS": ", ".join(ORIGINS)}
    plan = Plan(tmp_path_factory.mktemp("guarded"), settings=settings, sign_in=True)
    with app_on(plan) as app:
        yield app


def bearer(app: App, *roles: str, lasts: timedelta = timedelta(hours=1)) -> dict[str, str]:
    return {"Authorization": f"Bearer {app.stack.sign_in.token('ada@contoso.example', *roles, lasts=lasts)}"}


def place(app: App, headers: dict[str, str], customer: str = CUSTOMER) -> requests.Response:
    sent = {**headers, "Idempotency-Key": uuid.uuid4().hex}
    return app.http.post(app.orders_url(customer), json=ORDER, headers=sent)


def test_who_is_signed_in_with_the_role_places_an_order_and_no_key_is_asked_for(guarded: App) -> None:
    assert place(guarded, bearer(guarded, "Orders.Create", "Team")).status_code == 201


def test_a_key_is_worth_nothing_where_callers_sign_in(guarded: App) -> None:
    for key in (guarded.stack.hosts[0].key, guarded.stack.hosts[0].master_key):
        answer = place(guarded, {"x-functions-key": key})
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (401, "sign-in")


def test_a_principal_that_a_stranger_sends_is_taken_away(guarded: App) -> None:
    claims = [{"typ": "roles", "val": role} for role in ALL]
    forged = base64.b64encode(json.dumps({"claims": claims}).encode()).decode()
    assert place(guarded, {"X-MS-CLIENT-PRINCIPAL": forged}).status_code == 401
    assert place(guarded, {**bearer(guarded, "Team"), "X-MS-CLIENT-PRINCIPAL": forged}).status_code == 403


def test_a_token_that_is_expired_or_forged_is_refused_in_front(guarded: App) -> None:
    expired = bearer(guarded, *ALL, lasts=timedelta(hours=-1))
    forged = {"Authorization": bearer(guarded, *ALL)["Authorization"][:-4] + "AAAA"}
    assert [place(guarded, headers).status_code for headers in (expired, forged)] == [401, 401]


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("POST", f"customers/{CUSTOMER}/orders", "Orders.Create"),
        ("POST", f"customers/{CUSTOMER}/checkouts", "Orders.Create"),
        ("POST", f"customers/{CUSTOMER}/orders/5cf72f146967/attachments", "Documents.Attach"),
        ("POST", f"customers/{CUSTOMER}/orders/5cf72f146967/uploads", "Documents.Attach"),
        ("GET", "drops/team/PO.json", "Receipts.Read"),
        ("POST", "drops/team/PO.json", "Reviews.Decide"),
        ("GET", "submissions", "Receipts.Read"),
        ("POST", f"reviews/orders/{CUSTOMER}/1", "Reviews.Decide"),
    ],
)
def test_each_route_needs_its_role(guarded: App, method: str, path: str, role: str) -> None:
    url, others = f"{guarded.api}/{path}", set(ALL) - {role, "Documents.Attach", "Reviews.Decide"}
    without = guarded.http.request(method, url, headers=bearer(guarded, *others))
    with_it = guarded.http.request(method, url, json={}, headers=bearer(guarded, role, "Team"))

    assert without.status_code == 403 or role in others
    assert with_it.status_code in (400, 404)
    assert guarded.http.request(method, url).status_code == 401


def test_the_apps_identity_is_the_business_of_whoever_operates_it_alone(guarded: App) -> None:
    consent, doctor = f"{guarded.api}/operator/consent", f"{guarded.api}/operator/doctor"
    others, operator = bearer(guarded, *ALL, "Operators"), bearer(guarded, "App.Operate")

    assert guarded.http.get(doctor, headers=others).status_code == 403
    assert guarded.http.post(consent, json={}, headers=others).status_code == 403
    assert guarded.http.get(doctor, headers=operator).json()["ok"] is True
    assert guarded.http.post(consent, json={}, headers=operator).json()["state"] == "pending"


def test_what_needs_no_sign_in_needs_none(guarded: App) -> None:
    assert guarded.http.get(f"{guarded.api}/health").json() == {"status": "ok", "settings": {}}
    assert guarded.http.get(f"{guarded.api}/openapi.json").ok
    assert guarded.http.get(f"{guarded.api}/status/nonsense").status_code == 404
    assert (
        guarded.http.options(f"{guarded.api}/submissions", headers={"Origin": ORIGINS[0]}).status_code == 204
    )


def test_a_page_can_read_that_nobody_is_signed_in(guarded: App) -> None:
    answer = guarded.http.get(f"{guarded.api}/submissions", headers={"Origin": ORIGINS[0]})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, ORIGINS[0])


def test_a_bound_caller_does_nothing_for_another_customer_and_sees_nothing_of_it(guarded: App) -> None:
    headers = bearer(guarded, *ALL)
    guarded.drop(
        "team/PO.json", {"customerId": OTHER, "orderId": "1", "customerPrice": "1", "currency": "EUR"}
    )
    guarded.http.headers.update(bearer(guarded, *ALL, "Operators"))
    receipt = guarded.receipt("team/PO.json", "rejected")
    guarded.http.headers.pop("Authorization")

    assert [error["pointer"] for error in receipt["errors"]] == ["/customerId"]
    assert place(guarded, headers, OTHER).status_code == 403
    assert guarded.http.get(f"{guarded.api}/drops/team/PO.json", headers=headers).status_code == 403
    assert guarded.http.post(f"{guarded.api}/drops/team/PO.json", headers=headers).status_code == 403
    listed = {"customerId": OTHER, "orderId": "1"}
    assert guarded.http.get(f"{guarded.api}/submissions", params=listed, headers=headers).status_code == 403
    rejected = guarded.http.get(f"{guarded.api}/submissions", params={"state": "rejected"}, headers=headers)
    assert rejected.json() == {"items": []}
    decision = guarded.http.post(
        f"{guarded.api}/reviews/orders/{OTHER}/1", json={"decision": "retry"}, headers=headers
    )
    assert decision.status_code == 403


def test_a_decision_records_who_is_signed_in(guarded: App) -> None:
    fault = [{"on": "POST order", "do": {"kind": "status", "status": 500, "body": {}}}]
    assert guarded.http.post(f"{guarded.partner_center}/_sim/faults", json=fault).ok
    assert place(guarded, bearer(guarded, *ALL)).status_code == 202
    asked = {"state": "retrying"}
    (entry,) = guarded.http.get(
        f"{guarded.api}/submissions", params=asked, headers=bearer(guarded, *ALL)
    ).json()["items"]

    url = f"{guarded.api}/reviews/{entry['submission']}"
    named = guarded.http.post(url, json={"decision": "retry", "by": "Bob"}, headers=bearer(guarded, *ALL))
    signed = guarded.http.post(url, json={"decision": "retry"}, headers=bearer(guarded, *ALL))

    assert (named.status_code, [error["pointer"] for error in named.json()["errors"]]) == (400, ["/by"])
    assert signed.status_code == 200
    assert "ada@contoso.example (6f1e4bd5-3a06-4a5c-9e43-1f6b0d3e7a10)" in signed.json()["history"][-1]
