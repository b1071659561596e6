"""The lists of orders and attachments: what is in them at a moment, in which order, how much at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from local.simulator.behaviour import Behaviour
from local.simulator.paging import page_of
from local.simulator.replies import Reply, json_reply
from local.simulator.shapes import collection, in_order, pascal, shown_attachment, shown_order
from local.simulator.state import Attachment, Order


def list_orders(orders: Iterable[Order], now: float, token: str, url: str, behaviour: Behaviour) -> Reply:
    """Return the page of a customer's orders that `token` asks for; raises Refused.

    `now` is in seconds since 1970, `url` that of the whole list.
    """
    there = [order for order in orders if order.created + behaviour.list_lag <= now]
    page = page_of(in_order(there, behaviour.list_order), token, url, behaviour)
    shown = [shown_order(order, behaviour) for order in page.items]
    told = {**collection(shown, len(there), behaviour.order_casing, behaviour), **page.members}
    reply = json_reply(200, pascal(told) if behaviour.order_casing == "pascal" else told)
    return dataclasses.replace(reply, headers=page.headers)


def list_attachments(order: Order, now: float, token: str, url: str, behaviour: Behaviour) -> Reply:
    """Return the page of an order's attachments that `token` asks for; as `list_orders`."""
    there = visible_files(order, now, behaviour)
    page = page_of(in_order(there, behaviour.list_order), token, url, behaviour)
    told = {**_attachments(page.items, len(there), behaviour), **page.members}
    reply = json_reply(200, pascal(told) if behaviour.attachment_casing == "pascal" else told)
    return dataclasses.replace(reply, headers=page.headers)


def upload_reply(order: Order, files: Sequence[Attachment], now: float, behaviour: Behaviour) -> Reply:
    """Return the answer to the upload of `files`, which the order has already."""
    status = behaviour.upload_status
    if behaviour.upload_reply == "no_body":
        return Reply(status, committed=True)
    listed: list[Attachment] = []
    if behaviour.upload_reply == "files":
        seen = {item.id for item in (*visible_files(order, now, behaviour), *files)}
        listed = [i for i in order.attachments if i.id in seen] if behaviour.reply_lists_all else list(files)
    told = _attachments(in_order(listed, behaviour.list_order), len(listed), behaviour)
    shown = pascal(told) if behaviour.attachment_casing == "pascal" else told
    return json_reply(status, shown, committed=True)


def visible_files(order: Order, now: float, behaviour: Behaviour) -> list[Attachment]:
    """Return the files that a list shows by now, in seconds since 1970, oldest first."""
    found = []
    for upload in order.uploads:
        for place, item in enumerate(upload.files, start=1):
            share = place / len(upload.files) if behaviour.attachments_appear == "one_by_one" else 1
            if upload.at + behaviour.attachment_lag * share <= now:
                found.append(item)
    return found


def _attachments(files: Sequence[Attachment], total: int, behaviour: Behaviour) -> dict[str, object]:
    shown = [shown_attachment(item, behaviour) for item in files]
    return collection(shown, total, behaviour.attachment_casing, behaviour)
