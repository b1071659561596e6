"""Who may call what: tokens, routes, headers."""

from __future__ import annotations

import time

import pytest

from local.simulator.partner_center import PartnerCenterSimulator
from local.simulator.tokens import mint
from tests.local.simulator.kit import APP_TOKEN, CUSTOMER, KEY, REQUEST_ID, Client, claims, line, said

ORDERS = f"/v1/customers/{CUSTOMER}/orders"
RESELLERS = "/v1/relationships?relationship_type=IsIndirectCloudSolutionProviderOf"
VALIDATE = "/v1/partners/validateresellers"


@pytest.mark.parametrize("authorization", [None, "", "Basic abc", "Bearer "])
def test_without_a_token_the_call_is_refused_as_missing(client: Client, authorization: str | None) -> None:
    assert said(client.call("GET", ORDERS, {"Authorization": authorization})) == (401, "800001")


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        mint(claims(idtyp="app"), b"another key"),
        mint(claims(idtyp="app", exp=time.time() - 1), KEY),
        mint(claims(idtyp="app", exp=None), KEY),
        mint(claims(idtyp="app", aud="https://api.partner.microsoft.com"), KEY),
        mint(claims(scp="openid", amr=["mfa"]), KEY),
    ],
    ids=["no token", "other key", "expired", "no expiry", "other audience", "other scope"],
)
def test_a_token_that_is_no_good_gets_an_empty_401(client: Client, token: str) -> None:
    answer = client.get(ORDERS, Authorization=f"Bearer {token}")
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_dry_run_of_the_mfa_rule_is_answered_in_a_header(client: Client) -> None:
    without = mint(claims(scp="user_impersonation", amr=["pwd"]), KEY)
    answers = [
        client.call("GET", ORDERS, {"ValidateMfa": "true", **other})
        for other in ({}, {"Authorization": f"Bearer {without}"}, {"Authorization": f"Bearer {APP_TOKEN}"})
    ]
    assert [answer.headers.get("isMfaCompliant") for answer in answers] == ["true", "false", None]
    assert "isMfaCompliant" not in client.get(ORDERS).headers


@pytest.mark.parametrize("amr", [["pwd"], None])
def test_a_user_without_mfa_is_refused(client: Client, amr: object) -> None:
    token = mint(claims(scp="user_impersonation", amr=amr), KEY)
    assert said(client.get(ORDERS, Authorization=f"Bearer {token}")) == (401, "900421")


def test_an_app_only_token_may_order_and_look_but_not_act_for_resellers(client: Client) -> None:
    client.session.headers["Authorization"] = f"Bearer {APP_TOKEN}"
    assert client.order().status_code == 201
    assert client.get(ORDERS).status_code == 200
    assert said(client.get(RESELLERS)) == (403, "900329")
    assert said(client.order(lineItems=[line(partnerIdOnRecord="4847383")])) == (403, "900329")
    assert len(client.partner_center.state.orders) == 1


def test_a_user_sees_the_resellers_in_the_documented_shape(client: Client) -> None:
    answer = client.get(RESELLERS)
    first = answer.json()["items"][0]
    assert (answer.json()["totalCount"], answer.json()["attributes"]) == (2, {"objectType": "Collection"})
    assert first["mpnId"] == "4847383"
    assert first["relationshipType"] == "is_indirect_cloud_solution_provider_of"
    assert set(first) == {"id", "name", "relationshipType", "state", "mpnId", "location", "attributes"}


def test_the_other_relationship_is_empty_and_an_unknown_one_is_refused(client: Client) -> None:
    other = client.get("/v1/relationships?relationship_type=IsIndirectResellerOf")
    assert other.json()["totalCount"] == 0
    assert said(client.get("/v1/relationships")) == (400, "800002")


