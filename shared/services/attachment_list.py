"""An order's attachments as Partner Center lists them, read for judgement and for the record."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.core.ledger_parts import PartnerIds, RecordedAnswer
from shared.core.resources import Attachment, ListedAttachment, collection_text, read_attachment
from shared.partner_center.wire import Answer, Listing


@dataclass(frozen=True, slots=True)
class AttachmentList:
    """An order's list of attachments as it was read: entries that have an id, and whether that is all."""

    entries: tuple[ListedAttachment, ...]
    items: Mapping[str, Attachment]
    complete: bool
    ids: PartnerIds

    def beyond(self, *known: Collection[str]) -> list[ListedAttachment]:
        """The entries whose ids are not known already."""
        return [entry for entry in self.entries if not any(entry.id in ids for ids in known)]

    def of(self, ids: Sequence[str]) -> RecordedAnswer:
        """The collection of some of its entries, as Partner Center told them."""
        body = collection_text(self.items[i] for i in ids if i in self.items)
        return RecordedAnswer(status=201, body=body, ids=self.ids)


def read_list(items: Sequence[Any], *, complete: bool, answer: Answer | Listing) -> AttachmentList:
    """Read the items of a collection of attachments; one that has no id leaves the list incomplete."""
    entries: list[ListedAttachment] = []
    by_id: dict[str, Attachment] = {}
    for item in items:
        entry = read_attachment(item) if isinstance(item, Mapping) else None
        if entry is None:
            complete = False
        elif entry.id not in by_id:
            entries.append(entry)
            by_id[entry.id] = Attachment.documented(item)
    return AttachmentList(tuple(entries), by_id, complete, PartnerIds.of(answer.ids))
