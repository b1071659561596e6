"""Which of a customer's orders is the one that was sent: the rules as tables.

Three bands: ours (every field that was sent and comes back agrees), provably another's (owned, of other
products, or created well before: `shares_product` and `is_older` say which), and everything else, which is a
person's to judge. Each row tells a situation and what follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core import matching_orders
from shared.core.matching import Absent, Ambiguous, Ours, Verdict
from shared.core.matching_orders import UnderWay
from shared.core.resources import id_of, read_order

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Twin:
    sent: Mapping[str, Any]
    under_way: bool


def match_order(
    sent: Mapping[str, Any], new: Sequence[Json], twins: Sequence[Twin] = (), early: Sequence[Json] = ()
) -> Verdict | UnderWay:
    others = [matching_orders.Twin(read_order(twin.sent), twin.under_way) for twin in twins]
    there, before = [read_order(one) for one in new], [read_order(one) for one in early]
    return matching_orders.match_order(read_order(sent), there, others, before)


def is_older(there: Json, since: datetime, skew: timedelta | None) -> bool:
    return matching_orders.is_older(read_order(there), since, skew)


def is_early(there: Json, since: datetime, skew: timedelta | None) -> bool:
    return matching_orders.is_early(read_order(there), since, skew)


def shares_product(there: Json, sent: Json) -> bool:
    return matching_orders.shares_product(read_order(there), read_order(sent))


def has_exact_moment(there: Json) -> bool:
    return matching_orders.has_exact_moment(read_order(there))


CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
OFFICE = "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P"
POWER = "CFQ7TTC0LH2H:0001:CFQ7TTC0KXXX"


def line(number: int = 0, offer: Any = OFFICE, quantity: Any = 5, **members: Any) -> Json:
    return {"lineItemNumber": number, "offerId": offer, "quantity": quantity} | members


def request(*lines: Json, **members: Any) -> Json:
    """What was sent."""
    return {"referenceCustomerId": CUSTOMER, "lineItems": list(lines) or [line()]} | members


def order(*lines: Json, id: Any = "o1", **members: Any) -> Json:  # noqa: A002 - as the wire calls it
    """What is there: it comes back with what the server adds."""
    added = {"transactionType": "New", "subscriptionId": None, "links": {"subscription": {"uri": "/s"}}}
    return {
        "id": id,
        "alternateId": "8f2a",
        "referenceCustomerId": CUSTOMER,
        "billingCycle": "monthly",
        "currencyCode": "EUR",
        "currencySymbol": "€",
        "lineItems": [added | one for one in (lines or [line()])],
        "creationDate": "2027-03-31T10:11:12.1234567Z",
        "status": "pending",
        "attributes": {"objectType": "Order"},
    } | members


FULL = request(
    line(
        friendlyName="Büro 訂單",
        termDuration="P1Y",
        customTermEndDate="2028-03-31T23:59:59Z",
        promotionId="39NFJQT20VBJ:0001:39NFJQT1X3KX",
        provisioningContext={"scope": "shared", "duration": "3Years"},
        attestationAccepted=True,
        renewsTo={"termDuration": "P1M"},
        partnerIdOnRecord="4847383",
        additionalPartnerIdsOnRecord=["1", "2"],
        purchaseCommitment={"amount": 100.5, "currency": "EUR", "grain": "hourly"},
    ),
    billingCycle="one_time",
    currencyCode="EUR",
    partnerOnRecordAttestationAccepted=False,
)
ECHO = order(*FULL["lineItems"], **{name: FULL[name] for name in FULL if name != "lineItems"})


def unknown(*sent: Json) -> list[Twin]:
    """Other requests that got no answer."""
    return [Twin(one, under_way=False) for one in sent]


@dataclass(frozen=True, slots=True)
class Row:
    says: str
    new: Sequence[Json]
    verdict: Verdict | UnderWay
    twins: Sequence[Twin] = ()
    sent: Mapping[str, Any] = field(default_factory=request)


NOT_QUITE = Ambiguous("the customer has 1 new orders for these products that differ from this one")
TWO_NOT_QUITE = Ambiguous("the customer has 2 new orders for these products that differ from this one")
ANOTHERS = Ambiguous("the customer has a new order like this one that may belong to another request")
NO_ID = Ambiguous("the id of a new order like this one cannot be read")

SIX, SEVEN = request(line(quantity=6)), request(line(quantity=7))

ALONE = [
    Row("nothing is new", [], Absent()),
    Row("it is there", [order()], Ours(("o1",))),
    Row("it is there with all that was sent", [ECHO], Ours(("o1",)), sent=FULL),
    Row("it is there beside another", [order(line(quantity=6), id="x"), order()], Ours(("o1",))),
    Row("there is one of another quantity", [order(line(quantity=6))], NOT_QUITE),
    Row(
        "there is one of another edition of the product",
        [order(line(offer="CFQ7TTC0LH0Z:0002:X"))],
        NOT_QUITE,
    ),
    Row("there is one with a line more", [order(line(), line(1, POWER))], NOT_QUITE),
    Row(
        "there is one with a line less",
        [order(line())],
        NOT_QUITE,
        sent=request(line(), line(1, POWER)),
    ),
    Row("it was changed meanwhile", [order(line(quantity=4), status="completed")], NOT_QUITE),
    Row("it was cancelled meanwhile, and has no lines", [order(lineItems=[])], NOT_QUITE),
    Row("its lines are not told", [order(lineItems=None)], NOT_QUITE),
    Row("its lines cannot be read", [order(lineItems=["?"])], NOT_QUITE),
    Row("one of its lines cannot be read", [order(lineItems=[line(), "?"])], NOT_QUITE),
    Row("its quantity is not told", [order(line(quantity=None))], NOT_QUITE),
    Row("its offer is not told", [order({"quantity": 5})], NOT_QUITE),
    Row("nothing of it is told but an id", [{"id": "o1"}], NOT_QUITE),
    Row("nothing is told of what was sent either", [{"id": "o1"}], NOT_QUITE, sent={}),
    Row("two are not quite this one", [order(line(quantity=n)) for n in (6, 7)], TWO_NOT_QUITE),
    Row("it has no id", [order(id=None)], NO_ID),
    Row("it has an empty id", [order(id="")], NO_ID),
    Row("its id is a number", [order(id=77)], Ours(("77",))),
    Row("another has no id", [order(), order(line(quantity=6), id=None)], Ours(("o1",))),
    Row(
        "two are exactly this one",
        [order(), order(id="o2")],
        Ambiguous("the customer has 2 new orders like this one, more than were requested"),
    ),
    Row("the list tells it on two of its pages", [order(), order()], Ours(("o1",))),
]

WITH_TWINS = [
    Row("nothing is there of either of two requests", [], Absent(), unknown(SIX)),
    Row("what is there is another request's", [order(line(quantity=6))], Absent(), unknown(SIX)),
    Row(
        "what is there are two other requests'",
        [order(line(quantity=6)), order(line(quantity=7), id="o2")],
        Absent(),
        unknown(SEVEN, SIX),
    ),
    Row(
        "another request explains one order, not two: one may be ours, changed",
        [order(line(quantity=6)), order(line(quantity=6), id="o2")],
        TWO_NOT_QUITE,
        unknown(SIX),
    ),
    Row(
        "another request does not explain what is not quite its own",
        [order(line(quantity=6, friendlyName="B"))],
        NOT_QUITE,
        unknown(request(line(quantity=6, friendlyName="A"))),
    ),
    Row(
        "it is there beside another request's",
        [order(line(quantity=6), id="x"), order()],
        Ours(("o1",)),
        unknown(SIX),
    ),
    Row(
        "of two equal requests one is there: either may take it",
        [order()],
        Ours(("o1",)),
        unknown(request()),
    ),
    Row(
        "two equal requests are there: each may take either",
        [order(), order(id="o2")],
        Ours(("o1", "o2")),
        unknown(request()),
    ),
    Row(
        "there is one more than there are equal requests",
        [order(), order(id="o2"), order(id="o3")],
        Ambiguous("the customer has 3 new orders like this one, more than were requested"),
        unknown(request()),
    ),
    Row(
        "of two equal requests one is there, and one without an id",
        [order(), order(id=None)],
        NO_ID,
        unknown(request()),
    ),
    Row(
        "it may as well be another request's, whose difference does not come back",
        [order()],
        ANOTHERS,
        unknown(request(line(partnerIdOnRecord="4847383"))),
    ),
    Row(
        "it may as well be one of two other requests', of which one is equal",
        [order()],
        ANOTHERS,
        unknown(request(), request(line(partnerIdOnRecord="4847383"))),
    ),
    Row(
        "two requests whose difference does not come back are both there: which is whose cannot be seen",
        [order(), order(id="o2")],
        ANOTHERS,
        unknown(request(line(partnerIdOnRecord="4847383"))),
    ),
    Row(
        "what bears a name that another request gave is not ours, though we gave none",
        [order(line(friendlyName="B"))],
        ANOTHERS,
        unknown(request(line(friendlyName="B"))),
    ),
    Row(
        "what bears a name that no other request gave is ours",
        [order(line(friendlyName="B"), id="x"), order(line(friendlyName="Office"))],
        Ours(("o1",)),
        unknown(request(line(friendlyName="B"))),
    ),
    Row(
        "of three like it two fit one other request alone",
        [order(line(friendlyName="A")), order(line(friendlyName="A"), id="o2"), order(id="o3")],
        Ambiguous("the customer has 3 new orders like this one, more than were requested"),
        unknown(request(line(friendlyName="B")), request(line(friendlyName="C"))),
    ),
    Row(
        "it may be that of a request which is being sent right now",
        [order()],
        UnderWay(),
        [Twin(request(), under_way=True)],
    ),
    Row(
        "what is not quite it may be that of a request which is being sent right now",
        [order(line(quantity=6))],
        UnderWay(),
        [Twin(SIX, under_way=True)],
    ),
    Row(
        "what is exactly it is not that of another which is being sent right now",
        [order(), order(line(quantity=6), id="x")],
        Ours(("o1",)),
        [Twin(SIX, under_way=True)],
    ),
    Row(
        "what is not quite it is not quite that of another which is being sent right now",
        [order(line(quantity=7))],
        NOT_QUITE,
        [Twin(SIX, under_way=True)],
    ),
    Row("another is being sent right now, and nothing is there", [], Absent(), [Twin(SIX, under_way=True)]),
]


@pytest.mark.parametrize("row", [*ALONE, *WITH_TWINS], ids=lambda row: row.says.replace(" ", "-"))
def test_what_is_new_among_the_customers_orders(row: Row) -> None:
    assert row.verdict == match_order(row.sent, row.new, row.twins)


def changed(sent: Json, place: str, value: Any) -> Json:
    """A copy with the field at a place such as `lineItems.0.quantity` put to a value, or left out (`...`)."""
    result = deepcopy(sent)
    *way, last = place.split(".")
    at: Any = result
    for step in way:
        at = at[int(step) if step.isdigit() else step]
    at[last] = value
    if value is ...:
        del at[last]
    return result


LINE = "lineItems.0."

SAME = [
    ("a customer id in capitals", "referenceCustomerId", CUSTOMER.upper()),
    ("an enumeration in Pascal case", "billingCycle", "OneTime"),
    ("a currency in small letters", "currencyCode", "eur"),
    ("a field that does not come back", "currencyCode", ...),
    ("a field that comes back as null", "currencyCode", None),
    ("a quantity as text", LINE + "quantity", "5"),
    ("a quantity with a fraction of zero", LINE + "quantity", Decimal("5.00")),
    ("another line number", LINE + "lineItemNumber", 1),
    ("no line number", LINE + "lineItemNumber", ...),
    ("an offer id in small letters", LINE + "offerId", OFFICE.lower()),
    ("spaces around a text", LINE + "friendlyName", " Büro 訂單 "),
    ("a text that does not come back", LINE + "friendlyName", ...),
    ("a moment with a fraction", LINE + "customTermEndDate", "2028-03-31T23:59:59.0000000Z"),
    ("a moment in another zone", LINE + "customTermEndDate", "2028-04-01T01:59:59+02:00"),
    ("an id as a number", LINE + "partnerIdOnRecord", 4847383),
    ("true as text", LINE + "attestationAccepted", "True"),
    ("false as text", "partnerOnRecordAttestationAccepted", "false"),
    ("a list in another order", LINE + "additionalPartnerIdsOnRecord", ["2", "1"]),
    ("an object with more members", LINE + "renewsTo", {"termDuration": "P1M", "x": 1}),
    ("names in an object in Pascal case", LINE + "renewsTo", {"TermDuration": "P1M"}),
    ("an amount with more zeros", LINE + "purchaseCommitment.amount", Decimal("100.500")),
]


@pytest.mark.parametrize(("says", "place", "value"), SAME, ids=[says for says, *_ in SAME])
def test_what_is_spelt_otherwise_is_the_same(says: str, place: str, value: Any) -> None:
    assert match_order(FULL, [changed(ECHO, place, value)]) == Ours(("o1",))


def test_names_of_members_may_be_spelt_in_any_case() -> None:
    lines = [{name.upper(): value for name, value in one.items()} for one in ECHO["lineItems"]]
    there = {name.capitalize(): value for name, value in ECHO.items()} | {"Lineitems": lines}

    assert match_order(FULL, [there]) == Ours(("o1",))


def test_a_billing_cycle_that_was_left_to_partner_center_comes_back_as_any() -> None:
    assert match_order(request(billingCycle="unknown"), [order(billingCycle="annual")]) == Ours(("o1",))


@pytest.mark.parametrize("told", ["NaN", "nan", "sNaN", "Infinity"])
def test_a_name_that_reads_like_no_number_is_a_name(told: str) -> None:
    sent = request(line(friendlyName=told))

    assert match_order(sent, [order(line(friendlyName=told))]) == Ours(("o1",))


def test_names_that_differ_in_an_underscore_are_two() -> None:
    sent = request(line(friendlyName="Team_1"))

    assert match_order(sent, [order(line(friendlyName="Team1"))]) == NOT_QUITE


TWO = request(line(0, OFFICE, 5, friendlyName="A"), line(1, POWER, 1, friendlyName="B"))


@pytest.mark.parametrize(
    ("says", "lines", "verdict"),
    [
        ("in the order of their numbers", TWO["lineItems"], Ours(("o1",))),
        ("in another order", TWO["lineItems"][::-1], Ours(("o1",))),
        ("under other numbers", [one | {"lineItemNumber": 7} for one in TWO["lineItems"]], Ours(("o1",))),
        ("the same one twice", [TWO["lineItems"][0]] * 2, NOT_QUITE),
        (
            "with what belongs to the one on the other",
            [line(0, OFFICE, 5, friendlyName="B"), line(1, POWER, 1, friendlyName="A")],
            NOT_QUITE,
        ),
    ],
)
def test_lines_come_back_in_any_order(says: str, lines: list[Json], verdict: Verdict) -> None:
    assert verdict == match_order(TWO, [order(*lines)])


def test_lines_of_which_one_tells_less_are_paired_all_the_same() -> None:
    """The first line fits both, the second one only the first."""
    sent = request(line(0, friendlyName="A"), line(1, friendlyName="B"))
    there = order(line(0), line(1, friendlyName="A"))

    assert match_order(sent, [there]) == Ours(("o1",))


OTHER = [
    ("another customer", "referenceCustomerId", CUSTOMER[:-1] + "2"),
    ("another billing cycle", "billingCycle", "annual"),
    ("another currency", "currencyCode", "USD"),
    ("an attestation that was not given", "partnerOnRecordAttestationAccepted", True),
    ("another quantity", LINE + "quantity", 6),
    ("a quantity that cannot be read", LINE + "quantity", "five"),
    ("a quantity that is no number", LINE + "quantity", "NaN"),
    ("another offer", LINE + "offerId", POWER),
    ("an offer told by its product alone", LINE + "offerId", OFFICE.partition(":")[0]),
    ("another name", LINE + "friendlyName", "Büro"),
    ("another term", LINE + "termDuration", "P3Y"),
    ("another end", LINE + "customTermEndDate", "2028-03-31T23:59:58Z"),
    ("an end without a zone", LINE + "customTermEndDate", "2028-03-31T23:59:59"),
    ("another promotion", LINE + "promotionId", "39NFJQT20VBJ:0001:39NFJQT1X3KY"),
    ("another attestation", LINE + "attestationAccepted", False),
    ("another partner", LINE + "partnerIdOnRecord", "4847384"),
    ("another of two partners", LINE + "additionalPartnerIdsOnRecord", ["1", "3"]),
    ("a partner more", LINE + "additionalPartnerIdsOnRecord", ["1", "2", "3"]),
    ("a partner less", LINE + "additionalPartnerIdsOnRecord", ["1"]),
    ("one text for a list", LINE + "additionalPartnerIdsOnRecord", "12"),
    ("a list for a text", LINE + "friendlyName", ["Büro 訂單"]),
    ("an object for a text", LINE + "friendlyName", {"value": "Büro 訂單"}),
    ("another member of an object", LINE + "provisioningContext.scope", "single"),
    ("a member of an object that does not come back", LINE + "provisioningContext.scope", ...),
    ("a list for an object", LINE + "renewsTo", [{"termDuration": "P1M"}]),
    ("another amount", LINE + "purchaseCommitment.amount", 100.51),
]


@pytest.mark.parametrize(("says", "place", "value"), OTHER, ids=[says for says, *_ in OTHER])
def test_what_differs_in_a_field_is_neither_ours_nor_absent(says: str, place: str, value: Any) -> None:
    assert match_order(FULL, [changed(ECHO, place, value)]) == NOT_QUITE


# --- created well before ------------------------------------------------------------------------------------

SINCE = datetime(2027, 3, 31, 12, 0, 1, tzinfo=UTC)
"""The moment before the first POST that got no answer, on our clock."""
EXACT = timedelta()
"""Partner Center's clock agrees with ours."""


