"""Attach a set of documents to an order, once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.errors import NotFoundError, OutcomeUnknownError, RefusedError
from shared.ledger import Claim, Record, State
from shared.models import Submission, submission_key
from shared.partner_center.client import PartnerCenter
from shared.partner_center.multipart import attachment_body, escaped_name
from shared.partner_center.wire import Answer, Deadline, RequestIds
from shared.services.effect import Absent, Finding, Found, Outcome, Unclear
from shared.services.submission import Submissions
from shared.storage.blobs import Clock
from shared.storage.ledger import LedgerStore

KIND = "attachment"

NO_SUCH_ORDER = "20000"
"""Partner Center's code for an order id that it does not know; nothing can be attached to such an order.
https://learn.microsoft.com/en-us/partner-center/developer/error-codes"""

Document = Mapping[str, Any]
"""One of `Record.request["documents"]`."""
Item = dict[str, Any]
"""One of the items that Partner Center lists."""


@dataclass(frozen=True, slots=True)
class AttachmentEffect:
    """The POST of one submission's documents; without `submission` it can only be asked about."""

    claim: Claim
    settle: timedelta
    partner: PartnerCenter
    ledger: LedgerStore
    clock: Clock
    po_part: str
    tender_part: str
    submission: Submission | None = None
    resumes: bool = False

    @property
    def can_send(self) -> bool:
        """Whether the documents are at hand."""
        return self.submission is not None

    def asks_again(self, record: Record) -> bool:
        """An HTTP request does; a drop does when its files are not those that were refused. There is no key
        to change, and the order may have become visible: only what a person gave up stays refused."""
        given_up = (record.answer or {}).get("givenUp", False)
        return not given_up and (not self.claim.source or record.source != self.claim.source)

    def send(self, ids: RequestIds, deadline: Deadline) -> Answer:
        """POST the documents as one multipart request."""
        s = self.submission
        assert s is not None
        body = attachment_body(s.metadata.to_wire(), s.documents, self.po_part, self.tender_part)
        return self.partner.attach(s.customer_id, s.order_id, body, ids, deadline)

    def owns(self, answer: Answer) -> tuple[str, ...]:
        """Nothing: which of the listed documents came with this call is not told for certain, and none is
        adopted while another submission with the same names is open (`find`)."""
        return ()

    def doubt(self, answer: Answer) -> str:
        """Compare what came back with what was sent: a part whose name the server does not know is
        dropped without a word, and only the count tells (facts: 2.3). Names may come back changed."""
        sent = Counter(d["attachmentType"].lower() for d in self.claim.request["documents"])
        listed = Counter(str(i.get("attachmentType", "")).lower() for i in _items(answer.body))
        short = [f"{n} sent as {kind}, {listed[kind]} listed" for kind, n in sent.items() if listed[kind] < n]
        return f"accepted, but the answer does not list every document: {'; '.join(short)}" if short else ""

    def find(self, record: Record, deadline: Deadline, *, any_name: bool = False) -> Finding:
        """Look for the documents among the order's attachments, by kind, name and size. `any_name`: what is
        not there by its name is found by kind and size alone."""
        request = record.request
        documents: list[Document] = request["documents"]
        ids = RequestIds(record.revision, record.correlation_id)
        try:
            answer = self.partner.list_attachments(request["customerId"], request["orderId"], ids, deadline)
        except RefusedError as error:
            if error.code == NO_SUCH_ORDER:
                return Absent()
            raise
        siblings = list(self.ledger.siblings(record.key, record.created - timedelta(days=366)))
        owned = {i for s in siblings for i in attachment_ids(s)}
        items = [i for i in _items(answer.body) if i.get("attachmentId") not in owned]
        open_states = (State.CLAIMED, State.UNKNOWN, State.REVIEW)
        in_flight = [s for s in siblings if s.state in open_states and not attachment_ids(s)]
        matched, missing = _match(documents, items)
        if any_name:
            theirs, _ = _match([d for s in in_flight for d in s.request["documents"]], items)
            more, missing = match_renamed(missing, [i for i in items if i not in matched and i not in theirs])
            matched += more
        if not matched:
            renamed = any(_same_kind_and_size(d, i) for d in documents for i in items)
            why = "Partner Center has documents of the same kind and size, under other names"
            return Unclear(why) if renamed else Absent()
        rest = [i for i in items if i not in matched]
        for sibling in (s for s in in_flight if _match(s.request["documents"], matched)[0]):
            theirs, lacking = _match(sibling.request["documents"], rest)
            if lacking and self._may_still_arrive(sibling):
                raise OutcomeUnknownError("another submission with the same file names is in flight")
            if lacking:
                return Unclear(
                    "Partner Center has these documents once, and they may be those of another submission "
                    f"with the same file names, {sibling.key}: first settle the one that is not there"
                )
            rest = [i for i in rest if i not in theirs]
        if missing:
            names = ", ".join(str(d["fileName"]) for d in missing)
            return Unclear(f"Partner Center has some of the documents, but not {names}")
        body = {"totalCount": len(matched), "items": matched, "attributes": {"objectType": "Collection"}}
        owns = tuple(str(i["attachmentId"]) for i in matched)
        return Found(Answer(201, json.dumps(body).encode(), answer.ids), owns)

    def _may_still_arrive(self, sibling: Record) -> bool:
        """Whether what is not listed of it now may be listed later."""
        if sibling.state is State.UNKNOWN and sibling.absent_after is not None:
            return self.clock() < sibling.absent_after
        return sibling.state is State.CLAIMED


