"""Errors as RFC 9457 problems, and the wrapper that no HTTP handler goes without."""

from __future__ import annotations

import inspect
import json
import logging
import uuid
from typing import Any

import azure.functions as func
import pytest

from shared.core import errors
from shared.core.errors import (
    Advice,
    AppError,
    ConsentError,
    GivenUpError,
    InProgressError,
    InvalidInputError,
    KeyReusedError,
    NeedsReviewError,
    NotAppliedError,
    NotConfiguredError,
    NotFoundError,
    OutcomeUnknownError,
    RefusedError,
    ResellerError,
    SourceFailedError,
    StorageError,
    SupportIds,
    ThrottledError,
    TokenError,
    TokenRejectedError,
    TooLargeError,
    UnsupportedMediaTypeError,
    Violation,
)
from shared.web.problem import PROBLEMS, TYPE_PREFIX, correlation_id, problem_of, problems, response

CALLER = Advice("caller", False, "Correct the value.")
MICROSOFT = Advice("microsoft", True, "Try again later.")
IDS = SupportIds("request", "correlation", "cv", "server")
GUID = "AAAA0000-bb11-2222-33cc-444444dddddd"


def throttled(seconds: float) -> ThrottledError:
    error = ThrottledError(429, "", "Slow down.", MICROSOFT)
    error.retry_after = seconds
    return error


def nothing_ordered() -> errors.NothingOrderedError:
    faults = [Violation("/lineItems/0", "Too many. (code 800066)"), Violation("", "Failed.")]
    return errors.NothingOrderedError(201, faults, "{}", CALLER, IDS)


@pytest.mark.parametrize(
    ("error", "status", "slug", "retryable"),
    [
        (InvalidInputError([Violation("/a", "is wrong")]), 400, "invalid-input", False),
        (ResellerError([Violation("/indirectResellerId", "is not ours")]), 422, "no-reseller", False),
        (NotFoundError("no such drop"), 404, "not-found", False),
        (TooLargeError("too large"), 413, "too-large", False),
        (UnsupportedMediaTypeError("text/plain"), 415, "unsupported-media-type", False),
        (KeyReusedError("another body"), 422, "key-reused", False),
        (InProgressError("busy", 7), 409, "in-progress", True),
        (errors.OrderBusyError("another is in flight", 7), 503, "order-busy", True),
        (errors.StateConflictError("it is done", "done"), 409, "state-conflict", False),
        (errors.DecisionWaitsError("another is in flight"), 409, "decision-waits", True),
        (errors.StorageUnknownError("perhaps written"), 503, "storage", True),
        (NeedsReviewError("who knows", "orders/c/k"), 409, "needs-review", False),
        (GivenUpError("by Ada", "orders/c/k"), 409, "given-up", False),
        (NotConfiguredError("missing", ["PARTNER_TENANT_ID"]), 500, "not-configured", False),
        (StorageError("down"), 503, "storage", True),
        (errors.BlobMissingError("gone"), 503, "storage", True),
        (errors.StorageForbiddenError("403", "grant it"), 500, "storage-forbidden", False),
        (errors.NotSentError("it is not there"), 424, "send-again", False),
        (NotAppliedError("no connection"), 503, "not-sent", True),
        (SourceFailedError("blob changed"), 503, "not-sent", True),
        (TokenError("no consent"), 502, "no-token", False),
        (TokenError("Entra is down", retryable=True), 502, "no-token", True),
        (TokenRejectedError(401, "900421", "MFA", CALLER), 502, "token-rejected", False),
        (throttled(3), 503, "throttled", True),
        (errors.LinesRefusedError([Violation("/lineItems/0", "sold out")]), 422, "lines-refused", False),
        (nothing_ordered(), 422, "nothing-ordered", False),
        (RefusedError(400, "900254", "bad", CALLER), 400, "refused", False),
        (RefusedError(404, "20000", "no order", CALLER), 404, "refused", False),
        (RefusedError(409, "", "busy", CALLER), 409, "refused", False),
        (RefusedError(412, "", "stale", CALLER), 412, "refused", False),
        (RefusedError(422, "", "reseller", CALLER), 422, "refused", False),
        (RefusedError(403, "20002", "no relation", CALLER), 424, "refused", False),
        (RefusedError(400, "800018", "sandbox", Advice("partner", False, "Ask.")), 424, "refused", False),
        (RefusedError(500, "800003", "failed", MICROSOFT), 502, "refused", True),
        (OutcomeUnknownError("silence", IDS), 504, "outcome-unknown", False),
        (ZeroDivisionError("secret"), 500, "internal", False),
        (AppError("of no class"), 500, "internal", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_error_has_its_status_and_type(
    error: Exception, status: int, slug: str, retryable: bool
) -> None:
    problem = problem_of(error, GUID)

    assert (problem["status"], problem["type"]) == (status, TYPE_PREFIX + slug)
    assert (problem["retryable"], problem["correlationId"]) == (retryable, GUID)
    assert problem["title"]
    assert problem["detail"]


def test_every_error_class_has_a_row_of_its_own_or_of_its_parent() -> None:
    rows = {row.error for row in PROBLEMS} - {Exception}
    classes = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, AppError) and kind not in (AppError, errors.PartnerCenterError)
    ]

    assert all(rows & set(kind.__mro__) for kind in classes)


def test_no_two_rows_share_a_type() -> None:
    assert len({row.slug for row in PROBLEMS}) == len({row.error for row in PROBLEMS}) == len(PROBLEMS)


def test_every_violation_is_listed() -> None:
    problem = problem_of(InvalidInputError([Violation("/a~1b", "is wrong"), Violation("", "is empty")]))

    assert problem["errors"] == [
        {"pointer": "/a~1b", "detail": "is wrong"},
        {"pointer": "", "detail": "is empty"},
    ]
    assert problem["detail"] == "2 violations; see `errors`."


def test_a_single_violation_is_the_detail() -> None:
    assert problem_of(InvalidInputError([Violation("/a", "is wrong")]))["detail"] == "/a: is wrong"


def test_missing_settings_are_listed_by_name() -> None:
    assert problem_of(NotConfiguredError("no tenant", ["PARTNER_TENANT_ID"]))["settings"] == [
        "PARTNER_TENANT_ID"
    ]


def test_a_refusal_tells_what_partner_center_said_and_who_must_act() -> None:
    problem = problem_of(RefusedError(400, "900254", "Metadata is invalid.", CALLER, IDS))

    assert problem["partnerCenter"] == {
        "status": 400,
        "code": "900254",
        "description": "Metadata is invalid.",
        "requestId": "request",
        "correlationId": "correlation",
        "cv": "cv",
        "serverId": "server",
    }
    assert (problem["actor"], problem["remedy"]) == ("caller", "Correct the value.")


def test_a_checkout_without_orders_names_each_line_and_who_must_act() -> None:
    problem = problem_of(nothing_ordered())

    assert problem["errors"] == [
        {"pointer": "/lineItems/0", "detail": "Too many. (code 800066)"},
        {"pointer": "", "detail": "Failed."},
    ]
    assert "Too many. (code 800066); Failed." in problem["detail"]
    assert (problem["actor"], problem["remedy"]) == ("caller", "Correct the value.")
    assert problem["partnerCenter"]["cv"] == "cv"


def test_an_unknown_outcome_keeps_the_ids_for_support() -> None:
    assert problem_of(OutcomeUnknownError("silence", IDS))["partnerCenter"]["cv"] == "cv"


def test_nothing_is_told_of_an_unexpected_exception() -> None:
    assert "secret" not in json.dumps(problem_of(ZeroDivisionError("secret")))


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (throttled(2.2), "3"),
        (throttled(0), "10"),
        (InProgressError("busy", 7), "7"),
        (StorageError("down"), "10"),
        (NotFoundError("x"), None),
    ],
)
def test_retry_after_stands_where_a_repetition_can_help(error: Exception, seconds: str | None) -> None:
    assert response(error, GUID).headers.get("Retry-After") == seconds


