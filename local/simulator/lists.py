"""The lists of orders and attachments: what is in them at a moment, in which order, how much at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from local.simulator.paging import page_of
from local.simulator.replies import Reply, json_reply
from local.simulator.shapes import collection, in_order, pascal, shown_attachment, shown_order
from local.simulator.state import Attachment, Order
from local.simulator.switches import Switches


def list_orders(orders: Iterable[Order], now: float, token: str, url: str, switches: Switches) -> Reply:
    """Return the page of a customer's orders that `token` asks for; raises Refused.

    `now` is in seconds since 1970, `url` that of the whole list.
    """
    there = [order for order in orders if order.created + switches.list_lag <= now]
    page = page_of(in_order(there, switches.list_order), token, url, switches)
    shown = [shown_order(order, switches) for order in page.items]
    told = {**collection(shown, len(there), switches.order_casing, switches), **page.members}
    reply = json_reply(200, pascal(told) if switches.order_casing == "pascal" else told)
    return dataclasses.replace(reply, headers=page.headers)


def list_attachments(order: Order, now: float, token: str, url: str, switches: Switches) -> Reply:
    """Return the page of an order's attachments that `token` asks for; as `list_orders`."""
    there = visible_files(order, now, switches)
    page = page_of(in_order(there, switches.list_order), token, url, switches)
    told = {**_attachments(page.items, len(there), switches), **page.members}
    reply = json_reply(200, pascal(told) if switches.attachment_casing == "pascal" else told)
    return dataclasses.replace(reply, headers=page.headers)


def upload_reply(order: Order, files: Sequence[Attachment], now: float, switches: Switches) -> Reply:
    """Return the answer to the upload of `files`, which the order has already."""
    status = switches.upload_status
    if switches.upload_reply == "no_body":
        return Reply(status, committed=True)
    listed: list[Attachment] = []
    if switches.upload_reply == "files":
        seen = {item.id for item in (*visible_files(order, now, switches), *files)}
        listed = [i for i in order.attachments if i.id in seen] if switches.reply_lists_all else list(files)
    told = _attachments(in_order(listed, switches.list_order), len(listed), switches)
    shown = pascal(told) if switches.attachment_casing == "pascal" else told
    return json_reply(status, shown, committed=True)


def visible_files(order: Order, now: float, switches: Switches) -> list[Attachment]:
    """Return the files that a list shows by now, in seconds since 1970, oldest first."""
    found = []
    for upload in order.uploads:
        for place, item in enumerate(upload.files, start=1):
            share = place / len(upload.files) if switches.attachments_appear == "one_by_one" else 1
            if upload.at + switches.attachment_lag * share <= now:
                found.append(item)
    return found


def _attachments(files: Sequence[Attachment], total: int, switches: Switches) -> dict[str, object]:
    shown = [shown_attachment(item, switches) for item in files]
    return collection(shown, total, switches.attachment_casing, switches)
