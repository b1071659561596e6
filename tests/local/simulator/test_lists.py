"""Lists of orders and attachments: what comes first, and the ways in which they go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.local.simulator.kit import Client, orders_path, pdf, said

HEADER = "MS-ContinuationToken"


@pytest.fixture(params=["orders", "attachments"])
def path(request: pytest.FixtureRequest, client: Client) -> str:
    """A list of five."""
    order = client.placed()
    if request.param == "orders":
        for _ in range(4):
            client.placed()
        return orders_path()
    for n in range(5):
        client.attach(order, [("POFiles", pdf(f"{n}.pdf"))])
    return f"{orders_path()}/{order}/attachments"


def ids(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [str(item.get("id") or item["attachmentId"]) for item in answer.json()["items"]]


def by_link(client: Client, path: str, answer: requests.Response) -> requests.Response:
    link = answer.json()["links"]["next"]
    assert link["method"] == "GET"
    return client.get("/v1" + link["uri"], **{item["key"]: item["value"] for item in link["headers"]})


def by_url(name: str) -> Callable[[Client, str, requests.Response], requests.Response]:
    def follow(client: Client, path: str, answer: requests.Response) -> requests.Response:
        url: str = answer.json()[name]
        assert url.startswith(client.partner_center.url)
        return client.get(url.removeprefix(client.partner_center.url))

    return follow


def by_query(name: str) -> Callable[[Client, str, requests.Response], requests.Response]:
    return lambda client, path, answer: client.get(f"{path}?{name}={quote(answer.json()[name], safe='')}")


WAYS: dict[str, Callable[[Client, str, requests.Response], requests.Response]] = {
    "links_next": by_link,
    "body_token": by_query("continuationToken"),
    "header": lambda client, path, answer: client.get(path, **{HEADER: answer.headers[HEADER]}),
    "next_link": by_url("nextLink"),
    "odata_next_link": by_url("@odata.nextLink"),
    "skip_token": by_query("skipToken"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_list_goes_on_in_the_way_of_the_option_until_it_ends(client: Client, path: str, way: str) -> None:
    whole = client.get(path)
    client.partner_center.configure(page_size=2, continuation=way)
    pages = [client.get(path)]
    while len(pages) < 3:
        pages.append(WAYS[way](client, path, pages[-1]))
    assert [ids(page) for page in pages] == [ids(whole)[:2], ids(whole)[2:4], ids(whole)[4:]]
    assert [page.json()["totalCount"] for page in pages] == [5, 5, 5]
    assert set(pages[-1].json()) == set(whole.json())
    assert HEADER not in pages[-1].headers


def test_that_there_is_more_can_be_told_by_the_count_alone(client: Client, path: str) -> None:
    client.partner_center.configure(page_size=2, continuation="total_only")
    answer = client.get(path)
    assert set(answer.json()) == {"totalCount", "items", "attributes"}
    assert (answer.json()["totalCount"], len(answer.json()["items"])) == (5, 2)
    assert HEADER not in answer.headers


def test_the_count_can_be_of_the_page(client: Client, path: str) -> None:
    client.partner_center.configure(page_size=2, total_counts="page")
    assert client.get(path).json()["totalCount"] == 2


def test_a_page_that_holds_all_is_not_continued(client: Client, path: str) -> None:
    client.partner_center.configure(page_size=5)
    assert set(client.get(path).json()) == {"totalCount", "items", "attributes"}


def test_what_goes_on_is_in_the_letter_case_of_all(client: Client, path: str) -> None:
    client.partner_center.configure(page_size=2, order_casing="pascal", attachment_casing="pascal")
    assert set(client.get(path).json()["Links"]["Next"]) == {"Uri", "Method", "Headers"}


@pytest.mark.parametrize("token", ["x", "+/++bm8=", "%2B%2F%2B%2Bbm8%3D"])
def test_a_token_that_nobody_gave_is_refused(client: Client, path: str, token: str) -> None:
    assert said(client.get(f"{path}?continuationToken={token}")) == (400, "800002")
    assert said(client.get(path, **{HEADER: token})) == (400, "800002")


def test_a_token_that_is_put_into_a_url_as_it_is_is_refused(client: Client, path: str) -> None:
    client.partner_center.configure(page_size=2, continuation="body_token")
    token = client.get(path).json()["continuationToken"]
    assert said(client.get(f"{path}?continuationToken={token}")) == (400, "800002")


def test_entries_come_in_the_order_of_the_switch(client: Client, path: str) -> None:
    oldest, seen = ids(client.get(path)), {}
    for order in ("newest", "shuffled"):
        client.partner_center.configure(list_order=order)
        seen[order] = ids(client.get(path))
    assert seen["newest"] == oldest[::-1]
    assert sorted(seen["shuffled"]) == sorted(oldest)
    assert seen["shuffled"] not in (oldest, seen["newest"])
    assert seen["shuffled"] == ids(client.get(path))


def test_pages_are_of_the_list_in_its_order(client: Client, path: str) -> None:
    client.partner_center.configure(list_order="newest")
    newest = ids(client.get(path))
    client.partner_center.configure(page_size=3)
    assert ids(client.get(path)) == newest[:3]


def test_an_answer_to_an_upload_is_in_that_order_and_never_in_pages(client: Client) -> None:
    client.partner_center.configure(list_order="newest", page_size=1)
    files: Any = [("POFiles", pdf("1.pdf")), ("POFiles", pdf("2.pdf"))]
    items = client.attach(client.placed(), files).json()["items"]
    assert [item["fileName"] for item in items] == ["2.pdf", "1.pdf"]
