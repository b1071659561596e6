"""Are the new attachments of an order the documents that were sent? The first of the two decisions.

What the answers mean stands in shared/core/matching.py.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import ceil, floor
from urllib.parse import unquote

from shared.core.ledger_parts import DocumentFacts
from shared.core.matching import Absent, Ambiguous, Ours, Verdict, pairing
from shared.core.resources import ListedAttachment


def match_documents(
    sent: Sequence[DocumentFacts],
    new: Sequence[ListedAttachment],
    siblings: Iterable[Sequence[DocumentFacts]] = (),
) -> Verdict:
    """Judge the entries, each with an id of its own, that are new since the snapshot and owned by no other
    submission.

    `siblings` are the documents of submissions of which something may show that no id is known of. They
    explain entries that fit them exactly and none of ours at all; what may be theirs as well is not provably
    ours.
    """
    theirs = [document for documents in siblings for document in documents]
    left = _unexplained(sent, new, theirs)
    if not left:
        return Absent()
    unreadable = sum(not entry.kind for entry in left)
    if unreadable:
        return Ambiguous(f"{unreadable} new attachments of the order cannot be read")
    fits, ids = _is_exactly, _exact(sent, left)
    if not ids and Counter(d.kind.lower() for d in sent) == Counter(entry.kind for entry in left):
        fits, ids = _may_be, nearest(sent, left)
    if not ids:
        return Ambiguous(_difference(sent, left))
    ours = [entry for entry in left if entry.id in ids]
    if any(fits(document, entry) for document in theirs for entry in ours):
        return Ambiguous("the new attachments may be those of another submission whose outcome is unknown")
    return Ours(ids, tuple(entry.id for entry in left if entry.id not in ids), fits is _is_exactly)


def match_without_base(sent: Sequence[DocumentFacts], unowned: Sequence[ListedAttachment]) -> Verdict:
    """Judge the entries that no submission owns when nobody knows which of them are older than the POST: what
    fits may have been there before."""
    if not unowned:
        return Absent()
    among = "is" if nearest(sent, unowned) else "is not"
    return Ambiguous(
        "the order's earlier attachments could not be read; it has "
        f"{len(unowned)} that belong to no submission, and what matches the documents {among} among them"
    )


def may_be_confused(some: Sequence[DocumentFacts], others: Sequence[DocumentFacts]) -> bool:
    """Whether a list of attachments may show a document of the one as it shows one of the other."""
    listed = [
        ListedAttachment("", d.kind.lower(), d.file_name, Decimal(ceil(d.size / unit)))
        for d in others
        for unit in (1, 1024)
    ]
    return any(_may_be(document, entry) for document in some for entry in listed)


def counts_suffice(sent: Sequence[DocumentFacts], listed: Sequence[ListedAttachment]) -> bool:
    """Whether a list holds at least as many entries of each kind as were sent."""
    there = Counter(entry.kind for entry in listed)
    return all(there[kind] >= n for kind, n in Counter(d.kind.lower() for d in sent).items())


def nearest(sent: Sequence[DocumentFacts], listed: Sequence[ListedAttachment]) -> tuple[str, ...]:
    """The ids that a person means who says that the documents are there: kind and name or size fit, and what
    agrees in all three comes first. None when there is not one for each document."""
    pairs = pairing(sent, listed, _is_exactly, _may_be)
    return tuple(listed[index].id for index in pairs) if pairs is not None else ()


def _unexplained(
    sent: Sequence[DocumentFacts], new: Sequence[ListedAttachment], theirs: Sequence[DocumentFacts]
) -> list[ListedAttachment]:
    """The entries but for those that are documents of siblings; each of these explains one."""
    others = [entry for entry in new if not any(_may_be(document, entry) for document in sent)]
    explained = pairing(others, theirs, lambda entry, document: _is_exactly(document, entry)) is not None
    return [entry for entry in new if not explained or entry not in others]


def _exact(sent: Sequence[DocumentFacts], entries: Sequence[ListedAttachment]) -> tuple[str, ...]:
    """An id for each document, when each has exactly one entry that agrees in everything; else none."""
    ids = []
    for document in sent:
        fitting = [entry.id for entry in entries if _is_exactly(document, entry)]
        if len(fitting) != 1:
            return ()
        ids += fitting
    return tuple(ids) if len(set(ids)) == len(ids) else ()


def _is_exactly(document: DocumentFacts, entry: ListedAttachment) -> bool:
    same_kind = entry.kind == document.kind.lower()
    return same_kind and _same_name(document.file_name, entry.name) and _same_size(document.size, entry.size)


def _may_be(document: DocumentFacts, entry: ListedAttachment) -> bool:
    """Whether kind and name agree and the size, in whatever unit, does not contradict (0 may be no size at
    all); or kind and size."""
    if entry.kind != document.kind.lower():
        return False
    if _same_name(document.file_name, entry.name):
        return not entry.size or _same_size(document.size, entry.size, coarse=True)
    return _same_size(document.size, entry.size)


def _same_size(size: int, listed: Decimal | None, *, coarse: bool = False) -> bool:
    """Whether a number can be the size: in bytes, or in thousands or 1,024s rounded either way. How it is
    rounded is not documented. `coarse` takes millions as well."""
    if listed is None:
        return False
    units = (1, 1000, 1024, *((1000**2, 1024**2) if coarse else ()))
    return any(floor(size / unit) <= listed <= ceil(size / unit) for unit in units)


def _same_name(sent: str, listed: str) -> bool:
    """Whether a listed name can be the one that was sent: as it was, escaped (as on the wire) or with what
    looked like an escape resolved, in another case or Unicode form, or its UTF-8 read as Latin-1."""
    raw = sent.encode()
    read = (sent, raw.decode("latin-1"), raw.decode("cp1252", "replace"))
    return any(not _forms(one).isdisjoint(_forms(listed)) for one in read)


def _forms(name: str) -> frozenset[str]:
    return frozenset((_folded(name), _folded(unquote(name))))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _difference(sent: Sequence[DocumentFacts], left: Sequence[ListedAttachment]) -> str:
    missing = [d.file_name for d in sent if not any(_may_be(d, entry) for entry in left)]
    extra = len(left) - len(sent)
    if missing and len(missing) < len(sent):
        return f"Partner Center has some of the documents, but nothing that matches {', '.join(missing)}"
    if missing:
        return f"the order has {len(left)} new attachments that match none of the documents"
    if extra > 0:
        return f"the order has {len(left)} new attachments that may be the {len(sent)} documents"
    return f"the order has {len(left)} new attachments for {len(sent)} documents"