@pytest.mark.parametrize(
    ("says", "created", "skew", "older"),
    [
        ("two hours before", "2027-03-31T10:00:01Z", EXACT, True),
        ("by more than the margin", "2027-03-31T11:00:00.999999Z", EXACT, True),
        ("by the margin", "2027-03-31T11:00:01Z", EXACT, False),
        ("at that moment", "2027-03-31T12:00:01Z", EXACT, False),
        ("afterwards", "2027-03-31T12:10:00Z", EXACT, False),
        ("in another zone", "2027-03-31T05:00:01-05:00", EXACT, True),
        ("in another zone, afterwards", "2027-03-31T07:00:01-05:00", EXACT, False),
        ("with seven digits of a second", "2027-03-31T10:00:01.1234567Z", EXACT, True),
        ("with spaces around", " 2027-03-31T10:00:01Z ", EXACT, True),
        ("without a zone: it may be west of here", "2027-03-30T21:00:01", EXACT, False),
        ("without a zone, further back", "2027-03-30T21:00:00.999999", EXACT, True),
        ("at midnight, which may mean the day", "2027-03-31T00:00:00Z", EXACT, False),
        ("at midnight of another zone", "2027-03-30T22:00:00Z", EXACT, False),
        ("at midnight of a zone of quarters", "2027-03-30T18:15:00Z", EXACT, False),
        ("at the midnight before", "2027-03-30T00:00:00Z", EXACT, True),
        ("after midnight by the least", "2027-03-31T00:00:00.000001Z", EXACT, True),
        ("after midnight by a second", "2027-03-31T00:00:01Z", EXACT, True),
        ("after midnight by a minute", "2027-03-31T00:01:00Z", EXACT, True),
        ("told to the hour", "2027-03-31T10Z", EXACT, False),
        ("on that day", "2027-03-31", EXACT, False),
        ("on the day before: it may be west of here", "2027-03-30", EXACT, False),
        ("two days before", "2027-03-29", EXACT, True),
        ("no date", None, EXACT, False),
        ("an empty date", "", EXACT, False),
        ("a number", 1806487200, EXACT, False),
        ("a date as it is written elsewhere", "31/03/2020 10:00:01", EXACT, False),
        ("a year and a month", "2026-03", EXACT, False),
        ("a date that .NET writes for none", "0001-01-01T00:00:00", EXACT, False),
        ("the same in a zone", "0001-01-01T00:00:00+14:00", EXACT, False),
        ("a date that Unix writes for none", "1970-01-01T00:00:00Z", EXACT, False),
        ("before there were any orders", "2009-12-31T23:59:59Z", EXACT, False),
        ("since there are orders", "2010-01-01T00:00:01Z", EXACT, True),
        ("a date without end", "9999-12-31T23:59:59.9999999Z", EXACT, False),
        ("the last of all days", "9999-12-31", EXACT, False),
        ("two hours before, its clock three behind", "2027-03-31T10:00:01Z", timedelta(hours=-3), False),
        ("five hours before, its clock three behind", "2027-03-31T07:00:01Z", timedelta(hours=-3), True),
        ("two hours before, its clock three ahead", "2027-03-31T10:00:01Z", timedelta(hours=3), True),
        ("afterwards, its clock a year ahead", "2027-03-31T12:10:00Z", timedelta(days=365), False),
        ("its clock without sense", "2027-03-01T12:10:00Z", -timedelta(days=2027 * 366), False),
        ("two hours before, its clock unknown", "2027-03-31T10:00:01Z", None, False),
        ("a day before, its clock unknown", "2027-03-30T12:00:01Z", None, False),
        ("more than a day before, its clock unknown", "2027-03-30T12:00:00.999999Z", None, True),
    ],
)
def test_an_order_was_created_well_before(
    says: str, created: Any, skew: timedelta | None, older: bool
) -> None:
    assert is_older({"CreationDate": created}, SINCE, skew) is older