def test_a_response_is_problem_json() -> None:
    answer = response(NotFoundError("no such drop: 訂單"), GUID)

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert answer.headers["x-correlation-id"] == GUID
    assert json.loads(answer.get_body())["detail"] == "no such drop: 訂單"


def request(**headers: str) -> func.HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return func.HttpRequest("GET", "http://localhost/api/x", headers=named, body=b"")


@problems()
def echo(req: func.HttpRequest) -> func.HttpResponse:
    """Answer with the correlation id."""
    return func.HttpResponse(correlation_id(), status_code=201, headers={"Location": "/x"})


def failing(error: Exception) -> Any:
    @problems()
    def handler(req: func.HttpRequest) -> func.HttpResponse:
        raise error

    return handler


def test_a_handler_keeps_its_name_and_arguments() -> None:
    assert echo.__name__ == "echo"
    assert list(inspect.signature(echo).parameters) == ["req"]
    assert echo(req=request()).status_code == 201  # type: ignore[call-arg]  # the worker calls by name


@pytest.mark.parametrize("header", ["MS_CorrelationId", "ms_correlationid", "x_correlation_id"])
def test_the_callers_correlation_id_is_taken_over(header: str) -> None:
    answer = echo(request(**{header: GUID}))

    assert answer.get_body().decode() == answer.headers["x-correlation-id"] == GUID.lower()
    assert answer.headers["Location"] == "/x"


@pytest.mark.parametrize("given", ["", "me", GUID + "\r\nX: y", "{" + GUID + "}"])
def test_anything_else_is_replaced_by_a_new_id(given: str) -> None:
    answer = echo(request(x_correlation_id=given))

    assert str(uuid.UUID(answer.headers["x-correlation-id"])) == answer.get_body().decode()


