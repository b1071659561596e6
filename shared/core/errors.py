"""Every error of the application, and the two questions that settle a class.

Whose turn is it, and is it known that nothing happened at Partner Center?

    AppError
    ├── InvalidInputError            the caller's: every violation, each with a JSON pointer
    │   ├── ResellerError            … of which: no such indirect reseller, so no order
    │   ├── OrderFullError           … of which: the order has had as many submissions as it may have
    │   ├── OrderNotWaitingError     … of which: the order's status is final, so no document can help
    │   └── LinesRefusedError        … of which: Partner Center does not sell a line; nothing was bought
    ├── TooLargeError                the caller's: a file or a body beyond the limit
    ├── UnsupportedMediaTypeError    the caller's: not a content type that the route reads
    ├── KeyReusedError               the caller's: an Idempotency-Key that stands for another body
    ├── NotFoundError                the caller's: nothing of that name here
    ├── SignInError                  the caller's: nobody is signed in
    ├── ForbiddenError               the operator's: the caller may not do that, or not for that customer
    ├── WrongUserError               the caller's: an order that was placed for another signed-in user
    ├── InProgressError              nobody's: the same request is in progress
    ├── OrderBusyError               nobody's: another submission of the order is in flight; none was recorded
    ├── NeedsReviewError             nobody's: only a person can determine the outcome
    │   └── GivenUpError             … and an operator abandoned it
    ├── StateConflictError           the operator's: a decision that the state of the submission forbids
    │   └── DecisionWaitsError       … for now: another submission of the order is in flight
    ├── ConsentError                 the operator's: a sign-in that was declined, or that may not be kept
    ├── NotConfiguredError           the operator's: settings that are missing or contradictory
    ├── StorageError                 storage's: known, the operation failed; a later try may succeed
    │   ├── StorageUnknownError      … not known: the write may have been done; read before you repeat it
    │   ├── BlobMissingError         the blob (or its container) is not there
    │   ├── ConditionFailedError     If-Match or If-None-Match did not hold
    │   ├── MarkerRefusedError       a walk cannot go on from where it stopped; begin it anew
    │   ├── StorageForbiddenError    the operator's: rights or a feature that the account lacks
    │   └── BlobBlockedError         no later try helps: an operator must act, `remedy` says how
    │       ├── BlobArchivedError    … the blob is in the archive tier and cannot be read
    │       ├── BlobLeasedError      … somebody holds a lease on the blob, so it cannot be written
    │       └── NewerRecordError     … it is a record that a newer version of this application wrote
    └── PartnerCenterError
        ├── NotAppliedError             known: nothing was done; safe to send again
        │   ├── SourceFailedError    … because a document could not be read to its end
        │   │   └── IncompleteDocumentError  … or has none: it is cut off, or still arriving
        │   ├── NotVisibleYetError   … because Partner Center does not show the order yet
        │   └── TokenError           … because no access token could be obtained
        ├── RefusedError             known: an answer that says that it was not done
        │   ├── NothingOrderedError  … a checkout that made no order
        │   ├── ThrottledError       … because of the rate limit (429)
        │   └── TokenRejectedError   … because of the token (401)
        └── OutcomeUnknownError      sent, and the answer shows neither success nor failure

No message holds a token, a secret or the content of a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

MAX_VIOLATIONS = 100
"""As many are named; of the rest the number is told, so that no body makes an answer without end."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault of an input: where it is (RFC 6901 JSON pointer), what is wrong, how to fix it."""

    pointer: str
    detail: str


class AppError(Exception):
    """Base of every error that the application raises itself; `str(error)` may be shown to a caller."""

    actor = ""
    """Who must act, "" when nobody must."""
    remedy = ""
    """What to do, in one sentence; "" when waiting is all."""


class InvalidInputError(AppError):
    """The input breaks the contract. `violations` names every fault, not only the first."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__("; ".join(f"{v.pointer or '/'}: {v.detail}" for v in self.violations))


class ResellerError(InvalidInputError):
    """The reseller is not an active indirect reseller of this partner; no order is placed."""


class OrderFullError(InvalidInputError):
    """The order has had as many submissions of documents as are kept."""


class LinesRefusedError(InvalidInputError):
    """Partner Center names what is wrong with lines of a cart; it was not checked out."""

    actor = "caller"
    remedy = "correct the lines and send the request again; the same Idempotency-Key can be used"


class OrderNotWaitingError(InvalidInputError):
    """The order's status is final: it waits for no documents. Nothing was recorded or sent."""

    actor = "caller"

    def __init__(self, status: str, remedy: str) -> None:
        self.remedy = remedy
        detail = f"the order's status is {status}: it does not wait for documents, and nothing was sent"
        super().__init__([Violation("", detail)])


