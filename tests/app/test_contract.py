"""The HTTP contract, through the host: idempotency, both attach bodies, drops, errors."""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from typing import Any

import pytest
import requests

from tests.app.conftest import METADATA, PDF, App

ORDER = {"billingCycle": "monthly", "lineItems": [{"offerId": "P:S:A", "quantity": 2, "termDuration": "P1Y"}]}


def form(*pos: tuple[str, bytes], **metadata: object) -> list[tuple[str, Any]]:
    parts: list[tuple[str, Any]] = [("metadata", (None, json.dumps({**METADATA, **metadata})))]
    return [*parts, *(("pofiles", (name, content, "application/pdf")) for name, content in pos)]


def test_no_key_no_order(app: App) -> None:
    answer = app.place(ORDER, key=None)

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "Idempotency-Key" in answer.text
    assert app.seen()["orders"] == []


def test_the_same_key_replays_and_another_body_is_refused(app: App) -> None:
    key = uuid.uuid4().hex
    first, again, other = (
        app.place(ORDER, key),
        app.place(ORDER, key),
        app.place({**ORDER, "currencyCode": "EUR"}, key),
    )

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert len(app.seen()["orders"]) == 1


def test_an_unknown_outcome_is_202_and_its_location_tells(app: App) -> None:
    app.http.post(f"{app.partner_center}/_sim/config", json={"list_lag": 3600.0})
    app.http.post(
        f"{app.partner_center}/_sim/faults", json=[{"on": "POST order", "do": {"kind": "lose_reply"}}]
    )
    key = f"flow/run #{uuid.uuid4().hex}".replace(" ", "-")
    answer = app.place(ORDER, key)
    polled = app.http.get(answer.headers["Location"])

    assert answer.status_code == 202
    assert int(answer.headers["Retry-After"]) > 0
    assert polled.status_code == 202
    assert app.place(ORDER, key).status_code == 202
    assert len(app.seen()["orders"]) == 1


def test_an_order_that_waits_for_documents_says_what_to_do_next(app: App) -> None:
    body = {"lineItems": [{"offerId": "DG7GMGF0D7FV:0001:X", "quantity": 1}]}
    answer = app.place(body)
    later = app.http.get(answer.headers["Location"])

    assert answer.json()["status"] == "pending_po_upload"
    assert (answer.headers["X-Order-Status"], later.headers["X-Order-Status"]) == ("pending_po_upload",) * 2
    assert "attach" in later.headers["X-Next-Step"]


def test_the_orders_that_wait_for_documents_are_listed_and_what_else_is_asked_for_is_refused(
    app: App,
) -> None:
    order = app.place({"lineItems": [{"offerId": "DG7GMGF0D7FV:0001:X", "quantity": 1}]}).json()["id"]
    url = f"{app.api}/submissions"

    def listed() -> list[dict[str, Any]]:
        answer = app.http.get(url, params={"orderStatus": "PendingPoUpload"})
        assert answer.status_code == 200, answer.text
        return [item for item in answer.json()["items"] if item["orderId"] == order]

    (item,) = listed()
    assert (item["kind"], item["state"], item["order"]["status"]) == ("order", "placed", "pending_po_upload")
    assert item["order"]["nextAction"].startswith("attach")
    assert app.attach(order, files=form(("PO.pdf", PDF))).status_code == 201
    assert listed() == []
    for asked in (
        {"orderStatus": "completed"},
        {"orderStatus": ""},
        {"orderStatus": "pending", "state": "review"},
    ):
        answer = app.http.get(url, params=asked)
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (400, "invalid-input")
        assert answer.json()["errors"][0]["pointer"] in ("query:orderStatus", "query:state")


def test_documents_for_an_order_that_waits_for_none_are_refused_with_what_to_do(app: App) -> None:
    order = app.new_order("po_review_rejected")
    answer = app.attach(order, files=form(("PO.pdf", PDF)))
    problem = answer.json()

    assert (answer.status_code, problem["type"].rpartition(":")[2]) == (409, "order-not-waiting")
    assert (problem["actor"], problem["retryable"]) == ("caller", False)
    assert problem["remedy"] == "place a new order: this one will not be processed"
    assert app.received(order)["submissions"] == []