def test_the_id_is_gone_after_the_answer() -> None:
    echo(request())

    assert correlation_id() == ""


def test_an_error_of_ours_becomes_its_problem() -> None:
    answer = failing(NotFoundError("no such drop"))(request(x_correlation_id=GUID))
    problem = json.loads(answer.get_body())

    assert answer.status_code == 404
    assert problem["correlationId"] == answer.headers["x-correlation-id"] == GUID.lower()


def test_an_unexpected_exception_is_logged_without_what_it_says(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = failing(ValueError("s3cret"))(request(x_correlation_id=GUID))

    assert answer.status_code == 500
    assert "s3cret" not in caplog.text + answer.get_body().decode()
    assert "builtins.ValueError" in caplog.text
    assert "Traceback" in caplog.text
    assert GUID.lower() in caplog.text


def test_invalid_input_is_logged_with_places_and_sentences_and_of_what_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = [Violation(f"/lineItems/{n}/quantity", "must be a whole number") for n in range(50)]
    req = func.HttpRequest(
        "POST",
        "/",
        body=b"s3cret",
        headers={"Idempotency-Key": "k" * 300},
        route_params={"customerId": "c" * 300, "orderId": "o"},
    )
    with caplog.at_level(logging.WARNING):
        failing(InvalidInputError(faults))(req)

    told = json.loads(caplog.messages[-1])
    assert (told["event"], told["problem"], told["actor"]) == ("problem", "invalid-input", "caller")
    assert told["errors"][0] == {"pointer": "/lineItems/0/quantity", "detail": "must be a whole number"}
    assert len(told["errors"]) == 20
    assert told["detail"] == "50 violations; see `errors`."
    assert (told["customerId"], told["orderId"], told["key"]) == ("c" * 255, "o", "k" * 255)
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("host", ["evil.example/path", "a b", "a@b", "x\r\ny", "a?b", "", "a:port", "[::1"])
def test_a_host_that_is_no_host_reaches_no_location(host: str) -> None:
    answer = echo(request(host=host))

    told = json.loads(answer.get_body())
    assert (answer.status_code, told["errors"][0]["pointer"]) == (400, "header:Host")


@pytest.mark.parametrize(
    "host", ["localhost:7071", "app.azurewebsites.net", "[::1]:80", "10.0.0.1", "my_app"]
)
def test_a_host_is_taken(host: str) -> None:
    assert echo(request(host=host)).status_code == 201


@pytest.mark.parametrize(
    "error",
    [
        StorageError("storage answered 403"),
        NotConfiguredError("PARTNER_TENANT_ID is missing"),
        NotAppliedError("no connection"),
        TokenError("the refresh token has expired"),
        RefusedError(403, "20002", "no relation", CALLER),
        OutcomeUnknownError("silence", IDS),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_cause_that_lies_outside_the_request_is_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        failing(error)(request())

    told = json.loads(caplog.messages[-1])
    assert (told["event"], told["detail"]) == ("problem", str(error))


@pytest.mark.parametrize(
    ("status", "code", "retryable", "passes"),
    [
        (400, "900254", False, False),
        (500, "800003", True, True),
        (403, "", False, True),
        (404, "", False, True),
        (404, "20000", False, False),
        (400, "", False, False),
    ],
)
def test_which_refusals_pass_with_nothing_mended(
    status: int, code: str, retryable: bool, passes: bool
) -> None:
    """A 403 or 404 without a code is a gateway's."""
    assert RefusedError(status, code, "", Advice("caller", retryable, "")).passes is passes


def test_a_write_of_unknown_outcome_says_whose_turn_the_fault_of_storage_is() -> None:
    fault = errors.BlobLeasedError("leased")
    error = errors.StorageUnknownError.because_of(fault, "perhaps written")

    assert (str(error), error.actor, error.remedy) == ("perhaps written", fault.actor, fault.remedy)


@pytest.mark.parametrize("fails", [False, True])
def test_no_answer_is_kept_by_a_cache_or_taken_for_another_type(fails: bool) -> None:
    def handler(req: func.HttpRequest) -> func.HttpResponse:
        if fails:
            raise NotFoundError("no such drop")
        return func.HttpResponse("{}", headers={"Location": "x"})

    answer = problems()(handler)(func.HttpRequest("GET", "http://localhost/api/x", body=b""))

    assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == (
        "no-store",
        "nosniff",
    )


def test_a_consent_that_came_to_nothing_says_what_to_do() -> None:
    problem = problem_of(ConsentError("Nothing was stored. MFA is missing.", "require MFA"))

    assert (problem["status"], problem["retryable"]) == (409, False)
    assert problem["detail"] == "Nothing was stored. MFA is missing."
    assert (problem["actor"], problem["remedy"]) == ("operator", "require MFA")
