"""What a drop is, and what to do with one: pure decisions about what was seen in storage.

The rules
1. A sidecar is a `.json` blob; a document is a `.pdf` blob (any case). All else is ignored: folder markers,
   empty names, other endings, and what programs leave beside files (`._x`, `~$x`).
2. `a/PO_77.json` and `a/PO_77.pdf.json` belong to `a/PO_77.pdf`, the latter also to `a/PO_77.pdf.pdf`;
   `a/metadata.json` names its files. Any sidecar may name files of its own folder in `poFiles` and
   `tenderFiles`.
3. The sidecar is the drop: its path is the receipt's path. What a drop needs is decided from the sidecar
   and the files as they are now, never from which event came first.
4. A document's event wakes the sidecar of its stem; where there is none, every sidecar that depends on it. A
   sidecar registers its dependency on each file that it misses, complains of, or names explicitly, and looks
   once more after it has: so either the file's event finds the dependency, or the second look finds the file.
   A file that a sidecar of its stem and another one name wakes the first at once, the other with the sweep.
5. Inputs are never changed, moved or deleted.
6. The sidecar is the signal to send. One version of it (its ETag) sends one set of documents: what changes
   afterwards goes out when the sidecar is dropped again. Copy tools write `PO.json` before `PO.pdf`, so a
   version under which nothing new was sent is not spent. Of a set that was sent before, a document that is
   newer than the sidecar waits for the sidecar as well.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.core.errors import Violation
from shared.core.ids import has_dot_segment
from shared.core.models import Role

SIDECAR_ENDING, DOCUMENT_ENDING = ".json", ".pdf"
SET_SIDECAR = "metadata.json"
MAX_BLOB_NAME = 1024
"""Characters of a blob's name."""


_LITTER = ("._", "~$")
"""Begins the names of what macOS and Office leave beside files.
AppleDouble: https://www.rfc-editor.org/rfc/rfc1740"""


def is_sidecar(name: str) -> bool:
    """Whether a blob of that name is a sidecar."""
    return _is_named(name, SIDECAR_ENDING)


def is_document(name: str) -> bool:
    """Whether a blob of that name is a document."""
    return _is_named(name, DOCUMENT_ENDING)


def _is_named(name: str, ending: str) -> bool:
    file = _file_name(name)
    return file.endswith(ending) and file != ending and not file.startswith(_LITTER)


def can_have_receipt(name: str) -> bool:
    """Whether storage takes the name that the receipt of a sidecar or document would bear: at most 1,024
    characters, and no segment that leads elsewhere.
    https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata#blob-names"""
    receipt = name if is_sidecar(name) else receipt_of_document(name)
    return len(receipt) <= MAX_BLOB_NAME and not has_dot_segment(name)


def _file_name(name: str) -> str:
    return name.rpartition("/")[2].lower()


def stem_sidecar(document: str) -> str:
    """The sidecar of the same stem in the same folder."""
    return f"{document[:-4]}.json"


def own_sidecars(document: str) -> tuple[str, str]:
    """The sidecars that are named after a document. Its event looks at the first alone, to save a request:
    the second registers its dependency (rule 4), and the sweep looks at both."""
    return stem_sidecar(document), receipt_of_document(document)


def receipt_of_document(document: str) -> str:
    """Where the receipt of a document without a sidecar lies: where that of `PO.pdf.json` would."""
    return f"{document}.json"


@dataclass(frozen=True, slots=True)
class RequiredFile:
    """A file that a sidecar needs: the names under which it may lie, in the order of looking."""

    role: Role
    file_name: str
    paths: tuple[str, ...]
    named: bool
    """Whether the sidecar names it, rather than being named after it."""


