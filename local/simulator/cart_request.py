"""Reads the cart that a client sends, as the documents define it, and finds what is wrong with its lines.

What is no cart is refused; a line that is one and cannot be bought keeps the fault that the answer tells.

https://learn.microsoft.com/en-us/partner-center/developer/create-a-cart
https://learn.microsoft.com/en-us/partner-center/developer/cart-resources
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from local.simulator.behaviour import Behaviour
from local.simulator.members import CART_FIELDS, CART_LINE_FIELDS, PARTICIPANT_FIELDS, RENEWS_TO_FIELDS
from local.simulator.orders import CYCLES, TERMS, named, product_of, read_cycle, read_members
from local.simulator.replies import refused
from local.simulator.state import CartLine, Reseller
from local.simulator.strict_json import StrictJsonError, read_object

RESELLER = "transaction_reseller"
ADDITIONAL_RESELLER = "additional_transaction_reseller"
_ADDITIONAL_LIMIT = 5
_OF_THE_SERVER = ("id", "orderGroup", "addonItems", "error", "attributes")
"""Members of a line that are not echoed as they came; a client that changes a cart sends them back."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One line as it was sent, its add-ons apart."""

    number: object
    fields: Mapping[str, object]
    addons: Sequence[_Item] = ()


def read_cart(body: bytes, behaviour: Behaviour, resellers: Sequence[Reseller]) -> tuple[CartLine, ...]:
    """Read and check the body of a new or changed cart, return its lines; raises Refused."""
    try:
        given = read_object(body)
    except StrictJsonError as error:
        raise refused("800002", str(error)) from None
    items = [_item(line) for line in _list(read_members(given, CART_FIELDS).get("lineItems"))]
    if not items:
        raise refused("800002", "A cart needs at least one line item.")
    numbers = iter(_numbers(items))
    groups: dict[tuple[str, ...], str] = {}
    lines = []
    for item in items:
        group = _group(item.fields, groups, behaviour)
        lines.append(_line(item, group, numbers, behaviour, resellers))
    return tuple(lines)


def _item(given: object, *, is_addon: bool = False) -> _Item:
    fields = read_members(given, CART_LINE_FIELDS)
    if not fields.get("catalogItemId"):
        raise refused("800002", "CatalogItemId is missing.")
    quantity = fields.get("quantity")
    if not isinstance(quantity, int) or quantity < 1:
        raise refused("900275")
    if "billingCycle" not in fields:
        raise refused("800002", "BillingCycle is missing.")
    fields["billingCycle"] = read_cycle(fields["billingCycle"])
    fields.setdefault("currencyCode", "USD")
    fields.setdefault("provisioningContext", {})
    if "renewsTo" in fields:
        fields["renewsTo"] = read_members(fields["renewsTo"], RENEWS_TO_FIELDS)
    if "participants" in fields:
        fields["participants"] = [_participant(item) for item in _list(fields["participants"])]
    addons = _list(fields.get("addonItems"))
    if addons and is_addon:
        raise refused("800002", "An add-on has no add-ons.")
    kept = {name: value for name, value in fields.items() if name not in _OF_THE_SERVER}
    return _Item(fields.get("id"), kept, [_item(addon, is_addon=True) for addon in addons])


def _participant(given: object) -> dict[str, object]:
    participant = read_members(given, PARTICIPANT_FIELDS)
    if set(participant) != set(PARTICIPANT_FIELDS):
        raise refused("800002", "A participant has a key and a value.")
    return participant


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _numbers(items: Sequence[_Item]) -> list[int]:
    """Return the ids of all lines, each followed by its add-ons: those that were sent, or from 0 on.

    The documents' examples count add-ons with the lines:
    https://learn.microsoft.com/en-us/partner-center/developer/create-a-cart-with-add-ons
    """
    sent = [item.number for base in items for item in (base, *base.addons)]
    if all(number is None for number in sent):
        return list(range(len(sent)))
    numbers = [_number(number) for number in sent]
    if sorted(numbers) != list(range(len(sent))):
        raise refused("800002", "The ids of the line items must run from 0 to their number less one.")
    return numbers


def _number(value: object) -> int:
    """Return the id of a line, a number in the examples and a string in the tables; -1 for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _group(fields: Mapping[str, object], groups: dict[tuple[str, ...], str], behaviour: Behaviour) -> str:
    """Return the order group of a line, and note it in `groups` when it is new."""
    item, cycle = str(fields["catalogItemId"]), str(fields["billingCycle"])
    prefix = "" if ":" in item else "OMS-"
    found = [prefix, cycle]
    if behaviour.order_groups == "product":
        found += [product_of(item), str(fields.get("termDuration"))]
    number = sum(known[0] == prefix for known in groups)
    return groups.setdefault(tuple(found), f"{prefix}{number}")


def _line(
    item: _Item, group: str, numbers: Iterator[int], behaviour: Behaviour, resellers: Sequence[Reseller]
) -> CartLine:
    number = next(numbers)
    addons = tuple(_line(addon, group, numbers, behaviour, resellers) for addon in item.addons)
    return CartLine(number, item.fields, group, _fault(item.fields, behaviour, resellers), addons)


def _fault(fields: Mapping[str, object], behaviour: Behaviour, resellers: Sequence[Reseller]) -> int:
    """Return the code of what is wrong with a line (replies.CART_FAULTS), or 0."""
    for name, code in behaviour.cart_faults.items():
        if named(str(fields["catalogItemId"]), [name]):
            return int(code)
    currency = str(fields["currencyCode"])
    found = {
        10000: not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()),
        10004: not _participants_are_supported(fields, resellers),
        10010: not _terms_fit(fields),
        10012: fields.get("attestationAccepted") is False,
        10015: int(str(fields["quantity"])) > behaviour.max_quantity,
    }
    return next((code for code, wrong in found.items() if wrong), 0)


def _participants_are_supported(fields: Mapping[str, object], resellers: Sequence[Reseller]) -> bool:
    sent = [(str(item["key"]), str(item["value"])) for item in participants_of(fields)]
    first = [value for key, value in sent if key == RESELLER]
    additional = [value for key, value in sent if key == ADDITIONAL_RESELLER]
    active = {reseller.mpn_id for reseller in resellers if reseller.state.lower() == "active"}
    return (
        len(first) + len(additional) == len(sent)
        and len(first) <= 1
        and len(additional) <= (_ADDITIONAL_LIMIT if first else 0)
        and set(first) <= active
    )


def participants_of(fields: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Return the participants of a line."""
    return [item for item in _list(fields.get("participants")) if isinstance(item, Mapping)]


def _terms_fit(fields: Mapping[str, object]) -> bool:
    renews_to = fields.get("renewsTo")
    renewed = renews_to.get("termDuration") if isinstance(renews_to, Mapping) else None
    term = fields.get("termDuration")
    if any(item is not None and item not in TERMS for item in (term, renewed)):
        return False
    return term is None or CYCLES[str(fields["billingCycle"])] <= TERMS[str(term)]
