"""What a drop is, what it needs, what is done with it, and which receipt replaces which: tables of rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.drop_rules import (
    MAX_BLOB_NAME,
    Decision,
    FoundFile,
    Reject,
    RequiredFile,
    Submit,
    Wait,
    can_have_receipt,
    decide,
    dependencies_to_register,
    is_document,
    is_sidecar,
    own_sidecars,
    receipt_of_document,
    required_files,
    stem_sidecar,
)
from shared.core.errors import Violation
from shared.core.models import Role
from shared.core.moments import LONG_AGO
from shared.core.receipt_parts import FileEntry, Receipt, ReceiptBody, ReceiptState
from shared.core.receipt_rules import seconds_to_receipt, supersedes, with_previous

# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sidecar", "document"),
    [
        ("a/PO.json", True, False),
        ("PO.JSON", True, False),
        ("a/PO.pdf.json", True, False),
        ("a/metadata.json", True, False),
        ("a/PO.pdf", False, True),
        ("PO.PDF", False, True),
        ("a/._PO.pdf", False, False),
        ("a/~$PO.pdf", False, False),
        ("a/._metadata.json", False, False),
        ("a/.DS_Store", False, False),
        ("Thumbs.db", False, False),
        ("a/~PO$.pdf", False, True),
        ("a/.json", False, False),
        ("a/.pdf", False, False),
        (".json", False, False),
        (".pdf", False, False),
        ("a.json/", False, False),
        ("a.pdf/b", False, False),
        ("a/PO.pdf.tmp", False, False),
        ("", False, False),
    ],
)
def test_a_sidecar_and_a_document_are_known_by_their_endings(
    name: str, sidecar: bool, document: bool
) -> None:
    assert (is_sidecar(name), is_document(name)) == (sidecar, document)


@pytest.mark.parametrize(
    ("name", "can"),
    [
        ("a/PO.pdf", True),
        ("a/PO.json", True),
        ("n" * (MAX_BLOB_NAME - 5) + ".json", True),
        ("n" * (MAX_BLOB_NAME - 4) + ".json", False),
        ("n" * (MAX_BLOB_NAME - 9) + ".pdf", True),
        ("n" * (MAX_BLOB_NAME - 8) + ".pdf", False),
        ("a/../PO.json", False),
        ("./PO.pdf", False),
        ("a/..PO.json", True),
    ],
    ids=lambda value: str(value)[-20:],
)
def test_a_receipt_needs_a_name_that_storage_takes(name: str, can: bool) -> None:
    assert can_have_receipt(name) is can


def test_a_document_has_two_sidecars_of_its_own() -> None:
    assert own_sidecars("a/PO.PDF") == ("a/PO.json", "a/PO.PDF.json")
    assert stem_sidecar("a/PO.PDF") == "a/PO.json"
    assert receipt_of_document("a/PO.PDF") == "a/PO.PDF.json"


# --- what a drop needs --------------------------------------------------------------------------------------


def need(name: str, *paths: str, role: Role = Role.PURCHASE_ORDER, named: bool = True) -> RequiredFile:
    return RequiredFile(role, name, paths, named)


PAIR = need("PO.pdf", "a/PO.pdf", "a/PO.PDF", named=False)
ONE, TWO = need("1.pdf", "a/1.pdf"), need("2.pdf", "a/2.pdf")
TENDER = need("t.pdf", "a/t.pdf", role=Role.TENDER)


@pytest.mark.parametrize(
    ("sidecar", "po_files", "tender_files", "required"),
    [
        ("a/PO.json", (), (), (PAIR,)),
        ("PO.json", (), (), (need("PO.pdf", "PO.pdf", "PO.PDF", named=False),)),
        ("a/PO.pdf.json", (), (), (need("PO.pdf", "a/PO.pdf", "a/PO.pdf.pdf", named=False),)),
        (
            "a/PO.PDF.JSON",
            (),
            (),
            (need("PO.PDF", "a/PO.PDF", "a/PO.PDF.pdf", named=False),),
        ),
        ("a/PO.json", (), ("t.pdf",), (PAIR, TENDER)),
        ("a/PO.json", ("1.pdf", "2.pdf"), (), (ONE, TWO)),
        ("a/metadata.json", ("1.pdf",), ("t.pdf",), (ONE, TENDER)),
        ("metadata.json", ("1.pdf",), (), (need("1.pdf", "1.pdf"),)),
        ("a/metadata.json", (), (), ()),
        ("a/Metadata.JSON", (), ("t.pdf",), (TENDER,)),
    ],
)
def test_which_files_a_sidecar_needs(
    sidecar: str, po_files: Sequence[str], tender_files: Sequence[str], required: tuple[RequiredFile, ...]
) -> None:
    assert required_files(sidecar, po_files, tender_files) == required


def lies(name: str, size: int = 1000, *faults: str, path: str = "") -> FoundFile:
    return FoundFile(name, path or f"a/{name}", Role.PURCHASE_ORDER, "etag", size, faults)


MOST_FILES, MOST_BYTES = 3, 2500


def reject(pointer: str, detail: str) -> Reject:
    return Reject((Violation(pointer, detail),))


@pytest.mark.parametrize(
    ("says", "violations", "required", "found", "decision"),
    [
        ("all is there", (), (PAIR,), (lies("PO.pdf"),), Submit()),
        ("a set is there", (), (ONE, TENDER), (lies("1.pdf"), lies("t.pdf")), Submit()),
        ("as much as one request carries", (), (PAIR,), (lies("PO.pdf", 2500),), Submit()),
        ("the document is missing", (), (PAIR,), (), Wait(("PO.pdf",))),
        ("some of a set are missing", (), (ONE, TWO, TENDER), (lies("2.pdf"),), Wait(("1.pdf", "t.pdf"))),
        (
            "the sidecar is at fault: that no file is named is no news",
            (Violation("/currency", "is required"),),
            (),
            (),
            reject("/currency", "is required"),
        ),
        (
            "a file is at fault while another is missing",
            (),
            (ONE, TWO),
            (lies("1.pdf", 1, "1.pdf is not a PDF"),),
            reject("", "1.pdf is not a PDF"),
        ),
        (
            "a set names no purchase order",
            (),
            (TENDER,),
            (lies("t.pdf"),),
            reject("/poFiles", "a set must name at least one purchase order in poFiles"),
        ),
        (
            "one file is named in both roles",
            (),
            (ONE, need("1.pdf", "a/1.pdf", role=Role.TENDER)),
            (lies("1.pdf"),),
            reject("/tenderFiles", "1.pdf is required twice, once in each role"),
        ),
        (
            "too many files are named",
            (),
            (ONE, TWO, TENDER, PAIR),
            (),
            reject("/poFiles", "4 files are named; at most 3 are allowed"),
        ),
        (
            "the files are too large together",
            (),
            (ONE, TWO),
            (lies("1.pdf", 1501), lies("2.pdf")),
            reject("", "the files total 2501 bytes; one request carries at most 2500"),
        ),
        (
            "every fault is told at once",
            (Violation("/currency", "is required"),),
            (ONE, TWO, TENDER, PAIR),
            (lies("1.pdf", 2501, "is odd", "is old"),),
            Reject(
                (
                    Violation("/currency", "is required"),
                    Violation("/poFiles", "4 files are named; at most 3 are allowed"),
                    Violation("", "is odd"),
                    Violation("", "is old"),
                    Violation("", "the files total 2501 bytes; one request carries at most 2500"),
                )
            ),
        ),
    ],
)
def test_what_to_do_with_a_drop(
    says: str,
    violations: Sequence[Violation],
    required: Sequence[RequiredFile],
    found: Sequence[FoundFile],
    decision: Decision,
) -> None:
    there = {file.name: file for file in found}

    assert decide(violations, required, there, MOST_FILES, MOST_BYTES) == decision


@pytest.mark.parametrize(
    ("says", "sidecar", "required", "found", "paths"),
    [
        ("its own document looks for it by itself", "a/PO.json", (PAIR,), (), []),
        ("also when it is there", "a/PO.json", (PAIR,), (lies("PO.pdf"),), []),
        (
            "the longer name is found by nobody",
            "a/PO.pdf.json",
            (need("PO.pdf", "a/PO.pdf", named=False),),
            (),
            ["a/PO.pdf"],
        ),
        (
            "but need not be found when all is well",
            "a/PO.pdf.json",
            (need("PO.pdf", "a/PO.pdf", named=False),),
            (lies("PO.pdf"),),
            [],
        ),
        (
            "a document that is at fault will be replaced",
            "a/PO.pdf.json",
            (need("PO.pdf", "a/PO.pdf", named=False),),
            (lies("PO.pdf", 1, "is odd"),),
            ["a/PO.pdf"],
        ),
        (
            "a name in capitals is found by nobody",
            "a/PO.JSON",
            (PAIR,),
            (lies("PO.pdf"),),
            ["a/PO.pdf", "a/PO.PDF"],
        ),
        (
            "what a sidecar names may always change",
            "a/PO.json",
            (ONE, TENDER),
            (lies("1.pdf"),),
            ["a/1.pdf", "a/t.pdf"],
        ),
        ("a set that names a file of its stem", "a/1.json", (ONE, TWO), (), ["a/2.pdf"]),
    ],
)
def test_on_which_files_a_sidecar_leaves_word(
    says: str, sidecar: str, required: Sequence[RequiredFile], found: Sequence[FoundFile], paths: list[str]
) -> None:
    assert dependencies_to_register(sidecar, required, {file.name: file for file in found}) == paths


# --- which receipt replaces which ---------------------------------------------------------------------------

NOW = datetime(2027, 3, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OLD, NEW = NOW, NOW + SECOND
WAITING, SUBMITTING, ATTACHED = ReceiptState.WAITING, ReceiptState.SUBMITTING, ReceiptState.ATTACHED
REJECTED, RETRYING, REVIEW = ReceiptState.REJECTED, ReceiptState.RETRYING, ReceiptState.REVIEW


def receipt(
    state: ReceiptState,
    step: int | None = None,
    *,
    seen: datetime = OLD,
    etag: str = "s1",
    files: Mapping[str, str] | None = None,
    submission: str = "a",
    **body: Any,
) -> Receipt:
    told = [{"file_name": name, "etag": version} for name, version in (files or {"PO.pdf": "d1"}).items()]
    members: dict[str, Any] = {"files": told, "submission": submission} | body
    at = None if step is None else NOW + step * SECOND
    return Receipt("a/PO.json", state, seen, etag, ReceiptBody(**members), step=at)


OLD_FILES = [{"file_name": "old", "etag": "d0"}]
NEWER_FILES = {"files": [{"file_name": "PO.pdf", "etag": "d2"}], "detail": "", "remedy": ""}


MISSES = receipt(WAITING, submission="b", waiting_for=("t.pdf",))


@pytest.mark.parametrize(
    ("says", "new", "there", "replaces"),
    [
        ("of newer inputs", receipt(WAITING, seen=NEW), receipt(ATTACHED, 1), True),
        ("of older inputs", receipt(ATTACHED, 1), receipt(WAITING, seen=NEW), False),
        (
            "the newest input was deleted, and it waits again",
            receipt(WAITING),
            receipt(WAITING, seen=NEW),
            True,
        ),
        ("the same, while it was about to be sent", receipt(WAITING), receipt(SUBMITTING, seen=NEW), True),
        ("the same, while it was to be tried later", receipt(WAITING), receipt(RETRYING, seen=NEW), True),
        ("the same, once it was sent", receipt(WAITING), receipt(SUBMITTING, 1, seen=NEW), False),
        ("the same, once it was rejected", receipt(WAITING), receipt(REJECTED, seen=NEW), False),
        (
            "the newest input was deleted, and it does not wait",
            receipt(SUBMITTING),
            receipt(WAITING, seen=NEW),
            False,
        ),
        ("another sidecar within the second", receipt(WAITING, etag="s2"), receipt(ATTACHED, 1), True),
        (
            "another document within the second",
            receipt(REJECTED, files={"PO.pdf": "d2"}),
            receipt(ATTACHED, 1),
            True,
        ),
        (
            "of one document more",
            receipt(REJECTED, files={"PO.pdf": "d1", "t.pdf": "t1"}),
            receipt(ATTACHED, 1),
            False,
        ),
        (
            "a document that waits for a new signal is known",
            receipt(REJECTED, files={"PO.pdf": "d2"}),
            receipt(ATTACHED, 1, newer=NEWER_FILES),
            False,
        ),
        (
            "and the one that was sent is not what lies there",
            receipt(REJECTED, files={"PO.pdf": "d1"}),
            receipt(ATTACHED, 1, newer=NEWER_FILES),
            True,
        ),
        ("a later step of the submission", receipt(RETRYING, 2), receipt(REVIEW, 1), True),
        ("an earlier step of the submission", receipt(REVIEW, 1), receipt(RETRYING, 2), False),
        ("no step of the submission", receipt(REVIEW), receipt(RETRYING, 2), False),
        ("the first step of the submission", receipt(SUBMITTING, 1), receipt(RETRYING), True),
        ("the first step, lower in rank", receipt(SUBMITTING, 1), receipt(REJECTED), False),
        (
            "a later step takes nothing back that was attached",
            receipt(RETRYING, 2),
            receipt(ATTACHED, 1),
            False,
        ),
        ("a later step tells more of what was attached", receipt(ATTACHED, 2), receipt(ATTACHED, 1), True),
        ("an earlier step tells less of it", receipt(ATTACHED, 1), receipt(ATTACHED, 2), False),
        ("the same step of what was attached", receipt(ATTACHED, 1), receipt(ATTACHED, 1), False),
        ("the same step again", receipt(RETRYING, 1), receipt(RETRYING, 1), True),
        ("the same step, further", receipt(REVIEW, 1), receipt(RETRYING, 1), True),
        ("further than before", receipt(REJECTED), receipt(WAITING), True),
        ("not so far as before", receipt(WAITING), receipt(REJECTED), False),
        ("as far as before", receipt(SUBMITTING), receipt(RETRYING), True),
        ("as far as before, the other way round", receipt(RETRYING), receipt(SUBMITTING), True),
        ("a missing file, once all were seen", MISSES, receipt(SUBMITTING), False),
        ("a missing file, once it was to be tried later", MISSES, receipt(RETRYING, 2), False),
        ("a file without an end, while it was being sent", receipt(WAITING), receipt(SUBMITTING), True),
        ("a file without an end, after it was to be tried later", receipt(WAITING), receipt(RETRYING), True),
        ("a file without an end, by its step", receipt(WAITING, 2), receipt(RETRYING, 1), True),
        ("a file without an end, by an earlier step", receipt(WAITING, 1), receipt(RETRYING, 2), False),
        ("a step of it is not taken back by what has none", receipt(SUBMITTING), receipt(WAITING, 1), False),
        ("what is in review gives way to what follows", receipt(WAITING), receipt(REVIEW), True),
        ("what was attached does not give way to a review", receipt(REVIEW), receipt(ATTACHED), False),
        ("another submission, not so far", receipt(RETRYING, 2, submission="b"), receipt(REJECTED, 1), False),
        ("another submission, further", receipt(ATTACHED, 1, submission="b"), receipt(RETRYING, 2), True),
        ("another submission, of a review", receipt(RETRYING, 1, submission="b"), receipt(REVIEW, 2), True),
    ],
)
def test_a_receipt_replaces_another(says: str, new: Receipt, there: Receipt, replaces: bool) -> None:
    assert supersedes(new, there) is replaces


def test_a_receipt_knows_the_files_that_were_sent_and_those_that_wait() -> None:
    one = receipt(ATTACHED, files={"PO.pdf": "d1", "t.pdf": "t1"}, newer=NEWER_FILES)

    assert one.versions == {"PO.pdf": "d2", "t.pdf": "t1"}
    assert one.etags == {"d1", "d2", "t1"}


def test_a_receipt_of_nothing_knows_no_files() -> None:
    nothing = Receipt("a/PO.json", WAITING, NOW, "s1", ReceiptBody())

    assert (nothing.versions, nothing.etags) == ({}, frozenset())


steps = st.lists(st.sampled_from([SUBMITTING, RETRYING, REJECTED, REVIEW]), min_size=1, max_size=5)


@settings(deadline=None)
@given(steps, st.booleans(), st.data())
def test_whoever_comes_late_with_a_step_of_a_submission_the_last_one_stays(
    states: list[ReceiptState], attached: bool, data: st.DataObject
) -> None:
    told = [receipt(state, n) for n, state in enumerate([*states, *([ATTACHED] if attached else [])])]
    arrival = data.draw(st.permutations(told))
    there = arrival[0]
    for new in arrival[1:]:
        there = new if supersedes(new, there) else there

    assert there == told[-1]


# --- what was attached before -------------------------------------------------------------------------------


def test_what_was_attached_before_stays_visible() -> None:
    known: dict[str, Any] = {
        "submission": "a",
        "attachments": ({"attachmentId": "1"},),
        "files": (),
        "submittedBy": "http",
        "correlationId": "c",
        "changed": "2027-03-31T12:00:00+00:00",
    }
    there = Receipt(
        "a/PO.json",
        ATTACHED,
        NOW,
        "s1",
        ReceiptBody.model_validate(known | {"detail": "accepted", "orderId": "o"}),
    )

    def replaced(**members: str) -> dict[str, Any]:
        return with_previous(ReceiptBody.model_validate(members), there).to_json()

    assert replaced(submission="b") == {"submission": "b", "previous": (known,)}
    assert replaced(detail="waits") == {"detail": "waits", "previous": (known,)}
    assert replaced(submission="a", detail="again") == {"submission": "a", "detail": "again"}


@pytest.mark.parametrize(
    ("says", "there", "previous"),
    [
        ("nothing was", receipt(RETRYING), None),
        ("nothing was that can be named", Receipt("a/PO.json", ATTACHED, NOW, "s1", ReceiptBody()), None),
        (
            "before that one",
            receipt(RETRYING, previous=[{"submission": "x"}, {"submission": "y"}]),
            ["x", "y"],
        ),
        ("that one, and before it", receipt(ATTACHED, previous=[{"submission": "x"}]), ["a", "x"]),
        (
            "each is told once, by its newest",
            receipt(ATTACHED, previous=[{"submission": "x"}, {"submission": "a", "files": OLD_FILES}]),
            ["a", "x"],
        ),
        ("this one is not told twice", receipt(ATTACHED, previous=[{"submission": "new"}]), ["a"]),
        (
            "the last ten are told",
            receipt(ATTACHED, previous=[{"submission": str(n)} for n in range(12)]),
            ["a", *map(str, range(9))],
        ),
    ],
)
def test_what_was_attached_before(says: str, there: Receipt, previous: list[str] | None) -> None:
    body = with_previous(ReceiptBody(submission="new"), there)

    assert ([one.submission for one in body.previous] or None) == previous
    assert ("previous" in body.to_json()) is (previous is not None)
    assert all([file.file_name for file in one.files or ()] != ["old"] for one in body.previous)


# --- how long a drop waited for its receipt -----------------------------------------------------------------


def final(
    state: ReceiptState, *, took: int = 40, seen: datetime = NOW, etag: str = "1", **body: Any
) -> Receipt:
    changed = (NOW + timedelta(seconds=took)).isoformat()
    return Receipt("a.json", state, seen, etag, ReceiptBody(changed=changed, **body))


@pytest.mark.parametrize(
    ("receipt", "there", "seconds"),
    [
        (final(ReceiptState.ATTACHED), None, 40),
        (final(ReceiptState.REJECTED), final(ReceiptState.RETRYING), 40),
        (final(ReceiptState.REVIEW), final(ReceiptState.REJECTED, etag="0"), 40),
        (final(ReceiptState.ATTACHED), final(ReceiptState.ATTACHED, seen=NOW - timedelta(1)), 40),
        (final(ReceiptState.ATTACHED, took=-1), None, 0),  # storage tells times to the second
        (final(ReceiptState.ATTACHED), final(ReceiptState.REVIEW), None),
        (final(ReceiptState.WAITING), None, None),
        (final(ReceiptState.RETRYING), None, None),
        (final(ReceiptState.REVIEW, seen=LONG_AGO), None, None),
        (final(ReceiptState.REVIEW, etag="", files=(FileEntry(file_name="a.pdf", etag="0"),)), None, None),
        (Receipt("a.json", ReceiptState.ATTACHED, NOW, "1", ReceiptBody()), None, None),
    ],
)
def test_the_first_final_receipt_of_a_drop_tells_how_long_it_waited(
    receipt: Receipt, there: Receipt | None, seconds: int | None
) -> None:
    assert seconds_to_receipt(receipt, there) == seconds