@pytest.mark.parametrize(
    ("says", "there", "shares"),
    [
        ("the same offer", order(), True),
        ("another edition of the product", order(line(offer="CFQ7TTC0LH0Z:0002:X")), True),
        ("the product in small letters", order(line(offer="cfq7ttc0lh0z:0001:x")), True),
        ("the product alone", order(line(offer="CFQ7TTC0LH0Z")), True),
        ("spaces around the product", order(line(offer=" CFQ7TTC0LH0Z :0001")), True),
        ("another product", order(line(offer=POWER)), False),
        (
            "a product of the older catalogue",
            order(line(offer="195416c1-3447-423a-b37b-ee59a99a19c4")),
            False,
        ),
        ("both", order(line(offer=POWER), line(1)), True),
        ("an offer without a product proves nothing", order(line(offer=":0001:X")), True),
        ("an empty offer proves nothing", order(line(offer=POWER), line(1, offer="")), True),
        ("an offer that is no text proves nothing", order(line(offer={"id": POWER})), True),
        ("an offer that is not told proves nothing", order(line(offer=POWER), {"quantity": 1}), True),
        ("no lines prove nothing", order(lineItems=[]), True),
        ("lines that are not told prove nothing", order(lineItems=None), True),
        ("lines that cannot be read prove nothing", order(lineItems=[POWER]), True),
        ("names in Pascal case", {"LineItems": [{"OfferId": POWER}]}, False),
    ],
)
def test_an_order_may_hold_a_product_that_was_sent(says: str, there: Json, shares: bool) -> None:
    assert shares_product(there, request()) is shares


