"""Figures and spans, as the services tell them to a real SDK while they work on real parts."""

from __future__ import annotations

import uuid

import pytest

from shared import telemetry
from shared.core.errors import PartnerCenterError
from shared.partner_center.wire import RequestIds
from tests.listener import Listener, listener
from tests.services.conftest import CUSTOMER, Office
from tests.services.steps import DONE_SILENTLY, REFUSED, decide, drop_pair, fail, pair_in_review

LIST = ("GET", "/customers/{}/orders/{}/attachments")
POST = ("POST", "/customers/{}/orders/{}/attachment")


@pytest.fixture
def heard(office: Office) -> Listener:
    return listener()


def test_a_drop_tells_how_long_it_took_to_its_receipt_once(office: Office, heard: Listener) -> None:
    path = drop_pair(office, office.order())
    office.ring(path, path)
    office.sweep()

    assert heard.of(telemetry.DROP) == {("attached",): 1}


def test_a_drop_that_a_person_decides_has_had_its_receipt_before(office: Office, heard: Listener) -> None:
    key = pair_in_review(office, office.order())
    decide(office, key, "give-up")
    office.clock.forward(minutes=2)
    office.sweep()

    assert heard.of(telemetry.DROP) == {("review",): 1}


def test_a_drop_that_is_mended_is_measured_from_its_new_sidecar(office: Office, heard: Listener) -> None:
    order = office.order()
    path = drop_pair(office, order, customerPrice="free")
    office.ring(path)
    assert heard.of(telemetry.DROP) == {("rejected",): 1}

    office.drop(path, office.sidecar(order))
    office.ring(path)
    assert heard.of(telemetry.DROP) == {("attached",): 1}


def test_each_sweep_counts_in_storage_what_is_open_whoever_left_it(office: Office, heard: Listener) -> None:
    pair_in_review(office, office.order())
    office.clock.forward(hours=5)
    another = office.another()
    heard.figures()
    another.notices.run(office.deadline())
    office.sweep(another)

    found = heard.figures()
    assert found[telemetry.OPEN.name] == {
        ("waiting",): 0,
        ("submitting",): 0,
        ("retrying",): 0,
        ("review",): 1,
    }
    assert 5 * 3600 <= found[telemetry.OLDEST.name]["review",] < 6 * 3600
    assert found[telemetry.SWEEP.name] == {(): 1}
    assert (
        heard.figures() == {}
    )  # what one instance has counted it does not tell again: another may know better


def test_calls_to_partner_center_are_counted_by_what_became_of_them(office: Office, heard: Listener) -> None:
    done, refused, lost = (drop_pair(office, office.order(), f"{n}/PO") for n in "abc")
    office.ring(done)
    fail(office, "POST attachment", **REFUSED)
    office.ring(refused)
    fail(office, "POST attachment", **DONE_SILENTLY)
    office.ring(lost)

    calls = heard.of(telemetry.CALLS)
    assert {key: n for key, n in calls.items() if key[1] == "POST"} == {
        ("ok", *POST): 1,
        ("refused", *POST): 1,
        ("lost", *POST): 1,
    }
    assert calls["ok", *LIST] >= 3


def test_a_limit_that_is_reached_is_told_with_the_seconds_that_were_asked_for(
    office: Office, heard: Listener
) -> None:
    fail(office, "GET attachments", kind="throttle", retry_after=40)
    path = drop_pair(office, office.order())
    office.ring(path)
    office.ring(path)  # held back here, so it is no call

    found = heard.figures()
    assert found[telemetry.CALLS.name] == {("throttled", *LIST): 1}
    assert found[telemetry.THROTTLED.name] == {(): 40}


def test_a_server_that_fails_or_is_away_is_unavailable_at_each_attempt(
    office: Office, heard: Listener
) -> None:
    fail(office, "GET attachments", times=3, kind="status", status=503)
    office.ring(drop_pair(office, office.order()))

    assert heard.of(telemetry.CALLS) == {("unavailable", *LIST): 3}


def test_an_order_that_nobody_knows_is_refused_and_its_span_has_the_ids(
    office: Office, heard: Listener
) -> None:
    partner, ids = office.services.orders.partner, (str(uuid.uuid4()), str(uuid.uuid4()))
    with pytest.raises(PartnerCenterError):
        partner.get_order(CUSTOMER, "5cf72f146967", RequestIds(*ids), office.deadline())

    (span,) = heard.spans()
    assert span.name == "GET /customers/{}/orders/{}"
    assert (span.status.is_ok, span.status.description, span.events) == (
        False,
        None,
        (),
    )  # no text of the error
    told = dict(span.attributes or {})
    assert told.pop("error.type")
    assert told == {
        "csp_orders.status": 404,
        "peer.service": "Partner Center",
        "csp_orders.correlation_id": ids[1],
        "csp_orders.request_id": ids[0],
        "csp_orders.outcome": "refused",
    }
