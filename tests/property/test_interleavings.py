"""The promise, in every order in which the steps of two processes can fall: a model check of the services.

Each scenario says what two processes are started for, one task after the other, and how much may go wrong.
Every reachable world is visited (`explorer`). DEEP=1 gives each scenario another moment, another death
and a lag, for a run of many minutes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import Deadline
from shared.core.ledger import Record
from shared.core.matching import Absent
from shared.services.attachment_operation import AttachmentOperation
from shared.services.attachments import Attachments
from tests.property.cases import AttachmentCase, OrderCase, checkouts, document_set, order
from tests.property.explorer import BY_HAND, BrokenPromiseError, Budget, Case, Explorer, Task, Thing

DEEP = bool(os.environ.get("DEEP"))

ASK, OTHER = Task("ask", 0), Task("ask", 1)
DROP, OTHER_DROP = Task("drop", 0), Task("drop", 1)
LOOK, WORK = Task("look", 0), Task("work")

PO = ("PO.pdf", 5000)
UNLIKE = document_set(999, ("by hand.pdf", 77_000))
ONE = AttachmentCase((document_set(1, PO),), by_hand=UNLIKE)
EQUAL = AttachmentCase((document_set(1, PO), document_set(2, PO)), by_hand=UNLIKE)
"""Two prices of one purchase order."""
ORDER = OrderCase((order(1),), by_hand=order(7))
EQUAL_ORDERS = OrderCase((order(1), order(1)), by_hand=order(7))
UNLIKE_ORDERS = OrderCase((order(1), order(2)), by_hand=order(7))
CHECKOUT, EQUAL_CHECKOUTS = checkouts(1), checkouts(1, 1)
OF_CARTS = {"honours": True}
"""What is checked out twice is there once."""


@dataclass(frozen=True)
class Scenario:
    """`ends` are states in which a submission must have come to rest in some world: what never happens was
    not tried."""

    case: Case
    first: tuple[Task, ...]
    second: tuple[Task, ...]
    budget: Budget
    ends: tuple[str, ...] = ("ends done",)
    more: dict[str, Any] = field(default_factory=dict)

    def explorer(self) -> Explorer:
        budget = self.budget
        if DEEP:
            budget = budget._replace(
                times=budget.times + 1, deaths=budget.deaths + 1, lags=max(1, budget.lags)
            )
        return Explorer(self.case, (self.first, self.second), budget, **self.more)


SCENARIOS = {
    "documents that two send at once": Scenario(ONE, (ASK,), (ASK,), Budget(times=3, deaths=1, silences=1)),
    "documents that are dropped and sent": Scenario(
        ONE, (DROP, WORK), (ASK,), Budget(times=2, silences=1, lags=1)
    ),
    "documents that are dropped and looked for": Scenario(
        ONE, (DROP, WORK), (LOOK,), Budget(times=2, deaths=1, silences=1, lags=1)
    ),
    "two prices of one purchase order": Scenario(
        EQUAL, (ASK,), (OTHER,), Budget(times=2, deaths=1, silences=1)
    ),
    "two drops for one order": Scenario(
        EQUAL, (DROP, WORK), (OTHER_DROP,), Budget(times=1, deaths=1, silences=1)
    ),
    "documents that are refused or throttled": Scenario(
        ONE, (DROP, WORK), (ASK,), Budget(times=1, silences=1, refusals=1), ends=("ends refused",)
    ),
    "documents while storage fails": Scenario(ONE, (ASK,), (ASK,), Budget(times=1, silences=1, storage=2)),
    "documents while lists fail": Scenario(
        EQUAL, (ASK,), (OTHER_DROP,), Budget(times=1, silences=1, lists=1), ends=("ends review",)
    ),
    "documents that are accepted and dropped, or not shown": Scenario(
        EQUAL,
        (DROP, WORK),
        (OTHER,),
        Budget(times=1, blanks=1),
        ends=("ends review", "ends done"),
        more={"lists_all": True},
    ),
    "documents while a person uploads another": Scenario(
        ONE, (DROP, WORK), (ASK,), Budget(times=1, silences=1, uploads=1), ends=("ends review", "ends done")
    ),
    "documents of which a person had uploaded the like": Scenario(
        replace(ONE, by_hand=document_set(999, PO)),
        (DROP, WORK),
        (ASK,),
        Budget(times=2, silences=1),
        more={"before": (Thing(0, BY_HAND, 0, ""),)},
    ),
    "documents that show after the visibility delay": Scenario(
        ONE, (ASK,), (DROP, WORK), Budget(times=2, silences=1, lags=1, lates=1), ends=("ends review",)
    ),
    "two prices of one purchase order, and lists that are too late": Scenario(
        EQUAL, (ASK,), (OTHER,), Budget(times=2, silences=2, lags=1, lates=1), ends=("ends review",)
    ),
    "two drops for one order, and lists that are too late": Scenario(
        EQUAL, (DROP, WORK), (OTHER_DROP,), Budget(times=1, silences=2, lates=1)
    ),
    "documents that are asked for and dropped, and lists that are too late": Scenario(
        EQUAL, (ASK,), (OTHER_DROP, WORK), Budget(times=2, silences=2, lates=1), ends=("ends review",)
    ),
    "documents where request ids are honoured": Scenario(
        ONE, (ASK,), (DROP,), Budget(times=2, silences=2, lags=1), more={"honours": True}
    ),
    "documents of which one process' clock is fast": Scenario(
        ONE, (ASK, ASK), (ASK,), Budget(times=2, silences=1), more={"ahead": (59, 0)}
    ),
    "one order that is asked for twice": Scenario(
        ORDER, (ASK,), (WORK, ASK), Budget(times=2, silences=1, lags=1)
    ),
    "one order whose process dies": Scenario(ORDER, (ASK,), (ASK, WORK), Budget(times=2, deaths=1)),
    "equal orders of two keys": Scenario(
        EQUAL_ORDERS, (ASK, WORK), (OTHER,), Budget(times=1, deaths=1, silences=1)
    ),
    "unlike orders of two keys": Scenario(
        UNLIKE_ORDERS, (ASK, WORK), (OTHER,), Budget(times=1, deaths=1, silences=1)
    ),
    "an order while a person places another": Scenario(
        ORDER, (ASK, WORK), (ASK,), Budget(times=1, silences=1, uploads=1, lags=1), ends=("ends review",)
    ),
    "an order while storage fails": Scenario(
        ORDER, (ASK, WORK), (ASK,), Budget(times=1, silences=1, storage=1)
    ),
    "an order that is refused while lists fail": Scenario(
        ORDER, (ASK, WORK), (ASK,), Budget(times=1, refusals=1, lists=1), ends=("ends refused",)
    ),
    "an order where request ids are honoured": Scenario(
        ORDER, (ASK,), (WORK,), Budget(times=2, silences=2), more={"honours": True}
    ),
    "one checkout that is asked for twice": Scenario(
        CHECKOUT, (ASK,), (ASK,), Budget(times=1, silences=3, lags=1), more=OF_CARTS
    ),
    "one checkout whose process dies": Scenario(
        CHECKOUT, (ASK,), (ASK, WORK), Budget(times=2, deaths=1, silences=1), more=OF_CARTS
    ),
    "equal checkouts of two keys": Scenario(
        EQUAL_CHECKOUTS, (ASK,), (OTHER,), Budget(times=1, deaths=1, silences=1), more=OF_CARTS
    ),
    "a checkout while storage fails": Scenario(
        CHECKOUT, (ASK,), (ASK,), Budget(times=1, silences=1, storage=1), more=OF_CARTS
    ),
    "a checkout that is silent while its cart cannot be read": Scenario(
        CHECKOUT, (ASK,), (WORK,), Budget(times=1, silences=3, lists=1, lags=1), more=OF_CARTS
    ),
    "a checkout that is refused while its cart cannot be read": Scenario(
        CHECKOUT,
        (ASK,),
        (WORK,),
        Budget(times=1, silences=1, refusals=1, lists=1),
        ends=("ends refused", "ends done"),
        more=OF_CARTS,
    ),
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is logged of ten thousands of worlds is read by nobody, and takes a tenth of the time."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", SCENARIOS)
def test_in_every_order_of_the_steps_it_is_done_once_and_told_as_it_is(name: str) -> None:
    scenario = SCENARIOS[name]
    explorer = scenario.explorer()
    worlds = explorer.explore()

    assert worlds > 500
    assert all(explorer.met[end] for end in scenario.ends), dict(explorer.met)


class _Hasty(AttachmentOperation):
    """Takes silence for a failure."""

    def reconcile(self, record: Record, submission: Any, deadline: Deadline) -> Absent:
        return Absent()


class _HastyAttachments(Attachments):
    def operation(self, blank: Record, digest: str) -> AttachmentOperation:
        op = super().operation(blank, digest)
        return _Hasty(**{name: getattr(op, name) for name in AttachmentOperation.__slots__})


SILENT = SCENARIOS["documents that are dropped and sent"]
WRONG = {
    "silence is a failure": replace(SILENT, case=replace(ONE, services=_HastyAttachments)),
    "absence is believed at once": replace(SILENT, case=replace(ONE, delay=timedelta())),
    "a claim ends before its holder's deadline": replace(
        SILENT, case=replace(ONE, margin=timedelta(seconds=-30))
    ),
    "clocks differ by more than the margin": replace(SILENT, more={"ahead": (300, 0)}),
    "storage does not compare before it swaps": replace(SILENT, more={"compares": False}),
    "absence of an order is believed at once": replace(
        SCENARIOS["one order that is asked for twice"], case=replace(ORDER, delay=timedelta())
    ),
    "a cart is ordered each time that it is checked out": replace(
        SCENARIOS["one checkout that is asked for twice"], more={}
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_rule_that_is_wrong_is_noticed(name: str) -> None:
    with pytest.raises(BrokenPromiseError):
        WRONG[name].explorer().explore()