def test_partner_ids_are_validated_in_the_documented_shape(client: Client) -> None:
    body = {"partnerIds": ["4847383", "5139005"]}
    answer = client.call("POST", VALIDATE, {"Authorization": f"Bearer {APP_TOKEN}"}, json=body)
    good, bad = answer.json()["validationResults"]
    assert good == {"partnerId": "4847383", "isValidPartnerIdOnRecord": True}
    assert (bad["isValidPartnerIdOnRecord"], bad["errorCode"]) == (False, 900400)
    assert set(bad) == {"partnerId", "isValidPartnerIdOnRecord", "errorCode", "errorDescription"}


@pytest.mark.parametrize("body", [{}, {"partnerIds": []}, {"partnerIds": [1]}, {"ids": ["1"]}])
def test_partner_ids_that_are_no_texts_are_refused(client: Client, body: object) -> None:
    assert said(client.call("POST", VALIDATE, json=body)) == (400, "800002")


def test_the_check_of_partner_ids_can_be_missing(client: Client) -> None:
    client.partner_center.configure(validates_resellers=False)
    assert said(client.call("POST", VALIDATE, json={"partnerIds": ["1"]})) == (404, "1000")


def test_the_customers_that_are_named_are_listed(client: Client) -> None:
    client.partner_center.configure(customers=[CUSTOMER])
    shown = client.get("/v1/customers?size=1").json()
    assert (shown["totalCount"], shown["items"][0]["id"]) == (1, CUSTOMER)


def test_the_ids_of_a_request_come_back_and_missing_ones_are_made(client: Client) -> None:
    echoed = client.call("GET", ORDERS, {"MS-RequestId": REQUEST_ID, "MS-CorrelationId": CUSTOMER}).headers
    made = client.get(ORDERS).headers
    assert (echoed["MS-RequestId"], echoed["MS-CorrelationId"]) == (REQUEST_ID, CUSTOMER)
    for name in ("MS-RequestId", "MS-CorrelationId", "MS-CV", "MS-ServerId", "Date"):
        assert made[name]


def test_a_request_id_that_is_no_guid_is_refused(client: Client) -> None:
    assert said(client.call("GET", ORDERS, {"MS-RequestId": "abc"})) == (400, "800002")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/nothing", (404, "1000")),
        ("/v1/customers/no-guid/orders", (400, "900118")),
        (f"{ORDERS}/no-such-order", (404, "20000")),
        (f"{ORDERS}/no-such-order/attachments", (404, "20000")),
        (f"{ORDERS}/..%2F..%2Fother", (404, "20000")),
    ],
)
def test_a_path_that_leads_nowhere_has_its_documented_error(
    client: Client, path: str, expected: tuple[int, str]
) -> None:
    assert said(client.get(path)) == expected


def test_a_method_that_the_path_does_not_know_gets_405(client: Client) -> None:
    assert client.call("DELETE", ORDERS).status_code == 405
    assert client.call("GET", f"{ORDERS}/x/attachment").status_code == 405


def test_only_the_named_customers_exist_when_some_are_named(client: Client) -> None:
    client.partner_center.configure(customers=[CUSTOMER.upper()])
    assert client.get(ORDERS).status_code == 200
    other = "/v1/customers/11111111-2222-4333-8444-555555555555/orders"
    assert said(client.get(other)) == (404, "60003")


def test_a_throttled_customer_gets_429_in_the_gateways_shape_and_others_do_not(client: Client) -> None:
    client.partner_center.configure(throttled={CUSTOMER: 57})
    answer = client.order()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "57")
    assert answer.json() == {
        "statusCode": 429,
        "message": "Rate limit is exceeded. Try again in 57 seconds.",
    }
    assert client.order("11111111-2222-4333-8444-555555555555").status_code == 201
    client.partner_center.configure(throttled={})
    assert client.order().status_code == 201


def test_a_token_expires_by_the_simulators_clock() -> None:
    now = [time.time()]
    with PartnerCenterSimulator(token_key=KEY, clock=lambda: now[0]) as partner_center:
        client = Client(partner_center)
        with client.session:
            assert client.get(ORDERS).status_code == 200
            now[0] += 86_401
            assert client.get(ORDERS).status_code == 401
