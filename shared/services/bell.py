"""Doorbells: messages on the work queue that say where to look. Lost, late and doubled ones do no harm.

What is due stands in the ledger and in the receipts; it is written first, and rung for afterwards. The tag
index finds what nobody rang for.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from shared.clock import Clock
from shared.core.errors import StorageError
from shared.storage.queue import WorkQueue

log = logging.getLogger(__name__)

FARTHEST = timedelta(minutes=15)
"""What is due later is left to the tag index: a message that waits for long keeps the app from scaling in."""
LATE = 1.0
"""Seconds that a message comes after the moment that it rings for, since clocks differ."""

Kind = Literal["record", "drop", "blob", "look"]


@dataclass(frozen=True, slots=True)
class Message:
    """Where to look: a record of the ledger, a drop by its sidecar's path, a blob whose event never came, or
    (`look`) Partner Center, at an order that a record watches. `behind` is the record of the order that a
    drop waits for, `tries` how often it has waited."""

    kind: Kind
    name: str
    behind: str = ""
    tries: int = 0

    def dump(self) -> str:
        """As the queue carries it."""
        return json.dumps(
            {"v": 1, "kind": self.kind, "name": self.name, "behind": self.behind, "tries": self.tries}
        )

    @classmethod
    def load(cls, text: str) -> Message:
        """The message in a text. Raises ValueError."""
        data = json.loads(text)
        try:
            if data["kind"] not in get_args(Kind) or not isinstance(data["name"], str):
                raise ValueError("no kind of work that is known")
            return cls(data["kind"], data["name"], str(data.get("behind", "")), int(data.get("tries", 0)))
        except (KeyError, TypeError) as error:
            raise ValueError("no message of this application") from error


@dataclass(frozen=True, slots=True)
class Bell:
    """Puts doorbells on the work queue."""

    queue: WorkQueue
    clock: Clock

    def ring(self, kind: Kind, name: str, due: datetime, *, behind: str = "", tries: int = 0) -> None:
        """Have something looked at when it is due. Never raises: what is due is found without a bell."""
        delay = due - self.clock()
        if delay > FARTHEST:
            return
        seconds = delay.total_seconds() + LATE if delay > timedelta() else 0.0
        try:
            self.queue.put(Message(kind, name, behind, tries).dump(), seconds)
        except StorageError as error:
            log.warning("could not put a message on the work queue for %s: %s", name, error)

    def ask(self, kind: Kind, name: str) -> None:
        """Have something looked at now. Raises StorageError: whoever asks is told."""
        self.queue.put(Message(kind, name).dump())

    def ring_record(self, key: str, due: datetime) -> None:
        """Have a record of the ledger looked at when it is due."""
        self.ring("record", key, due)
