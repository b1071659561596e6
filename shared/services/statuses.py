"""The status of a submission for whoever holds its token. Reading it asks nobody but the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from shared.clock import Clock
from shared.core.errors import NotFoundError
from shared.core.status_token import StatusOf, issue, verify
from shared.services.operation import Outcome
from shared.storage.ledger_store import LedgerStore
from shared.storage.status_keys import StatusKeys


@dataclass(frozen=True, slots=True)
class Statuses:
    """Issues tokens, and tells what they stand for. All methods raise StorageError."""

    ledger: LedgerStore
    keys: StatusKeys
    clock: Clock

    def token(self, record: str, digest: str = "") -> str:
        """A token for the submission `digest` of the record of that key, for the only one when it is ""."""
        return issue(StatusOf(record, digest), self.keys.signing(), self.clock())

    def read(self, token: str) -> Outcome:
        """What is recorded of the submission of a token.

        Raises NotFoundError when the token is none of ours or has expired, or when nothing was recorded.
        """
        status = self._verified(token)
        stored = self.ledger.read(status.record)
        found = stored.record.submissions if stored else {}
        own = found.get(status.digest) if status.digest else next(iter(found.values()), None)
        if stored is None or own is None:
            raise NotFoundError("nothing was recorded of this request, so nothing was sent: send it again")
        return Outcome(stored.record, own, replayed=True)

    def _verified(self, token: str) -> StatusOf:
        for again in (False, True):
            try:
                return verify(token, self.keys.known(again=again), self.clock())
            except ValueError:
                continue
        raise NotFoundError("this is not the address of a status, or it has expired")
