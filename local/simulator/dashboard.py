"""The page that shows the orders, carts, requests and faults of the simulated Partner Center."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from local.simulator.faults import KINDS, OPERATIONS, Faults
from local.simulator.journal import Entry
from local.simulator.simulation import Simulation
from local.simulator.state import Attachment, Cart, CartLine, Order, Origin, Submission

SHOWN_ORDERS = 100
SHOWN_CARTS = 100
SHOWN_REQUESTS = 50

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 84rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { line-height: 1.2 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid #8884 }
p, ul { margin: 0 0 .5rem }
ul { padding-left: 1.2rem }
code { font-size: .85em }
code, a { overflow-wrap: anywhere }
time { white-space: nowrap }
@media (max-width: 60rem) {
  table, tbody, tr, td { display: block }
  tr:has(th) { display: none }
  tr { border-bottom: 2px solid #8888; padding: .6rem 0 }
  td { border: 0; padding: .1rem 0 }
  td:empty { display: none }
  td::before { content: attr(data-label) ": "; font-weight: bold }
}
"""
_EXAMPLE = '[{"on": "POST order", "do": {"kind": "lose_reply"}}]'


def dashboard(simulation: Simulation) -> str:
    """Return the page: newest orders with what was attached to them, carts, last requests, faults."""
    simulation.review()
    with simulation.state.lock:
        there = simulation.state.orders.values()
        orders = [order for order in there if order.origin is not Origin.PADDING]
        padding = len(there) - len(orders)
        carts = list(simulation.state.carts.values())
        now = simulation.clock()
        cart_rows = [_cart_row(cart, now) for cart in reversed(carts[-SHOWN_CARTS:])]
        order_rows = [_order_row(order) for order in reversed(orders[-SHOWN_ORDERS:])]
    requests = [_request_row(entry) for entry in reversed(simulation.journal.entries()[-SHOWN_REQUESTS:])]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Partner Center simulator</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style><h1>Partner Center simulator</h1>"
        f'<p>As JSON: <a href="/_sim/state">state</a>, <a href="/_sim/requests">requests</a>. '
        f"All times are UTC.</p>"
        f"<h2>Orders ({len(orders)}, and {padding} of earlier days)</h2>"
        f"{_table(('Created', 'Customer', 'Order', 'Status', 'Attached'), order_rows)}"
        f"<h2>Carts ({len(carts)})</h2>"
        f"{_table(('Created', 'Customer', 'Cart', 'Status', 'Lines', 'Orders'), cart_rows)}"
        f"<h2>Last requests</h2>"
        f"{_table(('Time', 'Request', 'Token', 'Answer', 'Fault', 'Bytes in', 'Seconds'), requests)}"
        f"<h2>Faults</h2>{_faults(simulation.faults)}</html>"
    )


def _faults(faults: Faults) -> str:
    return (
        f"<p>In force: {_code(json.dumps(faults.as_json()))}</p>"
        f"<p>To lose the answer to the next order, POST {_code(_EXAMPLE)} to {_code('/_sim/faults')}; "
        f"DELETE {_code('/_sim/faults')} ends all faults.</p>"
        f"<p>{_code('on')} is one of {_code(', '.join((*OPERATIONS, 'any')))}, "
        f"{_code('kind')} one of {_code(', '.join(KINDS))}: see {_code('local/simulator/faults.py')}.</p>"
    )


def _order_row(order: Order) -> Sequence[str]:
    attached = "".join(_submission(upload, upload in order.by_hand) for upload in order.uploads)
    changed = "".join(f"<br>changed by hand: {_code(json.dumps(change))}" for change in order.changes)
    placed = "<br>placed by hand" if order.origin is Origin.PORTAL else ""
    bought = f"<br>of the cart {_code(order.cart)}" if order.cart else ""
    shown = f"{_code(order.id)}{bought}{placed}{changed}"
    return (_time(order.created), _code(order.customer), shown, escape(order.status), attached)


def _cart_row(cart: Cart, now: float) -> Sequence[str]:
    status = "Ordered" if cart.ordered else "expired" if cart.expires <= now else "Active"
    lines = "".join(f"<li>{_cart_line(line)}</li>" for line in cart.all_lines)
    orders = [f"group {_code(group)}: {_code(order.id)}" for group, order in cart.placed.items()]
    orders += [f"group {_code(group)}: failed with {code}" for group, code in cart.failed.items()]
    return (
        _time(cart.created),
        _code(cart.customer),
        f"{_code(cart.id)}<br>expires {_time(cart.expires)}",
        status,
        f"<ul>{lines}</ul>",
        "".join(f"<p>{order}</p>" for order in (*orders, f"checkouts: {cart.checkouts}")),
    )


def _cart_line(line: CartLine) -> str:
    fields = line.fields
    term = fields.get("termDuration", "no term")
    said = f"{fields['quantity']} of {line.item}, {fields['billingCycle']}, {term}"
    fault = f", error {line.fault}" if line.fault else ""
    return f"{_code(said)}, group {_code(line.group)}{fault}"


def _submission(submission: Submission, by_hand: bool) -> str:
    if by_hand:
        return f"<p>{_time(submission.at)} by hand</p><ul>{_files(submission)}</ul>"
    dropped = f"<br>ignored: {escape(', '.join(submission.dropped))}" if submission.dropped else ""
    return f"<p>{_time(submission.at)} {_code(submission.metadata)}{dropped}</p><ul>{_files(submission)}</ul>"


def _files(submission: Submission) -> str:
    return "".join(f"<li>{_file(item)}</li>" for item in submission.files)


def _file(item: Attachment) -> str:
    name = escape(item.file_name)
    if item.content is not None:
        name = f'<a href="/_sim/attachments/{escape(item.id)}">{name}</a>'
    return f"{name}, {item.kind}, {item.size:,} bytes<br>{_code(item.sha256)}"


def _request_row(entry: Entry) -> Sequence[str]:
    answer = "no answer" if entry.status is None else f"{entry.status} {escape(entry.code)}"
    return (
        _time(entry.at),
        _code(f"{entry.method} {entry.path}"),
        entry.caller,
        f"{answer}{' (committed)' if entry.committed else ''}",
        escape(entry.fault),
        f"{entry.request_bytes:,}",
        f"{entry.seconds:.3f}",
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}" for name in heads)
    return f"<table><tr>{head}{''.join(f'<tr>{_cells(heads, row)}' for row in rows)}</table>"


def _cells(heads: Sequence[str], row: Sequence[str]) -> str:
    named = zip(heads, row, strict=True)
    return "".join(f'<td data-label="{escape(name)}">{cell}</td>' for name, cell in named)


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _time(seconds: float) -> str:
    return f"<time>{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}</time>"