def test_an_answer_that_is_given_again_does_not_say_what_the_order_asked_for_then(app: App) -> None:
    key, body = uuid.uuid4().hex, {"lineItems": [{"offerId": "DG7GMGF0D7FV:0001:X", "quantity": 1}]}
    app.place(body, key)
    again = app.place(body, key)
    asked = app.http.get(f"{app.orders_url().removesuffix('s')}-requests", params={"key": key})

    for answer in (again, asked):
        assert answer.headers["Idempotency-Replayed"] == "true"
        assert not {"X-Order-Status", "X-Next-Step"} & set(answer.headers)
        assert answer.json()["status"] == "pending_po_upload"


def test_the_location_of_a_202_is_polled_without_any_key_and_bears_none(app: App) -> None:
    fault = [{"on": "POST attachment", "do": {"kind": "status", "status": 503}}]
    app.http.post(f"{app.partner_center}/_sim/faults", json=fault)
    url = f"{app.attach_url(app.new_order())}?code={app.stack.hosts[0].key}"
    answer = requests.post(url, files=form(("PO.pdf", PDF)), timeout=20)

    location = answer.headers["Location"]
    polled = requests.get(location, timeout=20)
    forged = requests.get(f"{location[:-1]}{'A' if location[-1] != 'A' else 'B'}", timeout=20)

    assert answer.status_code == 202, answer.text
    assert app.stack.hosts[0].key not in location + answer.text
    assert (polled.status_code, polled.headers["Location"]) == (202, location)
    assert (forged.status_code, forged.json()["type"].rpartition(":")[2]) == (404, "not-found")


@pytest.mark.parametrize("key", [".", "..", "a b", "x" * 256])
def test_a_key_that_nobody_could_poll_for_is_refused(app: App, key: str) -> None:
    assert app.place(ORDER, key).status_code == 400
    assert app.seen()["orders"] == []


def test_what_became_of_a_request_is_told_under_its_key(app: App) -> None:
    key = uuid.uuid4().hex
    order = app.place(ORDER, key).json()
    url = app.orders_url().replace("/orders", "/order-requests")

    assert app.http.get(url, params={"key": key}).json() == order
    assert app.http.get(url, params={"key": "never-asked"}).status_code == 404
    assert app.http.get(url).json()["errors"][0]["pointer"] == "query:key"


def test_keys_that_differ_by_their_escaping_alone_never_answer_for_each_other(app: App) -> None:
    url = app.orders_url().replace("/orders", "/order-requests")
    placed = {key: app.place(ORDER, key).json()["id"] for key in ("a/b", "a%2Fb", "a%252Fb", "a+b", "a%20b")}
    told = {key: app.http.get(url, params={"key": key}).json()["id"] for key in placed}

    assert told == placed
    assert len(set(placed.values())) == 5


def test_flows_attach_with_base64_or_their_content_objects(app: App) -> None:
    order = app.new_order()
    text = base64.b64encode(PDF).decode()
    body = {
        "metadata": {**METADATA, "customerPrice": 156.870, "isPartOfTender": True},
        "poFiles": [{"fileName": "PO.pdf", "content": text}],
        "tenderFiles": [
            {
                "fileName": "Ausschreibung Ü.pdf",
                "content": {"$content-type": "application/pdf", "$content": text},
            }
        ],
    }
    raw = json.dumps(body).replace("156.87", "156.870")
    answer = app.attach(order, data=raw, headers={"Content-Type": "application/json"})

    assert answer.status_code == 201, answer.text
    submission = app.received(order)["submissions"][0]
    assert [f["fileName"] for f in submission["files"]] == ["PO.pdf", "Ausschreibung Ü.pdf"]
    assert json.loads(submission["metadata"])["customerPrice"] == "156.870"


def test_the_same_documents_by_form_by_json_and_by_drop_are_attached_once(app: App) -> None:
    order = app.new_order()
    first = app.attach(order, files=form(("PO.pdf", PDF)))
    again = app.attach(order, files=form(("other name.pdf", PDF)))
    app.drop(f"same/{order}.pdf", PDF)
    app.drop(
        f"same/{order}.json", {**METADATA, "customerId": app.received(order)["customerId"], "orderId": order}
    )
    receipt = app.receipt(f"same/{order}.json", "attached")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert receipt["submittedBy"] == "http"
    assert len(app.received(order)["submissions"]) == 1


