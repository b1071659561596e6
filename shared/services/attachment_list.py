"""An order's attachments as Partner Center lists them, read for judgement and for the record."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared.core.ledger_parts import Answer as KeptAnswer
from shared.core.ledger_parts import PartnerIds
from shared.core.matching_documents import Listed, read_listed
from shared.partner_center.wire import Answer, Listing


@dataclass(frozen=True, slots=True)
class AttachmentList:
    """An order's list of attachments as it was read: entries that have an id, and whether that is all."""

    entries: tuple[Listed, ...]
    items: Mapping[str, Any]
    complete: bool
    ids: PartnerIds

    def beyond(self, *known: Collection[str]) -> list[Listed]:
        """The entries whose ids are not known already."""
        return [entry for entry in self.entries if not any(entry.id in ids for ids in known)]

    def of(self, ids: Sequence[str]) -> KeptAnswer:
        """The collection of some of its entries, as Partner Center told them."""
        kept = [self.items[i] for i in ids if i in self.items]
        body = {"totalCount": len(kept), "items": kept, "attributes": {"objectType": "Collection"}}
        text = json.dumps(body, ensure_ascii=False, default=float)
        return KeptAnswer(status=201, body=text, ids=self.ids)


def read_list(items: Sequence[Any], *, complete: bool, answer: Answer | Listing) -> AttachmentList:
    """Read the items of a collection of attachments; one that has no id leaves the list incomplete."""
    entries: list[Listed] = []
    by_id: dict[str, Any] = {}
    for item in items:
        entry = read_listed(item) if isinstance(item, Mapping) else None
        if entry is None:
            complete = False
        elif entry.id not in by_id:
            entries.append(entry)
            by_id[entry.id] = _documented(item)
    return AttachmentList(tuple(entries), by_id, complete, PartnerIds.of(answer.ids))


_MEMBERS = {name.lower(): name for name in ("attachmentId", "fileName", "sizeInKB", "attachmentType")}
_LONGEST_MEMBER = 1024


def _documented(item: Mapping[str, Any]) -> dict[str, Any]:
    """The documented members of an entry under their documented names; nothing else goes into the ledger."""
    found = {_MEMBERS.get(str(name).lower(), ""): value for name, value in item.items()}
    scalars = {name: value for name, value in found.items() if isinstance(value, str | int | Decimal)}
    return {
        name: value[:_LONGEST_MEMBER] if isinstance(value, str) else value
        for name, value in scalars.items()
        if name
    }
