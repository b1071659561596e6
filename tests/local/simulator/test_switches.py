"""Turning switches, in-process and over HTTP: what they take, and the other make."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, fields
from typing import Any

import pytest

from local.simulator.switches import MAKES, Switches, changed
from tests.local.simulator.kit import REQUEST_ID, Client, line, orders_path, pdf, sim

CHOICES = {item.name: item.metadata["known"] for item in fields(Switches) if "known" in item.metadata}
TWO_LINES = [line(lineItemNumber=n, offerId=f"CFQ7-{n}:0001:A") for n in range(2)]


def usual() -> dict[str, Any]:
    """The usual switches as JSON."""
    shown: dict[str, Any] = json.loads(json.dumps(asdict(Switches())))
    return shown


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_can_be_made_and_no_other(name: str) -> None:
    usual = getattr(Switches(), name)
    for choice in CHOICES[name]:
        value = (choice,) if isinstance(usual, tuple) else choice
        assert getattr(changed(Switches(), {name: value}), name) == value
    bad: Any = ["bogus"] if isinstance(usual, tuple) else "bogus"
    with pytest.raises(ValueError, match=f"{name} does not take .*bogus.*; there are {CHOICES[name][0]}, "):
        changed(Switches(), {name: bad})


def test_the_first_choice_is_the_usual_one() -> None:
    plain = {
        name: known for name, known in CHOICES.items() if not isinstance(getattr(Switches(), name), tuple)
    }
    assert {name: getattr(Switches(), name) for name in plain} == {n: known[0] for n, known in plain.items()}


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
        ({"make": "third"}, "make does not take 'third'; there are usual, other"),
        ({"make": 1}, "make does not take 1"),
        ({"skew": 1}, "there is no switch 'skew'; there are honours_request_id, .*, make"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_with_what_there_is(
    client: Client, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        client.partner_center.configure(**{"list_lag": 7, **changes})
    assert client.partner_center.state.switches == Switches()


def test_switches_of_the_shapes_are_turned_over_http_as_well(client: Client) -> None:
    changes = {"clock_skew": -2.5, "page_size": 3, "attachment_omits": ["sizeInKB"], "listed_names": "nfd"}
    shown = sim(client, "POST", "/config", changes).json()
    assert shown == usual() | changes
    answer = sim(client, "POST", "/config", {"listed_names": "latin"})
    assert answer.status_code == 400
    assert answer.json()["error"].endswith("there are wire, sent, percent, lower, nfd, mojibake, empty")
    assert client.partner_center.state.switches.listed_names == "nfd"


def test_whole_numbers_and_fractions_are_taken_where_seconds_are() -> None:
    assert changed(changed(Switches(), {"list_lag": 1}), {"list_lag": 1.5}).list_lag == 1.5


def test_a_make_comes_first_and_single_switches_change_it(client: Client) -> None:
    shown = sim(client, "POST", "/config", {"list_order": "shuffled", "make": "other", "page_size": 9}).json()
    assert shown == usual() | dict(MAKES["other"]) | {"list_order": "shuffled", "page_size": 9}
    client.partner_center.configure(make="usual")
    assert client.partner_center.state.switches == changed(Switches(), {"page_size": 9})


def test_the_other_make_differs_from_the_usual_one_in_all_that_it_sets() -> None:
    assert set(MAKES["other"]) == set(MAKES["usual"])
    assert not [name for name, value in MAKES["other"].items() if MAKES["usual"][name] == value]


def test_the_other_make_tells_of_orders_and_attachments_in_its_own_way(client: Client) -> None:
    client.partner_center.configure(make="other")
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


def test_the_other_make_repeats_what_it_answered_first(client: Client) -> None:
    client.partner_center.configure(make="other")
    client.session.headers["MS-RequestId"] = REQUEST_ID
    client.partner_center.faults.add({"on": "POST order", "do": {"kind": "status", "status": 500}})
    assert [client.order().status_code for _ in range(2)] == [500, 500]
    assert client.partner_center.state.orders == {}
