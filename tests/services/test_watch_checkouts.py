"""The watch of orders that came of a checkout, and of orders that Partner Center tells of in odd ways."""

from __future__ import annotations

from typing import Any

from shared.core.ledger import State
from shared.core.moments import LONG_AGO
from shared.core.watched import WatchedOrder
from shared.services.orders import order_key
from tests.services.conftest import CUSTOMER, Office
from tests.services.steps import LICENCES, OTHERS, attach, check_out, fail
from tests.services.test_watch import look, reads, told

YEARLY: dict[str, Any] = {**LICENCES, "billingCycle": "annual", "quantity": 7}


def watches(office: Office) -> dict[str, WatchedOrder]:
    stored = office.services.ledger.read(order_key(CUSTOMER, "flow-1"))
    assert stored
    return dict(stored.record.orders)


def test_each_order_of_a_checkout_is_looked_at_one_in_each_sweep(office: Office) -> None:
    check_out(office, LICENCES, OTHERS, YEARLY)
    orders = watches(office)
    assert len(orders) == len(office.partner.state.orders) > 1
    for order in orders:
        office.partner.portal.change_order(order, {"status": "pending"})
    before = reads(office)
    office.clock.forward(hours=26)
    open_orders = sum(not one.ended for one in orders.values())
    for n in range(open_orders):
        assert reads(office) == before + n
        look(office)
    assert look(office) == 0
    assert reads(office) == before + open_orders
    assert {one.status for one in watches(office).values() if not one.ended} <= {"pending"}


def test_an_order_whose_id_is_written_in_another_case_is_watched_once(office: Office) -> None:
    office.partner.configure(every_order_needs_po=True)
    (order,) = check_out(office).submission.ids
    office.partner.state.orders[order.upper()] = office.partner.state.orders[order]
    assert attach(office, order.upper()).submission.state is State.DONE

    office.clock.forward(hours=26)
    look(office)
    look(office)
    assert watches(office)[order].ended == "documents"
    found, _ = office.services.listing.order_page("po_upload_complete", LONG_AGO)
    assert [item["orderId"] for item in found] == [order.upper()]


def test_an_order_with_the_date_of_no_moment_is_not_taken_for_an_old_one(office: Office) -> None:
    office.partner.configure(every_order_needs_po=True)
    (order,) = check_out(office).submission.ids
    office.partner.state.orders[order].body["creationDate"] = "0001-01-01T00:00:00Z"
    office.clock.forward(hours=26)
    look(office)
    assert told(office) == []
    assert watches(office)[order].reminded == 0


def test_while_partner_center_is_ill_no_other_order_is_looked_at(office: Office) -> None:
    office.partner.configure(every_order_needs_po=True)
    check_out(office, LICENCES, OTHERS, YEARLY)
    office.place("direct")
    office.clock.forward(hours=26)
    before = reads(office)
    fail(office, "GET order", times=-1, kind="status", status=503)
    look(office)
    assert reads(office) == before + 3, "one look, which is tried three times"