@dataclass(frozen=True, slots=True)
class Attachments:
    """The documents of orders."""

    submissions: Submissions
    partner: PartnerCenter
    settle: timedelta
    po_part: str
    tender_part: str

    def attach(
        self,
        submission: Submission,
        correlation_id: str,
        deadline: Deadline,
        *,
        source: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Attach `submission`, or tell what became of it when it was sent before, by whichever way.

        `source` names the drop that the documents lie in; then the sweep can go on with it later.
        """
        effect = self._effect(claim_of(submission, source or {}), submission, resumes=source is not None)
        return self.submissions.run(effect, correlation_id, deadline)

    def look(self, customer_id: str, order_id: str, digest: str, deadline: Deadline) -> Outcome:
        """What became of a submission, asking Partner Center when its time has come.

        Raises NotFoundError when there is none.
        """
        return self.go_on(submission_key(customer_id, order_id, digest), deadline)

    def go_on(self, key: str, deadline: Deadline) -> Outcome:
        """Do for a record what can be done without its documents. Raises NotFoundError."""
        stored = self.submissions.ledger.read(key)
        if stored is None or stored.record.kind != KIND:
            raise NotFoundError("no submission of that name was ever made for this order")
        r = stored.record
        claim = Claim(r.kind, r.key, r.digest, r.request, r.source)
        effect = self._effect(claim, None, resumes=bool(r.source))
        return self.submissions.run(effect, r.correlation_id, deadline)

    def find(self, record: Record, deadline: Deadline, *, any_name: bool = False) -> Finding:
        """Ask Partner Center for the documents of a record. Raises PartnerCenterError."""
        claim = Claim(record.kind, record.key, record.digest, record.request, record.source)
        return self._effect(claim, None, resumes=False).find(record, deadline, any_name=any_name)

    def _effect(self, claim: Claim, submission: Submission | None, *, resumes: bool) -> AttachmentEffect:
        return AttachmentEffect(
            claim=claim,
            settle=self.settle,
            partner=self.partner,
            ledger=self.submissions.ledger,
            clock=self.submissions.clock,
            po_part=self.po_part,
            tender_part=self.tender_part,
            submission=submission,
            resumes=resumes,
        )


def claim_of(submission: Submission, source: Mapping[str, Any]) -> Claim:
    """What the ledger writes down before the documents are sent."""
    return Claim(
        kind=KIND,
        key=submission.key,
        digest=submission.digest,
        request={
            "customerId": submission.customer_id,
            "orderId": submission.order_id,
            "documents": [
                {"attachmentType": str(d.role), "fileName": d.file_name, "size": d.size, "md5": d.md5}
                for d in submission.documents
            ],
        },
        source=source,
    )


def attachment_ids(record: Record) -> list[str]:
    """The ids that Partner Center gave to a submission's documents, if it answered. An answer may list the
    whole order; names may have come back changed. What a person adopted is told apart already."""
    answer = record.answer or {}
    if "owns" in answer:
        return list(answer["owns"])
    items = _items(str(answer.get("body", "")).encode())
    documents: list[Document] = record.request["documents"]
    own = _match(documents, items)[0] or [
        i for i in items if any(_same_kind_and_size(d, i) for d in documents)
    ]
    return [str(i.get("attachmentId")) for i in own]


def _items(body: bytes) -> list[Item]:
    try:
        data = json.loads(body)
    except ValueError:
        return []
    items = data.get("items") if isinstance(data, dict) else None
    return [i for i in items if isinstance(i, dict)] if isinstance(items, list) else []


def match_renamed(documents: Sequence[Document], items: Sequence[Item]) -> tuple[list[Item], list[Document]]:
    """As `_match`, by kind and size alone. The sizes that fit overlap, so both sides go by size."""
    by_size = sorted(documents, key=lambda document: int(document["size"]))
    return _match(by_size, sorted(items, key=_listed_size), any_name=True)


def _match(
    documents: Sequence[Document], items: Sequence[Item], *, any_name: bool = False
) -> tuple[list[Item], list[Document]]:
    """The items that are these documents (kind, name and size agree), and the documents without one."""
    rest, matched, missing = list(items), [], []
    for document in documents:
        alike = (i for i in rest if any_name or _same_name(document, i))
        item = next((i for i in alike if _same_kind_and_size(document, i)), None)
        if item is None:
            missing.append(document)
        else:
            rest.remove(item)
            matched.append(item)
    return matched, missing


def _same_name(document: Document, item: Item) -> bool:
    """Partner Center may list a name as it was escaped on the wire."""
    name = str(document["fileName"])
    return str(item.get("fileName", "")).lower() in (name.lower(), escaped_name(name).lower())


def _listed_size(item: Item) -> int:
    kb = item.get("sizeInKB")
    return kb if isinstance(kb, int) else 0


def _same_kind_and_size(document: Document, item: Item) -> bool:
    """How sizeInKB is rounded, and by which KB, is not documented: either way fits."""
    size, kb = int(document["size"]), item.get("sizeInKB")
    fits = not isinstance(kb, int) or size // 1024 - 1 <= kb <= size // 1000 + 1
    return fits and str(item.get("attachmentType", "")).lower() == str(document["attachmentType"]).lower()