def test_a_rejected_drop_heals_when_it_is_dropped_again(app: App) -> None:
    order = app.new_order()
    sidecar = {**METADATA, "customerId": app.received(order)["customerId"], "orderId": order}
    app.drop(f"heal/{order}.pdf", PDF)
    app.drop(f"heal/{order}.json", {**sidecar, "currency": "QQQ"})
    rejected = app.receipt(f"heal/{order}.json", "rejected")
    app.drop(f"heal/{order}.json", sidecar)

    assert rejected["errors"][0]["pointer"] == "/currency"
    assert app.receipt(f"heal/{order}.json", "attached")["orderId"] == order


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("metadata", (None, json.dumps(METADATA)))], "pofiles"),
        (form(("PO.pdf", b"not a pdf")), "PDF"),
        (form(("PO.pdf", b"")), "empty"),
        (form(("PO.exe", PDF)), ".pdf"),
        (form(("PO.pdf", PDF), customerPrice="-1"), "/metadata/customerPrice"),
        (form(("PO.pdf", PDF), customerPrice="NaN"), "/metadata/customerPrice"),
        (form(("PO.pdf", PDF), isPartOfTender=True), "tender"),
        (form(("PO.pdf", PDF), tenderLink="https://x.example/t"), "tender"),
        (form(("PO.pdf", PDF), customerprice="1"), "customerprice"),
        ([*form(("PO.pdf", PDF)), ("surprise", (None, "x"))], "surprise"),
    ],
)
def test_bad_documents_are_named_and_reach_nobody(app: App, files: Any, said: str) -> None:
    answer = app.attach(app.new_order(), files=files)

    assert answer.status_code == 400, answer.text
    assert said.lower() in answer.text.lower()
    assert not [e for e in app.seen("/_sim/requests")["requests"] if e["operation"] == "POST attachment"]


def test_every_violation_of_an_order_is_named_at_once(app: App) -> None:
    body = {
        "lineItems": [{"offerId": "", "quantity": 0}, {"offerid": "A", "quantity": 1.5}],
        "id": "mine",
        "currencyCode": "QQQ",
    }
    answer = app.place(body)

    assert answer.status_code == 400
    pointers = {e["pointer"] for e in answer.json()["errors"]}
    assert {
        "/lineItems/0/offerId",
        "/lineItems/0/quantity",
        "/lineItems/1/offerid",
        "/id",
        "/currencyCode",
    } <= pointers


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"a":1,"a":2}', b"\xff\xfe{\x00}\x00", b"[" * 100_000, b'{"x":NaN}']
)
def test_json_that_is_none_is_a_problem(app: App, raw: bytes) -> None:
    for answer in (
        app.place(raw),
        app.attach(app.new_order(), data=raw, headers={"Content-Type": "application/json"}),
    ):
        assert answer.status_code == 400, answer.text
        assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("text/plain", 415), ("", 415), ("multipart/form-data", 400), ("application/pdf", 415)],
)
def test_a_content_type_that_is_not_read_is_a_problem(app: App, content_type: str, status: int) -> None:
    answer = app.attach(app.new_order(), data=b"x", headers={"Content-Type": content_type})

    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("content_type", ["", "text/xml", "application/x-www-form-urlencoded"])
def test_an_order_that_is_not_said_to_be_json_is_415(app: App, content_type: str) -> None:
    assert app.place(ORDER, **{"Content-Type": content_type}).status_code == 415


def test_a_body_that_did_not_get_through_is_told_with_its_cure(app: App) -> None:
    order, json_type = app.new_order(), {"Content-Type": "application/json"}
    url = app.attach_url(order)
    chunked = app.http.post(url, data=iter([b"{}"]), headers=json_type)
    flow = app.http.post(url, data=b"", headers={**json_type, "x-ms-transfer-mode": "chunked"})
    placed = app.place(b"", **{"x-ms-transfer-mode": "chunked"})
    zipped = app.http.post(url, data=gzip.compress(b"{}"), headers={**json_type, "Content-Encoding": "gzip"})

    assert [a.status_code for a in (chunked, flow, placed, zipped)] == [400, 400, 400, 415]
    assert chunked.json()["errors"][0]["pointer"] == "header:Content-Length"
    assert "in chunks" in chunked.json()["errors"][0]["detail"]
    for answer in (flow, placed):
        assert "Allow chunking" in answer.json()["errors"][0]["detail"]
    assert "Content-Encoding" in zipped.json()["detail"]
    assert app.received(order)["submissions"] == []