def test_what_was_sent_and_cannot_be_read_proves_nothing() -> None:
    assert shares_product(order(), {"lineItems": []})


# --- what holds for all of them -----------------------------------------------------------------------------

lines = st.builds(
    lambda offer, quantity, name: line(0, offer, quantity, **name),
    st.sampled_from([OFFICE, POWER]),
    st.integers(1, 2),
    st.sampled_from([{}, {}, {"friendlyName": "A"}, {"friendlyName": "B"}]),
)
requests = st.lists(lines, min_size=1, max_size=3).map(
    lambda some: request(*[one | {"lineItemNumber": n} for n, one in enumerate(some)])
)


@st.composite
def told(draw: st.DrawFn, sent: Json) -> Json:
    """An order as it may come back: less of it, in another order and spelling; it gets its id later."""
    some = [dict(one) for one in draw(st.permutations(sent["lineItems"]))]
    for one in some:
        one["quantity"] = draw(st.sampled_from([one["quantity"], str(one["quantity"])]))
        for name in ("lineItemNumber", "friendlyName"):
            if draw(st.booleans()):
                one.pop(name, None)
    spelt = [
        {name.lower(): value for name, value in one.items()} if draw(st.booleans()) else one for one in some
    ]
    return order(*spelt)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Json, list[Json], list[Twin]]:
    """What was sent; orders as they may come back of it and others; the open requests of the customer."""
    sent = draw(requests)
    others = draw(st.lists(st.one_of(st.just(sent), requests), max_size=3))
    placed = draw(st.lists(st.one_of(*map(told, [sent, sent, *others])), max_size=4))
    numbered = [one | {"id": str(n)} for n, one in enumerate(placed)]
    twins = [Twin(other, under_way=draw(st.integers(0, 5)) == 0) for other in others]
    return sent, numbered, twins


