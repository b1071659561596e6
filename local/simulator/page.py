"""The page that shows a person what the simulated Partner Center holds and was asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from local.simulator.journal import Entry
from local.simulator.simulation import Simulation
from local.simulator.state import Attachment, Order, Origin, Submission

SHOWN_ORDERS = 100
SHOWN_REQUESTS = 50

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid #8884 }
code { font-size: .85em; overflow-wrap: anywhere }
"""


def page(simulation: Simulation) -> str:
    """Return the page: newest orders with what was attached to them, and the last requests."""
    with simulation.state.lock:
        there = simulation.state.orders.values()
        orders = [order for order in there if order.origin is not Origin.PADDING]
        padding = len(there) - len(orders)
        order_rows = [_order_row(order) for order in reversed(orders[-SHOWN_ORDERS:])]
    requests = [_request_row(entry) for entry in reversed(simulation.journal.entries()[-SHOWN_REQUESTS:])]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Partner Center simulator</title>'
        f"<style>{_STYLE}</style><h1>Partner Center simulator</h1>"
        f'<p>As JSON: <a href="/_sim/state">state</a>, <a href="/_sim/requests">requests</a>.</p>'
        f"<h2>Orders ({len(orders)}, and {padding} of earlier days)</h2>"
        f"{_table(('Created', 'Customer', 'Order', 'Status', 'Attached'), order_rows)}"
        f"<h2>Last requests</h2>"
        f"{_table(('Time', 'Request', 'Token', 'Answer', 'Fault', 'Bytes in', 'Seconds'), requests)}</html>"
    )


def _order_row(order: Order) -> Sequence[str]:
    attached = "".join(_submission(upload, upload in order.by_hand) for upload in order.uploads)
    changed = "".join(f"<br>changed by hand: {_code(json.dumps(change))}" for change in order.changes)
    placed = "<br>placed by hand" if order.origin is Origin.PORTAL else ""
    shown = f"{_code(order.id)}{placed}{changed}"
    return (_time(order.created), _code(order.customer), shown, escape(order.status), attached)


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


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}" for name in heads)
    return f"<table><tr>{head}{''.join(f'<tr>{_cells(row)}' for row in rows)}</table>"


def _cells(row: Sequence[str]) -> str:
    return "".join(f"<td>{cell}" for cell in row)


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}"
