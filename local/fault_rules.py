"""What the proxy notes of a request, which faults it can inject, and into which requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal


@dataclass(slots=True)
class Seen:
    """One request; `container` and `name` as storage's paths have them: `/account/container/name`.

    On a queue's paths `container` is the queue and `name` is `messages` (POST: put; GET: receive or, with the
    query `peekonly=true`, peek), `messages/{id}` (PUT: hide for longer; DELETE), or empty for the queue.
    https://learn.microsoft.com/en-us/rest/api/storageservices/operations-on-messages

    `status` is what the server answered, None when it was never asked; `fault` is the kind that was injected.
    """

    method: str
    path: str
    container: str
    name: str
    query: Mapping[str, str]
    status: int | None = None
    fault: str = ""

    @property
    def writes(self) -> bool:
        """Whether it changes something when it is carried out."""
        return self.method in ("PUT", "POST", "DELETE", "PATCH")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request. With `after` the server carries it out first, and nobody is told.

    status    answer `status`, with storage's error `code`
    cut       close the connection without an answer
    hang      let `seconds` pass, then cut
    cut_body  pass the answer on, and close after `bytes` bytes of its body
    kill      SIGKILL process `pid`, then cut
    """

    kind: Literal["status", "cut", "hang", "cut_body", "kill"]
    after: bool = False
    status: int = 503
    code: str = "ServerBusy"
    seconds: float = 1.0
    bytes: int = 0
    pid: int = 0


@dataclass(slots=True)
class ProxyRule:
    """Which requests get `fault`: the first `skip` that match pass, the next `times` (-1: all) do not.

    `container` and `name` are shell patterns; `query` must be part of the request's query.
    """

    fault: Fault
    method: str = "*"
    container: str = "*"
    name: str = "*"
    query: Mapping[str, str] = field(default_factory=dict)
    skip: int = 0
    times: int = 1

    def hits(self, seen: Seen) -> bool:
        """Count one request against this rule; whether the fault is for it."""
        fits = (
            fnmatchcase(seen.method, self.method)
            and fnmatchcase(seen.container, self.container)
            and fnmatchcase(seen.name, self.name)
            and self.query.items() <= seen.query.items()
        )
        if not fits or self.times == 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= self.times > 0
        return True
