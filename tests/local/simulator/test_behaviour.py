"""Changing the options of the simulator, in-process and over HTTP, and its other profile."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, fields
from typing import Any

import pytest

from local.simulator.behaviour import PROFILES, Behaviour, changed
from tests.local.simulator.kit import REQUEST_ID, Client, line, orders_path, pdf, sim

CHOICES = {item.name: item.metadata["known"] for item in fields(Behaviour) if "known" in item.metadata}
TWO_LINES = [line(lineItemNumber=n, offerId=f"CFQ7-{n}:0001:A") for n in range(2)]


def usual() -> dict[str, Any]:
    """The usual behaviour as JSON."""
    shown: dict[str, Any] = json.loads(json.dumps(asdict(Behaviour())))
    return shown


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_can_be_made_and_no_other(name: str) -> None:
    usual = getattr(Behaviour(), name)
    for choice in CHOICES[name]:
        value = (choice,) if isinstance(usual, tuple) else choice
        assert getattr(changed(Behaviour(), {name: value}), name) == value
    bad: Any = ["bogus"] if isinstance(usual, tuple) else "bogus"
    with pytest.raises(ValueError, match=f"{name} does not take .*bogus.*; there are {CHOICES[name][0]}, "):
        changed(Behaviour(), {name: bad})


def test_the_first_choice_is_the_usual_one() -> None:
    plain = {
        name: known for name, known in CHOICES.items() if not isinstance(getattr(Behaviour(), name), tuple)
    }
    assert {name: getattr(Behaviour(), name) for name in plain} == {n: known[0] for n, known in plain.items()}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"list_order": "Newest"}, "list_order does not take 'Newest'; there are oldest, newest, shuffled"),
        ({"list_order": ["newest"]}, "there are oldest, newest, shuffled"),
        ({"upload_status": 204}, "upload_status does not take 204; there are 201, 200, 202"),
        ({"upload_status": True}, "upload_status does not take True"),
        (
            {"attachment_omits": "fileName"},
            "attachment_omits does not take 'fileName'; there are attachmentId",
        ),
        ({"attachment_omits": ["filename"]}, "attachment_omits does not take"),
        ({"order_echo_omits": [1]}, "order_echo_omits does not take"),
        ({"page_size": 1.5}, "page_size does not take 1.5"),
        ({"page_size": -1}, "page_size does not take -1"),
        ({"attachment_lag": -1}, "attachment_lag does not take -1"),
        ({"attachment_lag": float("inf")}, "attachment_lag does not take inf"),
        ({"clock_skew": float("nan")}, "clock_skew does not take nan"),
        ({"profile": "third"}, "profile does not take 'third'; there are usual, other"),
        ({"profile": 1}, "profile does not take 1"),
        ({"skew": 1}, "there is no option 'skew'; there are honours_request_id, .*, profile"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_with_what_there_is(
    client: Client, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        client.partner_center.configure(**{"list_lag": 7, **changes})
    assert client.partner_center.state.behaviour == Behaviour()


def test_options_of_the_shapes_are_changed_over_http_as_well(client: Client) -> None:
    changes = {"clock_skew": -2.5, "page_size": 3, "attachment_omits": ["sizeInKB"], "listed_names": "nfd"}
    shown = sim(client, "POST", "/config", changes).json()
    assert shown == usual() | changes
    answer = sim(client, "POST", "/config", {"listed_names": "latin"})
    assert answer.status_code == 400
    assert answer.json()["error"].endswith("there are wire, sent, percent, lower, nfd, mojibake, empty")
    assert client.partner_center.state.behaviour.listed_names == "nfd"


def test_whole_numbers_and_fractions_are_taken_where_seconds_are() -> None:
    assert changed(changed(Behaviour(), {"list_lag": 1}), {"list_lag": 1.5}).list_lag == 1.5


def test_a_profile_comes_first_and_single_options_change_it(client: Client) -> None:
    shown = sim(
        client, "POST", "/config", {"list_order": "shuffled", "profile": "other", "page_size": 9}
    ).json()
    assert shown == usual() | dict(PROFILES["other"]) | {"list_order": "shuffled", "page_size": 9}
    client.partner_center.configure(profile="usual")
    assert client.partner_center.state.behaviour == changed(Behaviour(), {"page_size": 9})


def test_the_other_profile_differs_from_the_usual_one_in_all_that_it_sets() -> None:
    assert set(PROFILES["other"]) == set(PROFILES["usual"])
    assert not [name for name, value in PROFILES["other"].items() if PROFILES["usual"][name] == value]


def test_the_other_profile_tells_of_orders_and_attachments_in_its_own_way(client: Client) -> None:
    client.partner_center.configure(profile="other")
    orders = [client.order(lineItems=TWO_LINES).json() for _ in range(2)]
    listed = client.get(orders_path()).json()
    assert [order["Id"] for order in listed["items"]] == [order["id"] for order in reversed(orders)]
    assert [item["lineItemNumber"] for item in orders[0]["lineItems"]] == [1, 0]
    assert orders[0]["creationDate"].endswith("Z")
    order = orders[0]["id"]
    for name in ("Süd.pdf", "2.pdf"):
        told = client.attach(order, [("POFiles", pdf(name, 1999))]).json()
    assert told["totalCount"] == 2
    assert [item["FileName"] for item in told["items"]] == ["2.pdf", unicodedata.normalize("NFD", "Süd.pdf")]
    assert {item["SizeInKB"] for item in told["items"]} == {1}


def test_the_other_profile_repeats_what_it_answered_first(client: Client) -> None:
    client.partner_center.configure(profile="other")
    client.session.headers["MS-RequestId"] = REQUEST_ID
    client.partner_center.faults.add({"on": "POST order", "do": {"kind": "status", "status": 500}})
    assert [client.order().status_code for _ in range(2)] == [500, 500]
    assert client.partner_center.state.orders == {}