def test_a_part_that_says_it_is_base64_is_refused_by_name(app: App) -> None:
    coded = (None, json.dumps(METADATA), "application/json")
    files = {
        "metadata": coded,
        "POFiles": ("PO.pdf", b"JVBERi0=", "application/pdf", {"Content-Transfer-Encoding": "base64"}),
    }
    answer = app.attach(app.new_order(), files=files)

    told = {e["pointer"]: e["detail"] for e in answer.json()["errors"]}
    assert answer.status_code == 400
    assert "Content-Transfer-Encoding" in told["/POFiles"]


def test_too_large_a_body_and_too_large_a_file_are_413(app: App) -> None:
    order = app.new_order()

    assert app.attach(order, files=form(("PO.pdf", PDF + bytes(1024 * 1024)))).status_code == 413
    assert (
        app.attach(order, files=form(*[(f"{n}.pdf", PDF + bytes(900_000)) for n in range(4)])).status_code
        == 413
    )


@pytest.mark.parametrize("order", ["..", "%2e%2e", "a%2Fb", "a%00b", "x" * 200])
def test_ids_that_walk_the_url_are_refused(app: App, order: str) -> None:
    prepared = requests.Request("GET", app.orders_url(), headers=dict(app.http.headers)).prepare()
    prepared.url = f"{app.orders_url()}/{order}/attachments"
    answer = app.http.send(prepared)

    assert answer.status_code in (400, 404)
    assert not app.seen("/_sim/requests")["requests"]


def test_without_a_key_nothing_but_health_answers(app: App) -> None:
    assert requests.get(app.orders_url() + "/x", timeout=5).status_code == 401
    assert requests.get(f"{app.api}/health", timeout=5).json()["status"] == "ok"


def test_partner_centers_refusal_is_a_problem_with_its_code_and_ids(app: App) -> None:
    app.http.post(f"{app.partner_center}/_sim/config", json={"customers": [str(uuid.uuid4())]})
    answer = app.attach(app.new_order(), files=form(("PO.pdf", PDF)))
    problem = answer.json()

    assert answer.status_code == 404
    assert problem["partnerCenter"]["code"] == "60003"
    assert problem["partnerCenter"]["requestId"]
    assert problem["correlationId"] == answer.headers["x-correlation-id"]
    assert problem["retryable"] is False
    assert problem["remedy"]


def test_an_order_that_partner_center_does_not_show_yet_is_worth_another_try(app: App) -> None:
    answer = app.attach("doesnotexist", files=form(("PO.pdf", PDF)))
    problem = answer.json()

    assert answer.status_code == 503
    assert problem["type"].endswith("order-not-visible")
    assert (problem["retryable"], problem["actor"]) == (True, "caller")
    assert int(answer.headers["Retry-After"]) > 0


def test_only_an_operator_with_the_master_key_decides(app: App) -> None:
    url = f"{app.api}/reviews/orders/{uuid.uuid4()}/x"
    body = {"decision": "retry", "by": "Ada"}

    assert app.http.post(url, json=body).status_code == 401
    master = {"x-functions-key": app.stack.hosts[0].master_key}
    assert app.http.post(url, json=body, headers=master).status_code == 404
    assert app.http.post(url, json={"decision": "maybe"}, headers=master).status_code == 400


def test_an_order_that_is_busy_with_other_documents_is_503_and_nothing_of_these_was_recorded(
    app: App,
) -> None:
    order = app.new_order()
    unlisted = {"on": "GET attachments", "skip": 1, "times": -1, "do": {"kind": "status", "status": 503}}
    faults = [{"on": "POST attachment", "do": {"kind": "lose_reply"}}, unlisted]
    app.http.post(f"{app.partner_center}/_sim/faults", json=faults)
    first = app.attach(order, files=form(("PO.pdf", PDF)))
    busy = app.attach(order, files=form(("PO.pdf", PDF + b"other")))
    same = app.attach(order, files=form(("PO.pdf", PDF)))

    assert (first.status_code, busy.status_code, same.status_code) == (202, 503, 202)
    problem = busy.json()
    assert problem["type"].endswith("order-busy")
    assert (problem["retryable"], int(busy.headers["Retry-After"]) >= 5) == (True, True)
    assert same.headers["Location"] == first.headers["Location"]
    assert len(app.received(order)["submissions"]) == 1