@settings(deadline=None)
@given(st.data(), situations())
def test_what_may_be_our_order_is_never_absent(
    data: st.DataObject, situation: tuple[Json, list[Json], list[Twin]]
) -> None:
    sent, new, twins = situation
    ours = data.draw(told(sent)) | {"id": "ours"}

    assert match_order(sent, [*new, ours], twins) != Absent()


@settings(deadline=None)
@given(situations())
def test_while_there_are_more_orders_than_other_requests_ours_is_not_absent(
    situation: tuple[Json, list[Json], list[Twin]],
) -> None:
    sent, new, twins = situation
    if len(new) > len(twins):
        assert match_order(sent, new, twins) != Absent()


@settings(deadline=None)
@given(situations())
def test_ours_are_orders_of_the_list_that_no_other_request_which_differs_could_have_placed(
    situation: tuple[Json, list[Json], list[Twin]],
) -> None:
    sent, new, twins = situation
    verdict = match_order(sent, new, twins)
    ids = verdict.ids if isinstance(verdict, Ours) else ()

    assert len(ids) == len(set(ids)) <= 1 + sum(twin.sent == sent for twin in twins)
    for one in new:
        if one["id"] in ids:
            assert all(match_order(twin.sent, [one]) == NOT_QUITE for twin in twins if twin.sent != sent)


