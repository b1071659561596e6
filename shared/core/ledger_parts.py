"""What a submission in the ledger is made of: what was sent, from where, and what was answered.

All of it is kept as JSON in camelCase; members that a later version added are carried through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.core.errors import SupportIds

_SOURCES = 10


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment needs a zone")
    return moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]


class StoredModel(BaseModel):
    """Part of a record. Members that a later version added are carried through."""

    model_config = ConfigDict(
        frozen=True, extra="allow", alias_generator=to_camel, validate_by_name=True, hide_input_in_errors=True
    )


class DocumentFacts(StoredModel):
    """One document of a submission, as it was sent; `kind` is Partner Center's attachment type."""

    kind: str
    file_name: str
    size: int
    md5: str


class Source(StoredModel):
    """The drop that a submission's documents lie in, and the versions (ETags) that were paired."""

    drop: str
    sidecar_etag: str = Field(alias="sidecarETag")
    files: Mapping[str, str]


class CartNote(StoredModel):
    """The cart that a purchase goes through: `id` is "" until there is one; `groups` tells for each line, in
    the order of the lines that were sent, in which order group Partner Center put it."""

    id: str = ""
    groups: tuple[str, ...] = ()


class OrderContent(StoredModel):
    """An order as it is sent: `mode` is how to sign in; `user` the signed-in user (object id),
    `customer_user` the UPN of the customer's user whom it is for; "" for none. With a `cart` the body is that
    of the cart, and what is sent is its checkout."""

    mode: str
    body: str
    user: str = ""
    customer_user: str = ""
    cart: CartNote | None = None


class PartnerIds(StoredModel):
    """The ids that Microsoft's support asks for."""

    request_id: str = ""
    correlation_id: str = ""
    cv: str = ""
    server_id: str = ""

    @classmethod
    def of(cls, ids: SupportIds) -> Self:
        """The ids of an exchange."""
        return cls(**asdict(ids))


class RecordedAnswer(StoredModel):
    """What Partner Center answered: the body of a success, or `code` and `description` of a refusal. A
    checkout that ordered nothing keeps both."""

    status: int
    body: str = ""
    code: str = ""
    description: str = ""
    retryable: bool = False
    ids: PartnerIds = PartnerIds()


class Repeated(StoredModel):
    """The same answer to the same MS-RequestId, again and again."""

    answer: str
    times: int
    first: Moment


def merged(sources: Iterable[Source], source: Source | None) -> tuple[Source, ...]:
    """The sources of a submission with the one that it is sent from now, each drop in its last version."""
    if source is None:
        return tuple(sources)
    return (*(s for s in sources if s.drop != source.drop), source)[-_SOURCES:]