class TooLargeError(AppError):
    """A body or a file is larger than the configured limit."""


class UnsupportedMediaTypeError(AppError):
    """The body's content type is not one that the route reads."""


class KeyReusedError(AppError):
    """The Idempotency-Key was used before for another body."""


class NotFoundError(AppError):
    """No such resource."""


class SignInError(AppError):
    """Nobody is signed in."""

    actor = "caller"
    remedy = "sign in, and send an access token for this application as Authorization: Bearer"


class ForbiddenError(AppError):
    """Whoever is signed in may not do that."""

    actor = "operator"
    remedy = "assign the app role to the caller in Entra, or bind it to the customer in CUSTOMER_BINDINGS"


class InProgressError(AppError):
    """The same request is already in progress right now; ask again in `retry_after` seconds."""

    def __init__(self, detail: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(detail)


class WrongUserError(AppError):
    """The order was placed for a signed-in user; it is not sent again as somebody else."""

    actor = "caller"
    remedy = "sign in as the user who placed the order and ask again"


class OrderBusyError(AppError):
    """Another submission of the order is in flight; ask again in `retry_after` seconds. Nothing was recorded
    or sent."""

    remedy = "nothing to do: it will be sent when the other submission for this order has ended"

    def __init__(self, detail: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(detail)


class StateConflictError(AppError):
    """A decision that does not fit the state of the submission; `state` is where it stands."""

    def __init__(self, detail: str, state: str) -> None:
        self.state = state
        super().__init__(detail)


class DecisionWaitsError(StateConflictError):
    """The decision must wait until another submission of the order has ended."""

    retry_after = 60

    def __init__(self, detail: str) -> None:
        super().__init__(detail, "review")


class NeedsReviewError(AppError):
    """No program can determine whether Partner Center has it; nothing is repeated until a person has decided.
    `submission` is the key of its record."""

    def __init__(self, detail: str, submission: str) -> None:
        self.submission = submission
        super().__init__(detail)


class GivenUpError(NeedsReviewError):
    """An operator abandoned the submission."""


class ConsentError(AppError):
    """A user's sign-in for the application came to nothing, so no refresh token was stored."""

    actor = "operator"

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


class NotConfiguredError(AppError):
    """Settings are missing or contradict each other; `settings` holds their names, never their values."""

    def __init__(self, detail: str, settings: Sequence[str] = ()) -> None:
        self.settings = tuple(settings)
        super().__init__(detail)

    actor = "operator"
    remedy = "correct the settings: GET health names them"


class StorageError(AppError):
    """A storage operation failed. Unless it is a StorageUnknownError, nothing was written."""


class StorageUnknownError(StorageError):
    """A write may have been done: at least one try of it reached storage, or may have, and no answer tells
    what became of it. Reads do not raise it."""

    @classmethod
    def because_of(cls, error: StorageError, detail: str) -> Self:
        """With what the fault of storage says about whose turn it is."""
        unknown = cls(detail)
        unknown.actor, unknown.remedy = error.actor, error.remedy
        return unknown


class BlobMissingError(StorageError):
    """The blob, or its container, does not exist."""


class ConditionFailedError(StorageError):
    """If-Match or If-None-Match did not hold: somebody else wrote first (or our own lost write did)."""


class MarkerRefusedError(StorageError):
    """Storage does not take the marker at which a listing stopped; it can be begun anew without one."""


class StorageForbiddenError(StorageError):
    """The account does not let us do what the application needs, or cannot do it; `remedy` says what is to be
    changed. It tells nothing of what lies there."""

    actor = "operator"

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


class BlobBlockedError(StorageError):
    """A blob is in a state that others put it into and that only a person can end."""

    actor = "operator"


class BlobArchivedError(BlobBlockedError):
    """The blob lies in the archive tier, where it can be listed and not read.

    https://learn.microsoft.com/en-us/azure/storage/blobs/access-tiers-overview#archive-access-tier
    """

    remedy = "Rehydrate the blob (change its access tier to hot, cool or cold), which takes up to 15 hours."


class BlobLeasedError(BlobBlockedError):
    """Somebody holds a lease on the blob, and nobody else can write it.

    https://learn.microsoft.com/en-us/rest/api/storageservices/lease-blob
    """

    remedy = "Release or break the lease on the blob; the application takes none itself."


class NewerRecordError(BlobBlockedError):
    """A record was written by a newer version of this application; this one does not touch it."""

    remedy = "deploy the version that wrote it, or a later one"


@dataclass(frozen=True, slots=True)
class SupportIds:
    """The ids that Microsoft's support asks for, as far as an exchange yielded them.

    https://learn.microsoft.com/en-us/partner-center/developer/headers
    """

    request_id: str = ""
    correlation_id: str = ""
    cv: str = ""
    server_id: str = ""

    def to_dict(self) -> dict[str, str]:
        """The ids as records, receipts and problems hold them."""
        return {
            "requestId": self.request_id,
            "correlationId": self.correlation_id,
            "cv": self.cv,
            "serverId": self.server_id,
        }


@dataclass(frozen=True, slots=True)
class Advice:
    """What an error code means for the one who must act on it (shared/partner_center/codes.py)."""

    actor: str
    """Who must act: caller, partner, customer, reseller, operator, catalogue, microsoft."""
    retryable: bool
    """Whether the very same request can succeed later with nothing changed in it."""
    remedy: str
    """What to do, in one sentence."""


class PartnerCenterError(AppError):
    """A call to Partner Center failed."""


class NotAppliedError(PartnerCenterError):
    """It is known that Partner Center did nothing: a request did not leave whole, was answered so, or only
    reads. Safe to send again."""


class SourceFailedError(NotAppliedError):
    """A document could not be read to its end (or changed) while it was being sent."""


class IncompleteDocumentError(SourceFailedError):
    """A document ended where no PDF ends: it is cut off, or still arriving. Nothing was sent."""

    actor = "caller"
    remedy = (
        "upload the whole file again; if it is whole as it is, say so in the sidecar: "
        '"acceptIncompletePdf": true'
    )


class NotSentError(AppError):
    """The submission of which the status was asked was not carried out, and nobody will by itself."""

    actor = "caller"
    remedy = "send the same request again, with the same Idempotency-Key if it has one"


class NotVisibleYetError(NotAppliedError):
    """Partner Center does not know the order; one that was placed just now can take 15 minutes to appear."""

    retry_after = 60
    actor = "caller"
    remedy = "check orderId; a new order can take 20 minutes to appear (a drop is retried for that long)"


class TokenError(NotAppliedError):
    """No access token could be obtained. `retryable` is False when an operator must act first."""

    def __init__(self, detail: str, *, retryable: bool = False) -> None:
        self.retryable = retryable
        self.actor = "" if retryable else "operator"
        self.remedy = "" if retryable else "sign in again or correct the credentials: docs/identity.md"
        super().__init__(detail)


class RefusedError(PartnerCenterError):
    """Partner Center answered, and the answer is known to refuse: the request was not carried out.

    `status` is the HTTP status, `code` Partner Center's own code as text ("" when the body had none);
    `from_service`: only the service behind the gateway gives this answer, it bears the code of a documented
    error and is not about the token (401) or the rate (429); `replayed` says that this is the stored refusal
    of an earlier request.
    """

    replayed = False

    @property
    def passes(self) -> bool:
        """Whether the very same request may succeed later with nothing mended: the code says so, or a 403 or
        404 bears no code of Partner Center's and so is none of its own answers."""
        return self.advice.retryable or (not self.code and self.status in (403, 404))

    def __init__(
        self,
        status: int,
        code: str,
        description: str,
        advice: Advice,
        ids: SupportIds | None = None,
        *,
        from_service: bool = False,
    ) -> None:
        self.status = status
        self.code = code
        self.description = description
        self.advice = advice
        self.actor, self.remedy = advice.actor, advice.remedy
        self.ids = ids or SupportIds()
        self.from_service = from_service
        suffix = f" {description}" if description else ""
        super().__init__(f"Partner Center answered {status}{f' (code {code})' if code else ''}.{suffix}")


class NothingOrderedError(RefusedError):
    """A checkout made no order: `violations` say why, line by line; `body` is what the ledger keeps of it."""

    def __init__(
        self, status: int, violations: Sequence[Violation], body: str, advice: Advice, ids: SupportIds
    ) -> None:
        super().__init__(status, "", "", advice, ids, from_service=True)
        self.violations, self.body = tuple(violations), body
        self.args = (f"Partner Center ordered nothing: {'; '.join(v.detail for v in self.violations)}",)


class ThrottledError(RefusedError):
    """429: nothing was done. `retry_after` is the number of seconds to wait at least."""

    retry_after: float = 0.0


class TokenRejectedError(RefusedError):
    """401: the token was not accepted; one replay with a new token is allowed."""


class OutcomeUnknownError(PartnerCenterError):
    """The request was fully sent, and its outcome is unknown. Never repeat it blindly.

    `status` is the HTTP status of the answer, 0 when none came at all; `code` is Partner Center's own code in
    it, "" when it had none.
    """

    def __init__(
        self, detail: str, ids: SupportIds | None = None, *, status: int = 0, code: str = ""
    ) -> None:
        self.ids = ids or SupportIds()
        self.status = status
        self.code = code
        super().__init__(detail)

    @property
    def answer(self) -> str:
        """What the answer was, such as "409/800060", to see that the same one came again; "" without one."""
        return f"{self.status}/{self.code}" if self.status else ""