@settings(deadline=None)
@given(situations(), st.randoms())
def test_the_order_in_which_orders_and_lines_are_listed_does_not_count(
    situation: tuple[Json, list[Json], list[Twin]], random: Random
) -> None:
    sent, new, twins = situation
    verdict = match_order(sent, new, twins)
    shuffled = deepcopy(new)
    for some in (shuffled, twins, *(one["lineItems"] for one in shuffled)):
        random.shuffle(some)

    assert essence(match_order(sent, shuffled, twins)) == essence(verdict)


def essence(verdict: Verdict | UnderWay) -> object:
    return set(verdict.ids) if isinstance(verdict, Ours) else type(verdict)


minutes = st.integers(-10_000, 10_000).map(lambda n: timedelta(minutes=n, seconds=n % 7))
zones = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
spans = st.sampled_from(["microseconds", "milliseconds", "seconds", "minutes", "hours"])


@settings(deadline=None)
@given(minutes, minutes, zones, spans, st.booleans(), st.booleans())
def test_an_order_of_that_moment_is_not_older_however_its_date_is_told(
    after: timedelta, skew: timedelta, zone: timezone, span: str, zoned: bool, day: bool
) -> None:
    """It was created from an hour before the silence on, by Partner Center's clock."""
    created = (SINCE + max(after, -timedelta(minutes=59)) + skew).astimezone(zone)
    shown = (created if zoned else created.replace(tzinfo=None)).isoformat(timespec=span)
    shown = created.date().isoformat() if day else shown

    assert not is_older({"creationDate": shown}, SINCE, skew)


