"""What answers of Partner Center contain, as far as it is read: orders, attachments, collections.

Members are found whatever their case, since the published examples differ in it.
https://learn.microsoft.com/en-us/partner-center/developer/order-resources
https://learn.microsoft.com/en-us/rest/api/partner-center/manage-orders/get-attachments-for-an-order
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import Field

from shared.core.ledger_parts import StoredModel
from shared.core.strict_json import dumps

Json = Mapping[str, Any]

_MEMBERS = {name.lower(): name for name in ("attachmentId", "fileName", "sizeInKB", "attachmentType")}
_LONGEST_MEMBER = 1024


class Attachment(StoredModel):
    """An attachment as Partner Center described it: the documented members, with the values that came."""

    attachment_id: Any = None
    file_name: Any = None
    size_in_kb: Any = Field(default=None, alias="sizeInKB")
    attachment_type: Any = None

    @classmethod
    def documented(cls, item: Json) -> Attachment:
        """The documented members of an entry, shortened; nothing else goes into the ledger."""
        found = {_MEMBERS.get(str(name).lower(), ""): value for name, value in item.items()}
        scalars = {name: value for name, value in found.items() if isinstance(value, str | int | Decimal)}
        kept = {
            name: value[:_LONGEST_MEMBER] if isinstance(value, str) else value
            for name, value in scalars.items()
            if name
        }
        return cls.model_validate(kept)


def by_lower_name(members: Json) -> dict[str, Any]:
    """The members of an object by their names in lower case."""
    return {str(name).lower(): value for name, value in members.items()}


def items_of(collection: object) -> list[Any]:
    """The items of a collection (`{"items": […]}`); none when it is no collection."""
    items = collection.get("items") if isinstance(collection, Mapping) else None
    return items if isinstance(items, list) else []


def id_of(order: Json) -> str:
    """What Partner Center calls an order, "" when it does not say."""
    order_id = order.get("id", by_lower_name(order).get("id"))
    return "" if order_id is None else str(order_id)


@dataclass(frozen=True, slots=True)
class PartnerOrder:
    """An order, of Partner Center's or as it was sent, as far as it can be read.

    `json` is all of it, `members` the same by their names in lower case; `lines` likewise, none when they
    cannot be read; `created` is the text of its creation date, "" when there is none.
    """

    json: Json
    id: str = field(compare=False)
    created: str = field(compare=False)
    members: Json = field(compare=False)
    lines: tuple[Json, ...] = field(compare=False)


def read_order(order: Json) -> PartnerOrder:
    """Read an order; nothing that it may hold is an error."""
    members = by_lower_name(order)
    created, lines = members.get("creationdate"), members.get("lineitems")
    readable = isinstance(lines, list) and all(isinstance(line, Mapping) for line in lines)
    return PartnerOrder(
        json=order,
        id=id_of(order),
        created=created.strip() if isinstance(created, str) else "",
        members=members,
        lines=tuple(by_lower_name(line) for line in lines) if isinstance(lines, list) and readable else (),
    )


def number(value: object) -> Decimal | None:
    """A number by its value, given as one or as text; None when it is none."""
    try:
        read = Decimal(str(value))
    except (InvalidOperation, ValueError):  # ValueError: an integer of thousands of digits
        return None
    return read if read.is_finite() else None


_KINDS = ("poattachment", "tenderattachment")


@dataclass(frozen=True, slots=True)
class ListedAttachment:
    """An entry of an order's list of attachments, as far as it can be read.

    `kind` is the attachment type in lower case, "" when it cannot be read; `size` the number of `sizeInKB`,
    in whatever unit, None when there is none.
    """

    id: str
    kind: str
    name: str
    size: Decimal | None


def read_attachment(item: Json) -> ListedAttachment | None:
    """Read one entry; None when it has no id to know it by. Enumerations come in Pascal case or with
    underscores, as others of Partner Center's do."""
    members = by_lower_name(item)
    attachment_id, name = members.get("attachmentid"), members.get("filename")
    if not isinstance(attachment_id, str) or not attachment_id.strip():
        return None
    kind = str(members.get("attachmenttype")).strip().lower().replace("_", "")
    return ListedAttachment(
        id=attachment_id,
        kind=kind if kind in _KINDS else "",
        name=name if isinstance(name, str) else "",
        size=number(members.get("sizeinkb")),
    )


def attachments_in(body: str) -> tuple[Attachment, ...]:
    """The attachments in the collection that a record keeps as text; none when it cannot be read."""
    try:
        collection = json.loads(body)
    except ValueError:
        return ()
    return tuple(Attachment.model_validate(item) for item in items_of(collection) if isinstance(item, dict))


def collection_text(attachments: Iterable[Attachment]) -> str:
    """The collection of these attachments, as Partner Center writes one."""
    items = [attachment.model_dump(by_alias=True, exclude_defaults=True) for attachment in attachments]
    body = {"totalCount": len(items), "items": items, "attributes": {"objectType": "Collection"}}
    return dumps(body)


def named_attachments_text(ids: Iterable[str]) -> str:
    """The collection of attachments of which a person gave the ids alone."""
    return json.dumps({"items": [{"attachmentId": i} for i in ids]})


def named_order_text(order_id: str) -> str:
    """The order of which a person gave the id alone."""
    return json.dumps({"id": order_id})
