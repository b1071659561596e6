"""The order page in a browser, on the whole stack: another origin than the API and the storage account."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Dialog, FileChooser, FilePayload, Route, expect

from local.stack import Plan
from tests.app.conftest import CUSTOMER, App, app_on
from tests.local.hosts import eventually
from tests.web.conftest import Tab

RESELLER = "5f1cdd3e-6a30-4a9f-8f5c-27a1b5c6d0f4"
OFFER = "DG7GMGF0D7FV:0001:DG7GMGF0D7FV"
LICENCES = "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P"


def pdf(name: str, size: int) -> FilePayload:
    content = b"%PDF-1.7\n" + os.urandom(size - 16) + b"\n%%EOF\n"
    return {"name": name, "mimeType": "application/pdf", "buffer": content}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with app_on(Plan(tmp_path_factory.mktemp("stack"), web_port=0)) as app:
        yield app


@pytest.fixture
def app(running: App) -> App:
    assert running.http.post(f"{running.partner_center}/_sim/reset").ok
    return running


@pytest.fixture
def at_order(app: App, tab: Tab) -> Tab:
    """A tab on the order page, with the key in use."""
    assert app.stack.pages
    tab.page.goto(f"{app.stack.pages.url}/order/")
    tab.use_key(app.stack.hosts[0].key)
    return tab


def simulate(app: App, what: str, body: Any) -> None:
    assert app.http.post(f"{app.partner_center}/_sim/{what}", json=body).ok


def fill_order(tab: Tab, quantity: str = "5") -> None:
    tab.page.get_by_label("As a direct order").check()
    tab.page.locator("#order-customer").fill(CUSTOMER)
    tab.page.get_by_label("Offer ID").fill(OFFER)
    tab.page.get_by_label("Quantity").fill(quantity)


def press(tab: Tab, name: str) -> None:
    tab.page.get_by_role("button", name=name, exact=True).click()


def place(tab: Tab) -> None:
    press(tab, "Place the order")


def fill_cart(tab: Tab, *lines: tuple[str, str]) -> None:
    """A cart of these lines: item and billing cycle."""
    tab.page.locator("#order-customer").fill(CUSTOMER)
    for number, (item, cycle) in enumerate(lines):
        if number:
            press(tab, "Add a line")
        group = tab.page.get_by_role("group", name=f"Line {number + 1}")
        group.get_by_label("Catalog item ID").fill(item)
        group.get_by_label("Quantity").fill(str(number + 1))
        group.get_by_label("Billing cycle").select_option(cycle)


def check_out(tab: Tab) -> None:
    press(tab, "Check out the cart")


def placed(tab: Tab) -> None:
    tab.page.get_by_role("heading", name="The order is placed").wait_for()


def fill_documents(tab: Tab, order: str, *files: FilePayload) -> None:
    for field, text in (("customer", CUSTOMER), ("order", order), ("price", "156.87"), ("currency", "CAD")):
        tab.page.locator(f"#{field}").fill(text)
    tab.page.locator("#po-files").set_input_files(list(files))


def attached(tab: Tab) -> None:
    tab.page.get_by_role("heading", name="The documents are attached").wait_for()


def names(app: App, order: str) -> list[list[str]]:
    """The names of the files of each submission that Partner Center received."""
    submissions = app.received(order)["submissions"]
    return [sorted(file["fileName"] for file in one["files"]) for one in submissions]


def first_line(app: App, order: str) -> dict[str, Any]:
    found: dict[str, Any] = app.http.get(f"{app.orders_url()}/{order}").json()["lineItems"][0]
    return found


def test_by_keyboard_alone_an_order_is_placed_and_gets_its_documents_once(app: App, tab: Tab) -> None:
    assert app.stack.pages
    tab.page.goto(f"{app.stack.pages.url}/")
    tab.accessible()
    tab.tab_to("Order")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/order/index.html")
    tab.secrets.append(app.stack.hosts[0].key)
    tab.type_into("Key", app.stack.hosts[0].key)
    tab.page.keyboard.press("Enter")
    tab.type_into("Customer ID", CUSTOMER)
    tab.type_into("Indirect reseller ID", RESELLER.upper())
    tab.type_into("Catalog item ID", OFFER)
    tab.type_into("Quantity", "5")
    tab.type_into("Billing cycle", "One time")
    tab.tab_to("Check out the cart")
    tab.page.keyboard.press("Enter")
    placed(tab)
    expect(tab.page.locator("#order-note")).to_be_focused()
    tab.type_into("Customer price", "156.87")
    tab.type_into("Currency", "CAD")
    tab.tab_to("The order is part of a tender")
    tab.page.keyboard.press("Space")
    files = [pdf("PO.pdf", 50_000), pdf("Tender.pdf", 40_000)]

    def choose(chooser: FileChooser) -> None:
        chooser.set_files(files.pop(0))

    tab.page.on("filechooser", choose)  # one listener: between two, a chooser can open unseen
    for name, chosen in (("Purchase order files", "PO.pdf"), ("Tender files", "Tender.pdf")):
        tab.tab_to(name)
        tab.page.keyboard.press("Space")
        expect(tab.page.locator("#files")).to_contain_text(chosen)
    tab.page.remove_listener("filechooser", choose)
    tab.accessible()
    tab.tab_to("Attach the documents")
    tab.page.keyboard.press("Enter")
    attached(tab)
    tab.accessible()

    (order,) = app.seen()["orders"]
    assert first_line(app, order["id"])["partnerIdOnRecord"] == "4847383"
    assert names(app, order["id"]) == [["PO.pdf", "Tender.pdf"]]


def test_every_fault_is_told_at_its_field_and_nothing_that_was_typed_is_lost(app: App, at_order: Tab) -> None:
    page = at_order.page
    fill_order(at_order, "many")
    press(at_order, "Add a line")
    page.locator("#order-customer").fill("contoso")
    place(at_order)
    summary = page.locator("#order-form .summary")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("Correlation ID")

    expect(page.locator("#quantity-0")).to_have_attribute("aria-invalid", "true")
    assert page.locator("#quantity-0").get_attribute("aria-describedby") == "quantity-0-error"
    assert page.locator("#order-customer").get_attribute("aria-describedby") == (
        "order-customer-hint order-customer-error"
    )
    at_order.accessible()
    summary.get_by_role("link", name="Line 2, Offer ID").click()
    expect(page.locator("#offer-1")).to_be_focused()
    assert page.locator("#quantity-0").input_value() == "many"
    press(at_order, "Remove line 2")
    fill_order(at_order)
    place(at_order)
    placed(at_order)
    assert len(app.seen()["orders"]) == 1


def test_a_lost_reply_is_followed_to_its_end_without_a_key_and_through_a_reload(
    app: App, at_order: Tab
) -> None:
    simulate(app, "faults", [{"on": "POST order", "do": {"kind": "lose_reply"}}])
    simulate(app, "config", {"list_lag": 2})
    fill_order(at_order)
    place(at_order)
    at_order.page.get_by_role("heading", name="The outcome is not known yet").wait_for()
    at_order.accessible()
    at_order.page.reload()
    placed(at_order)

    (order,) = app.seen()["orders"]
    expect(at_order.page.locator("#order")).to_have_value(order["id"])
    press(at_order, "Begin another order")
    fill_order(at_order, "6")
    at_order.use_key(app.stack.hosts[0].key)
    place(at_order)
    placed(at_order)
    assert len(app.seen()["orders"]) == 2


def test_an_order_whose_page_is_reloaded_while_it_is_sent_is_placed_once(app: App, at_order: Tab) -> None:
    silent = {"kind": "hang", "seconds": 2, "commit": True}
    simulate(app, "faults", [{"on": "POST order", "do": silent}])
    fill_order(at_order)
    place(at_order)
    eventually(lambda: app.seen()["orders"])
    at_order.page.reload()
    expect(at_order.page.locator("#order-note")).to_contain_text("it is not placed a second time")
    at_order.use_key(app.stack.hosts[0].key)
    place(at_order)
    placed(at_order)

    assert len(app.seen()["orders"]) == 1


def test_an_order_that_may_have_been_placed_is_sent_again_unchanged_unless_somebody_confirms_another(
    app: App, at_order: Tab
) -> None:
    page, held, asked = at_order.page, list[Route](), list[str]()
    another = page.get_by_role("button", name="Begin another order")

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    def decline(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.route("**/orders", lose)
    fill_order(at_order)
    place(at_order)
    expect(page.locator("#order-form .summary")).to_contain_text("Send it again, unchanged")
    expect(page.get_by_label("Quantity")).to_be_disabled()
    at_order.accessible()
    page.unroute("**/orders")
    page.reload()
    place(at_order)
    expect(page.locator("#order-form .summary")).to_contain_text("You are not signed in")
    expect(page.get_by_label("Quantity")).to_be_disabled()
    page.once("dialog", decline)
    another.click()
    at_order.use_key(app.stack.hosts[0].key)
    page.route("**/orders", lambda route: held.append(route))
    place(at_order)
    expect(page.locator("#order-note")).to_contain_text("Sending the order")
    expect(another).to_be_hidden()
    held[0].continue_()
    placed(at_order)

    (order,) = app.seen()["orders"]
    expect(page.locator("#order-note")).to_contain_text(order["id"])
    assert [str(held[0].request.headers["idempotency-key"]) in text for text in asked] == [True]
    another.click()
    expect(page.get_by_label("Quantity")).to_be_enabled()
    page.unroute("**/orders")
    page.route("**/orders", lambda route: route.abort())
    fill_order(at_order)
    place(at_order)
    page.once("dialog", lambda dialog: dialog.accept())
    another.click()
    expect(page.locator("#order-note")).to_contain_text("may have been placed")
    expect(page.get_by_label("Quantity")).to_have_value("")


def test_after_a_refusal_the_corrected_order_is_a_new_request(app: App, at_order: Tab) -> None:
    refusal = {"kind": "status", "status": 400, "body": {"code": 800002, "description": "No."}}
    simulate(app, "faults", [{"on": "POST order", "do": refusal}])
    fill_order(at_order)
    place(at_order)
    summary = at_order.page.locator("#order-form .summary")
    expect(summary).to_contain_text("Partner Center refused the request")
    fill_order(at_order, "7")
    place(at_order)
    placed(at_order)

    (order,) = app.seen()["orders"]
    assert first_line(app, order["id"])["quantity"] == 7


def test_a_cart_becomes_orders_and_each_that_waits_gets_its_documents(app: App, at_order: Tab) -> None:
    page = at_order.page
    fill_cart(at_order, (LICENCES, "annual"), (OFFER, "one_time"), (OFFER, "monthly"))
    at_order.accessible()
    check_out(at_order)
    page.get_by_role("heading", name="3 orders are placed").wait_for()
    expect(page.locator("#order-note")).to_be_focused()
    lines = page.get_by_role("list", name="What became of each line").get_by_role("listitem")
    orders = {
        (line["offerId"], order["billingCycle"]): order["id"]
        for order in (app.http.get(f"{app.orders_url()}/{one['id']}").json() for one in app.seen()["orders"])
        for line in order["lineItems"]
    }
    done, *waiting = orders[LICENCES, "annual"], orders[OFFER, "one_time"], orders[OFFER, "monthly"]
    for number, order in enumerate((done, *waiting)):
        expect(lines.nth(number)).to_contain_text(order)
    expect(page.get_by_role("button", name=f"Attach documents to order {done}")).to_have_count(0)
    expect(page.locator("#order")).to_have_value(waiting[0])
    at_order.accessible()

    fill_documents(at_order, waiting[0], pdf("First.pdf", 5000))
    page.get_by_role("button", name=f"Attach documents to order {waiting[1]}").click()
    note = page.locator("#documents-note")
    expect(note).to_contain_text(f"First attach the files that are chosen for order {waiting[0]}")
    expect(note).to_be_focused()
    press(at_order, "Attach the documents")
    attached(at_order)
    page.reload()
    at_order.use_key(app.stack.hosts[0].key)
    expect(page.get_by_role("list", name="Orders that wait")).to_contain_text("Documents are attached")
    page.get_by_role("button", name=f"Attach documents to order {waiting[1]}").click()
    expect(page.get_by_label("Customer price")).to_be_focused()
    fill_documents(at_order, waiting[1], pdf("Second.pdf", 6000))
    press(at_order, "Attach the documents")
    attached(at_order)
    expect(page.get_by_role("list", name="Orders that wait").get_by_role("button")).to_have_count(0)

    assert [names(app, order) for order in waiting] == [[["First.pdf"]], [["Second.pdf"]]]


def test_what_became_of_a_cart_is_told_line_by_line_when_part_of_it_was_not_ordered(
    app: App, at_order: Tab
) -> None:
    page = at_order.page
    simulate(app, "config", {"checkout_failures": {LICENCES: 800066}})
    fill_cart(at_order, (OFFER, "one_time"), (LICENCES, "annual"))
    check_out(at_order)
    note, lines = page.locator("#order-note"), page.get_by_role("list", name="What became of each line")
    expect(note).to_contain_text("not all lines were ordered")
    expect(note).to_contain_text("with a new Idempotency-Key")
    expect(lines.get_by_role("listitem").nth(0)).to_contain_text(app.seen()["orders"][0]["id"])
    expect(lines.get_by_role("listitem").nth(1)).to_contain_text("Not ordered")
    expect(lines.get_by_role("listitem").nth(1)).to_contain_text("800066")
    at_order.accessible()
    press(at_order, "Begin another order")
    expect(lines).to_have_count(0)
    simulate(app, "config", {"checkout_failures": {}})
    fill_cart(at_order, (LICENCES, "annual"))
    check_out(at_order)
    placed(at_order)

    assert len(app.seen()["orders"]) == 2


def test_lines_that_cannot_be_bought_are_named_and_the_corrected_cart_is_bought_once(
    app: App, at_order: Tab
) -> None:
    page, summary = at_order.page, at_order.page.locator("#order-form .summary")
    simulate(app, "config", {"cart_faults": {OFFER: 10003}, "checkout_failures": {LICENCES: 800066}})
    fill_cart(at_order, (LICENCES, "annual"), (OFFER, "one_time"))
    check_out(at_order)
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="Line 2, Catalog item ID").click()
    expect(page.locator("#offer-1")).to_be_focused()
    expect(page.locator("#offer-1-error")).to_contain_text("10003")
    at_order.accessible()
    press(at_order, "Remove line 2")
    check_out(at_order)
    expect(page.locator("#offer-0-error")).to_contain_text("800066")
    expect(summary).to_contain_text("The checkout made no order")
    simulate(app, "config", {"cart_faults": {}, "checkout_failures": {}})
    check_out(at_order)
    placed(at_order)

    assert len(app.seen()["orders"]) == 1


def test_a_cart_that_got_no_answer_is_sent_again_as_it_was_and_bought_once(app: App, at_order: Tab) -> None:
    page = at_order.page

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    page.route("**/checkouts", lose)
    fill_cart(at_order, (OFFER, "one_time"))
    check_out(at_order)
    expect(page.locator("#order-form .summary")).to_contain_text("Send it again, unchanged")
    for locked in ("Through a cart", "As a direct order", "Billing cycle"):
        expect(page.get_by_label(locked).first).to_be_disabled()
    page.unroute("**/checkouts")
    page.reload()
    at_order.use_key(app.stack.hosts[0].key)
    check_out(at_order)
    placed(at_order)

    assert len(app.seen()["orders"]) == 1


def test_what_was_typed_for_a_cart_is_kept_for_a_direct_order(app: App, at_order: Tab) -> None:
    page = at_order.page
    fill_cart(at_order, (OFFER, "one_time"))
    page.get_by_label("As a direct order").check()
    at_order.accessible()
    expect(page.get_by_label("Offer ID")).to_have_value(OFFER)
    page.get_by_label("Billing cycle").select_option("annual")
    place(at_order)
    placed(at_order)

    (order,) = app.seen()["orders"]
    assert app.http.get(f"{app.orders_url()}/{order['id']}").json()["billingCycle"] == "annual"


def test_large_files_go_past_the_app_and_an_upload_that_breaks_off_is_resumed(
    app: App, at_order: Tab
) -> None:
    order, page = app.new_order(), at_order.page
    first, second = pdf("PO 1.pdf", 2_500_000), pdf("PO 2.pdf", 2_000_000)
    broken: list[str] = []

    def breaks(route: Route) -> None:
        broken.append(route.request.url)
        route.abort("connectionreset")

    page.route(re.compile(r"/PO%202\.pdf\?"), breaks)
    fill_documents(at_order, order, first, second)
    press(at_order, "Attach the documents")
    page.get_by_role("heading", name=f"The upload for order {order} is not complete").wait_for()
    expect(page.get_by_role("progressbar", name="Upload of PO 1.pdf")).to_have_attribute("max", "2500000")
    assert (
        page.get_by_role("progressbar", name="Upload of PO 1.pdf").evaluate("(one) => one.value") == 2_500_000
    )
    at_order.accessible()
    page.unroute(re.compile(r"/PO%202\.pdf\?"))
    page.reload()
    at_order.use_key(app.stack.hosts[0].key)
    expect(page.locator("#documents-note")).to_contain_text("choose these files again: PO 2.pdf.")
    page.locator("#po-files").set_input_files([pdf("PO 2.pdf", 99)])
    expect(page.locator("#documents-note")).to_contain_text("Not what was sent, or changed since: PO 2.pdf")
    with page.expect_request(re.compile(r"/PO%202\.pdf\?")) as again:
        page.locator("#po-files").set_input_files([second])
        press(at_order, "Resume the upload")
    attached(at_order)

    assert broken == [again.value.url]
    assert names(app, order) == [["PO 1.pdf", "PO 2.pdf"]]
    assert page.evaluate("JSON.parse(sessionStorage.documents).upload") is None


def test_a_form_that_got_no_answer_is_sent_again_unchanged_unless_somebody_confirms_another_set(
    app: App, at_order: Tab, tmp_path: Path
) -> None:
    order, page = app.new_order(), at_order.page
    note, file = page.locator("#documents-note"), tmp_path / "PO.pdf"
    file.write_bytes(pdf("PO.pdf", 5000)["buffer"])

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    page.route("**/attachments", lose)
    fill_documents(at_order, order)
    page.locator("#po-files").set_input_files(file)
    press(at_order, "Attach the documents")
    expect(note).to_contain_text(f"The documents for order {order} may be attached")
    expect(page.locator("#price")).to_be_disabled()
    expect(page.get_by_role("button", name="Remove PO.pdf")).to_have_count(0)
    at_order.accessible()
    page.unroute("**/attachments")
    page.reload()
    at_order.use_key(app.stack.hosts[0].key)
    press(at_order, "Send them again")
    expect(note).to_contain_text("choose these files again: PO.pdf. Then send them again unchanged")
    page.locator("#po-files").set_input_files([pdf("PO.pdf", 5000)])
    expect(note).to_contain_text("Not what was sent, or changed since: PO.pdf")
    page.locator("#po-files").set_input_files(file)
    page.once("dialog", lambda dialog: dialog.dismiss())
    press(at_order, "Change the documents")
    expect(page.locator("#price")).to_be_disabled()
    press(at_order, "Send them again")
    attached(at_order)

    assert names(app, order) == [["PO.pdf"]]
    press(at_order, "Attach other documents")
    page.route("**/attachments", lambda route: route.abort())
    fill_documents(at_order, order, pdf("PO.pdf", 5000))
    press(at_order, "Attach the documents")
    page.once("dialog", lambda dialog: dialog.accept())
    press(at_order, "Change the documents")
    expect(page.locator("#price")).to_be_enabled()
    expect(page.get_by_role("button", name="Remove PO.pdf")).to_be_enabled()


def test_an_order_that_is_placed_leaves_documents_alone_that_are_chosen_for_another(
    app: App, at_order: Tab
) -> None:
    page = at_order.page
    for quantity, files in (("5", []), ("6", [pdf("PO.pdf", 5000)])):
        fill_order(at_order, quantity)
        place(at_order)
        placed(at_order)
        expect(page.locator("#order")).to_have_value(app.seen()["orders"][-1]["id"])
        page.locator("#po-files").set_input_files(files)
        press(at_order, "Begin another order")
    of_second = page.locator("#order").input_value()
    page.locator("#po-files").set_input_files([pdf("PO.pdf", 6000)])
    expect(page.locator("#documents-note")).to_contain_text("PO.pdf was replaced")
    fill_order(at_order, "7")
    place(at_order)
    placed(at_order)

    expect(page.locator("#order")).to_have_value(of_second)
    expect(page.locator("#files li")).to_have_count(1)


def test_an_answer_that_makes_no_sense_does_not_leave_the_form_at_work(app: App, at_order: Tab) -> None:
    page = at_order.page
    open_to_all = {"Access-Control-Allow-Origin": "*"}
    page.route("**/uploads", lambda route: route.fulfill(status=201, json={}, headers=open_to_all))
    fill_documents(at_order, app.new_order(), pdf("PO.pdf", 3_200_000))
    press(at_order, "Attach the documents")

    expect(page.locator("#documents-form .summary")).to_contain_text("This page could not go on")
    expect(page.locator("#price")).to_be_enabled()


def test_a_receipt_that_is_tried_again_does_not_tell_that_a_missing_file_has_arrived(
    app: App, at_order: Tab
) -> None:
    order, page = app.new_order(), at_order.page
    first, second = pdf("=?utf-8?Q?PO_=31=2Epdf?=", 2_500_000), pdf("PO 2.pdf", 2_000_000)
    receipt = {"state": "retrying", "files": [{"fileName": "PO 1.pdf"}]}
    open_to_all = {"Access-Control-Allow-Origin": "*"}
    page.route(re.compile(r"/PO%202\.pdf\?"), lambda route: route.abort("connectionreset"))
    page.route("**/drops/**", lambda route: route.fulfill(json=receipt, headers=open_to_all))
    fill_documents(at_order, order, first, second)
    press(at_order, "Attach the documents")
    page.get_by_role("heading", name=f"The upload for order {order} is not complete").wait_for()
    page.unroute_all()
    page.reload()
    at_order.use_key(app.stack.hosts[0].key)
    expect(page.locator("#documents-note")).to_contain_text("choose these files again: PO 2.pdf.")
    page.locator("#po-files").set_input_files([second])
    press(at_order, "Resume the upload")
    attached(at_order)

    assert names(app, order) == [["PO 1.pdf", "PO 2.pdf"]]


def test_a_page_that_is_reloaded_after_its_upload_goes_on_with_the_receipt(app: App, at_order: Tab) -> None:
    order, page = app.new_order(), at_order.page
    simulate(app, "faults", [{"on": "POST attachment", "do": {"kind": "delay", "seconds": 1}}])
    fill_documents(at_order, order, pdf("PO.pdf", 3_200_000))
    press(at_order, "Attach the documents")
    page.get_by_text("Waiting until they are attached").wait_for()
    expect(page.locator("#po-files")).to_be_disabled()
    page.reload()
    at_order.use_key(app.stack.hosts[0].key)
    attached(at_order)

    assert names(app, order) == [["PO.pdf"]]


def test_what_is_wrong_with_files_is_told_before_and_after_they_are_sent(app: App, at_order: Tab) -> None:
    order, page = app.new_order(), at_order.page
    cut = pdf("Cut.pdf", 3_200_000)
    fill_documents(at_order, order, {**pdf("Empty.pdf", 16), "buffer": b""})
    press(at_order, "Attach the documents")
    expect(page.locator("#documents-form .summary")).to_contain_text("Empty.pdf is empty")
    press(at_order, "Remove Empty.pdf")
    fill_documents(at_order, order, {**cut, "buffer": cut["buffer"][:-8]})
    page.locator("#price").fill("156,87")
    press(at_order, "Attach the documents")
    expect(page.locator("#price-error")).to_contain_text("decimal comma")
    page.locator("#price").fill("156.87")
    press(at_order, "Attach the documents")
    expect(page.locator("#documents-form .summary")).to_contain_text("Cut.pdf has no end")
    at_order.accessible()
    press(at_order, "Remove Cut.pdf")
    fill_documents(at_order, order, pdf("Whole.pdf", 3_200_000))
    press(at_order, "Attach the documents")
    attached(at_order)

    assert names(app, order) == [["Whole.pdf"]]


def test_files_can_be_dropped_on_their_place_and_do_nothing_beside_it(app: App, at_order: Tab) -> None:
    order = app.new_order()
    fill_documents(at_order, order)
    kept = at_order.page.evaluate(
        """() => {
          const moved = new DataTransfer();
          moved.items.add(new File(["%PDF-1.7 %%EOF"], "Dropped.pdf", {type: "application/pdf"}));
          const drop = (at) => !at.dispatchEvent(
            new DragEvent("drop", {dataTransfer: moved, bubbles: true, cancelable: true}));
          drop(document.getElementById("po-drop"));
          return drop(document.body);
        }"""
    )
    press(at_order, "Attach the documents")
    attached(at_order)

    assert names(app, order) == [["Dropped.pdf"]]
    assert kept, "the browser would open a file that is dropped beside the zone"


def test_a_wrong_key_is_explained_and_the_right_one_goes_on_with_the_same_request(app: App, tab: Tab) -> None:
    assert app.stack.pages
    page = tab.page
    page.goto(f"{app.stack.pages.url}/order/")
    fill_order(tab)
    place(tab)
    summary = page.locator("#order-form .summary")
    expect(summary).to_contain_text("You are not signed in")
    summary.get_by_role("link").click()
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    tab.use_key("not-the-key")
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.headers.get("idempotency-key", "")))
    place(tab)
    expect(summary).to_contain_text("The key was probably not accepted")
    expect(summary).to_contain_text("Correlation ID")
    press(tab, "Change the key")
    tab.use_key(app.stack.hosts[0].key)
    place(tab)
    placed(tab)

    keys = list(filter(None, sent))
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert len(app.seen()["orders"]) == 1


def test_offline_nothing_is_lost_and_online_again_it_is_sent(app: App, at_order: Tab) -> None:
    fill_order(at_order)
    at_order.page.context.set_offline(True)
    place(at_order)
    expect(at_order.page.locator("#order-form .summary")).to_contain_text("You are offline")
    at_order.accessible()
    at_order.page.context.set_offline(False)
    place(at_order)
    placed(at_order)

    assert len(app.seen()["orders"]) == 1


def test_a_page_of_another_origin_is_told_why_it_gets_no_answer(app: App, tab: Tab) -> None:
    assert app.stack.pages
    tab.page.goto(f"http://localhost:{app.stack.pages.port}/order/")
    tab.use_key(app.stack.hosts[0].key)
    fill_order(tab)
    place(tab)
    expect(tab.page.locator("#order-form .summary")).to_contain_text("ALLOWED_ORIGINS")

    assert app.seen()["orders"] == []


def test_the_pages_allow_themselves_no_more_than_they_need(app: App) -> None:
    assert app.stack.pages
    for path in ("/", "/order/", "/board/"):
        answer = requests.get(app.stack.pages.url + path, timeout=10)
        policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
        origins = f"{app.stack.hosts[0].url} http://127.0.0.1:{app.stack.azurite.blob_port}"

        assert policy == {
            **dict.fromkeys(("script-src", "style-src", "img-src"), "'self'"),
            **dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'"),
            "connect-src": origins,
        }
    assert requests.get(f"{app.stack.pages.url}/../README.md", timeout=10).status_code == 404
    assert (
        json.dumps(app.stack.hosts[0].key)
        not in requests.get(f"{app.stack.pages.url}/config.js", timeout=10).text
    )


def test_the_board_shows_what_the_application_lists_and_has_it_tried_now(app: App, tab: Tab) -> None:
    simulate(app, "faults", [{"on": "POST attachment", "do": {"kind": "throttle", "retry_after": 600}}])
    sidecar = {"customerId": CUSTOMER, "orderId": app.new_order(), "customerPrice": "1", "currency": "EUR"}
    app.drop("late/PO.pdf", pdf("PO.pdf", 4000)["buffer"])
    app.drop("late/PO.json", sidecar)
    app.receipt("late/PO.json", "retrying")
    app.drop("faulty/PO.json", {"customerId": CUSTOMER, "orderId": "5cf72f146967"})
    app.receipt("faulty/PO.json", "rejected")
    assert app.stack.pages
    tab.page.goto(f"{app.stack.pages.url}/board/#rejected")
    tab.use_key(app.stack.hosts[0].master_key)
    expect(tab.page.get_by_role("article").filter(has_text="faulty/PO.json")).to_contain_text(
        "/customerPrice"
    )

    tab.page.goto(f"{app.stack.pages.url}/board/#retrying")
    tab.page.get_by_role("button", name="Try now: Documents for order").click()
    tab.page.get_by_label("Who decides").fill("Ada")
    press(tab, "Try it now")

    expect(tab.page.locator("#board-note")).to_contain_text("decided for Documents for order")
