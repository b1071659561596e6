"""Documents that are uploaded past the app, as a page does it: the real host, events and storage."""

from __future__ import annotations

from typing import Any

import requests

from tests.app.conftest import CUSTOMER, METADATA, ORIGINS, PDF, App


def ask(app: App, order: str, **members: Any) -> requests.Response:
    body = {"metadata": METADATA, "poFiles": [{"fileName": "PO.pdf", "size": len(PDF)}]} | members
    return app.http.post(f"{app.orders_url()}/{order}/uploads", json=body)


def test_a_page_uploads_a_document_and_reads_the_receipt(app: App) -> None:
    order = app.new_order()
    asked = ask(app, order)
    body = asked.json()
    (file,) = body["files"]
    preflight = requests.options(
        file["url"],
        headers={
            "Origin": ORIGINS[0],
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "content-type,x-ms-blob-type",
        },
        timeout=10,
    )
    sent = requests.request(
        file["method"], file["url"], data=PDF, headers={**file["headers"], "Origin": ORIGINS[0]}, timeout=10
    )
    receipt = app.receipt(body["drop"], "attached")

    assert asked.status_code == 201
    assert asked.headers["Location"] == body["receipt"] == f"{app.api}/drops/{body['drop']}"
    assert body["drop"] == f"uploads/{CUSTOMER}/{order}/{body['uploadId']}/metadata.json"
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (200, ORIGINS[0])
    assert (sent.status_code, sent.headers["Access-Control-Allow-Origin"]) == (201, ORIGINS[0])
    assert [a["fileName"] for a in receipt["attachments"]] == ["PO.pdf"]
    assert len(app.received(order)["submissions"]) == 1


def test_a_file_may_be_larger_than_a_body(app: App) -> None:
    """MAX_BODY_MB is 3 and MAX_FILE_MB is 1 here: three files, together more than a body."""
    order = app.new_order()
    large = b"%PDF-1.7\n" + b"x" * (1024 * 1024 - 20) + b"\n%%EOF\n"
    names = [f"PO {n}.pdf" for n in range(4)]
    contents = {name: large[:-8] + str(n).encode() + b"\n%%EOF\n" for n, name in enumerate(names)}
    listed = [{"fileName": name, "size": len(content)} for name, content in contents.items()]
    body = ask(app, order, poFiles=listed).json()
    for file in body["files"]:
        content = contents[file["fileName"]]
        assert requests.put(file["url"], data=content, headers=file["headers"], timeout=10).status_code == 201

    assert len(app.receipt(body["drop"], "attached")["attachments"]) == 4


def test_the_receipt_can_be_read_before_anything_was_uploaded(app: App) -> None:
    body = ask(app, app.new_order()).json()
    answer = app.http.get(body["receipt"])

    assert (answer.status_code, answer.json()["state"]) == (200, "waiting")
    assert answer.json()["waitingFor"] == ["PO.pdf"]


def test_what_is_wrong_is_told_before_anything_is_uploaded(app: App) -> None:
    answer = ask(app, "5cf72f146967", poFiles=[{"fileName": "PO.txt", "size": 1024 * 1024 + 1}], metadata={})

    assert answer.status_code == 400
    assert {e["pointer"] for e in answer.json()["errors"]} == {
        "/metadata/customerPrice",
        "/metadata/currency",
        "/poFiles/0/fileName",
        "/poFiles/0/size",
    }
