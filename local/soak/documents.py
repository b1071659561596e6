"""Documents and what is said about them, and the fingerprint by which a submission is known again."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.pdf import one_page

PO = "POAttachment"
TENDER = "TenderAttachment"
_LARGE = 9_000_000

_NAMES = (
    "PO {}.pdf",
    "Bestellung Übersee {}.pdf",
    "100% of it {}.pdf",
    "\u8a02\u55ae {}.PDF",
    "Devis n° {} (1).pdf",
)


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its file name, its kind as Partner Center names it, its bytes."""

    name: str
    kind: str
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Case:
    """What somebody wants attached: which documents, to which order, and what is said about them."""

    customer: str
    order: str
    metadata: Mapping[str, Any]
    documents: tuple[Document, ...]

    @property
    def fingerprint(self) -> str:
        """The same for the same documents and metadata, whatever the files are called."""
        return fingerprint(self.metadata, ((p.kind, p.sha256) for p in self.documents))

    def files(self) -> dict[str, bytes]:
        """The documents as a set, with the metadata.json that names them."""
        return {**{p.name: p.content for p in self.documents}, "metadata.json": self.sidecar(named=True)}

    def sidecar(self, *, named: bool) -> bytes:
        """The sidecar's JSON; `named` lists the files in it."""
        said: dict[str, Any] = {"customerId": self.customer, "orderId": self.order, **self.metadata}
        if named:
            said["poFiles"] = [p.name for p in self.documents if p.kind == PO]
            said["tenderFiles"] = [p.name for p in self.documents if p.kind == TENDER]
        return json.dumps(said).encode()


def fingerprint(metadata: Mapping[str, Any], files: Iterable[tuple[str, str]]) -> str:
    """Of metadata as Partner Center receives it, and (kind, SHA-256) of each file."""
    said = {name: value for name, value in metadata.items() if value is not None}
    said.setdefault("isPartOfTender", False)
    text = json.dumps([said, sorted(files)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def new_document(rng: random.Random, name: str, kind: str = PO) -> Document:
    """A new document; one in a hundred is large enough for a receipt that says `submitting`."""
    filler = _LARGE if rng.random() < 0.01 else rng.choice([0, 2_000, rng.randrange(60_000)])
    return Document(name, kind, one_page(f"{kind} {rng.getrandbits(64):x}", filler=filler))


def metadata(rng: random.Random, *, tender: bool = False) -> dict[str, Any]:
    """Metadata as a sidecar holds it."""
    said: dict[str, Any] = {
        "isPartOfTender": tender,
        "customerPrice": f"{rng.randrange(1, 9999)}.{rng.randrange(100):02}",
        "currency": rng.choice(["EUR", "CAD", "USD"]),
    }
    if rng.random() < 0.3:
        said["fxRate"] = f"1.{rng.randrange(1, 99)}"
    return said


def single(rng: random.Random, customer: str, order: str) -> Case:
    """One purchase order for an order."""
    return Case(customer, order, metadata(rng), (new_document(rng, "PO.pdf"),))


def several(rng: random.Random, customer: str, order: str) -> Case:
    """One to three purchase orders, and up to two tenders."""
    documents = [new_document(rng, rng.choice(_NAMES).format(n)) for n in range(rng.randrange(1, 4))]
    tenders = [new_document(rng, f"Tender {n}.pdf", TENDER) for n in range(rng.randrange(0, 3))]
    return Case(customer, order, metadata(rng, tender=bool(tenders)), (*documents, *tenders))


def invalid_sidecar(rng: random.Random, case: Case) -> bytes:
    """A sidecar with an error, which cannot be sent."""
    said = json.loads(case.sidecar(named=False))
    match rng.choice(["price", "currency", "tender", "cut off"]):
        case "price":
            del said["customerPrice"]
        case "currency":
            said["currency"] = "EURO"
        case "tender":
            said["isPartOfTender"] = True
        case _:
            return json.dumps(said).encode()[:-9]
    return json.dumps(said).encode()
