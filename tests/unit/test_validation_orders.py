"""Order requests: the documents' example passes, and each kind of mistake is named where it stands."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import MAX_VIOLATIONS, AppError, InvalidInputError, TooLargeError
from shared.validation.collecting import ViolationCollector
from shared.validation.lines import MAX_LINES, MAX_ORDER
from shared.validation.orders import order_request

CUSTOMER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
LINE = {"offerId": "DB2E705F-B82A-4024-A3D5-D88E12F2DB35", "quantity": 5}
# https://learn.microsoft.com/en-us/partner-center/developer/create-an-order-for-a-customer-of-an-indirect-reseller
DOCUMENTED = {
    "Id": None,
    "ReferenceCustomerId": CUSTOMER,
    "BillingCycle": "unknown",
    "LineItems": [
        {
            "LineItemNumber": 0,
            "OfferId": "DB2E705F-B82A-4024-A3D5-D88E12F2DB35",
            "SubscriptionId": None,
            "ParentSubscriptionId": None,
            "FriendlyName": "New offer purchase.",
            "Quantity": 5,
            "PartnerIdOnRecord": "4847383",
            "Attributes": {"ObjectType": "OrderLineItem"},
        }
    ],
    "CreationDate": None,
    "Attributes": {"ObjectType": "Order"},
}


def faults(body: object, customer: str = CUSTOMER) -> dict[str, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidInputError) as caught:
        order_request(raw, customer)
    return {v.pointer: v.detail for v in caught.value.violations}


def accepted(body: object) -> Any:
    return json.loads(order_request(json.dumps(body).encode(), CUSTOMER).to_wire(CUSTOMER, None))


def test_the_documented_example_is_accepted_as_it_stands() -> None:
    assert accepted(DOCUMENTED) == {
        "referenceCustomerId": CUSTOMER,
        "billingCycle": "unknown",
        "lineItems": [
            {
                "lineItemNumber": 0,
                "offerId": "DB2E705F-B82A-4024-A3D5-D88E12F2DB35",
                "friendlyName": "New offer purchase.",
                "quantity": 5,
                "partnerIdOnRecord": "4847383",
            }
        ],
    }


# https://learn.microsoft.com/en-us/partner-center/developer/azure-purchase-savings-plan
COMMITMENT = b'{"amount": 0.050, "currency": "usd", "grain": "hourly"}'


def with_commitment(commitment: bytes) -> bytes:
    line = b'"OfferId": "DZH318Z09V6F:0001:DZH318Z0BLD3", "Quantity": 1, "PurchaseCommitment": ' + commitment
    return b'{"LineItems": [{' + line + b"}]}"


def test_the_commitment_of_a_savings_plan_goes_out_digit_for_digit() -> None:
    request = order_request(with_commitment(COMMITMENT), CUSTOMER)

    assert b'"purchaseCommitment":{"amount":0.050,"currency":"usd","grain":"hourly"}' in request.to_wire(
        CUSTOMER, None
    )
    assert request.needs_app_user


def test_a_text_that_looks_like_a_commitment_stays_a_text() -> None:
    name = '"purchaseCommitment":{"amount":"1"}'

    assert accepted({"lineItems": [LINE | {"friendlyName": name}]})["lineItems"][0]["friendlyName"] == name


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        (b'{"amount": "0.05", "currency": "usd", "grain": "hourly"}', "amount"),
        (b'{"amount": 0.0, "currency": "usd", "grain": "hourly"}', "amount"),
        (b'{"amount": -1, "currency": "usd", "grain": "hourly"}', "amount"),
        (b'{"amount": true, "currency": "usd", "grain": "hourly"}', "amount"),
        (b'{"amount": 5e-2, "currency": "usd", "grain": "hourly"}', "amount"),
        (b'{"amount": 1, "currency": "doll", "grain": "hourly"}', "currency"),
        (b'{"amount": 1, "currency": "usd", "grain": "daily"}', "grain"),
        (b'{"amount": 1, "currency": "usd"}', "grain"),
    ],
)
def test_a_commitment_that_is_none_is_refused_where_it_is_wrong(wrong: bytes, pointer: str) -> None:
    assert [name.rpartition("/")[2] for name in faults(with_commitment(wrong))] == [pointer]


def test_optional_fields_may_be_null() -> None:
    line = LINE | {"friendlyName": None, "renewsTo": None, "additionalPartnerIdsOnRecord": None}

    assert "friendlyName" not in accepted({"lineItems": [line], "billingCycle": None})["lineItems"][0]


@pytest.mark.parametrize(
    ("given_as", "sent_as"),
    [("OneTime", "one_time"), ("one_time", "one_time"), ("MONTHLY", "monthly"), ("Triennial", "triennial")],
)
def test_a_billing_cycle_goes_out_in_lower_snake_case(given_as: str, sent_as: str) -> None:
    assert accepted({"lineItems": [LINE], "billingCycle": given_as})["billingCycle"] == sent_as


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("offerid", "offerId"), ("OFFERID", "offerId"), ("offer_id", "offerId"), ("Quantty", "quantity")],
)
def test_an_unknown_field_is_named_with_what_was_meant(wrong: str, meant: str) -> None:
    found = faults({"lineItems": [LINE | {wrong: 1}]})

    assert found == {f"/lineItems/0/{wrong}": f"is not a known field; did you mean {meant}?"}


def test_pointers_are_in_the_callers_own_spelling() -> None:
    found = faults({"LineItems": [{"OfferId": "a", "Quantity": 0, "RenewsTo": {"TermDuration": "1Y"}}]})

    assert set(found) == {"/LineItems/0/Quantity", "/LineItems/0/RenewsTo/TermDuration"}


@pytest.mark.parametrize(("first", "second"), [("quantity", "Quantity"), ("Quantity", "quantity")])
def test_a_field_in_both_spellings_is_given_twice(first: str, second: str) -> None:
    assert faults({"lineItems": [{"offerId": "a", first: 5, second: 5}]}) == {
        f"/lineItems/0/{second}": f"is given twice: as {first} and as {second}"
    }


@pytest.mark.parametrize(
    "field",
    [
        "id", "alternateId", "creationDate", "status", "transactionType", "totalPrice", "currencySymbol",
        "links", "client", "subscriptionId", "parentSubscriptionId", "pricing",
    ],
)  # fmt: skip
def test_what_only_the_server_sets_is_refused_by_name(field: str) -> None:
    pascal = field[0].upper() + field[1:]
    found = faults({"lineItems": [LINE | {field: "x"}], pascal: "x"})

    assert set(found) == {f"/lineItems/0/{field}", f"/{pascal}"}
    assert all("leave it out" in detail for detail in found.values())


def test_parent_subscription_says_where_it_belongs() -> None:
    found = faults({"lineItems": [LINE | {"parentSubscriptionId": "x"}]})

    assert "PATCH" in found["/lineItems/0/parentSubscriptionId"]


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [({"objectType": "Order", "etag": "x"}, "/attributes/etag"), ("Order", "/attributes")],
)
def test_attributes_hold_nothing_but_the_object_type(attributes: object, pointer: str) -> None:
    assert set(faults({"lineItems": [LINE], "attributes": attributes})) == {pointer}


def test_attributes_may_be_null() -> None:
    body = {"lineItems": [LINE | {"attributes": None}], "attributes": None}
    assert order_request(json.dumps(body).encode(), CUSTOMER).line_items[0].offer_id == LINE["offerId"]


@pytest.mark.parametrize("quantity", [True, 5.0, 5.5, "5", 0, -1, 10_000_001, None, [5], 10**30])
def test_a_quantity_is_a_whole_number_within_reason(quantity: object) -> None:
    assert set(faults({"lineItems": [LINE | {"quantity": quantity}]})) == {"/lineItems/0/quantity"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("offerId", ""),
        ("offerId", "a b"),
        ("offerId", 5),
        ("friendlyName", "two\nlines"),
        ("termDuration", "P1X"),
        ("termDuration", "1Y"),
        ("termDuration", "P٣Y"),
        ("customTermEndDate", "2027-03-31"),
        ("customTermEndDate", "Tomorrow"),
        ("attestationAccepted", "true"),
        ("attestationAccepted", 1),
        ("partnerIdOnRecord", 4847383),
        ("provisioningContext", ["a"]),
        ("additionalPartnerIdsOnRecord", "4847383"),
        ("additionalPartnerIdsOnRecord", ["1", "2", "3", "4", "5", "6"]),
        ("renewsTo", [{"termDuration": "P1Y"}]),
    ],
)
def test_a_wrong_value_of_a_line_is_named(field: str, value: object) -> None:
    assert set(faults({"lineItems": [LINE | {field: value}]})) == {f"/lineItems/0/{field}"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("billingCycle", "weekly"),
        ("billingCycle", 1),
        ("currencyCode", "EURO"),
        ("currencyCode", "XXX"),
        ("indirectResellerId", "4847383"),
        ("partnerOnRecordAttestationAccepted", "yes"),
        ("referenceCustomerId", "a501c3c4-d776-40ef-9ecf-9cefb59442c1"),
        ("lineItems", []),
        ("lineItems", {}),
        ("lineItems", None),
    ],
)
def test_a_wrong_value_of_the_order_is_named(field: str, value: object) -> None:
    assert set(faults({"lineItems": [LINE]} | {field: value})) == {f"/{field}"}


@pytest.mark.parametrize("body", [[], "order", 5, None, [[LINE]]])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert faults(body) == {"": "must be a JSON object"}


@pytest.mark.parametrize("line", [None, "x", [], 5])
def test_a_line_that_is_no_object_is_refused(line: object) -> None:
    assert faults({"lineItems": [LINE, line]}) == {"/lineItems/1": "must be a JSON object"}


def numbered(*numbers: object) -> dict[str, object]:
    lines = [LINE if number == "absent" else LINE | {"lineItemNumber": number} for number in numbers]
    return {"lineItems": lines}


def test_lines_without_numbers_are_numbered() -> None:
    assert [line["lineItemNumber"] for line in accepted(numbered("absent", None))["lineItems"]] == [0, 1]


def test_numbers_that_were_given_are_kept() -> None:
    assert [line["lineItemNumber"] for line in accepted(numbered(1, 0))["lineItems"]] == [1, 0]


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        ((0, 0), 1),
        ((0, 2), 1),
        ((0, -1), 1),
        ((0, True), 1),
        ((0, "1"), 1),
        ((0, 1.0), 1),
        ((0, "absent"), 1),
    ],
)
def test_numbers_that_partner_center_would_refuse_are_named(numbers: tuple[object, ...], wrong: int) -> None:
    assert set(faults(numbered(*numbers))) == {f"/lineItems/{wrong}/lineItemNumber"}


def test_a_reseller_beside_a_partner_id_is_judged_when_it_has_been_looked_up() -> None:
    body = {"lineItems": [LINE | {"partnerIdOnRecord": "1"}], "IndirectResellerId": CUSTOMER}

    assert order_request(json.dumps(body).encode(), CUSTOMER).indirect_reseller_id == CUSTOMER


@pytest.mark.parametrize("customer", ["", "..", "x", CUSTOMER + "/..", "{" + CUSTOMER + "}", CUSTOMER + "\n"])
def test_path_and_body_are_judged_together(customer: str) -> None:
    assert set(faults({"lineItems": []}, customer)) == {"path:customerId", "/lineItems"}


def test_a_bad_path_is_named_even_if_the_body_cannot_be_read() -> None:
    assert set(faults(b"{", "x")) == {"path:customerId", ""}


def test_faults_of_form_and_of_content_are_named_together() -> None:
    found = faults(b'{"lineItems": [{"offerId": "a", "quantity": NaN, "offerid": 1}], "billingCycle": "x"}')

    assert found["/lineItems/0/quantity"] == "NaN is not a JSON value"
    assert set(found) == {"/lineItems/0/quantity", "/lineItems/0/offerid", "/billingCycle"}


def test_a_body_beyond_the_limit_is_too_large() -> None:
    with pytest.raises(TooLargeError):
        order_request(b" " * (MAX_ORDER + 1), CUSTOMER)


def test_an_answer_does_not_grow_with_the_mistakes() -> None:
    line = {f"x{n}": 1 for n in range(30)}
    with pytest.raises(InvalidInputError) as caught:
        order_request(json.dumps({"lineItems": [line] * MAX_LINES}).encode(), CUSTOMER)

    assert len(caught.value.violations) == MAX_VIOLATIONS + 1
    assert f"{MAX_LINES * 32 - MAX_VIOLATIONS} more" in caught.value.violations[-1].detail


def test_a_hint_comes_from_the_object_that_the_name_stands_in() -> None:
    renews = {"termDurations": "P1Y", "quantity": 1}
    found = faults({"lineItems": [LINE | {"renewsTo": renews}]})

    assert found["/lineItems/0/renewsTo/termDurations"].endswith("did you mean termDuration?")
    assert "did you mean" not in found["/lineItems/0/renewsTo/quantity"]


def test_an_order_has_an_end() -> None:
    assert faults({"lineItems": [LINE] * (MAX_LINES + 1)}) == {
        "/lineItems": f"contains {MAX_LINES + 1} lines; at most {MAX_LINES} are taken"
    }
    wide = faults({"lineItems": [{f"x{n}": 1 for n in range(5000)}]})
    assert wide["/lineItems/0"] == "contains 5000 members; at most 100 are read"


def test_no_violation_repeats_a_value() -> None:
    secret = "s3cret value"
    line = LINE | {"offerId": secret, "quantity": secret, "termDuration": secret}
    found = faults({"lineItems": [line], "billingCycle": secret, "indirectResellerId": secret})

    assert len(found) == 5
    assert secret not in " ".join(found.values())


def test_another_error_passes_a_collector_unchanged() -> None:
    def collect() -> None:
        with ViolationCollector() as collected:
            collected.add("/a", "is wrong")
            raise TooLargeError("too large")

    with pytest.raises(TooLargeError):
        collect()


names = st.sampled_from([*DOCUMENTED, "lineItems", "billingCycle", "indirectResellerId", "x"])
line_names = st.sampled_from([*DOCUMENTED["LineItems"][0], "quantity", "renewsTo", "x"])  # type: ignore[index]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(CUSTOMER),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(line_names, inner, max_size=5),
    max_leaves=10,
)


@given(st.dictionaries(names, values, max_size=6))
def test_arbitrary_objects_raise_nothing_but_our_own_errors(body: dict[str, object]) -> None:
    with suppress(AppError):
        order_request(json.dumps(body).encode(), CUSTOMER)


@given(st.binary(max_size=100), st.text(max_size=40))
def test_arbitrary_bytes_raise_nothing_but_our_own_errors(raw: bytes, customer: str) -> None:
    with pytest.raises(InvalidInputError):
        order_request(raw, customer)
