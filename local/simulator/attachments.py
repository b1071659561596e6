"""Reads the parts of an upload as a model binder would, and checks them as the documents say.

Names match without regard to case, and a part that nothing is called after disappears without a word:
that is how a form binder behaves, and why a client must compare the answer with what it sent.
https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from local.simulator.behaviour import Behaviour
from local.simulator.multipart_reader import MalformedMultipartError, Part, header_value
from local.simulator.replies import Refused, refused
from local.simulator.state import KINDS, Attachment
from local.simulator.strict_json import StrictJsonError, canonical, read_object

METADATA_FIELDS = ("isPartOfTender", "customerPrice", "currency", "fxRate", "tenderLink")


class Upload:
    """The parts of one request, sorted by what they mean. Raises Refused where the documents say so."""

    def __init__(self, parts: Sequence[Part], behaviour: Behaviour) -> None:
        self.pos = _named(parts, behaviour.po_part_names)
        self.tenders = _named(parts, behaviour.tender_part_names)
        forms = [part for part in _named(parts, ("metadata",)) if part.filename is None]
        known = {id(part) for part in (*self.pos, *self.tenders, *forms)}
        self.dropped = tuple(part.name for part in parts if id(part) not in known)
        self.metadata = _metadata_text(forms)
        part_of_tender, link = _check_metadata(self.metadata)
        if not self.pos:
            raise refused("900252")
        if part_of_tender and not link and not self.tenders:
            raise refused("900253")
        for part in (*self.pos, *self.tenders):
            _check_file(part)

    def forget(self, name: str) -> None:
        """Lose the files of the parts called `name`, after all was accepted."""
        lost = [part for part in (*self.pos, *self.tenders) if part.name.lower() == name.lower()]
        self.pos = [part for part in self.pos if part not in lost]
        self.tenders = [part for part in self.tenders if part not in lost]
        self.dropped += tuple(part.name for part in lost)

    def files(self, room: int) -> tuple[Attachment, ...]:
        """Return the files with ids of 14 hex digits; contents beyond `room` bytes are not kept."""
        result = []
        for kind, parts in zip(KINDS, (self.pos, self.tenders), strict=True):
            for part in parts:
                content = part.content if part.content is not None and part.size <= room else None
                room -= len(content or b"")
                result.append(_attachment(part, kind, content))
        return tuple(result)


def _attachment(part: Part, kind: str, content: bytes | None) -> Attachment:
    return Attachment(
        id=secrets.token_hex(7),
        file_name=part.filename or "",
        kind=kind,
        content_type=part.content_type,
        size=part.size,
        sha256=part.sha256,
        content=content,
    )


def _named(parts: Sequence[Part], names: Sequence[str]) -> list[Part]:
    wanted = {name.lower() for name in names}
    return [part for part in parts if part.name.lower() in wanted]


def _metadata_text(forms: Sequence[Part]) -> bytes:
    if len(forms) != 1:
        raise refused("900254", "Exactly one metadata part is expected.")
    kind = forms[0].content_type.partition(";")[0].strip().lower()
    if kind not in ("", "application/json", "text/plain"):
        raise refused("900254", "The metadata part is not JSON.")
    return forms[0].content or b""


def _check_metadata(text: bytes) -> tuple[bool, str]:
    try:
        metadata = canonical(read_object(text), METADATA_FIELDS, known_only=False)
    except StrictJsonError as error:
        raise refused("900254", str(error)) from None
    if _decimal(metadata.get("customerPrice")) is None:
        raise refused("900254", "CustomerPrice is missing or not a number.")
    if not re.fullmatch("[A-Za-z]{3}", str(metadata.get("currency", ""))):
        raise refused("900254", "Currency is missing or not a currency code.")
    if "fxRate" in metadata and _decimal(metadata["fxRate"]) is None:
        raise refused("900254", "FxRate is not a number.")
    part_of_tender = metadata.get("isPartOfTender", False)
    if not isinstance(part_of_tender, bool):
        raise refused("900254", "IsPartOfTender is not true or false.")
    link = metadata.get("tenderLink", "")
    if not isinstance(link, str) or (link and not _is_absolute(link)):
        raise refused("900254", "TenderLink is not an absolute address.")
    return part_of_tender, link


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _is_absolute(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _check_file(part: Part) -> None:
    if not part.filename:
        raise _no_file(part, "has no file name")
    try:
        kind, _ = header_value(part.content_type)
    except MalformedMultipartError:
        kind = ""
    if kind != "application/pdf":
        raise _no_file(part, "is not application/pdf")


def _no_file(part: Part, reason: str) -> Refused:
    return refused("800002", f"A part called {part.name} {reason}.")