SILENT = datetime(2027, 3, 31, 10, 11, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("says", "created", "skew", "early"),
    [
        ("half an hour before", "2027-03-31T09:41:13Z", timedelta(), True),
        ("a minute before, since clocks differ", "2027-03-31T10:10:13Z", timedelta(), False),
        ("just before, on a clock that is behind", "2027-03-31T09:41:13Z", timedelta(minutes=-30), False),
        ("half an hour before, and their clock is not known", "2027-03-31T09:41:13Z", None, False),
        ("half an hour before, without a zone", "2027-03-31T09:41:13", timedelta(), False),
        ("at midnight, which may be the whole day", "2027-03-31T00:00:00Z", timedelta(), False),
        ("never", "0001-01-01T00:00:01Z", timedelta(), False),
        ("in no date", "soon", timedelta(), False),
        ("in a number", 1, timedelta(), False),
    ],
)
def test_an_order_was_created_before_ours(
    says: str, created: object, skew: timedelta | None, early: bool
) -> None:
    assert is_early(order(creationDate=created), SILENT, skew) is early, says


def test_an_order_like_ours_that_was_placed_before_it_is_for_a_person() -> None:
    before, after = order(id="before"), order(id="after")

    assert isinstance(match_order(request(), [before], early=[before]), Ambiguous)
    assert match_order(request(), [before, after], early=[before]) == Ours(("after",))


@pytest.mark.parametrize(
    ("told", "known_as"),
    [
        ({"id": "a"}, "a"),
        ({"ID": "a"}, "a"),
        ({"Id": "a", "id": "b"}, "b"),
        ({"id": 5}, "5"),
        ({"id": None}, ""),
    ],
)
def test_who_looks_for_an_order_again_knows_it_by_the_id_that_the_verdict_names(
    told: dict[str, Any], known_as: str
) -> None:
    line = {"offerId": "a:b:c", "quantity": 1}
    verdict = match_order({"lineItems": [line]}, [{"lineItems": [line], **told}])

    assert id_of(told) == known_as
    assert not known_as or verdict == Ours((known_as,))


def test_an_order_tells_its_moment_or_only_something_near_it() -> None:
    told = ("2027-03-31T09:41:13Z", "2027-03-31T09:41:13", "2027-03-31", "soon", None)

    assert [has_exact_moment(order(creationDate=t)) for t in told] == [True, False, False, False, False]