def required_files(
    sidecar: str, po_files: Sequence[str], tender_files: Sequence[str]
) -> tuple[RequiredFile, ...]:
    """Every file that a sidecar needs. Empty when it is a set that names no purchase order."""
    folder = sidecar.rpartition("/")[0]

    def at(name: str) -> str:
        return f"{folder}/{name}" if folder else name

    required = []
    if po_files:
        required += [RequiredFile(Role.PURCHASE_ORDER, n, (at(n),), named=True) for n in po_files]
    elif sidecar.rpartition("/")[2].lower() != SET_SIDECAR:
        stem = sidecar[: -len(".json")]
        paths = (f"{stem}.pdf", f"{stem}.PDF")
        if is_document(stem):  # PO.pdf.json, of PO.pdf or of PO.pdf.pdf
            paths = (stem, f"{stem}.pdf")
        name = paths[0].rpartition("/")[2]
        required.append(RequiredFile(Role.PURCHASE_ORDER, name, paths, named=False))
    required += [RequiredFile(Role.TENDER, n, (at(n),), named=True) for n in tender_files]
    return tuple(required)


def nearly(missing: str, names: Iterable[str]) -> list[str]:
    """What to say of the names in a folder that nearly are that of a missing file: another letter case,
    another Unicode form, blanks, another ending."""
    said, (stem, _, ending) = [], _alike(missing).rpartition(".")
    for name in names:
        other_stem, _, other_ending = _alike(name).rpartition(".")
        if name == missing or other_stem != stem or other_ending == "json":
            continue
        how = "in letter case, blanks or Unicode form"
        if other_ending != ending:
            how = f"in its ending: it is no .{ending}"
        said.append(f"{name} lies there, and differs from {missing} {how}")
    return said


def _alike(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file as it lies in storage; `faults` is what keeps it from being sent, `incomplete` why it is not all
    there yet, as far as that is known."""

    name: str
    path: str
    role: Role
    etag: str
    size: int
    faults: tuple[str, ...]
    incomplete: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Files are missing, or are not all there yet (`incomplete` says of each why)."""

    missing: tuple[str, ...]
    incomplete: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """The drop cannot be sent as it is."""

    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class Submit:
    """Everything is there and sound."""


Decision = Wait | Reject | Submit


def decide(
    violations: Sequence[Violation],
    required: Sequence[RequiredFile],
    found: Mapping[str, FoundFile],
    most_files: int,
    most_bytes: int,
) -> Decision:
    """What to do with a drop: faults first, since waiting for a file does not cure a sidecar.

    `found` maps the file name that is required to what lies there; `most_bytes` is what one request can
    carry.
    """
    faults = list(violations)
    if not faults and not any(r.role is Role.PURCHASE_ORDER for r in required):
        faults.append(Violation("/poFiles", "a set must name at least one purchase order in poFiles"))
    named = Counter(r.file_name for r in required)
    twice = sorted(name for name, times in named.items() if times > 1)
    faults += [Violation("/tenderFiles", f"{name} is required twice, once in each role") for name in twice]
    if len(required) > most_files:
        faults.append(
            Violation("/poFiles", f"{len(required)} files are named; at most {most_files} are allowed")
        )
    faults += [Violation("", fault) for f in found.values() for fault in f.faults]
    total = sum(f.size for f in found.values())
    if total > most_bytes:
        faults.append(
            Violation("", f"the files total {total} bytes; one request carries at most {most_bytes}")
        )
    if faults:
        return Reject(tuple(faults))
    missing = tuple(r.file_name for r in required if r.file_name not in found)
    incomplete = tuple(f.incomplete for f in found.values() if f.incomplete)
    return Wait(missing, incomplete) if missing or incomplete else Submit()


def dependencies_to_register(
    sidecar: str, required: Sequence[RequiredFile], found: Mapping[str, FoundFile]
) -> list[str]:
    """Paths on which the sidecar registers its dependency (rule 4): not where the file's own event looks
    anyway, and always where neither its event nor the sweep would look, as for `PO.JSON`."""
    return [
        path
        for r in required
        for path in r.paths
        if r.named
        or r.file_name not in found
        or found[r.file_name].faults
        or found[r.file_name].incomplete
        or sidecar not in own_sidecars(path)
        if sidecar != stem_sidecar(path)
    ]
