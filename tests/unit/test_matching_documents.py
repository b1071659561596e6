"""Which of the documents that an order has are those that were sent: the rules as tables.

Each row tells a situation: what was sent, what is new at Partner Center since the snapshot and owned by no
other submission, and what follows from it. The file is a purchase order of 2,000,000 bytes (2,000 KB or
1,953.125 KiB) unless a row says otherwise.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.ledger_parts import DocumentFacts
from shared.core.matching import Absent, Ambiguous, Ours, Verdict
from shared.core.matching_documents import (
    counts_suffice,
    match_documents,
    match_without_base,
    may_be_confused,
    nearest,
)
from shared.core.resources import ListedAttachment, read_attachment

SIZE = 2_000_000
KIB = 1954


def sent(name: str = "PO.pdf", size: int = SIZE, kind: str = "POAttachment") -> DocumentFacts:
    return DocumentFacts(kind=kind, file_name=name, size=size, md5="d41d8cd98f00b204e9800998ecf8427e")


def there(
    attachment_id: str = "1", name: str = "PO.pdf", size: float | str | None = KIB, kind: str = "poattachment"
) -> ListedAttachment:
    return ListedAttachment(attachment_id, kind, name, None if size is None else Decimal(str(size)))


TENDER = "TenderAttachment"
PO, OFFER = sent(), sent("Offer.pdf", 3_000_000, TENDER)
PO_THERE, OFFER_THERE = there("po"), there("offer", "Offer.pdf", 2930, TENDER.lower())
SOMEBODY = there("x", "Contract.pdf", 7)

FITS_NONE = Ambiguous("the order has 1 new attachments that match none of the documents")
UNREADABLE_ONE = Ambiguous("1 new attachments of the order cannot be read")
A_SIBLINGS_TOO = Ambiguous("the new attachments may be those of another submission whose outcome is unknown")


def unknown_before(among: str) -> Ambiguous:
    return Ambiguous(
        "the order's earlier attachments could not be read; it has 1 that belong to no submission, and "
        f"what matches the documents {among} among them"
    )


@dataclass(frozen=True, slots=True)
class Row:
    says: str
    sent: Sequence[DocumentFacts]
    new: Sequence[ListedAttachment]
    verdict: Verdict
    in_review: Sequence[Sequence[DocumentFacts]] = ()


ALONE = [
    Row("nothing is new", [PO], [], Absent()),
    Row("it is there as it was sent", [PO], [PO_THERE], Ours(("po",))),
    Row("a set is there as it was sent", [PO, OFFER], [PO_THERE, OFFER_THERE], Ours(("po", "offer"))),
    Row("a set is there in another order", [PO, OFFER], [OFFER_THERE, PO_THERE], Ours(("po", "offer"))),
    Row(
        "of two files of one size each is known by its name",
        [sent("a.pdf"), sent("b.pdf")],
        [there("1", "b.pdf"), there("2", "a.pdf")],
        Ours(("2", "1")),
    ),
    Row(
        "two files of one name are known by their sizes",
        [sent("a.pdf", 2000), sent("a.pdf", 9000)],
        [there("1", "a.pdf", 9), there("2", "a.pdf", 2)],
        Ours(("2", "1")),
    ),
    Row("two files that are alike are both there", [PO, PO], [there("2"), there("1")], Ours(("1", "2"))),
    Row("the name was changed, the size fits", [PO], [there("1", "upload-1.pdf")], Ours(("1",))),
    Row("the name is missing, the size fits", [PO], [there("1", "")], Ours(("1",))),
    Row("the name fits, the size is missing", [PO], [there("1", size=None)], Ours(("1",))),
    Row(
        "the name fits, the size is 0 as if nobody had measured it", [PO], [there("1", size=0)], Ours(("1",))
    ),
    Row(
        "one of a set has another name",
        [PO, OFFER],
        [there("po", "upload-1.pdf"), OFFER_THERE],
        Ours(("po", "offer")),
    ),
    Row(
        "of two renamed files each fits one of the sizes, whichever is looked at first",
        [sent("a.pdf", 2_048_000), sent("b.pdf", 2_000_000)],
        [there("1", "~", 2000), there("2", "~", 2048)],
        Ours(("2", "1")),
    ),
    Row("nothing of what is new fits", [PO], [SOMEBODY], FITS_NONE),
    Row(
        "a file of that name has another size: it is another version",
        [PO],
        [there(size=1900)],
        FITS_NONE,
    ),
    Row(
        "a file of another name has no size",
        [PO],
        [there(name="upload-1.pdf", size=None)],
        FITS_NONE,
    ),
    Row("it is there as a tender", [PO], [there(kind=TENDER.lower())], FITS_NONE),
    Row(
        "a set is there in part",
        [PO, OFFER],
        [PO_THERE],
        Ambiguous("Partner Center has some of the documents, but nothing that matches Offer.pdf"),
    ),
    Row(
        "of a set of three one is there",
        [sent("b.pdf", 9000), PO, OFFER],
        [PO_THERE],
        Ambiguous("Partner Center has some of the documents, but nothing that matches b.pdf, Offer.pdf"),
    ),
    Row(
        "of a set one is there, and something else",
        [PO, sent("b.pdf", 9000)],
        [PO_THERE, there("x", "c.pdf", 7)],
        Ambiguous("Partner Center has some of the documents, but nothing that matches b.pdf"),
    ),
    Row(
        "of two that are alike one is there",
        [PO, PO],
        [PO_THERE],
        Ambiguous("the order has 1 new attachments for 2 documents"),
    ),
    Row(
        "what fits two of a set can be but one of them",
        [sent("a.pdf"), sent("b.pdf")],
        [there("1", "~"), SOMEBODY],
        Ambiguous("the order has 2 new attachments for 2 documents"),
    ),
]

WITH_OTHERS = [
    Row(
        "somebody attached another file meanwhile",
        [PO],
        [SOMEBODY, PO_THERE],
        Ours(("po",), foreign=("x",)),
    ),
    Row(
        "somebody attached another file of the same size",
        [PO],
        [PO_THERE, there("x", "Contract.pdf")],
        Ours(("po",), foreign=("x",)),
    ),
    Row(
        "somebody attached another version of the same name",
        [PO],
        [there("x", size=1900), PO_THERE],
        Ours(("po",), foreign=("x",)),
    ),
    Row(
        "somebody attached a tender of the same name and size",
        [PO],
        [PO_THERE, there("x", kind=TENDER.lower())],
        Ours(("po",), foreign=("x",)),
    ),
    Row(
        "somebody attached the same file by hand as well",
        [PO],
        [PO_THERE, there("x")],
        Ambiguous("the order has 2 new attachments that may be the 1 documents"),
    ),
    Row(
        "it has another name, and something else is new",
        [PO],
        [there("1", "upload-1.pdf"), SOMEBODY],
        Ambiguous("the order has 2 new attachments that may be the 1 documents"),
    ),
    Row(
        "one entry would have to stand for two documents",
        [sent("a.pdf", 2000), sent("a.pdf", 2001)],
        [there("1", "a.pdf", 2), there("x", "b.pdf", 7), there("y", "c.pdf", 8)],
        Ambiguous("the order has 3 new attachments that may be the 2 documents"),
    ),
]

UNREADABLE = [
    Row("the kind of what is new cannot be read", [PO], [there(kind="")], UNREADABLE_ONE),
    Row("it is there, and so is what cannot be read", [PO], [PO_THERE, there("2", kind="")], UNREADABLE_ONE),
    Row(
        "nothing that can be read of it but an id",
        [PO],
        [there("1", "", None, ""), there("2", "", None, "")],
        Ambiguous("2 new attachments of the order cannot be read"),
    ),
]

ALTERNATIVE = sent("Alternative.pdf", 5000)

IN_REVIEW = [
    Row(
        "what is new is a document in review",
        [PO],
        [there("s", "Alternative.pdf", 5)],
        Absent(),
        [[ALTERNATIVE]],
    ),
    Row(
        "what is new are documents of two submissions in review",
        [PO],
        [there("s", "Alternative.pdf", 5), there("t", "Old.pdf", 6)],
        Absent(),
        [[sent("Old.pdf", 6000)], [ALTERNATIVE, OFFER]],
    ),
    Row(
        "it is there beside a document in review",
        [PO],
        [there("s", "Alternative.pdf", 5), PO_THERE],
        Ours(("po",)),
        [[ALTERNATIVE]],
    ),
    Row(
        "it is there under another name beside a document in review",
        [PO],
        [there("s", "Alternative.pdf", 5), there("1", "upload-1.pdf")],
        Ours(("1",)),
        [[ALTERNATIVE]],
    ),
    Row(
        "a document in review explains one entry, not two",
        [PO],
        [there("s", "Alternative.pdf", 5), there("t", "Alternative.pdf", 5)],
        Ambiguous("the order has 2 new attachments that match none of the documents"),
        [[ALTERNATIVE]],
    ),
    Row(
        "a document in review does not explain what has another name",
        [PO],
        [there("s", "upload-1.pdf", 5)],
        FITS_NONE,
        [[ALTERNATIVE]],
    ),
    Row(
        "a document in review does not explain what has another size",
        [PO],
        [there("s", "Alternative.pdf", 6)],
        FITS_NONE,
        [[ALTERNATIVE]],
    ),
    Row(
        "a document in review does not explain what cannot be read",
        [PO],
        [there("s", "Alternative.pdf", 5, kind="")],
        UNREADABLE_ONE,
        [[ALTERNATIVE]],
    ),
    Row(
        "the same file is in review with other metadata: whose it is cannot be seen",
        [PO],
        [PO_THERE],
        A_SIBLINGS_TOO,
        [[PO]],
    ),
    Row(
        "of a set what is in review is there, and the rest is not",
        [PO, OFFER],
        [PO_THERE],
        Ambiguous("Partner Center has some of the documents, but nothing that matches Offer.pdf"),
        [[PO]],
    ),
    Row(
        "a document in review, of our size, has come late: it is not ours under another name",
        [PO],
        [there("s", "Alternative.pdf")],
        A_SIBLINGS_TOO,
        [[sent("Alternative.pdf")]],
    ),
    Row(
        "what has another name may be either's",
        [PO],
        [there("s", "upload-1.pdf")],
        A_SIBLINGS_TOO,
        [[sent("Alternative.pdf")]],
    ),
    Row(
        "what is exactly ours is not that of a document in review of the same size",
        [PO],
        [PO_THERE],
        Ours(("po",)),
        [[sent("Alternative.pdf")]],
    ),
    Row(
        "what is exactly ours is not that of an older version in review",
        [PO],
        [PO_THERE],
        Ours(("po",)),
        [[sent("PO.pdf", 1_900_000)]],
    ),
    Row(
        "what is somebody's may be that of a document in review",
        [PO],
        [PO_THERE, there("s", "Alternative.pdf")],
        Ours(("po",), foreign=("s",)),
        [[sent("Alternative.pdf")]],
    ),
]


@pytest.mark.parametrize(
    "row", [*ALONE, *WITH_OTHERS, *UNREADABLE, *IN_REVIEW], ids=lambda row: row.says.replace(" ", "-")
)
def test_what_is_new_since_the_snapshot(row: Row) -> None:
    assert row.verdict == match_documents(row.sent, row.new, row.in_review)


@pytest.mark.parametrize(
    ("says", "size"),
    [
        ("bytes", 2_000_000),
        ("bytes as text", "2000000"),
        ("thousands", 2000),
        ("1,024s, rounded down", 1953),
        ("1,024s, rounded up", 1954),
        ("1,024s, with a fraction", "1953.125"),
        ("millions", 2),
        ("1,048,576s, rounded down", 1),
        ("1,048,576s, with a fraction", "1.91"),
    ],
)
def test_a_size_may_be_told_in_any_unit_where_the_name_fits(says: str, size: float | str) -> None:
    assert match_documents([PO], [there("1", size=size)]) == Ours(("1",))


@pytest.mark.parametrize("size", [3, 1952, 1955, 1999, 2001, 1_999_999, 2_000_001, -2000, "1E+40"])
def test_a_size_that_is_none_in_any_unit_is_another_files(size: float | str) -> None:
    assert match_documents([PO], [there(size=size)]) == FITS_NONE


@pytest.mark.parametrize(
    ("size", "told", "fits"),
    [
        (5_100_000, [4, 5, 6, 4980, 4981, 5100], True),
        (5_100_000, [3, 7, 4979, 4982, 5099, 5101], False),
        (50_000_000, [47, 48, 50, 48828, 48829, 50000], True),
        (50_000_000, [46, 49, 51, 48827, 48830, 49999, 50001], False),
        (50 * 1024 * 1024, [50, 52, 53, 51200, 52428, 52429], True),
        (50 * 1024 * 1024, [49, 51, 54, 51199, 51201, 52427, 52430], False),
    ],
)
def test_a_unit_is_a_thousand_or_1024_rounded_either_way(size: int, told: list[int], fits: bool) -> None:
    verdict = Ours(("1",)) if fits else FITS_NONE

    assert [match_documents([sent("PO.pdf", size)], [there("1", size=one)]) for one in told] == [
        verdict
    ] * len(told)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_size_in_millions_says_too_little_where_the_name_is_another(size: float) -> None:
    assert match_documents([PO], [there(name="upload-1.pdf", size=size)]) == FITS_NONE


@pytest.mark.parametrize("size", [0, 1, 999])
def test_a_small_file_may_be_told_as_none_or_one(size: int) -> None:
    assert match_documents([sent("PO.pdf", 999)], [there("1", "~", size)]) == Ours(("1",))


RENDERINGS = [
    ("in capitals", "Büro №1.pdf", "BÜRO №1.PDF"),
    ("with ss in capitals", "Straße.pdf", "STRASSE.PDF"),
    ("in decomposed letters", "Büro.pdf", unicodedata.normalize("NFD", "Büro.pdf")),
    ("in composed letters", unicodedata.normalize("NFD", "Büro.pdf"), "Büro.pdf"),
    ("with spaces around", "PO.pdf", " PO.pdf "),
    ("with quotes escaped as on the wire", 'PO "77".pdf', "PO %2277%22.pdf"),
    ("with all of it escaped", "Büro 77%.pdf", quote("Büro 77%.pdf", safe="")),
    ("with what looked like an escape escaped", "PO%2077.pdf", "PO%252077.pdf"),
    ("with what looked like an escape resolved", "PO%2077.pdf", "PO 77.pdf"),
    ("its UTF-8 read as Latin-1", "Bürö\u20131.pdf", "Bürö\u20131.pdf".encode().decode("latin-1")),
    ("its UTF-8 read as Windows-1252", "Büro\u20131.pdf", "BÃ¼roâ€\u201c1.pdf"),
    ("read as Latin-1 and escaped", 'ü"1".pdf', "Ã¼%221%22.pdf"),
    ("read as Windows-1252, of which not every byte is a letter", "Á\u20131.pdf", "Ã\ufffdâ€\u201c1.pdf"),
]


@pytest.mark.parametrize(("says", "name", "listed"), RENDERINGS)
def test_a_name_may_come_back_changed(says: str, name: str, listed: str) -> None:
    assert match_documents([sent(name)], [there("1", listed, None)]) == Ours(("1",))


@pytest.mark.parametrize("listed", ["", "PO", "PO.pd", "PO1.pdf", "PO.pdf.pdf", "P O.pdf", "~"])
def test_another_name_is_another_file(listed: str) -> None:
    assert match_documents([PO], [there("1", listed, None)]) == FITS_NONE


@pytest.mark.parametrize("order", [*itertools.permutations([1000, 1010, 1020])])
def test_renamed_documents_of_nearly_equal_size_are_all_found_in_any_order(order: tuple[int, ...]) -> None:
    documents = [sent(f"{kib}.pdf", kib * 1024) for kib in (1020, 1000, 1010)]
    listed = [there(str(kib), "~", kib) for kib in order]

    assert match_documents(documents, listed) == Ours(("1020", "1000", "1010"))


# --- when nobody knows what the order had before ------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "unowned", "verdict"),
    [
        ("the order has nothing that nobody owns", [], Absent()),
        ("what fits exactly may have been there before", [PO_THERE], unknown_before("is")),
        ("so may what fits nearly", [there("1", "~")], unknown_before("is")),
        ("what does not fit may be ours, changed", [SOMEBODY], unknown_before("is not")),
        ("what cannot be read is not absent", [there(kind="")], unknown_before("is not")),
    ],
)
def test_without_a_snapshot(says: str, unowned: list[ListedAttachment], verdict: Verdict) -> None:
    assert verdict == match_without_base([PO], unowned)


@pytest.mark.parametrize(
    ("says", "listed", "suffices"),
    [
        ("each kind in its number", [PO_THERE, OFFER_THERE], True),
        ("more than that", [PO_THERE, OFFER_THERE, SOMEBODY], True),
        ("no tender, since its part was dropped", [PO_THERE, SOMEBODY], False),
        ("what cannot be read does not count", [PO_THERE, there(kind="")], False),
        ("nothing", [], False),
    ],
)
def test_how_many_of_each_kind_a_201_lists(says: str, listed: list[ListedAttachment], suffices: bool) -> None:
    assert counts_suffice([PO, OFFER], listed) is suffices


@pytest.mark.parametrize(
    ("says", "others", "alike"),
    [
        ("equal", [PO], True),
        ("one of two", [OFFER, PO], True),
        ("another kind", [sent(kind=TENDER)], False),
        ("another name, and a size that is listed alike", [sent("other.pdf", SIZE + 1)], True),
        ("another name and size", [sent("other.pdf", SIZE + 2048)], False),
        ("the name in another case, and another size", [sent("po.PDF", SIZE - 1)], True),
        ("the name, and a size that no list takes for it", [sent(size=SIZE * 3)], False),
        ("nothing", [], False),
    ],
)
def test_which_documents_a_list_may_show_alike(says: str, others: list[DocumentFacts], alike: bool) -> None:
    assert may_be_confused([PO], others) is alike
    assert may_be_confused(others, [PO]) is alike


@pytest.mark.parametrize(
    ("says", "listed", "ids"),
    [
        ("what is exactly it", [PO_THERE], ("po",)),
        ("what is exactly it, before what is like it", [there("x", "~"), PO_THERE], ("po",)),
        ("what is like it", [SOMEBODY, there("1", "~")], ("1",)),
        ("nothing is like it", [SOMEBODY], ()),
    ],
)
def test_what_a_person_means_who_says_that_it_is_there(
    says: str, listed: list[ListedAttachment], ids: tuple[str, ...]
) -> None:
    assert nearest([PO], listed) == ids


def test_a_person_who_says_that_a_set_is_there_means_all_of_it() -> None:
    assert nearest([PO, OFFER], [PO_THERE, SOMEBODY]) == ()


# --- reading an entry ---------------------------------------------------------------------------------------

DOCUMENTED = {
    "attachmentId": "88d4e3b4b9d74c",
    "fileName": "PO_Part1.pdf",
    "sizeInKB": 1391,
    "attachmentType": "POAttachment",
}
READ = ListedAttachment("88d4e3b4b9d74c", "poattachment", "PO_Part1.pdf", Decimal(1391))


@pytest.mark.parametrize(
    ("says", "changes", "listed"),
    [
        ("as documented", {}, READ),
        ("an enumeration in snake case", {"attachmentType": "po_attachment"}, READ),
        ("spaces around the kind", {"attachmentType": " POAttachment "}, READ),
        ("a tender", {"attachmentType": "tenderattachment"}, replace(READ, kind="tenderattachment")),
        ("a kind that nobody knows", {"attachmentType": "Invoice"}, replace(READ, kind="")),
        ("a kind that is a number", {"attachmentType": 1}, replace(READ, kind="")),
        ("no kind", {"attachmentType": None}, replace(READ, kind="")),
        ("no name", {"fileName": None}, replace(READ, name="")),
        ("a size with a fraction", {"sizeInKB": Decimal("1390.6")}, replace(READ, size=Decimal("1390.6"))),
        ("a size as text", {"sizeInKB": " 1391 "}, READ),
        ("a size with its unit", {"sizeInKB": "1391 KB"}, replace(READ, size=None)),
        ("a size that is none", {"sizeInKB": "NaN"}, replace(READ, size=None)),
        ("a size without end", {"sizeInKB": 10**5000}, replace(READ, size=None)),
        ("a size that is true", {"sizeInKB": True}, replace(READ, size=None)),
        ("no size", {"sizeInKB": None}, replace(READ, size=None)),
        ("no id", {"attachmentId": None}, None),
        ("an id that is a number", {"attachmentId": 88}, None),
        ("an empty id", {"attachmentId": " "}, None),
    ],
)
def test_an_entry_of_the_list_is_read_as_far_as_it_can_be(
    says: str, changes: dict[str, object], listed: ListedAttachment | None
) -> None:
    assert read_attachment(DOCUMENTED | changes) == listed


def test_members_of_an_entry_may_be_spelt_in_any_case() -> None:
    assert read_attachment({name.upper(): value for name, value in DOCUMENTED.items()}) == READ


def test_an_entry_without_members_is_none() -> None:
    assert read_attachment({}) is None


# --- what holds for all of them -----------------------------------------------------------------------------

_LETTERS = st.text(
    st.one_of(
        st.sampled_from('aBÜßéñÅ "%2\u2013№名'), st.characters(codec="utf-8", exclude_categories=["C", "Z"])
    ),
    min_size=1,
    max_size=8,
)
names = _LETTERS.map(lambda stem: f"{stem}.pdf")
kinds = st.sampled_from(["POAttachment", TENDER])
documents = st.builds(sent, names, st.integers(1, 40_000_000), kinds)
document_sets = st.lists(documents, min_size=1, max_size=4)
entries = st.builds(
    there,
    st.just(""),
    st.one_of(names, st.just("")),
    st.one_of(st.none(), st.integers(0, 45_000_000)),
    st.sampled_from(["poattachment", TENDER.lower(), ""]),
)


@st.composite
def rendered(draw: st.DrawFn, document: DocumentFacts) -> ListedAttachment:
    """An entry as Partner Center may tell a document: with its name or its size, or both, changed."""
    name, unit = document.file_name, draw(st.sampled_from([1, 1000, 1024]))
    shown = draw(
        st.sampled_from(
            [
                name,
                unicodedata.normalize("NFD", name),
                unicodedata.normalize("NFC", name),
                name.casefold(),
                name.replace('"', "%22"),
                quote(name, safe=""),
                name.encode().decode("latin-1"),
                name.encode().decode("cp1252", "replace"),
            ]
        )
    )
    rounded = draw(st.sampled_from([document.size // unit, -(-document.size // unit)]))
    size, name = draw(st.sampled_from([(rounded, shown), (None, shown), (rounded, "upload-1.pdf")]))
    return there("", name, size, document.kind.lower())


def numbered(listed: Sequence[ListedAttachment]) -> list[ListedAttachment]:
    return [replace(entry, id=str(n)) for n, entry in enumerate(listed)]


@st.composite
def situations(
    draw: st.DrawFn,
) -> tuple[list[DocumentFacts], list[ListedAttachment], list[list[DocumentFacts]]]:
    """What was sent; what is new: most of it, as it may be told, and more; what is in review."""
    ours = draw(document_sets)
    of_review = st.one_of([relatives(document) for document in ours])
    in_review = draw(st.lists(st.lists(of_review, min_size=1, max_size=2), max_size=2))
    listed = [draw(rendered(document)) for document in ours if draw(st.integers(0, 5))]
    of_others = [rendered(document) for document in [*itertools.chain(*in_review), *ours]]
    listed += draw(st.lists(st.one_of(entries, *of_others), max_size=2))
    return ours, draw(st.permutations(numbered(listed))), in_review


@st.composite
def relatives(draw: st.DrawFn, document: DocumentFacts) -> DocumentFacts:
    """Another document, which has its name, or nearly its size, or both, or neither."""
    other = draw(documents)
    size = max(1, document.size + draw(st.integers(-1100, 1100)))
    name, size = draw(
        st.sampled_from([(document.file_name, size), (other.file_name, size), (other.file_name, 1)])
    )
    return sent(name, size, document.kind)


@settings(deadline=None)
@given(st.data(), documents, document_sets, st.lists(entries, max_size=3))
def test_what_may_be_a_document_of_ours_is_never_absent(
    data: st.DataObject, document: DocumentFacts, rest: list[DocumentFacts], others: list[ListedAttachment]
) -> None:
    listed = numbered([data.draw(rendered(document)), *others])
    in_review = data.draw(st.lists(relatives(document), max_size=3))

    assert match_documents([document, *rest], listed, [in_review]) != Absent()
    assert match_without_base([document, *rest], listed) != Absent()


@settings(deadline=None)
@given(st.data(), document_sets)
def test_documents_that_are_there_alone_under_their_names_and_in_their_sizes_are_ours(
    data: st.DataObject, ours: list[DocumentFacts]
) -> None:
    """The names are those that were sent, and the sizes of the set's files are far enough apart."""
    apart = [sent(d.file_name, 100_000 * 3**n, d.kind) for n, d in enumerate(ours)]
    unit = data.draw(st.sampled_from([1, 1000, 1024]))
    listed = data.draw(
        st.permutations(
            [there(str(n), d.file_name, d.size // unit, d.kind.lower()) for n, d in enumerate(apart)]
        )
    )

    assert match_documents(apart, listed) == Ours(tuple(str(n) for n in range(len(apart))))


@settings(deadline=None)
@given(situations())
def test_ours_are_as_many_different_entries_as_documents_and_the_rest_is_foreign(
    situation: tuple[list[DocumentFacts], list[ListedAttachment], list[list[DocumentFacts]]],
) -> None:
    ours, listed, in_review = situation
    verdict = match_documents(ours, listed, in_review)
    ids, foreign = (verdict.ids, verdict.foreign) if isinstance(verdict, Ours) else ((), ())

    assert len({*ids, *foreign}) == len(ids) + len(foreign)
    assert {*ids, *foreign} <= {entry.id for entry in listed}
    assert len(ids) in (len(ours), 0)


@settings(deadline=None)
@given(situations(), st.randoms())
def test_the_order_in_which_entries_are_listed_does_not_count(
    situation: tuple[list[DocumentFacts], list[ListedAttachment], list[list[DocumentFacts]]], random: Random
) -> None:
    ours, listed, in_review = situation
    verdict = match_documents(ours, listed, in_review)
    for some in (listed, ours, in_review):
        random.shuffle(some)

    assert essence(match_documents(ours, listed, in_review)) == essence(verdict)


def essence(verdict: Verdict) -> object:
    if isinstance(verdict, Ours):
        return set(verdict.ids), set(verdict.foreign)
    return type(verdict)


@settings(deadline=None)
@given(situations())
def test_what_is_in_review_only_ever_explains_the_rest(
    situation: tuple[list[DocumentFacts], list[ListedAttachment], list[list[DocumentFacts]]],
) -> None:
    """Nothing is ours for its sake."""
    ours, listed, in_review = situation
    verdict = match_documents(ours, listed, in_review)
    if isinstance(verdict, Ours):
        told = [entry for entry in listed if entry.id in {*verdict.ids, *verdict.foreign}]
        assert match_documents(ours, told) == verdict


@pytest.mark.parametrize(
    ("says", "listed", "exact"),
    [
        ("as it was sent", there("1"), True),
        ("under another name", there("1", "upload-1.pdf"), False),
        ("without a size", there("1", size=None), False),
    ],
)
def test_what_came_back_changed_is_ours_and_not_exactly(
    says: str, listed: ListedAttachment, exact: bool
) -> None:
    verdict = match_documents([PO], [listed])

    assert isinstance(verdict, Ours), says
    assert verdict.exact is exact
