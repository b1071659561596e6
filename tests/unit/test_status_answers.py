"""What the status of a submission answers, in each state that it can be in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest

from shared.core.errors import AppError
from shared.core.ledger import Record, State, Submission
from shared.core.ledger_parts import RecordedAnswer
from shared.core.watched import WatchedOrder
from shared.services.operation import Outcome
from shared.web import responses
from shared.web.problem import problem_of

NOW = datetime(2026, 11, 28, tzinfo=UTC)
URL = "https://app.example/api/status/t"


def outcome(state: State, **fields: Any) -> Outcome:
    own = Submission(
        digest="d", state=state, revision="r", request_id="q", correlation_id="c", created=NOW, changed=NOW,
        since=NOW, **fields,
    )  # fmt: skip
    record = Record(v=2, kind="attachments", key="attachments/c/o", customer_id="c", order_id="o").put(own)
    return Outcome(record, own, replayed=True)


@pytest.mark.parametrize(
    ("state", "due"),
    [
        (State.CLAIMED, NOW),
        (State.UNKNOWN, NOW + timedelta(seconds=30)),
        (State.ACCEPTED, NOW),
        (State.PENDING, NOW),
    ],
)
def test_what_is_open_is_202_with_its_own_address(state: State, due: datetime) -> None:
    answer = responses.status(outcome(state, due=due), URL, NOW)

    assert (answer.status_code, answer.headers["Location"]) == (202, URL)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_what_is_done_is_200_with_the_answer_that_it_got() -> None:
    kept = RecordedAnswer(status=201, body='{"items": []}')
    answer = responses.status(outcome(State.DONE, answer=kept), URL, NOW)

    assert (answer.status_code, json.loads(answer.get_body())) == (200, {"items": []})
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert "X-Order-Status" not in answer.headers


def test_what_is_done_says_what_the_watch_knows_of_its_order() -> None:
    kept = RecordedAnswer(status=201, body='{"id": "o", "status": "pending"}')
    watched = WatchedOrder.begun("o", "pending", NOW).seen("o", "po_review_rejected", None, NOW)
    answer = responses.status(outcome(State.DONE, answer=kept), URL, NOW, watched)

    assert answer.headers["X-Order-Status"] == "po_review_rejected"
    assert answer.headers["X-Next-Step"].startswith("place a new order")
    assert json.loads(answer.get_body())["status"] == "pending"


@pytest.mark.parametrize(
    ("state", "fields", "slug", "status"),
    [
        (State.PENDING, {}, "send-again", 424),
        (State.REVIEW, {}, "needs-review", 409),
        (State.REFUSED, {"given_up": True}, "given-up", 409),
        (
            State.REFUSED,
            {"answer": RecordedAnswer(status=400, code="900254"), "actor": "caller"},
            "refused",
            400,
        ),
        (State.REFUSED, {}, "send-again", 424),
    ],
)
def test_what_has_ended_ends_the_polling(
    state: State, fields: dict[str, Any], slug: str, status: int
) -> None:
    with pytest.raises(AppError) as raised:
        responses.status(outcome(state, **fields), URL, NOW)

    problem = problem_of(raised.value, "c")
    assert (problem["type"].rpartition(":")[2], problem["status"]) == (slug, status)
    assert problem["retryable"] is False


@pytest.mark.parametrize("escaped", ["a%2Fb.json", "a%2fb.json", "a/b.json"])
def test_the_slashes_of_a_path_may_be_escaped_as_connectors_do(escaped: str) -> None:
    asked = func.HttpRequest("GET", "http://localhost/api/drops/x", route_params={"path": escaped}, body=b"")
    assert responses.route_path(asked, "path") == "a/b.json"
    assert responses.route_path(asked, "key") == ""
