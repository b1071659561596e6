"""Which customers callers and folders are bound to."""

from __future__ import annotations

import json

import pytest

from shared.core.access import ANYBODY, Caller
from shared.core.bindings import Bindings

ONE = "c501c3c4-d776-40ef-9ecf-9cefb59442c1"
MUST = "must be an object with a list of customers for each name, or left out"
TWO = "d0000000-0000-4000-8000-000000000002"


def bindings(**table: object) -> Bindings:
    return Bindings.read(json.dumps(table))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "must be JSON"),
        ("[" * 100_000, "must be JSON"),
        ("[]", 'must be an object of "roles" and "folders", or one of them'),
        ("{}", 'must be an object of "roles" and "folders", or one of them'),
        ('{"users": {}}', 'must be an object of "roles" and "folders", or one of them'),
        ('{"roles": []}', f"roles: {MUST}"),
        ('{"roles": {}}', f"roles: {MUST}"),
        ('{"folders": {}, "roles": {"A": ["*"]}}', f"folders: {MUST}"),
        ('{"roles": {"A": "*"}}', "roles, entry 1: must be a name with a list of customers"),
        ('{"roles": {"": ["*"]}}', "roles, entry 1: must be a name with a list of customers"),
        (
            '{"roles": {"A": ["*"], "B": ["contoso"]}}',
            "roles, entry 2: has a customer that is no tenant id and no *",
        ),
        ('{"roles": {"A": [7]}}', "roles, entry 1: has a customer that is no tenant id and no *"),
        ('{"folders": {"a": ["*"]}}', "folders, entry 1: must end in a slash, and begin with none"),
        ('{"folders": {"/a/": ["*"]}}', "folders, entry 1: must end in a slash, and begin with none"),
    ],
)
def test_a_table_that_is_none_is_refused_with_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Bindings.read(text)
    assert str(caught.value) == says


def test_without_bindings_everybody_may_act_for_everybody() -> None:
    assert Bindings().customers_of(["Orders.Create"]) is None
    assert Bindings().fault_of_drop("anywhere/a.json", ONE) == ""
    assert ANYBODY.may_act_for(ONE)
    assert ANYBODY.may_act_for("")


def test_a_caller_may_act_for_the_customers_of_all_roles_that_are_held() -> None:
    table = bindings(roles={"A": [ONE.upper()], "B": [TWO], "Operators": ["*"]})

    assert table.customers_of(["A", "B", "Orders.Create"]) == frozenset({ONE, TWO})
    assert table.customers_of(["Orders.Create"]) == frozenset()
    assert table.customers_of(["A", "Operators"]) is None


def test_a_bound_caller_sees_nothing_of_other_customers_or_unknown_ones() -> None:
    caller = Caller("ada", frozenset({ONE}))

    assert caller.may_act_for(ONE.upper())
    assert not caller.may_act_for(TWO)
    assert not caller.may_act_for("")


def test_a_drop_is_for_the_customers_of_the_longest_folder_that_holds_it() -> None:
    table = bindings(folders={"contoso/": [ONE], "contoso/two/": [TWO], "all/": ["*"]})

    assert table.fault_of_drop("contoso/PO.json", ONE.upper()) == ""
    assert table.fault_of_drop("contoso/PO.json", TWO) == "is not a customer of this folder"
    assert table.fault_of_drop("contoso/two/PO.json", TWO) == ""
    assert table.fault_of_drop("contoso/two/PO.json", ONE) == "is not a customer of this folder"
    assert table.fault_of_drop("all/PO.json", TWO) == ""


@pytest.mark.parametrize("path", ["PO.json", "contoso.json", "contosos/PO.json", "Contoso/PO.json"])
def test_once_folders_are_bound_nothing_is_taken_from_others(path: str) -> None:
    fault = bindings(folders={"contoso/": [ONE]}).fault_of_drop(path, ONE)
    assert fault == "cannot be taken from this folder: no customer is bound to it"


def test_an_upload_lies_under_the_customer_that_it_was_asked_for() -> None:
    table = bindings(folders={"contoso/": [ONE]})

    assert table.fault_of_drop(f"uploads/{TWO.upper()}/5cf72f146967/1/metadata.json", TWO) == ""
    assert table.fault_of_drop(f"uploads/{TWO}/5cf72f146967/1/metadata.json", ONE) != ""
    assert bindings(roles={"A": [ONE]}).fault_of_drop("x/PO.json", TWO) == ""
