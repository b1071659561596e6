"""The operators' board in a browser, on an app that is scripted: also for states that are hard to reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from local.pages import Pages
from tests.app.conftest import CUSTOMER
from tests.local.hosts import eventually
from tests.web.conftest import Tab, watched
from tests.web.scripted import KEY, Entra, ScriptedApp

MARKUP = '<img src=x onerror="document.title=1"><b>bold</b>'
CORRELATION = "0b5e0f0e-5f0a-4b39-8f11-6a3f5f1f0001"
STORAGE = "http://127.0.0.1:9"


NOW = datetime.now(UTC)
DECISIONS = {"review": ["adopt", "retry", "send-again", "give-up"], "retrying": ["retry"]}


def days_ago(days: int) -> str:
    return (NOW - timedelta(days=days)).isoformat()


def item(state: str, number: int = 0, **members: Any) -> dict[str, Any]:
    """An entry of the listing with everything that it may say."""
    return {
        "kind": "attachments",
        "state": state,
        "submission": f"attachments/{CUSTOMER}/order-{number}/{number:064x}",
        "drops": [f"contoso/PO {number}.json"],
        "customerId": CUSTOMER,
        "orderId": f"order-{number}",
        "detail": "Partner Center gave no answer.",
        "actor": "operator",
        "remedy": "look at the order in Partner Center, then decide",
        "errors": [{"pointer": "/customerPrice", "detail": "has a decimal comma; write 1.5"}],
        "since": days_ago(1),
        "changed": "2026-11-27T10:05:00+00:00",
        "nextAttempt": "2026-11-27T11:00:00+00:00",
        "attempts": 3,
        "correlationId": CORRELATION,
        "documents": ["PO_77.pdf", "Tender.pdf"],
        "decisions": DECISIONS.get(state, []),
        **members,
    }


@pytest.fixture
def app() -> Iterator[ScriptedApp]:
    with ScriptedApp() as app:
        yield app


@pytest.fixture
def pages(app: ScriptedApp) -> Iterator[Pages]:
    with Pages() as pages:
        pages.point_to(f"{app.url}/api", STORAGE)
        yield pages


@pytest.fixture
def open_board(pages: Pages, tab: Tab) -> Callable[[str], Tab]:
    """Open the board at a list, with the key in use."""

    def opened(at: str = "") -> Tab:
        tab.page.goto(f"{pages.url}/board/{at}")
        tab.use_key(KEY)
        return tab

    return opened


@pytest.fixture
def tab_with_a_clock(browser: Browser) -> Iterator[Tab]:
    """A page of its own: its clock cannot be given back."""
    with browser.new_context() as context, watched(context.new_page()) as tab:
        tab.page.clock.install()
        yield tab


def card(tab: Tab, title: str) -> Locator:
    return tab.page.get_by_role("article").filter(has=tab.page.get_by_role("heading", name=title, exact=True))


def test_every_kind_of_entry_is_told_whole_and_markup_in_it_does_nothing(
    app: ScriptedApp, open_board: Callable[[str], Tab]
) -> None:
    app.items = [
        item("review", 1, detail=MARKUP, remedy=MARKUP, documents=[MARKUP], drops=[MARKUP], actor=MARKUP),
        item("review", 2, kind="order", orderId=MARKUP, errors=[{"pointer": MARKUP, "detail": MARKUP}]),
        {"kind": "drop", "state": "review", "changed": "never", "drops": ["lonely.pdf.json"]},
        {"kind": "order", "state": "review", "submission": "orders/x", "changed": "2026-11-27T10:05:00Z"},
    ]
    tab = open_board("")
    first = card(tab, "Documents for order order-1")
    first.get_by_text("Details").click()

    expect(first).to_contain_text(MARKUP)
    for told in ("What to do:", "Since", "Next attempt", "Attempts", CUSTOMER, CORRELATION):
        expect(first).to_contain_text(told)
    expect(tab.page.locator("#list article")).to_have_count(4)
    assert tab.page.locator("#list img, #list b").count() == 0
    assert tab.page.title() != "1"
    tab.accessible()


def test_each_state_has_a_list_of_its_own(app: ScriptedApp, open_board: Callable[[str], Tab]) -> None:
    states = ("review", "retrying", "rejected", "waiting", "submitting")
    app.items = [item(state, number) for number, state in enumerate(states)]
    tab = open_board("")
    for number, state in enumerate(states):
        if number:
            tab.tab_to(state.capitalize())
            tab.page.keyboard.press("Enter")
        card(tab, f"Documents for order order-{number}").wait_for()
        expect(tab.page.locator("#list article")).to_have_count(1)
        expect(tab.page.locator("#tabs [aria-current=page]")).to_have_text(state.capitalize())
    tab.accessible()


def test_orders_that_wait_for_documents_and_those_that_were_refused_have_lists_and_say_what_is_needed(
    app: ScriptedApp, open_board: Callable[[str], Tab]
) -> None:
    waits = {"status": "pending_po_upload", "since": days_ago(4), "nextAction": "attach the purchase order"}
    refused = {"status": "po_review_rejected", "since": days_ago(1), "nextAction": "place a new order"}
    checkout = f"orders/{CUSTOMER}/{7:064x}"
    app.items = [
        item("placed", 1, kind="order", submission=checkout, order=waits, remedy="attach the purchase order"),
        item("placed", 2, kind="order", submission=checkout, order=waits),
        item("attached", 3, order=refused, decisions=[]),
    ]
    tab = open_board("#pending_po_upload")
    first = card(tab, "Order order-1")
    expect(first).to_contain_text("pending_po_upload")
    expect(first).to_contain_text("4 days ago")
    expect(first.get_by_text("attach the purchase order")).to_have_count(1)
    expect(card(tab, "Order order-2")).to_contain_text("attach the purchase order")
    expect(tab.page.locator("#list article")).to_have_count(2)
    tab.accessible()
    tab.tab_to("Documents refused")
    tab.page.keyboard.press("Enter")
    expect(card(tab, "Documents for order order-3")).to_contain_text("place a new order")
    expect(tab.page.locator("#list article")).to_have_count(1)
    expect(tab.page.locator("#tabs [aria-current=page]")).to_have_text("Documents refused")
    app.items = []
    tab.page.get_by_role("button", name="Refresh").click()
    expect(tab.page.locator("#board-note")).to_have_text(
        "No purchase order was rejected in the last 14 days."
    )


@pytest.mark.parametrize("state", ["rejected", "retrying"])
def test_a_list_that_nobody_empties_shows_the_last_14_days_and_says_so(
    app: ScriptedApp, open_board: Callable[[str], Tab], state: str
) -> None:
    app.items = [item(state, 1, since=days_ago(13)), item(state, 2, since=days_ago(15))]
    tab = open_board(f"#{state}")
    card(tab, "Documents for order order-1").wait_for()

    expect(tab.page.locator("#list article")).to_have_count(1)
    expect(tab.page.locator("#list-title")).to_have_text(f"{state.capitalize()}, of the last 14 days")


def test_nothing_to_do_is_told(open_board: Callable[[str], Tab]) -> None:
    tab = open_board("")

    expect(tab.page.locator("#board-note")).to_have_text("Nothing needs a decision.")
    tab.accessible()


def test_a_decision_is_explained_and_confirmed_by_keyboard(
    app: ScriptedApp, open_board: Callable[[str], Tab]
) -> None:
    app.items = [item("review", 1), item("review", 2)]
    app.refusals = [
        {
            "status": 400,
            "title": "The request is not valid",
            "errors": [{"pointer": "/by", "detail": "is required"}],
        },
        {"status": 409, "title": "Another submission is in flight", "detail": MARKUP},
    ]
    tab = open_board("")
    dialog = tab.page.get_by_role("dialog")
    tab.tab_to("Adopt …: Documents for order order-2")
    tab.page.keyboard.press("Enter")
    expect(dialog).to_have_accessible_description(re.compile("Partner Center is asked.*nothing is sent"))
    tab.accessible()
    tab.tab_to("Adopt it")
    tab.page.keyboard.press("Enter")
    expect(dialog.get_by_label("Who decides")).to_have_attribute("aria-invalid", "true")
    expect(dialog.locator(".summary")).to_be_focused()
    tab.type_into("Attachment IDs", "a1, b2")
    tab.type_into("Who decides", "Ada Lovelace")
    tab.page.keyboard.press("Enter")
    expect(dialog.locator(".summary")).to_contain_text(MARKUP)
    tab.accessible()
    app.items = app.items[:1]
    tab.tab_to("Adopt it")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#board-note")).to_contain_text("decided for Documents for order order-2")

    decided = {"decision": "adopt", "by": "Ada Lovelace", "attachmentIds": ["a1", "b2"]}
    assert app.posted[-1] == (f"reviews/attachments/{CUSTOMER}/order-2/{2:064x}", decided)
    assert len(app.posted) == 3
    gone = card(tab, "Documents for order order-2")
    expect(gone.get_by_role("button", name="Adopt")).to_be_focused()


def test_the_orders_that_a_checkout_became_are_named_one_after_the_other(
    app: ScriptedApp, open_board: Callable[[str], Tab]
) -> None:
    app.items = [item("review", 1, kind="order", orderId=None, submission="orders/x/y")]
    app.refusals = [
        {
            "status": 400,
            "title": "The request is not valid",
            "errors": [{"pointer": "/orderIds/1", "detail": "is no ID"}],
        }
    ]
    tab = open_board("")
    tab.page.get_by_role("button", name="Adopt …: Order request").click()
    tab.page.get_by_label("Order ID (optional)").fill("5cf7, ../x")
    tab.page.get_by_label("Who decides").fill("Ada")
    tab.page.get_by_role("button", name="Adopt it").click()
    expect(tab.page.get_by_label("Order ID (optional)")).to_have_attribute("aria-invalid", "true")
    tab.accessible()
    tab.page.get_by_label("Order ID (optional)").fill("5cf7 a01b")
    tab.page.get_by_role("button", name="Adopt it").click()
    expect(tab.page.locator("#board-note")).to_contain_text("decided for Order request")

    assert app.posted[-1] == (
        "reviews/orders/x/y",
        {"decision": "adopt", "by": "Ada", "orderIds": ["5cf7", "a01b"]},
    )


def test_a_decision_can_be_left_alone_before_it_is_confirmed(
    app: ScriptedApp, open_board: Callable[[str], Tab]
) -> None:
    app.items = [item("review", 1)]
    tab = open_board("")
    buttons = {"retry": "Try it again", "send-again": "Send it again", "give-up": "Give it up"}
    for number, (decision, button) in enumerate(buttons.items()):
        opens = tab.page.locator(f"[data-part={decision}]")
        opens.press("Enter")
        tab.page.keyboard.press("Escape")
        expect(opens).to_be_focused()
        assert len(app.posted) == number
        opens.press("Enter")
        tab.page.get_by_label("Who decides").fill("Ada")
        tab.page.get_by_role("button", name=button, exact=True).click()
        expect(tab.page.get_by_role("dialog")).to_be_hidden()

    assert [body for _, body in app.posted] == [{"decision": one, "by": "Ada"} for one in buttons]


def test_what_retries_or_waits_can_be_tried_now(app: ScriptedApp, open_board: Callable[[str], Tab]) -> None:
    lonely = {"kind": "drop", "state": "retrying", "changed": "never", "drops": ["a b/PO #1.json"]}
    app.items = [item("retrying", 1), lonely]
    app.receipts = {"known.json": {"state": "retrying", "drop": "known.json", "submission": "attachments/x"}}
    tab = open_board("#retrying")
    tab.page.get_by_role("button", name="Try now: Drop a b/PO #1.json").click()
    expect(tab.page.locator("#board-note")).to_contain_text("looks at the drop now")
    tab.page.get_by_role("button", name="Try now: Documents for order order-1").click()
    tab.page.get_by_label("Who decides").fill("Ada")
    tab.page.get_by_role("button", name="Try it now").click()
    expect(tab.page.locator("#board-note")).to_contain_text("decided")
    tab.page.get_by_label("Path of a drop").fill("known.json")
    tab.page.get_by_role("button", name="Find the drop").click()
    tab.page.get_by_role("button", name="Try now: Drop known.json").click()
    expect(tab.page.locator("#board-note")).to_contain_text("looks at the drop now")

    assert app.posted == [
        ("drops/a b/PO #1.json", {}),
        (f"reviews/attachments/{CUSTOMER}/order-1/{1:064x}", {"decision": "retry", "by": "Ada"}),
        ("drops/known.json", {}),
    ]


def test_more_is_shown_page_by_page_and_the_focus_goes_to_what_is_new(
    app: ScriptedApp, open_board: Callable[[str], Tab]
) -> None:
    app.page, app.items = 2, [item("review", number) for number in range(5)]
    tab = open_board("")
    more = tab.page.get_by_role("button", name="Show more")
    more.press("Enter")
    expect(tab.page.get_by_role("heading", name="Documents for order order-2")).to_be_focused()
    more.click()
    expect(tab.page.locator("#list article")).to_have_count(5)
    expect(more).to_be_hidden()


def test_an_order_is_found_with_all_its_submissions(
    app: ScriptedApp, open_board: Callable[[str], Tab]
) -> None:
    app.items = [item("attached", 1), item("review", 1, submission="attachments/other"), item("review", 2)]
    tab = open_board("")
    tab.page.get_by_role("button", name="Find the order").click()
    expect(tab.page.locator("#by-order .summary")).to_be_focused()
    tab.page.get_by_label("Customer ID").fill(CUSTOMER)
    tab.page.get_by_label("Order ID").fill("order-1")
    tab.page.get_by_role("button", name="Find the order").click()
    expect(tab.page.locator("#list-title")).to_have_text("Submissions of one order")
    expect(tab.page.locator("#list article")).to_have_count(2)
    expect(tab.page.locator(".badge")).to_have_text(["attached", "review"])
    tab.accessible()


def test_a_drop_is_found_by_its_path_and_an_unknown_one_is_told(
    app: ScriptedApp, open_board: Callable[[str], Tab]
) -> None:
    file = {"fileName": "PO 7.pdf", "etag": "x"}
    receipt = {"state": "waiting", "drop": "a/PO 7.json", "waitingFor": ["PO 7.pdf"], "files": [file]}
    app.receipts = {"a/PO 7.json": receipt | {"detail": "waits", "changed": "2026-11-27T10:05:00Z"}}
    tab = open_board("")
    path = tab.page.get_by_label("Path of a drop")
    path.fill("a/PO 7.json")
    path.press("Enter")
    expect(card(tab, "Drop a/PO 7.json")).to_contain_text("Waits for")
    path.fill("nowhere.json")
    path.press("Enter")
    expect(tab.page.locator("#board-note")).to_contain_text("no receipt found yet")
    expect(tab.page.locator("#board-note")).to_contain_text("Correlation ID")
    expect(tab.page.locator("#list article")).to_have_count(0)


def test_the_list_renews_itself_and_leaves_focus_and_what_is_open_alone(
    app: ScriptedApp, pages: Pages, tab_with_a_clock: Tab
) -> None:
    tab = tab_with_a_clock
    app.items = [item("review", 1), item("review", 2)]
    tab.page.goto(f"{pages.url}/board/")
    tab.use_key(KEY)
    second = card(tab, "Documents for order order-2")
    second.get_by_text("Details").click()
    second.get_by_role("button", name="Give up").focus()
    app.items = [item("review", 3), item("review", 2, detail="Something else now.")]
    tab.page.clock.run_for(30_000)
    expect(second).to_contain_text("Something else now.")
    expect(second.get_by_role("button", name="Give up")).to_be_focused()
    expect(second.locator("details")).to_have_attribute("open", "")
    expect(tab.page.locator("#list h3")).to_have_text(
        ["Documents for order order-3", "Documents for order order-2"]
    )
    app.items = [item("review", 3)]
    tab.page.clock.run_for(30_000)
    expect(tab.page.locator("#list article.gone")).to_have_count(1)
    expect(second.get_by_role("button", name="Give up")).to_be_focused()


def test_a_wrong_key_is_told(app: ScriptedApp, pages: Pages, tab: Tab) -> None:
    tab.page.goto(f"{pages.url}/board/")
    expect(tab.page.locator("#board-note")).to_contain_text("master key to decide")
    tab.accessible()
    tab.use_key("not-the-key-of-the-board")
    expect(tab.page.locator("#board-note")).to_contain_text("The key was probably not accepted")
    expect(tab.page.locator("#board-note")).to_contain_text("Correlation ID")


@pytest.fixture
def entra(app: ScriptedApp, pages: Pages) -> Iterator[Entra]:
    """The pages, with people who sign in at a scripted Entra."""
    with Entra() as entra:
        at = {"authority": f"{entra.url}/tenant", "clientId": Entra.CLIENT, "scope": "api://app/user"}
        pages.point_to(f"{app.url}/api", STORAGE, at)
        yield entra


def test_a_person_signs_in_with_entra_and_stays_so_through_a_reload(
    app: ScriptedApp, pages: Pages, entra: Entra, tab: Tab
) -> None:
    tab.secrets += [Entra.TOKEN, Entra.REFRESH]
    app.items = [item("retrying", 1)]
    tab.page.goto(f"{pages.url}/board/#retrying")
    tab.accessible()
    tab.page.get_by_role("button", name="Sign in").press("Enter")
    tab.page.get_by_text("Signed in as ada@partner.example").wait_for()
    card(tab, "Documents for order order-1").wait_for()
    assert tab.page.url == f"{pages.url}/board/#retrying"
    tab.check()
    tab.page.reload()
    tab.page.get_by_text("Signed in as ada@partner.example").wait_for()
    tab.page.get_by_role("button", name="Try now").click()
    expect(tab.page.get_by_label("Who decides")).to_have_count(0)
    tab.accessible()
    tab.page.get_by_role("button", name="Try it now").click()
    expect(tab.page.locator("#board-note")).to_contain_text("decided")

    assert entra.prompts == ["", "none"]
    assert app.posted[0][1] == {"decision": "retry"}
    assert {headers.get("x-functions-key") for headers in app.seen} == {None}


def test_a_session_that_has_ended_asks_for_a_new_sign_in_and_not_for_ever(
    pages: Pages, entra: Entra, tab: Tab
) -> None:
    tab.page.goto(f"{pages.url}/board/")
    tab.page.get_by_role("button", name="Sign in").click()
    tab.page.get_by_text("Signed in as").wait_for()
    entra.signed_in = False
    tab.page.reload()
    tab.page.get_by_role("button", name="Sign in").wait_for()
    tab.page.reload()
    tab.page.get_by_role("button", name="Sign in").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("AADSTS50058")

    assert entra.prompts == ["", "none", ""]


def test_a_token_that_has_expired_is_renewed_once_without_leaving_the_page(
    app: ScriptedApp, pages: Pages, entra: Entra, tab: Tab
) -> None:
    tab.secrets += [Entra.TOKEN, Entra.REFRESH]
    entra.lifetime = 0
    tab.page.goto(f"{pages.url}/board/")
    tab.page.get_by_role("button", name="Sign in").click()
    expect(tab.page.locator("#board-note")).to_have_text("Nothing needs a decision.")

    assert entra.grants == ["authorization_code", "refresh_token"]
    tab.page.evaluate("() => { for (const _ of [1, 2]) document.getElementById('refresh').click(); }")
    eventually(lambda: len(app.seen) == 3)

    assert entra.grants == ["authorization_code", "refresh_token", "refresh_token"]
    entra.away = True
    tab.page.get_by_role("button", name="Refresh").click()
    expect(tab.page.locator("#board-note")).to_contain_text("AADSTS90033")
    tab.accessible()
    entra.away = False
    tab.page.get_by_role("button", name="Refresh").click()
    expect(tab.page.locator("#board-note")).to_have_text("Nothing needs a decision.")
    tab.page.get_by_text("Signed in as").wait_for()

    assert entra.prompts == [""]


def test_a_code_that_nobody_asked_for_is_not_redeemed(pages: Pages, entra: Entra, tab: Tab) -> None:
    tab.page.goto(f"{pages.url}/board/")
    tab.page.evaluate(
        """() => sessionStorage.setItem("sign-in", '{"state": "own", "verifier": "v", "back": ""}')"""
    )
    tab.page.goto(f"{pages.url}/board/?code=stolen&state=guessed")
    tab.page.get_by_role("button", name="Sign in").wait_for()

    assert entra.grants == []
